//! Two-sample Cramér-von Mises test, for numbers.

use std::collections::BTreeMap;
use std::f64::consts::PI;

use super::tied_blocks;

/// Anderson's statistic `T = U / (n m (n + m)) - (4 n m - 1) / (6 (n + m))` with `U = n sum (rank of x_i - i)^2 + m sum
/// (rank of y_j - j)^2`, tied values at their middle rank. Without ties it is `n m / (n + m)^2` times the sum of `(F - G)^2`
/// over all values of both sides.
///
/// 0 or more (ties may leave it a little below); 0 when a side is empty. Where Kolmogorov-Smirnov looks at the widest gap,
/// this adds up all of them.
///
/// # Shapes
/// Both are ascending, `[n]` and `[m]`; at most 2^31 values each.
///
/// # NaN policy
/// The slices hold no NaN, as [`super::sorted`] makes them.
///
/// # Source
/// Anderson (1962), doi:10.1214/aoms/1177704477; equals scipy 1.17.1 `cramervonmises_2samp(...).statistic`.
///
/// ```
/// let t = drift::two_sample::cramer_von_mises::statistic(&[0.1, 0.2, 0.3], &[0.25, 0.5, 0.75, 1.0]);
/// assert!((t - 0.3928571428571428).abs() < 1e-12); // scipy 1.17.1
/// ```
pub fn statistic(reference: &[f64], current: &[f64]) -> f64 {
    let (n, m) = (reference.len() as i128, current.len() as i128);
    if n == 0 || m == 0 {
        return 0.0;
    }
    // Four times U is a whole number; subtracting in floats would cancel most digits of large samples.
    let (mut sum_reference, mut sum_current) = (0, 0);
    for block in tied_blocks(reference, current) {
        let [a, a_before, b, b_before] =
            [block.reference, block.reference_before, block.current, block.current_before].map(|count| count as i128);
        sum_reference += squared_distances(a, b, b_before);
        sum_current += squared_distances(b, a, a_before);
    }
    let product = n * m;
    let four_u = n * sum_reference + m * sum_current;
    (6 * four_u - 4 * product * (4 * product - 1)) as f64 / (24 * product * (n + m)) as f64
}

/// Four times the sum of `(rank - index)^2` over `own` tied values of one side, which share their value with `other` ones
/// and follow `other_before` ones of the other side.
fn squared_distances(own: i128, other: i128, other_before: i128) -> i128 {
    // The s-th of them is `other_before + (own + other + 1) / 2 - s` ranks from its own index.
    let doubled = 2 * other_before + own + other + 1;
    // Most places have one value of one side, and a division of this width costs more than all the rest.
    let squares = match own {
        0 => return 0,
        1 => 4,
        _ => 2 * own * (own + 1) * (2 * own + 1) / 3,
    };
    own * doubled * doubled - 2 * doubled * own * (own + 1) + squares
}

/// Largest sample for which [`p_value`] counts all arrangements.
pub const EXACT_VALUES: u64 = 20;

/// Probability of a statistic at least `t` when both samples come from one continuous distribution: [`exact_p_value`] while
/// both have at most [`EXACT_VALUES`] values, else [`asymptotic_p_value`]. With ties both are upper bounds.
pub fn p_value(t: f64, n: u64, m: u64) -> f64 {
    if n.max(m) <= EXACT_VALUES { exact_p_value(t, n, m) } else { asymptotic_p_value(t, n, m) }
}

/// The exact p-value: the share of all `C(n + m, n)` arrangements of both samples whose statistic is at least `t`.
///
/// For samples of up to about thirty values: the number of different statistics grows with the fourth power of the sizes. A
/// side without values gives 1.
///
/// # Source
/// Xiao, Gordon, Yakovlev (2006), doi:10.18637/jss.v017.i08; equals scipy 1.17.1
/// `cramervonmises_2samp(method="exact")`.
///
/// ```
/// // Of the six arrangements of two and two values, the two with all of one side first are the farthest apart.
/// let p = drift::two_sample::cramer_von_mises::exact_p_value(0.375, 2, 2);
/// assert!((p - 2.0 / 6.0).abs() < 1e-12);
/// ```
pub fn exact_p_value(t: f64, n: u64, m: u64) -> f64 {
    if n == 0 || m == 0 {
        return 1.0;
    }
    let (sizes, both) = ((i128::from(n), i128::from(m)), i128::from(n + m));
    // An arrangement is a path from (0, 0) to (n, m); its statistic is the sum of its squared distances from the diagonal,
    // (i m - j n)^2, over n m (n + m)^2.
    let gap = |i: u64, j: u64| (i128::from(i) * sizes.1 - i128::from(j) * sizes.0).pow(2);
    let scale = (sizes.0 * sizes.1 * both * both) as f64;
    let mut row: Vec<BTreeMap<i128, f64>> = vec![BTreeMap::new(); m as usize + 1];
    for i in 0..=n {
        for j in 0..=m {
            let idx = j as usize;
            let from_above = std::mem::take(&mut row[idx]);
            let mut sums: BTreeMap<i128, f64> = BTreeMap::new();
            if i + j == 0 {
                sums.insert(0, 1.0);
            }
            let from_left = (j > 0).then(|| &row[idx - 1]).into_iter().flatten().map(|(&sum, &paths)| (sum, paths));
            let from_above = if i > 0 { from_above } else { BTreeMap::new() };
            for (sum, paths) in from_above.into_iter().chain(from_left) {
                *sums.entry(sum + gap(i, j)).or_default() += paths;
            }
            row[idx] = sums;
        }
    }
    let all = &row[m as usize];
    // `t` may have been rounded; sums differ by 1.
    let limit = (t * scale).floor() as i128;
    let limit = if t * scale - limit as f64 > 1.0 - 1e-6 { limit + 1 } else { limit };
    let far: f64 = all.range(limit..).map(|(_, paths)| paths).sum();
    far / all.values().sum::<f64>()
}

/// The p-value from the limiting law of the one-sample statistic, at the statistic brought to that law's mean and variance.
/// A side without values gives 1.
///
/// # Source
/// Anderson (1962), doi:10.1214/aoms/1177704477, for the moments; equals scipy 1.17.1
/// `cramervonmises_2samp(method="asymptotic")`, which cancels digits where the p-value is below about 1e-9.
///
/// ```
/// let p = drift::two_sample::cramer_von_mises::asymptotic_p_value(0.3, 100, 80);
/// assert!((p / 0.1356443580528599 - 1.0).abs() < 1e-6); // scipy 1.17.1
/// ```
pub fn asymptotic_p_value(t: f64, n: u64, m: u64) -> f64 {
    if n == 0 || m == 0 {
        return 1.0;
    }
    let (n, m) = (n as f64, m as f64);
    let (both, product) = (n + m, n * m);
    let mean = (1.0 + 1.0 / both) / 6.0;
    let variance = (both + 1.0) * (4.0 * product * both - 3.0 * (n * n + m * m) - 2.0 * product)
        / (45.0 * both * both * 4.0 * product);
    limit_sf(1.0 / 6.0 + (t - mean) / (45.0 * variance).sqrt())
}

/// `P(W^2 >= x)` of the limiting law: `2 / pi * sum over k from 1 of (-1)^(k+1) * integral from (2k - 1) pi to 2 k pi of
/// sqrt(-u / sin u) * exp(-x u^2 / 2) / u du`. Smirnov (1936); it keeps its relative precision in the tail.
fn limit_sf(x: f64) -> f64 {
    const NODES: u32 = 48;
    // Below, the distribution function is under 1e-17.
    if x < 0.003 {
        return 1.0;
    }
    let mut sum = 0.0;
    for k in 1..=64 {
        let low = f64::from(2 * k - 1) * PI;
        if x * low * low > 1_480.0 {
            break;
        }
        // In the angle of a point on the half circle over the interval, both ends are smooth, and so the sum over evenly
        // spaced angles converges faster than any power.
        let step = PI / f64::from(NODES);
        let integral: f64 = (0..NODES)
            .map(|node| {
                let angle = (f64::from(node) + 0.5) * step;
                let from_low = PI * (angle / 2.0).sin().powi(2);
                let u = low + from_low;
                (u / from_low.sin()).sqrt() * (-x * u * u / 2.0).exp() / u * angle.sin()
            })
            .sum();
        let sign = if k % 2 == 1 { 1.0 } else { -1.0 };
        sum += sign * integral * step * PI / 2.0;
    }
    (2.0 / PI * sum).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_equals_published_quantiles() {
        // Anderson, Darling (1952), doi:10.1214/aoms/1177729437, table 1
        for (x, p) in [(0.34730, 0.10), (0.46136, 0.05), (0.74346, 0.01), (1.16786, 0.001)] {
            assert!((limit_sf(x) / p - 1.0).abs() < 2e-4, "{x}: {}", limit_sf(x));
        }
        assert!((limit_sf(0.02480) - 0.99).abs() < 1e-4);
    }

    #[test]
    fn samples_in_turn_are_nearest_and_apart_are_farthest() {
        let (apart, in_turn) = (statistic(&[1.0, 2.0], &[3.0, 4.0]), statistic(&[1.0, 4.0], &[2.0, 3.0]));
        assert!((apart - 0.375).abs() < 1e-12 && in_turn < apart);
        assert_eq!((statistic(&[], &[1.0]), p_value(0.0, 0, 9)), (0.0, 1.0));
        assert_eq!(exact_p_value(statistic(&[1.0], &[2.0]), 1, 1), 1.0);
    }
}
