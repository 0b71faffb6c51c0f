//! Numbers: robust scaling with smooth clipping, and a missing-value indicator.

use serde::{Deserialize, Serialize};

/// Where smooth clipping bends: a value this many spreads away comes out at about 0.7 of this.
const CLIP: f64 = 3.0;

/// How a number column enters the network.
///
/// `z = (x - median) / spread`, then `z / sqrt(1 + (z / 3)^2)`, so that results lie strictly between -3 and 3 and keep
/// their order however long the tail. A missing cell is 0 with its indicator at 1.
///
/// # Source
/// Robust scaling with smooth clipping: Holzmüller, Grinsztajn, Steinwart, "Better by default" (NeurIPS 2024), §3.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NumberEncoding {
    /// Median of the train rows, in the column's unit.
    pub median: f64,
    /// Interquartile range of the train rows; half the full range where that is zero; 1 for a constant.
    pub spread: f64,
    /// Whether a second input says that the cell is missing.
    pub indicator: bool,
}

impl NumberEncoding {
    /// Fits on the train rows; NaN is missing. A column without any value encodes every cell as 0.
    pub fn fit(numbers: &[f64], nullable: bool) -> Self {
        let mut sorted: Vec<f64> = numbers.iter().copied().filter(|number| !number.is_nan()).collect();
        let indicator = nullable || sorted.len() < numbers.len();
        sorted.sort_unstable_by(f64::total_cmp);
        let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else {
            return Self { median: 0.0, spread: 1.0, indicator };
        };
        let quartiles = quantile(&sorted, 0.75) - quantile(&sorted, 0.25);
        let spread = [quartiles, (last - first) / 2.0, 1.0]
            .into_iter()
            .find(|spread| *spread > 0.0 && spread.is_finite())
            .unwrap_or(1.0);
        Self { median: quantile(&sorted, 0.5), spread, indicator }
    }

    /// Inputs of the network that this column takes.
    pub fn width(&self) -> usize {
        if self.indicator { 2 } else { 1 }
    }

    /// Writes the inputs of one cell; NaN is missing. `out` has [`Self::width`] places.
    ///
    /// ```
    /// let encoding = features::NumberEncoding { median: 10.0, spread: 4.0, indicator: true };
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

/// The quantile at `level` of sorted numbers, linear between neighbours (type 7 of Hyndman and Fan).
fn quantile(sorted: &[f64], level: f64) -> f64 {
    let position = level * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[position.floor() as usize], sorted[position.ceil() as usize]);
    low + (high - low) * position.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(numbers: &[f64], median: f64, spread: f64, indicator: bool) {
        assert_eq!(NumberEncoding::fit(numbers, false), NumberEncoding { median, spread, indicator });
    }

    #[test]
    fn spreads_are_never_zero() {
        check(&[1.0, 2.0, 3.0, 4.0, 5.0], 3.0, 2.0, false);
        check(&[0.0, 0.0, 0.0, 0.0, 8.0], 0.0, 4.0, false);
        check(&[7.0, 7.0], 7.0, 1.0, false);
        check(&[f64::NAN], 0.0, 1.0, true);
        check(&[f64::NAN, 2.0], 2.0, 1.0, true);
    }

    #[test]
    fn extreme_numbers_stay_finite_and_in_order() {
        let encoding = NumberEncoding { median: 0.0, spread: 1.0, indicator: false };
        let encoded: Vec<f32> = [f64::MIN, -10.0, 0.0, 10.0, f64::MAX]
            .into_iter()
            .map(|number| {
                let mut out = [0.0];
                encoding.encode(number, &mut out);
                out[0]
            })
            .collect();
        assert!(encoded.windows(2).all(|pair| pair[0] < pair[1]), "{encoded:?}");
        assert!(encoded.iter().all(|input| input.abs() <= 3.0));
    }
}
