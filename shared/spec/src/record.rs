//! One row that is known to fit the spec, and the checks that make it so.

use fault::{FieldError, pointer_token};
use serde_json::Value as Json;

use crate::document::suggestion;
use crate::error::RecordError;
use crate::parse::Spec;
use crate::sections::{Column, Kind, Task, Transform};
use crate::value::{Value, canonical_number, parse_time};

/// One row of raw cells in the spec's order. A record that exists is valid.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    values: Vec<Value>,
    target: Option<Value>,
}

impl Record {
    pub(crate) fn from_parts(values: Vec<Value>, target: Option<Value>) -> Self {
        Self { values, target }
    }

    /// The raw cells, in the spec's order.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The target, where the row came with one.
    pub fn target(&self) -> Option<&Value> {
        self.target.as_ref()
    }
}

/// A cell as a reader found it, before it is known to fit its column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// Null, or nothing between two commas.
    Missing,
    /// A boolean.
    Boolean(bool),
    /// A number, finite or not.
    Number(f64),
    /// Text that its format calls text.
    Text(&'a str),
    /// Text of a format without types, such as CSV: it may stand for a number or a boolean.
    Untyped(&'a str),
}

impl<'a> Cell<'a> {
    /// The cell of a JSON value; none for arrays and objects.
    pub fn of_json(value: &'a Json) -> Option<Self> {
        match value {
            Json::Null => Some(Cell::Missing),
            Json::Bool(value) => Some(Cell::Boolean(*value)),
            Json::Number(number) => Some(Cell::Number(number.as_f64().unwrap_or(f64::INFINITY))),
            Json::String(text) => Some(Cell::Text(text)),
            Json::Array(_) | Json::Object(_) => None,
        }
    }

    fn describe(self) -> String {
        match self {
            Cell::Missing => "null".to_owned(),
            Cell::Boolean(value) => format!("the boolean {value}"),
            Cell::Number(number) => format!("the number {number}"),
            Cell::Text(text) | Cell::Untyped(text) => format!("the text `{}`", shortened(text)),
        }
    }
}

/// At most 60 characters of a text, so that an error does not repeat a whole body.
fn shortened(text: &str) -> String {
    if text.chars().count() <= 60 {
        return text.to_owned();
    }
    text.chars().take(57).chain("...".chars()).collect()
}

impl Column {
    /// The cell as a value of this column, or what is wrong with it and what would be right.
    pub fn accept(&self, cell: Cell<'_>) -> Result<Value, String> {
        if cell == Cell::Missing {
            return if self.nullable { Ok(Value::Missing) } else { Err("a value is needed here, not null".to_owned()) };
        }
        match self.kind {
            Kind::Number => self.in_range(number_of(cell)?).map(Value::Number),
            Kind::Category => self.known(level_of(cell)?).map(Value::Level),
            Kind::Boolean => boolean_of(cell).map(|value| Value::Level(value.to_string())),
            Kind::Time => time_of(cell).map(Value::Number),
        }
    }

    fn in_range(&self, number: f64) -> Result<f64, String> {
        match self.range {
            Some((low, high)) if number < low || number > high => {
                Err(format!("{number} is outside the range from {low} to {high}{}", self.unit_suffix()))
            }
            _ => Ok(number),
        }
    }

    fn known(&self, level: String) -> Result<String, String> {
        if self.allowed.is_empty() || self.allowed.contains(&level) {
            return Ok(level);
        }
        let hint = suggestion(&level, self.allowed.iter().map(String::as_str));
        Err(format!("`{}` is not a level of this column. {hint}", shortened(&level)))
    }

    fn unit_suffix(&self) -> String {
        self.unit.as_ref().map(|unit| format!(" {unit}")).unwrap_or_default()
    }
}

fn number_of(cell: Cell<'_>) -> Result<f64, String> {
    let number = match cell {
        Cell::Number(number) => number,
        Cell::Untyped(text) => {
            text.trim().parse().map_err(|_| format!("a number is needed here, not {}", cell.describe()))?
        }
        _ => return Err(format!("a number is needed here, not {}", cell.describe())),
    };
    if number.is_finite() { Ok(number) } else { Err(format!("a finite number is needed here, not {number}")) }
}

fn level_of(cell: Cell<'_>) -> Result<String, String> {
    match cell {
        Cell::Text(text) | Cell::Untyped(text) => Ok(text.to_owned()),
        Cell::Boolean(value) => Ok(value.to_string()),
        Cell::Number(number) if number.is_finite() => Ok(canonical_number(number)),
        _ => Err(format!("text is needed here, not {}", cell.describe())),
    }
}

fn boolean_of(cell: Cell<'_>) -> Result<bool, String> {
    match cell {
        Cell::Boolean(value) => Ok(value),
        Cell::Number(0.0) => Ok(false),
        Cell::Number(1.0) => Ok(true),
        Cell::Untyped(text) | Cell::Text(text) if ["false", "0", "0.0", "no"].contains(&&*text.to_lowercase()) => {
            Ok(false)
        }
        Cell::Untyped(text) | Cell::Text(text) if ["true", "1", "1.0", "yes"].contains(&&*text.to_lowercase()) => {
            Ok(true)
        }
        _ => Err(format!("false or true is needed here, not {}", cell.describe())),
    }
}

fn time_of(cell: Cell<'_>) -> Result<f64, String> {
    match cell {
        Cell::Text(text) | Cell::Untyped(text) => parse_time(text.trim())
            .ok_or_else(|| format!("an ISO 8601 date such as 2026-01-31 is needed here, not {}", cell.describe())),
        _ => Err(format!("an ISO 8601 date such as 2026-01-31 is needed here, not {}", cell.describe())),
    }
}

impl Spec {
    /// The target's cell as a value, or what is wrong with it and what would be right.
    pub fn accept_target(&self, cell: Cell<'_>) -> Result<Value, String> {
        if cell == Cell::Missing {
            return Err("the target needs a value, not null".to_owned());
        }
        if self.task != Task::Regression {
            let level = level_of(cell)?;
            // A CSV writes the class 1 as `1`, pandas as `1.0`: both mean the class that the spec calls 1.
            let canonical = level.parse().map(canonical_number).unwrap_or_else(|_| level.clone());
            return [level, canonical]
                .into_iter()
                .find(|level| self.target.classes.contains(level))
                .map(Value::Level)
                .ok_or_else(|| {
                    let hint = suggestion(&cell.describe(), self.target.classes.iter().map(String::as_str));
                    format!("{} is not one of the classes. {hint}", cell.describe())
                });
        }
        let number = number_of(cell)?;
        if self.target.transform == Transform::Log && number <= 0.0 {
            return Err(format!("{number} has no logarithm, and the target is learnt as one: it must be above zero"));
        }
        Ok(Value::Number(number))
    }

    /// The rules that a row breaks, as sentences.
    pub fn broken_rules(&self, values: &[Value], target: &Value) -> Vec<(String, String)> {
        self.rules
            .iter()
            .filter_map(|rule| {
                let value = match self.columns.get_index_of(&rule.column) {
                    Some(index) => &values[index],
                    None => target,
                };
                let number = value.as_number()?;
                let (low, high) = rule.between;
                (number < low || number > high)
                    .then(|| (rule.column.clone(), format!("{number} is not between {low} and {high}")))
            })
            .collect()
    }

    /// Checks one JSON row of inputs. A nullable column may be left out; every other must be there, and no more.
    ///
    /// # Errors
    /// Every wrong cell, with its JSON pointer.
    pub fn record(&self, row: &Json) -> Result<Record, RecordError> {
        let Json::Object(row) = row else {
            let detail = "a row is an object with a value for each column";
            return Err(RecordError { fields: vec![FieldError::new("", detail)] });
        };
        let mut fields = Vec::new();
        let mut values = Vec::with_capacity(self.columns.len());
        for (name, column) in &self.columns {
            let value = match row.get(name).map(Cell::of_json) {
                Some(Some(cell)) => column.accept(cell),
                Some(None) => Err("one value is needed here, not an array or an object".to_owned()),
                None if column.nullable => Ok(Value::Missing),
                None => Err(format!("this {} column is missing", column.kind)),
            };
            match value {
                Ok(value) => values.push(value),
                Err(detail) => fields.push(FieldError::new(format!("/{}", pointer_token(name)), detail)),
            }
        }
        for name in row.keys().filter(|name| !self.columns.contains_key(*name)) {
            fields.push(FieldError::new(format!("/{}", pointer_token(name)), self.why_not_a_column(name)));
        }
        if fields.is_empty() { Ok(Record::from_parts(values, None)) } else { Err(RecordError { fields }) }
    }

    /// Why a name is not one of a raw input column.
    fn why_not_a_column(&self, name: &str) -> String {
        if name == self.target.column {
            return "this is the target: leave it out".to_owned();
        }
        if self.train.weight.as_deref() == Some(name) {
            return "this is the weight of rows that are learnt from: leave it out".to_owned();
        }
        if self.drop.names().any(|dropped| dropped == name) {
            return "the spec drops this column: leave it out".to_owned();
        }
        if self.derive.contains_key(name) {
            return "this column is computed from others: leave it out".to_owned();
        }
        format!("unknown column. {}", suggestion(name, self.columns.keys().map(String::as_str)))
    }
}
