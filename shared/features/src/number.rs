//! Numbers: robust scaling with smooth clipping, positions on piecewise-linear curves, and a missing-value indicator.

use serde::{Deserialize, Serialize};

/// Where smooth clipping bends: a value this many spreads away comes out at about 0.7 of this.
const CLIP: f64 = 3.0;

/// Bins of a coarse curve: enough for most shapes, and too few to learn noise.
const COARSE_BINS: usize = 16;

/// How a number column enters the network.
///
/// In two ways, because a network learns long slopes best from the one and sharp bends from the other:
///
/// - `z = (x - median) / spread`, then `z / sqrt(1 + (z / 3)^2)`, so that results lie strictly between -3 and 3 and keep
///   their order however long the tail;
/// - its position among the edges of each [`Curve`].
///
/// A missing cell stands at the median, with its indicator at 1.
///
/// # Source
/// Robust scaling with smooth clipping: Holzmüller, Grinsztajn, Steinwart, "Better by default" (NeurIPS 2024), §3.
/// Piecewise-linear encoding: Gorishniy, Rubachev, Babenko, "On embeddings for numerical features in tabular deep
/// learning" (NeurIPS 2022), §3.2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NumberEncoding {
    /// Median of the train rows, in the column's unit.
    pub median: f64,
    /// Interquartile range of the train rows; half the full range where that is zero; 1 for a constant.
    pub spread: f64,
    /// Whether a second input says that the cell is missing.
    pub indicator: bool,
    /// None for a constant; the coarse one; and a fine one where the train rows have more values than the coarse one tells
    /// apart.
    pub curves: Vec<Curve>,
}

/// Where a piecewise-linear curve may bend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// Edges of the bins, two or more, rising, in the column's unit; the outer ones are the smallest and the largest train
    /// value.
    pub edges: Vec<f64>,
}

impl Curve {
    /// A bin between each two neighbouring values where they are few, else `bins` bins of about equally many rows. None
    /// where there are not two values.
    fn fit(sorted: &[f64], bins: usize) -> Option<Self> {
        let mut distinct = sorted.chunk_by(|a, b| a == b).map(|equal| equal[0]);
        let mut edges: Vec<f64> = distinct.by_ref().take(bins + 1).collect();
        if distinct.next().is_some() {
            edges = (0..=bins).map(|edge| quantile(sorted, edge as f64 / bins as f64)).collect();
            edges.dedup();
        }
        (edges.len() > 1).then_some(Self { edges })
    }

    /// Number of bins.
    pub fn bins(&self) -> usize {
        self.edges.len().saturating_sub(1)
    }

    /// Where a number stands: `j + t` where it has come the share `t` through bin `j`; 0 to [`Self::bins`].
    ///
    /// ```
    /// let curve = features::Curve { edges: vec![0.0, 2.0, 10.0] };
    /// let positions = [-5.0, 1.0, 2.0, 4.0, 99.0].map(|cell| curve.position(cell));
    /// assert_eq!(positions, [0.0, 0.5, 1.0, 1.25, 2.0]);
    /// ```
    pub fn position(&self, number: f64) -> f32 {
        let (Some(first), Some(last)) = (self.edges.first(), self.edges.last()) else { return 0.0 };
        if number <= *first {
            return 0.0;
        }
        if number >= *last {
            return self.bins() as f32;
        }
        let bin = self.edges.partition_point(|edge| *edge <= number) - 1;
        let (low, high) = (self.edges[bin], self.edges[bin + 1]);
        // Halves, because the width of a bin of the largest doubles would overflow.
        let share = (number / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0);
        bin as f32 + (share as f32).min(1.0 - f32::EPSILON)
    }
}

impl NumberEncoding {
    /// Fits on the train rows, with at most `bins` bins of a fine curve; NaN is missing. A column without any value encodes
    /// every cell as 0.
    pub fn fit(numbers: &[f64], nullable: bool, bins: usize) -> Self {
        let mut sorted: Vec<f64> = numbers.iter().copied().filter(|number| !number.is_nan()).collect();
        let indicator = nullable || sorted.len() < numbers.len();
        sorted.sort_unstable_by(f64::total_cmp);
        let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else {
            return Self { median: 0.0, spread: 1.0, indicator, curves: Vec::new() };
        };
        let quartiles = quantile(&sorted, 0.75) - quantile(&sorted, 0.25);
        let spread = [quartiles, (last - first) / 2.0, 1.0]
            .into_iter()
            .find(|spread| *spread > 0.0 && spread.is_finite())
            .unwrap_or(1.0);
        let mut curves: Vec<Curve> =
            [COARSE_BINS.min(bins), bins].into_iter().filter_map(|bins| Curve::fit(&sorted, bins)).collect();
        curves.dedup();
        Self { median: quantile(&sorted, 0.5), spread, indicator, curves }
    }

    /// Dense inputs of the network that this column takes.
    pub fn width(&self) -> usize {
        if self.indicator { 2 } else { 1 }
    }

    /// Where a cell stands on a curve of this column; NaN is missing and stands where the median does.
    pub fn position(&self, curve: &Curve, number: f64) -> f32 {
        curve.position(if number.is_nan() { self.median } else { number })
    }

    /// Writes the dense inputs of one cell; NaN is missing. `out` has [`Self::width`] places.
    ///
    /// ```
    /// let encoding = features::NumberEncoding { median: 10.0, spread: 4.0, indicator: true, curves: vec![] };
    /// let mut out = [0.0; 2];
    /// encoding.encode(14.0, &mut out);
    /// assert_eq!(out, [0.9486833, 0.0]); // 1 / sqrt(1 + 1/9)
    /// encoding.encode(f64::NAN, &mut out);
    /// assert_eq!(out, [0.0, 1.0]);
    /// ```
    pub fn encode(&self, number: f64, out: &mut [f32]) {
        let missing = number.is_nan();
        let z = if missing { 0.0 } else { (number - self.median) / self.spread };
        // hypot does not overflow for the largest doubles, a square would.
        out[0] = (z / (1.0_f64).hypot(z / CLIP)) as f32;
        if self.indicator {
            out[1] = if missing { 1.0 } else { 0.0 };
        }
    }
}

/// The quantile at `level`, 0 to 1, of sorted numbers, linear between neighbours (type 7 of Hyndman and Fan). Equal
/// neighbours are the answer, also where they are infinite.
///
/// # Panics
/// When there are no numbers.
///
/// ```
/// assert_eq!(features::quantile(&[1.0, 2.0, 4.0], 0.75), 3.0);
/// ```
pub fn quantile(sorted: &[f64], level: f64) -> f64 {
    let position = level * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[position.floor() as usize], sorted[position.ceil() as usize]);
    if low == high { low } else { low + (high - low) * position.fract() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(numbers: &[f64], median: f64, spread: f64, indicator: bool, edges: &[&[f64]]) {
        let curves = edges.iter().map(|edges| Curve { edges: edges.to_vec() }).collect();
        let expected = NumberEncoding { median, spread, indicator, curves };
        assert_eq!(NumberEncoding::fit(numbers, false, 2), expected);
    }

    #[test]
    fn spreads_are_never_zero_and_edges_rise() {
        check(&[1.0, 2.0, 3.0, 4.0, 5.0], 3.0, 2.0, false, &[&[1.0, 3.0, 5.0]]);
        check(&[0.0, 0.0, 0.0, 0.0, 8.0], 0.0, 4.0, false, &[&[0.0, 8.0]]);
        check(&[7.0, 7.0], 7.0, 1.0, false, &[]);
        check(&[f64::NAN], 0.0, 1.0, true, &[]);
        check(&[f64::NAN, 2.0], 2.0, 1.0, true, &[]);
    }

    #[test]
    fn many_values_have_a_fine_curve_too() {
        let numbers: Vec<f64> = (0..1000).map(f64::from).collect();
        let bins: Vec<usize> = NumberEncoding::fit(&numbers, false, 256).curves.iter().map(Curve::bins).collect();
        assert_eq!(bins, [16, 256]);
        let few = NumberEncoding::fit(&[3.0, 1.0, 2.0, 1.0, 1.0, 1.0], false, 256);
        assert_eq!(few.curves, [Curve { edges: vec![1.0, 2.0, 3.0] }], "each value has its edge");
    }

    #[test]
    fn extreme_numbers_stay_finite_and_in_order() {
        let encoding = NumberEncoding::fit(&[f64::MIN, -1.0, 0.0, 1.0, f64::MAX], false, 4);
        let encoding = NumberEncoding { spread: 1.0, ..encoding };
        let encoded: Vec<(f32, f32)> = [f64::MIN, -10.0, 0.0, 10.0, f64::MAX]
            .iter()
            .map(|number| {
                let mut out = [0.0];
                encoding.encode(*number, &mut out);
                (out[0], encoding.position(&encoding.curves[0], *number))
            })
            .collect();
        assert!(encoded.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1), "{encoded:?}");
        assert!(encoded.iter().all(|(z, position)| z.abs() <= 3.0 && (0.0..=4.0).contains(position)), "{encoded:?}");
    }
}
