//! The data source's side of the contract: HTTP endpoints and folders of files.

use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use registry::{Landing, Origin, sha256};
use serde::Deserialize;
use serde::de::IgnoredAny;
use spec::{Exhausted, FilesSource, Format, HttpSource, Spec};
use url::Url;

use crate::{Error, State};

/// Bytes of an error's body that are told.
const TOLD_BYTES: usize = 300;

/// What a read of the source gave.
pub(crate) enum Fetched {
    /// A batch.
    Batch {
        /// The source's number of it; none where the source does not number.
        number: Option<u64>,
        /// The raw bytes.
        body: Bytes,
        /// What they are.
        media_type: &'static str,
        /// How they came.
        origin: Origin,
    },
    /// No batch is left.
    Exhausted,
}

/// A model's source.
pub(crate) struct Source<'a> {
    state: &'a State,
    model: &'a str,
    place: Place<'a>,
}

enum Place<'a> {
    Http(&'a HttpSource, Url),
    Files(&'a FilesSource),
}

impl<'a> Source<'a> {
    pub(crate) fn of(state: &'a State, spec: &'a Spec) -> Result<Self, Error> {
        let source = spec.source.as_ref().ok_or_else(|| Error::NoSource { model: spec.name.clone() })?;
        let place = match (&source.http, &source.files) {
            (Some(http), _) => Place::Http(http, address(&http.url)?),
            (None, Some(files)) => Place::Files(files),
            (None, None) => return Err(Error::NoSource { model: spec.name.clone() }),
        };
        Ok(Self { state, model: &spec.name, place })
    }

    /// Whether a read may advance a cursor on the source's side.
    pub(crate) fn advances(&self) -> bool {
        matches!(self.place, Place::Http(..))
    }

    /// Whether the source can start its sequence again.
    pub(crate) fn restarts(&self) -> bool {
        matches!(&self.place, Place::Http(http, _) if http.restart.is_some())
    }

    /// Reads the next batch: of an endpoint, what it answers; of a folder, the first file in order of names whose bytes
    /// have not landed.
    pub(crate) async fn read(&self, landings: &[Landing]) -> Result<Fetched, Error> {
        match &self.place {
            Place::Http(http, url) => self.read_http(http, url).await,
            Place::Files(files) => self.read_files(files, landings).await,
        }
    }

    /// Starts the sequence again.
    pub(crate) async fn restart(&self) -> Result<(), Error> {
        let Place::Http(http, url) = &self.place else { return Ok(()) };
        let Some(restart) = &http.restart else { return Ok(()) };
        let url = url.join(restart).map_err(|source| Error::Address { url: restart.clone(), source })?;
        let response = self.get(&url, http.timeout_s).await?;
        match response.status() {
            status if status.is_success() => Ok(()),
            status => Err(self.refused(status.as_u16(), &response.bytes().await.unwrap_or_default())),
        }
    }

    async fn read_http(&self, http: &HttpSource, url: &Url) -> Result<Fetched, Error> {
        let response = self.get(url, http.timeout_s).await?;
        let status = response.status();
        let media_type = media_type(response.headers().get("content-type").and_then(|value| value.to_str().ok()));
        let body = response.bytes().await.map_err(|source| self.unreachable(source))?;
        if http.exhausted.as_ref().is_some_and(|exhausted| says_exhausted(exhausted, status.as_u16(), &body)) {
            return Ok(Fetched::Exhausted);
        }
        if !status.is_success() {
            return Err(self.refused(status.as_u16(), &body));
        }
        Ok(Fetched::Batch { number: number_of(&body), body, media_type, origin: Origin::Fetched })
    }

    /// Asks again only when no connection came about: then the source cannot have advanced.
    async fn get(&self, url: &Url, timeout_s: u64) -> Result<reqwest::Response, Error> {
        let ask = || self.state.http.get(url.clone()).timeout(Duration::from_secs(timeout_s)).send();
        let backoff = ExponentialBuilder::default().with_min_delay(Duration::from_millis(200)).with_max_times(3);
        ask.retry(backoff).when(reqwest::Error::is_connect).await.map_err(|source| self.unreachable(source))
    }

    async fn read_files(&self, files: &FilesSource, landings: &[Landing]) -> Result<Fetched, Error> {
        let store = self.state.host.open_store(&files.url)?;
        let (suffix, media_type) = match files.format {
            Format::Csv => (".csv", "text/csv"),
            Format::Parquet => (".parquet", "application/vnd.apache.parquet"),
            Format::Json => (".json", "application/json"),
        };
        let entries = store.list("").await?;
        let batches = entries.iter().filter(|entry| entry.path.ends_with(suffix));
        for (place, entry) in (0..).zip(batches) {
            // A file that stands where one of its size landed is taken for it unread. Once files are archived or inserted,
            // places no longer agree, and the bytes decide.
            if landings.iter().any(|landing| landing.batch_number == place && landing.size_bytes == entry.size) {
                continue;
            }
            let body = store.get(&entry.path).await?;
            let digest = sha256(&body);
            if landings.iter().all(|landing| landing.sha256 != digest) {
                return Ok(Fetched::Batch { number: None, body, media_type, origin: Origin::File });
            }
        }
        Ok(Fetched::Exhausted)
    }

    fn unreachable(&self, source: reqwest::Error) -> Error {
        // The address may carry a key of the user's; the model's name says enough.
        Error::Unreachable { model: self.model.to_owned(), source: source.without_url() }
    }

    fn refused(&self, status: u16, body: &Bytes) -> Error {
        let body = String::from_utf8_lossy(&body[..body.len().min(TOLD_BYTES)]).into_owned();
        Error::Refused { model: self.model.to_owned(), status, body }
    }
}

impl Error {
    /// Whether the source surely did not advance.
    pub(crate) fn left_the_source_alone(&self) -> bool {
        matches!(self, Error::Unreachable { source, .. } if source.is_connect())
    }
}

/// The format of bytes by their media type; JSON where it says nothing.
pub(crate) fn format_of(media_type: &str) -> Format {
    match media_type {
        "text/csv" => Format::Csv,
        "application/vnd.apache.parquet" => Format::Parquet,
        _ => Format::Json,
    }
}

fn media_type(header: Option<&str>) -> &'static str {
    match header.and_then(|header| header.split(';').next()).map(str::trim) {
        Some("text/csv") => "text/csv",
        Some("application/vnd.apache.parquet") => "application/vnd.apache.parquet",
        _ => "application/json",
    }
}

fn address(url: &str) -> Result<Url, Error> {
    Url::parse(url).map_err(|source| Error::Address { url: url.to_owned(), source })
}

fn says_exhausted(exhausted: &Exhausted, status: u16, body: &Bytes) -> bool {
    let text = String::from_utf8_lossy(body);
    let matches = |pattern: &String| regex::Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(&text));
    status == exhausted.status && exhausted.pattern.as_ref().is_none_or(matches)
}

/// The source's number of a batch, found without reading its rows. Of a body that breaks off, the number if it stands
/// near the beginning.
fn number_of(body: &Bytes) -> Option<u64> {
    #[derive(Deserialize)]
    struct Envelope {
        batch_number: Option<u64>,
        #[serde(flatten)]
        _rest: std::collections::HashMap<IgnoredKey, IgnoredAny>,
    }
    #[derive(Deserialize, PartialEq, Eq, Hash)]
    struct IgnoredKey(String);
    if let Ok(envelope) = serde_json::from_slice::<Envelope>(body) {
        return envelope.batch_number;
    }
    const HEAD: usize = 4096;
    let head = String::from_utf8_lossy(&body[..body.len().min(HEAD)]);
    let (_, after) = head.split_once("\"batch_number\"")?;
    let digits: String = after.trim_start_matches([':', ' ']).chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_without_reading_rows() {
        for (body, expected) in [
            (r#"{"group_number": 1, "batch_number": 4, "data": [{"a": 1}]}"#, Some(4)),
            (r#"{"data": [1, 2], "batch_number": 0}"#, Some(0)),
            (r#"{"group_number": 1, "batch_number": 12, "data": [{"a""#, Some(12)),
            (r#"[{"a": 1}]"#, None),
            ("", None),
        ] {
            assert_eq!(number_of(&Bytes::from(body)), expected, "{body}");
        }
    }

    #[test]
    fn exhaustion_needs_status_and_text() {
        let exhausted = Exhausted { status: 400, pattern: Some("(?i)recolect".to_owned()) };
        let body = Bytes::from(r#"{"detail":"Ya se recolectó toda la información mínima necesaria"}"#);
        assert!(says_exhausted(&exhausted, 400, &body));
        assert!(!says_exhausted(&exhausted, 200, &body));
        assert!(!says_exhausted(&exhausted, 400, &Bytes::from("Número de grupo inválido")));
    }
}
