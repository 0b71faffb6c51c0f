//! Search: which settings of a fit do better than the defaults, on the train rows alone.
//!
//! Trial 0 has the settings that the spec and the defaults give, and is measured on all folds. Every other trial changes
//! some of the settings that the spec leaves open ([`Settings::draw`]) and goes by successive halving: it is measured on
//! one fold, the best third of such trials on a second one, the best third of those on the rest. Each fold is measured
//! once, by one member of each kind. In the end the trial with the best mean over all folds is chosen; folds are the same
//! for all, so what it has over the defaults is a paired difference with a standard error, which is told.
//!
//! Trials run one after the other, and which one is next follows from the figures so far. So as many trials of the same
//! rows, spec and seed lead to the same choice, whether their number was given or time ran out behind the last of them.
//!
//! # Source
//! K. Jamieson and A. Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", AISTATS (2016);
//! without waiting for a rung to fill, as L. Li et al., "A system for massively parallel hyperparameter tuning", MLSys
//! (2020), algorithm 2, with one worker.

mod settings;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use model::Predictor;
use rand::seq::index;
use serde::{Deserialize, Serialize};
use spec::{Batch, Metric, Spec, Train};

use crate::Error;
use crate::evaluate::Estimate;
use crate::fit::{KeepNothing, Stream, fit_batch, stream, teaching};
use crate::folds::Fold;

pub use settings::Settings;

/// Folds of the train rows.
const FOLDS: usize = 5;
/// Folds that a trial is measured on to climb the lower rungs; the last one has all.
const LOWER_RUNGS: [usize; 2] = [1, 2];
/// Of so many trials on a rung the best climbs.
const REDUCTION: usize = 3;
/// Most trials of a search by seconds: as many as a spec may ask for.
const MAX_TRIALS: usize = 10_000;
/// Most rows that trials are measured with: a seeded sample of more would tell settings apart no better.
const MAX_ROWS: usize = 50_000;

/// What a search tried, and what it chose: the part `search.json` of a version. Each trial is a run of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Search {
    /// What trials are compared by.
    pub metric: Metric,
    /// Rows that the folds were made from.
    pub rows: usize,
    /// Folds that a trial has been measured on when it has climbed each rung; the last is the number of all folds.
    pub rungs: Vec<usize>,
    /// All trials, by number. As many `trials` find the same again.
    pub trials: Vec<Trial>,
    /// The number of the trial whose settings are followed; 0 are the defaults.
    pub chosen: usize,
    /// The metric of the chosen trial less that of the defaults, by fold; none where these are the defaults.
    pub difference: Option<Estimate>,
}

/// Some settings, and how they did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Its number, from 0.
    pub trial: usize,
    /// What it changes.
    pub settings: Settings,
    /// How it ended.
    pub state: TrialState,
    /// The metric on each fold that it was measured on, in the order of the folds.
    pub folds: Vec<f64>,
    /// Mean of these.
    pub mean: Option<f64>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialState {
    /// It was measured on all folds.
    Completed,
    /// Others did better on fewer folds.
    Stopped,
    /// No model could be fitted or measured with its settings.
    Failed,
}

/// A trial on one fold: the metric, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The metric's value, finite, or what went wrong.
    pub value: Result<f64, String>,
    /// Wall time that it took. It ends a search by seconds, and is no part of a version.
    pub seconds: f64,
}

/// Where measured trials are kept, and who hears of them: the checkpoints of a job, or a server that tracks runs.
pub trait TrialKeeper: Sync {
    /// What a trial was measured at on a fold before.
    ///
    /// # Errors
    /// When the place cannot be read.
    fn find(&self, trial: usize, fold: usize) -> Result<Option<Measured>, Error>;

    /// Keeps what a trial was measured at.
    ///
    /// # Errors
    /// When the place cannot be written.
    fn keep(&self, trial: usize, fold: usize, measured: &Measured) -> Result<(), Error>;

    /// Hears that a trial is being measured on a fold, and of every epoch of it; may end the search.
    fn hear(&self, trial: usize, fold: usize) -> ControlFlow<()>;
}

/// Keeps nothing and never ends a search.
#[derive(Clone, Copy, Debug)]
pub struct NoTrialKeeper;

impl TrialKeeper for NoTrialKeeper {
    fn find(&self, _: usize, _: usize) -> Result<Option<Measured>, Error> {
        Ok(None)
    }

    fn keep(&self, _: usize, _: usize, _: &Measured) -> Result<(), Error> {
        Ok(())
    }

    fn hear(&self, _: usize, _: usize) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl Search {
    /// The search that a spec asks for, on the rows that a model is to learn from; none where it asks for none.
    ///
    /// # Errors
    /// Those of a fit with the settings of the spec, [`Error::Unmeasured`] when its metric is not defined on a fold, and
    /// those of the keeper. Other settings that cannot be fitted are failed trials.
    pub fn of(spec: &Arc<Spec>, rows: &Batch, keeper: &dyn TrialKeeper) -> Result<Option<Self>, Error> {
        let Some(budget) = spec.train.search else { return Ok(None) };
        let run = Run::new(spec, rows, keeper);
        run.search(budget).map(Some)
    }

    /// The spec with the settings that were chosen.
    pub fn settled(&self, spec: &Spec) -> Arc<Spec> {
        Arc::new(spec.with_train(self.settings().over(&spec.train)))
    }

    /// The settings that were chosen.
    pub fn settings(&self) -> &Settings {
        &self.trials[self.chosen].settings
    }

    /// The bytes of the part `search.json`. Equal searches give equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("a search is finite numbers and text under text keys")
    }
}

/// A search under way.
struct Run<'a> {
    spec: &'a Arc<Spec>,
    /// All rows that teach, or a sample of them.
    rows: Batch,
    /// Rows that a model will be fitted on in the end.
    n_rows: usize,
    folds: Vec<Fold>,
    rungs: Vec<usize>,
    keeper: &'a dyn TrialKeeper,
    trials: Vec<Trial>,
    seconds: f64,
}

impl<'a> Run<'a> {
    fn new(spec: &'a Arc<Spec>, rows: &Batch, keeper: &'a dyn TrialKeeper) -> Self {
        let rows = teaching(rows);
        let n_rows = rows.n_rows();
        let rows = if n_rows > MAX_ROWS {
            let mut rng = stream(spec.train.seed, Stream::Search, 0);
            let mut chosen = index::sample(&mut rng, n_rows, MAX_ROWS).into_vec();
            chosen.sort_unstable();
            rows.select(&chosen)
        } else {
            rows.into_owned()
        };
        let mut folds = Fold::of(&rows, FOLDS, spec.train.seed);
        if rows.time().is_some() {
            // The newest rows are most like those to come, so the first rung looks at them.
            folds.reverse();
        }
        let lower = LOWER_RUNGS.into_iter().filter(|rung| *rung < folds.len());
        let rungs = lower.chain([folds.len()]).collect();
        Self { spec, rows, n_rows, folds, rungs, keeper, trials: Vec::new(), seconds: 0.0 }
    }

    fn search(mut self, budget: spec::Search) -> Result<Search, Error> {
        let top = self.rungs.len() - 1;
        self.begin(Settings::default());
        self.climb(0, top)?;
        if let Some(reason) = self.trials[0].reason.take() {
            return Err(Error::Unmeasured { reason });
        }
        loop {
            let next = self.trials.len();
            let goes_on = !self.folds.is_empty()
                && next < budget.trials.unwrap_or(MAX_TRIALS)
                && budget.seconds.is_none_or(|seconds| self.seconds < seconds as f64);
            if let Some((trial, rung)) = self.next_to_climb(0) {
                self.climb(trial, rung)?;
            } else if goes_on {
                self.begin(Settings::draw(self.spec, self.n_rows, self.rows.n_rows(), next));
                self.climb(next, 0)?;
            } else {
                break;
            }
        }
        // However few trials there were, the best one of them is held against the defaults.
        while let Some((trial, rung)) = self.next_to_climb(1) {
            self.climb(trial, rung)?;
        }
        Ok(self.finish())
    }

    fn begin(&mut self, settings: Settings) {
        let trial = self.trials.len();
        let state = TrialState::Stopped;
        self.trials.push(Trial { trial, settings, state, folds: Vec::new(), mean: None, reason: None });
    }

    /// The trial that should climb next, and its next rung: one of the best third of a rung, or of the `least` best. Higher
    /// rungs come first. The defaults are at the top already and do not count.
    fn next_to_climb(&self, least: usize) -> Option<(usize, usize)> {
        (0..self.rungs.len() - 1).rev().find_map(|rung| {
            let n_folds = self.rungs[rung];
            let mut here: Vec<(f64, usize)> = self.trials[1..]
                .iter()
                .filter(|trial| trial.folds.len() >= n_folds && trial.state != TrialState::Failed)
                .map(|trial| (self.loss(&trial.folds[..n_folds]), trial.trial))
                .collect();
            here.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let best = here.iter().take((here.len() / REDUCTION).max(least));
            let waits = best.map(|(_, trial)| *trial).find(|trial| self.trials[*trial].folds.len() == n_folds);
            waits.map(|trial| (trial, rung + 1))
        })
    }

    /// Mean of a metric over folds, so that less is better.
    fn loss(&self, folds: &[f64]) -> f64 {
        let mean = folds.iter().sum::<f64>() / folds.len() as f64;
        if self.spec.metric().higher_is_better() { -mean } else { mean }
    }

    /// Measures a trial on the folds that it lacks for a rung.
    fn climb(&mut self, trial: usize, rung: usize) -> Result<(), Error> {
        for fold in self.trials[trial].folds.len()..self.rungs[rung] {
            let measured = match self.keeper.find(trial, fold)? {
                Some(measured) => measured,
                None => {
                    let began = Instant::now();
                    let value = self.measure(trial, fold)?;
                    let measured = Measured { value, seconds: began.elapsed().as_secs_f64() };
                    self.keeper.keep(trial, fold, &measured)?;
                    measured
                }
            };
            self.seconds += measured.seconds;
            let trial = &mut self.trials[trial];
            match measured.value {
                Ok(value) => trial.folds.push(value),
                Err(reason) => {
                    (trial.state, trial.reason) = (TrialState::Failed, Some(reason));
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The metric of a trial on a fold, or why there is none. What may go better the next time, or is wrong with the
    /// defaults themselves, is an error.
    fn measure(&self, trial: usize, fold: usize) -> Result<Result<f64, String>, Error> {
        if self.keeper.hear(trial, fold).is_break() {
            return Err(Error::Interrupted);
        }
        match self.fit(trial, fold) {
            Ok(predictor) => {
                let test = self.rows.select(&self.folds[fold].test);
                let metric = self.spec.metric();
                let metrics = test.target().map(|target| model::evaluate(self.spec, &predictor.predict(&test), target));
                let value = metrics.and_then(|metrics| metrics.get(&metric).copied()).filter(|value| value.is_finite());
                let n_folds = self.folds.len();
                Ok(value.ok_or_else(|| format!("fold {} of {n_folds} of the train rows has no `{metric}`", fold + 1)))
            }
            Err(error) if trial == 0 || error.may_pass() => Err(error),
            Err(error) => Ok(Err(fault::chain(&error))),
        }
    }

    fn fit(&self, trial: usize, fold: usize) -> Result<Predictor, Error> {
        let settings = self.trials[trial].settings.over(&self.spec.train);
        let spec = Arc::new(self.spec.with_train(Train { refit: false, ..settings }));
        let rows = self.rows.select(&self.folds[fold].train);
        // Nothing of the fit is kept but what it is measured at.
        let keeper = KeepNothing(|| self.keeper.hear(trial, fold));
        let (encoder, fitted) = fit_batch(&spec, &rows, 1, &|| false, &keeper)?;
        Ok(Predictor::new(spec, encoder, &fitted.weights)?)
    }

    fn finish(mut self) -> Search {
        let n_folds = self.folds.len();
        for trial in &mut self.trials {
            trial.mean = (!trial.folds.is_empty()).then(|| Estimate::of(trial.folds.clone()).mean);
            if trial.folds.len() == n_folds && trial.state != TrialState::Failed {
                trial.state = TrialState::Completed;
            }
        }
        let completed = self.trials.iter().filter(|trial| trial.state == TrialState::Completed && n_folds > 0);
        let losses = completed.map(|trial| (self.loss(&trial.folds), trial.trial));
        // Of equal ones the first, so that the defaults are left for something better only.
        let chosen = losses.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))).map_or(0, |(_, trial)| trial);
        let pairs = self.trials[chosen].folds.iter().zip(&self.trials[0].folds);
        let difference = (chosen > 0).then(|| Estimate::of(pairs.map(|(this, default)| this - default).collect()));
        Search {
            metric: self.spec.metric(),
            rows: self.rows.n_rows(),
            rungs: self.rungs,
            trials: self.trials,
            chosen,
            difference,
        }
    }
}
