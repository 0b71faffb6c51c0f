//! What a version's answers rest on, over many rows.

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Value as Json, json};
use shap::Method;
use spec::{Record, Spec, Value};
use utoipa::ToSchema;

use crate::answer::{Answer, Output};

/// How much each column matters, and how answers depend on it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SummaryAnswer {
    /// Name of the model.
    model: String,
    /// Id of the version.
    version: String,
    /// Background rows that were explained.
    rows: usize,
    /// `exact`, or `sampled` where any of the rows was.
    #[schema(value_type = String, example = "exact")]
    method: Method,
    /// Of the only output or the class asked for.
    #[serde(flatten)]
    #[schema(inline)]
    one: Option<Summary>,
    /// Multiclass without `class`: of each class.
    #[serde(skip_serializing_if = "Option::is_none")]
    classes: Option<IndexMap<String, Summary>>,
}

/// How one output depends on the columns.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = ExplainedSummary)]
struct Summary {
    /// Mean answer over the background rows.
    base_value: f64,
    /// Mean absolute Shapley value of each raw column, over the explained rows.
    importance: IndexMap<String, f64>,
    /// For each raw column, its cell and its Shapley value in each explained row.
    dependence: IndexMap<String, Vec<Point>>,
}

/// A row's cell and what it adds to the answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExplainedPoint)]
struct Point {
    /// The raw cell: a number, text, or null where it is missing; a time is seconds since 1970-01-01 UTC.
    #[schema(value_type = Object)]
    cell: Json,
    /// Its Shapley value.
    value: f64,
}

impl SummaryAnswer {
    /// Puts the explanations of these records together; there is at least one.
    pub(crate) fn new(spec: &Spec, records: &[Record], answer: Answer) -> Self {
        let rows = answer.explanations.len();
        let is_exact = answer.explanations.iter().all(|explained| explained.method == Method::Exact);
        let (mut one, mut classes): (Option<Summary>, Option<IndexMap<String, Summary>>) = (None, None);
        for (record, explained) in records.iter().zip(&answer.explanations) {
            if let Some(output) = &explained.one {
                one.get_or_insert_default().add(spec, record, output, rows);
            }
            for (class, output) in explained.classes.iter().flatten() {
                let of_class = classes.get_or_insert_default().entry(class.clone()).or_default();
                of_class.add(spec, record, output, rows);
            }
        }
        let method = if is_exact { Method::Exact } else { Method::Sampled };
        Self { model: answer.model, version: answer.version, rows, method, one, classes }
    }
}

impl Summary {
    fn add(&mut self, spec: &Spec, record: &Record, output: &Output, rows: usize) {
        self.base_value = output.base_value;
        for (column, cell) in spec.columns.keys().zip(record.values()) {
            let value = output.values[column];
            let cell = match cell {
                Value::Missing => Json::Null,
                Value::Number(number) => json!(number),
                Value::Level(level) => json!(level),
            };
            *self.importance.entry(column.clone()).or_default() += value.abs() / rows as f64;
            self.dependence.entry(column.clone()).or_default().push(Point { cell, value });
        }
    }
}
