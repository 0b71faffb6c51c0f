//! Jensen-Shannon distance, for categories and histograms.

use super::share_pairs;

/// Jensen-Shannon distance in base 2: the root of `(KL(r || a) + KL(c || a)) / 2` with the shares `r` and `c` of both
/// sides, their average `a`, and `KL(x || a) = sum of x * log2(x / a)`.
///
/// In [0, 1]: 0 for equal shares, 1 where no category is common. It is the distance (root), not the divergence, and base
/// 2, not the natural logarithm (whose largest value is 0.8326).
///
/// # Shapes
/// Both are counts, `[n_categories]`, of the same length and aligned. A side without rows gives 0.
///
/// # NaN policy
/// Missing values are not counted.
///
/// # Source
/// Lin (1991), doi:10.1109/18.61115; equals scipy 1.17.1 `scipy.spatial.distance.jensenshannon(base=2)`.
///
/// ```
/// let distance = drift::two_sample::jensen_shannon::distance(&[143, 57], &[117, 83]);
/// assert!((distance - 0.11599593958475014).abs() < 1e-9); // scipy 1.17.1
/// ```
pub fn distance(reference: &[u64], current: &[u64]) -> f64 {
    let relative_entropy = |share: f64, average: f64| if share > 0.0 { share * (share / average).log2() } else { 0.0 };
    let mut sum = 0.0;
    for (share_reference, share_current) in share_pairs(reference, current) {
        let average = (share_reference + share_current) / 2.0;
        sum += relative_entropy(share_reference, average) + relative_entropy(share_current, average);
    }
    // Rounding may leave the sum a few bits outside [0, 2].
    (sum / 2.0).clamp(0.0, 1.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_scipy() {
        // scipy 1.17.1 jensenshannon(base=2)
        let ten =
            distance(&[189, 190, 149, 95, 101, 77, 96, 55, 35, 13], &[190, 162, 137, 116, 116, 93, 73, 57, 42, 14]);
        assert!((ten - 0.06362873400846085).abs() < 1e-9);
        assert!((distance(&[46, 33, 21, 0], &[41, 23, 16, 5]) - 0.1793194539508976).abs() < 1e-9);
        assert_eq!(distance(&[7, 0], &[0, 9]), 1.0);
        assert_eq!(distance(&[2, 4], &[1, 2]), 0.0);
    }
}
