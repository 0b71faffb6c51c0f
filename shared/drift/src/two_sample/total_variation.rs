//! Total variation distance, for categories and histograms.

use super::share_pairs;

/// Total variation distance: half of `sum over categories of |c - r|` with the shares `r` of the reference and `c` of the
/// current rows. It is the largest difference that the share of any set of categories shows.
///
/// In [0, 1]: 0 for equal shares, 1 where no category is common.
///
/// # Shapes
/// Both are counts, `[n_categories]`, of the same length and aligned. A side without rows gives 0.
///
/// # NaN policy
/// Missing values are not counted.
///
/// # Source
/// Levin, Peres (2017), Markov Chains and Mixing Times, proposition 4.2.
///
/// ```
/// let distance = drift::two_sample::total_variation::distance(&[143, 57], &[117, 83]);
/// assert!((distance - 0.13).abs() < 1e-12); // |117/200 - 143/200|
/// ```
pub fn distance(reference: &[u64], current: &[u64]) -> f64 {
    (share_pairs(reference, current).map(|(r, c)| (c - r).abs()).sum::<f64>() / 2.0).clamp(0.0, 1.0)
}
