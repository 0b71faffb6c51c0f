//! The slots of all models, and the task that follows their aliases.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use futures::future::join_all;
use once_cell::sync::OnceCell;
use registry::Registry;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::slot::{RECHECK, Slot};
use crate::{Error, Served};

/// The longest part of a model's name that an error repeats.
const MAX_NAME_CHARS: usize = 128;

/// The production versions of all models, each opened at its first request. Cloning is cheap and shares them.
///
/// A version that serves is found by one atomic load and one look-up, without a lock. A background task looks at the
/// aliases of opened models and swaps what changed; requests in flight keep what they have. It ends with the last clone.
#[derive(Clone, Debug)]
pub struct Slots(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    period: Duration,
    slots: ArcSwap<HashMap<String, Arc<Slot>>>,
    /// The slot of the only model that serves, once somebody asked for it without a name.
    only: ArcSwapOption<Slot>,
    names: Recent,
    serving: Recent,
    follower: OnceCell<()>,
}

/// The last answer to a question about all models, and when it was given.
type Recent = Mutex<Option<(Instant, Result<Vec<String>, Error>)>>;

impl Slots {
    /// How often aliases are looked at unless told otherwise.
    pub const PERIOD: Duration = Duration::from_millis(500);

    /// Slots for the models of `registry`, whose aliases are looked at every `period`. Nothing is read yet.
    pub fn new(registry: Registry, period: Duration) -> Self {
        Self(Arc::new(Inner {
            registry,
            period,
            slots: ArcSwap::default(),
            only: ArcSwapOption::empty(),
            names: Mutex::default(),
            serving: Mutex::default(),
            follower: OnceCell::new(),
        }))
    }

    /// The production version of a model.
    ///
    /// # Errors
    /// [`Error::UnknownModel`] for a name that the registry knows nothing of, [`Error::NoProduction`] for a model that was
    /// never promoted, and what is wrong with its production version where no earlier one was opened.
    pub async fn get(&self, model: &str) -> Result<Arc<Served>, Error> {
        if let Some(served) = self.0.slots.load().get(model).and_then(|slot| slot.current()) {
            return Ok(served);
        }
        self.open(model).await.map(|(_, served)| served)
    }

    /// The production version of the only model that has one.
    ///
    /// # Errors
    /// [`Error::NothingServes`], [`Error::SeveralModels`], and those of [`Slots::get`].
    pub async fn only_model(&self) -> Result<Arc<Served>, Error> {
        if let Some(served) = self.0.only.load().as_ref().and_then(|slot| slot.current()) {
            return Ok(served);
        }
        let serving = recent(&self.0.serving, || self.0.serving_models()).await?;
        match serving.as_slice() {
            [] => Err(Error::NothingServes),
            [model] => {
                let (slot, served) = self.open(model).await?;
                self.0.only.store(Some(slot));
                Ok(served)
            }
            _ => Err(Error::SeveralModels { models: serving }),
        }
    }

    /// Every reason why a model that was asked for is not served as production says; none when all is well.
    pub fn troubles(&self) -> Vec<String> {
        let slots = self.0.slots.load();
        let mut troubles: Vec<String> = slots.values().filter_map(|slot| slot.trouble()).collect();
        troubles.sort();
        troubles
    }

    /// The troubles of models that are not served at all: with a last good version a model stays in service, however
    /// damaged the newest one is.
    pub fn outages(&self) -> Vec<String> {
        let slots = self.0.slots.load();
        let silent = slots.values().filter(|slot| slot.current().is_none());
        let mut outages: Vec<String> = silent.filter_map(|slot| slot.trouble()).collect();
        outages.sort();
        outages
    }

    async fn open(&self, model: &str) -> Result<(Arc<Slot>, Arc<Served>), Error> {
        let slot = self.0.slot(model).await?;
        let served = slot.get_or_open(&self.0.registry).await?;
        self.0.follower.get_or_init(|| drop(tokio::spawn(follow(Arc::downgrade(&self.0), self.0.period))));
        Ok((slot, served))
    }
}

impl Inner {
    /// The slot of a model that the registry knows. Names that it does not know get none, so callers cannot fill memory.
    async fn slot(&self, model: &str) -> Result<Arc<Slot>, Error> {
        if let Some(slot) = self.slots.load().get(model) {
            return Ok(Arc::clone(slot));
        }
        let list = || async { self.registry.models().await.map_err(|source| Error::List(Arc::new(source))) };
        let names = recent(&self.names, list).await?;
        if !names.iter().any(|name| name == model) {
            let hint = match names.as_slice() {
                [] => "there is none yet".to_owned(),
                names => format!("there is {}", names.join(", ")),
            };
            return Err(Error::UnknownModel { model: model.chars().take(MAX_NAME_CHARS).collect(), hint });
        }
        let new = Arc::new(Slot::new(model));
        self.slots.rcu(|slots| {
            let mut slots = HashMap::clone(slots);
            slots.entry(model.to_owned()).or_insert_with(|| Arc::clone(&new));
            slots
        });
        // Another request may have been faster; then its slot is the one that stays.
        Ok(self.slots.load().get(model).map_or(new, Arc::clone))
    }

    /// The models that have a production version.
    async fn serving_models(&self) -> Result<Vec<String>, Error> {
        let names = self.registry.models().await.map_err(|source| Error::List(Arc::new(source)))?;
        let slots = self.slots.load_full();
        let serves = join_all(names.iter().map(|model| {
            let is_open = slots.get(model).is_some_and(|slot| slot.current().is_some());
            async move {
                // An alias is never taken back, so an opened model needs no second look.
                if is_open {
                    return Ok(true);
                }
                let production = self.registry.production(model).await;
                production
                    .map(|entry| entry.is_some())
                    .map_err(|source| Error::Production { model: model.clone(), source: Arc::new(source) })
            }
        }));
        let mut serving = Vec::new();
        for (model, serves) in names.iter().zip(serves.await) {
            if serves? {
                serving.push(model.clone());
            }
        }
        Ok(serving)
    }

    async fn follow_all(&self) {
        let slots = self.slots.load_full();
        join_all(slots.values().map(|slot| slot.follow(&self.registry))).await;
        // The only model may have got company.
        if self.only.load().is_some()
            && let Ok(serving) = self.serving_models().await
            && serving.len() != 1
        {
            self.only.store(None);
        }
    }
}

async fn follow(inner: Weak<Inner>, period: Duration) {
    loop {
        tokio::time::sleep(period).await;
        let Some(inner) = inner.upgrade() else { return };
        inner.follow_all().await;
    }
}

/// What `ask` answers, asked again only when the last answer is older than [`RECHECK`].
async fn recent<F>(last: &Recent, ask: impl FnOnce() -> F) -> Result<Vec<String>, Error>
where
    F: Future<Output = Result<Vec<String>, Error>>,
{
    let mut last = last.lock().await;
    if let Some((at, answer)) = &*last
        && at.elapsed() < RECHECK
    {
        return answer.clone();
    }
    let answer = ask().await;
    *last = Some((Instant::now(), answer.clone()));
    answer
}
