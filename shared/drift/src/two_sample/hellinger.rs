//! Hellinger distance, for categories and histograms.

use super::share_pairs;

/// Hellinger distance: `sqrt(sum over categories of (sqrt(c) - sqrt(r))^2 / 2)` with the shares `r` of the reference and `c`
/// of the current rows.
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
/// Hellinger (1909), doi:10.1515/crll.1909.136.210; the discrete form without a constant other than 1/2.
///
/// ```
/// // Shares 1/2, 1/2 and 1, 0: sqrt(1 - sqrt(1/2)).
/// let distance = drift::two_sample::hellinger::distance(&[5, 5], &[8, 0]);
/// assert!((distance - (1.0 - 0.5_f64.sqrt()).sqrt()).abs() < 1e-12);
/// ```
pub fn distance(reference: &[u64], current: &[u64]) -> f64 {
    let squares = share_pairs(reference, current).map(|(r, c)| (c.sqrt() - r.sqrt()).powi(2));
    (squares.sum::<f64>() / 2.0).clamp(0.0, 1.0).sqrt()
}
