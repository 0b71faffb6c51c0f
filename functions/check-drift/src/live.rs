//! How the production version does on what it was asked: by the labels that came back, and by its own probabilities.

use std::collections::HashMap;

use drift::performance::{ExpectedClassification, expected_classification};
use drift::{ColumnReport, LossSequence, Profile, Settings, Values, compare};
use registry::{Part, Registry, VersionId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use spec::{Metric, Spec, Task};
use utoipa::ToSchema;

use crate::Error;

/// At most so many predictions are looked at, the newest ones.
const MAX_PREDICTIONS: usize = 50_000;

/// How much worse than at training, relative to its loss then, a version may be before it matters.
const TOLERANCE: f64 = 0.1;

/// Level of the confidence sequence of the loss.
const ALPHA: f64 = 0.01;

/// Fewest predictions in each half for a comparison of the older with the newer ones.
const MIN_HALF: usize = 500;

/// What is known of the production version from the prediction log and from feedback.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Live {
    /// Predictions of the version that were looked at, at most the newest 50,000.
    pub predictions: usize,
    /// Labels that came back for them.
    pub labels: u64,
    /// What is compared: `log_loss` of classes, `mae` of numbers.
    #[schema(example = "log_loss")]
    pub metric: String,
    /// Its mean over the labels; none without labels.
    #[schema(required = true)]
    pub loss: Option<f64>,
    /// A confidence sequence around it at level 0.01, which holds however often one looks; none below 50 labels.
    #[schema(required = true)]
    pub interval: Option<[f64; 2]>,
    /// What it was on the hold-out when the version was trained.
    #[schema(required = true)]
    pub at_training: Option<f64>,
    /// Whether the loss is more than a tenth above what it was at training, for sure.
    pub decayed: bool,
    /// What the version's own probabilities promise, labels or not; none for numbers.
    #[schema(value_type = Option<Object>, required = true)]
    pub expected: Option<ExpectedClassification>,
    /// The newer half of the predictions against the older one; none below 1,000 predictions.
    #[schema(value_type = Option<Object>, required = true)]
    pub prediction_drift: Option<ColumnReport>,
}

impl Live {
    /// Why a challenger should be trained, if so.
    pub(crate) fn reason(&self) -> Option<String> {
        let (loss, [low, _], before) = (self.loss?, self.interval?, self.at_training?);
        self.decayed.then(|| {
            format!(
                "production has become worse: its {} on {} labels is {loss:.3}, above {low:.3} for sure, and was {before:.3} \
                 at training",
                self.metric, self.labels
            )
        })
    }
}

/// One prediction of the log.
#[derive(Deserialize)]
struct Line {
    id: String,
    version: String,
    prediction: Value,
    probability: Option<f64>,
    probabilities: Option<HashMap<String, f64>>,
}

/// One observation of the feedback log.
#[derive(Deserialize)]
struct Label {
    id: String,
    label: Value,
}

/// Reads the newest predictions of a version and their labels, and judges them; `None` where nothing was predicted.
pub(crate) async fn live(registry: &Registry, spec: &Spec, version: &VersionId) -> Result<Option<Live>, Error> {
    let log_line = |source| Error::LogLine { model: spec.name.clone(), source };
    let mut newest_first: Vec<Line> = Vec::new();
    for segment in registry.prediction_segments(&spec.name).await?.into_iter().rev() {
        let text = registry.read_predictions(&spec.name, &segment.name).await?;
        let lines: Vec<Line> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>().map_err(log_line)?;
        newest_first.extend(lines.into_iter().rev().filter(|line| line.version == version.as_str()));
        if newest_first.len() >= MAX_PREDICTIONS {
            newest_first.truncate(MAX_PREDICTIONS);
            break;
        }
    }
    if newest_first.is_empty() {
        return Ok(None);
    }
    let lines: Vec<Line> = newest_first.into_iter().rev().collect();
    let mut labels: HashMap<String, Value> = HashMap::new();
    for segment in registry.feedback_segments(&spec.name).await? {
        for line in registry.read_feedback(&spec.name, &segment.name).await?.lines() {
            let Label { id, label } = serde_json::from_str(line).map_err(log_line)?;
            labels.insert(id, label);
        }
    }
    let [metrics] = registry.parts(&spec.name, version, [Part::Metrics]).await?;
    let metrics: Value = serde_json::from_slice(&metrics).map_err(log_line)?;
    judge(spec, &lines, &labels, &metrics).map(Some)
}

fn judge(spec: &Spec, lines: &[Line], labels: &HashMap<String, Value>, metrics: &Value) -> Result<Live, Error> {
    let metric = if spec.task == Task::Regression { Metric::Mae } else { Metric::LogLoss };
    let mut losses = LossSequence::default();
    for line in lines {
        if let Some(loss) = labels.get(&line.id).and_then(|label| loss(spec, line, label)) {
            losses.push(loss);
        }
    }
    let at_training = metrics["holdout"]["new"][metric.name()].as_f64();
    let decayed = at_training.is_some_and(|before| losses.exceeds(before * (1.0 + TOLERANCE), ALPHA));
    Ok(Live {
        predictions: lines.len(),
        labels: losses.n(),
        metric: metric.name().to_owned(),
        loss: (losses.n() > 0).then(|| losses.mean()),
        interval: losses.interval(ALPHA).map(|(low, high)| [low, high]),
        at_training,
        decayed,
        expected: expected(spec, lines),
        prediction_drift: prediction_drift(lines)?,
    })
}

/// How wrong a prediction was; none where the label is not one of the spec.
fn loss(spec: &Spec, line: &Line, label: &Value) -> Option<f64> {
    /// The least probability that the log-loss tells apart.
    const LEAST: f64 = 1e-15;
    match spec.task {
        Task::Regression => Some((line.prediction.as_f64()? - label.as_f64()?).abs()),
        Task::Binary => {
            let is_positive = Some(label.as_str()?) == spec.target.positive.as_deref();
            let probability = line.probability?;
            Some(-(if is_positive { probability } else { 1.0 - probability }).max(LEAST).ln())
        }
        Task::Multiclass => Some(-line.probabilities.as_ref()?.get(label.as_str()?)?.max(LEAST).ln()),
    }
}

fn expected(spec: &Spec, lines: &[Line]) -> Option<ExpectedClassification> {
    let rows: Vec<Vec<f64>> = match spec.task {
        Task::Regression => return None,
        Task::Binary => lines.iter().filter_map(|line| line.probability).map(|p| vec![1.0 - p, p]).collect(),
        Task::Multiclass => {
            let of_line = |line: &Line| {
                let probabilities = line.probabilities.as_ref()?;
                spec.target.classes.iter().map(|class| probabilities.get(class).copied()).collect()
            };
            lines.iter().filter_map(of_line).collect()
        }
    };
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

    /// `n` predictions of a probability of 0.8, of whose labels every `one_in`-th is the other class.
    fn of(n: usize, one_in: usize) -> (Vec<Line>, HashMap<String, Value>) {
        let line = |row: usize| Line {
            id: row.to_string(),
            version: "v".to_owned(),
            prediction: json!("p"),
            probability: Some(0.8),
            probabilities: None,
        };
        let label = |row: usize| (row.to_string(), json!(if row % one_in == 0 { "n" } else { "p" }));
        ((0..n).map(line).collect(), (0..n).map(label).collect())
    }

    fn judged(n: usize, one_in: usize) -> Live {
        let (lines, labels) = of(n, one_in);
        let metrics = json!({"holdout": {"new": {"log_loss": 0.5004}}});
        judge(&Spec::parse(BINARY).unwrap(), &lines, &labels, &metrics).unwrap()
    }

    #[test]
    fn labels_as_promised_are_no_decay_and_others_are() {
        let calm = judged(2_000, 5);
        assert!((calm.loss.unwrap() - 0.5004).abs() < 1e-3 && !calm.decayed, "{calm:?}");
        assert_eq!((calm.labels, calm.reason()), (2_000, None));
        let expected = calm.expected.unwrap();
        assert!((expected.log_loss.value - 0.5004).abs() < 1e-3);
        assert!(!calm.prediction_drift.unwrap().drifted);

        let worse = judged(2_000, 2);
        assert!(worse.decayed, "{worse:?}");
        let reason = worse.reason().unwrap();
        assert!(reason.starts_with("production has become worse: its log_loss on 2000 labels is 0.916"), "{reason}");
        assert!(!judged(40, 2).decayed, "forty labels say nothing");
    }

    #[test]
    fn losses_are_of_the_task() {
        let line = |prediction: Value, probabilities: Option<HashMap<String, f64>>| Line {
            id: String::new(),
            version: String::new(),
            prediction,
            probability: None,
            probabilities,
        };
        let regression =
            Spec::parse("name: demo\ntask: regression\ntarget: {column: y}\ncolumns: {x: {kind: number}}\n");
        assert_eq!(loss(&regression.unwrap(), &line(json!(3.5), None), &json!(5.0)), Some(1.5));
        let three =
            "name: demo\ntask: multiclass\ntarget: {column: y, classes: [a, b, c]}\ncolumns: {x: {kind: number}}\n";
        let three = Spec::parse(three).unwrap();
        let probabilities = [("a", 0.5), ("b", 0.25), ("c", 0.25)].map(|(class, p)| (class.to_owned(), p));
        let line = line(json!("a"), Some(probabilities.into_iter().collect()));
        assert!((loss(&three, &line, &json!("b")).unwrap() - 4.0_f64.ln()).abs() < 1e-12);
        assert_eq!(loss(&three, &line, &json!("z")), None);
    }
}
