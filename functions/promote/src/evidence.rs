//! The measurements behind a decision, as they are answered and kept.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use spec::Metric;
use utoipa::ToSchema;

/// Everything that was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Evidence {
    /// What champion and challenger are compared by.
    #[schema(value_type = String, example = "mae_log")]
    pub metric: Metric,
    /// On the hold-out of the challenger's newest batch.
    pub new: New,
    /// On the hold-out of all other accepted batches; `null` where there are none or no champion.
    #[schema(required = true)]
    pub history: Option<History>,
    /// The spec's floors.
    pub floors: Vec<Floor>,
    /// Every metric that is defined on the new hold-out.
    pub metrics: Metrics,
}

/// The comparison on new rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct New {
    /// The challenger's newest batch.
    pub batch: String,
    /// Its hold-out rows that have a label.
    pub rows: usize,
    /// The champion's metric; `null` where there is no champion or it is not defined.
    #[schema(required = true)]
    pub champion: Option<f64>,
    /// The challenger's metric; `null` where it is not defined.
    #[schema(required = true)]
    pub challenger: Option<f64>,
    /// How much better the challenger is, in units of the metric; below zero where it is worse.
    #[schema(required = true)]
    pub improvement: Option<f64>,
    /// Bounds of the improvement, of the paired bootstrap.
    #[schema(required = true)]
    pub interval: Option<[f64; 2]>,
    /// Confidence of the interval.
    pub confidence: f64,
}

/// The comparison on rows of other batches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct History {
    /// Hold-out rows that have a label.
    pub rows: usize,
    /// Batches that they are of.
    pub batches: usize,
    /// Accepted batches whose columns are not the challenger's, which are left out.
    pub left_out: Vec<String>,
    /// The champion's metric.
    #[schema(required = true)]
    pub champion: Option<f64>,
    /// The challenger's metric.
    #[schema(required = true)]
    pub challenger: Option<f64>,
    /// By how much the loss grew, as a share of the champion's; below zero where it shrank. The loss is the metric
    /// itself, or 1 minus it where higher is better.
    #[schema(required = true)]
    pub relative_increase: Option<f64>,
    /// The largest relative increase that the spec allows; `null` where it has no such rule.
    #[schema(required = true)]
    pub allowed: Option<f64>,
}

/// One floor of the spec.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Floor {
    /// The metric.
    #[schema(value_type = String, example = "r2")]
    pub metric: Metric,
    /// Its worst allowed value.
    pub floor: f64,
    /// The challenger's value on the new hold-out; `null` where it is not defined, which fails.
    #[schema(required = true)]
    pub value: Option<f64>,
    /// Whether the floor is kept.
    pub passed: bool,
}

/// Every metric on the new hold-out, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Metrics {
    /// The champion's; empty where there is none.
    #[schema(value_type = std::collections::HashMap<String, f64>)]
    pub champion: IndexMap<Metric, f64>,
    /// The challenger's.
    #[schema(value_type = std::collections::HashMap<String, f64>)]
    pub challenger: IndexMap<Metric, f64>,
}
