//! How well a model does on rows whose labels are not known yet.
//!
//! For classes the model's own probabilities say how often it will be wrong (confidence-based estimation), which holds as
//! long as they are calibrated: it follows a shift of the inputs, and cannot see a change of what the inputs mean. For
//! numbers a second model learns how large the errors were on rows with labels (direct loss estimation). Both answer what
//! is to be expected, with the standard error that chance alone gives.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::boosted_trees::{Binning, Loss, Trees};
use crate::{Error, Values};

/// A figure and how far the realised one will be from it by chance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// What is to be expected.
    pub value: f64,
    /// Standard deviation of the realised figure around it.
    pub standard_error: f64,
}

/// What calibrated probabilities promise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExpectedClassification {
    /// Rows.
    pub n: usize,
    /// Mean log-loss in nats, 0 or more.
    pub log_loss: Estimate,
    /// Share of rows whose most probable class is the true one.
    pub accuracy: Estimate,
    /// Mean squared error of the probabilities, summed over the classes; halved for two classes, as the binary score is
    /// written.
    pub brier: Estimate,
    /// Of two classes: area under the ROC curve with the second class as the positive one; `None` for others, and where all
    /// rows are of one class for sure.
    pub auc: Option<f64>,
    /// Of two classes: F1 of the second class when rows are called it from a probability of 0.5.
    pub f1: Option<f64>,
}

/// What to expect of a classifier from its probabilities alone, each row's label being drawn by them.
///
/// # Shapes
/// `probabilities` is `[n_rows, n_classes]`, rows adding up to 1, two classes or more.
///
/// # NaN policy
/// A probability outside [0, 1] or a row that does not add up to 1 within 1e-6 is refused, NaN included.
///
/// # Errors
/// [`Error::NoRows`] and [`Error::Probabilities`].
///
/// # Source
/// Confidence-based performance estimation: Białek, Kuberski, Perrakis, Bifet (2024), arXiv:2407.08649.
///
/// ```
/// let probabilities = ndarray::array![[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]];
/// let expected = drift::performance::expected_classification(&probabilities).unwrap();
/// assert!((expected.accuracy.value - (0.9 + 0.8 + 0.7) / 3.0).abs() < 1e-12);
/// assert!((expected.brier.value - (0.09 + 0.16 + 0.21) / 3.0).abs() < 1e-12); // mean of p (1 - p)
/// ```
pub fn expected_classification(probabilities: &Array2<f64>) -> Result<ExpectedClassification, Error> {
    let n = probabilities.nrows();
    if n == 0 {
        return Err(Error::NoRows { side: "batch" });
    }
    let (mut log_loss, mut accuracy, mut brier) = (Sum::default(), Sum::default(), Sum::default());
    let is_binary = probabilities.ncols() == 2;
    for (row, classes) in probabilities.rows().into_iter().enumerate() {
        let is_share = |p: &f64| (0.0..=1.0).contains(p);
        if classes.len() < 2 || !classes.iter().all(is_share) || (classes.sum() - 1.0).abs() > 1e-6 {
            return Err(Error::Probabilities { row });
        }
        let squares: f64 = classes.iter().map(|p| p * p).sum();
        log_loss.add(classes.iter().filter(|p| **p > 0.0).map(|&p| (p, -p.ln())));
        let highest = classes.iter().copied().fold(0.0, f64::max);
        accuracy.add([(highest, 1.0), (1.0 - highest, 0.0)].into_iter());
        let scale = if is_binary { 0.5 } else { 1.0 };
        brier.add(classes.iter().map(|&p| (p, scale * (squares - 2.0 * p + 1.0))));
    }
    let positive = is_binary.then(|| probabilities.column(1).to_vec());
    Ok(ExpectedClassification {
        n,
        log_loss: log_loss.mean(n),
        accuracy: accuracy.mean(n),
        brier: brier.mean(n),
        auc: positive.as_deref().and_then(expected_auc),
        f1: positive.as_deref().map(expected_f1),
    })
}

/// Mean and variance of a sum of independent terms.
#[derive(Default)]
struct Sum {
    mean: f64,
    variance: f64,
}

impl Sum {
    /// Adds a term that takes each value with its probability.
    fn add(&mut self, outcomes: impl Iterator<Item = (f64, f64)>) {
        let (mean, square) =
            outcomes.fold((0.0, 0.0), |(mean, square), (p, value)| (mean + p * value, square + p * value * value));
        self.mean += mean;
        self.variance += (square - mean * mean).max(0.0);
    }

    fn mean(&self, n: usize) -> Estimate {
        let n = n as f64;
        Estimate { value: self.mean / n, standard_error: self.variance.sqrt() / n }
    }
}

/// The expected share of pairs in which the positive row has the higher probability; ties count half.
fn expected_auc(positive: &[f64]) -> Option<f64> {
    let mut rising = positive.to_vec();
    rising.sort_unstable_by(f64::total_cmp);
    let (mut negatives_below, mut pairs, mut positives) = (0.0, 0.0, 0.0);
    for tied in rising.chunk_by(|a, b| a == b) {
        let (p, count) = (tied[0], tied.len() as f64);
        let (here, negatives) = (p * count, (1.0 - p) * count);
        // A row is in no pair with itself.
        pairs += here * negatives_below + (here * negatives - count * p * (1.0 - p)) / 2.0;
        negatives_below += negatives;
        positives += here;
    }
    let own: f64 = positive.iter().map(|p| p * (1.0 - p)).sum();
    let all = positives * negatives_below - own;
    (all > 0.0).then(|| pairs / all)
}

fn expected_f1(positive: &[f64]) -> f64 {
    let called = positive.iter().filter(|p| **p >= 0.5);
    let (hits, n_called) = called.fold((0.0, 0.0), |(hits, n), p| (hits + p, n + 1.0));
    let n_positive: f64 = positive.iter().sum();
    if n_called + n_positive > 0.0 { 2.0 * hits / (n_called + n_positive) } else { 0.0 }
}

/// A model of another model's loss, learnt from rows with labels.
#[derive(Clone, Debug)]
pub struct LossModel {
    columns: Vec<String>,
    binning: Binning,
    trees: Trees,
    /// Variance of a loss around what is expected of it, by rows that were not learnt from.
    residual_variance: f64,
    /// Squared standard error of the model's own mean.
    mean_variance: f64,
}

impl LossModel {
    /// Learns how large the loss is at which inputs.
    ///
    /// # Shapes
    /// `columns` are the inputs, and best the prediction, too; all `[n_rows]`, as `losses`, whose unit is the caller's:
    /// absolute errors give an estimate of the mean absolute error, squared ones of the mean squared error.
    ///
    /// # Errors
    /// [`Error::TooFewRows`] below 100 rows, [`Error::UnequalLengths`], [`Error::NotFinite`] for a loss that is not.
    ///
    /// # Source
    /// Direct loss estimation, as in NannyML 0.13; Jiang, Kim, Gupta, Guan (2018), arXiv:1805.11783, for what a second model
    /// of trust sees.
    pub fn fit(columns: &[(String, Values<'_>)], losses: &[f64]) -> Result<LossModel, Error> {
        const LEAST: usize = 100;
        let n = losses.len();
        if n < LEAST {
            return Err(Error::TooFewRows { rows: n, least: LEAST });
        }
        if let Some((column, values)) = columns.iter().find(|(_, values)| values.len() != n) {
            return Err(Error::UnequalLengths { column: column.clone(), rows: values.len(), expected: n });
        }
        if let Some(row) = losses.iter().position(|loss| !loss.is_finite()) {
            return Err(Error::NotFinite { row });
        }
        let values: Vec<Values<'_>> = columns.iter().map(|(_, values)| *values).collect();
        let binning = Binning::of(&values);
        let binned = binning.bin(&values);
        // Every second row in turn: rows may come in an order, and halves of it would differ.
        let half = |parity: u32| (0..n as u32).filter(|row| row % 2 == parity).collect::<Vec<u32>>();
        let halves = [half(0), half(1)];
        let mut residual = 0.0;
        for (learn, test) in [(&halves[0], &halves[1]), (&halves[1], &halves[0])] {
            let trees = Trees::fit(&binned, learn, losses, Loss::Squares);
            residual +=
                test.iter().map(|&row| (losses[row as usize] - trees.output(&binned, row)).powi(2)).sum::<f64>();
        }
        let all: Vec<u32> = (0..n as u32).collect();
        let residual_variance = residual / n as f64;
        Ok(LossModel {
            columns: columns.iter().map(|(name, _)| name.clone()).collect(),
            trees: Trees::fit(&binned, &all, losses, Loss::Squares),
            binning,
            residual_variance,
            mean_variance: residual_variance / n as f64,
        })
    }

    /// The mean loss to be expected on other rows.
    ///
    /// # Errors
    /// [`Error::MissingColumn`] unless `columns` are those that were learnt from, in that order; [`Error::NoRows`].
    pub fn estimate(&self, columns: &[(String, Values<'_>)]) -> Result<Estimate, Error> {
        for (idx, name) in self.columns.iter().enumerate() {
            if columns.get(idx).is_none_or(|(other, _)| other != name) {
                return Err(Error::MissingColumn { column: name.clone() });
            }
        }
        let n = columns.first().map_or(0, |(_, values)| values.len());
        if n == 0 {
            return Err(Error::NoRows { side: "batch" });
        }
        let values: Vec<Values<'_>> = columns.iter().map(|(_, values)| *values).collect();
        let binned = self.binning.bin(&values);
        let value = (0..n as u32).map(|row| self.trees.output(&binned, row)).sum::<f64>() / n as f64;
        let variance = self.residual_variance / n as f64 + self.mean_variance;
        Ok(Estimate { value, standard_error: variance.sqrt() })
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn calibrated_probabilities_tell_what_comes_true() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let n = 40_000;
        let p: Vec<f64> = (0..n).map(|_| rng.random::<f64>().powi(2)).collect();
        let labels: Vec<bool> = p.iter().map(|p| rng.random::<f64>() < *p).collect();
        let both = Array2::from_shape_fn((n, 2), |(row, class)| if class == 1 { p[row] } else { 1.0 - p[row] });
        let expected = expected_classification(&both).unwrap();
        let mean =
            |of: &dyn Fn(f64, bool) -> f64| p.iter().zip(&labels).map(|(&p, &l)| of(p, l)).sum::<f64>() / n as f64;
        let realised = [
            (expected.log_loss, mean(&|p, l| -(if l { p } else { 1.0 - p }).ln())),
            (expected.accuracy, mean(&|p, l| f64::from(u8::from((p >= 0.5) == l)))),
            (expected.brier, mean(&|p, l| (p - f64::from(u8::from(l))).powi(2))),
        ];
        for (estimate, realised) in realised {
            let z = (realised - estimate.value) / estimate.standard_error;
            assert!(z.abs() < 3.5 && estimate.standard_error > 0.0, "{estimate:?}, {realised}");
        }
        let (mut below, mut pairs) = (0.0, 0.0);
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
        for row in order {
            if labels[row] { pairs += below } else { below += 1.0 }
        }
        let auc = pairs / (below * (n as f64 - below));
        assert!((expected.auc.unwrap() - auc).abs() < 0.01, "{auc}, {expected:?}");
        let (hits, called) = p
            .iter()
            .zip(&labels)
            .filter(|(p, _)| **p >= 0.5)
            .fold((0.0, 0.0), |(h, c), (_, &l)| (h + f64::from(u8::from(l)), c + 1.0));
        let positives = labels.iter().filter(|l| **l).count() as f64;
        assert!((expected.f1.unwrap() - 2.0 * hits / (called + positives)).abs() < 0.01);
    }

    #[test]
    fn three_classes_and_bad_probabilities() {
        let three = ndarray::array![[0.5, 0.3, 0.2], [0.0, 0.0, 1.0]];
        let expected = expected_classification(&three).unwrap();
        assert_eq!((expected.accuracy.value, expected.auc), (0.75, None));
        let entropy = -(0.5 * 0.5_f64.ln() + 0.3 * 0.3_f64.ln() + 0.2 * 0.2_f64.ln());
        assert!((expected.log_loss.value - entropy / 2.0).abs() < 1e-12);
        for bad in [ndarray::array![[0.5, 0.6]], ndarray::array![[f64::NAN, 1.0]], ndarray::array![[1.0]]] {
            assert!(matches!(expected_classification(&bad), Err(Error::Probabilities { row: 0 })));
        }
    }

    #[test]
    fn a_loss_model_follows_the_inputs_to_where_errors_are_larger() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        // The error is three times as large for x above one half, whose share goes from 0.3 to 0.8.
        let mut draw = |n: usize, share: f64| -> (Vec<f64>, Vec<f64>) {
            let x: Vec<f64> = (0..n)
                .map(|_| rng.random::<f64>() / 2.0 + if rng.random::<f64>() < share { 0.5 } else { 0.0 })
                .collect();
            let losses = x.iter().map(|x| rng.random::<f64>() * if *x > 0.5 { 6.0 } else { 2.0 }).collect();
            (x, losses)
        };
        let ((x, losses), (later, later_losses)) = (draw(6_000, 0.3), draw(5_000, 0.8));
        let columns = |x| [("x".to_string(), Values::Numbers(x))];
        let model = LossModel::fit(&columns(&x), &losses).unwrap();
        let estimate = model.estimate(&columns(&later)).unwrap();
        let realised = later_losses.iter().sum::<f64>() / later_losses.len() as f64;
        assert!((estimate.value - realised).abs() < 4.0 * estimate.standard_error, "{estimate:?}, {realised}");
        assert!(estimate.value > 2.4 && estimate.standard_error < 0.05, "{estimate:?}");
        assert!(model.estimate(&[("z".to_string(), Values::Numbers(&later))]).is_err());
        assert!(matches!(LossModel::fit(&columns(&x[..50]), &losses[..50]), Err(Error::TooFewRows { .. })));
    }
}
