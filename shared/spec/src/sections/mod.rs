//! The sections of a spec as they are written, in the order in which a reader meets them.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::derive::Derive;

mod columns;
mod learning;
mod metric;
mod scalar;
mod search;
mod serve;
mod source;

pub use columns::*;
pub use learning::*;
pub use metric::*;
pub use search::*;
pub use serve::*;
pub use source::*;

use scalar::{Scalar, level, levels};

/// Everything a spec file says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Ebb model spec")]
pub struct Sections {
    /// The model's address everywhere: lower-case letters, digits and dashes.
    pub name: String,
    /// What the model is for and what it is not for, for people: the intended use that its card states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
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
    #[serde(default, skip_serializing_if = "Transform::is_auto")]
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
    /// As it is and, where every target is above zero, by its logarithm too: what the rows say counts.
    #[default]
    Auto,
    /// As it is.
    None,
    /// Its natural logarithm; every target must be above zero.
    Log,
}

impl Transform {
    fn is_auto(&self) -> bool {
        *self == Transform::Auto
    }
}
