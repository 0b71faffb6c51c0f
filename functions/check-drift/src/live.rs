//! How the production version does on labelled rows that it has not learnt from: those of the batch, and those whose labels
//! came back by `/feedback`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use drift::{Decay, Losses, Settings};
use history::Rows;
use model::{Predictions, from_mean, row_losses};
use ndarray::Array2;
use registry::{AliasEntry, Part, Registry};
use serde::Deserialize;
use serde_json::Value;
use serving::Served;
use spec::{Batch, Categories, ColumnData, Metric, Spec, Task};

use crate::Error;
use crate::logged::Line;

/// Most labels of feedback that are looked at, the newest first.
const MAX_FEEDBACK: usize = 50_000;

/// What a version's lineage says that matters here.
#[derive(Deserialize)]
struct Lineage {
    /// The newest batch that it was made for.
    batch: String,
    /// All batches of its window.
    batches: Vec<String>,
    /// None of a version from before there was a choice of remedies.
    fit: Option<Fit>,
}

/// What its network and its readout were fitted on.
#[derive(Deserialize)]
struct Fit {
    batches: Vec<String>,
    weighted: Option<usize>,
    recalibrated: Option<String>,
}

/// An accepted batch, or the one that is checked.
pub(crate) struct Arrived {
    pub(crate) batch: String,
    pub(crate) rows: u64,
}

/// What labelled rows say of the production version.
#[derive(Default)]
pub(crate) struct Live {
    /// How it does.
    pub(crate) decays: Vec<Decay>,
    /// Why it should be made again though it does as well as it did.
    pub(crate) outgrown: Option<String>,
}

impl Lineage {
    /// The batches that a version was made for when it was made for a change: those that counted more than the others.
    fn change(&self) -> &[String] {
        let Some(Fit { batches, weighted, recalibrated }) = &self.fit else { return &[] };
        match (weighted, recalibrated) {
            (_, Some(batch)) => std::slice::from_ref(batch),
            (Some(newest), None) => &batches[batches.len() - (*newest).min(batches.len())..],
            (None, None) if batches.len() < self.batches.len() => batches,
            (None, None) => &[],
        }
    }

    /// A version that was made for a change knows it from few rows. Once as many have come since, it is time to learn the change
    /// better, and again at twice as many, at four times as many, and so on: so few trials are in vain.
    fn outgrown(&self, arrived: &[Arrived]) -> Option<String> {
        let change = self.change();
        let learnt: u64 = arrived.iter().filter(|batch| change.contains(&batch.batch)).map(|batch| batch.rows).sum();
        let made_for = arrived.iter().position(|batch| batch.batch == self.batch)?;
        let since: Vec<u64> = arrived[made_for + 1..].iter().map(|batch| batch.rows).collect();
        let (newest, before) = since.split_last()?;
        let times = |rows: u64| rows.checked_div(learnt).and_then(u64::checked_ilog2);
        let (then, now) = (before.iter().sum::<u64>(), before.iter().sum::<u64>() + newest);
        (times(now) > times(then)).then(|| {
            format!(
                "the production version was made for a change that {learnt} rows showed, and {now} rows have come since"
            )
        })
    }
}

/// A line of the feedback log.
#[derive(Deserialize)]
struct Label {
    id: String,
    label: Value,
    received_at: DateTime<Utc>,
}

/// Judges the production version on the rows of the last batch that have a label, and on what came back since it was promoted.
/// `rows` are those of the last batch as `spec` reads them.
///
/// Its expectation comes from the hold-out rows of the batch that it was made for: nothing was fitted on them, and the
/// version was promoted for what it did there. None of both where there are too few rows.
///
/// # Errors
/// A version, a batch or a log that cannot be read.
pub(crate) async fn judge(
    registry: &Registry,
    production: &AliasEntry,
    spec: &Spec,
    rows: &Arc<Rows>,
    arrived: &[Arrived],
    settings: &Settings,
) -> Result<Live, Error> {
    let model = &spec.name;
    let Some(Arrived { batch, .. }) = arrived.last() else { return Ok(Live::default()) };
    let served = serving::open(registry, model, &production.version).await?;
    let lineage = registry.part(model, &production.version, Part::Lineage).await?;
    let lineage: Lineage = serde_json::from_slice(&lineage)
        .map_err(|source| Error::Lineage { version: production.version.clone(), source })?;
    let reference = history::rows(registry, served.spec(), &lineage.batch).await?.holdout();
    // A version answers rows as its own spec reads them, and its own split says which of them it has not learnt from.
    let rows = if served.spec().hash() == spec.hash() {
        rows.clone()
    } else {
        Arc::new(history::rows(registry, served.spec(), batch).await?)
    };
    let learnt = lineage.batches.iter().any(|learnt| learnt == batch);
    let feedback = feedback(registry, production, &served).await?;
    let settings = settings.clone();
    let judging = move || {
        let metric = metric(served.spec());
        let answered = |rows: &Batch| losses_of(&served, metric, &labelled(served.spec(), rows));
        let reference = answered(&reference);
        let on = |source: &str, live: &Losses| {
            Decay::of(source, metric.name(), live, &reference, &settings, |mean| from_mean(metric, mean))
        };
        let of_feedback =
            feedback.and_then(|(predictions, target)| losses(served.spec(), metric, &predictions, &target));
        let of_feedback = of_feedback.as_ref().and_then(|live| on("feedback", live));
        let of_batch = if learnt { answered(&rows.holdout()) } else { answered(&rows.batch) };
        on("the batch", &of_batch).into_iter().chain(of_feedback).collect()
    };
    let outgrown = lineage.outgrown(arrived);
    Ok(Live { decays: tokio::task::spawn_blocking(judging).await?, outgrown })
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
fn labelled(spec: &Spec, rows: &Batch) -> Batch {
    let is_labelled = |row: &usize| match rows.target().map(|target| target.value(*row)) {
        None | Some(spec::Value::Missing) => false,
        Some(spec::Value::Number(_)) => true,
        Some(spec::Value::Level(level)) => spec.target.classes.contains(&level),
    };
    rows.select(&(0..rows.n_rows()).filter(is_labelled).collect::<Vec<_>>())
}

fn losses_of(served: &Served, metric: Metric, rows: &Batch) -> Losses {
    let Some(target) = rows.target().filter(|target| !target.is_empty()) else { return Losses::default() };
    losses(served.spec(), metric, &served.predictor().predict(rows), target).unwrap_or_default()
}

/// Losses of rows that all have a truth, and what the model expects of them: the entropy of its probabilities, in nats.
fn losses(spec: &Spec, metric: Metric, predictions: &Predictions, target: &ColumnData) -> Option<Losses> {
    let actual = row_losses(spec, metric, predictions, target)?;
    let expected = match predictions {
        Predictions::Numbers(_) => vec![0.0; actual.len()],
        Predictions::Probabilities(probabilities) => {
            probabilities.rows().into_iter().map(|row| -row.iter().map(|p| p * p.ln()).sum::<f64>()).collect()
        }
    };
    Some(Losses { actual, expected })
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
    (!target.is_empty()).then_some((Predictions::Probabilities(probabilities), target))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lineage(fit: &str) -> Lineage {
        serde_json::from_str(&format!(r#"{{"batch": "b", "batches": ["a", "b"], "fit": {fit}}}"#)).unwrap()
    }

    #[test]
    fn a_version_made_for_a_change_is_outgrown_by_doubling() {
        let arrived = |rows: &[u64]| -> Vec<Arrived> {
            let names = ["a", "b", "c", "d", "e", "f"].into_iter();
            names.zip(rows).map(|(batch, rows)| Arrived { batch: batch.to_owned(), rows: *rows }).collect()
        };
        let weighted = lineage(r#"{"batches": ["a", "b"], "weighted": 1, "recalibrated": null}"#);
        let recent = lineage(r#"{"batches": ["b"], "weighted": null, "recalibrated": null}"#);
        let recalibrated = lineage(r#"{"batches": ["a"], "weighted": null, "recalibrated": "b"}"#);
        for version in [&weighted, &recent, &recalibrated] {
            let outgrown = |rows: &[u64]| version.outgrown(&arrived(rows)).is_some();
            assert!(!outgrown(&[5_000, 1_000]) && !outgrown(&[5_000, 1_000, 900]));
            assert!(outgrown(&[5_000, 1_000, 1_500]) && outgrown(&[5_000, 1_000, 900, 100]));
            assert!(!outgrown(&[5_000, 1_000, 1_500, 300]) && outgrown(&[5_000, 1_000, 1_500, 300, 300]));
        }
        let all = lineage(r#"{"batches": ["a", "b"], "weighted": null, "recalibrated": null}"#);
        assert_eq!(all.outgrown(&arrived(&[10, 10, 1_000_000])), None);
        assert_eq!(lineage("null").outgrown(&arrived(&[10, 10, 1_000_000])), None);
    }
}
