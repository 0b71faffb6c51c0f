//! Two-sample Kolmogorov-Smirnov test, for numbers.

use super::kolmogorov;

/// The two-sided statistic: `D = sup over x of |F(x) - G(x)|` of the two empirical distribution functions.
///
/// In [0, 1]; symmetric; 0 when a side is empty.
///
/// # Shapes
/// Both are ascending, `[n]` and `[m]`. Ties within and between the sides are handled: the suprema are taken after the
/// last of equal values.
///
/// # NaN policy
/// The slices hold no NaN, as [`super::sorted`] makes them.
///
/// # Source
/// Smirnov (1939); equals scipy 1.17.1 `ks_2samp(...).statistic`.
///
/// ```
/// let d = drift::two_sample::ks::statistic(&[0.1, 0.2, 0.3, 0.4, 0.5], &[0.25, 0.35, 0.45, 0.55, 0.65, 0.75]);
/// assert!((d - 0.5).abs() < 1e-12); // scipy 1.17.1
/// ```
pub fn statistic(reference: &[f64], current: &[f64]) -> f64 {
    let (n, m) = (reference.len(), current.len());
    if n == 0 || m == 0 {
        return 0.0;
    }
    let (step_reference, step_current) = (1.0 / n as f64, 1.0 / m as f64);
    let (mut i, mut j) = (0, 0);
    let mut statistic: f64 = 0.0;
    // While values of one side alone come, the gap grows or shrinks all the way, so it is widest at an end of such a run. When
    // one side is used up it only shrinks.
    while i < n && j < m {
        let (a, b) = (reference[i], current[j]);
        while i < n && reference[i] < b {
            i += 1;
        }
        while j < m && current[j] < a {
            j += 1;
        }
        while a == b && i < n && reference[i] == a {
            i += 1;
        }
        while a == b && j < m && current[j] == a {
            j += 1;
        }
        statistic = statistic.max((i as f64 * step_reference - j as f64 * step_current).abs());
    }
    statistic
}

/// Where the gap is widest: the first such value, of the reference before the current side, and whether the reference's
/// distribution function is the higher one there. `None` when a side is empty.
///
/// # Source
/// Equals scipy 1.17.1 `ks_2samp(...).statistic_location`, and a `statistic_sign` of 1 where the reference is higher.
///
/// ```
/// let gap = drift::two_sample::ks::widest_gap(&[0.1, 0.2, 0.3, 0.4, 0.5], &[0.25, 0.35, 0.45, 0.55, 0.65, 0.75]);
/// assert_eq!(gap, Some((0.5, true))); // scipy 1.17.1
/// ```
pub fn widest_gap(reference: &[f64], current: &[f64]) -> Option<(f64, bool)> {
    let (n, m) = (reference.len() as f64, current.len() as f64);
    let share = |sample: &[f64], value: f64| sample.partition_point(|&other| other <= value) as f64;
    let gap = |value: f64| share(reference, value) / n - share(current, value) / m;
    let mut values = reference.iter().chain(current).copied();
    let first = values.next().filter(|_| m > 0.0 && n > 0.0)?;
    let (mut highest, mut lowest) = ((gap(first), first), (gap(first), first));
    for value in values {
        let gap = gap(value);
        if gap > highest.0 {
            highest = (gap, value);
        }
        if gap < lowest.0 {
            lowest = (gap, value);
        }
    }
    Some(if -lowest.0 > highest.0 { (lowest.1, false) } else { (highest.1, true) })
}

/// Largest `n * m` for which [`p_value`] counts lattice paths.
pub const EXACT_PATHS: u64 = 100_000;

/// Probability of a statistic at least `d` when both samples come from one continuous distribution: [`exact_p_value`] up
/// to `n * m` of [`EXACT_PATHS`], else [`asymptotic_p_value`]. With ties both are upper bounds.
pub fn p_value(d: f64, n: u64, m: u64) -> f64 {
    if n.saturating_mul(m) <= EXACT_PATHS { exact_p_value(d, n, m) } else { asymptotic_p_value(d, n, m) }
}

/// The exact p-value: the share of the lattice paths from `(0, 0)` to `(n, m)` that somewhere leave the diagonal by at
/// least `d`. Costs `n * m` steps.
///
/// # Source
/// Hodges (1958), doi:10.1007/BF02589501; equals scipy 1.17.1 `ks_2samp(method="exact")`.
///
/// ```
/// let p = drift::two_sample::ks::exact_p_value(0.2, 50, 50);
/// assert!((p / 0.2719135601522248 - 1.0).abs() < 1e-6); // scipy 1.17.1
/// ```
pub fn exact_p_value(d: f64, n: u64, m: u64) -> f64 {
    if n == 0 || m == 0 {
        return 1.0;
    }
    // D is a multiple of 1 / (n m); in whole numbers no path is lost to rounding.
    let limit = (d * n as f64 * m as f64).round() as i128;
    let leaves = |i: u64, j: u64| (i128::from(i) * i128::from(m) - i128::from(j) * i128::from(n)).abs() >= limit;
    // `row[j]` is the probability that a random path to (i, j) has left. Seen from its end, its last step came from
    // (i - 1, j) with probability i / (i + j). All terms are positive, so small p-values keep their relative precision.
    let mut row = vec![0.0; m as usize + 1];
    for i in 0..=n {
        for j in 0..=m {
            let idx = j as usize;
            row[idx] = if leaves(i, j) {
                1.0
            } else if i + j == 0 {
                0.0
            } else {
                let from_left = if j > 0 { row[idx - 1] } else { 0.0 };
                let from_above = if i > 0 { row[idx] } else { 0.0 };
                (i as f64 * from_above + j as f64 * from_left) / (i + j) as f64
            };
        }
    }
    row[m as usize]
}

/// The p-value from the finite-n law of the one-sample two-sided statistic at the effective size
/// `round(n m / (n + m))`, half to even. This is what scipy's `asymp` computes; it is not the Kolmogorov limit, from which
/// it differs by some percent at a thousand rows.
///
/// # Source
/// Simard, L'Ecuyer (2011), doi:10.18637/jss.v039.i11; equals scipy 1.17.1 `ks_2samp(method="asymp")` within 1e-6.
///
/// ```
/// let p = drift::two_sample::ks::asymptotic_p_value(0.03, 10_000, 10_000);
/// assert!((p / 0.00024159234422666817 - 1.0).abs() < 1e-6); // scipy 1.17.1
/// ```
pub fn asymptotic_p_value(d: f64, n: u64, m: u64) -> f64 {
    if n == 0 || m == 0 {
        return 1.0;
    }
    let (n, m) = (n as f64, m as f64);
    let effective = (n * m / (n + m)).round_ties_even().max(1.0);
    kolmogorov::two_sided_sf(effective as u64, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(value: f64, expected: f64) {
        assert!((value / expected - 1.0).abs() < 1e-6, "{value} is not {expected}");
    }

    #[test]
    fn p_values_equal_scipy() {
        // scipy 1.17.1 kstwo.sf(d, round(n m / (n + m)))
        close(asymptotic_p_value(0.2, 50, 50), 0.23632065644537592);
        close(asymptotic_p_value(0.28, 200, 150), 1.866324349647095e-06);
        close(asymptotic_p_value(0.13, 300, 300), 0.011384007000017337);
        close(asymptotic_p_value(0.3, 20, 20), 0.2705355748000001);
        close(asymptotic_p_value(0.01, 10_000, 10_000), 0.6954557253913853);
        close(asymptotic_p_value(0.006, 100_000, 50_000), 0.18058207550292282);
        close(asymptotic_p_value(0.001, 1_000_000, 1_000_000), 0.698980144366366);
        // scipy 1.17.1 ks_2samp(method="exact")
        close(exact_p_value(0.28, 200, 150), 2.1377822419892506e-06);
        close(exact_p_value(0.13, 300, 300), 0.012491357471341868);
        close(exact_p_value(1.0, 20, 20), 1.4508889103849681e-11);
        close(exact_p_value(0.3, 20, 20), 0.33559098126008213);
    }

    #[test]
    fn ends_of_the_range() {
        assert_eq!(p_value(0.0, 30, 30), 1.0);
        assert_eq!(p_value(0.0, 30_000, 30_000), 1.0);
        assert_eq!(p_value(1.0, 30_000, 30_000), 0.0);
        assert_eq!(statistic(&[], &[1.0]), 0.0);
    }

    #[test]
    fn ties_count_once() {
        assert!((statistic(&[1.0; 20], &[1.0, 1.0, 1.0, 2.0, 2.0]) - 0.4).abs() < 1e-12);
        assert_eq!(statistic(&[1.0, 1.0, 2.0], &[1.0, 1.0, 2.0]), 0.0);
    }
}
