//! What a caller gets: Shapley values by column, in the words of the spec.

use std::time::{Duration, Instant};

use indexmap::IndexMap;
use model::Predictions;
use ndarray::{Array3, ArrayView1, Axis};
use serde::Serialize;
use shap::{Explanation, Method};
use spec::{Space, Spec, Task};
use utoipa::ToSchema;

/// The explanations of one request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExplainedAll)]
pub(crate) struct Answer {
    /// Name of the model.
    pub(crate) model: String,
    /// Id of the version that was explained.
    pub(crate) version: String,
    /// One for each record, in order.
    pub(crate) explanations: Vec<Explained>,
}

/// The explanation of one record: of one output, or of each class.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Explained {
    /// Of the only output or the class asked for.
    #[serde(flatten)]
    #[schema(inline)]
    pub(crate) one: Option<Output>,
    /// Multiclass without `class`: of each class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) classes: Option<IndexMap<String, Output>>,
    /// `exact` or `sampled`.
    #[schema(value_type = String, example = "exact")]
    pub(crate) method: Method,
    /// Rows, mixed of the record and a background row, at which the model was evaluated.
    evaluations: u64,
}

/// What the columns add to one output. The base value and the values sum to the prediction.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExplainedOutput)]
pub(crate) struct Output {
    /// Mean answer over the background rows.
    pub(crate) base_value: f64,
    /// Shapley value of each raw column.
    pub(crate) values: IndexMap<String, f64>,
    /// What `/predict` answers for the record, in the units of the explanation.
    prediction: f64,
    /// Sampled: standard error of each value; absent when a deadline left too little to tell it by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) standard_error: Option<IndexMap<String, f64>>,
    /// On request: what each pair of columns adds together, half in the row of either; on the diagonal what a column adds
    /// alone. A column's row sums to its value. Absent when the deadline does not allow for exact ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    interactions: Option<IndexMap<String, IndexMap<String, f64>>>,
}

/// What is explained of a model's answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// The units.
    pub(crate) space: Space,
    /// Index of the class asked for.
    pub(crate) class: Option<usize>,
    /// Whether pairs of columns are explained, too.
    pub(crate) interactions: bool,
    /// Where values are sampled: when to stop.
    pub(crate) standard_error: Option<f64>,
    /// When the request came.
    pub(crate) started: Instant,
    /// How long it may take.
    pub(crate) deadline: Duration,
}

impl Explained {
    /// Puts an explanation into words, with the pairs `[n_players, n_players, n_outputs]`, where there are any;
    /// `predictions` are those of the record alone.
    pub(crate) fn new(
        spec: &Spec,
        asked: Asked,
        explanation: &Explanation,
        pairs: Option<&Array3<f64>>,
        predictions: &Predictions,
    ) -> Self {
        let output = |output, class| {
            let prediction = prediction(spec, asked.space, predictions, class);
            Output::new(spec, explanation, pairs, output, prediction)
        };
        let (mut one, mut classes) = (None, None);
        match (spec.task, asked.class) {
            (Task::Regression, _) => one = Some(output(0, 0)),
            (Task::Binary, class) => {
                let positive = spec.positive_index();
                let of_positive = output(0, positive);
                one = Some(match class {
                    Some(class) if class != positive => {
                        of_positive.of_the_other(asked.space, prediction(spec, asked.space, predictions, class))
                    }
                    _ => of_positive,
                });
            }
            (Task::Multiclass, Some(class)) => one = Some(output(class, class)),
            (Task::Multiclass, None) => {
                let all = spec.target.classes.iter().enumerate();
                classes = Some(all.map(|(class, label)| (label.clone(), output(class, class))).collect());
            }
        }
        Self { one, classes, method: explanation.method, evaluations: explanation.evaluations }
    }
}

impl Output {
    fn new(
        spec: &Spec,
        explanation: &Explanation,
        pairs: Option<&Array3<f64>>,
        output: usize,
        prediction: f64,
    ) -> Self {
        let by_column =
            |values: ArrayView1<'_, f64>| spec.columns.keys().cloned().zip(values.iter().copied()).collect();
        let interactions = pairs.map(|pairs| {
            let rows = pairs.index_axis(Axis(2), output);
            spec.columns.keys().cloned().zip(rows.rows().into_iter().map(by_column)).collect()
        });
        Self {
            base_value: explanation.base_value[output],
            values: by_column(explanation.values.column(output)),
            prediction,
            standard_error: explanation.standard_error.as_ref().map(|errors| by_column(errors.column(output))),
            interactions,
        }
    }

    /// The same for the other of two classes: probabilities sum to 1, log-odds to 0.
    fn of_the_other(mut self, space: Space, prediction: f64) -> Self {
        self.base_value = if space == Space::Probability { 1.0 - self.base_value } else { -self.base_value };
        // Zero stays zero: a minus sign before it would only puzzle the reader.
        let pairs = self.interactions.iter_mut().flat_map(|rows| rows.values_mut().flat_map(IndexMap::values_mut));
        self.values.values_mut().chain(pairs).for_each(|value| *value = 0.0 - *value);
        self.prediction = prediction;
        self
    }
}

/// What `/predict` answers, in the units of the explanation.
fn prediction(spec: &Spec, space: Space, predictions: &Predictions, class: usize) -> f64 {
    match predictions {
        Predictions::Numbers(numbers) => numbers[0],
        Predictions::Probabilities(rows) => {
            let probability = rows.values[[0, class]];
            match (space, spec.task) {
                (Space::Logit, Task::Binary) => (probability / (1.0 - probability)).ln(),
                (Space::Logit, _) => probability.ln(),
                _ => probability,
            }
        }
    }
}
