//! How large each effect gets by chance alone, at the sizes of both samples.
//!
//! Every effect scales with `1/n + 1/m`: squared for the distances, directly for PSI. So each null quantile is a constant
//! of the reference times a function of the sizes, and a threshold costs nothing at comparison time.

use std::sync::OnceLock;

use ndarray::{Array1, Array2};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use statrs::distribution::{ChiSquared, ContinuousCDF};

use crate::two_sample::quantile;

/// The level of every null quantile: without drift an effect exceeds its own with probability 0.01.
pub const NULL_LEVEL: f64 = 0.99;

/// Null quantile of PSI over `bins` bins: `(1/n + 1/m) * chi2_{bins - 1}`.
///
/// Holds while each bin expects some rows; 0 for fewer than two bins or an empty side.
///
/// # Source
/// Yurdakul, Naranjo (2020), doi:10.21314/JRMV.2020.227.
///
/// ```
/// let at_1000_rows = drift::null::psi_quantile(1000, 1000, 10);
/// assert!((at_1000_rows - 0.0433).abs() < 1e-4); // 0.002 * scipy 1.17.1 chi2.ppf(0.99, 9)
/// ```
pub fn psi_quantile(n: u64, m: u64, bins: usize) -> f64 {
    variance_scale(n, m) * chi_square_quantile(bins)
}

/// Null quantile of the Jensen-Shannon distance in base 2 for categories with these counts, at most 1.
///
/// Where every category is frequent the squared distance follows `(1/n + 1/m) / (8 ln 2) * chi2_{categories - 1}`: the
/// divergence of close distributions is an eighth of their chi-square distance. Rare categories add up to 1.4 times more
/// than that, so the mean and variance of each category's part are taken over all ways to deal its rows to the two sides,
/// and the chi-square law with the same mean and variance gives the quantile.
///
/// # Shapes
/// Both are counts, `[n_categories]`, of the same length and aligned; only their sums by category and by side matter. A
/// side without rows, or fewer than two categories, gives 0.
///
/// # Source
/// Menéndez, Pardo, Pardo, Pardo (1997), doi:10.1016/S0016-0032(96)00063-4, for the limit; Satterthwaite (1946),
/// doi:10.2307/3002019, for the match of moments.
///
/// ```
/// let ten_equal = [1000; 10];
/// let quantile = drift::null::jensen_shannon_quantile(&ten_equal, &ten_equal);
/// assert!((quantile - 0.02795).abs() < 1e-4); // sqrt(0.0002 / (8 ln 2) * scipy 1.17.1 chi2.ppf(0.99, 9))
/// ```
pub fn jensen_shannon_quantile(reference: &[u64], current: &[u64]) -> f64 {
    let (n, m) = (reference.iter().sum::<u64>(), current.iter().sum::<u64>());
    let n_both = (n + m) as f64;
    let (mut mean, mut variance) = (0.0, 0.0);
    for total in reference.iter().zip(current).map(|(a, b)| a + b).filter(|&total| total > 0) {
        // Sides of fixed size tie the categories together; this factor turns k degrees of freedom into k - 1.
        let freedom = 1.0 - total as f64 / n_both;
        let part = divergence_part(total, n, m);
        mean += freedom * part.0;
        variance += freedom * part.1;
    }
    if n == 0 || m == 0 || variance <= 0.0 {
        return 0.0;
    }
    let degrees = 2.0 * mean * mean / variance;
    let chi_square = ChiSquared::new(degrees).map_or(0.0, |law| law.inverse_cdf(NULL_LEVEL));
    (mean / degrees * chi_square).sqrt().min(1.0)
}

/// Mean and variance of one category's part of the Jensen-Shannon divergence (base 2) when its `total` rows fall on sides
/// of `n` and `m` rows by chance.
fn divergence_part(total: u64, n: u64, m: u64) -> (f64, f64) {
    /// From this many expected rows on the smaller side, the chi-square limit holds within a percent.
    const FREQUENT: f64 = 50.0;
    let (smaller, larger) = (n.min(m) as f64, n.max(m) as f64);
    let chance = smaller / (smaller + larger);
    let expected = total as f64 * chance;
    if expected >= FREQUENT {
        let mean = variance_scale(n, m) / (8.0 * std::f64::consts::LN_2);
        return (mean, 2.0 * mean * mean);
    }
    let entropy = |share: f64, average: f64| if share > 0.0 { share * (share / average).log2() } else { 0.0 };
    let last = total.min((expected + 9.0 * expected.sqrt() + 10.0) as u64);
    let mut probability = (total as f64 * (-chance).ln_1p()).exp();
    let (mut mean, mut square) = (0.0, 0.0);
    for count in 0..=last {
        let (a, b) = (count as f64 / smaller, (total - count) as f64 / larger);
        let average = (a + b) / 2.0;
        let part = (entropy(a, average) + entropy(b, average)) / 2.0;
        mean += probability * part;
        square += probability * part * part;
        probability *= (total - count) as f64 / (count + 1) as f64 * chance / (1.0 - chance);
    }
    (mean, square - mean * mean)
}

/// Null quantile of Wasserstein-1 between samples of the reference's own distribution: `unit * sqrt(1/n + 1/m)`, in the
/// unit of `unit` ([`wasserstein_unit_quantile`]).
pub fn wasserstein_quantile(n: u64, m: u64, unit: f64) -> f64 {
    unit * variance_scale(n, m).sqrt()
}

/// The [`NULL_LEVEL`] quantile of `integral of |B(u)| dQ(u)` for a Brownian bridge `B` and the reference's quantile
/// function `Q`, in the column's unit.
///
/// The law has no closed form for a general `Q`, so it is simulated: the same 2,000 seeded bridges for every column. The
/// quantile's own standard error is about 3 %.
///
/// # Shapes
/// `reference` is ascending, without NaN; an empty one gives 0.
///
/// # Source
/// del Barrio, Giné, Matrán (1999), doi:10.1214/aop/1022677394.
pub fn wasserstein_unit_quantile(reference: &[f64]) -> f64 {
    if reference.is_empty() {
        return 0.0;
    }
    let edges = levels();
    let steps: Array1<f64> =
        edges.windows(2).map(|pair| quantile(reference, pair[1]) - quantile(reference, pair[0])).collect();
    let mut distances = bridges().dot(&steps).to_vec();
    let rank = (NULL_LEVEL * (PATHS - 1) as f64).round() as usize;
    *distances.select_nth_unstable_by(rank, f64::total_cmp).1
}

/// `1/n + 1/m`; 0 when a side is empty.
fn variance_scale(n: u64, m: u64) -> f64 {
    if n == 0 || m == 0 { 0.0 } else { 1.0 / n as f64 + 1.0 / m as f64 }
}

/// The [`NULL_LEVEL`] quantile of chi-square with `cells - 1` degrees of freedom; 0 for fewer than two cells.
fn chi_square_quantile(cells: usize) -> f64 {
    ChiSquared::new(cells.saturating_sub(1) as f64).map_or(0.0, |law| law.inverse_cdf(NULL_LEVEL))
}

const PATHS: usize = 2_000;
const INTERVALS: usize = 128;

/// The levels between which a bridge is taken as constant: evenly spaced in log odds, because heavy tails put most of
/// the integral near 0 and 1.
fn levels() -> Vec<f64> {
    // Log odds of half of the largest exact profile's first rank.
    const REACH: f64 = 10.4;
    let inner = (1..INTERVALS).map(|i| {
        let log_odds = REACH * (2.0 * i as f64 / INTERVALS as f64 - 1.0);
        1.0 / (1.0 + (-log_odds).exp())
    });
    std::iter::once(0.0).chain(inner).chain(std::iter::once(1.0)).collect()
}

/// `|B|` at the middle of each interval, `[PATHS, INTERVALS]`: a constant of the crate, drawn on first use.
fn bridges() -> &'static Array2<f64> {
    static BRIDGES: OnceLock<Array2<f64>> = OnceLock::new();
    BRIDGES.get_or_init(|| {
        let edges = levels();
        let middles: Vec<f64> = edges.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(0xB21D6E);
        let mut bridges = Array2::zeros((PATHS, INTERVALS));
        let mut walk = vec![0.0; INTERVALS];
        for mut bridge in bridges.rows_mut() {
            let (mut level, mut height) = (0.0, 0.0);
            for (point, &middle) in walk.iter_mut().zip(&middles) {
                height += (middle - level).sqrt() * standard_normal(&mut rng);
                (*point, level) = (height, middle);
            }
            let end = height + (1.0 - level).sqrt() * standard_normal(&mut rng);
            for ((cell, point), middle) in bridge.iter_mut().zip(&walk).zip(&middles) {
                *cell = f64::abs(point - middle * end);
            }
        }
        bridges
    })
}

/// A standard normal number (Box and Muller, 1958).
fn standard_normal(rng: &mut ChaCha8Rng) -> f64 {
    // `1 - u` is in (0, 1], so the logarithm is finite.
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (2.0 * std::f64::consts::PI * rng.random::<f64>()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::two_sample::{jensen_shannon, psi, sorted, wasserstein};

    /// Share of `repeats` draws without drift whose effect exceeds the quantile; the nominal one is 0.01.
    fn exceedance(repeats: usize, mut draw: impl FnMut(&mut ChaCha8Rng) -> bool) -> f64 {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        (0..repeats).filter(|_| draw(&mut rng)).count() as f64 / repeats as f64
    }

    fn normals(rng: &mut ChaCha8Rng, n: usize) -> Vec<f64> {
        sorted(&(0..n).map(|_| standard_normal(rng)).collect::<Vec<f64>>())
    }

    #[test]
    fn wasserstein_quantile_is_exceeded_once_in_a_hundred() {
        for (n, m) in [(400, 300), (3_000, 200)] {
            let rate = exceedance(2_000, |rng| {
                let (reference, current) = (normals(rng, n), normals(rng, m));
                let unit = wasserstein_unit_quantile(&reference);
                wasserstein::distance(&reference, &current) > wasserstein_quantile(n as u64, m as u64, unit)
            });
            assert!((0.003..0.02).contains(&rate), "{n} and {m}: {rate}");
        }
    }

    #[test]
    fn psi_and_jensen_shannon_quantiles_are_exceeded_about_once_in_a_hundred() {
        let (n, m) = (2_000, 1_000);
        let mut too_far = 0;
        let psi_rate = exceedance(2_000, |rng| {
            let (reference, current) = (normals(rng, n), normals(rng, m));
            let edges = psi::edges(&reference);
            let counts = [&reference, &current].map(|side| psi::histogram(side, &edges));
            let distance = jensen_shannon::distance(&counts[0], &counts[1]);
            too_far += usize::from(distance > jensen_shannon_quantile(&counts[0], &counts[1]));
            psi::from_counts(&counts[0], &counts[1]) > psi_quantile(n as u64, m as u64, 10)
        });
        // Bins at the reference's own quantiles make the reference's counts exact, so both are a little rarer.
        assert!(psi_rate < 0.02, "{psi_rate}");
        assert!(too_far as f64 / 2_000.0 < 0.02, "{too_far}");
        assert_eq!(psi_quantile(0, 5, 10), 0.0);
        assert_eq!(jensen_shannon_quantile(&[5], &[5]), 0.0);
    }

    #[test]
    fn jensen_shannon_quantile_holds_for_rare_categories() {
        for (n, m, categories) in [(300, 300, 200.0), (5_000, 300, 50.0), (300, 2_000, 5.0)] {
            let rate = exceedance(2_000, |rng| {
                let mut deal = |rows: usize| {
                    let mut counts = vec![0; categories as usize];
                    for _ in 0..rows {
                        counts[(rng.random::<f64>().powi(2) * categories) as usize] += 1;
                    }
                    counts
                };
                let (reference, current) = (deal(n), deal(m));
                jensen_shannon::distance(&reference, &current) > jensen_shannon_quantile(&reference, &current)
            });
            assert!((0.003..0.02).contains(&rate), "{n} and {m} rows of {categories}: {rate}");
        }
    }

    #[test]
    fn a_constant_reference_never_moves_by_chance() {
        assert_eq!(wasserstein_unit_quantile(&[4.0; 9]), 0.0);
        assert_eq!(wasserstein_unit_quantile(&[]), 0.0);
    }
}
