//! Order statistics of numbers that come in parts.

use serde::{Deserialize, Serialize};

use crate::profile::standard_deviation;
use crate::two_sample::sorted;
use crate::{ColumnProfile, EXACT_ROWS, Values};

/// Most values that a sketch holds of each weight, and so the number of rows up to which it is exact.
pub const SKETCH_ROWS: usize = 2 * EXACT_ROWS;

/// A summary of a column of numbers from which its quantiles follow, and that merges with others of its kind.
///
/// Up to [`SKETCH_ROWS`] values it is those values. Beyond, values stand for 1, 2, 4, .. rows each: whenever there are too
/// many of one weight, they are sorted and every other one goes on with twice the weight. Each such step moves the rank of
/// no value by more than the weight, so for `n` values the distribution function is off by at most `(log2(n / 32,768) + 1) /
/// 32,768`: 1.8e-4 at a million rows and 2.8e-4 at ten million, in whatever order and grouping the parts are merged.
/// [`Sketch::rank_error`] has the sum of what was really lost, which is less. Memory grows with the logarithm of the rows.
///
/// # NaN policy
/// NaN and infinities are missing values, counted and left out.
///
/// # Source
/// Munro, Paterson (1980), doi:10.1016/0304-3975(80)90061-4; Agarwal and others (2013), doi:10.1145/2500128, for merging.
///
/// ```
/// let mut sketch = drift::Sketch::of(&[3.0, f64::NAN, 1.0]);
/// sketch.merge(drift::Sketch::of(&[2.0]));
/// assert_eq!((sketch.n(), sketch.missing(), sketch.rank_error()), (3, 1, 0));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sketch {
    n: u64,
    missing: u64,
    min: f64,
    max: f64,
    mean: f64,
    /// Sum of squared deviations from the mean.
    squares: f64,
    /// `levels[l]`: ascending values that stand for `2^l` rows each.
    levels: Vec<Vec<f64>>,
    /// Steps that each level has seen: they keep the even and the odd ones by turns.
    steps: Vec<u64>,
    rank_error: u64,
}

impl Sketch {
    /// The sketch of some values.
    pub fn of(values: &[f64]) -> Sketch {
        let mut sketch = Sketch::default();
        for chunk in values.chunks(SKETCH_ROWS) {
            sketch.merge(Self::of_chunk(chunk));
        }
        sketch
    }

    fn of_chunk(chunk: &[f64]) -> Sketch {
        let values = sorted(chunk);
        let n = values.len() as f64;
        let (Some(&min), Some(&max)) = (values.first(), values.last()) else {
            return Sketch { missing: chunk.len() as u64, ..Sketch::default() };
        };
        let mean = values.iter().map(|value| value / n).sum::<f64>();
        let squares = (standard_deviation(&values).powi(2) * n).min(f64::MAX);
        Sketch {
            n: values.len() as u64,
            missing: (chunk.len() - values.len()) as u64,
            min,
            max,
            mean,
            squares,
            levels: vec![values],
            steps: vec![0],
            rank_error: 0,
        }
    }

    /// Adds all values of another sketch.
    pub fn merge(&mut self, other: Sketch) {
        let (n, m) = (self.n as f64, other.n as f64);
        self.missing += other.missing;
        if other.n == 0 {
            return;
        }
        if self.n == 0 {
            *self = Sketch { missing: self.missing, ..other };
            return;
        }
        let difference = other.mean - self.mean;
        self.mean += difference * (m / (n + m));
        // Chan, Golub, LeVeque (1983), doi:10.1080/00031305.1983.10483115; JSON has no infinity.
        self.squares = (self.squares + other.squares + difference * difference * (n * m / (n + m))).min(f64::MAX);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.n += other.n;
        self.rank_error += other.rank_error;
        for (level, (values, steps)) in other.levels.into_iter().zip(other.steps).enumerate() {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
                self.steps.push(0);
            }
            self.steps[level] += steps;
            self.levels[level] = merged(&self.levels[level], &values);
        }
        self.settle();
    }

    /// Brings every level below its size, from the lightest to the heaviest.
    fn settle(&mut self) {
        let mut level = 0;
        while level < self.levels.len() {
            if self.levels[level].len() > SKETCH_ROWS {
                let mut values = std::mem::take(&mut self.levels[level]);
                // An odd one stays, so that the weights always add up to the rows.
                self.levels[level] = values.split_off(values.len() & !1);
                let offset = (self.steps[level] % 2) as usize;
                let kept: Vec<f64> = values.into_iter().skip(offset).step_by(2).collect();
                self.steps[level] += 1;
                self.rank_error += 1 << level;
                if level + 1 == self.levels.len() {
                    self.levels.push(Vec::new());
                    self.steps.push(0);
                }
                self.levels[level + 1] = merged(&self.levels[level + 1], &kept);
            }
            level += 1;
        }
    }

    /// Values that are not missing.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Missing values.
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// By how many rows, at most, the rank of any value is off; 0 while the sketch is exact.
    pub fn rank_error(&self) -> u64 {
        self.rank_error
    }

    /// The profile: that of all values together while the sketch is exact, and [`EXACT_ROWS`] order statistics of it beyond,
    /// whose distribution function is off by another `1 / (2 * 16,384)`.
    pub(crate) fn finish(&self) -> ColumnProfile {
        if self.levels.len() <= 1 {
            let values = self.levels.first().map_or(&[][..], Vec::as_slice);
            return ColumnProfile::of(Values::Numbers(values)).with_missing(self.missing);
        }
        let quantiles = self.order_statistics();
        let std = (self.squares / self.n as f64).sqrt();
        let std = if self.squares < f64::MAX { std } else { standard_deviation(&quantiles) };
        ColumnProfile::of_order_statistics(self.n, self.missing, std, (self.min, self.max), quantiles)
    }

    /// [`EXACT_ROWS`] values at the middle ranks of as many equal groups.
    fn order_statistics(&self) -> Vec<f64> {
        let weighted = self
            .levels
            .iter()
            .enumerate()
            .flat_map(|(level, values)| values.iter().map(move |&value| (value, 1_u64 << level)));
        let mut weighted: Vec<(f64, u64)> = weighted.collect();
        weighted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut statistics = Vec::with_capacity(EXACT_ROWS);
        let mut below = 0;
        for (value, weight) in weighted {
            below += weight;
            let rank = |i: usize| ((2 * i as u128 + 1) * u128::from(self.n)) / (2 * EXACT_ROWS as u128);
            while statistics.len() < EXACT_ROWS && rank(statistics.len()) < u128::from(below) {
                statistics.push(value);
            }
        }
        statistics
    }

    /// Whether the parts add up, as [`Sketch::merge`] keeps them.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let weighted = self.levels.iter().enumerate().map(|(level, values)| (values.len() as u64) << level.min(40));
        if self.levels.len() > 40 || weighted.sum::<u64>() != self.n || self.steps.len() != self.levels.len() {
            return Err("the weights of its values do not add up to the number of values");
        }
        if !self.levels.iter().all(|values| values.is_sorted() && values.len() <= SKETCH_ROWS) {
            return Err("the values of its sketch are out of order or too many");
        }
        Ok(())
    }
}

/// Two ascending lists as one.
fn merged(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut all = Vec::with_capacity(a.len() + b.len());
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        if a[i] <= b[j] {
            all.push(a[i]);
            i += 1;
        } else {
            all.push(b[j]);
            j += 1;
        }
    }
    all.extend_from_slice(&a[i..]);
    all.extend_from_slice(&b[j..]);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::two_sample::ks;

    fn wave(n: usize) -> Vec<f64> {
        (0..n).map(|i| (i as f64 * 12.9898).sin().powi(3) * 5.0 + i as f64 * 1e-6).collect()
    }

    #[test]
    fn beyond_its_size_the_error_is_below_what_is_stated() {
        for n in [40_000, 300_003] {
            let values = wave(n);
            let all = sorted(&values);
            let mut sketch = Sketch::default();
            for part in values.chunks(7_001) {
                sketch.merge(Sketch::of(part));
            }
            let stated = ((n as f64 / SKETCH_ROWS as f64).log2() + 1.0) / SKETCH_ROWS as f64;
            assert!(sketch.rank_error() as f64 / n as f64 <= stated, "{n}: {}", sketch.rank_error());
            let ColumnProfile::Numbers { n: rows, std, quantiles, exact, .. } = sketch.finish() else {
                panic!("numbers expected");
            };
            assert_eq!((rows, exact, quantiles.len()), (n as u64, false, EXACT_ROWS));
            let d = ks::statistic(&quantiles, &all);
            assert!(d <= stated + 1.0 / (2.0 * EXACT_ROWS as f64), "{n}: {d}");
            assert!((std / standard_deviation(&all) - 1.0).abs() < 1e-12);
            assert!(sketch.check().is_ok());
        }
    }

    #[test]
    fn weights_add_up_whatever_the_sizes() {
        let mut sketch = Sketch::default();
        for n in [SKETCH_ROWS + 1, 3, 2 * SKETCH_ROWS + 5, 1, 0, SKETCH_ROWS] {
            sketch.merge(Sketch::of(&wave(n)));
            assert_eq!(sketch.check(), Ok(()));
        }
        assert_eq!(sketch.n() as usize, 4 * SKETCH_ROWS + 10);
    }

    #[test]
    fn huge_values_keep_a_finite_spread() {
        let mut sketch = Sketch::of(&vec![1e200; SKETCH_ROWS]);
        sketch.merge(Sketch::of(&vec![-1e200; SKETCH_ROWS]));
        let ColumnProfile::Numbers { std, .. } = sketch.finish() else { panic!("numbers expected") };
        assert!((std / 1e200 - 1.0).abs() < 1e-3, "{std}");
    }
}
