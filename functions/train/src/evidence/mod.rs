//! Evidence with every version: what is known about it besides a few metrics, and the cards that tell of it.
//!
//! Everything here is computed from a fitted predictor and the rows of its job, without a clock and with seeded samples, so
//! that a job that is run again gives the same bytes. Nothing here decides anything: a warning refuses no version.
//!
//! [`Evidence`] is the part `evidence.json`; [`model_card`] and [`data_card`] are made from it and from the spec, as Markdown
//! and as one HTML page each.

mod card;
mod classes;
mod columns;
mod fairness;
mod groups;
mod importance;
mod leakage;
mod residuals;
mod scores;
mod stats;

use indexmap::IndexMap;
use model::{Predictions, Predictor};
use serde::{Deserialize, Serialize};
use spec::{Batch, ColumnData, Metric};

use crate::Error;
use crate::remedy::Trial;
use crate::search::Search;

pub use card::{Card, data_card, model_card};
pub use classes::{CalibrationBin, Classification, Confusion};
pub use columns::{ColumnSummary, Data, LevelShare};
pub use fairness::{Criterion, Fairness, Gap, GroupMeasures, Measure};
pub use groups::{MAX_GROUPS, MIN_GROUP_ROWS};
pub use importance::{ColumnImportance, Importance};
pub use leakage::{Alone, AloneMeasure, IDENTIFIER_SHARE, LEAK_AUC, LEAK_R2, Leakage, Warning, WarningKind, leakage};
pub use residuals::{Coverage, Quantile, ResidualGroup, Residuals, coverage};
pub use scores::{Estimate, GroupMetrics, GroupedMetrics};

/// Everything that is measured on one version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Rows that the metrics rest on.
    pub holdout_rows: usize,
    /// The task's metrics on the hold-out rows, most telling first.
    pub metrics: IndexMap<Metric, Estimate>,
    /// The same for the groups of each column.
    pub groups: Vec<GroupedMetrics>,
    /// Of a classification with hold-out rows.
    pub classification: Option<Classification>,
    /// Of a regression with hold-out rows.
    pub residuals: Option<Residuals>,
    /// What the answers rest on; none without hold-out rows.
    pub importance: Option<Importance>,
    /// How the groups of each sensitive column fare.
    pub fairness: Vec<Fairness>,
    /// Columns that say too much.
    pub leakage: Leakage,
    /// How the fit went.
    pub curves: Vec<Curve>,
    /// What the train rows look like.
    pub data: Data,
    /// What the caller knows of the run.
    pub facts: Facts,
}

/// What evidence is made from.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The fitted version.
    pub predictor: &'a Predictor,
    /// The rows that it was fitted on.
    pub train: &'a Batch,
    /// Rows that nothing was fitted on, with their targets.
    pub holdout: &'a Batch,
    /// The version's background of explanations.
    pub background: &'a Batch,
    /// How the fit went, one for each network.
    pub curves: &'a [Curve],
    /// What else is known of the run.
    pub facts: &'a Facts,
}

/// How the fit of one network went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Which network, such as `coarse 1`. It held rows out; one of its kind that serves may have learnt from all of them since.
    pub name: String,
    /// The epoch whose weights were kept, from 1.
    pub best_epoch: usize,
    /// Mean loss of each epoch's steps. Shape `[n_epochs]`.
    pub train_loss: Vec<f64>,
    /// Mean loss of the validation rows after each epoch. Shape `[n_epochs]`.
    pub validation_loss: Vec<f64>,
}

/// What only the caller knows of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The window's batches, oldest first, and the rows that each gave.
    pub batches: Vec<BatchRows>,
    /// Settings of the fit, as they are told to people.
    pub recipe: IndexMap<String, String>,
    /// The settings that were tried before the fit; none where the spec asks for no search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
    /// What was tried before this version was made, and which way won; none where there was no choice.
    pub trial: Option<Trial>,
    /// Of a binary task: the probability of the positive class from which on a row is called positive.
    pub threshold: f64,
    /// What became of the prediction intervals of the hold-out rows; none where predictions carry none.
    pub interval: Option<Coverage>,
}

impl Default for Facts {
    fn default() -> Self {
        Self { batches: Vec::new(), recipe: IndexMap::new(), search: None, trial: None, threshold: 0.5, interval: None }
    }
}

/// The rows that one batch of the window gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchRows {
    /// The batch.
    pub batch: String,
    /// Its train rows.
    pub train: usize,
    /// Its hold-out rows.
    pub holdout: usize,
}

impl Evidence {
    /// Measures a version.
    ///
    /// The cost is bounded: beyond one prediction of each hold-out row, metrics are resampled on at most 5,000 rows, columns
    /// are shuffled on at most 2,000 and explained on at most 50, and leaks are looked for on at most 20,000.
    ///
    /// # Errors
    /// [`Error::Model`] and [`Error::Shap`] where a hold-out row cannot be explained.
    pub fn of(inputs: &Inputs<'_>) -> Result<Self, Error> {
        let Inputs { predictor, train, holdout, background, curves, facts } = *inputs;
        let (spec, seed) = (predictor.spec(), predictor.spec().train.seed);
        let mut evidence = Self {
            holdout_rows: holdout.n_rows(),
            metrics: IndexMap::new(),
            groups: Vec::new(),
            classification: None,
            residuals: None,
            importance: None,
            fairness: Vec::new(),
            leakage: leakage(spec, train, seed),
            curves: curves.to_vec(),
            data: columns::data(spec, train),
            facts: facts.clone(),
        };
        let Some(target) = holdout.target().filter(|target| !target.is_empty()) else { return Ok(evidence) };
        let predictions = predictor.predict(holdout);
        evidence.metrics = scores::estimates(spec, &predictions, target, seed);
        evidence.groups = scores::by_group(spec, &predictions, holdout, target);
        evidence.fairness = fairness::fairness(spec, &predictions, holdout, target);
        match (&predictions, target) {
            (Predictions::Probabilities(probabilities), target) => {
                let classification = classes::classification(spec, probabilities, target, facts.threshold);
                evidence.classification = Some(classification);
            }
            (Predictions::Numbers(numbers), ColumnData::Numbers(truths)) => {
                evidence.residuals = residuals::residuals(numbers, truths, facts.interval);
            }
            _ => {}
        }
        evidence.importance = Some(importance::importance(predictor, holdout, background, seed)?);
        Ok(evidence)
    }

    /// The bytes of the part `evidence.json`. Equal evidence gives equal bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("evidence is finite numbers and text under text keys")
    }
}
