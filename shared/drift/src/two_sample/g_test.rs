//! G-test of homogeneity, for categories.

use super::chi_square::{ChiSquare, aligned};

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
    let n_reference = reference.iter().sum::<u64>() as f64;
    let n_current = current.iter().sum::<u64>() as f64;
    if n_reference == 0.0 || n_current == 0.0 {
        return ChiSquare::new(0.0, 0);
    }
    let n_both = n_reference + n_current;
    let part = |observed: u64, total: f64, n_side: f64| match observed {
        0 => 0.0,
        _ => observed as f64 * (observed as f64 * n_both / (total * n_side)).ln(),
    };
    let mut statistic = 0.0;
    let mut n_categories: usize = 0;
    for (a, b) in aligned(reference, current).filter(|&(a, b)| a + b > 0) {
        let total = (a + b) as f64;
        statistic += part(a, total, n_reference) + part(b, total, n_current);
        n_categories += 1;
    }
    // Rounding may leave equal shares a few bits below zero.
    ChiSquare::new((2.0 * statistic).max(0.0), n_categories.saturating_sub(1))
}
