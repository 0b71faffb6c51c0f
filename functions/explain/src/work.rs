//! Explaining records on as many threads as there are cores.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use model::Coalitions;
use service::Progress;
use serving::Served;
use shap::{Budget, Settings};
use spec::{Batch, Record};
use tokio::sync::Semaphore;

use crate::answer::{Asked, Explained};
use crate::{Error, State};

/// Seed of every sample, so that a repeat of a request without a deadline in its way gets the same numbers.
const SEED: u64 = 0;

/// Explains records in order, each on a core of its own. Until `deadline` has passed since `started`, the samples of the
/// first `k` of `n` records may use `k / n` of it; exact values take what they take.
pub(crate) async fn explain_all(
    state: &State,
    served: &Arc<Served>,
    records: Vec<Record>,
    asked: Asked,
    (started, deadline): (Instant, Duration),
    progress: &Progress,
) -> Result<Vec<Explained>, Error> {
    let n_records = records.len();
    let background = served.background().await.map_err(Error::Background)?;
    let cores = &state.0.cores;
    let explained = stream::iter(records.into_iter().enumerate()).map(|(index, record)| {
        let (served, background) = (Arc::clone(served), Arc::clone(&background));
        let until = started + deadline.mul_f64((index + 1) as f64 / n_records as f64);
        async move { on_a_core(cores, move || explain(&served, &background, &record, asked, until)).await }
    });
    let mut explained = explained.buffered(state.0.n_cores);
    let mut explanations = Vec::with_capacity(n_records);
    while let Some(explanation) = explained.try_next().await? {
        explanations.push(explanation);
        let n_done = explanations.len();
        progress.send(format!("explained {n_done} of {n_records} records"), Some(n_done as f64 / n_records as f64));
    }
    Ok(explanations)
}

/// Runs `work` on a thread of its own as soon as a core is free.
async fn on_a_core<T: Send + 'static>(
    cores: &Arc<Semaphore>,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let core = Arc::clone(cores).acquire_owned().await.map_err(|_| Error::Stopping)?;
    let work = move || {
        let _core = core;
        work()
    };
    tokio::task::spawn_blocking(work).await.map_err(Error::Broke)?
}

fn explain(
    served: &Served,
    background: &Batch,
    record: &Record,
    asked: Asked,
    until: Instant,
) -> Result<Explained, Error> {
    let predictor = served.predictor();
    let mut game = Coalitions::new(predictor, record, background, asked.space).map_err(Error::Game)?;
    let is_due = || Instant::now() >= until;
    let budget = Budget { deadline: Some(&is_due), ..Budget::default() };
    let settings = Settings { seed: SEED, budget, ..Settings::default() };
    let explanation = shap::explain(&mut game, &settings).map_err(Error::Values)?;
    let predictions = predictor.predict_records(std::slice::from_ref(record));
    Ok(Explained::new(served.spec(), asked, &explanation, &predictions))
}
