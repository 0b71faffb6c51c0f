//! Anderson-Darling test of two samples, for numbers.

use super::tied_blocks;

/// Scholz and Stephens' statistic for two samples, ties at their middle rank, less its mean 1 and over its standard
/// deviation under one common distribution.
///
/// With `N = n + m`, `l` values tied at a place, `B` values before and half of those at it, and `M` of them from side `i`
/// of `n_i` values: `A^2 = (N - 1) / N^2 * sum over sides of 1/n_i * sum over places of l (N M - n_i B)^2 / (B (N - B) -
/// N l / 4)`. It weighs each place by how sure the shares are there, so it sees tails that Kolmogorov-Smirnov does not.
///
/// About -1.3 and more; 0 where it is not defined: fewer than two values on a side or four together, or one value alone.
///
/// # Shapes
/// Both are ascending, `[n]` and `[m]`.
///
/// # NaN policy
/// The slices hold no NaN, as [`super::sorted`] makes them.
///
/// # Source
/// Scholz, Stephens (1987), doi:10.1080/01621459.1987.10478517, equation 7; equals scipy 1.17.1
/// `anderson_ksamp([x, y], variant="midrank").statistic`.
///
/// ```
/// let a = drift::two_sample::anderson_darling::statistic(&[0.1, 0.2, 0.3], &[0.25, 0.5, 0.75, 1.0]);
/// assert!((a - 1.6788623598364767).abs() < 1e-9); // scipy 1.17.1
/// ```
pub fn statistic(reference: &[f64], current: &[f64]) -> f64 {
    let (n, m) = (reference.len() as f64, current.len() as f64);
    let both = n + m;
    if n < 2.0 || m < 2.0 || both < 4.0 {
        return 0.0;
    }
    let (mut part_reference, mut part_current, mut n_places) = (0.0, 0.0, 0_usize);
    for block in tied_blocks(reference, current) {
        let tied = (block.reference + block.current) as f64;
        let before = (block.reference_before + block.current_before) as f64 + tied / 2.0;
        let weight = tied / (before * (both - before) - both * tied / 4.0);
        let from_reference = block.reference_before as f64 + block.reference as f64 / 2.0;
        let from_current = block.current_before as f64 + block.current as f64 / 2.0;
        part_reference += weight * (both * from_reference - before * n).powi(2);
        part_current += weight * (both * from_current - before * m).powi(2);
        n_places += 1;
    }
    if n_places < 2 {
        return 0.0;
    }
    let a_squared = (part_reference / n + part_current / m) / both * (both - 1.0) / both;
    (a_squared - 1.0) / variance(n, m).sqrt()
}

/// Variance of `A^2` for two samples of these sizes (equation 4 of the paper with k = 2).
fn variance(n: f64, m: f64) -> f64 {
    let both = n + m;
    let inverse_sizes = 1.0 / n + 1.0 / m;
    // h = sum of 1/i below N; g = sum over i < j below N of 1 / ((N - i) j).
    let (mut h, mut g) = (0.0, 0.0);
    for i in 2..both as u64 {
        h += 1.0 / (both + 1.0 - i as f64);
        g += h / i as f64;
    }
    h += 1.0;
    let a = (4.0 * g - 6.0) + (10.0 - 6.0 * g) * inverse_sizes;
    let b = (2.0 * g - 4.0) * 4.0 + 16.0 * h + (2.0 * g - 14.0 * h - 4.0) * inverse_sizes - 8.0 * h + 4.0 * g - 6.0;
    let c =
        (6.0 * h + 2.0 * g - 2.0) * 4.0 + (4.0 * h - 4.0 * g + 6.0) * 2.0 + (2.0 * h - 6.0) * inverse_sizes + 4.0 * h;
    let d = (2.0 * h + 6.0) * 4.0 - 8.0 * h;
    (a * both.powi(3) + b * both * both + c * both + d) / ((both - 1.0) * (both - 2.0) * (both - 3.0))
}

/// The p-value of [`statistic`] by the table of Scholz and Stephens: the parabola that fits the logarithms of its seven
/// levels best, never outside the table, so in [0.001, 0.25]. Decisions do not rest on it.
///
/// # Source
/// Scholz, Stephens (1987), table 2; equals scipy 1.17.1 `anderson_ksamp(variant="midrank").pvalue`.
///
/// ```
/// let p = drift::two_sample::anderson_darling::p_value(1.961); // the table's 5 % point
/// assert!((p - 0.05).abs() < 0.002);
/// ```
pub fn p_value(statistic: f64) -> f64 {
    /// Quantiles at levels 0.25 and 0.001: `b0 + b1 + b2` of table 2.
    const ENDS: (f64, f64) = (0.325, 6.546);
    /// Least squares of the logarithms of 0.25, 0.1, 0.05, 0.025, 0.01, 0.005 and 0.001 on their quantiles.
    const PARABOLA: [f64; 3] = [-1.077770279820484, -1.0082265644652515, 0.01819809457411147];
    if statistic < ENDS.0 {
        return 0.25;
    }
    if statistic > ENDS.1 {
        return 0.001;
    }
    (PARABOLA[0] + statistic * (PARABOLA[1] + statistic * PARABOLA[2])).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_defined_is_silent() {
        for (reference, current) in [(vec![], vec![1.0]), (vec![1.0, 2.0], vec![1.0]), (vec![3.0; 9], vec![3.0; 4])] {
            assert_eq!(statistic(&reference, &current), 0.0);
        }
        assert_eq!((p_value(-1.0), p_value(40.0)), (0.25, 0.001));
    }

    #[test]
    fn tails_count_more_than_for_kolmogorov() {
        // 9 % of the rows lie far out on either side.
        let reference: Vec<f64> = (0..400).map(f64::from).collect();
        let far = |i: i32| f64::from((i - 200).signum()) * 1e4 + f64::from(i);
        let current: Vec<f64> =
            (0..400).map(|i| if (36..364).contains(&i) { f64::from(i) + 0.5 } else { far(i) }).collect();
        let d = crate::two_sample::ks::statistic(&reference, &current);
        assert!(crate::two_sample::ks::p_value(d, 400, 400) > 0.05);
        assert!(p_value(statistic(&reference, &current)) < 0.05);
    }
}
