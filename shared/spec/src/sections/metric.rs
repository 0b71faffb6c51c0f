//! Measures of quality.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Task;

/// A measure of quality.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Mean negative log-likelihood of the true class, in nats.
    LogLoss,
    /// Area under the ROC curve of a binary task.
    Auc,
    /// Average precision of a binary task: the area under its precision-recall curve.
    PrAuc,
    /// Mean squared error of the probabilities.
    Brier,
    /// Expected calibration error: how far probabilities are from shares, over 10 bins.
    Ece,
    /// Share of rows whose most likely class is right.
    Accuracy,
    /// Harmonic mean of precision and recall of the positive class at 0.5.
    F1,
    /// Unweighted mean of the classes' F1.
    MacroF1,
    /// Root of the mean squared error, in target units.
    Rmse,
    /// Mean absolute error, in target units.
    Mae,
    /// Mean absolute error of the natural logarithm.
    MaeLog,
    /// Share of the target's variance that is explained.
    R2,
}

impl Metric {
    /// Its name in specs, answers and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Metric::LogLoss => "log_loss",
            Metric::Auc => "auc",
            Metric::PrAuc => "pr_auc",
            Metric::Brier => "brier",
            Metric::Ece => "ece",
            Metric::Accuracy => "accuracy",
            Metric::F1 => "f1",
            Metric::MacroF1 => "macro_f1",
            Metric::Rmse => "rmse",
            Metric::Mae => "mae",
            Metric::MaeLog => "mae_log",
            Metric::R2 => "r2",
        }
    }

    /// Its name as people write it.
    pub fn label(self) -> &'static str {
        match self {
            Metric::LogLoss => "log loss",
            Metric::Auc => "AUC",
            Metric::PrAuc => "average precision",
            Metric::Brier => "Brier score",
            Metric::Ece => "calibration error",
            Metric::Accuracy => "accuracy",
            Metric::F1 => "F1",
            Metric::MacroF1 => "macro F1",
            Metric::Rmse => "RMSE",
            Metric::Mae => "MAE",
            Metric::MaeLog => "MAE of the log",
            Metric::R2 => "R²",
        }
    }

    /// Whether a larger value is a better one.
    pub fn higher_is_better(self) -> bool {
        matches!(self, Metric::Auc | Metric::PrAuc | Metric::Accuracy | Metric::F1 | Metric::MacroF1 | Metric::R2)
    }

    /// What grows where a model gets worse: the value itself, or 1 minus it where higher is better.
    pub fn loss(self, value: f64) -> f64 {
        if self.higher_is_better() { 1.0 - value } else { value }
    }

    /// The increase of the loss from one value to another as a share of the former; without bound where that is zero and the
    /// other is not.
    ///
    /// ```
    /// use spec::Metric;
    /// assert_eq!(Metric::Rmse.relative_increase(2.0, 3.0), 0.5);
    /// assert_eq!(Metric::Auc.relative_increase(0.75, 0.5), 1.0);
    /// assert_eq!(Metric::Rmse.relative_increase(0.0, 0.0), 0.0);
    /// ```
    pub fn relative_increase(self, from: f64, to: f64) -> f64 {
        let (from, to) = (self.loss(from), self.loss(to));
        if from == to { 0.0 } else { (to - from) / from }
    }

    /// Whether champion and challenger may be compared by it.
    ///
    /// `r2` orders versions as `rmse` does, in units that say less about a difference. `ece` is no score of its own: a model
    /// that answers every row with the base rate has an `ece` of nearly 0, and it is of no use.
    pub fn compares_versions(self) -> bool {
        !matches!(self, Metric::R2 | Metric::Ece)
    }

    /// Whether the task has it.
    pub fn fits(self, task: Task) -> bool {
        match self {
            Metric::LogLoss | Metric::Brier | Metric::Ece | Metric::Accuracy => task != Task::Regression,
            Metric::Auc | Metric::PrAuc | Metric::F1 => task == Task::Binary,
            Metric::MacroF1 => task == Task::Multiclass,
            Metric::Rmse | Metric::Mae | Metric::MaeLog | Metric::R2 => task == Task::Regression,
        }
    }

    /// All metrics that a task has, the most telling first.
    pub fn of(task: Task) -> Vec<Metric> {
        const ALL: [Metric; 12] = [
            Metric::LogLoss,
            Metric::Auc,
            Metric::PrAuc,
            Metric::Brier,
            Metric::Ece,
            Metric::Accuracy,
            Metric::F1,
            Metric::MacroF1,
            Metric::Rmse,
            Metric::Mae,
            Metric::MaeLog,
            Metric::R2,
        ];
        ALL.into_iter().filter(|metric| metric.fits(task)).collect()
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
