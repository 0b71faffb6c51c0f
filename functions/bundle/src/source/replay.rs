//! `--data FILE`: replays a CSV or Parquet file in batches, by rows or by calendar periods.
//!
//! The file is read once, into columns. A CSV column is numeric when every value present parses as a finite number (and
//! holds integers when every one is an integer), boolean when every value is true or false, text otherwise; an empty
//! cell is null. Parquet keeps its types; dates and timestamps become ISO text, NaN and infinities null.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::Error;
use super::rows::{Column, NULL_CODE, NULL_INT, Table, Text};

/// A calendar period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// Months of a year.
    Month,
    /// Years.
    Year,
}

/// `--every month|year:COLUMN`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Every {
    /// How long a batch lasts.
    pub period: Period,
    /// The column with the date: ISO text, or for years also a number.
    pub column: String,
}

impl FromStr for Every {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::Option {
            option: "--every",
            piece: text.to_owned(),
            hint: "expected month:COLUMN or year:COLUMN".to_owned(),
        };
        let (period, column) = text.split_once(':').ok_or_else(wrong)?;
        let period = match period {
            "month" => Period::Month,
            "year" => Period::Year,
            _ => return Err(wrong()),
        };
        if column.is_empty() { Err(wrong()) } else { Ok(Self { period, column: column.to_owned() }) }
    }
}

/// A file in memory, and which rows each batch has.
#[derive(Debug)]
pub(super) struct Replay {
    table: Arc<Table>,
    batches: Vec<Vec<u32>>,
}

impl Replay {
    /// Batches of `rows` rows each, the last size repeating until the file ends.
    ///
    /// # Errors
    ///
    /// As [`read`]; [`Error::NoRows`] for a file without rows.
    pub(super) fn by_rows(path: &Path, rows: &[usize]) -> Result<Self, Error> {
        let table = read(path)?;
        let mut batches = Vec::new();
        let mut sizes = rows.iter().copied().filter(|size| *size > 0);
        let (mut start, mut size) = (0, table.n_rows());
        while start < table.n_rows() {
            size = sizes.next().unwrap_or(size);
            let end = (start + size).min(table.n_rows());
            batches.push((start as u32..end as u32).collect());
            start = end;
        }
        Ok(Self { table: Arc::new(table), batches })
    }

    /// One batch a calendar period, in the order of time; the first holds `first` periods. Periods without rows are left
    /// out, and rows keep the file's order within a batch.
    ///
    /// # Errors
    ///
    /// As [`read`]; [`Error::Option`] for an unknown column, [`Error::Date`] for a row without a readable date.
    pub(super) fn by_period(path: &Path, every: &Every, first: usize) -> Result<Self, Error> {
        let table = read(path)?;
        let column = table.get(&every.column).ok_or_else(|| Error::Option {
            option: "--every",
            piece: every.column.clone(),
            hint: format!("there is no such column; the columns are {}", table.names().join(", ")),
        })?;
        let mut periods: BTreeMap<i64, Vec<u32>> = BTreeMap::new();
        for row in 0..table.n_rows() {
            let period = period_of(column, row, every.period).ok_or_else(|| Error::Date {
                column: every.column.clone(),
                row: row + 1,
                expected: match every.period {
                    Period::Month => "a date such as 2016-07-02",
                    Period::Year => "a year such as 2016 or a date such as 2016-07-02",
                },
            })?;
            periods.entry(period).or_default().push(row as u32);
        }
        let mut batches: Vec<Vec<u32>> = Vec::new();
        let end_of_first = periods.keys().next().map_or(0, |start| start.saturating_add(first.max(1) as i64));
        for (period, rows) in periods {
            match batches.first_mut() {
                Some(head) if period < end_of_first => head.extend(rows),
                _ => batches.push(rows),
            }
        }
        if let Some(head) = batches.first_mut() {
            head.sort_unstable();
        }
        Ok(Self { table: Arc::new(table), batches })
    }

    /// The whole file.
    pub(super) fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// Rows of each batch.
    pub(super) fn batch_rows(&self) -> Vec<usize> {
        self.batches.iter().map(Vec::len).collect()
    }

    /// The rows of batch `batch`.
    pub(super) fn batch(&self, batch: usize) -> Table {
        self.table.take(&self.batches[batch])
    }
}

/// Months or years since year 0.
fn period_of(column: &Column, row: usize, period: Period) -> Option<i64> {
    if let Some(year) = column.number(row) {
        let whole = period == Period::Year && (0.0..=9999.0).contains(&year);
        return whole.then_some(year.floor() as i64);
    }
    let Column::Text(text) = column else { return None };
    let mut parts = text.get(row)?.splitn(3, '-');
    let year = parts.next().filter(|part| part.len() == 4)?.parse::<i64>().ok()?;
    let month = parts.next().filter(|part| part.len() == 2).and_then(|part| part.parse::<i64>().ok());
    match period {
        Period::Year => Some(year),
        Period::Month => month.filter(|month| (1..=12).contains(month)).map(|month| year * 12 + month - 1),
    }
}

/// The rows of a file, by its extension.
///
/// # Errors
///
/// [`Error::Option`] for another extension, [`Error::Read`] for a file that is missing or not what it claims to be,
/// [`Error::NoRows`].
fn read(path: &Path) -> Result<Table, Error> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let table = match extension.to_ascii_lowercase().as_str() {
        "csv" => read_csv(path)?,
        "parquet" | "pq" => read_parquet(path)?,
        _ => {
            return Err(Error::Option {
                option: "--data",
                piece: path.display().to_string(),
                hint: "expected a file ending in .csv, .parquet or .pq".to_owned(),
            });
        }
    };
    if table.n_rows() == 0 { Err(Error::NoRows { path: path.to_owned() }) } else { Ok(table) }
}

fn read_csv(path: &Path) -> Result<Table, Error> {
    let failed = |source: csv::Error| Error::Read { path: path.to_owned(), source: Box::new(source) };
    let mut reader = csv::Reader::from_path(path).map_err(failed)?;
    let mut names: Vec<String> = reader.headers().map_err(failed)?.iter().map(str::to_owned).collect();
    if let Some(name) = names.first_mut() {
        *name = name.trim_start_matches('\u{feff}').to_owned();
    }
    let mut seen = HashSet::new();
    if let Some(name) = names.iter().find(|name| name.is_empty() || !seen.insert(name.as_str())) {
        return Err(Error::Header { path: path.to_owned(), column: name.clone() });
    }
    let mut cells: Vec<Interned> = names.iter().map(|_| Interned::default()).collect();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(failed)? {
        for (column, cell) in cells.iter_mut().zip(&record) {
            column.push(cell);
        }
    }
    Ok(Table::new(names.into_iter().zip(cells.into_iter().map(Interned::into_column)).collect()))
}

/// A CSV column on its way in: every distinct text once, so that its kind is decided from the distinct ones.
#[derive(Default)]
struct Interned {
    codes: Vec<u32>,
    levels: Vec<String>,
    known: HashMap<String, u32>,
}

impl Interned {
    fn push(&mut self, cell: &str) {
        let code = match self.known.get(cell) {
            _ if cell.is_empty() => NULL_CODE,
            Some(&code) => code,
            None => {
                let code = self.levels.len() as u32;
                self.levels.push(cell.to_owned());
                self.known.insert(cell.to_owned(), code);
                code
            }
        };
        self.codes.push(code);
    }

    fn into_column(self) -> Column {
        let Self { codes, levels, known } = self;
        drop(known);
        let pick = |code: u32| (code != NULL_CODE).then_some(code as usize);
        if levels.is_empty() {
            return Column::Text(Text { codes, levels: Arc::new(levels) });
        }
        let all = |parse: &dyn Fn(&str) -> bool| levels.iter().all(|level| parse(level));
        // The smallest integer is the stand-in for null, and stays a float.
        if let Some(values) = parse_all(&levels, |level| level.parse::<i64>().ok().filter(|value| *value != NULL_INT)) {
            return Column::Int(codes.iter().map(|&code| pick(code).map_or(NULL_INT, |code| values[code])).collect());
        }
        if let Some(values) = parse_all(&levels, |level| level.parse::<f64>().ok().filter(|value| value.is_finite())) {
            return Column::Float(codes.iter().map(|&code| pick(code).map_or(f64::NAN, |code| values[code])).collect());
        }
        if all(&|level| parse_bool(level).is_some()) {
            return Column::Bool(
                codes.iter().map(|&code| pick(code).and_then(|code| parse_bool(&levels[code]))).collect(),
            );
        }
        Column::Text(Text { codes, levels: Arc::new(levels) })
    }
}

fn parse_all<T>(levels: &[String], parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    levels.iter().map(|level| parse(level)).collect()
}

fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "true" | "True" | "TRUE" => Some(true),
        "false" | "False" | "FALSE" => Some(false),
        _ => None,
    }
}

fn read_parquet(path: &Path) -> Result<Table, Error> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| Error::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(|error| failed(Box::new(error)))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| failed(Box::new(error)))?;
    let schema = Arc::clone(builder.schema());
    let reader = builder.build().map_err(|error| failed(Box::new(error)))?;
    let mut columns: Vec<Column> = Vec::new();
    for field in schema.fields() {
        columns.push(empty_column(field.data_type()).ok_or_else(|| Error::ColumnType {
            path: path.to_owned(),
            column: field.name().clone(),
            data_type: field.data_type().to_string(),
        })?);
    }
    let mut known: Vec<HashMap<String, u32>> = vec![HashMap::new(); columns.len()];
    for batch in reader {
        let batch = batch.map_err(|error| failed(Box::new(error)))?;
        for ((column, known), cells) in columns.iter_mut().zip(&mut known).zip(batch.columns()) {
            append(column, known, cells).map_err(|error| failed(Box::new(error)))?;
        }
    }
    Ok(Table::new(schema.fields().iter().map(|field| field.name().clone()).zip(columns).collect()))
}

/// The column that a Parquet type becomes; `None` for nested types and the like.
fn empty_column(data_type: &DataType) -> Option<Column> {
    match data_type {
        DataType::Boolean => Some(Column::Bool(Vec::new())),
        integer if integer.is_integer() && *integer != DataType::UInt64 => Some(Column::Int(Vec::new())),
        number if number.is_numeric() => Some(Column::Float(Vec::new())),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => {
            Some(Column::Text(Text::default()))
        }
        date if date.is_temporal() => Some(Column::Text(Text::default())),
        DataType::Dictionary(_, values) => empty_column(values),
        _ => None,
    }
}

fn append(
    column: &mut Column,
    known: &mut HashMap<String, u32>,
    cells: &ArrayRef,
) -> Result<(), arrow::error::ArrowError> {
    let cast = |to: DataType| arrow::compute::cast(cells, &to);
    match column {
        Column::Int(out) => {
            let cells = cast(DataType::Int64)?;
            out.extend(cells.as_primitive::<Int64Type>().iter().map(|cell| cell.unwrap_or(NULL_INT)));
        }
        Column::Float(out) => {
            let cells = cast(DataType::Float64)?;
            let finite = |cell: Option<f64>| cell.filter(|cell| cell.is_finite()).unwrap_or(f64::NAN);
            out.extend(cells.as_primitive::<Float64Type>().iter().map(finite));
        }
        Column::Bool(out) => out.extend(cast(DataType::Boolean)?.as_boolean().iter()),
        Column::Text(text) => {
            let cells = cast(DataType::Utf8)?;
            let levels = Arc::make_mut(&mut text.levels);
            for cell in cells.as_string::<i32>().iter() {
                text.codes.push(match cell {
                    None => NULL_CODE,
                    Some(cell) => match known.get(cell) {
                        Some(&code) => code,
                        None => {
                            levels.push(cell.to_owned());
                            known.insert(cell.to_owned(), levels.len() as u32 - 1);
                            levels.len() as u32 - 1
                        }
                    },
                });
            }
        }
    }
    debug_assert!(column.len() >= cells.len(), "a batch of rows was lost");
    Ok(())
}

#[cfg(test)]
mod tests;
