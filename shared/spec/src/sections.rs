//! The sections of a spec as they are written, in the order in which a reader meets them.

use std::fmt;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::derive::Derive;

/// Everything a spec file says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Ebb model spec")]
pub struct Sections {
    /// The model's address everywhere: lower-case letters, digits and dashes.
    pub name: String,
    /// What is predicted.
    pub task: Task,
    /// The column that is predicted.
    pub target: Target,
    /// A column that puts the rows in order of time: a number, or an ISO 8601 date or date-time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// Where batches come from. Absent when batches are only posted by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The raw input columns, by name, in the order of the form and of Shapley values.
    pub columns: IndexMap<String, Column>,
    /// Computed columns, by name. They are inputs of the network; the raw columns stay the players of Shapley values.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub derive: IndexMap<String, Derive>,
    /// Columns of the source that the model must not see, such as identifiers and leaks.
    #[serde(default, skip_serializing_if = "Drop::is_empty")]
    pub drop: Drop,
    /// Rules for rows. A row that breaks one goes to quarantine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// Which rows are hold-out, for ever.
    #[serde(default)]
    pub split: Split,
    /// When a batch has drifted.
    #[serde(default)]
    pub drift: Drift,
    /// How challengers are fitted.
    #[serde(default)]
    pub train: Train,
    /// When a challenger becomes the production version.
    #[serde(default)]
    pub promote: Promote,
    /// How predictions and explanations are answered.
    #[serde(default)]
    pub serve: Serve,
}

/// What is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// One of two classes, with the probability of the positive one.
    Binary,
    /// One of several classes, with the probability of each.
    Multiclass,
    /// A number.
    Regression,
}

/// The column that is predicted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Its name, after `source.rename`.
    pub column: String,
    /// Unit of a regression target, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The scale on which a regression target is learnt.
    #[serde(default, skip_serializing_if = "Transform::is_none")]
    pub transform: Transform,
    /// The classes, in order. Text, numbers and booleans are all read as text.
    #[serde(default, deserialize_with = "levels", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Scalar>")]
    pub classes: Vec<String>,
    /// The class of a binary task whose probability is answered. Default: the second of `classes`.
    #[serde(default, deserialize_with = "level", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Scalar>")]
    pub positive: Option<String>,
}

/// The scale on which a regression target is learnt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Transform {
    /// As it is.
    #[default]
    None,
    /// Its natural logarithm; every target must be above zero.
    Log,
}

impl Transform {
    fn is_none(&self) -> bool {
        *self == Transform::None
    }
}

/// Where batches come from: exactly one of `http` and `files`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// An HTTP endpoint that answers the next batch on every read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpSource>,
    /// A folder whose files are batches, in order of their names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<FilesSource>,
    /// The source's name of a column: our name.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub rename: IndexMap<String, String>,
}

/// An HTTP endpoint that answers the next batch on every read, as JSON with `batch_number` and `data`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpSource {
    /// Address of the next batch.
    pub url: String,
    /// Address, relative to `url`, that starts the sequence again. With it a lost batch can be healed by replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<String>,
    /// How the source says that no batch is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exhausted: Option<Exhausted>,
    /// Longest time for one read, in seconds.
    #[serde(default = "default_source_timeout_s")]
    #[schemars(range(min = 1))]
    pub timeout_s: u64,
}

/// How a source says that no batch is left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exhausted {
    /// The HTTP status it answers then.
    pub status: u16,
    /// A regular expression that the body matches then. Absent: the status alone decides.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
}

/// A folder whose files are batches, in order of their names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilesSource {
    /// Folder: a path, `file://` or `s3://`.
    pub url: String,
    /// What the files hold.
    pub format: Format,
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Comma-separated values with a header.
    Csv,
    /// Apache Parquet.
    Parquet,
    /// A JSON array of objects, or an object with `data` and `batch_number`.
    Json,
}

/// One raw input column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// What its cells are.
    pub kind: Kind,
    /// Unit, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// What it means, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Smallest and largest value of a number, both allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<(f64, f64)>,
    /// Whether a cell may be missing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nullable: bool,
    /// The levels of a category, when no other is right.
    #[serde(default, deserialize_with = "levels", skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Scalar>")]
    pub allowed: Vec<String>,
    /// Levels of a category that get a place of their own in the network; rarer ones share one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_levels: Option<usize>,
    /// Whether fairness is reported for its groups.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sensitive: bool,
}

/// What the cells of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A finite number.
    Number,
    /// One of a set of levels.
    Category,
    /// False or true, also written 0 and 1.
    Boolean,
    /// An ISO 8601 date or date-time. It enters the network through derived columns only.
    Time,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Number => "number",
            Kind::Category => "category",
            Kind::Boolean => "boolean",
            Kind::Time => "time",
        })
    }
}

/// Columns of the source that the model must not see: a list of names, or names with the reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Drop {
    /// Names alone.
    Names(Vec<String>),
    /// Name: reason.
    Reasons(IndexMap<String, String>),
}

impl Default for Drop {
    fn default() -> Self {
        Drop::Names(Vec::new())
    }
}

impl Drop {
    /// The names, in order.
    pub fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            Drop::Names(names) => Box::new(names.iter().map(String::as_str)),
            Drop::Reasons(reasons) => Box::new(reasons.keys().map(String::as_str)),
        }
    }

    fn is_empty(&self) -> bool {
        self.names().next().is_none()
    }
}

/// A rule for rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// A raw number column or the regression target.
    pub column: String,
    /// Smallest and largest value, both allowed. A missing cell breaks no rule.
    pub between: (f64, f64),
}

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
    /// Seed of everything random in a fit.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Longest time for one fit, in seconds. A fit over it fails; it is never cut short into another result.
    #[serde(default = "default_budget_s")]
    pub budget_s: u64,
    /// What champion and challenger are compared by. Default: `log_loss` for classes, `rmse` for numbers, and
    /// `mae_log` for numbers learnt as logarithms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<Metric>,
    /// Networks that are averaged.
    #[serde(default = "default_members")]
    #[schemars(range(min = 1, max = 64))]
    pub members: usize,
    /// Width of each of the two hidden layers.
    #[serde(default = "default_hidden")]
    #[schemars(range(min = 1, max = 4096))]
    pub hidden: usize,
}

impl Default for Train {
    fn default() -> Self {
        Train {
            window: Window::Auto,
            seed: default_seed(),
            budget_s: default_budget_s(),
            metric: None,
            members: default_members(),
            hidden: default_hidden(),
        }
    }
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

/// A measure of quality.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Mean negative log-likelihood of the true class, in nats.
    LogLoss,
    /// Area under the ROC curve of a binary task.
    Auc,
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
            Metric::Accuracy => "accuracy",
            Metric::F1 => "f1",
            Metric::MacroF1 => "macro_f1",
            Metric::Rmse => "rmse",
            Metric::Mae => "mae",
            Metric::MaeLog => "mae_log",
            Metric::R2 => "r2",
        }
    }

    /// Whether a larger value is a better one.
    pub fn higher_is_better(self) -> bool {
        matches!(self, Metric::Auc | Metric::Accuracy | Metric::F1 | Metric::MacroF1 | Metric::R2)
    }

    /// Whether the task has it.
    pub fn fits(self, task: Task) -> bool {
        match self {
            Metric::LogLoss | Metric::Accuracy => task != Task::Regression,
            Metric::Auc | Metric::F1 => task == Task::Binary,
            Metric::MacroF1 => task == Task::Multiclass,
            Metric::Rmse | Metric::Mae | Metric::MaeLog | Metric::R2 => task == Task::Regression,
        }
    }

    /// All metrics that a task has, the most telling first.
    pub fn of(task: Task) -> Vec<Metric> {
        const ALL: [Metric; 9] = [
            Metric::LogLoss,
            Metric::Auc,
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
    /// Confidence of the interval that must exclude a loss on the newest hold-out.
    #[serde(default = "default_confidence")]
    pub confidence: f64,
}

impl Default for Promote {
    fn default() -> Self {
        Promote {
            floors: IndexMap::new(),
            max_history_regression: Regression::default(),
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

/// How predictions and explanations are answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Serve {
    /// Labels for ranges of the answer: of the probability of the positive class, or of the predicted number. In rising
    /// order; the last has no `below`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bands: Vec<Band>,
    /// How explanations are computed.
    #[serde(default)]
    pub explain: Explain,
    /// What is kept of the predictions that were answered.
    #[serde(default)]
    pub log: PredictionLog,
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
}

impl Default for Explain {
    fn default() -> Self {
        Explain { background: default_background(), space: None }
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

/// A scalar that is read as text.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "the variants' content is read through the JSON value")]
enum Scalar {
    Text(String),
    Number(f64),
    Boolean(bool),
}

fn level_text(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Bool(value) => Some(value.to_string()),
        serde_json::Value::Number(number) => number
            .as_i64()
            .map(|number| number.to_string())
            .or_else(|| number.as_f64().map(crate::value::canonical_number)),
        _ => None,
    }
}

fn levels<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let values = Vec::<serde_json::Value>::deserialize(deserializer)?;
    values
        .iter()
        .map(|value| {
            level_text(value)
                .ok_or_else(|| serde::de::Error::custom(format!("`{value}` is not text, a number or a boolean")))
        })
        .collect()
}

fn level<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    level_text(&value)
        .map(Some)
        .ok_or_else(|| serde::de::Error::custom(format!("`{value}` is not text, a number or a boolean")))
}

fn yes() -> bool {
    true
}
fn default_source_timeout_s() -> u64 {
    300
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
fn default_members() -> usize {
    2
}
fn default_hidden() -> usize {
    128
}
fn default_confidence() -> f64 {
    0.95
}
fn default_background() -> usize {
    100
}
fn default_retention_days() -> u32 {
    30
}
