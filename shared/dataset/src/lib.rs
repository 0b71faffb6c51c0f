#![doc = include_str!("../README.md")]

mod arrow_cells;
mod error;
mod layout;
mod quarantine;
mod read_csv;
mod read_json;
mod read_parquet;
mod rows;
mod stored;
mod table;

use bytes::Bytes;
use spec::{Batch, Spec};

pub use error::Error;
pub use quarantine::{QuarantinedRow, quarantine_ndjson};
pub use spec::Format;
pub use stored::{read_parquet, read_parquet_rows, write_parquet};
pub use table::{Cells, Table, TableColumn};

/// What became of a source's rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Read {
    /// The rows that fit the spec, in the source's order.
    pub batch: Batch,
    /// The rows that do not, in the source's order.
    pub quarantined: Vec<QuarantinedRow>,
    /// The source's own number of this batch, where it gives one.
    pub batch_number: Option<u64>,
    /// Rows in the source: always `batch.n_rows() + quarantined.len()`.
    pub n_source_rows: u64,
}

/// Reads a source's batch.
///
/// Columns are found by their names after `source.rename`; those under `drop` are passed over. An empty CSV cell is a
/// missing one, and a blank CSV line between rows of two columns or more is no row. A batch without rows is no error: the
/// caller decides what that means.
///
/// The spec's `time` column, where it is no input, holds numbers or ISO 8601 dates; a missing one is NaN in
/// [`Batch::time`]. One batch holds the one or the other: a row in the other form goes to quarantine, because the two have
/// no common order.
///
/// # Errors
/// - [`Error::Malformed`] when the bytes are not the format they claim to be.
/// - [`Error::Schema`] with every column that the spec does not name and every needed column that no row has.
/// - [`Error::ColumnType`] for a Parquet column whose cells are no single values.
pub fn read(spec: &Spec, bytes: impl Into<Bytes>, format: Format) -> Result<Read, Error> {
    let bytes = bytes.into();
    match format {
        Format::Csv => read_csv::read(spec, &bytes),
        Format::Json => read_json::read(spec, &bytes),
        Format::Parquet => read_parquet::read(spec, bytes),
    }
}

#[cfg(test)]
mod tests;
