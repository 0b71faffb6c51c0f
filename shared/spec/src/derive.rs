//! Derived columns: a closed set of operations on raw cells.

use chrono::{DateTime, Datelike, Utc};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::batch::{Batch, Categories, ColumnData, MISSING_CODE};
use crate::record::Record;
use crate::sections::Kind;
use crate::value::{Value, canonical_number};

/// One operation. A missing input gives a missing result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Derive {
    /// First minus second.
    Difference(Operand, Operand),
    /// First over second; missing where the second is zero.
    Ratio(Operand, Operand),
    /// First times second.
    Product(Operand, Operand),
    /// Natural logarithm of one plus the column; missing at minus one and below.
    Log1p(String),
    /// The first word of a category, split at white space.
    FirstWord(String),
    /// Calendar year of a time column.
    Year(String),
    /// Month of a time column, 1 to 12.
    Month(String),
    /// Day of the week of a time column, 0 for Monday to 6 for Sunday.
    Weekday(String),
    /// Which of the ranges between rising edges a number falls in, as a category.
    Bucket(Bucket),
}

/// A column cut into ranges.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bucket {
    /// A number column.
    pub column: String,
    /// Rising edges; a value equal to an edge belongs to the range above it.
    pub edges: Vec<f64>,
}

/// A number, or the name of a number column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Operand {
    /// A constant.
    Constant(f64),
    /// A column, raw or derived further up.
    Column(String),
}

impl Derive {
    /// The kind of the result.
    pub fn kind(&self) -> Kind {
        match self {
            Derive::FirstWord(_) | Derive::Bucket(_) => Kind::Category,
            _ => Kind::Number,
        }
    }

    /// The kind that every column among the inputs must have.
    pub(crate) fn input_kind(&self) -> Kind {
        match self {
            Derive::FirstWord(_) => Kind::Category,
            Derive::Year(_) | Derive::Month(_) | Derive::Weekday(_) => Kind::Time,
            _ => Kind::Number,
        }
    }

    /// Names of the columns among the inputs.
    pub fn inputs(&self) -> Vec<&str> {
        match self {
            Derive::Difference(a, b) | Derive::Ratio(a, b) | Derive::Product(a, b) => [a, b]
                .into_iter()
                .filter_map(|operand| match operand {
                    Operand::Column(name) => Some(name.as_str()),
                    Operand::Constant(_) => None,
                })
                .collect(),
            Derive::Log1p(column)
            | Derive::FirstWord(column)
            | Derive::Year(column)
            | Derive::Month(column)
            | Derive::Weekday(column) => vec![column],
            Derive::Bucket(bucket) => vec![&bucket.column],
        }
    }
}

/// Where an input of an operation stands: among the raw columns or among the derived ones.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Input {
    Constant(f64),
    Raw(usize),
    Derived(usize),
}

/// The operations of a spec with their inputs resolved, ready to run on records and on batches.
#[derive(Clone, Debug, PartialEq)]
pub struct Derivations {
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq)]
struct Step {
    operation: Derive,
    inputs: Vec<Input>,
    sources: Vec<usize>,
}

impl Derivations {
    /// Resolves names. Every input must be a raw column or a derived one further up; `check` has made sure of it.
    pub(crate) fn resolve(derive: &IndexMap<String, Derive>, raw: &IndexMap<String, crate::Column>) -> Self {
        let mut steps: Vec<Step> = Vec::with_capacity(derive.len());
        for operation in derive.values() {
            let find = |name: &str| match raw.get_index_of(name) {
                Some(index) => Input::Raw(index),
                None => Input::Derived(derive.get_index_of(name).unwrap_or_default()),
            };
            let operand = |operand: &Operand| match operand {
                Operand::Constant(number) => Input::Constant(*number),
                Operand::Column(name) => find(name),
            };
            let inputs = match operation {
                Derive::Difference(a, b) | Derive::Ratio(a, b) | Derive::Product(a, b) => vec![operand(a), operand(b)],
                _ => operation.inputs().into_iter().map(find).collect(),
            };
            let mut sources: Vec<usize> = Vec::new();
            for input in &inputs {
                match input {
                    Input::Raw(index) => sources.push(*index),
                    Input::Derived(index) => sources.extend(&steps[*index].sources),
                    Input::Constant(_) => {}
                }
            }
            sources.sort_unstable();
            sources.dedup();
            steps.push(Step { operation: operation.clone(), inputs, sources });
        }
        Self { steps }
    }

    /// Indices of the raw columns that derived column `index` is made of, rising.
    pub fn sources(&self, index: usize) -> &[usize] {
        &self.steps[index].sources
    }

    /// Number of derived columns.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether the spec derives nothing.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The derived cells of one row, in the spec's order.
    pub fn of_record(&self, record: &Record) -> Vec<Value> {
        let mut derived: Vec<Value> = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let cells: Vec<Value> = step
                .inputs
                .iter()
                .map(|input| match input {
                    Input::Constant(number) => Value::Number(*number),
                    Input::Raw(index) => record.values()[*index].clone(),
                    Input::Derived(index) => derived[*index].clone(),
                })
                .collect();
            derived.push(step.cell(&cells));
        }
        derived
    }

    /// The derived columns of a batch, in the spec's order.
    pub fn of_batch(&self, batch: &Batch) -> Vec<ColumnData> {
        let mut derived: Vec<ColumnData> = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let column = step.column(batch, &derived);
            derived.push(column);
        }
        derived
    }
}

impl Step {
    fn cell(&self, cells: &[Value]) -> Value {
        match &self.operation {
            Derive::FirstWord(_) => match cells[0].as_level() {
                Some(level) => Value::Level(first_word(level).to_owned()),
                None => Value::Missing,
            },
            Derive::Bucket(bucket) => match cells[0].as_number() {
                Some(number) => Value::Level(bucket.label(bucket.index(number))),
                None => Value::Missing,
            },
            _ => {
                let numbers: Option<Vec<f64>> = cells.iter().map(Value::as_number).collect();
                match numbers.map(|numbers| self.number(&numbers)) {
                    Some(number) if number.is_finite() => Value::Number(number),
                    _ => Value::Missing,
                }
            }
        }
    }

    fn column(&self, batch: &Batch, derived: &[ColumnData]) -> ColumnData {
        let column = |input: &Input| match input {
            Input::Raw(index) => Some(batch.column(*index)),
            Input::Derived(index) => Some(&derived[*index]),
            Input::Constant(_) => None,
        };
        if let Derive::FirstWord(_) = self.operation
            && let Some(ColumnData::Categories(words)) = column(&self.inputs[0])
        {
            return ColumnData::Categories(words.relabel(|level| first_word(level).to_owned()));
        }
        let rows = batch.n_rows();
        let number = |input: &Input, row: usize| match (input, column(input)) {
            (Input::Constant(number), _) => *number,
            (_, Some(ColumnData::Numbers(numbers))) => numbers[row],
            _ => f64::NAN,
        };
        if let Derive::Bucket(bucket) = &self.operation {
            let levels = (0..=bucket.edges.len()).map(|index| bucket.label(index)).collect();
            let codes = (0..rows)
                .map(|row| match number(&self.inputs[0], row) {
                    value if value.is_nan() => MISSING_CODE,
                    value => bucket.index(value) as u32,
                })
                .collect();
            return ColumnData::Categories(Categories { levels, codes });
        }
        let mut cells = vec![0.0; self.inputs.len()];
        let numbers = (0..rows)
            .map(|row| {
                for (cell, input) in cells.iter_mut().zip(&self.inputs) {
                    *cell = number(input, row);
                }
                let result = self.number(&cells);
                if result.is_finite() { result } else { f64::NAN }
            })
            .collect();
        ColumnData::Numbers(numbers)
    }

    /// The number that the operation gives; not finite where the result is missing.
    fn number(&self, cells: &[f64]) -> f64 {
        let date = || DateTime::<Utc>::from_timestamp(cells[0].floor() as i64, 0).filter(|_| cells[0].is_finite());
        match self.operation {
            Derive::Difference(..) => cells[0] - cells[1],
            Derive::Ratio(..) => cells[0] / cells[1],
            Derive::Product(..) => cells[0] * cells[1],
            Derive::Log1p(_) => cells[0].ln_1p(),
            Derive::Year(_) => date().map_or(f64::NAN, |date| f64::from(date.year())),
            Derive::Month(_) => date().map_or(f64::NAN, |date| f64::from(date.month())),
            Derive::Weekday(_) => date().map_or(f64::NAN, |date| f64::from(date.weekday().num_days_from_monday())),
            Derive::FirstWord(_) | Derive::Bucket(_) => f64::NAN,
        }
    }
}

impl Bucket {
    fn index(&self, number: f64) -> usize {
        self.edges.partition_point(|edge| *edge <= number)
    }

    fn label(&self, index: usize) -> String {
        let edge = |index: usize| canonical_number(self.edges[index]);
        match index {
            0 => format!("below {}", edge(0)),
            index if index == self.edges.len() => format!("{} and above", edge(index - 1)),
            index => format!("{} to {}", edge(index - 1), edge(index)),
        }
    }
}

fn first_word(level: &str) -> &str {
    level.split_whitespace().next().unwrap_or(level)
}
