//! A file without a spec, for tools that look at data before there is one.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use serde_json::{Map, Value as Json};
use spec::{Categories, Cell, Format, MISSING_CODE};

use crate::arrow_cells::ArrowCells;
use crate::error::{Error, text_of};
use crate::read_csv::{csv_reader, malformed, other_separator, twice};
use crate::{read_json, read_parquet};

/// A file's columns, in its order.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The columns; all of [`Table::n_rows`] cells.
    pub columns: Vec<TableColumn>,
    /// Number of rows. Ragged CSV rows and JSON rows that are no objects are among [`Table::n_skipped`] instead.
    pub n_rows: usize,
    /// Rows that could not be read.
    pub n_skipped: usize,
}

/// One column of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableColumn {
    /// Its name in the file.
    pub name: String,
    /// Its cells.
    pub cells: Cells,
}

/// The cells of a column, in the narrowest form that holds all of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Cells {
    /// Finite numbers; NaN is a missing cell. A CSV column is this when every cell is a number without leading zeros.
    Numbers(Vec<f64>),
    /// Booleans of a format that has them.
    Booleans(Vec<Option<bool>>),
    /// Text; of CSV, or of a JSON column that mixes kinds, anything. Dates are text too.
    Text(Categories),
}

impl Table {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the bytes are not the format they claim to be.
    pub fn read(bytes: impl Into<Bytes>, format: Format) -> Result<Self, Error> {
        Self::read_with_text(bytes, format, &|_| false)
    }

    /// Reads a file whose columns for which `is_text` holds are text, also where a CSV has numbers only: what was `007` in
    /// another file of the same columns must not become 7 in this one.
    ///
    /// # Errors
    /// As [`Table::read`].
    pub fn read_with_text(
        bytes: impl Into<Bytes>,
        format: Format,
        is_text: &dyn Fn(&str) -> bool,
    ) -> Result<Self, Error> {
        let bytes = bytes.into();
        match format {
            Format::Csv => of_csv(&bytes, is_text),
            Format::Json => of_json(&bytes),
            Format::Parquet => of_parquet(bytes),
        }
    }

    /// The column of this name.
    pub fn column(&self, name: &str) -> Option<&TableColumn> {
        self.columns.iter().find(|column| column.name == name)
    }
}

/// Two passes: the first finds the columns of numbers, so that the second need not keep their text.
fn of_csv(bytes: &[u8], is_text: &dyn Fn(&str) -> bool) -> Result<Table, Error> {
    let text = text_of(bytes, Format::Csv)?;
    let mut reader = csv_reader(text);
    let header = reader.headers().map_err(|error| malformed(&error))?.clone();
    if let Some(message) = other_separator(&header) {
        return Err(Error::Malformed { format: Format::Csv, line: Some(1), byte: None, message });
    }
    let mut names = HashSet::new();
    if let Some(name) = header.iter().find(|name| !names.insert(*name)) {
        return Err(twice(name));
    }
    let mut is_number: Vec<bool> = header.iter().map(|name| !is_text(name)).collect();
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| malformed(&error))? {
        if record.len() == header.len() {
            for (is_number, cell) in is_number.iter_mut().zip(&record) {
                *is_number = *is_number && (cell.is_empty() || plain_number(cell).is_some());
            }
        }
    }
    let mut columns: Vec<CellsBuilder> = is_number
        .iter()
        .map(|is_number| if *is_number { CellsBuilder::Numbers(Vec::new()) } else { CellsBuilder::text() })
        .collect();
    let (mut n_rows, mut n_skipped) = (0, 0);
    let mut reader = csv_reader(text);
    while reader.read_record(&mut record).map_err(|error| malformed(&error))? {
        if record.len() != header.len() {
            n_skipped += 1;
            continue;
        }
        for (column, cell) in columns.iter_mut().zip(&record) {
            column.push(match cell {
                "" => Cell::Missing,
                cell => match column {
                    CellsBuilder::Numbers(_) => plain_number(cell).map_or(Cell::Missing, Cell::Number),
                    _ => Cell::Untyped(cell),
                },
            });
        }
        n_rows += 1;
    }
    let columns = header.iter().map(str::to_owned).zip(columns).map(TableColumn::new).collect();
    Ok(Table { columns, n_rows, n_skipped })
}

/// The number that a CSV cell is. A code with leading zeros is none.
fn plain_number(cell: &str) -> Option<f64> {
    let cell = cell.trim();
    let digits = cell.trim_start_matches(['-', '+']);
    let is_code = digits.starts_with('0') && digits.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
    if is_code { None } else { cell.parse().ok().filter(|number: &f64| number.is_finite()) }
}

fn of_json(bytes: &[u8]) -> Result<Table, Error> {
    let mut positions: HashMap<String, usize> = HashMap::new();
    let mut columns: Vec<(String, CellsBuilder)> = Vec::new();
    let (mut n_rows, mut n_skipped) = (0_usize, 0);
    read_json::stream(text_of(bytes, Format::Json)?, &mut |row| {
        let Ok(row) = serde_json::from_str::<Map<String, Json>>(row) else {
            n_skipped += 1;
            return;
        };
        for (name, value) in row {
            let position = *positions.entry(name).or_insert_with_key(|name| {
                columns.push((name.clone(), CellsBuilder::Empty(0)));
                columns.len() - 1
            });
            let column = &mut columns[position].1;
            column.pad(n_rows);
            match Cell::of_json(&value) {
                Some(cell) => column.push(cell),
                None => column.push(Cell::Text(&value.to_string())),
            }
        }
        n_rows += 1;
    })?;
    for (_, column) in &mut columns {
        column.pad(n_rows);
    }
    Ok(Table { columns: columns.into_iter().map(TableColumn::new).collect(), n_rows, n_skipped })
}

fn of_parquet(bytes: Bytes) -> Result<Table, Error> {
    let builder = read_parquet::open(bytes)?;
    let names: Vec<String> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
    let mut columns: Vec<CellsBuilder> = names.iter().map(|_| CellsBuilder::Empty(0)).collect();
    let mut n_rows = 0;
    for batch in read_parquet::batches(builder)? {
        let batch = batch?;
        for ((name, column), array) in names.iter().zip(&mut columns).zip(batch.columns()) {
            let cells = ArrowCells::new(name, array)?;
            for row in 0..batch.num_rows() {
                cells.with_cell(row, |cell| column.push(cell));
            }
        }
        n_rows += batch.num_rows();
    }
    Ok(Table { columns: names.into_iter().zip(columns).map(TableColumn::new).collect(), n_rows, n_skipped: 0 })
}

impl TableColumn {
    fn new((name, cells): (String, CellsBuilder)) -> Self {
        Self { name, cells: cells.finish() }
    }
}

/// Cells that become text once they are of two kinds.
enum CellsBuilder {
    /// So many missing cells and nothing else.
    Empty(usize),
    Numbers(Vec<f64>),
    Booleans(Vec<Option<bool>>),
    Text {
        categories: Categories,
        codes_of: HashMap<String, u32>,
    },
}

impl CellsBuilder {
    fn text() -> Self {
        CellsBuilder::Text { categories: Categories::default(), codes_of: HashMap::new() }
    }

    fn len(&self) -> usize {
        match self {
            CellsBuilder::Empty(n) => *n,
            CellsBuilder::Numbers(numbers) => numbers.len(),
            CellsBuilder::Booleans(values) => values.len(),
            CellsBuilder::Text { categories, .. } => categories.codes.len(),
        }
    }

    /// Adds missing cells up to row `n_rows`.
    fn pad(&mut self, n_rows: usize) {
        while self.len() < n_rows {
            self.push(Cell::Missing);
        }
    }

    fn push(&mut self, cell: Cell<'_>) {
        match (&mut *self, cell) {
            (CellsBuilder::Empty(n), Cell::Missing) => *n += 1,
            (CellsBuilder::Empty(n), cell) => {
                *self = match cell {
                    Cell::Number(_) => CellsBuilder::Numbers(vec![f64::NAN; *n]),
                    Cell::Boolean(_) => CellsBuilder::Booleans(vec![None; *n]),
                    _ => {
                        let categories = Categories { levels: Vec::new(), codes: vec![MISSING_CODE; *n] };
                        CellsBuilder::Text { categories, codes_of: HashMap::new() }
                    }
                };
                self.push(cell);
            }
            (CellsBuilder::Numbers(numbers), Cell::Number(number)) => numbers.push(number),
            (CellsBuilder::Numbers(numbers), Cell::Missing) => numbers.push(f64::NAN),
            (CellsBuilder::Booleans(values), Cell::Boolean(value)) => values.push(Some(value)),
            (CellsBuilder::Booleans(values), Cell::Missing) => values.push(None),
            (CellsBuilder::Text { categories, codes_of }, cell) => {
                let Some(level) = text_of_cell(cell) else {
                    categories.codes.push(MISSING_CODE);
                    return;
                };
                let code = codes_of.get(&level).copied().unwrap_or_else(|| {
                    let code = categories.levels.len() as u32;
                    categories.levels.push(level.clone());
                    codes_of.insert(level, code);
                    code
                });
                categories.codes.push(code);
            }
            (_, cell) => {
                self.become_text();
                self.push(cell);
            }
        }
    }

    fn become_text(&mut self) {
        let mut text = CellsBuilder::text();
        match self {
            CellsBuilder::Numbers(numbers) => {
                let cell = |number: &f64| if number.is_nan() { Cell::Missing } else { Cell::Number(*number) };
                numbers.iter().for_each(|number| text.push(cell(number)));
            }
            CellsBuilder::Booleans(values) => {
                values.iter().for_each(|value| text.push(value.map_or(Cell::Missing, Cell::Boolean)));
            }
            CellsBuilder::Empty(_) | CellsBuilder::Text { .. } => return,
        }
        *self = text;
    }

    fn finish(self) -> Cells {
        match self {
            CellsBuilder::Empty(n) => Cells::Text(Categories { levels: Vec::new(), codes: vec![MISSING_CODE; n] }),
            CellsBuilder::Numbers(numbers) => Cells::Numbers(numbers),
            CellsBuilder::Booleans(values) => Cells::Booleans(values),
            CellsBuilder::Text { categories, .. } => Cells::Text(categories),
        }
    }
}

fn text_of_cell(cell: Cell<'_>) -> Option<String> {
    match cell {
        Cell::Missing => None,
        Cell::Boolean(value) => Some(value.to_string()),
        // Negative zero is zero, as in a spec's levels.
        Cell::Number(number) => Some((number + 0.0).to_string()),
        Cell::Text(text) | Cell::Untyped(text) => Some(text.to_owned()),
    }
}
