//! Bins of equal width, where a histogram of numbers is wanted that favours neither side.

/// The inner edges of equal bins over both samples together, their number by Sturges' rule: `log2(n + m) + 1`, rounded up.
///
/// [`super::psi::histogram`] counts with them. The distances between histograms (Jensen-Shannon, Hellinger, total
/// variation) are taken over these bins for numbers; PSI has the reference's own quantile bins.
///
/// # Shapes
/// Both are ascending; the result is `[n_bins - 1]`, ascending. Without values, or where all are equal, there is one bin.
///
/// # NaN policy
/// The slices hold no NaN, as [`super::sorted`] makes them.
///
/// # Source
/// Sturges (1926), doi:10.1080/01621459.1926.10502161; the edges of numpy 2.4.6
/// `histogram_bin_edges(concatenate([reference, current]), "sturges")`, bit for bit.
///
/// ```
/// let edges = drift::two_sample::bins::sturges(&[0.0, 1.0, 2.0], &[3.0, 4.0]);
/// assert_eq!(edges, [1.0, 2.0, 3.0]); // four bins for five values
/// ```
pub fn sturges(reference: &[f64], current: &[f64]) -> Vec<f64> {
    let n_both = reference.len() + current.len();
    let ends = [reference.first(), reference.last(), current.first(), current.last()];
    let low = ends.into_iter().flatten().copied().fold(f64::INFINITY, f64::min);
    let high = ends.into_iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
    let width = high - low;
    if width <= 0.0 || !width.is_finite() {
        return Vec::new();
    }
    // The width of a bin first and then their number, as numpy does, which rounds differently from the rule itself.
    let n_bins = (width / (width / ((n_both as f64).log2() + 1.0))).ceil();
    let step = width / n_bins;
    (1..n_bins as usize).map(|i| i as f64 * step + low).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_are_one_bin() {
        assert!(sturges(&[2.0; 9], &[2.0; 4]).is_empty());
        assert!(sturges(&[], &[]).is_empty());
    }

    #[test]
    fn the_rule_counts_both_sides() {
        let ramp: Vec<f64> = (0..50).map(f64::from).collect();
        assert_eq!(sturges(&ramp, &ramp).len() + 1, 8);
    }
}
