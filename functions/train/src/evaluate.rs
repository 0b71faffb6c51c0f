//! Cross-validation: how good the models are that a spec's settings lead to, on rows that they have not seen.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;
use model::Predictor;
use serde::{Deserialize, Serialize};
use spec::{Batch, Metric, Spec};

use crate::Error;
use crate::fit::{KEEP_NOTHING, fit_batch};
use crate::search::{NoTrialKeeper, Search};

pub use crate::folds::Fold;

/// A metric over folds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Mean over the folds.
    pub mean: f64,
    /// Standard deviation over the folds (ddof 1) by the root of their number. Folds share train rows, so this is a little
    /// too small. None of a single fold.
    pub standard_error: Option<f64>,
    /// The metric on each fold, in the order of the folds.
    pub folds: Vec<f64>,
}

/// Out-of-fold metrics of a spec's models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Rows that were used.
    pub rows: usize,
    /// Each metric that the task has and every fold defines.
    pub metrics: IndexMap<Metric, Estimate>,
}

impl Estimate {
    /// Mean and standard error of a metric's values on folds.
    ///
    /// ```
    /// let estimate = train::evaluate::Estimate::of(vec![1.0, 2.0, 3.0]);
    /// assert_eq!((estimate.mean, estimate.standard_error), (2.0, Some((1.0_f64 / 3.0).sqrt())));
    /// ```
    pub fn of(folds: Vec<f64>) -> Self {
        let n = folds.len() as f64;
        let mean = folds.iter().sum::<f64>() / n;
        let squares: f64 = folds.iter().map(|fold| (fold - mean).powi(2)).sum();
        let standard_error = (folds.len() > 1).then(|| (squares / (n - 1.0) / n).sqrt());
        Self { mean, standard_error, folds }
    }
}

/// Fits a model on each fold's train rows, and measures it on its test rows. Encoders and readouts are fitted on the train
/// rows only, and so are the settings where the spec asks for a search: each fold has its own. Metrics count each row once,
/// whatever its weight.
///
/// No fold may be empty. `observer` hears how many are done. The fold with most train rows comes last, when they need no
/// second place in memory.
///
/// # Errors
/// Those of a fit.
pub fn cross_validate(
    spec: &Arc<Spec>,
    rows: Batch,
    folds: &[Fold],
    observer: &mut dyn FnMut(usize),
) -> Result<Evaluation, Error> {
    let n_rows = rows.n_rows();
    let mut order: Vec<usize> = (0..folds.len()).collect();
    order.sort_by_key(|fold| folds[*fold].train.len());
    let mut by_metric: IndexMap<Metric, BTreeMap<usize, f64>> = IndexMap::new();
    let mut measure = |fold: usize, train: Batch, test: Batch| -> Result<(), Error> {
        let predictor = fit_predictor(spec, &train)?;
        if let Some(target) = test.target() {
            for (metric, value) in model::evaluate(spec, &predictor.predict(&test), target) {
                by_metric.entry(metric).or_default().insert(fold, value);
            }
        }
        Ok(())
    };
    if let Some((last, others)) = order.split_last() {
        for (done, fold) in others.iter().enumerate() {
            let Fold { train, test } = &folds[*fold];
            measure(*fold, rows.select(train), rows.select(test))?;
            observer(done + 1);
        }
        let Fold { train, test } = &folds[*last];
        let test = rows.select(test);
        measure(*last, rows.into_select(train), test)?;
        observer(folds.len());
    }
    by_metric.retain(|_, values| values.len() == folds.len());
    let estimate = |values: BTreeMap<usize, f64>| Estimate::of(values.into_values().collect());
    let metrics = by_metric.into_iter().map(|(metric, values)| (metric, estimate(values))).collect();
    Ok(Evaluation { rows: n_rows, metrics })
}

/// The model that a spec's settings lead to on some rows, without store or job; after a search, where it asks for one.
///
/// # Errors
/// Those of a fit.
pub fn fit_predictor(spec: &Arc<Spec>, rows: &Batch) -> Result<Predictor, Error> {
    let found = Search::of(spec, rows, &NoTrialKeeper)?;
    let settled = found.map_or_else(|| Arc::clone(spec), |found| found.settled(spec));
    let (encoder, fitted) = fit_batch(&settled, rows, settled.train.members, &|| false, &KEEP_NOTHING)?;
    Ok(Predictor::new(Arc::clone(spec), encoder, &fitted.weights)?)
}

#[cfg(test)]
mod tests {
    use model::Predictions;
    use spec::{BatchBuilder, Kind, Value};

    use super::*;

    fn spec(target: &str, train: &str) -> Arc<Spec> {
        let text = format!(
            "name: e\n{target}\ncolumns: {{x: {{kind: number}}}}\ntrain: {{kinds: [coarse], members: 2, hidden: 16, bins: 4, \
             epochs: 12, {train}}}\n"
        );
        Arc::new(Spec::parse(&text).unwrap())
    }

    const CLASSES: &str = "task: binary\ntarget: {column: y, classes: [common, rare]}";

    /// Rows of two classes, one of which is rare and grows with `x`.
    fn imbalanced(n_rows: usize) -> Batch {
        let mut rows = BatchBuilder::new([Kind::Number], Some(Kind::Category), false);
        for row in 0..n_rows {
            let x = (row * 37 % 100) as f64;
            let is_rare = (row * 61 % 499) as f64 / 499.0 < x / 500.0;
            let label = if is_rare { "rare" } else { "common" };
            rows.push(&[Value::Number(x)], &Value::Level(label.to_owned()), f64::NAN);
        }
        rows.finish()
    }

    fn probabilities(spec: &Arc<Spec>, rows: &Batch) -> Vec<f64> {
        match fit_predictor(spec, rows).unwrap().predict(rows) {
            Predictions::Probabilities(probabilities) => probabilities.values.column(1).to_vec(),
            Predictions::Numbers(numbers) => numbers,
        }
    }

    #[test]
    fn class_weights_teach_and_do_not_answer() {
        let rows = imbalanced(1_500);
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let plain = probabilities(&spec(CLASSES, ""), &rows);
        for class_weight in ["class_weight: balanced", "class_weight: {rare: 20}", "class_weight: {common: 5}"] {
            let weighted = probabilities(&spec(CLASSES, class_weight), &rows);
            assert_ne!(weighted, plain, "{class_weight}");
            assert!(
                (mean(&weighted) - mean(&plain)).abs() < 0.02,
                "{class_weight}: {} {}",
                mean(&weighted),
                mean(&plain)
            );
            let apart: Vec<f64> = weighted.iter().zip(&plain).map(|(a, b)| (a - b).abs()).collect();
            assert!(mean(&apart) < 0.05, "{class_weight}: {}", mean(&apart));
        }
    }

    #[test]
    fn a_row_counts_as_much_as_its_weight() {
        let spec = spec("task: regression\ntarget: {column: y, transform: none}", "weight: w");
        let batch = |rows: &[(f64, f64, f64)]| {
            let mut batch = BatchBuilder::new([Kind::Number], Some(Kind::Number), false);
            rows.iter().for_each(|(x, y, _)| batch.push(&[Value::Number(*x)], &Value::Number(*y), f64::NAN));
            batch.finish().with_weight(Some(rows.iter().map(|(_, _, weight)| *weight).collect()))
        };
        // Of two answers to the same question one counts four times as much.
        let rows: Vec<(f64, f64, f64)> =
            (0..400).map(|row| ((row / 2 % 20) as f64, [0.0, 10.0][row % 2], [0.5, 2.0][row % 2])).collect();
        let answers = probabilities(&spec, &batch(&rows));
        let mean = answers.iter().sum::<f64>() / answers.len() as f64;
        assert!((mean - 8.0).abs() < 0.7, "{mean}");
        // The unit of weights does not matter, and rows without any are as if they were not there.
        let others = (0..50).map(|row| (f64::from(row), 1e6, 0.0));
        let scaled: Vec<_> = rows.iter().map(|(x, y, weight)| (*x, *y, 4.0 * weight)).chain(others).collect();
        assert_eq!(probabilities(&spec, &batch(&scaled))[..400], answers);
    }

    #[test]
    fn positive_numbers_are_answered_by_their_mean() {
        let text = "name: e\ntask: regression\ntarget: {column: y}\ncolumns: {x: {kind: number}}\ntrain: {kinds: [fine], members: \
                    2, hidden: 16, epochs: 60}\n";
        let spec = Arc::new(Spec::parse(text).unwrap());
        let mut rows = BatchBuilder::new([Kind::Number], Some(Kind::Number), false);
        for row in 0..1_000_usize {
            let x = (row * 37 % 100) as f64;
            // One in ten costs a hundred times as much as the others; the middle of the logarithms lies far below the mean.
            let price = if row / 100 == 0 { 100.0 } else { 1.0 };
            rows.push(&[Value::Number(x)], &Value::Number(price * (1.0 + x / 100.0)), f64::NAN);
        }
        let rows = rows.finish();
        let answers = probabilities(&spec, &rows);
        let mean = answers.iter().sum::<f64>() / answers.len() as f64;
        // 10.9 times the mean of 1 + x / 100; by squared errors of logarithms it would be 1.6 times.
        assert!((mean / (10.9 * 1.495) - 1.0).abs() < 0.2, "{mean}");
    }

    #[test]
    fn rows_with_a_time_are_measured_on_what_comes_next() {
        // What is learnt stops being right with time; only a draw of rows does not notice.
        let mut rows = BatchBuilder::new([Kind::Number], Some(Kind::Number), true);
        for row in 0..600 {
            let x = (row * 37 % 100) as f64;
            rows.push(&[Value::Number(x)], &Value::Number(x + row as f64 / 2.0), row as f64);
        }
        let (rows, spec) =
            (rows.finish(), spec("task: regression\ntarget: {column: y, transform: none}\ntime: day", ""));
        let rmse = |folds: &[Fold]| {
            let mut done = 0;
            let evaluation = cross_validate(&spec, rows.clone(), folds, &mut |fold| done = fold).unwrap();
            assert_eq!((done, evaluation.rows), (folds.len(), 600));
            evaluation.metrics[&Metric::Rmse].mean
        };
        let (forward, drawn) = (rmse(&Fold::of(&rows, 3, 7)), rmse(&Fold::stratified(&rows, 3, 7)));
        assert!(forward > 1.1 * drawn, "{forward} {drawn}");
    }
}
