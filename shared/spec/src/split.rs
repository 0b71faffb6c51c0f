//! The eternal hold-out: which rows no version is ever trained on.

use std::cmp::Ordering;

use sha2::{Digest, Sha256};

use crate::batch::{Batch, ColumnData};
use crate::parse::Spec;
use crate::sections::SplitBy;
use crate::value::canonical_number;

/// Between the cells of a row that is hashed; no cell holds it.
const SEPARATOR: u8 = 0x1f;

/// Decides which rows of a batch are hold-out.
///
/// By hash, a row is hold-out when the first eight bytes of `SHA-256(salt, cells..)`, read as a fraction of 2^64, are
/// below the split's fraction: duplicates fall on one side, and neither the training seed nor the order of rows matters.
/// By time, the last `floor(fraction * n_rows)` rows of the batch in order of time are; rows without a time come first.
#[derive(Clone, Debug)]
pub struct Splitter {
    by: SplitBy,
    salt: String,
    fraction: f64,
    columns: Vec<Hashed>,
}

/// The order of two rows by their times; a row without one, whose time is NaN, comes first.
///
/// ```
/// let mut times = [3.0, f64::NAN, 1.0];
/// times.sort_by(|a, b| spec::oldest_first(*a, *b));
/// assert!(times[0].is_nan() && times[1..] == [1.0, 3.0]);
/// ```
pub fn oldest_first(a: f64, b: f64) -> Ordering {
    let key = |time: f64| if time.is_nan() { f64::NEG_INFINITY } else { time };
    key(a).total_cmp(&key(b))
}

#[derive(Clone, Copy, Debug)]
enum Hashed {
    Raw(usize),
    Target,
}

impl Splitter {
    pub(crate) fn new(spec: &Spec) -> Self {
        let hashed = |name: &str| spec.columns.get_index_of(name).map_or(Hashed::Target, Hashed::Raw);
        let columns = if spec.split.columns.is_empty() {
            (0..spec.columns.len()).map(Hashed::Raw).chain([Hashed::Target]).collect()
        } else {
            spec.split.columns.iter().map(|name| hashed(name)).collect()
        };
        Self {
            by: spec.split.by,
            salt: spec.split.salt.clone().unwrap_or_else(|| spec.name.clone()),
            fraction: spec.split.fraction,
            columns,
        }
    }

    /// A splitter that draws `fraction` of the rows that this one leaves over, in the same way: by a hash with another salt,
    /// or again the last in order of time.
    pub fn again(&self, fraction: f64) -> Self {
        Self { salt: format!("{}, again", self.salt), fraction, ..self.clone() }
    }

    /// Per row of the batch, whether it is hold-out.
    pub fn holdout(&self, batch: &Batch) -> Vec<bool> {
        match self.by {
            SplitBy::Hash => self.by_hash(batch),
            SplitBy::Time => self.by_time(batch),
        }
    }

    fn by_time(&self, batch: &Batch) -> Vec<bool> {
        let n_rows = batch.n_rows();
        let mut order: Vec<usize> = (0..n_rows).collect();
        if let Some(time) = batch.time() {
            order.sort_by(|a, b| oldest_first(time[*a], time[*b]));
        }
        let n_holdout = (self.fraction * n_rows as f64).floor() as usize;
        let mut holdout = vec![false; n_rows];
        for row in &order[n_rows - n_holdout..] {
            holdout[*row] = true;
        }
        holdout
    }

    fn by_hash(&self, batch: &Batch) -> Vec<bool> {
        let columns: Vec<&ColumnData> = self
            .columns
            .iter()
            .filter_map(|hashed| match hashed {
                Hashed::Raw(index) => Some(batch.column(*index)),
                Hashed::Target => batch.target(),
            })
            .collect();
        (0..batch.n_rows())
            .map(|row| {
                let mut hash = Sha256::new();
                hash.update(self.salt.as_bytes());
                for column in &columns {
                    hash.update([SEPARATOR]);
                    match column {
                        ColumnData::Numbers(numbers) if numbers[row].is_nan() => {}
                        ColumnData::Numbers(numbers) => hash.update(canonical_number(numbers[row]).as_bytes()),
                        ColumnData::Categories(categories) => {
                            hash.update(categories.level(row).unwrap_or_default().as_bytes());
                        }
                    }
                }
                let digest = hash.finalize();
                let (head, _) = digest.split_at(8);
                let head = head.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
                (head as f64) < self.fraction * 2_f64.powi(64)
            })
            .collect()
    }
}
