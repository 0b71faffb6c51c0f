//! One level for many tests.

/// Benjamini-Hochberg q-values: column `i` is among the discoveries at false discovery rate `a` exactly when
/// `q[i] <= a`.
///
/// `q_(i) = min over j >= i of p_(j) * n / j` over the ascending p-values, capped at 1. With no drift anywhere the
/// chance of any discovery is at most `a`.
///
/// # Shapes
/// `p_values` and the result are `[n_tests]`, in the same order.
///
/// # NaN policy
/// A NaN p-value counts as 1.
///
/// # Source
/// Benjamini, Hochberg (1995), doi:10.1111/j.2517-6161.1995.tb02031.x; equals scipy 1.17.1
/// `scipy.stats.false_discovery_control`.
///
/// ```
/// let q = drift::q_values(&[0.01, 0.04, 0.03, 0.005]);
/// assert_eq!(q, [0.02, 0.04, 0.04, 0.02]);
/// ```
pub fn q_values(p_values: &[f64]) -> Vec<f64> {
    let n_tests = p_values.len();
    let p_of = |idx: usize| if p_values[idx].is_nan() { 1.0 } else { p_values[idx] };
    let mut order: Vec<usize> = (0..n_tests).collect();
    order.sort_unstable_by(|&a, &b| p_of(a).total_cmp(&p_of(b)));

    let mut q_values = vec![1.0; n_tests];
    let mut smallest: f64 = 1.0;
    for (rank, &idx) in order.iter().enumerate().rev() {
        let p_value = p_of(idx);
        // Rounding must not leave a q-value below its own p-value.
        smallest = smallest.min((p_value * n_tests as f64 / (rank + 1) as f64).max(p_value));
        q_values[idx] = smallest;
    }
    q_values
}
