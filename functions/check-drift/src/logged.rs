//! What the prediction log says of the production version without labels.

use std::collections::HashMap;

use drift::performance::{ExpectedClassification, expected_classification};
use drift::{ColumnReport, Profile, Settings, Values, compare};
use registry::{Registry, VersionId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use spec::{Spec, Task};
use utoipa::ToSchema;

use crate::Error;

/// At most so many predictions are looked at, the newest ones.
const MAX_PREDICTIONS: usize = 50_000;

/// Fewest predictions in each half for a comparison of the older with the newer ones.
const MIN_HALF: usize = 500;

/// What is known of the production version from its own answers. It decides nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Logged {
    /// Predictions of the version that were looked at, at most the newest 50,000.
    pub predictions: usize,
    /// What the version's own probabilities promise, labels or not; none for numbers.
    #[schema(value_type = Option<Object>, required = true)]
    pub expected: Option<ExpectedClassification>,
    /// The newer half of the predictions against the older one; none below 1,000 predictions.
    #[schema(value_type = Option<Object>, required = true)]
    pub prediction_drift: Option<ColumnReport>,
}

/// One prediction of the log.
#[derive(Deserialize)]
pub(crate) struct Line {
    pub(crate) id: String,
    pub(crate) version: String,
    pub(crate) prediction: Value,
    probability: Option<f64>,
    probabilities: Option<HashMap<String, f64>>,
}

impl Line {
    /// The probability of every class; none of a number. Of two classes the positive one stands at `positive`, of more they
    /// stand as in `classes`.
    pub(crate) fn probabilities(&self, task: Task, classes: &[String], positive: usize) -> Option<Vec<f64>> {
        if let (Task::Binary, Some(probability)) = (task, self.probability) {
            let mut row = vec![1.0 - probability; 2];
            row[positive] = probability;
            return Some(row);
        }
        let by_class = self.probabilities.as_ref()?;
        classes.iter().map(|class| by_class.get(class).copied()).collect()
    }
}

impl Logged {
    /// Reads the newest predictions of a version and judges them; none where nothing was predicted.
    ///
    /// # Errors
    /// A log that cannot be read, a line of it that is none.
    pub(crate) async fn read(registry: &Registry, spec: &Spec, version: &VersionId) -> Result<Option<Self>, Error> {
        let mut newest_first: Vec<Line> = Vec::new();
        for segment in registry.prediction_segments(&spec.name).await?.into_iter().rev() {
            let text = registry.read_predictions(&spec.name, &segment.name).await?;
            let lines = text.lines().map(serde_json::from_str).collect::<Result<Vec<Line>, _>>();
            let lines = lines.map_err(|source| Error::LogLine { model: spec.name.clone(), source })?;
            newest_first.extend(lines.into_iter().rev().filter(|line| line.version == version.as_str()));
            if newest_first.len() >= MAX_PREDICTIONS {
                newest_first.truncate(MAX_PREDICTIONS);
                break;
            }
        }
        newest_first.reverse();
        if newest_first.is_empty() { Ok(None) } else { Self::of(spec, &newest_first).map(Some) }
    }

    fn of(spec: &Spec, lines: &[Line]) -> Result<Self, Error> {
        Ok(Self {
            predictions: lines.len(),
            expected: expected(spec, lines),
            prediction_drift: prediction_drift(lines)?,
        })
    }
}

/// What the probabilities promise; none for numbers.
fn expected(spec: &Spec, lines: &[Line]) -> Option<ExpectedClassification> {
    if spec.task == Task::Regression {
        return None;
    }
    // Figures of two classes are about the second one.
    let rows = lines.iter().filter_map(|line| line.probabilities(spec.task, &spec.target.classes, 1));
    let rows: Vec<Vec<f64>> = rows.collect();
    let n_classes = rows.first()?.len();
    let probabilities = ndarray::Array2::from_shape_vec((rows.len(), n_classes), rows.concat()).ok()?;
    expected_classification(&probabilities).ok()
}

/// Whether the newer predictions still are like the older ones: their probabilities or numbers, else their classes.
fn prediction_drift(lines: &[Line]) -> Result<Option<ColumnReport>, Error> {
    if lines.len() < 2 * MIN_HALF {
        return Ok(None);
    }
    let (older, newer) = lines.split_at(lines.len() / 2);
    let number = |line: &Line| line.probability.or_else(|| line.prediction.as_f64()).unwrap_or(f64::NAN);
    let class = |line: &Line| line.prediction.as_str().unwrap_or_default().to_owned();
    let reports = if number(&lines[0]).is_nan() {
        let mut levels: Vec<String> = lines.iter().map(class).collect();
        levels.sort_unstable();
        levels.dedup();
        let code = |line: &Line| levels.binary_search(&class(line)).map_or(drift::MISSING, |code| code as u32);
        let codes = |half: &[Line]| half.iter().map(code).collect::<Vec<u32>>();
        let (older, newer) = (codes(older), codes(newer));
        let side = |codes| Values::Categories { levels: &levels, codes };
        compare_halves(side(&older), side(&newer))
    } else {
        let numbers = |half: &[Line]| half.iter().map(number).collect::<Vec<f64>>();
        compare_halves(Values::Numbers(&numbers(older)), Values::Numbers(&numbers(newer)))
    };
    let reports = reports.map_err(|source| Error::Comparison { batch: "the prediction log".to_owned(), source })?;
    Ok(reports.into_iter().next())
}

fn compare_halves(older: Values<'_>, newer: Values<'_>) -> Result<Vec<ColumnReport>, drift::Error> {
    let name = || "prediction".to_owned();
    let profile = Profile::whole([(name(), older)].into_iter(), None);
    compare(&profile, &[(name(), newer)], None, &Settings::default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const BINARY: &str = "
name: demo
task: binary
target: {column: y, classes: [n, p], positive: p}
columns: {x: {kind: number}}
";

    fn lines(probabilities: impl Iterator<Item = f64>) -> Vec<Line> {
        let line = |probability| Line {
            id: "i".to_owned(),
            version: "v".to_owned(),
            prediction: json!("p"),
            probability: Some(probability),
            probabilities: None,
        };
        probabilities.map(line).collect()
    }

    #[test]
    fn probabilities_promise_and_are_compared_with_older_ones() {
        let spec = Spec::parse(BINARY).unwrap();
        let at = |row: usize| 0.2 + 0.5 * (row * 37 % 100) as f64 / 100.0;
        let calm = Logged::of(&spec, &lines((0..2_000).map(at))).unwrap();
        assert_eq!(calm.predictions, 2_000);
        assert!(calm.expected.is_some() && !calm.prediction_drift.unwrap().drifted);
        let moved = |row: usize| if row < 1_000 { at(row) } else { at(row) + 0.2 };
        assert!(Logged::of(&spec, &lines((0..2_000).map(moved))).unwrap().prediction_drift.unwrap().drifted);
        assert_eq!(Logged::of(&spec, &lines((0..900).map(at))).unwrap().prediction_drift, None);
    }
}
