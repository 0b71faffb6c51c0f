//! Distillation: rows teach, beside their own target, what members that did not learn from them say of them.
//!
//! # Source
//! Soft targets: G. Hinton, O. Vinyals and J. Dean, "Distilling the knowledge in a neural network" (2015); from a network of the
//! same kind: T. Furlanello et al., "Born-again neural networks", ICML (2018); from members that held the row out: T. Dao et al.,
//! "Knowledge distillation as semiparametric inference", ICLR (2021).

use features::TargetCode;
use model::{Calibration, Predictions};

/// What is said of rows by members that held them out, in the numbers that members learn.
#[derive(Clone, Debug)]
pub struct Guesses {
    /// Numbers of a row: one, or one per class of several.
    width: usize,
    /// Standardised numbers, shares of the positive class, or shares of each class; NaN where nothing is said of a row. Shape
    /// `[n_rows, width]`.
    values: Vec<f32>,
    /// Standardised logarithms of numbers; empty of classes. Shape `[n_rows]`.
    logs: Vec<f32>,
}

impl Guesses {
    /// The guesses for `n_rows` rows that `predictions` for the ones at `rows` make, calibrated as they would be served.
    pub(super) fn new(
        code: &TargetCode,
        n_rows: usize,
        rows: &[usize],
        predictions: &Predictions,
        calibration: Option<&Calibration>,
    ) -> Self {
        let fill = |width: usize, guess: &dyn Fn(usize, usize) -> f64| {
            let mut values = vec![f32::NAN; n_rows * width];
            for (index, row) in rows.iter().enumerate() {
                let of_row = values[row * width..][..width].iter_mut().enumerate();
                of_row.for_each(|(column, value)| *value = guess(index, column) as f32);
            }
            values
        };
        match predictions {
            Predictions::Numbers(numbers) => {
                let on = |log| fill(1, &|index, _| code.standardise(numbers[index], log));
                Self { width: 1, values: on(code.is_log()), logs: on(true) }
            }
            Predictions::Probabilities(probabilities) => {
                let positive = match code {
                    TargetCode::Classes { labels, positive } if labels.len() == 2 => Some(*positive),
                    _ => None,
                };
                let probabilities = &probabilities.values;
                let served = calibration.map(|calibration| calibration.calibrate(probabilities, positive));
                let served = served.as_ref().unwrap_or(probabilities);
                let width = positive.map_or(served.ncols(), |_| 1);
                let values = fill(width, &|index, column| served[[index, positive.unwrap_or(column)]]);
                Self { width, values, logs: Vec::new() }
            }
        }
    }

    /// Moves the targets of `rows`, shape `[n, width]`, a share of the way to the guesses, where there are some: no number
    /// up to zero has a logarithm.
    pub(super) fn soften(&self, rows: &[usize], log: bool, share: f32, targets: &mut [f32]) {
        let guesses = if log { &self.logs } else { &self.values };
        for (targets, row) in targets.chunks_mut(self.width).zip(rows) {
            for (target, guess) in targets.iter_mut().zip(&guesses[row * self.width..]) {
                if guess.is_finite() {
                    *target += share * (guess - *target);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use features::Standard;
    use ndarray::array;

    use super::*;

    #[test]
    fn numbers_move_on_the_scale_that_is_learnt() {
        let code = TargetCode::Number {
            plain: Some(Standard { mean: 10.0, scale: 2.0 }),
            log: Some(Standard { mean: 1.0, scale: 0.5 }),
        };
        let guesses = Guesses::new(&code, 3, &[0, 2], &Predictions::Numbers(vec![14.0, -6.0]), None);
        let softened = |log: bool| {
            let mut targets = [1.0, 1.0, 1.0];
            guesses.soften(&[0, 1, 2], log, 0.25, &mut targets);
            targets
        };
        assert_eq!(softened(false), [1.25, 1.0, -1.25], "of row 1 nothing is said");
        let log = ((14.0_f64.ln() - 1.0) / 0.5) as f32;
        assert_eq!(softened(true), [1.0 + 0.25 * (log - 1.0), 1.0, 1.0], "no number up to zero has a logarithm");
    }

    #[test]
    fn classes_move_towards_what_would_be_served() {
        let of = |labels: &[&str], positive| {
            let labels = labels.iter().map(|label| (*label).to_owned()).collect();
            TargetCode::Classes { labels, positive }
        };
        let calibration = Calibration { slope: 2.0, bend: 0.0, shifts: vec![0.0] };
        let predictions = Predictions::Probabilities(array![[0.8, 0.2], [0.5, 0.5]].into());
        let binary = Guesses::new(&of(&["a", "b"], 0), 2, &[1, 0], &predictions, Some(&calibration));
        let mut targets = [1.0, 0.0];
        binary.soften(&[0, 1], false, 0.5, &mut targets);
        // Odds of 4 to 1 become 16 to 1.
        assert!((targets[0] - 0.75).abs() < 1e-6 && (targets[1] - 0.5 * 16.0 / 17.0).abs() < 1e-6, "{targets:?}");
        let predictions = Predictions::Probabilities(array![[0.5, 0.25, 0.25]].into());
        let several = Guesses::new(&of(&["a", "b", "c"], 0), 2, &[1], &predictions, None);
        let mut targets = [0.0, 0.0, 1.0, 0.0, 1.0, 0.0];
        several.soften(&[1, 0], false, 0.5, &mut targets);
        assert_eq!(targets, [0.25, 0.125, 0.625, 0.0, 1.0, 0.0]);
    }
}
