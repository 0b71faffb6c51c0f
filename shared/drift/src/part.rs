//! A profile made in parts.

use indexmap::IndexMap;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{ColumnProfile, Error, Profile, Sketch, Values};

/// The profile of some of the rows, which merges with those of others: parts are made side by side, by workers that each see
/// a partition, then merged and [finished](Part::finish).
///
/// Counts of rows, missing values and categories are exact at any size. Numbers are exact up to
/// [`SKETCH_ROWS`](crate::SKETCH_ROWS) rows in all, so that the finished profile is the one of all rows together, bit for
/// bit; beyond, [`Sketch`] states the error. Memory is bounded by the part's own rows, the number of categories, and the
/// logarithm of the rows that were merged before.
///
/// ```
/// use drift::{Part, Profile, Values};
///
/// let part = |values| Part::of([("size".to_string(), Values::Numbers(values))].into_iter(), None);
/// let merged = part(&[1.0, 2.0]).merge(part(&[5.0, f64::NAN])).unwrap().finish();
/// let whole = [("size".to_string(), Values::Numbers(&[1.0, 2.0, 5.0, f64::NAN]))];
/// assert_eq!(merged, Profile::of(whole.into_iter(), None));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    n_rows: u64,
    columns: IndexMap<String, Column>,
    target: Option<(String, Column)>,
}

/// One column of a part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Column {
    Numbers(Sketch),
    Categories { n: u64, missing: u64, counts: IndexMap<String, u64> },
}

impl Part {
    /// The part of columns of equal length, one thread per column.
    pub fn of<'a>(columns: impl Iterator<Item = (String, Values<'a>)>, target: Option<(String, Values<'a>)>) -> Part {
        let columns: Vec<(String, Values<'a>)> = columns.collect();
        let n_rows = columns.first().or(target.as_ref()).map_or(0, |(_, values)| values.len() as u64);
        let target = target.map(|(name, values)| (name, Column::of(values)));
        let columns: Vec<(String, Column)> =
            columns.into_par_iter().map(|(name, values)| (name, Column::of(values))).collect();
        Part { n_rows, columns: columns.into_iter().collect(), target }
    }

    /// Both parts as one. The columns stand in the order of `self`.
    ///
    /// # Errors
    /// [`Error::UnlikeParts`] when they have not the same columns of the same kinds, or not the same target.
    pub fn merge(mut self, mut other: Part) -> Result<Part, Error> {
        let unlike = |column: &str, detail| Error::UnlikeParts { column: column.to_owned(), detail };
        if let Some(name) = other.columns.keys().find(|name| !self.columns.contains_key(*name)) {
            return Err(unlike(name, "is in the second part only"));
        }
        for (name, column) in &mut self.columns {
            let more = other.columns.swap_remove(name).ok_or_else(|| unlike(name, "is in the first part only"))?;
            column.merge(more).map_err(|detail| unlike(name, detail))?;
        }
        self.target = match (self.target, other.target) {
            (None, None) => None,
            (Some((name, mut column)), Some((other_name, more))) if name == other_name => {
                column.merge(more).map_err(|detail| unlike(&name, detail))?;
                Some((name, column))
            }
            (target, other) => {
                let name = target.or(other).map(|(name, _)| name).unwrap_or_default();
                return Err(unlike(&name, "is the target of one part only"));
            }
        };
        self.n_rows += other.n_rows;
        Ok(self)
    }

    /// The profile of all rows.
    pub fn finish(self) -> Profile {
        let columns: Vec<(String, Column)> = self.columns.into_iter().collect();
        let columns: Vec<(String, ColumnProfile)> =
            columns.into_par_iter().map(|(name, column)| (name, column.finish())).collect();
        let target = self.target.map(|(name, column)| (name, column.finish()));
        Profile { n_rows: self.n_rows, columns: columns.into_iter().collect(), target }
    }

    /// The part as the JSON that [`Part::read`] takes. Numbers round-trip bit for bit.
    pub fn write(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a part has string keys and finite numbers")
    }

    /// Reads what [`Part::write`] wrote.
    ///
    /// # Errors
    /// [`Error::UnreadableProfile`] for anything that is not a part, [`Error::InvalidProfile`] for one whose counts
    /// contradict themselves.
    pub fn read(bytes: &[u8]) -> Result<Part, Error> {
        let part: Part = serde_json::from_slice(bytes).map_err(|source| Error::UnreadableProfile { source })?;
        part.check()?;
        Ok(part)
    }

    /// Whether a part that was kept within something else is still one.
    ///
    /// # Errors
    /// [`Error::InvalidProfile`] for counts that contradict themselves.
    pub fn check(&self) -> Result<(), Error> {
        for (name, column) in self.columns.iter().chain(self.target.iter().map(|(name, column)| (name, column))) {
            column.check(self.n_rows).map_err(|detail| Error::InvalidProfile { column: name.clone(), detail })?;
        }
        Ok(())
    }
}

impl Column {
    fn of(values: Values<'_>) -> Column {
        if let Values::Numbers(values) = values {
            return Column::Numbers(Sketch::of(values));
        }
        let ColumnProfile::Categories { n, missing, counts } = ColumnProfile::of(values) else {
            unreachable!("categories have the profile of categories");
        };
        Column::Categories { n, missing, counts }
    }

    fn merge(&mut self, other: Column) -> Result<(), &'static str> {
        match (self, other) {
            (Column::Numbers(sketch), Column::Numbers(more)) => sketch.merge(more),
            (Column::Categories { n, missing, counts }, Column::Categories { n: m, missing: missed, counts: more }) => {
                (*n, *missing) = (*n + m, *missing + missed);
                more.into_iter().for_each(|(level, count)| *counts.entry(level).or_default() += count);
            }
            _ => return Err("holds numbers in one part and categories in the other"),
        }
        Ok(())
    }

    fn finish(self) -> ColumnProfile {
        match self {
            Column::Numbers(sketch) => sketch.finish(),
            Column::Categories { n, missing, counts } => ColumnProfile::Categories { n, missing, counts },
        }
    }

    fn check(&self, n_rows: u64) -> Result<(), &'static str> {
        let (n, missing) = match self {
            Column::Numbers(sketch) => {
                sketch.check()?;
                (sketch.n(), sketch.missing())
            }
            Column::Categories { n, missing, counts } => {
                if counts.values().try_fold(0_u64, |sum, &count| sum.checked_add(count)) != Some(*n) {
                    return Err("category counts do not add up to the number of values");
                }
                (*n, *missing)
            }
        };
        if n.checked_add(missing) == Some(n_rows) {
            Ok(())
        } else {
            Err("present and missing values do not add up to the rows")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MISSING, Settings, compare, compare_profiles};

    /// Rows `from..to` of a table of one number and one category, and a target.
    fn with_rows<T>(
        from: usize,
        to: usize,
        use_them: impl FnOnce(Vec<(String, Values<'_>)>, (String, Values<'_>)) -> T,
    ) -> T {
        let numbers: Vec<f64> =
            (from..to).map(|i| if i % 97 == 0 { f64::NAN } else { (i as f64 * 0.731).sin() }).collect();
        let target: Vec<f64> = (from..to).map(|i| (i % 11) as f64).collect();
        // Every part numbers its levels by itself.
        let levels: Vec<String> = (0..7).map(|level| format!("v{}", (level + from) % 7)).collect();
        let codes: Vec<u32> =
            (from..to).map(|i| if i % 50 == 0 { MISSING } else { ((i * i - from) % 7) as u32 }).collect();
        let columns = vec![
            ("x".to_string(), Values::Numbers(&numbers)),
            ("c".to_string(), Values::Categories { levels: &levels, codes: &codes }),
        ];
        use_them(columns, ("y".to_string(), Values::Numbers(&target)))
    }

    fn part(from: usize, to: usize) -> Part {
        with_rows(from, to, |columns, target| Part::of(columns.into_iter(), Some(target)))
    }

    #[test]
    fn parts_make_the_profile_of_the_whole_in_any_grouping() {
        let left = part(0, 700).merge(part(700, 1_500)).unwrap().merge(part(1_500, 1_501)).unwrap().finish();
        let right = part(0, 700).merge(part(700, 1_500).merge(part(1_500, 1_501)).unwrap()).unwrap().finish();
        assert_eq!(left, right);
        assert_eq!(left.n_rows, 1_501);
        assert_eq!(left.columns["x"], part(0, 1_501).finish().columns["x"]);
        let direct = with_rows(0, 1_501, |columns, target| Profile::of(columns.into_iter(), Some(target)));
        assert_eq!((&left.columns["x"], &left.target), (&direct.columns["x"], &direct.target));
    }

    #[test]
    fn a_comparison_of_profiles_is_that_of_the_rows() {
        let reference = part(0, 900).finish();
        let merged = part(3_000, 3_300).merge(part(3_300, 4_000)).unwrap().finish();
        let of_profiles = compare_profiles(&reference, &merged, &Settings::default()).unwrap();
        assert_eq!(of_profiles.len(), 3);
        let whole = part(3_000, 4_000).finish();
        let of_whole = compare_profiles(&reference, &whole, &Settings::default()).unwrap();
        assert_eq!(of_profiles[0], of_whole[0]);
        let of_rows = with_rows(3_000, 4_000, |columns, target| {
            compare(&reference, &columns, Some(target), &Settings::default()).unwrap()
        });
        assert_eq!(of_whole, of_rows);
    }

    #[test]
    fn json_round_trips_and_what_contradicts_itself_is_refused() {
        let part = part(0, 60);
        assert_eq!(Part::read(&part.write()).unwrap(), part);
        let good = String::from_utf8(part.write()).unwrap();
        for (from, to) in
            [("\"n_rows\":60", "\"n_rows\":61"), ("\"missing\":1", "\"missing\":2"), ("\"n\":59", "\"n\":58")]
        {
            assert!(good.contains(from), "{good}");
            let bad = good.replacen(from, to, 1);
            assert!(matches!(Part::read(bad.as_bytes()), Err(Error::InvalidProfile { .. })), "{bad}");
        }
        assert!(matches!(Part::read(b"[]"), Err(Error::UnreadableProfile { .. })));
    }

    #[test]
    fn parts_of_other_columns_are_refused() {
        let of = |name: &str, values: Values<'_>| Part::of([(name.to_string(), values)].into_iter(), None);
        let (levels, codes) = (["a".to_string()], [0]);
        let number = || of("x", Values::Numbers(&[1.0]));
        let category = of("x", Values::Categories { levels: &levels, codes: &codes });
        for (other, message) in [
            (of("y", Values::Numbers(&[1.0])), "column `y` is in the second part only"),
            (category, "column `x` holds numbers in one part and categories in the other"),
            (part(0, 3), "column `c` is in the second part only"),
        ] {
            assert_eq!(number().merge(other).unwrap_err().to_string(), message);
        }
    }
}
