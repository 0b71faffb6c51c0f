//! Where a regression is off, and whether its intervals keep their word.

use serde::{Deserialize, Serialize};

use super::groups::quarters;
use super::stats::{mean, quantile, sorted};

/// The levels at which residuals are told.
const LEVELS: [f64; 7] = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99];

/// The residuals of a regression, `truth - prediction`, in target units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Residuals {
    /// Their mean: above zero where predictions are too low.
    pub mean: f64,
    /// Their quantiles.
    pub quantiles: Vec<Quantile>,
    /// By quarter of the prediction, in rising order.
    pub by_prediction: Vec<ResidualGroup>,
    /// Of the prediction intervals, where predictions carry some.
    pub interval: Option<Coverage>,
}

/// A quantile.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Quantile {
    /// Share of values at or below it, 0 to 1.
    pub level: f64,
    /// The value.
    pub value: f64,
}

/// The residuals of rows with similar predictions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ResidualGroup {
    /// The range of the predictions.
    pub predictions: String,
    /// Rows.
    pub rows: usize,
    /// Mean residual.
    pub mean: f64,
    /// Mean absolute residual.
    pub mae: f64,
    /// Root of the mean squared residual.
    pub rmse: f64,
}

/// What became of prediction intervals.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// Share of rows that the intervals are made to hold.
    pub confidence: f64,
    /// Rows with a truth.
    pub rows: usize,
    /// Share of rows whose truth lies in its interval, ends included.
    pub coverage: f64,
    /// Mean width, in target units.
    pub mean_width: f64,
}

/// The residuals of rows; none where no row has a truth.
///
/// # Shapes
/// `predictions` and `truths`, NaN where missing: `[n_rows]` each.
pub(super) fn residuals(predictions: &[f64], truths: &[f64], interval: Option<Coverage>) -> Option<Residuals> {
    let rows = predictions.iter().zip(truths).filter(|(_, truth)| !truth.is_nan());
    let (predictions, residuals): (Vec<f64>, Vec<f64>) =
        rows.map(|(prediction, truth)| (*prediction, truth - prediction)).unzip();
    let ordered = sorted(&residuals);
    let by_prediction = quarters(&predictions).into_iter().filter_map(|group| {
        let of_group: Vec<f64> = group.rows.iter().map(|row| residuals[*row]).collect();
        let absolute: Vec<f64> = of_group.iter().map(|residual| residual.abs()).collect();
        let squared: Vec<f64> = of_group.iter().map(|residual| residual.powi(2)).collect();
        Some(ResidualGroup {
            predictions: group.name,
            rows: of_group.len(),
            mean: mean(&of_group)?,
            mae: mean(&absolute)?,
            rmse: mean(&squared)?.sqrt(),
        })
    });
    Some(Residuals {
        mean: mean(&residuals)?,
        quantiles: quantiles(&ordered, &LEVELS),
        by_prediction: by_prediction.collect(),
        interval,
    })
}

/// The quantiles of sorted numbers at these levels; none without numbers.
pub(super) fn quantiles(sorted: &[f64], levels: &[f64]) -> Vec<Quantile> {
    levels.iter().filter_map(|level| Some(Quantile { level: *level, value: quantile(sorted, *level)? })).collect()
}

/// How often prediction intervals hold the truth, and how wide they are; none where no row has a truth.
///
/// # Shapes
/// `lower`, `upper` and `truths`, NaN where missing: `[n_rows]` each. `confidence` lies in (0, 1).
///
/// # Panics
/// When the numbers of rows differ: that is a bug of the caller, who has mixed up two sets of rows.
///
/// ```
/// use train::evidence::coverage;
///
/// let coverage = coverage(0.9, &[0.0, 1.0, 2.0], &[2.0, 3.0, 6.0], &[2.0, 0.5, f64::NAN]).unwrap();
/// assert_eq!((coverage.rows, coverage.coverage, coverage.mean_width), (2, 0.5, 2.0));
/// ```
pub fn coverage(confidence: f64, lower: &[f64], upper: &[f64], truths: &[f64]) -> Option<Coverage> {
    assert!(lower.len() == truths.len() && upper.len() == truths.len(), "intervals and truths are of the same rows");
    let rows: Vec<usize> = (0..truths.len()).filter(|row| !truths[*row].is_nan()).collect();
    let held = rows.iter().filter(|row| (lower[**row]..=upper[**row]).contains(&truths[**row])).count();
    let widths: Vec<f64> = rows.iter().map(|row| upper[*row] - lower[*row]).collect();
    Some(Coverage {
        confidence,
        rows: rows.len(),
        mean_width: mean(&widths)?,
        coverage: held as f64 / rows.len() as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn residuals_by_hand() {
        let predictions = [1.0, 2.0, 3.0, 4.0, 9.0];
        let residuals = residuals(&predictions, &[2.0, 2.0, 1.0, 8.0, f64::NAN], None).unwrap();
        assert_eq!(residuals.mean, 0.75);
        let median = residuals.quantiles.iter().find(|quantile| quantile.level == 0.5).unwrap();
        assert_eq!(median.value, 0.5, "of -2, 0, 1 and 4");
        let last = residuals.by_prediction.last().unwrap();
        assert_eq!((last.rows, last.mean, last.mae, last.rmse), (1, 4.0, 4.0, 4.0));
        assert_eq!(residuals.by_prediction[2].mean, -2.0, "predictions of the third quarter are too high");
        assert_eq!(super::residuals(&[1.0], &[f64::NAN], None), None);
    }

    #[test]
    fn intervals_without_truths_have_no_coverage() {
        assert_eq!(coverage(0.9, &[0.0], &[1.0], &[f64::NAN]), None);
        assert_eq!(coverage(0.9, &[0.0], &[1.0], &[1.0]).unwrap().coverage, 1.0, "the ends are inside");
    }
}
