#![doc = include_str!("../README.md")]

mod answers;
mod batches;
mod decisions;
mod deliveries;
mod error;
mod events;
mod jobs;
mod landings;
mod production;
mod segments;
#[cfg(test)]
mod tests;
mod turns;
mod versions;

use std::future::Future;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{StreamExt, TryStreamExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use storage::{Lease, Sequence, Store};

pub use answers::Answer;
pub use batches::{BatchManifest, BatchState, BatchStatus, Check, Release};
pub use decisions::{DecisionKind, DecisionRecord};
pub use deliveries::{Delivery, Intent};
pub use error::{Error, Result};
pub use events::Event;
pub use jobs::{Job, JobPhase, JobResult, JobState};
pub use landings::{Landed, Landing, Origin};
pub use production::{Action, AliasEntry, Move};
pub use segments::{Segment, compress};
pub use turns::{Outcome, Turn, TurnRecord};
pub use versions::{Manifest, Part, PartDigest, VersionId};

/// How many objects are read at once where many are needed.
const READS_AT_ONCE: usize = 16;
/// The longest name of a model, batch, job, decision or segment.
const MAX_NAME_BYTES: usize = 128;

/// The registry in a store. Cloning is cheap.
///
/// Records are dated by the store's [`Clock`](storage::Clock). Names that come from outside (models, batches, jobs, ...)
/// are checked before they become paths: letters, digits, `.`, `_` and `-`, at most 128, not starting with a dot;
/// idempotency keys may be any text.
#[derive(Clone, Debug)]
pub struct Registry {
    store: Store,
}

impl Registry {
    /// The registry in `store`.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// The store it lies in.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The time now, by the store's clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.store.clock().now()
    }

    /// The models that anything is known about, in order of their names.
    pub async fn models(&self) -> Result<Vec<String>> {
        Ok(self.store.folders("models").await?)
    }

    /// Takes the lease of the one writer of `model`, waiting up to `patience` for its holder.
    ///
    /// # Errors
    /// [`storage::Error::Held`] when somebody still held it at the end.
    pub async fn writer(
        &self,
        model: &str,
        owner: &str,
        ttl: std::time::Duration,
        patience: std::time::Duration,
    ) -> Result<Lease> {
        checked("model", model)?;
        Ok(Lease::wait(&self.store, &format!("models/{model}"), owner, ttl, patience).await?)
    }

    fn sequence(&self, prefix: String) -> Sequence {
        Sequence::new(&self.store, prefix)
    }

    /// Puts `value` at `path` unless something is there, and returns what is there now.
    async fn put_first<T: Serialize + DeserializeOwned>(&self, path: &str, value: T) -> Result<T> {
        if self.store.put_json_new(path, &value).await? {
            return Ok(value);
        }
        Ok(self.store.get_json(path).await?)
    }
}

/// The path `rest` in the folder of `model`.
fn model_path(model: &str, rest: &str) -> Result<String> {
    checked("model", model)?;
    Ok(format!("models/{model}/{rest}"))
}

/// Refuses a name that cannot be a segment of a path.
fn checked(what: &'static str, name: &str) -> Result<()> {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let fits = !name.is_empty() && name.len() <= MAX_NAME_BYTES;
    if fits && !name.starts_with('.') && name.bytes().all(is_allowed) {
        return Ok(());
    }
    Err(Error::Name { what, name: name.chars().take(MAX_NAME_BYTES).collect() })
}

/// The name under which an idempotency key, which may be any text, is stored.
fn key_name(key: &str) -> String {
    sha256(key.as_bytes())
}

/// The SHA-256 digest of `bytes` in lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Runs `read` for every item, some at once, and keeps the order.
async fn read_all<I, T, F>(items: I, read: impl FnMut(I::Item) -> F) -> Result<Vec<T>>
where
    I: IntoIterator,
    F: Future<Output = Result<T>>,
{
    futures::stream::iter(items).map(read).buffered(READS_AT_ONCE).try_collect().await
}

/// Whether `bytes` have the digest that was recorded for them.
fn matches_digest(bytes: &Bytes, digest: &str) -> bool {
    sha256(bytes) == digest
}
