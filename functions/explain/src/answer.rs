//! What a caller gets: Shapley values by column, in the words of the spec.

use indexmap::IndexMap;
use model::Predictions;
use ndarray::ArrayView1;
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
    one: Option<Output>,
    /// Multiclass without `class`: of each class.
    #[serde(skip_serializing_if = "Option::is_none")]
    classes: Option<IndexMap<String, Output>>,
    /// `exact` or `sampled`.
    #[schema(value_type = String, example = "exact")]
    method: Method,
    /// Coalitions whose value was computed.
    evaluations: u64,
}

/// What the columns add to one output. The base value and the values sum to the prediction.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExplainedOutput)]
pub(crate) struct Output {
    /// Mean answer over the background rows.
    base_value: f64,
    /// Shapley value of each raw column.
    values: IndexMap<String, f64>,
    /// What `/predict` answers for the record, in the units of the explanation.
    prediction: f64,
    /// Sampled: standard error of each value; absent when the deadline left a single pair of permutations.
    #[serde(skip_serializing_if = "Option::is_none")]
    standard_error: Option<IndexMap<String, f64>>,
}

/// What is explained of a model's answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    /// The units.
    pub(crate) space: Space,
    /// Index of the class asked for.
    pub(crate) class: Option<usize>,
}

impl Explained {
    /// Puts an explanation into words; `predictions` are those of the record alone.
    pub(crate) fn new(spec: &Spec, asked: Asked, explanation: &Explanation, predictions: &Predictions) -> Self {
        let output = |output, class| {
            Output::new(spec, asked.space, explanation, output, prediction(spec, asked.space, predictions, class))
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
    fn new(spec: &Spec, space: Space, explanation: &Explanation, output: usize, prediction: f64) -> Self {
        debug_assert!(explanation.base_value.len() > output, "one output per class, in {space:?} units");
        let by_column =
            |values: ArrayView1<'_, f64>| spec.columns.keys().cloned().zip(values.iter().copied()).collect();
        Self {
            base_value: explanation.base_value[output],
            values: by_column(explanation.values.column(output)),
            prediction,
            standard_error: explanation.standard_error.as_ref().map(|errors| by_column(errors.column(output))),
        }
    }

    /// The same for the other of two classes: probabilities sum to 1, log-odds to 0.
    fn of_the_other(mut self, space: Space, prediction: f64) -> Self {
        self.base_value = if space == Space::Probability { 1.0 - self.base_value } else { -self.base_value };
        // Zero stays zero: a minus sign before it would only puzzle the reader.
        self.values.values_mut().for_each(|value| *value = 0.0 - *value);
        self.prediction = prediction;
        self
    }
}

/// What `/predict` answers, in the units of the explanation.
fn prediction(spec: &Spec, space: Space, predictions: &Predictions, class: usize) -> f64 {
    match predictions {
        Predictions::Numbers(numbers) => numbers[0],
        Predictions::Probabilities(rows) => {
            let probability = rows[[0, class]];
            match (space, spec.task) {
                (Space::Logit, Task::Binary) => (probability / (1.0 - probability)).ln(),
                (Space::Logit, _) => probability.ln(),
                _ => probability,
            }
        }
    }
}
