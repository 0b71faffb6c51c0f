//! Which batch a call gets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use registry::{BatchManifest, BatchStatus, Intent, Landing, Registry};
use serde::Serialize;
use service::Progress;
use spec::Spec;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::heal::{Reach, heal};
use crate::read::{is_malformed, read_landing};
use crate::source::{Fetched, Source};
use crate::{Error, State};

/// How long a call waits for another writer of the same model.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a call got.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Ingested {
    /// Name of the model.
    pub model: String,
    /// Id of the batch; null when the source is exhausted.
    pub batch: Option<String>,
    /// The source's number of the batch; null when the source is exhausted.
    pub batch_number: Option<u64>,
    /// Good rows.
    pub rows: u64,
    /// Rows in quarantine.
    pub quarantined: u64,
    /// Digest of the raw bytes, in hex.
    pub sha256: Option<String>,
    /// What happened.
    pub status: Status,
    /// Why the batch as a whole is in quarantine.
    pub reasons: Vec<String>,
}

/// What happened to a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is new, and its rows are stored.
    Landed,
    /// The source sent bytes that had landed before.
    Repeated,
    /// The source has no batch left.
    Exhausted,
    /// It is new, and none of its rows can be used.
    Quarantined,
}

/// Gets the batch of `key`, or else the next one.
///
/// One writer at a time works on a model's batches; every step can be taken again by the next writer.
pub(crate) async fn next_batch(
    state: &State,
    spec: &Arc<Spec>,
    key: Option<String>,
    progress: &Progress,
) -> Result<Ingested, Error> {
    let registry = state.host.registry();
    let ttl = state.host.config().lease_ttl();
    let lease = registry.writer(&spec.name, &state.host.owner("ingest"), ttl, PATIENCE).await?.keep_alive();
    let key = key.unwrap_or_else(|| Uuid::new_v4().to_string());
    let ingest = Ingest { registry, spec, source: Source::of(state, spec)?, progress };
    let outcome = tokio::select! {
        outcome = ingest.batch_for(&key) => outcome,
        () = lease.lost() => Err(Error::LeaseLost { model: spec.name.clone() }),
    };
    if let Err(error) = lease.release().await {
        // It expires by itself, and what was done is done.
        tracing::warn!(error = fault::chain(&error), "failed to give the lease back");
    }
    outcome
}

/// One call's work, under the model's lease.
pub(crate) struct Ingest<'a> {
    pub(crate) registry: &'a Registry,
    pub(crate) spec: &'a Arc<Spec>,
    pub(crate) source: Source<'a>,
    pub(crate) progress: &'a Progress,
}

impl Ingest<'_> {
    async fn batch_for(&self, key: &str) -> Result<Ingested, Error> {
        let delivered = self.registry.delivered(self.model()).await?;
        if let Some((sequence, _)) = delivered.iter().find(|(_, holder)| *holder == key) {
            let landings = self.registry.landings(self.model()).await?;
            if let Some(landing) = landings.iter().find(|landing| landing.sequence == *sequence) {
                return self.answer(landing, false).await;
            }
        }
        let intents = self.registry.open_intents(self.model()).await?;
        // Whoever landed a batch may have died before it looked for gaps; batches are handed out in order.
        heal(self, Reach { interrupted: !intents.is_empty(), to_the_end: false }).await?;
        if let Some(answer) = self.deliver_waiting(key).await? {
            return Ok(answer);
        }
        self.fetch(key, intents).await
    }

    /// Hands the oldest batch that landed and was never handed out to `key`.
    async fn deliver_waiting(&self, key: &str) -> Result<Option<Ingested>, Error> {
        let (landings, delivered) =
            (self.registry.landings(self.model()).await?, self.registry.delivered(self.model()).await?);
        let mut waiting: Vec<&Landing> =
            landings.iter().filter(|landing| !delivered.contains_key(&landing.sequence)).collect();
        waiting.sort_by_key(|landing| (landing.batch_number, landing.sequence));
        for landing in waiting {
            let manifest = self.read(landing).await?;
            let is_replaced = landings
                .iter()
                .any(|other| other.batch_number == landing.batch_number && other.sequence > landing.sequence);
            if is_malformed(&manifest) && is_replaced {
                // A replay brought the same batch undamaged; nobody needs to hear of the damaged bytes.
                self.registry.deliver(self.model(), landing.sequence, "replaced").await?;
                continue;
            }
            if self.registry.deliver(self.model(), landing.sequence, key).await? {
                return self.answer(landing, false).await.map(Some);
            }
        }
        Ok(None)
    }

    /// Asks the source for its next batch.
    async fn fetch(&self, key: &str, earlier: Vec<Intent>) -> Result<Ingested, Error> {
        let model = self.model();
        let interrupted = !earlier.is_empty();
        if self.source.advances() {
            self.registry.open_intent(model, key).await?;
        }
        self.progress.send("asking the source for its next batch", None);
        let landings = self.registry.landings(model).await?;
        let fetched = match self.source.read(&landings).await {
            Ok(fetched) => fetched,
            Err(error) => {
                if error.left_the_source_alone() {
                    self.registry.close_intent(model, key).await?;
                }
                return Err(error);
            }
        };
        let Fetched::Batch { number, body, media_type, origin } = fetched else {
            return self.exhausted(key, &earlier).await;
        };
        self.progress.send(format!("landing {} bytes", body.len()), None);
        let next = landings.iter().map(|landing| landing.batch_number + 1).max().unwrap_or(0);
        let landed = self.registry.land(model, number.unwrap_or(next), body, media_type, origin).await?;
        self.read(&landed.landing).await?;
        // Without numbers no gap shows, so after an interruption everything is read again.
        heal(self, Reach { interrupted, to_the_end: interrupted && number.is_none() }).await?;
        self.close_intents(key, &earlier).await?;
        if let Some(answer) = self.deliver_waiting(key).await? {
            return Ok(answer);
        }
        self.answer(&landed.landing, landed.repeated).await
    }

    async fn exhausted(&self, key: &str, earlier: &[Intent]) -> Result<Ingested, Error> {
        // The last batch may be the one that a process took and died with; no later number would show that gap.
        if !earlier.is_empty() {
            heal(self, Reach { interrupted: true, to_the_end: true }).await?;
        }
        self.close_intents(key, earlier).await?;
        if let Some(answer) = self.deliver_waiting(key).await? {
            return Ok(answer);
        }
        Ok(Ingested {
            model: self.model().to_owned(),
            batch: None,
            batch_number: None,
            rows: 0,
            quarantined: 0,
            sha256: None,
            status: Status::Exhausted,
            reasons: Vec::new(),
        })
    }

    /// Closes the own intent and those that were open before, whose batches are by now landed, healed or lost on record.
    async fn close_intents(&self, key: &str, earlier: &[Intent]) -> Result<(), Error> {
        for key in earlier.iter().map(|intent| intent.key.as_str()).chain([key]) {
            self.registry.close_intent(self.model(), key).await?;
        }
        Ok(())
    }

    async fn answer(&self, landing: &Landing, repeated: bool) -> Result<Ingested, Error> {
        let manifest = self.read(landing).await?;
        Ok(Ingested {
            model: self.model().to_owned(),
            batch: Some(landing.batch.clone()),
            batch_number: Some(landing.batch_number),
            rows: manifest.rows,
            quarantined: manifest.quarantined,
            sha256: Some(landing.sha256.clone()),
            status: match manifest.status {
                _ if repeated => Status::Repeated,
                BatchStatus::Landed => Status::Landed,
                BatchStatus::Quarantined => Status::Quarantined,
            },
            reasons: manifest.reasons,
        })
    }

    pub(crate) async fn read(&self, landing: &Landing) -> Result<BatchManifest, Error> {
        self.progress.send(format!("reading batch {}", landing.batch), None);
        read_landing(self.registry, self.spec, landing).await
    }

    pub(crate) fn model(&self) -> &str {
        &self.spec.name
    }

    /// The source's numbers that have landed undamaged, with the digest of their bytes.
    pub(crate) async fn numbers(&self) -> Result<BTreeMap<u64, String>, Error> {
        let states = self.registry.batches(self.model()).await?;
        let sound = states.into_iter().filter(|state| !state.manifest.as_ref().is_some_and(is_malformed));
        Ok(sound.map(|state| (state.landing.batch_number, state.landing.sha256)).collect())
    }
}
