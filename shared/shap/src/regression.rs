//! Shapley values as the least squares over pairs of opposite coalitions.

use ndarray::Array2;
use rayon::prelude::*;

/// Pairs of opposite coalitions of one background row's game, and what was seen there.
///
/// The Shapley values of a game of `n` players solve a weighted regression over all coalitions. Drawn by their leverage in
/// it, every size as often, a coalition of size `s` weighs `1 / (s (n - s))`. Of a pair, only the half difference counts:
/// what the game has in common at both, such as any interaction of two players, leaves no error.
pub(crate) struct Pairs {
    n_players: usize,
    n_outputs: usize,
    /// Of each pair, the first coalition. Shape `[n_pairs, n_players]`.
    members: Vec<bool>,
    /// Half differences of the pairs' outputs, less what equal values would make of them. Shape `[n_pairs, n_outputs]`.
    halves: Vec<f64>,
    /// Whether a pair was drawn apart from the one before it.
    is_apart: Vec<bool>,
}

/// What a regression answers. Shapes `[n_players, n_outputs]`.
pub(crate) struct Fit {
    pub(crate) values: Array2<f64>,
    pub(crate) variance: Array2<f64>,
}

impl Pairs {
    pub(crate) fn new(n_players: usize, n_outputs: usize) -> Self {
        Self { n_players, n_outputs, members: Vec::new(), halves: Vec::new(), is_apart: Vec::new() }
    }

    /// Adds pairs, drawn apart or nested in one permutation.
    pub(crate) fn add(&mut self, members: &[bool], halves: &[f64], are_apart: bool) {
        self.members.extend_from_slice(members);
        self.halves.extend_from_slice(halves);
        self.is_apart.extend((0..halves.len() / self.n_outputs).map(|pair| are_apart || pair == 0));
    }

    /// How many times as many pairs there are as the values have degrees of freedom.
    pub(crate) fn n_rounds(&self) -> usize {
        self.is_apart.len() / (self.n_players - 1)
    }

    /// The values of a game that is worth `gain[output]` as a whole, with their variances: those of weighted least squares
    /// without the assumption of equal spread, in clusters of what was drawn together. None while the pairs leave a
    /// direction open.
    ///
    /// # Source
    /// C. Musco and R. T. Witter, "Provably accurate Shapley value estimation via leverage score sampling", ICLR (2025); for
    /// the variance, H. White, "A heteroskedasticity-consistent covariance matrix estimator", Econometrica 48 (1980).
    pub(crate) fn fit(&self, gain: &[f64]) -> Option<Fit> {
        let (n, n_outputs, n_pairs) = (self.n_players, self.n_outputs, self.is_apart.len());
        if n_pairs < 2 * n {
            return None;
        }
        let mut normal = Array2::zeros((n, n));
        let mut right = Array2::zeros((n, n_outputs));
        let mut centred = vec![0.0; n];
        for (pair, halves) in self.halves.chunks_exact(n_outputs).enumerate() {
            let weight = self.centre(pair, &mut centred);
            for (i, x) in centred.iter().enumerate() {
                let scaled = weight * x;
                for (cell, x) in normal.row_mut(i).iter_mut().zip(&centred) {
                    *cell += scaled * x;
                }
                right.row_mut(i).iter_mut().zip(halves).for_each(|(sum, half)| *sum += scaled * half);
            }
        }
        // No centred coalition points in the direction of equal values: it gets the size of the others.
        normal += n_pairs as f64 / (n * n * (n - 1)) as f64;
        let inverse = inverse(normal)?;
        let mut values = inverse.dot(&right);
        for mut of_output in values.columns_mut() {
            let rounding = of_output.sum() / n as f64;
            of_output -= rounding;
        }
        let mut variance = Array2::zeros((n, n_outputs));
        let mut score = Array2::zeros((n, n_outputs));
        for (pair, halves) in self.halves.chunks_exact(n_outputs).enumerate() {
            if self.is_apart[pair] {
                variance.zip_mut_with(&score, |sum: &mut f64, score| *sum += score * score);
                score.fill(0.0);
            }
            let weight = self.centre(pair, &mut centred);
            let pull = inverse.dot(&ndarray::ArrayView1::from(&centred));
            for (output, half) in halves.iter().enumerate() {
                let fitted: f64 = centred.iter().zip(values.column(output)).map(|(x, value)| x * value).sum();
                score.column_mut(output).scaled_add(weight * (half - fitted), &pull);
            }
        }
        variance.zip_mut_with(&score, |sum: &mut f64, score| *sum += score * score);
        variance *= n_pairs as f64 / (n_pairs - (n - 1)) as f64;
        for (mut of_output, gain) in values.columns_mut().into_iter().zip(gain) {
            of_output += gain / n as f64;
        }
        Some(Fit { values, variance })
    }

    /// Writes a pair's first coalition, less its mean, and answers its weight.
    fn centre(&self, pair: usize, centred: &mut [f64]) -> f64 {
        let members = &self.members[pair * self.n_players..(pair + 1) * self.n_players];
        let size = members.iter().filter(|member| **member).count();
        let share = size as f64 / self.n_players as f64;
        centred.iter_mut().zip(members).for_each(|(x, member)| *x = f64::from(u8::from(*member)) - share);
        1.0 / (size * (self.n_players - size)) as f64
    }
}

/// All fits, or none where any has not pairs enough.
pub(crate) fn fit_all(pairs: &[(&Pairs, Vec<f64>)]) -> Option<Vec<Fit>> {
    pairs.par_iter().map(|(pairs, gain)| pairs.fit(gain)).collect()
}

/// The inverse of a symmetric matrix; none where it is not clearly positive definite.
fn inverse(mut matrix: Array2<f64>) -> Option<Array2<f64>> {
    let n = matrix.nrows();
    let least = 1e-9 * matrix.diag().sum() / n as f64;
    let mut inverse = Array2::eye(n);
    // Elimination without pivots, as a positive definite matrix allows.
    for column in 0..n {
        let pivot = matrix[[column, column]];
        if pivot.is_nan() || pivot <= least {
            return None;
        }
        for row in (0..n).filter(|row| *row != column) {
            let factor = matrix[[row, column]] / pivot;
            if factor != 0.0 {
                for matrix in [&mut matrix, &mut inverse] {
                    let (mut row, column) = matrix.multi_slice_mut((ndarray::s![row, ..], ndarray::s![column, ..]));
                    row.scaled_add(-factor, &column);
                }
            }
        }
    }
    for (mut row, pivot) in inverse.rows_mut().into_iter().zip(matrix.diag()) {
        row /= *pivot;
    }
    Some(inverse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inverse_is_one() {
        let matrix = ndarray::array![[4.0, 1.0, -0.5], [1.0, 3.0, 0.25], [-0.5, 0.25, 2.0]];
        let product = matrix.dot(&inverse(matrix.clone()).unwrap());
        assert!((product - Array2::<f64>::eye(3)).iter().all(|difference| difference.abs() < 1e-15));
        assert!(inverse(ndarray::array![[1.0, 1.0], [1.0, 1.0]]).is_none());
    }

    #[test]
    fn a_sum_is_found_without_error_and_open_directions_are_told() {
        let worth = [3.0, -1.0, 0.5, 2.0];
        let total: f64 = worth.iter().sum();
        let mut pairs = Pairs::new(4, 1);
        let half = |members: &[bool]| -> f64 {
            let own: f64 = members.iter().zip(worth).filter(|(member, _)| **member).map(|(_, worth)| worth).sum();
            let size = members.iter().filter(|member| **member).count() as f64;
            own - 0.5 * total - (size / 4.0 - 0.5) * total
        };
        let add = |pairs: &mut Pairs, set: usize| {
            let members: Vec<bool> = (0..4).map(|player| set >> player & 1 == 1).collect();
            pairs.add(&members, &[half(&members)], true);
        };
        // Nothing tells the third and the fourth player apart.
        [1, 2, 3, 12, 13, 14, 1, 2].into_iter().for_each(|set| add(&mut pairs, set));
        assert!(pairs.fit(&[total]).is_none());
        [5, 9].into_iter().for_each(|set| add(&mut pairs, set));
        let fit = pairs.fit(&[total]).unwrap();
        assert!(fit.values.iter().zip(worth).all(|(value, worth)| (value - worth).abs() < 1e-12), "{}", fit.values);
        assert!(fit.variance.iter().all(|variance| *variance < 1e-24));
    }
}
