//! What a caller gets: predictions in the words of the spec.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use model::Predictions;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serving::Served;
use spec::{Record, Spec, Task};
use utoipa::ToSchema;
use uuid::{NoContext, Timestamp, Uuid};

use crate::Error;

/// Rows up to which a prediction is cheaper than handing it to another thread.
const MAX_ROWS_INLINE: usize = 64;

/// The predictions of one request.
#[derive(Debug, serde::Serialize, ToSchema)]
#[schema(as = Predicted)]
pub(crate) struct Answer<'a> {
    /// Name of the model.
    #[schema(example = "car-vision")]
    model: &'a str,
    /// Id of the version that predicted.
    version: &'a str,
    /// One for each record, in order.
    pub(crate) predictions: Vec<Prediction<'a>>,
}

/// The prediction for one record.
#[derive(Debug, serde::Serialize, ToSchema)]
pub(crate) struct Prediction<'a> {
    /// Its id, a UUID of version 7; `/feedback` finds the prediction by it.
    pub(crate) id: Uuid,
    /// The class that the row is called, or the number in target units.
    #[schema(inline)]
    pub(crate) prediction: Outcome<'a>,
    /// Binary: probability of the positive class.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1)]
    pub(crate) probability: Option<f64>,
    /// Multiclass: probability of each class.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<std::collections::BTreeMap<String, f64>>)]
    pub(crate) probabilities: Option<Probabilities<'a>>,
    /// Regression: lower and upper end of the interval that should hold the true number as often as `serve.interval` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) interval: Option<[f64; 2]>,
    /// Label of the spec's band that the probability or the number lies in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) band: Option<&'a str>,
}

/// What is predicted.
#[derive(Clone, Copy, Debug, serde::Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Outcome<'a> {
    /// A class.
    Label(&'a str),
    /// A number.
    Number(f64),
}

/// Probabilities by class, in the spec's order.
#[derive(Debug)]
pub(crate) struct Probabilities<'a> {
    classes: &'a [String],
    probabilities: Vec<f64>,
}

impl Serialize for Probabilities<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.classes.len()))?;
        for (class, probability) in self.classes.iter().zip(&self.probabilities) {
            map.serialize_entry(class, probability)?;
        }
        map.end()
    }
}

/// Predicts valid records: at once where they are few, else on a thread that may be busy.
pub(crate) async fn predict(served: &Arc<Served>, records: Vec<Record>) -> Result<Predictions, Error> {
    if records.len() <= MAX_ROWS_INLINE {
        return Ok(served.predictor().predict_records(&records));
    }
    let served = Arc::clone(served);
    tokio::task::spawn_blocking(move || served.predictor().predict_records(&records)).await.map_err(Error::Predict)
}

impl<'a> Answer<'a> {
    /// Puts predictions made at `at` into words.
    pub(crate) fn new(served: &'a Served, predictions: &Predictions, at: DateTime<Utc>) -> Self {
        let spec = served.spec();
        let predictions = match predictions {
            Predictions::Numbers(numbers) => {
                let intervals = served.predictor().intervals(predictions);
                let interval = |row: usize| intervals.as_ref().map(|intervals| intervals[row]);
                let numbers = numbers.iter().enumerate();
                numbers.map(|(row, number)| of_number(spec, *number, interval(row), at)).collect()
            }
            Predictions::Probabilities(rows) => {
                let classes = rows.values.rows().into_iter().zip(&rows.called);
                classes.map(|(row, class)| of_class(spec, row.to_vec(), *class, at)).collect()
            }
        };
        Self { model: served.model(), version: served.version().as_str(), predictions }
    }
}

fn of_number(spec: &Spec, number: f64, interval: Option<[f64; 2]>, at: DateTime<Utc>) -> Prediction<'_> {
    Prediction {
        id: id(at),
        prediction: Outcome::Number(number),
        probability: None,
        probabilities: None,
        interval,
        band: spec.band(number),
    }
}

fn of_class(spec: &Spec, probabilities: Vec<f64>, class: usize, at: DateTime<Utc>) -> Prediction<'_> {
    let is_binary = spec.task == Task::Binary;
    let probability = is_binary.then(|| probabilities[spec.positive_index()]);
    Prediction {
        id: id(at),
        prediction: Outcome::Label(&spec.target.classes[class]),
        probability,
        probabilities: (!is_binary).then_some(Probabilities { classes: &spec.target.classes, probabilities }),
        interval: None,
        band: probability.and_then(|probability| spec.band(probability)),
    }
}

/// A new id that holds the time of the prediction, by which its log segment is found. No counter is shared, so no lock.
fn id(at: DateTime<Utc>) -> Uuid {
    let seconds = u64::try_from(at.timestamp()).unwrap_or(0);
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, at.timestamp_subsec_nanos()))
}
