use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use storage::{BoxError, Sequence};
use uuid::Uuid;

use crate::{Error, Registry, Result, checked, matches_digest, model_path, sha256};

/// How a batch came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// It was the source's next one.
    Fetched,
    /// The source was restarted and sent it (again).
    Replayed,
    /// It is a file that was found.
    File,
}

/// A batch whose raw bytes are stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Landing {
    /// Its place in the order of arrival, from 1.
    pub sequence: u64,
    /// The batch's id: the source's number and the first 12 digits of the digest, `000007-0123456789ab`.
    pub batch: String,
    /// The source's number of the batch.
    pub batch_number: u64,
    /// The digest of the raw bytes.
    pub sha256: String,
    /// The size of the raw bytes.
    pub size_bytes: u64,
    /// What the raw bytes are, such as `application/json`.
    pub media_type: String,
    /// When it landed.
    pub landed_at: DateTime<Utc>,
    /// How it came.
    pub origin: Origin,
}

/// The answer to bytes that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landed {
    /// Where they landed, now or the first time.
    pub landing: Landing,
    /// Whether the same bytes had landed before.
    pub repeated: bool,
}

impl Registry {
    /// Lands a batch: stores its bytes, then says that they are there.
    ///
    /// Bytes that landed before are `repeated`, whatever number they come under, and keep their first landing.
    pub async fn land(
        &self,
        model: &str,
        batch_number: u64,
        body: Bytes,
        media_type: &str,
        origin: Origin,
    ) -> Result<Landed> {
        let (digest, size_bytes) = (sha256(&body), body.len() as u64);
        // A process that dies from here on leaves bytes without a landing: harmless, and the next attempt finds them.
        self.store.put(&raw_path(model, &digest)?, body).await?;
        self.record_landing(model, batch_number, digest, size_bytes, media_type, origin).await
    }

    /// Lands a batch that is too large to be in memory. It gets its name when the last byte has come.
    ///
    /// # Errors
    /// [`storage::Error::Body`] when the stream breaks off: nothing has landed then.
    pub async fn land_stream<S, E>(
        &self,
        model: &str,
        batch_number: u64,
        body: S,
        media_type: &str,
        origin: Origin,
    ) -> Result<Landed>
    where
        S: Stream<Item = std::result::Result<Bytes, E>> + Send,
        E: Into<BoxError>,
    {
        let incoming = model_path(model, &format!("incoming/{}", Uuid::new_v4()))?;
        let mut hasher = Sha256::new();
        let hashed = body.inspect(|chunk| {
            if let Ok(chunk) = chunk {
                hasher.update(chunk);
            }
        });
        let size_bytes = self.store.put_stream(&incoming, hashed).await?;
        let digest = hex::encode(hasher.finalize());
        self.store.rename(&incoming, &raw_path(model, &digest)?).await?;
        self.record_landing(model, batch_number, digest, size_bytes, media_type, origin).await
    }

    /// Every landing, in the order of arrival.
    pub async fn landings(&self, model: &str) -> Result<Vec<Landing>> {
        let landings = self.landing_sequence(model)?.all_json().await?;
        Ok(landings.into_iter().map(|(_, landing)| landing).collect())
    }

    /// The raw bytes with this digest.
    ///
    /// # Errors
    /// [`Error::RawMismatch`] when they are not what landed, [`storage::Error::NotFound`] when there are none.
    pub async fn raw(&self, model: &str, sha256: &str) -> Result<Bytes> {
        let body = self.store.get(&raw_path(model, sha256)?).await?;
        if !matches_digest(&body, sha256) {
            return Err(Error::RawMismatch { model: model.to_owned(), sha256: sha256.to_owned() });
        }
        Ok(body)
    }

    async fn record_landing(
        &self,
        model: &str,
        batch_number: u64,
        sha256: String,
        size_bytes: u64,
        media_type: &str,
        origin: Origin,
    ) -> Result<Landed> {
        let sequence = self.landing_sequence(model)?;
        let mut landing = Landing {
            sequence: 0,
            batch: format!("{batch_number:06}-{}", &sha256[..12]),
            batch_number,
            sha256,
            size_bytes,
            media_type: media_type.to_owned(),
            landed_at: self.now(),
            origin,
        };
        let mut seen = 0;
        loop {
            for (number, body) in sequence.after(seen).await? {
                let earlier: Landing = serde_json::from_slice(&body)
                    .map_err(|source| storage::Error::Decode { path: sequence.path(number), source })?;
                if earlier.sha256 == landing.sha256 {
                    return Ok(Landed { landing: earlier, repeated: true });
                }
                seen = number;
            }
            landing.sequence = seen + 1;
            if sequence.append_json_if(seen, &landing).await? {
                return Ok(Landed { landing, repeated: false });
            }
            // Another landing came between; it may be of the same bytes.
        }
    }

    fn landing_sequence(&self, model: &str) -> Result<Sequence> {
        Ok(self.sequence(model_path(model, "landings")?))
    }
}

fn raw_path(model: &str, sha256: &str) -> Result<String> {
    checked("raw batch", sha256)?;
    model_path(model, &format!("raw/{sha256}"))
}
