//! G-test of homogeneity, for categories.

use super::chi_square::{ChiSquare, cells};

/// The G-test (log-likelihood ratio) of the `2 x k` table: `2 * sum over sides and categories of observed *
/// ln(observed / expected)`, `k - 1` degrees of freedom. Categories that neither side has are left out, and a cell without
/// rows adds nothing.
///
/// 0 or more. With `n` rows on both sides it is `4 n ln(2)` times the squared [Jensen-Shannon
/// distance](super::jensen_shannon::distance) in base 2: the same quantity, once as evidence and once as size. It follows the
/// chi-square law less well than Pearson's statistic where cells are small, so decisions rest on the latter.
///
/// # Shapes
/// Both are counts, `[n_categories]`, aligned; a shorter one is taken to end in zeros. A side without rows, or fewer than
/// two categories, gives statistic 0 and p-value 1.
///
/// # NaN policy
/// Missing values are not counted.
///
/// # Source
/// Wilks (1935), doi:10.1214/aoms/1177732564; equals scipy 1.17.1
/// `chi2_contingency(correction=False, lambda_="log-likelihood")`.
///
/// ```
/// let test = drift::two_sample::g_test::homogeneity(&[143, 57], &[117, 83]);
/// assert!((test.statistic - 7.461068413659039).abs() < 1e-9); // scipy 1.17.1
/// assert!((test.p_value / 0.006304757580913201 - 1.0).abs() < 1e-6);
/// ```
pub fn homogeneity(reference: &[u64], current: &[u64]) -> ChiSquare {
    let (sum, dof) = cells(reference, current, |observed, total, n_side, n_both| {
        if observed == 0.0 { 0.0 } else { observed * (observed * n_both / (total * n_side)).ln() }
    });
    // Rounding may leave equal shares a few bits below zero.
    ChiSquare::new((2.0 * sum).max(0.0), dof)
}
