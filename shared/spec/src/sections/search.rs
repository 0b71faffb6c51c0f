//! What a search for settings may do.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Task;

/// How long a search for settings goes on: one of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// Settings that are tried, the defaults included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub trials: Option<usize>,
    /// Seconds after which no more settings are tried. A version says how many they were: so many `trials` find the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub seconds: Option<u64>,
}

/// A setting of a fit that a search may choose where the spec does not say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// `train.kinds`.
    Kinds,
    /// `train.hidden`.
    Hidden,
    /// `train.bins`.
    Bins,
    /// `train.epochs`.
    Epochs,
    /// `train.learning_rate`.
    LearningRate,
    /// `train.weight_decay`.
    WeightDecay,
    /// `train.dropout`.
    Dropout,
    /// `train.label_smoothing`.
    LabelSmoothing,
}

impl Setting {
    /// All of them, in the order in which they are drawn.
    pub const ALL: [Setting; 8] = [
        Setting::Kinds,
        Setting::Hidden,
        Setting::Bins,
        Setting::Epochs,
        Setting::LearningRate,
        Setting::WeightDecay,
        Setting::Dropout,
        Setting::LabelSmoothing,
    ];

    /// Its key under `train`.
    pub fn name(self) -> &'static str {
        match self {
            Setting::Kinds => "kinds",
            Setting::Hidden => "hidden",
            Setting::Bins => "bins",
            Setting::Epochs => "epochs",
            Setting::LearningRate => "learning_rate",
            Setting::WeightDecay => "weight_decay",
            Setting::Dropout => "dropout",
            Setting::LabelSmoothing => "label_smoothing",
        }
    }

    /// Whether it does anything for the task.
    pub fn fits(self, task: Task) -> bool {
        self != Setting::LabelSmoothing || task != Task::Regression
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
