//! The reference: what the training rows looked like, small enough to travel with the model.

use indexmap::IndexMap;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::two_sample::sorted;
use crate::{Error, Values, null};

/// Up to this many non-missing values a column of numbers is kept whole. Beyond, a profile keeps this many order
/// statistics, evenly spaced in rank. Its distribution function is then off by at most `1 / (2 * 16384)` = 3.1e-5, and so
/// is the Kolmogorov-Smirnov statistic.
pub const EXACT_ROWS: usize = 16_384;

/// The profile of a set of rows: the part `reference.json` of a model version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Number of rows, rows with missing values included.
    pub n_rows: u64,
    /// The model's inputs, in the order of the spec.
    pub columns: IndexMap<String, ColumnProfile>,
    /// The target's name and profile, where labels are there.
    pub target: Option<(String, ColumnProfile)>,
}

/// The profile of one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum ColumnProfile {
    /// Numbers. All figures are of the non-missing values, in the column's unit; 0 where there is none.
    Numbers {
        /// Values that are not missing.
        n: u64,
        /// Missing values.
        missing: u64,
        /// Standard deviation, ddof 0.
        std: f64,
        /// Smallest value.
        min: f64,
        /// Largest value.
        max: f64,
        /// Whether `quantiles` holds every value.
        exact: bool,
        /// All values in ascending order, or [`EXACT_ROWS`] order statistics of them.
        quantiles: Vec<f64>,
        /// What Wasserstein-1 reaches by chance, less the factor of the sample sizes
        /// ([`null::wasserstein_unit_quantile`]). It depends on the reference alone, so it is drawn once.
        wasserstein_null: f64,
    },
    /// Categories.
    Categories {
        /// Values that are not missing.
        n: u64,
        /// Missing values.
        missing: u64,
        /// Rows by category, every count 1 or more, in the order of the levels.
        counts: IndexMap<String, u64>,
    },
}

impl Profile {
    /// The profile of columns of equal length, one thread per column.
    ///
    /// Rows are selected by the caller. A code without a level counts as missing; [`crate::compare`] refuses it.
    pub fn of<'a>(
        columns: impl Iterator<Item = (String, Values<'a>)>,
        target: Option<(String, Values<'a>)>,
    ) -> Profile {
        Self::keeping(EXACT_ROWS, columns, target)
    }

    /// As [`Profile::of`], with every value of every number column: for a comparison at once, which is then exact at any
    /// number of rows. Kept, it would be as large as the rows; [`Profile::read`] refuses it.
    pub fn whole<'a>(
        columns: impl Iterator<Item = (String, Values<'a>)>,
        target: Option<(String, Values<'a>)>,
    ) -> Profile {
        Self::keeping(usize::MAX, columns, target)
    }

    fn keeping<'a>(
        exact_rows: usize,
        columns: impl Iterator<Item = (String, Values<'a>)>,
        target: Option<(String, Values<'a>)>,
    ) -> Profile {
        let columns: Vec<(String, Values<'a>)> = columns.collect();
        let n_rows = columns.first().or(target.as_ref()).map_or(0, |(_, values)| values.len() as u64);
        let of = |(name, values)| (name, ColumnProfile::keeping(exact_rows, values));
        let target = target.map(of);
        let columns: Vec<(String, ColumnProfile)> = columns.into_par_iter().map(of).collect();
        Profile { n_rows, columns: columns.into_iter().collect(), target }
    }

    /// The profile as the JSON that [`Profile::read`] takes. Numbers round-trip bit for bit.
    pub fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a profile has string keys and finite numbers")
    }

    /// Reads what [`Profile::write`] wrote.
    ///
    /// # Errors
    /// [`Error::UnreadableProfile`] for anything that is not a profile, [`Error::InvalidProfile`] for one whose counts or
    /// order statistics contradict themselves.
    pub fn read(bytes: &[u8]) -> Result<Profile, Error> {
        let profile: Profile = serde_json::from_slice(bytes).map_err(|source| Error::UnreadableProfile { source })?;
        for (name, column) in profile.columns.iter().chain(profile.target.iter().map(|(name, column)| (name, column))) {
            column.check(profile.n_rows).map_err(|detail| Error::InvalidProfile { column: name.clone(), detail })?;
        }
        Ok(profile)
    }
}

impl ColumnProfile {
    /// The profile of one column.
    pub fn of(values: Values<'_>) -> ColumnProfile {
        Self::keeping(EXACT_ROWS, values)
    }

    fn keeping(exact_rows: usize, values: Values<'_>) -> ColumnProfile {
        match values {
            Values::Numbers(values) => Self::of_numbers(exact_rows, values),
            Values::Categories { levels, codes } => Self::of_categories(levels, codes),
        }
    }

    /// Values that are not missing.
    pub fn n(&self) -> u64 {
        match self {
            ColumnProfile::Numbers { n, .. } | ColumnProfile::Categories { n, .. } => *n,
        }
    }

    /// Missing values.
    pub fn missing(&self) -> u64 {
        match self {
            ColumnProfile::Numbers { missing, .. } | ColumnProfile::Categories { missing, .. } => *missing,
        }
    }

    /// `numbers` or `categories`, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            ColumnProfile::Numbers { .. } => "numbers",
            ColumnProfile::Categories { .. } => "categories",
        }
    }

    fn of_numbers(exact_rows: usize, values: &[f64]) -> ColumnProfile {
        let all = sorted(values);
        let n = all.len();
        let (min, max) = (all.first().copied().unwrap_or(0.0), all.last().copied().unwrap_or(0.0));
        let std = standard_deviation(&all);
        let exact = n <= exact_rows;
        let quantiles = if exact { all } else { order_statistics(&all) };
        let missing = (values.len() - n) as u64;
        Self::of_order_statistics(n as u64, missing, std, (min, max), quantiles)
    }

    /// Of `n` values, `missing` missing ones, their spread and range, and all of them or [`EXACT_ROWS`] order statistics.
    pub(crate) fn of_order_statistics(
        n: u64,
        missing: u64,
        std: f64,
        (min, max): (f64, f64),
        quantiles: Vec<f64>,
    ) -> ColumnProfile {
        let wasserstein_null = null::wasserstein_unit_quantile(&quantiles).min(f64::MAX);
        let exact = quantiles.len() as u64 == n;
        ColumnProfile::Numbers { n, missing, std, min, max, exact, quantiles, wasserstein_null }
    }

    /// The same with so many more missing values.
    pub(crate) fn with_missing(mut self, more: u64) -> ColumnProfile {
        match &mut self {
            ColumnProfile::Numbers { missing, .. } | ColumnProfile::Categories { missing, .. } => *missing += more,
        }
        self
    }

    fn of_categories(levels: &[String], codes: &[u32]) -> ColumnProfile {
        let tally = tally(levels.len(), codes);
        let mut counts: IndexMap<String, u64> = IndexMap::new();
        for (level, &count) in levels.iter().zip(&tally).filter(|&(_, &count)| count > 0) {
            *counts.entry(level.clone()).or_default() += count;
        }
        let n = tally.iter().sum();
        ColumnProfile::Categories { n, missing: codes.len() as u64 - n, counts }
    }

    fn check(&self, n_rows: u64) -> Result<(), &'static str> {
        if self.n().checked_add(self.missing()) != Some(n_rows) {
            return Err("present and missing values do not add up to the rows");
        }
        match self {
            ColumnProfile::Numbers { n, exact, quantiles, .. } => {
                if !quantiles.is_sorted() {
                    return Err("order statistics are not in order");
                }
                let expected = if *exact { *n } else { EXACT_ROWS as u64 };
                if quantiles.len() as u64 != expected {
                    return Err("the number of order statistics does not fit the number of values");
                }
            }
            ColumnProfile::Categories { n, counts, .. } => {
                if counts.values().try_fold(0_u64, |sum, &count| sum.checked_add(count)) != Some(*n) {
                    return Err("category counts do not add up to the number of values");
                }
            }
        }
        Ok(())
    }
}

/// Rows per code, `[n_levels]`; codes beyond are left out.
pub(crate) fn tally(n_levels: usize, codes: &[u32]) -> Vec<u64> {
    let mut counts = vec![0; n_levels];
    for &code in codes {
        if let Some(count) = counts.get_mut(code as usize) {
            *count += 1;
        }
    }
    counts
}

/// [`EXACT_ROWS`] values at the middle ranks of as many equal groups.
fn order_statistics(sorted: &[f64]) -> Vec<f64> {
    let n = sorted.len();
    // floor((i + 1/2) * n / k) in whole numbers.
    (0..EXACT_ROWS).map(|i| sorted[((2 * i + 1) * n) / (2 * EXACT_ROWS)]).collect()
}

/// Standard deviation with ddof 0, in two passes; exactly 0 for equal values, which rounding of the mean would spoil.
pub(crate) fn standard_deviation(sorted: &[f64]) -> f64 {
    let (Some(first), Some(last)) = (sorted.first(), sorted.last()) else {
        return 0.0;
    };
    if first == last {
        return 0.0;
    }
    // Squares of huge values would overflow, and JSON has no infinity; a power of two rounds nothing.
    let largest = first.abs().max(last.abs());
    let scale = if largest > 1e100 { 2.0_f64.powi(-512) } else { 1.0 };
    let n = sorted.len() as f64;
    let mean = sorted.iter().map(|value| value * scale).sum::<f64>() / n;
    let variance = sorted.iter().map(|value| (value * scale - mean).powi(2)).sum::<f64>() / n;
    variance.sqrt() / scale
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MISSING;
    use crate::two_sample::ks;

    fn profile(numbers: &[f64], levels: &[&str], codes: &[u32]) -> Profile {
        let levels: Vec<String> = levels.iter().map(|level| level.to_string()).collect();
        let columns = [
            ("x".to_string(), Values::Numbers(numbers)),
            ("c".to_string(), Values::Categories { levels: &levels, codes }),
        ];
        Profile::of(columns.into_iter(), None)
    }

    #[test]
    fn missing_values_are_counted_and_levels_without_rows_dropped() {
        let profile = profile(&[2.0, f64::NAN, 1.0, f64::INFINITY], &["a", "b", "a"], &[0, 2, MISSING, 0]);
        assert_eq!(profile.n_rows, 4);
        let ColumnProfile::Numbers { n, missing, std, min, max, exact, ref quantiles, .. } = profile.columns["x"]
        else {
            panic!("numbers expected");
        };
        assert_eq!((n, missing, std, min, max, exact), (2, 2, 0.5, 1.0, 2.0, true));
        assert_eq!(quantiles, &[1.0, 2.0]);
        let ColumnProfile::Categories { n, missing, ref counts } = profile.columns["c"] else {
            panic!("categories expected");
        };
        assert_eq!((n, missing), (3, 1));
        assert_eq!(counts.iter().map(|(level, &count)| (level.as_str(), count)).collect::<Vec<_>>(), [("a", 3)]);
    }

    #[test]
    fn json_round_trips_bit_for_bit() {
        let numbers: Vec<f64> = (0..50).map(|i| (f64::from(i) * 0.37).sin() / 3.0).collect();
        let codes: Vec<u32> = (0..50).map(|i| i % 3).collect();
        let profile = profile(&numbers, &["x", "y \"quoted\"", "z"], &codes);
        assert_eq!(Profile::read(&profile.write()).unwrap(), profile);
    }

    #[test]
    fn huge_values_have_a_finite_profile() {
        let profile = profile(&[1e200, -3e200], &["a"], &[0, 0]);
        assert_eq!(Profile::read(&profile.write()).unwrap(), profile);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let good = String::from_utf8(profile(&[1.0, 2.0], &["a"], &[0, 0]).write()).unwrap();
        for (from, to) in
            [("[1.0,2.0]", "[2.0,1.0]"), ("[1.0,2.0]", "[1.0]"), ("\"a\":2", "\"a\":3"), ("\"n\":2", "\"n\":1")]
        {
            assert!(good.contains(from), "{good}");
            let bad = good.replacen(from, to, 1);
            assert!(matches!(Profile::read(bad.as_bytes()), Err(Error::InvalidProfile { .. })), "{bad}");
        }
        assert!(matches!(Profile::read(b"{"), Err(Error::UnreadableProfile { .. })));
    }

    #[test]
    fn a_large_column_is_off_by_at_most_the_stated_bound() {
        let values: Vec<f64> = (0..100_003).map(|i| (f64::from(i) * 12.9898).sin().powi(3)).collect();
        let all = sorted(&values);
        let ColumnProfile::Numbers { exact, quantiles, n, .. } = ColumnProfile::of(Values::Numbers(&values)) else {
            panic!("numbers expected");
        };
        assert_eq!((exact, n, quantiles.len()), (false, 100_003, EXACT_ROWS));
        let bound = 1.0 / (2.0 * EXACT_ROWS as f64);
        let d = ks::statistic(&quantiles, &all);
        assert!(d <= bound + 1e-12, "{d} > {bound}");
    }
}
