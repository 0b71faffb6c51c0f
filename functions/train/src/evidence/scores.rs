//! Metrics with their standard errors, and by group.

use indexmap::IndexMap;
use model::{Predictions, evaluate};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use spec::{Batch, ColumnData, Kind, Metric, Spec};

use super::groups::groups;
use super::stats::standard_deviation;

/// How many resamples a standard error rests on: its own relative error is then about 5 %.
const RESAMPLES: u64 = 200;

/// Most rows that one resample draws.
const MAX_DRAWN: usize = 5_000;

/// A metric and how far it may be off by chance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The metric on the hold-out rows.
    pub value: f64,
    /// Its bootstrap standard error; none where a resample in ten or more has no such metric.
    pub standard_error: Option<f64>,
}

/// The metrics of a column's groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupedMetrics {
    /// The column.
    pub column: String,
    /// Its groups of 30 rows or more: levels, most frequent first, or quarters, in rising order.
    pub groups: Vec<GroupMetrics>,
}

/// The metrics of one group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupMetrics {
    /// A level, or a range.
    pub group: String,
    /// Its rows.
    pub rows: usize,
    /// Its metrics.
    pub metrics: IndexMap<Metric, f64>,
}

/// The task's metrics, each with its bootstrap standard error.
///
/// Rows are drawn with replacement, 200 times. Above 5,000 rows a resample draws 5,000 of them, and the standard deviation
/// over the resamples is scaled by `sqrt(drawn / rows)` to what as many draws as rows would have.
///
/// # Shapes
/// `predictions` and `target` are of the same rows, in the same order.
///
/// # Source
/// B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 6; draws of fewer rows: P. J. Bickel,
/// F. Götze and W. R. van Zwet, "Resampling fewer than n observations", Statistica Sinica 7 (1997).
pub(super) fn estimates(
    spec: &Spec,
    predictions: &Predictions,
    target: &ColumnData,
    seed: u64,
) -> IndexMap<Metric, Estimate> {
    let values = evaluate(spec, predictions, target);
    let n_rows = predictions.n_rows();
    let n_drawn = n_rows.min(MAX_DRAWN);
    let mut resampled: IndexMap<Metric, Vec<f64>> = values.keys().map(|metric| (*metric, Vec::new())).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..if n_rows > 1 { RESAMPLES } else { 0 } {
        let drawn: Vec<usize> = (0..n_drawn).map(|_| rng.random_range(0..n_rows)).collect();
        for (metric, value) in evaluate(spec, &predictions.select(&drawn), &target.select(&drawn)) {
            if let Some(values) = resampled.get_mut(&metric) {
                values.push(value);
            }
        }
    }
    let scale = (n_drawn as f64 / n_rows.max(1) as f64).sqrt();
    let standard_error = |metric: &Metric| {
        let values = resampled.get(metric).filter(|values| values.len() as u64 * 10 > RESAMPLES * 9)?;
        Some(standard_deviation(values)? * scale)
    };
    values
        .iter()
        .map(|(metric, value)| (*metric, Estimate { value: *value, standard_error: standard_error(metric) }))
        .collect()
}

/// The metrics of each group of each raw column but times.
pub(super) fn by_group(
    spec: &Spec,
    predictions: &Predictions,
    holdout: &Batch,
    target: &ColumnData,
) -> Vec<GroupedMetrics> {
    let columns = spec.columns.iter().zip(holdout.columns()).filter(|((_, column), _)| column.kind != Kind::Time);
    let grouped = columns.map(|((name, _), cells)| GroupedMetrics {
        column: name.clone(),
        groups: groups(cells)
            .into_iter()
            .map(|group| GroupMetrics {
                rows: group.rows.len(),
                metrics: evaluate(spec, &predictions.select(&group.rows), &target.select(&group.rows)),
                group: group.name,
            })
            .collect(),
    });
    grouped.filter(|column| !column.groups.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> Spec {
        Spec::parse("name: demo\ntask: regression\ntarget: {column: y}\ncolumns: {x: {kind: category}}\n").unwrap()
    }

    /// Errors of -1 and 1 by turns: the squared error has no spread, and the mean absolute error has none.
    fn rows(n_rows: usize, error: impl Fn(usize) -> f64) -> (Predictions, ColumnData) {
        let truth: Vec<f64> = (0..n_rows).map(|row| (row % 7) as f64).collect();
        let answers = truth.iter().enumerate().map(|(row, truth)| truth + error(row)).collect();
        (Predictions::Numbers(answers), ColumnData::Numbers(truth))
    }

    #[test]
    fn standard_errors_are_those_of_theory() {
        // Absolute errors 0 and 2 by turns: their mean is 1, their standard deviation 1, its standard error 1 / sqrt(n).
        for n_rows in [400, 4 * MAX_DRAWN] {
            let (predictions, target) = rows(n_rows, |row| if row % 2 == 0 { 0.0 } else { 2.0 });
            let estimate = estimates(&spec(), &predictions, &target, 1)[&Metric::Mae];
            assert_eq!(estimate.value, 1.0);
            let expected = 1.0 / (n_rows as f64).sqrt();
            // 200 resamples leave 5 % open; three of those.
            assert!((estimate.standard_error.unwrap() / expected - 1.0).abs() < 0.15, "{n_rows}: {estimate:?}");
        }
        let (predictions, target) = rows(100, |row| if row % 2 == 0 { -1.0 } else { 1.0 });
        let estimates = estimates(&spec(), &predictions, &target, 1);
        assert_eq!(estimates[&Metric::Mae], Estimate { value: 1.0, standard_error: Some(0.0) });
        assert_eq!(super::estimates(&spec(), &predictions, &target, 1), estimates, "a seed gives the same numbers");
        let (one, target) = rows(1, |_| 1.0);
        assert_eq!(super::estimates(&spec(), &one, &target, 1)[&Metric::Mae].standard_error, None);
    }

    #[test]
    fn groups_have_metrics_of_their_own() {
        let (predictions, target) = rows(90, |row| if row < 40 { 3.0 } else { 0.5 });
        let codes = (0..90)
            .map(|row| {
                if row < 40 {
                    0
                } else if row < 80 {
                    1
                } else {
                    2
                }
            })
            .collect();
        let levels = ["far", "near", "few"].map(str::to_owned).to_vec();
        let column = ColumnData::Categories(spec::Categories { levels, codes });
        let holdout = Batch::new(vec![column], Some(target.clone()), None, 90);
        let grouped = by_group(&spec(), &predictions, &holdout, &target);
        let seen: Vec<_> =
            grouped[0].groups.iter().map(|group| (&*group.group, group.rows, group.metrics[&Metric::Mae])).collect();
        assert_eq!(seen, [("far", 40, 3.0), ("near", 40, 0.5)]);
    }
}
