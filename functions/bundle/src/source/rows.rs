//! The rows of one batch: a small columnar table, and its JSON.
//!
//! Columns instead of a list of maps, because 361,000 rows of maps are a gigabyte and drift works by column.

use std::sync::Arc;

/// The code of a missing text cell.
pub(super) const NULL_CODE: u32 = u32::MAX;
/// The stand-in for a missing integer; no source value is ever this.
pub(super) const NULL_INT: i64 = i64::MIN;

/// A text column: codes into a list of distinct levels.
#[derive(Clone, Debug, Default)]
pub(super) struct Text {
    /// One per row; [`NULL_CODE`] where missing.
    pub(super) codes: Vec<u32>,
    /// The distinct values, shared by the slices of a table.
    pub(super) levels: Arc<Vec<String>>,
}

impl Text {
    /// The value of row `row`; `None` where missing.
    pub(super) fn get(&self, row: usize) -> Option<&str> {
        self.levels.get(self.codes[row] as usize).map(String::as_str)
    }

    /// The code of `level`, which is added when new.
    pub(super) fn code(&mut self, level: &str) -> u32 {
        if let Some(code) = self.levels.iter().position(|known| known == level) {
            return code as u32;
        }
        Arc::make_mut(&mut self.levels).push(level.to_owned());
        self.levels.len() as u32 - 1
    }
}

/// The cells of one column.
#[derive(Clone, Debug)]
pub(super) enum Column {
    /// Integers; [`NULL_INT`] where missing.
    Int(Vec<i64>),
    /// Finite floats; NaN where missing.
    Float(Vec<f64>),
    /// Booleans.
    Bool(Vec<Option<bool>>),
    /// Text.
    Text(Text),
}

impl Column {
    /// What the column holds, in words for error messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Column::Int(_) => "an integer column",
            Column::Float(_) => "a number column",
            Column::Bool(_) => "a boolean column",
            Column::Text(_) => "a text column",
        }
    }

    /// Whether cells are numbers.
    pub(super) fn is_numeric(&self) -> bool {
        matches!(self, Column::Int(_) | Column::Float(_))
    }

    /// The number in row `row`; `None` where missing or not a number.
    pub(super) fn number(&self, row: usize) -> Option<f64> {
        match self {
            Column::Int(cells) => (cells[row] != NULL_INT).then(|| cells[row] as f64),
            Column::Float(cells) => (!cells[row].is_nan()).then(|| cells[row]),
            Column::Bool(_) | Column::Text(_) => None,
        }
    }

    /// Whether row `row` is missing.
    pub(super) fn is_null(&self, row: usize) -> bool {
        match self {
            Column::Int(cells) => cells[row] == NULL_INT,
            Column::Float(cells) => cells[row].is_nan(),
            Column::Bool(cells) => cells[row].is_none(),
            Column::Text(text) => text.codes[row] == NULL_CODE,
        }
    }

    /// Makes row `row` missing.
    pub(super) fn set_null(&mut self, row: usize) {
        match self {
            Column::Int(cells) => cells[row] = NULL_INT,
            Column::Float(cells) => cells[row] = f64::NAN,
            Column::Bool(cells) => cells[row] = None,
            Column::Text(text) => text.codes[row] = NULL_CODE,
        }
    }

    /// Mean and standard deviation (n in the denominator) of the present numbers; `None` without any.
    pub(super) fn moments(&self) -> Option<(f64, f64)> {
        let values: Vec<f64> = (0..self.len()).filter_map(|row| self.number(row)).collect();
        if values.is_empty() {
            return None;
        }
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
        Some((mean, variance.sqrt()))
    }

    /// The number of rows.
    pub(super) fn len(&self) -> usize {
        match self {
            Column::Int(cells) => cells.len(),
            Column::Float(cells) => cells.len(),
            Column::Bool(cells) => cells.len(),
            Column::Text(text) => text.codes.len(),
        }
    }

    fn take(&self, rows: &[u32]) -> Column {
        fn at<T: Copy>(cells: &[T], rows: &[u32]) -> Vec<T> {
            rows.iter().map(|&row| cells[row as usize]).collect()
        }
        match self {
            Column::Int(cells) => Column::Int(at(cells, rows)),
            Column::Float(cells) => Column::Float(at(cells, rows)),
            Column::Bool(cells) => Column::Bool(at(cells, rows)),
            Column::Text(text) => Column::Text(Text { codes: at(&text.codes, rows), levels: Arc::clone(&text.levels) }),
        }
    }

    fn write_cell(&self, row: usize, out: &mut Vec<u8>) {
        match self {
            _ if self.is_null(row) => out.extend_from_slice(b"null"),
            Column::Int(cells) => write_json(&cells[row], out),
            Column::Float(cells) => write_json(&cells[row], out),
            Column::Bool(cells) => write_json(&cells[row], out),
            Column::Text(text) => write_json(&text.get(row), out),
        }
    }
}

/// Serialises a scalar; these cannot fail, and a `Vec` always takes more bytes.
fn write_json<T: serde::Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    let start = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}

/// Named columns of equal length, in the order in which a row is written.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    names: Vec<String>,
    columns: Vec<Column>,
}

impl Table {
    /// A table of these columns, which have equal lengths.
    pub(super) fn new(columns: Vec<(String, Column)>) -> Self {
        let (names, columns): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
        debug_assert!(columns.windows(2).all(|pair: &[Column]| pair[0].len() == pair[1].len()), "ragged table");
        Self { names, columns }
    }

    /// The number of rows.
    pub(super) fn n_rows(&self) -> usize {
        self.columns.first().map_or(0, Column::len)
    }

    /// The columns' names.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// The position of column `name`.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    /// The column at `position`.
    pub(super) fn column(&self, position: usize) -> &Column {
        &self.columns[position]
    }

    /// The column at `position`, to be changed.
    pub(super) fn column_mut(&mut self, position: usize) -> &mut Column {
        &mut self.columns[position]
    }

    /// The column called `name`.
    pub(super) fn get(&self, name: &str) -> Option<&Column> {
        self.position(name).map(|position| &self.columns[position])
    }

    /// These rows, in this order, repeats included.
    pub(super) fn take(&self, rows: &[u32]) -> Table {
        Table { names: self.names.clone(), columns: self.columns.iter().map(|column| column.take(rows)).collect() }
    }

    /// The rows as a JSON array of objects.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let keys: Vec<Vec<u8>> = self
            .names
            .iter()
            .enumerate()
            .map(|(i, name)| {
                let mut key = if i == 0 { b"{".to_vec() } else { b",".to_vec() };
                write_json(name.as_str(), &mut key);
                key.push(b':');
                key
            })
            .collect();
        let n_rows = self.n_rows();
        let mut out = b"[".to_vec();
        for row in 0..n_rows {
            if row > 0 {
                out.push(b',');
            }
            for (key, column) in keys.iter().zip(&self.columns) {
                out.extend_from_slice(key);
                column.write_cell(row, &mut out);
            }
            out.push(b'}');
            // One allocation for the whole batch instead of doublings, which would hold it twice for a moment.
            if row == SIZING_ROWS && n_rows > SIZING_ROWS {
                out.reserve(out.len() / SIZING_ROWS * n_rows * 17 / 16);
            }
        }
        out.push(b']');
        out
    }
}

/// After this many rows the size of the rest is estimated.
const SIZING_ROWS: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_become_json_of_their_kind() {
        let mut text = Text::default();
        let (a, quoted) = (text.code("a"), text.code("say \"é\""));
        text.codes = vec![a, quoted, NULL_CODE];
        let table = Table::new(vec![
            ("i".into(), Column::Int(vec![1, NULL_INT, -3])),
            ("f".into(), Column::Float(vec![2.0, 0.1, f64::NAN])),
            ("b".into(), Column::Bool(vec![Some(true), None, Some(false)])),
            ("t".into(), Column::Text(text)),
        ]);
        assert_eq!(
            String::from_utf8(table.to_json()).unwrap(),
            r#"[{"i":1,"f":2.0,"b":true,"t":"a"},{"i":null,"f":0.1,"b":null,"t":"say \"é\""},{"i":-3,"f":null,"b":false,"t":null}]"#
        );
        assert_eq!(String::from_utf8(Table::default().to_json()).unwrap(), "[]");
        assert_eq!(String::from_utf8(table.take(&[2, 0]).to_json()).unwrap().matches("\"i\":-3").count(), 1);
    }
}
