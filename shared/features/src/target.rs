//! The target: what the network learns and how its output is read back.

use serde::{Deserialize, Serialize};
use spec::{Batch, ColumnData, Spec, Task, Transform};

use crate::Error;

/// How the target is coded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetCode {
    /// A number, standardised: `(y - mean) / scale`, on its logarithm where the spec says so.
    Number {
        /// Whether `y` is the natural logarithm of the target.
        log: bool,
        /// Mean of `y` over the train rows.
        mean: f64,
        /// Standard deviation (ddof 0) of `y` over the train rows; 1 for a constant.
        scale: f64,
    },
    /// One of the spec's classes.
    Classes {
        /// The classes, in the spec's order.
        labels: Vec<String>,
        /// Index of the class whose probability a binary network puts out.
        positive: usize,
    },
}

impl TargetCode {
    /// Fits on the train rows.
    ///
    /// # Errors
    /// [`Error::NoTarget`] for rows without one.
    pub fn fit(spec: &Spec, batch: &Batch) -> Result<Self, Error> {
        if spec.task != Task::Regression {
            let labels = spec.target.classes.clone();
            return Ok(TargetCode::Classes { labels, positive: spec.positive_index() });
        }
        let Some(ColumnData::Numbers(numbers)) = batch.target() else {
            return Err(Error::NoTarget { column: spec.target.column.clone() });
        };
        let log = spec.target.transform == Transform::Log;
        let coded = numbers.iter().map(|number| if log { number.ln() } else { *number });
        let n = numbers.len() as f64;
        let mean = coded.clone().sum::<f64>() / n;
        let scale = (coded.map(|y| (y - mean).powi(2)).sum::<f64>() / n).sqrt();
        Ok(TargetCode::Number { log, mean, scale: if scale > 0.0 { scale } else { 1.0 } })
    }

    /// Number of outputs of the network: one for a number and for two classes, else one per class.
    pub fn n_outputs(&self) -> usize {
        match self {
            TargetCode::Classes { labels, .. } if labels.len() > 2 => labels.len(),
            _ => 1,
        }
    }

    /// What the network learns, per row `[n_rows]`: the standardised number; 1 for the positive class of two and 0 for
    /// the other; the index of one of several classes. A class that the spec does not have is coded as NaN.
    pub fn encode(&self, target: &ColumnData) -> Vec<f32> {
        match (self, target) {
            (TargetCode::Number { log, mean, scale }, ColumnData::Numbers(numbers)) => numbers
                .iter()
                .map(|number| (((if *log { number.ln() } else { *number }) - mean) / scale) as f32)
                .collect(),
            (TargetCode::Classes { labels, positive }, ColumnData::Categories(categories)) => {
                let code_of = |level: &String| match labels.iter().position(|label| label == level) {
                    Some(index) if labels.len() == 2 => f32::from(u8::from(index == *positive)),
                    Some(index) => index as f32,
                    None => f32::NAN,
                };
                let codes: Vec<f32> = categories.levels.iter().map(code_of).collect();
                categories.codes.iter().map(|code| codes.get(*code as usize).copied().unwrap_or(f32::NAN)).collect()
            }
            _ => vec![f32::NAN; target.len()],
        }
    }

    /// The target, in its own units, of a standardised number. Of classes, the number itself.
    pub fn decode(&self, output: f64) -> f64 {
        match self {
            TargetCode::Number { log, mean, scale } => {
                let y = output * scale + mean;
                if *log { y.exp() } else { y }
            }
            TargetCode::Classes { .. } => output,
        }
    }
}
