//! The hold-out, drift, training and promotion.

use std::fmt;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Metric, Search};

/// Which rows are hold-out, for ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// By a hash of the row's values, or by time.
    #[serde(default)]
    pub by: SplitBy,
    /// Columns that are hashed, so that duplicates fall on one side. Default: all raw columns and the target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Salt of the hash. Default: the model's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// Share of rows that are hold-out, between 0 and 1, both excluded.
    #[serde(default = "default_fraction")]
    pub fraction: f64,
}

impl Default for Split {
    fn default() -> Self {
        Split { by: SplitBy::Hash, columns: Vec::new(), salt: None, fraction: default_fraction() }
    }
}

/// How hold-out rows are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SplitBy {
    /// By a hash of canonical values and the salt.
    #[default]
    Hash,
    /// The last fraction of every batch in order of `time`.
    Time,
}

/// When a batch has drifted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// How large an effect counts.
    #[serde(default)]
    pub preset: DriftPreset,
    /// Fewest rows on which a batch is judged; below, it is quarantined.
    #[serde(default = "default_min_rows")]
    pub min_rows: u64,
    /// Overrides for single columns.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub columns: IndexMap<String, DriftColumn>,
}

impl Default for Drift {
    fn default() -> Self {
        Drift { preset: DriftPreset::Default, min_rows: default_min_rows(), columns: IndexMap::new() }
    }
}

/// How large an effect counts as drift.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DriftPreset {
    /// Half the default effect.
    Strict,
    /// A tenth of a standard deviation, or a Jensen-Shannon distance of 0.1.
    #[default]
    Default,
    /// Twice the default effect.
    Tolerant,
}

/// Drift of one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DriftColumn {
    /// Smallest effect that counts, in the column's effect measure.
    pub effect: f64,
}

/// How challengers are fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// Which accepted batches a challenger learns from.
    #[serde(default)]
    pub window: Window,
    /// Ways of making a challenger: each is tried on the newest batch, and the best is made. A single one is not tried.
    #[serde(default = "default_remedies")]
    #[schemars(length(min = 1))]
    pub remedies: Vec<RemedyKind>,
    /// Seed of everything random in a fit.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Longest time for one attempt at a fit, in seconds. A fit over it fails; it is never cut short into another result.
    #[serde(default = "default_budget_s")]
    pub budget_s: u64,
    /// What champion and challenger are compared by. Default: `log_loss` for classes, `rmse` for numbers, and
    /// `mae_log` for numbers learnt as logarithms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<Metric>,
    /// Kinds of networks that are averaged, each as much as the rows say, and of as many kinds as serve fast enough.
    #[serde(default = "default_kinds")]
    #[schemars(length(min = 1))]
    pub kinds: Vec<MemberKind>,
    /// Networks of each kind; each holds out another fifth of the rows at first. Fewer may serve, so that all kinds can.
    #[serde(default = "default_members")]
    #[schemars(range(min = 1, max = 64))]
    pub members: usize,
    /// Width of each of the two hidden layers; trees ask twice as many questions.
    #[serde(default = "default_hidden")]
    #[schemars(range(min = 1, max = 4096))]
    pub hidden: usize,
    /// Most bins of a number's fine curve; fewer where there are many numbers.
    #[serde(default = "default_bins")]
    #[schemars(range(min = 1, max = 1024))]
    pub bins: usize,
    /// Whether the networks that serve learn from all rows, after others have held some out to say how; up to 20,000 rows. It
    /// costs about as much again.
    #[serde(default = "default_refit")]
    pub refit: bool,
    /// Share of what those networks learn of a row that is not its own target but what the ones that held it out say of it;
    /// from 0, below 1. More helps where targets are noisy, and harms where they are not. Default: 0.3 of two classes, else 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distillation: Option<f64>,
    /// Times that a member sees its rows. Default: as many as the number of rows asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10000))]
    pub epochs: Option<usize>,
    /// Rows per step. Default: more for more rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65536))]
    pub batch_rows: Option<usize>,
    /// Highest learning rate of the schedule, above 0.
    #[serde(default = "default_learning_rate")]
    pub learning_rate: f64,
    /// Decoupled weight decay per step, in units of the learning rate; 0 and up. Default: by kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// Share of hidden values that are dropped in each step; from 0, below 1. Default: by kind and task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f64>,
    /// Share of a class's certainty that is spread over all classes while learning; from 0, below 1. Default: by kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_smoothing: Option<f64>,
    /// A number column of the source, from 0, that is no input and says how much each row counts in a fit: a row of weight
    /// 2 teaches as much as two of weight 1, one of weight 0 nothing. Metrics count each row once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<String>,
    /// How much more the rows of some classes count while networks learn. Probabilities stay those of the data: what the
    /// weights add to a class is taken back after the fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_weight: Option<ClassWeight>,
    /// A search for better settings before each fit, over those that are left out above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
}

/// How much more the rows of some classes count while networks learn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ClassWeight {
    /// So much that all classes count alike: `n / (n_classes n_class)`.
    Balanced(Balanced),
    /// So much for these classes, above 0; 1 for those that are left out.
    Of(IndexMap<String, f64>),
}

/// The word `balanced`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Balanced {
    /// The word itself.
    Balanced,
}

/// A kind of network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemberKind {
    /// Two hidden layers over curves of at most 16 bins.
    Coarse,
    /// The same with a price on each feature that is used, which shuts out those of no use.
    Sparse,
    /// Two hidden layers over those and over curves of up to `bins` bins.
    Fine,
    /// Soft oblivious trees over curves of at most 16 bins.
    Trees,
    /// The same over those and over curves of up to `bins` bins.
    FineTrees,
    /// Deeper soft oblivious trees over curves of at most 16 bins, each of whose questions asks a few features alone.
    NarrowTrees,
}

impl fmt::Display for MemberKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MemberKind::Coarse => "coarse",
            MemberKind::Sparse => "sparse",
            MemberKind::Fine => "fine",
            MemberKind::Trees => "trees",
            MemberKind::FineTrees => "fine_trees",
            MemberKind::NarrowTrees => "narrow_trees",
        })
    }
}

impl Default for Train {
    fn default() -> Self {
        Train {
            window: Window::Auto,
            remedies: default_remedies(),
            seed: default_seed(),
            budget_s: default_budget_s(),
            metric: None,
            kinds: default_kinds(),
            members: default_members(),
            hidden: default_hidden(),
            bins: default_bins(),
            refit: default_refit(),
            distillation: None,
            epochs: None,
            batch_rows: None,
            learning_rate: default_learning_rate(),
            weight_decay: None,
            dropout: None,
            label_smoothing: None,
            weight: None,
            class_weight: None,
            search: None,
        }
    }
}

/// A way of making a challenger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RemedyKind {
    /// The standing version with a calibration fitted on the newest batch; of classes only.
    Recalibrate,
    /// A fit on the whole window, all rows alike.
    All,
    /// A fit on the whole window in which the newest batches count as much as all others together.
    Weighted,
    /// A fit on the newest batches alone.
    Recent,
}

/// Which accepted batches a challenger learns from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Window {
    /// All accepted batches up to and with the named one.
    #[default]
    Auto,
    /// The same, by name.
    All,
    /// The named batch alone.
    Batch,
}

/// When a challenger becomes the production version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Promote {
    /// Worst value of a metric on the newest hold-out that a production version may have: a least value where higher is
    /// better, a greatest value where lower is better.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub floors: IndexMap<Metric, f64>,
    /// Largest relative increase of the metric's loss (of 1 - AUC for AUC) on the hold-out of history; `off`: no such rule.
    #[serde(default)]
    pub max_history_regression: Regression,
    /// Smallest relative decrease of the metric's loss on the newest hold-out that is worth a promotion; 0: any.
    #[serde(default = "default_min_gain")]
    #[schemars(range(min = 0.0))]
    pub min_gain: f64,
    /// Confidence of the interval that must exclude a loss on the newest hold-out.
    #[serde(default = "default_confidence")]
    pub confidence: f64,
}

impl Default for Promote {
    fn default() -> Self {
        Promote {
            floors: IndexMap::new(),
            max_history_regression: Regression::default(),
            min_gain: default_min_gain(),
            confidence: default_confidence(),
        }
    }
}

/// A relative increase that is allowed, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Regression {
    /// At most this relative increase, such as 0.10.
    AtMost(f64),
    /// No such rule.
    Off(Off),
}

impl Default for Regression {
    fn default() -> Self {
        Regression::AtMost(0.10)
    }
}

impl Regression {
    /// The allowed relative increase; none where the rule is off.
    pub fn limit(self) -> Option<f64> {
        match self {
            Regression::AtMost(limit) => Some(limit),
            Regression::Off(_) => None,
        }
    }
}

/// The word `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Off {
    /// The word itself.
    Off,
}

fn default_fraction() -> f64 {
    0.2
}

fn default_min_rows() -> u64 {
    500
}

fn default_seed() -> u64 {
    7
}

fn default_budget_s() -> u64 {
    600
}

fn default_kinds() -> Vec<MemberKind> {
    vec![
        MemberKind::Coarse,
        MemberKind::Sparse,
        MemberKind::Fine,
        MemberKind::Trees,
        MemberKind::FineTrees,
        MemberKind::NarrowTrees,
    ]
}

fn default_remedies() -> Vec<RemedyKind> {
    vec![RemedyKind::Recalibrate, RemedyKind::All, RemedyKind::Weighted, RemedyKind::Recent]
}

fn default_members() -> usize {
    5
}

fn default_hidden() -> usize {
    128
}

fn default_bins() -> usize {
    256
}

fn default_refit() -> bool {
    true
}

fn default_learning_rate() -> f64 {
    2e-2
}

fn default_min_gain() -> f64 {
    0.01
}

fn default_confidence() -> f64 {
    0.95
}
