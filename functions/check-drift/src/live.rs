//! How the production version does on labelled rows that it has not learnt from: those of the batch, and those whose labels
//! came back by `/feedback`.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use drift::{Decay, LossSums, Losses, Outlook, Settings};
use model::{Predictions, from_mean, row_losses};
use ndarray::Array2;
use registry::{AliasEntry, Registry};
use serde::Deserialize;
use serde_json::Value;
use serving::Served;
use spec::{Batch, Categories, ColumnData, Metric, Spec, Task};

use crate::logged::Line;
use crate::standing::{Arrived, Standing, Unlearnt};
use crate::{Error, outlook};

/// Most labels of feedback that are looked at, the newest first.
const MAX_FEEDBACK: usize = 50_000;

/// What labelled rows say of the production version.
#[derive(Default)]
pub(crate) struct Live {
    /// How it does.
    pub(crate) decays: Vec<Decay>,
    /// Why it should be made again though it does as well as it did.
    pub(crate) outgrown: Option<String>,
    /// How it should do on the rows of the batch, labels or not.
    pub(crate) outlook: Option<Outlook>,
}

/// A line of the feedback log.
#[derive(Deserialize)]
struct Label {
    id: String,
    label: Value,
    received_at: DateTime<Utc>,
}

/// What is known of the rows of the batch.
pub(crate) enum OfBatch {
    /// The rows themselves.
    Rows(Unlearnt),
    /// The losses of those that have a label; none where one is not finite.
    Sums(Option<LossSums>),
}

/// Judges the production version on the rows of the last batch that have a label, and on what came back since it was promoted.
///
/// Its expectation comes from the hold-out rows of the batch that it was made for: nothing was fitted on them, and the
/// version was promoted for what it did there. None of both where there are too few rows.
///
/// # Errors
/// A version, a batch or a log that cannot be read.
pub(crate) async fn judge(
    registry: &Registry,
    production: &AliasEntry,
    standing: Standing,
    of_batch: OfBatch,
    arrived: &[Arrived],
    settings: &Settings,
) -> Result<Live, Error> {
    let outgrown = standing.lineage.outgrown(arrived);
    let served = standing.served;
    let reference = history::rows(registry, served.spec(), &standing.lineage.batch).await?.holdout();
    let feedback = feedback(registry, production, &served).await?;
    let settings = settings.clone();
    let judging = move || {
        let metric = metric(served.spec());
        let held_out = losses_of(&served, metric, &reference);
        let sums = held_out.sums();
        let on = |source: &str, live: LossSums| {
            Decay::of(source, metric.name(), live, sums, &settings, |mean| from_mean(metric, mean))
        };
        let of_feedback =
            feedback.and_then(|(predictions, target)| losses(served.spec(), metric, &predictions, &target));
        let of_feedback = of_feedback.and_then(|live| on("feedback", live.sums()));
        let (live, outlook) = match of_batch {
            OfBatch::Sums(sums) => (sums, None),
            OfBatch::Rows(rows) => {
                let rows = rows.batch();
                let outlook = outlook::of(&served, metric, &rows, &reference, &settings);
                (Some(losses_of(&served, metric, &rows).sums()), outlook)
            }
        };
        let decays = live.and_then(|live| on("the batch", live)).into_iter().chain(of_feedback).collect();
        Live { decays, outgrown, outlook }
    };
    Ok(tokio::task::spawn_blocking(judging).await?)
}

/// The losses of the production version on those of these rows that have a label; none where one is not finite.
pub(crate) fn loss_sums(served: &Served, rows: &Batch) -> Option<LossSums> {
    let sums = losses_of(served, metric(served.spec()), rows).sums();
    [sums.mean, sums.excess, sums.squares].iter().all(|sum| sum.is_finite()).then_some(sums)
}

/// The metric whose row losses are compared: the spec's where it is a mean of losses, else the task's own.
fn metric(spec: &Spec) -> Metric {
    match (spec.task, spec.metric()) {
        (Task::Regression, metric @ (Metric::Mae | Metric::MaeLog)) => metric,
        (Task::Regression, _) => Metric::Rmse,
        _ => Metric::LogLoss,
    }
}

/// The rows that have a truth to compare with.
pub(crate) fn labelled(spec: &Spec, rows: &Batch) -> Batch {
    let is_labelled = |row: &usize| match rows.target().map(|target| target.value(*row)) {
        None | Some(spec::Value::Missing) => false,
        Some(spec::Value::Number(_)) => true,
        Some(spec::Value::Level(level)) => spec.target.classes.contains(&level),
    };
    rows.select(&(0..rows.n_rows()).filter(is_labelled).collect::<Vec<_>>())
}

/// The losses of the rows that have a label.
pub(crate) fn losses_of(served: &Served, metric: Metric, rows: &Batch) -> Losses {
    let rows = &labelled(served.spec(), rows);
    let Some(target) = rows.target().filter(|target| !target.is_empty()) else { return Losses::default() };
    losses(served.spec(), metric, &served.predictor().predict(rows), target).unwrap_or_default()
}

/// Losses of rows that all have a truth, and what the model expects of them: the entropy of its probabilities, in nats.
fn losses(spec: &Spec, metric: Metric, predictions: &Predictions, target: &ColumnData) -> Option<Losses> {
    let actual = row_losses(spec, metric, predictions, target)?;
    let expected = match predictions {
        Predictions::Numbers(_) => vec![0.0; actual.len()],
        Predictions::Probabilities(probabilities) => entropies(&probabilities.values),
    };
    Some(Losses { actual, expected })
}

/// What probabilities expect of their own log-loss, in nats.
pub(crate) fn entropies(probabilities: &Array2<f64>) -> Vec<f64> {
    probabilities.rows().into_iter().map(|row| -row.iter().map(|p| p * p.ln()).sum::<f64>()).collect()
}

/// What the production version answered and what turned out to be true; none without a label.
async fn feedback(
    registry: &Registry,
    production: &AliasEntry,
    served: &Served,
) -> Result<Option<(Predictions, ColumnData)>, Error> {
    let (model, since_ms) = (served.model(), production.at.timestamp_millis());
    let mut labels: HashMap<String, Label> = HashMap::new();
    let mut range: Option<(i64, i64)> = None;
    let segments = registry.feedback_segments(model).await?;
    for segment in segments.into_iter().rev() {
        let Some((first, last)) = segment.time_range_ms().filter(|(_, last)| *last >= since_ms) else { continue };
        if labels.len() >= MAX_FEEDBACK {
            break;
        }
        for label in lines::<Label>(&registry.read_feedback(model, &segment.name).await?) {
            // Who observes twice has corrected what was observed first.
            match labels.get(&label.id) {
                Some(known) if known.received_at >= label.received_at => {}
                _ => drop(labels.insert(label.id.clone(), label)),
            }
        }
        range = Some(range.map_or((first, last), |(start, end)| (start.min(first), end.max(last))));
    }
    let Some((start, end)) = range else { return Ok(None) };
    let mut answered: BTreeMap<String, Line> = BTreeMap::new();
    for segment in registry.prediction_segments(model).await? {
        if segment.time_range_ms().is_none_or(|(first, last)| last < start || first > end) {
            continue;
        }
        let text = registry.read_predictions(model, &segment.name).await?;
        let of_production = |line: &Line| line.version == production.version.as_str();
        let predicted = lines::<Line>(&text).filter(|line| of_production(line) && labels.contains_key(&line.id));
        answered.extend(predicted.map(|line| (line.id.clone(), line)));
    }
    let pairs = answered.values().filter_map(|line| Some((line, &labels.get(&line.id)?.label)));
    Ok(joined(served.spec(), pairs))
}

/// The lines of a log that are of this kind. One that cannot be read was written by another release, and is not counted.
fn lines<T: for<'de> Deserialize<'de>>(text: &str) -> impl Iterator<Item = T> {
    text.lines().filter_map(|line| serde_json::from_str(line).ok())
}

/// Answers and truths side by side, for the functions that compare rows of a batch.
fn joined<'a>(spec: &Spec, pairs: impl Iterator<Item = (&'a Line, &'a Value)>) -> Option<(Predictions, ColumnData)> {
    if spec.task == Task::Regression {
        let numbers = pairs.filter_map(|(line, label)| Some((line.prediction.as_f64()?, label.as_f64()?)));
        let (answers, truths): (Vec<f64>, Vec<f64>) = numbers.unzip();
        return (!answers.is_empty()).then_some((Predictions::Numbers(answers), ColumnData::Numbers(truths)));
    }
    let classes = &spec.target.classes;
    let (mut probabilities, mut codes) = (Vec::new(), Vec::new());
    for (line, label) in pairs {
        let code = label.as_str().and_then(|label| classes.iter().position(|class| class == label));
        let row = line.probabilities(spec.task, classes, spec.positive_index());
        if let (Some(code), Some(row)) = (code, row) {
            probabilities.extend(row);
            codes.push(code as u32);
        }
    }
    let probabilities = Array2::from_shape_vec((codes.len(), classes.len()), probabilities).ok()?;
    let target = ColumnData::Categories(Categories { levels: classes.clone(), codes });
    (!target.is_empty()).then_some((Predictions::Probabilities(probabilities.into()), target))
}
