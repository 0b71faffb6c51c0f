//! How much each kind of member counts, by what the kinds say of rows that they did not learn from.

use ndarray::Array2;

use super::stack::{Rows, Stack, stack};

/// Steps at most, and the largest change of a share at which they end.
const MAX_STEPS: usize = 500;
const TOLERANCE: f64 = 1e-7;
/// How strongly shares are pulled towards even ones where kinds err alike, as a share of their mean squared error.
const EVEN_PULL: f64 = 0.02;

/// How much each kind counts, and how well they do together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Blend {
    /// Shape `[n_kinds]`, each from 0, with the sum 1.
    pub(crate) shares: Vec<f64>,
    /// Log-loss or squared error of the blend, summed over the weighted rows.
    pub(crate) loss: f64,
}

/// Shares of probabilities that are pooled by their logarithms, for answers of shape `[n_rows, n_classes]` by kind: those of
/// the best calibrated pool, whose slope and shifts are fitted with them. Even ones where there is nothing to fit on.
pub(crate) fn by_log_loss(answers: &[&Array2<f64>], rows: &Rows<'_>) -> Blend {
    let n_kinds = answers.len() as f64;
    let even = |loss| Blend { shares: vec![1.0 / n_kinds; answers.len()], loss };
    match stack(answers, rows, 0) {
        Some(Stack { slopes, loss, .. }) => match slopes.iter().sum::<f64>() {
            sum if sum > 0.0 => Blend { shares: slopes.iter().map(|slope| slope / sum).collect(), loss },
            _ => even(loss),
        },
        None => even(0.0),
    }
}

/// Shares with the smallest mean squared error, for errors of shape `[n_rows, n_kinds]` and the weight of each row. It is a
/// convex quadratic of the shares; the best exchange between each two kinds in turn has a closed form.
pub(crate) fn by_squared_error(errors: &Array2<f64>, weights: Option<&[f32]>) -> Blend {
    let n_kinds = errors.ncols();
    let mut products = Array2::<f64>::zeros((n_kinds, n_kinds));
    for (index, row) in errors.rows().into_iter().enumerate() {
        let weight = weights.map_or(1.0, |weights| f64::from(weights[index]));
        for (a, error_a) in row.iter().enumerate() {
            for (b, error_b) in row.iter().enumerate() {
                products[[a, b]] += weight * error_a * error_b;
            }
        }
    }
    let pull = EVEN_PULL * products.diag().sum() / n_kinds as f64;
    products.diag_mut().map_inplace(|square| *square += pull);
    let mut shares = vec![1.0 / n_kinds as f64; n_kinds];
    for _ in 0..MAX_STEPS {
        let mut change = 0.0_f64;
        for a in 0..n_kinds {
            for b in 0..a {
                let slope =
                    |kind: usize| (0..n_kinds).map(|other| products[[kind, other]] * shares[other]).sum::<f64>();
                let bend = products[[a, a]] + products[[b, b]] - 2.0 * products[[a, b]];
                if bend > 0.0 {
                    let moved = ((slope(b) - slope(a)) / bend).clamp(-shares[a], shares[b]);
                    shares[a] += moved;
                    shares[b] -= moved;
                    change = change.max(moved.abs());
                }
            }
        }
        if change < TOLERANCE {
            break;
        }
    }
    products.diag_mut().map_inplace(|square| *square -= pull);
    let loss = products.indexed_iter().map(|((a, b), product)| shares[a] * shares[b] * product).sum();
    Blend { shares, loss }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn the_better_kind_counts_more_and_equals_count_alike() {
        let truth: Vec<usize> = (0..2000).map(|row| row % 2).collect();
        let rows = Rows { truth: &truth, weights: None };
        let says = |right: f64, err: usize| {
            Array2::from_shape_fn((2000, 2), |(row, class)| {
                let is_right = !(row / 2 + err).is_multiple_of(5);
                if (class == row % 2) == is_right { right } else { 1.0 - right }
            })
        };
        let (bold, timid) = (says(0.8, 0), Array2::from_elem((2000, 2), 0.5));
        let shares = by_log_loss(&[&bold, &timid], &rows).shares;
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12 && shares[0] > shares[1], "{shares:?}");
        let alike = by_log_loss(&[&bold, &bold, &bold], &rows).shares;
        assert!(alike.iter().all(|share| (share - 1.0 / 3.0).abs() < 1e-9), "{alike:?}");
        let together = by_log_loss(&[&bold, &says(0.8, 1)], &rows);
        assert!(together.loss < by_log_loss(&[&bold], &rows).loss);
        let nothing = by_log_loss(&[&bold, &timid], &Rows { truth: &[], weights: None });
        assert_eq!(nothing.shares, [0.5, 0.5]);
    }

    #[test]
    fn independent_errors_are_weighted_by_their_precision() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        // Variances 1/3 and 4/3: the best shares are 0.8 and 0.2, a little less with the pull.
        let errors = Array2::from_shape_fn((40_000, 2), |(_, kind)| (1.0 + kind as f64) * rng.random_range(-1.0..1.0));
        let Blend { shares, loss } = by_squared_error(&errors, None);
        let mixed = errors.rows().into_iter().map(|row| (shares[0] * row[0] + shares[1] * row[1]).powi(2));
        assert!((loss - mixed.sum::<f64>()).abs() < 1e-6 * loss, "{loss}");
        assert!((shares[0] - 0.8).abs() < 0.02, "{shares:?}");
        // A kind that is another, doubled, is of no use.
        let worse = Array2::from_shape_fn((1000, 2), |(row, kind)| {
            ((row % 7) as f64 - 3.0) * if kind == 0 { 1.0 } else { 2.0 }
        });
        assert_eq!(by_squared_error(&worse, None).shares, [1.0, 0.0]);
        let weights: Vec<f32> = (0..1000).map(|row| if row % 2 == 0 { 1.0 } else { 0.0 }).collect();
        let mixed = Array2::from_shape_fn((1000, 2), |(row, kind)| if row % 2 == kind { 1.0 } else { 0.1 });
        let shares = by_squared_error(&mixed, Some(&weights)).shares;
        assert!(shares[1] > 0.9, "only the even rows count, where the second errs less: {shares:?}");
    }
}
