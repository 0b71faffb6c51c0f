//! What a comparison says about one column.

use serde::{Deserialize, Serialize};

use crate::Statistics;

/// The two-sample test of a column, by its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// Two-sample Kolmogorov-Smirnov, for numbers.
    Ks,
    /// Chi-square homogeneity with rare categories pooled, for categories.
    ChiSquare,
}

/// What the effect of a column measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectMeasure {
    /// Wasserstein-1 distance in reference standard deviations, for numbers.
    Wasserstein,
    /// Jensen-Shannon distance in base 2, for categories.
    JensenShannon,
}

/// What a column is to the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The model reads it.
    Input,
    /// The model predicts it.
    Target,
}

/// At most this many new and vanished categories are listed, largest share first.
pub const LISTED_CATEGORIES: usize = 100;

/// A category that only one side has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Category {
    /// Its name.
    pub category: String,
    /// Its share of the non-missing rows of the side that has it, in (0, 1].
    pub share: f64,
    /// Probability that none of its rows falls on the other side when both sides are one distribution.
    pub p_value: f64,
    /// Whether the share matters and chance does not explain it.
    pub drifted: bool,
}

/// Share of missing values on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MissingRate {
    /// In the reference, in [0, 1].
    pub reference: f64,
    /// In the current batch, in [0, 1].
    pub current: f64,
    /// Of the 2 x 2 chi-square test with Yates' correction.
    pub p_value: f64,
    /// Whether the change matters and chance does not explain it.
    pub drifted: bool,
}

/// Values beyond all that the reference has. They are told and decide nothing by themselves: a small shift of a column with
/// hard ends puts many rows beyond them, and the effect says whether that matters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutOfRange {
    /// The reference's smallest and largest value.
    pub range: (f64, f64),
    /// Share of the current non-missing rows below it, in [0, 1].
    pub below: f64,
    /// Share above it, in [0, 1].
    pub above: f64,
    /// Probability that so many of the smallest, or of the largest, values of both sides are all of the current side, when
    /// both are one distribution: the smaller of the two, times 2.
    pub p_value: f64,
    /// Whether the share is 1 % or more (by preset) and chance does not explain it.
    pub notable: bool,
}

/// Binned shares of both sides, for a plot. All three have the same length, and each side's shares sum to 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// A name per bin: an interval, a category, or `other`.
    pub bins: Vec<String>,
    /// Share of the reference per bin.
    pub reference: Vec<f64>,
    /// Share of the current batch per bin.
    pub current: Vec<f64>,
}

/// What the comparison says about one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnReport {
    /// The column's name.
    pub column: String,
    /// Which test.
    pub test: Test,
    /// The test's statistic: D in [0, 1], or chi-square, 0 or more.
    pub statistic: f64,
    /// The test's p-value.
    pub p_value: f64,
    /// Benjamini-Hochberg q-value over all columns compared, the target included.
    pub q_value: f64,
    /// Population stability index, 0 or more.
    pub psi: f64,
    /// How large the change is, in `effect_measure`.
    pub effect: f64,
    /// What `effect` measures.
    pub effect_measure: EffectMeasure,
    /// What `effect` must exceed to matter: the larger of the practical floor and the effect's null quantile
    /// ([`crate::NULL_LEVEL`]) at these sample sizes.
    pub threshold: f64,
    /// Whether the column has drifted, by distribution, new or vanished categories, or missing rate.
    pub drifted: bool,
    /// Why it has drifted, in plain words, most telling first; empty otherwise.
    pub reasons: Vec<String>,
    /// Input or target.
    pub role: Role,
    /// Categories that the reference lacks, largest first, at most [`LISTED_CATEGORIES`].
    pub new_categories: Vec<Category>,
    /// Categories that the batch lacks, largest first, at most [`LISTED_CATEGORIES`].
    pub vanished_categories: Vec<Category>,
    /// Values outside the reference's range; of a column of numbers that both sides have values of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out_of_range: Option<OutOfRange>,
    /// Missing values on both sides.
    pub missing_rate: MissingRate,
    /// Every statistic that was computed.
    #[serde(default)]
    pub statistics: Statistics,
    /// Binned shares of both sides.
    pub distribution: Distribution,
}

impl ColumnReport {
    /// Whether the distribution itself has moved, whatever new categories and missing values say.
    pub fn distribution_drifted(&self, alpha: f64) -> bool {
        self.q_value <= alpha && self.effect > self.threshold
    }
}
