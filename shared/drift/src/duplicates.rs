//! Rows that come again.

use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use rayon::prelude::*;

use crate::two_sample::chi_square;
use crate::{Settings, Values};

/// How many of some rows are the same as an earlier one, in every column.
///
/// Rows are compared by 64-bit digests, so that among a million different rows two would be taken for the same once in
/// 30 million tries.
///
/// # Shapes
/// All columns are `[n_rows]`.
///
/// # NaN policy
/// A missing value is the same as another missing value.
///
/// ```
/// use drift::{Values, duplicate_rows};
/// let columns = [("x".to_string(), Values::Numbers(&[1.0, 2.0, 1.0, f64::NAN, 1.0, f64::NAN]))];
/// assert_eq!(duplicate_rows(&columns, 6), 3);
/// ```
pub fn duplicate_rows(columns: &[(String, Values<'_>)], n_rows: usize) -> u64 {
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    let levels: Vec<Vec<u64>> = columns
        .iter()
        .map(|(_, values)| match values {
            Values::Numbers(_) => Vec::new(),
            Values::Categories { levels, .. } => levels.iter().map(|level| hasher.hash_one(level)).collect(),
        })
        .collect();
    let cell = |column: usize, row: usize| match columns[column].1 {
        // Zero and negative zero are the same number.
        Values::Numbers(values) => {
            values.get(row).filter(|value| value.is_finite()).map(|value| (value + 0.0).to_bits())
        }
        Values::Categories { codes, .. } => codes.get(row).and_then(|&code| levels[column].get(code as usize).copied()),
    };
    let digests: Vec<u64> = (0..n_rows)
        .into_par_iter()
        .map(|row| {
            (0..columns.len()).fold(0, |digest: u64, column| {
                // The finaliser of splitmix64 (Steele, Lea, Flood, 2014, doi:10.1145/2714064.2660195).
                let mut mixed = digest.rotate_left(5) ^ cell(column, row).map_or(0x9E37_79B9_7F4A_7C15, |bits| bits);
                mixed = (mixed ^ (mixed >> 30)).wrapping_add(column as u64 + 1).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                mixed ^ (mixed >> 31)
            })
        })
        .collect();
    let mut seen = HashSet::with_capacity(n_rows);
    digests.into_iter().filter(|digest| !seen.insert(*digest)).count() as u64
}

/// Whether the share of repeated rows rose by more than chance explains and by enough to matter, 2 percentage points by
/// preset, as a sentence. Both are counts among equally many rows, `n_rows`, because repeats become more frequent with the
/// number of rows.
pub fn more_duplicates(reference: u64, current: u64, n_rows: u64, settings: &Settings) -> Option<String> {
    let share = |count: u64| count as f64 / n_rows.max(1) as f64;
    let rise = share(current) - share(reference);
    let p_value = chi_square::two_proportions((reference, current), (n_rows, n_rows));
    (rise > settings.missing_rate_floor() && p_value <= settings.alpha).then(|| {
        format!(
            "repeated rows rose from {} to {} of the rows",
            crate::reasons::percent(share(reference)),
            crate::reasons::percent(share(current))
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_the_same_in_every_column_or_not_at_all() {
        let levels: Vec<String> = ["a", "b", "a"].map(String::from).to_vec();
        // The first and the third level are one category.
        let codes = [0, 1, 2, 0, 1, u32::MAX];
        let numbers = [0.0, 1.0, -0.0, 2.0, 2.0, 2.0];
        let columns = [
            ("c".to_string(), Values::Categories { levels: &levels, codes: &codes }),
            ("x".to_string(), Values::Numbers(&numbers)),
        ];
        assert_eq!(duplicate_rows(&columns, 6), 1);
        assert_eq!(duplicate_rows(&columns[..1], 6), 3);
        assert_eq!(duplicate_rows(&[], 0), 0);
    }

    #[test]
    fn swapped_columns_are_other_rows() {
        let (x, y): (Vec<f64>, Vec<f64>) = (0..20_000).map(|i| (f64::from(i % 200), f64::from(i / 200))).unzip();
        let columns = [("x".to_string(), Values::Numbers(&x)), ("y".to_string(), Values::Numbers(&y))];
        assert_eq!(duplicate_rows(&columns, 20_000), 0);
    }

    #[test]
    fn a_rise_needs_size_and_significance() {
        let settings = Settings::default();
        assert_eq!(
            more_duplicates(10, 100, 1_000, &settings).as_deref(),
            Some("repeated rows rose from 1 % to 10 % of the rows")
        );
        assert_eq!(more_duplicates(10_000, 11_000, 1_000_000, &settings), None, "a tenth of a percent");
        assert_eq!(more_duplicates(1, 3, 40, &settings), None, "two rows");
    }
}
