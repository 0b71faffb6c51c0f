//! The two-sample statistics, one file each, every one equal to scipy on raw samples.
//!
//! Samples of numbers are ascending slices without NaN, as [`sorted`] makes them: a column is sorted once and every
//! statistic is then one pass over both sides. Samples of categories are counts, aligned by category.

pub mod anderson_darling;
pub mod bins;
pub mod chi_square;
pub mod cramer_von_mises;
pub mod g_test;
pub mod hellinger;
pub mod jensen_shannon;
mod kolmogorov;
pub mod ks;
mod order;
pub mod psi;
pub mod total_variation;
pub mod wasserstein;

pub use order::sorted;

/// The quantile of an ascending, non-empty sample at `level` in [0, 1], by linear interpolation between order
/// statistics (Hyndman and Fan's type 7, numpy's `linear`).
pub(crate) fn quantile(sorted: &[f64], level: f64) -> f64 {
    let position = level * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let (low, high, weight) = (sorted[below], sorted[above], position - below as f64);
    // Interpolating from the nearer end keeps the result exact at both ends, as numpy does: a bin edge that is off by one
    // bit would move all values tied with it into another bin.
    if weight < 0.5 { low + (high - low) * weight } else { high - (high - low) * (1.0 - weight) }
}

/// Equal values of both sides.
struct TiedBlock {
    /// How many the reference has, and how many smaller ones.
    reference: usize,
    reference_before: usize,
    /// The same of the current side.
    current: usize,
    current_before: usize,
}

/// The different values of two ascending samples, ascending, each with its counts.
fn tied_blocks<'a>(reference: &'a [f64], current: &'a [f64]) -> impl Iterator<Item = TiedBlock> + 'a {
    let (mut i, mut j) = (0, 0);
    std::iter::from_fn(move || {
        let value = match (reference.get(i), current.get(j)) {
            (Some(&a), Some(&b)) => a.min(b),
            (Some(&a), None) => a,
            (None, Some(&b)) => b,
            (None, None) => return None,
        };
        let (reference_before, current_before) = (i, j);
        while reference.get(i).is_some_and(|&next| next <= value) {
            i += 1;
        }
        while current.get(j).is_some_and(|&next| next <= value) {
            j += 1;
        }
        Some(TiedBlock {
            reference: i - reference_before,
            reference_before,
            current: j - current_before,
            current_before,
        })
    })
}

/// The shares of both sides, category by category; none where a side has no rows.
fn share_pairs<'a>(reference: &'a [u64], current: &'a [u64]) -> impl Iterator<Item = (f64, f64)> + 'a {
    let n_reference = reference.iter().sum::<u64>() as f64;
    let n_current = current.iter().sum::<u64>() as f64;
    let n_pairs = if n_reference == 0.0 || n_current == 0.0 { 0 } else { reference.len().min(current.len()) };
    let pairs = reference.iter().zip(current).take(n_pairs);
    pairs.map(move |(&a, &b)| (a as f64 / n_reference, b as f64 / n_current))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate() {
        let sample = [1.0, 2.0, 4.0, 8.0];
        assert_eq!([0.0, 0.5, 1.0].map(|level| quantile(&sample, level)), [1.0, 3.0, 8.0]);
    }
}
