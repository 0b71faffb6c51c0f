use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use storage::Sequence;

use crate::{Landing, Origin, Registry, Result, VersionId, checked, model_path, read_all};

/// The decision of a check that keeps a batch out of training.
const QUARANTINE: &str = "quarantine";

/// What became of a batch when it was parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchStatus {
    /// Its good rows are stored.
    Landed,
    /// It could not be used as a whole, and nothing of it is.
    Quarantined,
}

/// A parsed batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BatchManifest {
    /// The batch's id.
    pub batch: String,
    /// Its place in the order of arrival.
    pub sequence: u64,
    /// The source's number of the batch.
    pub batch_number: u64,
    /// The digest of the raw bytes.
    pub sha256: String,
    /// How many rows are stored.
    pub rows: u64,
    /// How many rows broke a rule and are in the quarantine file.
    pub quarantined: u64,
    /// Whether it can be used.
    pub status: BatchStatus,
    /// Why it cannot be used, or what was noticed; for people.
    pub reasons: Vec<String>,
    /// What the parser found about the columns, free in form.
    pub columns: Value,
    /// When it was stored.
    pub stored_at: DateTime<Utc>,
}

/// A decision of check-drift about a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The batch's id.
    pub batch: String,
    /// `bootstrap`, `train`, `skip` or `quarantine`.
    pub decision: String,
    /// Why, for people.
    pub reasons: Vec<String>,
    /// The production version it was compared with.
    pub production: Option<VersionId>,
    /// The whole report, free in form.
    pub report: Value,
    /// When it was decided.
    pub at: DateTime<Utc>,
    /// The idempotency key it was asked for with; the same key is checked once.
    pub key: String,
}

/// A batch released from quarantine by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The reason given.
    pub reason: String,
    /// When it was released.
    pub at: DateTime<Utc>,
}

/// Everything that is known about a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchState {
    /// How it came.
    pub landing: Landing,
    /// What was parsed from it; `None` until it is.
    pub manifest: Option<BatchManifest>,
    /// The latest decision about it; `None` until there is one.
    pub check: Option<Check>,
    /// Its release by hand, if there was one.
    pub release: Option<Release>,
}

impl BatchState {
    /// Whether training may use it: rows of it are stored, and it was released by hand or checked and not quarantined.
    pub fn accepted(&self) -> bool {
        let is_usable = |manifest: &BatchManifest| manifest.status == BatchStatus::Landed && manifest.rows > 0;
        let passed = self.check.as_ref().is_some_and(|check| check.decision != QUARANTINE);
        self.manifest.as_ref().is_some_and(is_usable) && (self.release.is_some() || passed)
    }
}

impl Registry {
    /// Stores the manifest of a parsed batch, after its files, and returns what is stored: the first one stays.
    pub async fn put_batch(&self, model: &str, manifest: BatchManifest) -> Result<BatchManifest> {
        self.put_first(&batch_path(model, &manifest.batch, "manifest.json")?, manifest).await
    }

    /// Puts a manifest in the place of one that called the batch unreadable, when a mended spec can read it after all.
    pub async fn replace_batch(&self, model: &str, manifest: &BatchManifest) -> Result<()> {
        Ok(self.store.put_json(&batch_path(model, &manifest.batch, "manifest.json")?, manifest).await?)
    }

    /// The manifest of a batch, if it was parsed.
    pub async fn batch_manifest(&self, model: &str, batch: &str) -> Result<Option<BatchManifest>> {
        Ok(self.store.try_get_json(&batch_path(model, batch, "manifest.json")?).await?)
    }

    /// Stores a file of a batch, such as `rows.parquet` or `quarantine.ndjson`.
    pub async fn put_batch_file(&self, model: &str, batch: &str, name: &str, body: impl Into<Bytes>) -> Result<()> {
        checked("batch file", name)?;
        Ok(self.store.put(&batch_path(model, batch, name)?, body).await?)
    }

    /// A file of a batch.
    ///
    /// # Errors
    /// [`storage::Error::NotFound`] when there is none.
    pub async fn get_batch_file(&self, model: &str, batch: &str, name: &str) -> Result<Bytes> {
        checked("batch file", name)?;
        Ok(self.store.get(&batch_path(model, batch, name)?).await?)
    }

    /// As [`Registry::get_batch_file`]; none where the batch has no such file.
    ///
    /// # Errors
    /// Those of the store, and a name that is none.
    pub async fn find_batch_file(&self, model: &str, batch: &str, name: &str) -> Result<Option<Bytes>> {
        checked("batch file", name)?;
        Ok(self.store.try_get(&batch_path(model, batch, name)?).await?)
    }

    /// Records a decision about a batch and returns what is on record: the first decision under its key.
    pub async fn record_check(&self, model: &str, check: Check) -> Result<Check> {
        let sequence = self.check_sequence(model, &check.batch)?;
        loop {
            let earlier: Vec<(u64, Check)> = sequence.all_json().await?;
            let last = earlier.last().map_or(0, |(number, _)| *number);
            if let Some((_, replay)) = earlier.into_iter().find(|(_, earlier)| earlier.key == check.key) {
                return Ok(replay);
            }
            if sequence.append_json_if(last, &check).await? {
                return Ok(check);
            }
        }
    }

    /// Every decision about a batch, oldest first.
    pub async fn checks(&self, model: &str, batch: &str) -> Result<Vec<Check>> {
        let checks = self.check_sequence(model, batch)?.all_json().await?;
        Ok(checks.into_iter().map(|(_, check)| check).collect())
    }

    /// Releases a batch from quarantine and returns the release on record: the first one stays.
    pub async fn release_batch(&self, model: &str, batch: &str, reason: &str) -> Result<Release> {
        let release = Release { reason: reason.to_owned(), at: self.now() };
        self.put_first(&batch_path(model, batch, "release.json")?, release).await
    }

    /// Every batch that landed, in the order of arrival.
    pub async fn batches(&self, model: &str) -> Result<Vec<BatchState>> {
        let landings = in_order(self.landings(model).await?);
        read_all(landings, |landing| self.batch_state(model, landing)).await
    }

    /// One batch, if it landed.
    pub async fn batch(&self, model: &str, batch: &str) -> Result<Option<BatchState>> {
        checked("batch", batch)?;
        let landings = self.landings(model).await?;
        match landings.into_iter().find(|landing| landing.batch == batch) {
            Some(landing) => Ok(Some(self.batch_state(model, landing).await?)),
            None => Ok(None),
        }
    }

    async fn batch_state(&self, model: &str, landing: Landing) -> Result<BatchState> {
        let release_path = batch_path(model, &landing.batch, "release.json")?;
        let checks = self.check_sequence(model, &landing.batch)?;
        let (manifest, check, release) = futures::join!(
            self.batch_manifest(model, &landing.batch),
            checks.latest_json::<Check>(),
            self.store.try_get_json(&release_path),
        );
        Ok(BatchState { manifest: manifest?, check: check?.map(|(_, check)| check), release: release?, landing })
    }

    fn check_sequence(&self, model: &str, batch: &str) -> Result<Sequence> {
        Ok(self.sequence(batch_path(model, batch, "checks")?))
    }
}

/// Landings in the source's order: as they came, but a replayed one stands where it would have come the first time. So what
/// is learnt from history does not depend on whether a batch had to be fetched twice.
fn in_order(landings: Vec<Landing>) -> Vec<Landing> {
    let mut ordered: Vec<Landing> = Vec::with_capacity(landings.len());
    for landing in landings {
        let later = |other: &Landing| landing.origin == Origin::Replayed && other.batch_number > landing.batch_number;
        let place = ordered.iter().position(later).unwrap_or(ordered.len());
        ordered.insert(place, landing);
    }
    ordered
}

fn batch_path(model: &str, batch: &str, rest: &str) -> Result<String> {
    checked("batch", batch)?;
    model_path(model, &format!("batches/{batch}/{rest}"))
}
