//! Predictions and explanations.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How predictions and explanations are answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Serve {
    /// Labels for ranges of the answer: of the probability of the positive class, or of the predicted number. In rising
    /// order; the last has no `below`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bands: Vec<Band>,
    /// Share of rows whose number a regression's prediction interval should hold, between 0 and 1.
    #[serde(default = "default_interval")]
    pub interval: f64,
    /// Which class a row is called. Of a binary task: from which probability of the positive class on it is called positive;
    /// default 0.5. Of several classes: the most likely one, or `f1` for what makes macro F1 best.
    #[serde(default, skip_serializing_if = "Threshold::is_default")]
    pub threshold: Threshold,
    /// How explanations are computed.
    #[serde(default)]
    pub explain: Explain,
    /// What is kept of the predictions that were answered.
    #[serde(default)]
    pub log: PredictionLog,
}

impl Default for Serve {
    fn default() -> Self {
        Serve {
            bands: Vec::new(),
            interval: default_interval(),
            threshold: Threshold::default(),
            explain: Explain::default(),
            log: PredictionLog::default(),
        }
    }
}

/// A label for a range of the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// Upper end of the range, excluded. Absent: no upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below: Option<f64>,
    /// The label.
    pub label: String,
}

/// From which probability of the positive class on a row is called positive: a number, or how to find it on rows that the
/// model was not fitted on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, deny_unknown_fields)]
pub enum Threshold {
    /// This probability, between 0 and 1, both excluded.
    At(f64),
    /// The probability at which a score is largest; of several classes, the weights of their probabilities.
    Best(ThresholdScore),
    /// The probability at which wrong answers cost least.
    Costs {
        /// What each kind of wrong answer costs.
        costs: Costs,
    },
}

impl Default for Threshold {
    fn default() -> Self {
        Threshold::At(0.5)
    }
}

impl Threshold {
    /// Whether it is the one that a spec has which names none: 0.5.
    pub fn is_default(&self) -> bool {
        *self == Threshold::default()
    }
}

/// A score that a threshold can be chosen by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ThresholdScore {
    /// Harmonic mean of precision and recall: of the positive class, or the mean over several classes.
    F1,
}

/// What wrong answers cost, in any unit that is the same for both; only their ratio matters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Costs {
    /// Calling a row positive that is not.
    pub false_positive: f64,
    /// Not calling a row positive that is.
    pub false_negative: f64,
}

/// How explanations are computed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Explain {
    /// Rows of the background sample that is stored with a version.
    #[serde(default = "default_background")]
    #[schemars(range(min = 1, max = 10000))]
    pub background: usize,
    /// Units of the values. Default: `probability` for classes, `target` for numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<Space>,
    /// Milliseconds that a request may take at most; what is known by then is answered, with its error. Default: 10000.
    #[serde(default = "default_deadline_ms", skip_serializing_if = "is_default_deadline")]
    #[schemars(range(min = 1, max = 600_000))]
    pub deadline_ms: u64,
}

impl Default for Explain {
    fn default() -> Self {
        Explain { background: default_background(), space: None, deadline_ms: default_deadline_ms() }
    }
}

/// Units of Shapley values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Space {
    /// Probability of a class.
    Probability,
    /// Log-odds of the positive class, or the logarithm of a class's probability for several classes.
    Logit,
    /// Units of a regression target.
    Target,
}

/// What is kept of the predictions that were answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PredictionLog {
    /// Whether predictions are kept at all.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Whether the inputs are kept with them.
    #[serde(default = "yes")]
    pub inputs: bool,
    /// Days for which they are kept.
    #[serde(default = "default_retention_days")]
    pub retention_days: u32,
}

impl Default for PredictionLog {
    fn default() -> Self {
        PredictionLog { enabled: true, inputs: true, retention_days: default_retention_days() }
    }
}

fn yes() -> bool {
    true
}

fn default_interval() -> f64 {
    0.9
}

fn default_background() -> usize {
    100
}

fn default_deadline_ms() -> u64 {
    10_000
}

fn is_default_deadline(deadline_ms: &u64) -> bool {
    *deadline_ms == default_deadline_ms()
}

fn default_retention_days() -> u32 {
    30
}
