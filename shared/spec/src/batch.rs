//! Rows by column.

use std::collections::HashMap;
use std::sync::Arc;

use crate::record::Record;
use crate::sections::Kind;
use crate::value::Value;

/// Code of a missing cell in [`Categories::codes`].
pub const MISSING_CODE: u32 = u32::MAX;

/// Many rows that fit one spec, by column. Raw columns stand in the spec's order. A clone shares them.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch(Arc<Columns>);

#[derive(Clone, Debug, PartialEq)]
struct Columns {
    columns: Vec<ColumnData>,
    target: Option<ColumnData>,
    time: Option<Vec<f64>>,
    weight: Option<Vec<f64>>,
    n_rows: usize,
}

/// The cells of one column.
#[derive(Clone, Debug, PartialEq)]
pub enum ColumnData {
    /// Numbers and times (seconds since 1970-01-01 UTC); NaN is a missing cell.
    Numbers(Vec<f64>),
    /// Categories and booleans.
    Categories(Categories),
}

/// Levels and, per row, which of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Categories {
    /// Distinct levels in order of first appearance. A level may have no row.
    pub levels: Vec<String>,
    /// Per row, index into `levels`, or [`MISSING_CODE`].
    pub codes: Vec<u32>,
}

impl Batch {
    /// A batch of equally long columns, which give back the memory that they grew to and do not use.
    ///
    /// # Panics
    /// When the columns differ in length: that is a bug of the reader that made them.
    pub fn new(
        mut columns: Vec<ColumnData>,
        mut target: Option<ColumnData>,
        time: Option<Vec<f64>>,
        n_rows: usize,
    ) -> Self {
        assert!(
            columns.iter().chain(&target).all(|column| column.len() == n_rows)
                && time.as_ref().is_none_or(|time| time.len() == n_rows),
            "all columns of a batch have its number of rows"
        );
        columns.iter_mut().chain(&mut target).for_each(ColumnData::shrink_to_fit);
        Self(Arc::new(Columns { columns, target, time, weight: None, n_rows }))
    }

    /// The same rows with how much each counts in a fit, shape `[n_rows]`.
    ///
    /// # Panics
    /// When there is not one weight a row: that is a bug of the reader that made them.
    pub fn with_weight(mut self, weight: Option<Vec<f64>>) -> Self {
        assert!(weight.as_ref().is_none_or(|weight| weight.len() == self.n_rows()), "each row has its weight");
        Arc::make_mut(&mut self.0).weight = weight;
        self
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.0.n_rows
    }

    /// Raw column `index`, in the spec's order.
    pub fn column(&self, index: usize) -> &ColumnData {
        &self.0.columns[index]
    }

    /// Raw columns, in the spec's order.
    pub fn columns(&self) -> &[ColumnData] {
        &self.0.columns
    }

    /// The target, where the rows have one.
    pub fn target(&self) -> Option<&ColumnData> {
        self.0.target.as_ref()
    }

    /// Seconds since 1970-01-01 UTC, or the number, of the spec's `time` column; NaN where missing.
    pub fn time(&self) -> Option<&[f64]> {
        self.0.time.as_deref()
    }

    /// How much each row counts in a fit: the spec's `train.weight` column, finite and from 0. None where the spec names
    /// none, and all rows count alike.
    pub fn weight(&self) -> Option<&[f64]> {
        self.0.weight.as_deref()
    }

    /// Row `row` as a record.
    pub fn record(&self, row: usize) -> Record {
        Record::from_parts(
            self.columns().iter().map(|column| column.value(row)).collect(),
            self.target().map(|target| target.value(row)),
        )
    }

    /// The rows at `rows`, in that order.
    pub fn select(&self, rows: &[usize]) -> Self {
        let of = |numbers: &[f64]| rows.iter().map(|row| numbers[*row]).collect();
        Self(Arc::new(Columns {
            columns: self.columns().iter().map(|column| column.select(rows)).collect(),
            target: self.target().map(|target| target.select(rows)),
            time: self.time().map(of),
            weight: self.weight().map(of),
            n_rows: rows.len(),
        }))
    }

    /// As [`Batch::select`], for the last owner of a batch: each column makes room for its rows before the next is copied.
    pub fn into_select(self, rows: &[usize]) -> Self {
        let mut all = match Arc::try_unwrap(self.0) {
            Ok(all) => all,
            Err(shared) => return Self(shared).select(rows),
        };
        let keep = |numbers: &mut Vec<f64>| *numbers = rows.iter().map(|row| numbers[*row]).collect();
        all.columns.iter_mut().chain(&mut all.target).for_each(|column| *column = column.select(rows));
        all.time.iter_mut().chain(&mut all.weight).for_each(keep);
        Self(Arc::new(Columns { n_rows: rows.len(), ..all }))
    }

    /// All rows of `batches`, in order. The batches must be of one spec; none gives none.
    pub fn concat(batches: Vec<Batch>) -> Option<Self> {
        let mut batches = batches.into_iter();
        let mut first = batches.next()?;
        if batches.len() == 0 {
            return Some(first);
        }
        let all = Arc::make_mut(&mut first.0);
        for Batch(more) in batches {
            all.n_rows += more.n_rows;
            for (column, more) in all.columns.iter_mut().zip(&more.columns) {
                column.extend(more);
            }
            all.target = joined(all.target.take(), &more.target, ColumnData::extend);
            all.time = joined(all.time.take(), &more.time, |time, more| time.extend_from_slice(more));
            all.weight = joined(all.weight.take(), &more.weight, |weight, more| weight.extend_from_slice(more));
        }
        Some(first)
    }
}

/// A part that rows have, with that of more rows; none where either have none.
fn joined<T>(all: Option<T>, more: &Option<T>, extend: impl Fn(&mut T, &T)) -> Option<T> {
    all.zip(more.as_ref()).map(|(mut all, more)| {
        extend(&mut all, more);
        all
    })
}

impl ColumnData {
    /// Number of cells.
    pub fn len(&self) -> usize {
        match self {
            ColumnData::Numbers(numbers) => numbers.len(),
            ColumnData::Categories(categories) => categories.codes.len(),
        }
    }

    /// Whether there is no cell.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The cell of row `row`.
    pub fn value(&self, row: usize) -> Value {
        match self {
            ColumnData::Numbers(numbers) if numbers[row].is_nan() => Value::Missing,
            ColumnData::Numbers(numbers) => Value::Number(numbers[row]),
            ColumnData::Categories(categories) => match categories.level(row) {
                Some(level) => Value::Level(level.to_owned()),
                None => Value::Missing,
            },
        }
    }

    /// The cells at `rows`, in that order.
    pub fn select(&self, rows: &[usize]) -> Self {
        match self {
            ColumnData::Numbers(numbers) => ColumnData::Numbers(rows.iter().map(|row| numbers[*row]).collect()),
            ColumnData::Categories(categories) => ColumnData::Categories(Categories {
                levels: categories.levels.clone(),
                codes: rows.iter().map(|row| categories.codes[*row]).collect(),
            }),
        }
    }

    fn shrink_to_fit(&mut self) {
        match self {
            ColumnData::Numbers(numbers) => numbers.shrink_to_fit(),
            ColumnData::Categories(categories) => categories.codes.shrink_to_fit(),
        }
    }

    fn extend(&mut self, more: &ColumnData) {
        match (self, more) {
            (ColumnData::Numbers(numbers), ColumnData::Numbers(more)) => numbers.extend_from_slice(more),
            (ColumnData::Categories(categories), ColumnData::Categories(more)) => categories.extend(more),
            _ => unreachable!("batches of one spec have columns of the same kinds"),
        }
    }
}

impl Categories {
    /// The level of row `row`; none where missing.
    pub fn level(&self, row: usize) -> Option<&str> {
        match self.codes[row] {
            MISSING_CODE => None,
            code => Some(&self.levels[code as usize]),
        }
    }

    /// Rows per level, in the order of `levels`.
    pub fn counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.levels.len()];
        for code in self.codes.iter().filter(|code| **code != MISSING_CODE) {
            counts[*code as usize] += 1;
        }
        counts
    }

    /// The same rows with every level renamed; levels that get the same name become one.
    pub fn relabel(&self, rename: impl Fn(&str) -> String) -> Self {
        let mut index = LevelIndex::default();
        let codes_of: Vec<u32> = self.levels.iter().map(|level| index.code(&rename(level))).collect();
        let codes = self
            .codes
            .iter()
            .map(|code| if *code == MISSING_CODE { MISSING_CODE } else { codes_of[*code as usize] })
            .collect();
        Categories { levels: index.levels, codes }
    }

    fn extend(&mut self, more: &Categories) {
        let mut index = LevelIndex::from_levels(std::mem::take(&mut self.levels));
        let codes_of: Vec<u32> = more.levels.iter().map(|level| index.code(level)).collect();
        self.codes.extend(
            more.codes.iter().map(|code| if *code == MISSING_CODE { MISSING_CODE } else { codes_of[*code as usize] }),
        );
        self.levels = index.levels;
    }
}

/// Levels with a look-up by name.
#[derive(Clone, Debug, Default)]
struct LevelIndex {
    levels: Vec<String>,
    codes: HashMap<String, u32>,
}

impl LevelIndex {
    fn from_levels(levels: Vec<String>) -> Self {
        let codes = levels.iter().enumerate().map(|(code, level)| (level.clone(), code as u32)).collect();
        Self { levels, codes }
    }

    fn code(&mut self, level: &str) -> u32 {
        if let Some(code) = self.codes.get(level) {
            return *code;
        }
        let code = self.levels.len() as u32;
        self.levels.push(level.to_owned());
        self.codes.insert(level.to_owned(), code);
        code
    }
}

/// Makes a batch from records, row by row.
#[derive(Debug)]
pub struct BatchBuilder {
    columns: Vec<ColumnBuilder>,
    target: Option<ColumnBuilder>,
    time: Option<Vec<f64>>,
    n_rows: usize,
}

#[derive(Debug)]
enum ColumnBuilder {
    Numbers(Vec<f64>),
    Categories(LevelIndex, Vec<u32>),
}

impl ColumnBuilder {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Number | Kind::Time => ColumnBuilder::Numbers(Vec::new()),
            Kind::Category | Kind::Boolean => ColumnBuilder::Categories(LevelIndex::default(), Vec::new()),
        }
    }

    fn push(&mut self, value: &Value) {
        match (self, value) {
            (ColumnBuilder::Numbers(numbers), Value::Number(number)) => numbers.push(*number),
            (ColumnBuilder::Numbers(numbers), _) => numbers.push(f64::NAN),
            (ColumnBuilder::Categories(index, codes), Value::Level(level)) => codes.push(index.code(level)),
            (ColumnBuilder::Categories(_, codes), _) => codes.push(MISSING_CODE),
        }
    }

    fn finish(self) -> ColumnData {
        match self {
            ColumnBuilder::Numbers(numbers) => ColumnData::Numbers(numbers),
            ColumnBuilder::Categories(index, codes) => {
                ColumnData::Categories(Categories { levels: index.levels, codes })
            }
        }
    }
}

impl BatchBuilder {
    /// A builder for columns of these kinds; `target` where rows have one, `time` where they have an order.
    pub fn new(columns: impl IntoIterator<Item = Kind>, target: Option<Kind>, time: bool) -> Self {
        Self {
            columns: columns.into_iter().map(ColumnBuilder::new).collect(),
            target: target.map(ColumnBuilder::new),
            time: time.then(Vec::new),
            n_rows: 0,
        }
    }

    /// Adds one row. `time` is ignored where the builder has no order, and NaN where it is missing.
    pub fn push(&mut self, values: &[Value], target: &Value, time: f64) {
        for (column, value) in self.columns.iter_mut().zip(values) {
            column.push(value);
        }
        if let Some(column) = &mut self.target {
            column.push(target);
        }
        if let Some(times) = &mut self.time {
            times.push(time);
        }
        self.n_rows += 1;
    }

    /// Number of rows so far.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// The batch.
    pub fn finish(self) -> Batch {
        Batch::new(
            self.columns.into_iter().map(ColumnBuilder::finish).collect(),
            self.target.map(ColumnBuilder::finish),
            self.time,
            self.n_rows,
        )
    }
}
