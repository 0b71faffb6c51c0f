//! Columns that know the answer.
//!
//! A column is a leak when it alone predicts the target almost perfectly on rows it was not fitted on: AUC (for several
//! classes the mean over classes, each against the rest) or R² above [`THRESHOLD`]. The predictor is the mean target of each
//! bin: numbers in bins of equal count, text by level, missing cells in a bin of their own. Real inputs are never that
//! good; a column that was filled in after the fact, or computed from the target, is.

use dataset::{Cells, TableColumn};
use spec::{Categories, MISSING_CODE};

use super::target::{Goal, GoalKind};

/// AUC or R² beyond which a column is no input.
const THRESHOLD: f64 = 0.99;
/// Most bins of a column of numbers.
const MAX_BINS: usize = 200;
/// Rows to fit a bin on, on average.
const ROWS_PER_BIN: usize = 10;
/// Fewest rows with a target for a verdict.
const MIN_ROWS: usize = 100;

/// Why a column is a leak, if it is.
pub(super) fn leak(column: &TableColumn, goal: &Goal) -> Option<String> {
    let n_rows = match &goal.kind {
        GoalKind::Classes { of_row, .. } => of_row.iter().flatten().count(),
        GoalKind::Number { values, .. } => values.iter().filter(|value| value.is_finite()).count(),
    };
    if n_rows < MIN_ROWS {
        return None;
    }
    let bins = bins(column, n_rows);
    match &goal.kind {
        GoalKind::Classes { classes, of_row, .. } => {
            // Of two classes one against the other says it all.
            let first = usize::from(classes.len() == 2);
            let aucs: Vec<f64> = (first..classes.len())
                .filter_map(|class| {
                    let labels: Vec<f64> = of_row
                        .iter()
                        .map(|row| row.map_or(f64::NAN, |row| f64::from(u8::from(row == class))))
                        .collect();
                    auc(&scored(&bins, &labels))
                })
                .collect();
            let mean = aucs.iter().sum::<f64>() / aucs.len() as f64;
            (mean > THRESHOLD).then(|| format!("leak: alone it tells the target of unseen rows with AUC {mean:.4}"))
        }
        GoalKind::Number { values, .. } => {
            let r2 = r2(&scored(&bins, values))?;
            (r2 > THRESHOLD).then(|| format!("leak: alone it tells the target of unseen rows with R² {r2:.4}"))
        }
    }
}

/// Per row the bin of its cell.
fn bins(column: &TableColumn, n_rows: usize) -> Vec<usize> {
    match &column.cells {
        Cells::Booleans(values) => values.iter().map(|value| value.map_or(0, |value| 1 + usize::from(value))).collect(),
        Cells::Text(Categories { codes, .. }) => {
            codes.iter().map(|code| if *code == MISSING_CODE { 0 } else { *code as usize + 1 }).collect()
        }
        Cells::Numbers(numbers) => {
            let mut sorted: Vec<f64> = numbers.iter().copied().filter(|number| !number.is_nan()).collect();
            sorted.sort_by(f64::total_cmp);
            let n_bins = (n_rows / (2 * ROWS_PER_BIN)).clamp(2, MAX_BINS);
            let mut edges: Vec<f64> =
                (1..n_bins).filter_map(|bin| sorted.get(bin * sorted.len() / n_bins)).copied().collect();
            edges.dedup();
            let bin = |number: f64| if number.is_nan() { 0 } else { 1 + edges.partition_point(|edge| *edge <= number) };
            numbers.iter().map(|number| bin(*number)).collect()
        }
    }
}

/// Pairs of prediction and target on every second row, from the means of the other rows' bins. Which rows those are goes by
/// a hash of the row number, so that an order or a period of the file does not matter.
fn scored(bins: &[usize], targets: &[f64]) -> Vec<(f64, f64)> {
    let is_fitted = |row: usize| (row as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 63 == 0;
    let n_bins = bins.iter().max().map_or(0, |bin| bin + 1);
    let mut sums = vec![(0.0, 0.0); n_bins];
    let mut all = (0.0, 0.0);
    let rows = || bins.iter().zip(targets).enumerate().filter(|(_, (_, target))| target.is_finite());
    for (_, (bin, target)) in rows().filter(|(row, _)| is_fitted(*row)) {
        for sum in [&mut sums[*bin], &mut all] {
            sum.0 += target;
            sum.1 += 1.0;
        }
    }
    let mean = |(sum, n): (f64, f64)| if n > 0.0 { sum / n } else { all.0 / all.1 };
    rows().filter(|(row, _)| !is_fitted(*row)).map(|(_, (bin, target))| (mean(sums[*bin]), *target)).collect()
}

/// Area under the ROC curve, ties counted half; none without both classes.
fn auc(pairs: &[(f64, f64)]) -> Option<f64> {
    let mut pairs = pairs.to_vec();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut negatives, mut positives, mut area) = (0.0, 0.0, 0.0);
    for tied in pairs.chunk_by(|a, b| a.0 == b.0) {
        let n_positive = tied.iter().filter(|pair| pair.1 > 0.5).count() as f64;
        let n_negative = tied.len() as f64 - n_positive;
        area += n_positive * (negatives + n_negative / 2.0);
        negatives += n_negative;
        positives += n_positive;
    }
    (negatives > 0.0 && positives > 0.0).then(|| area / (negatives * positives))
}

/// Share of the target's variance that is explained; none without any.
fn r2(pairs: &[(f64, f64)]) -> Option<f64> {
    let mean = pairs.iter().map(|pair| pair.1).sum::<f64>() / pairs.len() as f64;
    let total: f64 = pairs.iter().map(|pair| (pair.1 - mean).powi(2)).sum();
    let left: f64 = pairs.iter().map(|pair| (pair.1 - pair.0).powi(2)).sum();
    (total > 0.0).then(|| 1.0 - left / total)
}
