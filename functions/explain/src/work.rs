//! Explaining records on all cores.

use std::sync::Arc;
use std::time::Instant;

use futures::{StreamExt, TryStreamExt, stream};
use model::{Coalitions, Predictor};
use service::Progress;
use serving::Served;
use shap::{Budget, Method};
use spec::{Batch, Record};
use tokio::sync::Semaphore;

use crate::answer::{Answer, Asked, Explained};
use crate::summary::SummaryAnswer;
use crate::{Error, State};

/// Seed of every sample, so that a repeat of a request without a deadline in its way gets the same numbers.
const SEED: u64 = 0;

/// Multiply-adds a second that a core is trusted with when exact values are chosen by the deadline: about a third of what
/// one does. Where it does fewer, the deadline still ends the work.
const MULTIPLY_ADDS_PER_SECOND: f64 = 15e9;

/// What an evaluation costs beside the network's own multiply-adds, in these.
const OVERHEAD: usize = 10_000;

/// Most background rows that a summary explains.
const MAX_SUMMARY_ROWS: usize = 100;

/// Explains records in order. Until the deadline, the first `k` of `n` records may use `k / n` of the time.
pub(crate) async fn explain_all(
    state: &State,
    served: &Arc<Served>,
    records: Vec<Record>,
    asked: Asked,
    progress: &Progress,
) -> Result<Answer, Error> {
    let n_records = records.len();
    let background = served.background().await.map_err(Error::Background)?;
    let cores = &state.0.cores;
    let affordable = affordable_evaluations(served.predictor(), asked, n_records, state.0.n_cores);
    let explained = stream::iter(records.into_iter().enumerate()).map(|(index, record)| {
        let (served, background) = (Arc::clone(served), Arc::clone(&background));
        let until = asked.started + asked.deadline.mul_f64((index + 1) as f64 / n_records as f64);
        async move { on_a_core(cores, move || explain(&served, &background, &record, asked, until, affordable)).await }
    });
    let mut explained = explained.buffered(state.0.n_cores);
    let mut explanations = Vec::with_capacity(n_records);
    while let Some(explanation) = explained.try_next().await? {
        explanations.push(explanation);
        let n_done = explanations.len();
        progress.send(format!("explained {n_done} of {n_records} records"), Some(n_done as f64 / n_records as f64));
    }
    Ok(Answer { model: served.model().to_owned(), version: served.version().to_string(), explanations })
}

/// Explains the background rows, or as many of them as are explained at once, against all of them.
pub(crate) async fn summarise(
    state: &State,
    served: &Arc<Served>,
    asked: Asked,
    progress: &Progress,
) -> Result<SummaryAnswer, Error> {
    let background = served.background().await.map_err(Error::Background)?;
    let n_rows = background.n_rows().min(MAX_SUMMARY_ROWS);
    let rows: Vec<usize> = (0..n_rows).map(|row| row * background.n_rows() / n_rows).collect();
    let records: Vec<Record> = rows.iter().map(|row| background.record(*row)).collect();
    let answer = explain_all(state, served, records.clone(), asked, progress).await?;
    Ok(SummaryAnswer::new(served.spec(), &records, answer))
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

/// How many rows each record may be evaluated at within the deadline, by the request alone: the same request chooses the
/// same method.
fn affordable_evaluations(predictor: &Predictor, asked: Asked, n_records: usize, n_cores: usize) -> u64 {
    let cost = (predictor.network().architecture().multiply_adds() + OVERHEAD) as f64;
    let multiply_adds = asked.deadline.as_secs_f64() * MULTIPLY_ADDS_PER_SECOND * n_cores as f64;
    (multiply_adds / cost / n_records as f64) as u64
}

fn explain(
    served: &Served,
    background: &Batch,
    record: &Record,
    asked: Asked,
    until: Instant,
    affordable: u64,
) -> Result<Explained, Error> {
    let predictor = served.predictor();
    let game = Coalitions::new(predictor, record, background, asked.space).map_err(Error::Game)?;
    let is_due = || Instant::now() >= until;
    let budget = Budget {
        exact_evaluations: affordable,
        max_evaluations: affordable.min(shap::DEFAULT_MAX_EVALUATIONS),
        target_standard_error: asked.standard_error,
        deadline: Some(&is_due),
    };
    let explanation = shap::explain(&game, SEED, budget).map_err(Error::Values)?;
    let pairs = if asked.interactions && explanation.method == Method::Exact {
        shap::interactions(&game, budget).map_err(Error::Values)?
    } else {
        None
    };
    let predictions = predictor.predict_records(std::slice::from_ref(record));
    Ok(Explained::new(served.spec(), asked, &explanation, pairs.as_ref(), &predictions))
}
