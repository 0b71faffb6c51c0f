use std::io::Read;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::{Error, Registry, Result, checked, model_path};

/// How hard zstd tries; its default, which is fast and good.
const COMPRESSION_LEVEL: i32 = 3;
/// The most text that one segment may hold, so that a broken one cannot fill the memory.
const MAX_TEXT_BYTES: u64 = 1 << 30;
const SUFFIX: &str = ".ndjson.zst";

/// A log of compressed NDJSON segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    /// What was predicted, in `predictions/`.
    Predictions,
    /// What turned out to be true, in `feedback/`.
    Feedback,
}

impl Log {
    fn folder(self) -> &'static str {
        match self {
            Log::Predictions => "predictions",
            Log::Feedback => "feedback",
        }
    }
}

/// One segment of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its name; names order the segments, so begin them with a time or a UUID of version 7.
    pub name: String,
    /// Its compressed size in bytes.
    pub size_bytes: u64,
    /// When the store says it was written.
    pub written_at: DateTime<Utc>,
}

impl Segment {
    /// The times of the first and the last prediction that it is about, in ms since 1970; none for a name that does not say.
    ///
    /// ```
    /// use registry::Segment;
    /// let segment = |name: &str| Segment { name: name.to_owned(), size_bytes: 0, written_at: Default::default() };
    /// assert_eq!(segment("10-20-1b4e28ba-2fa1-11d2-883f-0016d3cca427").time_range_ms(), Some((10, 20)));
    /// assert_eq!(segment("other").time_range_ms(), None);
    /// ```
    pub fn time_range_ms(&self) -> Option<(i64, i64)> {
        let mut parts = self.name.splitn(3, '-');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    }
}

impl Registry {
    /// Stores a segment of the prediction log: NDJSON lines through [`compress`].
    pub async fn put_predictions(&self, model: &str, name: &str, ndjson_zstd: Bytes) -> Result<()> {
        self.put_segment(Log::Predictions, model, name, ndjson_zstd).await
    }

    /// The segments of the prediction log, in the order of their names.
    pub async fn prediction_segments(&self, model: &str) -> Result<Vec<Segment>> {
        self.segments(Log::Predictions, model).await
    }

    /// The lines of a segment of the prediction log.
    ///
    /// # Errors
    /// [`Error::Segment`] when it is not compressed text.
    pub async fn read_predictions(&self, model: &str, name: &str) -> Result<String> {
        self.read_segment(Log::Predictions, model, name).await
    }

    /// Deletes a segment of the prediction log, when its retention is over.
    pub async fn delete_predictions(&self, model: &str, name: &str) -> Result<()> {
        self.delete_segment(Log::Predictions, model, name).await
    }

    /// Stores a segment of the feedback log: NDJSON lines through [`compress`].
    pub async fn put_feedback(&self, model: &str, name: &str, ndjson_zstd: Bytes) -> Result<()> {
        self.put_segment(Log::Feedback, model, name, ndjson_zstd).await
    }

    /// The segments of the feedback log, in the order of their names.
    pub async fn feedback_segments(&self, model: &str) -> Result<Vec<Segment>> {
        self.segments(Log::Feedback, model).await
    }

    /// The lines of a segment of the feedback log.
    ///
    /// # Errors
    /// [`Error::Segment`] when it is not compressed text.
    pub async fn read_feedback(&self, model: &str, name: &str) -> Result<String> {
        self.read_segment(Log::Feedback, model, name).await
    }

    /// Deletes a segment of the feedback log, when its retention is over.
    pub async fn delete_feedback(&self, model: &str, name: &str) -> Result<()> {
        self.delete_segment(Log::Feedback, model, name).await
    }

    async fn put_segment(&self, log: Log, model: &str, name: &str, body: Bytes) -> Result<()> {
        Ok(self.store.put(&segment_path(log, model, name)?, body).await?)
    }

    async fn segments(&self, log: Log, model: &str) -> Result<Vec<Segment>> {
        let entries = self.store.list(&model_path(model, log.folder())?).await?;
        let segment = |entry: storage::Entry| {
            let name = entry.name().strip_suffix(SUFFIX)?.to_owned();
            Some(Segment { name, size_bytes: entry.size, written_at: entry.modified })
        };
        Ok(entries.into_iter().filter_map(segment).collect())
    }

    async fn read_segment(&self, log: Log, model: &str, name: &str) -> Result<String> {
        let path = segment_path(log, model, name)?;
        let body = self.store.get(&path).await?;
        // A full segment takes tens of milliseconds, too long for a thread that serves others.
        let text = tokio::task::spawn_blocking(move || decompress(&body));
        let text = text.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        text.map_err(|source| Error::Segment { path, source })
    }

    async fn delete_segment(&self, log: Log, model: &str, name: &str) -> Result<()> {
        Ok(self.store.delete(&segment_path(log, model, name)?).await?)
    }
}

/// Compresses NDJSON lines for a segment.
///
/// # Errors
/// [`Error::Segment`] when zstd cannot.
pub fn compress(ndjson: &str) -> Result<Bytes> {
    zstd::encode_all(ndjson.as_bytes(), COMPRESSION_LEVEL)
        .map(Bytes::from)
        .map_err(|source| Error::Segment { path: "a new segment".to_owned(), source })
}

fn decompress(body: &[u8]) -> std::io::Result<String> {
    let mut text = String::new();
    zstd::Decoder::with_buffer(body)?.take(MAX_TEXT_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_TEXT_BYTES {
        return Err(std::io::Error::other("more than 1 GiB of text"));
    }
    Ok(text)
}

fn segment_path(log: Log, model: &str, name: &str) -> Result<String> {
    checked("segment", name)?;
    model_path(model, &format!("{}/{name}{SUFFIX}", log.folder()))
}
