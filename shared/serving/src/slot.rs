//! One model's production version: opened once, then swapped.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use once_cell::sync::OnceCell;
use registry::{Registry, VersionId};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::{Error, Served, open};

/// A model without a version that can be served is looked at again after this long, not at every request.
pub(crate) const RECHECK: Duration = Duration::from_millis(200);

/// A version that was refused is read again after a while, in case the store was mended; never more rarely than this.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The place of one model.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) model: String,
    current: OnceCell<ArcSwap<Served>>,
    /// Held while opening, so that requests that come together share it; keeps the last failure for those who waited.
    opening: Mutex<Option<(Instant, Error)>>,
    trouble: ArcSwapOption<Trouble>,
}

/// Why the slot does not serve what production says.
#[derive(Debug)]
struct Trouble {
    /// The version that was refused; none when the registry could not say which it is.
    version: Option<VersionId>,
    reason: String,
    wait: Duration,
    next_attempt: Instant,
}

impl Slot {
    pub(crate) fn new(model: &str) -> Self {
        Self {
            model: model.to_owned(),
            current: OnceCell::new(),
            opening: Mutex::default(),
            trouble: ArcSwapOption::empty(),
        }
    }

    /// What serves, if it was opened: one atomic load.
    pub(crate) fn current(&self) -> Option<Arc<Served>> {
        self.current.get().map(ArcSwap::load_full)
    }

    /// Why the slot does not serve what production says, if so.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.load().as_ref().map(|trouble| trouble.reason.clone())
    }

    /// What serves, opened now if it was not.
    pub(crate) async fn get_or_open(&self, registry: &Registry) -> Result<Arc<Served>, Error> {
        let mut failure = self.opening.lock().await;
        if let Some(served) = self.current() {
            return Ok(served);
        }
        if let Some((at, error)) = &*failure
            && at.elapsed() < RECHECK
        {
            return Err(error.clone());
        }
        match self.open(registry).await {
            Ok(served) => Ok(self.current.get_or_init(|| ArcSwap::new(served)).load_full()),
            Err(error) => {
                *failure = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn open(&self, registry: &Registry) -> Result<Arc<Served>, Error> {
        let Some(version) = self.production(registry).await? else {
            return Err(Error::NoProduction { model: self.model.clone() });
        };
        match open(registry, &self.model, &version).await {
            Ok(served) => {
                tracing::info!(model = self.model, version = version.short(), "serving");
                self.recovered();
                Ok(Arc::new(served))
            }
            Err(error) => {
                self.refuse(Some(version), &error);
                Err(error)
            }
        }
    }

    /// Looks at production, and swaps when it is another version. A slot that was not opened yet stays so.
    pub(crate) async fn follow(&self, registry: &Registry) {
        let Some(current) = self.current.get() else { return };
        let version = match self.production(registry).await {
            Ok(Some(version)) => version,
            // An alias is never taken back; a store that lost it has lost more.
            Ok(None) => return self.refuse(None, &Error::NoProduction { model: self.model.clone() }),
            Err(error) => return self.refuse(None, &error),
        };
        if current.load().version() == &version {
            return self.recovered();
        }
        let is_early =
            |trouble: &Trouble| trouble.version.as_ref() == Some(&version) && Instant::now() < trouble.next_attempt;
        if self.trouble.load().as_deref().is_some_and(is_early) {
            return;
        }
        match open(registry, &self.model, &version).await {
            Ok(served) => {
                let previous = current.swap(Arc::new(served));
                let (version, previous) = (version.short(), previous.version().short());
                tracing::info!(model = self.model, version, previous, "serving another version");
                metrics::counter!("ebb_version_swaps_total", "model" => self.model.clone()).increment(1);
                self.recovered();
            }
            Err(error) => self.refuse(Some(version), &error),
        }
    }

    async fn production(&self, registry: &Registry) -> Result<Option<VersionId>, Error> {
        let entry = registry.production(&self.model).await;
        let entry =
            entry.map_err(|source| Error::Production { model: self.model.clone(), source: Arc::new(source) })?;
        Ok(entry.map(|entry| entry.version))
    }

    /// Keeps the reason for those who ask whether the process is ready, and tells it once per version.
    fn refuse(&self, version: Option<VersionId>, error: &Error) {
        let reason = fault::chain(error);
        let before = self.trouble.load_full().filter(|trouble| trouble.version == version);
        if before.is_none() {
            let refused = version.as_ref().map(VersionId::short);
            let serving = self.current().map(|served| served.version().short().to_owned());
            tracing::error!(model = self.model, refused, serving, error = reason, "production cannot be served");
        }
        let wait = before.map_or(RECHECK, |trouble| (trouble.wait * 2).min(LONGEST_WAIT));
        let next_attempt = Instant::now() + wait;
        self.trouble.store(Some(Arc::new(Trouble { version, reason, wait, next_attempt })));
        self.gauge(1.0);
    }

    fn recovered(&self) {
        if self.trouble.load().is_some() {
            self.trouble.store(None);
            tracing::info!(model = self.model, "production is served again");
            self.gauge(0.0);
        }
    }

    /// 1 while production cannot be served, 0 when it can again.
    fn gauge(&self, value: f64) {
        metrics::gauge!("ebb_version_refused", "model" => self.model.clone()).set(value);
    }
}
