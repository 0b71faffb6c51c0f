//! Two files of the same columns, as the kinds of the first one.

use std::path::Path;

use dataset::{Cells, Table, TableColumn};
use indexmap::IndexMap;
use spec::{Categories, Cell, Column, ColumnData, Kind, MISSING_CODE, Value};

use super::{Error, Rows};
use crate::files;
use crate::new::kind_of;

/// What two files have in common.
pub(super) struct Aligned {
    pub(super) rows: Rows,
    /// The columns to compare, in the reference's order.
    pub(super) columns: Vec<Both>,
    /// Columns of both files that are no ground for a comparison, and why.
    pub(super) not_compared: IndexMap<String, String>,
    /// What has changed in the schema, as sentences.
    pub(super) changes: Vec<String>,
    /// What was left out without being drift, as sentences.
    pub(super) remarks: Vec<String>,
}

/// A column of both files.
pub(super) struct Both {
    pub(super) name: String,
    pub(super) reference: ColumnData,
    pub(super) current: ColumnData,
}

/// Reads both files. The kinds are those that `ebb new` guesses from the reference; a cell of the
/// current file that is none of its column's kind counts as missing there.
pub(super) fn align(reference: &Path, current: &Path) -> Result<Aligned, Error> {
    let [before, now] = [files::read_rows(reference)?, files::read_rows(current)?];
    let before = Table::read(before.0, before.1).map_err(files::Error::rows(reference))?;
    let kinds: IndexMap<&str, Result<Kind, String>> =
        before.columns.iter().map(|column| (column.name.as_str(), kind_of(column))).collect();
    let is_text = |name: &str| matches!(kinds.get(name), Some(Ok(Kind::Category)));
    let now = Table::read_with_text(now.0, now.1, &is_text).map_err(files::Error::rows(current))?;

    let mut aligned = Aligned {
        rows: Rows { reference: before.n_rows, current: now.n_rows },
        columns: Vec::new(),
        not_compared: IndexMap::new(),
        changes: Vec::new(),
        remarks: Vec::new(),
    };
    for (table, path) in [(&before, reference), (&now, current)] {
        if table.n_skipped > 0 {
            aligned.remarks.push(format!("{} rows of {} could not be read", table.n_skipped, path.display()));
        }
    }
    for column in &before.columns {
        let Some(other) = now.column(&column.name) else {
            aligned.changes.push(format!("column `{}` is gone", column.name));
            continue;
        };
        match &kinds[column.name.as_str()] {
            Ok(kind) => aligned.add(column, other, *kind),
            Err(reason) => {
                aligned.not_compared.insert(column.name.clone(), reason.clone());
            }
        }
    }
    let new = now.columns.iter().filter(|column| before.column(&column.name).is_none());
    aligned.changes.extend(new.map(|column| format!("column `{}` is new", column.name)));
    Ok(aligned)
}

impl Aligned {
    fn add(&mut self, before: &TableColumn, now: &TableColumn, kind: Kind) {
        let (reference, _) = as_kind(&before.cells, kind);
        let (current, misfits) = as_kind(&now.cells, kind);
        let name = before.name.clone();
        if misfits.n > 0 && 2 * misfits.n > misfits.n_present {
            let example = misfits.first.unwrap_or_default();
            self.changes.push(format!("column `{name}` was a {kind} and is none any more: {example}"));
            return;
        }
        if let Some(first) = misfits.first {
            let n = misfits.n;
            self.remarks.push(format!("{n} cells of column `{name}` are no {kind} and count as missing: {first}"));
        }
        self.columns.push(Both { name, reference, current });
    }
}

/// Cells that are none of their column's kind.
#[derive(Default)]
struct Misfits {
    n: usize,
    /// Cells that have any value.
    n_present: usize,
    /// What is wrong with the first of them.
    first: Option<String>,
}

impl Misfits {
    /// The cell as a value of `column`, missing where it is none.
    fn accept(&mut self, column: &Column, cell: Cell<'_>, n_cells: usize) -> Value {
        if cell == Cell::Missing {
            return Value::Missing;
        }
        self.n_present += n_cells;
        column.accept(cell).unwrap_or_else(|detail| {
            self.n += n_cells;
            self.first.get_or_insert(detail);
            Value::Missing
        })
    }
}

/// The cells as values of a kind, and those that are none.
fn as_kind(cells: &Cells, kind: Kind) -> (ColumnData, Misfits) {
    let column = Column {
        kind,
        unit: None,
        description: None,
        range: None,
        nullable: true,
        allowed: Vec::new(),
        max_levels: None,
        sensitive: false,
    };
    let mut misfits = Misfits::default();
    let data = match (cells, kind) {
        (Cells::Numbers(numbers), Kind::Number) => ColumnData::Numbers(numbers.clone()),
        (Cells::Text(text), _) => {
            // Each level once: there are far fewer than cells.
            let counts = text.counts();
            let values = text
                .levels
                .iter()
                .zip(counts)
                .map(|(level, n_cells)| misfits.accept(&column, Cell::Untyped(level), n_cells as usize));
            of_levels(&values.collect::<Vec<_>>(), &text.codes, kind)
        }
        (Cells::Numbers(numbers), _) => {
            let cell = |number: &f64| if number.is_nan() { Cell::Missing } else { Cell::Number(*number) };
            of_values(numbers.iter().map(|number| misfits.accept(&column, cell(number), 1)), kind)
        }
        (Cells::Booleans(values), _) => {
            let cell = |value: &Option<bool>| value.map_or(Cell::Missing, Cell::Boolean);
            of_values(values.iter().map(|value| misfits.accept(&column, cell(value), 1)), kind)
        }
    };
    (data, misfits)
}

/// A column whose cells are the values of its levels.
fn of_levels(values: &[Value], codes: &[u32], kind: Kind) -> ColumnData {
    if kind == Kind::Number {
        let number = |code: &u32| values.get(*code as usize).and_then(Value::as_number).unwrap_or(f64::NAN);
        return ColumnData::Numbers(codes.iter().map(number).collect());
    }
    let mut levels: IndexMap<&str, u32> = IndexMap::new();
    let new_codes: Vec<u32> = values
        .iter()
        .map(|value| match value {
            Value::Level(level) => {
                let next = levels.len() as u32;
                *levels.entry(level).or_insert(next)
            }
            _ => MISSING_CODE,
        })
        .collect();
    let code = |code: &u32| new_codes.get(*code as usize).copied().unwrap_or(MISSING_CODE);
    let codes = codes.iter().map(code).collect();
    ColumnData::Categories(Categories { levels: levels.into_keys().map(str::to_owned).collect(), codes })
}

fn of_values(values: impl Iterator<Item = Value>, kind: Kind) -> ColumnData {
    if kind == Kind::Number {
        return ColumnData::Numbers(values.map(|value| value.as_number().unwrap_or(f64::NAN)).collect());
    }
    let mut levels: IndexMap<String, u32> = IndexMap::new();
    let codes = values
        .map(|value| match value {
            Value::Level(level) => {
                let next = levels.len() as u32;
                *levels.entry(level).or_insert(next)
            }
            _ => MISSING_CODE,
        })
        .collect();
    ColumnData::Categories(Categories { levels: levels.into_keys().collect(), codes })
}
