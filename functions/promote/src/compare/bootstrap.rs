//! The paired bootstrap: how sure an improvement is.
//!
//! Champion and challenger answered the same rows, so rows are drawn once for both: what makes a row hard for either
//! cancels, and a small but steady improvement shows on far fewer rows than two separate intervals would need.
//!
//! # Method
//! 2,000 resamples of `n` rows with replacement; each gives one improvement; the interval holds the middle
//! `confidence` of them (percentile interval). Above [`MAX_UNITS`] rows, rows are first dealt at random to that many
//! units, and units are drawn. A unit is a sum of independent rows, so the variance of a sum over drawn units is that
//! over drawn rows in expectation; it is off by about `sqrt(2 / 16384)` = 1.1 %, less than what 2,000 resamples leave
//! open, and the cost of a resample no longer grows with the rows for metrics that are means.
//!
//! A resample in which the metric is not defined (one class only, for AUC) counts as a loss without bound: it can only
//! make the interval more careful. A fixed seed gives the same interval at any number of threads.
//!
//! # Source
//! B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap" (1993), chapters 6 (resampling) and 13 (percentile
//! interval). Paired resampling for comparing models: P. Koehn, "Statistical significance tests for machine translation
//! evaluation" (EMNLP 2004).

use features::quantile;
use model::Predictions;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use spec::{ColumnData, Metric, Spec};

use super::statistic::{self, Statistic};

/// How many resamples are drawn. At confidence 0.95 each bound then rests on the 50 most extreme ones.
pub const RESAMPLES: usize = 2_000;

/// Most units that are drawn; up to so many rows each row is a unit.
pub const MAX_UNITS: usize = 16_384;

/// Fewest rows that an interval can rest on: below, resamples repeat the same few rows and the interval is too narrow by
/// far.
pub const MIN_ROWS: usize = 10;

/// The interval of the challenger's improvement over the champion, `[low, high]`, in units of the metric; above zero where
/// the challenger is better, whichever direction the metric has.
///
/// None where the metric is not defined for one of the two, where fewer than [`MIN_ROWS`] rows have a truth, or where a
/// bound is not finite.
///
/// # Shapes
/// `champion`, `challenger` and `target` are of the same rows, in the same order; `spec` names the classes in the order of
/// the predictions' columns. `confidence` lies in (0, 1).
///
/// # Panics
/// When the numbers of rows differ.
pub fn paired_interval(
    spec: &Spec,
    metric: Metric,
    champion: &Predictions,
    challenger: &Predictions,
    target: &ColumnData,
    confidence: f64,
    seed: [u8; 32],
) -> Option<[f64; 2]> {
    let (statistic, n_units) = statistic::of(spec, metric, champion, challenger, target, |n_rows| deal(n_rows, seed))?;
    if n_units < MIN_ROWS {
        return None;
    }
    let mut improvements = resampled(&*statistic, n_units, seed);
    improvements.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - confidence) / 2.0;
    let interval = [quantile(&improvements, tail), quantile(&improvements, 1.0 - tail)];
    interval.iter().all(|bound| bound.is_finite()).then_some(interval)
}

/// The order in which rows are dealt to units, and how many units there are.
fn deal(n_rows: usize, seed: [u8; 32]) -> (Vec<u32>, usize) {
    let mut order: Vec<u32> = (0..n_rows as u32).collect();
    if n_rows > MAX_UNITS {
        order.shuffle(&mut ChaCha8Rng::from_seed(seed));
    }
    (order, n_rows.min(MAX_UNITS))
}

fn resampled(statistic: &dyn Statistic, n_units: usize, seed: [u8; 32]) -> Vec<f64> {
    let resample = |counts: &mut Vec<u32>, number: usize| {
        // A stream of its own for each resample; the first one dealt the rows.
        let mut rng = ChaCha8Rng::from_seed(seed);
        rng.set_stream(number as u64 + 1);
        counts.fill(0);
        for _ in 0..n_units {
            counts[rng.random_range(0..n_units as u32) as usize] += 1;
        }
        statistic.improvement(counts).unwrap_or(f64::NEG_INFINITY)
    };
    (0..RESAMPLES).into_par_iter().map_init(|| vec![0; n_units], resample).collect()
}

#[cfg(test)]
mod tests;
