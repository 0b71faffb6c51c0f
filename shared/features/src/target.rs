//! The target: what the network learns and how its output is read back.

use serde::{Deserialize, Serialize};
use spec::{Batch, ColumnData, Spec, Task, Transform};

use crate::Error;

/// How the target is coded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetCode {
    /// A number, standardised, as it is, as its natural logarithm, or both ways: some members of a network may learn the
    /// one and some the other.
    Number {
        /// Of the number as it is.
        plain: Option<Standard>,
        /// Of its logarithm.
        log: Option<Standard>,
    },
    /// One of the spec's classes.
    Classes {
        /// The classes, in the spec's order.
        labels: Vec<String>,
        /// Index of the class whose probability a binary network puts out.
        positive: usize,
    },
}

/// How a number is standardised: `(y - mean) / scale`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Standard {
    /// Mean of `y` over the train rows.
    pub mean: f64,
    /// Standard deviation (ddof 0) of `y` over the train rows; 1 for a constant.
    pub scale: f64,
}

impl Standard {
    fn fit(numbers: impl ExactSizeIterator<Item = f64> + Clone) -> Self {
        let n = numbers.len() as f64;
        let mean = numbers.clone().sum::<f64>() / n;
        let scale = (numbers.map(|y| (y - mean).powi(2)).sum::<f64>() / n).sqrt();
        Self { mean, scale: if scale > 0.0 { scale } else { 1.0 } }
    }
}

impl TargetCode {
    /// Fits on the train rows. Where the spec leaves the scale open, a number has both scales if all are above zero.
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
        let plain = || Standard::fit(numbers.iter().copied());
        let log = || Standard::fit(numbers.iter().map(|number| number.ln()));
        Ok(match spec.target.transform {
            Transform::None => TargetCode::Number { plain: Some(plain()), log: None },
            Transform::Log => TargetCode::Number { plain: None, log: Some(log()) },
            Transform::Auto => {
                let log = numbers.iter().all(|number| *number > 0.0).then(log);
                TargetCode::Number { plain: Some(plain()), log }
            }
        })
    }

    /// Number of outputs of the network: one for a number and for two classes, else one per class.
    pub fn n_outputs(&self) -> usize {
        match self {
            TargetCode::Classes { labels, .. } if labels.len() > 2 => labels.len(),
            _ => 1,
        }
    }

    /// Whether a number is coded by its logarithm alone.
    pub fn is_log(&self) -> bool {
        matches!(self, TargetCode::Number { plain: None, .. })
    }

    /// Whether a number can be coded by its logarithm.
    pub fn has_log(&self) -> bool {
        matches!(self, TargetCode::Number { log: Some(_), .. })
    }

    /// What the network learns, per row `[n_rows]`: the standardised number, by its logarithm where `log` asks for it; 1 for
    /// the positive class of two and 0 for the other; the index of one of several classes. A class that the spec does not
    /// have is coded as NaN.
    pub fn encode(&self, target: &ColumnData, log: bool) -> Vec<f32> {
        match (self, target) {
            (TargetCode::Number { .. }, ColumnData::Numbers(numbers)) => {
                numbers.iter().map(|number| self.standardise(*number, log) as f32).collect()
            }
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

    /// The standardised number of a target in its own units: what [`Self::decode`] turns back. NaN on a scale that the code
    /// does not have.
    pub fn standardise(&self, number: f64, log: bool) -> f64 {
        match self.standard(log) {
            Some(Standard { mean, scale }) => ((if log { number.ln() } else { number }) - mean) / scale,
            None => f64::NAN,
        }
    }

    /// The target, in its own units, of a standardised number. A far extrapolation stays finite and, by the logarithm, above
    /// zero. NaN on a scale that the code does not have.
    pub fn decode(&self, output: f64, log: bool) -> f64 {
        match self.standard(log) {
            Some(Standard { mean, scale }) if log => (output * scale + mean).exp().clamp(f64::MIN_POSITIVE, f64::MAX),
            Some(Standard { mean, scale }) => (output * scale + mean).clamp(f64::MIN, f64::MAX),
            None => f64::NAN,
        }
    }

    /// A sum of decoded numbers within the finite ones and, where all members learn the logarithm, above zero.
    pub fn bounded(&self, number: f64) -> f64 {
        number.clamp(if self.is_log() { f64::MIN_POSITIVE } else { f64::MIN }, f64::MAX)
    }

    fn standard(&self, of_log: bool) -> Option<Standard> {
        match self {
            TargetCode::Number { log, .. } if of_log => *log,
            TargetCode::Number { plain, .. } => *plain,
            TargetCode::Classes { .. } => None,
        }
    }
}
