//! The raw columns, those that are left out, and the rules for rows.

use std::fmt;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scalar::{Scalar, levels};

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

    pub(super) fn is_empty(&self) -> bool {
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
