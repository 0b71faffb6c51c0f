//! Wasserstein-1 distance, for numbers.

/// Wasserstein-1 (earth mover's) distance of two empirical distributions: `integral of |F(x) - G(x)| dx`, in the
/// column's own unit.
///
/// 0 or more; it scales with the data and is 0 only for equal distributions. A side without values gives 0.
///
/// # Shapes
/// Both are ascending, `[n]` and `[m]`.
///
/// # NaN policy
/// The slices hold no NaN, as [`super::sorted`] makes them.
///
/// # Source
/// Vallender (1974), doi:10.1137/1118101; equals scipy 1.17.1 `wasserstein_distance`.
///
/// ```
/// let distance = drift::two_sample::wasserstein::distance(&[0.0, 1.0, 3.0], &[5.0, 6.0, 8.0]);
/// assert_eq!(distance, 5.0); // scipy 1.17.1
/// ```
pub fn distance(reference: &[f64], current: &[f64]) -> f64 {
    if reference.is_empty() || current.is_empty() {
        return 0.0;
    }
    let (step_reference, step_current) = (1.0 / reference.len() as f64, 1.0 / current.len() as f64);
    let (mut i, mut j) = (0, 0);
    let mut previous = reference[0].min(current[0]);
    let mut distance = 0.0;
    while i < reference.len() || j < current.len() {
        let from_reference = j == current.len() || (i < reference.len() && reference[i] <= current[j]);
        let value = if from_reference { reference[i] } else { current[j] };
        let gap = (i as f64 * step_reference - j as f64 * step_current).abs();
        distance += gap * (value - previous);
        previous = value;
        i += usize::from(from_reference);
        j += usize::from(!from_reference);
    }
    distance
}

/// Divides a distance by the reference's standard deviation (ddof 0), so that columns of any unit compare.
///
/// A constant reference has no scale: its standard deviation counts as 0.001, so that any visible change is large.
pub fn in_sigmas(distance: f64, reference_std: f64) -> f64 {
    const CONSTANT_STD: f64 = 1e-3;
    distance / if reference_std > 0.0 { reference_std } else { CONSTANT_STD }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_scipy() {
        // scipy 1.17.1 wasserstein_distance
        let cases: [(&[f64], &[f64], f64); 4] = [
            (&[0.0, 1.0, 2.0, 3.0, 4.0], &[0.5, 1.5, 10.0], 2.5333333333333337),
            (&[1.0, 1.0, 2.0], &[1.0, 2.0, 2.0, 2.0], 0.41666666666666663),
            (&[-3.0, 7.5], &[2.25], 5.25),
            (&[1.0; 20], &[1.0; 3], 0.0),
        ];
        for (reference, current, expected) in cases {
            assert!((distance(reference, current) - expected).abs() < 1e-12, "{}", distance(reference, current));
        }
        assert!((in_sigmas(0.3, 0.0) - 300.0).abs() < 1e-9);
    }
}
