//! Why bytes cannot become rows, or rows bytes.

use fault::{Fault, FieldError, Kind, pointer_token};
use spec::Format;

/// Why bytes cannot become rows, or rows bytes.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are not the format they claim to be.
    #[error("the {} cannot be read{}: {message}", format_name(*.format), place(*.line, *.byte))]
    Malformed {
        /// The format they claim to be.
        format: Format,
        /// Line, from 1, where it is known.
        line: Option<u64>,
        /// Byte within the body, from 0, where it is known.
        byte: Option<u64>,
        /// What is wrong there.
        message: String,
    },
    /// The columns of the whole batch are not those of the spec.
    #[error("the batch's columns do not fit the spec: {}", join(&schema_fields(.unknown, .missing)))]
    Schema {
        /// Columns of the batch that the spec does not name; at most 100 of them.
        unknown: Vec<String>,
        /// Columns that the spec needs and that no row has.
        missing: Vec<String>,
    },
    /// A Parquet column whose cells are no single values.
    #[error("the column `{column}` holds {found}, and a cell is one number, text, boolean or date")]
    ColumnType {
        /// The column.
        column: String,
        /// Its Arrow type.
        found: String,
    },
    /// A stored batch has other columns than the spec that reads it.
    #[error("the stored batch does not fit the spec: {}", join(.0))]
    Stored(Vec<FieldError>),
    /// Arrow or Parquet refused a batch that fits its spec.
    #[error("failed to write the batch as Parquet")]
    Write(#[source] parquet::errors::ParquetError),
}

/// Most unknown columns that are named: rows with random keys must not fill the memory.
pub(crate) const MAX_UNKNOWN: usize = 100;

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Malformed { .. } => Kind::Malformed,
            Error::Schema { .. } | Error::ColumnType { .. } => Kind::Invalid,
            Error::Stored(_) => Kind::Conflict,
            Error::Write(_) => Kind::Internal,
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Error::Schema { unknown, missing } => schema_fields(unknown, missing),
            Error::ColumnType { column, .. } => vec![FieldError::new(pointer(column), self.to_string())],
            Error::Stored(fields) => fields.clone(),
            Error::Malformed { .. } | Error::Write(_) => Vec::new(),
        }
    }
}

impl Error {
    pub(crate) fn malformed(format: Format, message: impl Into<String>) -> Self {
        Error::Malformed { format, line: None, byte: None, message: message.into() }
    }

    pub(crate) fn json(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        // serde_json appends the place, which this error says itself.
        let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message).to_owned();
        let line = u64::try_from(error.line()).ok().filter(|line| *line > 0);
        Error::Malformed { format: Format::Json, line, byte: None, message }
    }

    pub(crate) fn parquet(error: impl std::fmt::Display) -> Self {
        Error::malformed(Format::Parquet, error.to_string())
    }
}

/// JSON pointer to a column of any row.
pub(crate) fn pointer(column: &str) -> String {
    format!("/{}", pointer_token(column))
}

/// The text of a body, or where it stops being UTF-8. A byte order mark is no part of it.
pub(crate) fn text_of(bytes: &[u8], format: Format) -> Result<&str, Error> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
        let message = format!("byte 0x{:02x} is not UTF-8", bytes[at]);
        Error::Malformed { format, line: Some(line), byte: Some(at as u64), message }
    })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Err(Error::malformed(format, "the body is empty"));
    }
    Ok(text)
}

fn schema_fields(unknown: &[String], missing: &[String]) -> Vec<FieldError> {
    let unknown = unknown.iter().map(|name| {
        let detail =
            "the spec does not name this column: declare it under `columns` or `drop`, or rename it under `source`";
        FieldError::new(pointer(name), detail)
    });
    let missing = missing.iter().map(|name| {
        let detail = "the spec needs this column and no row has it: add it, rename it under `source`, or mark an input `nullable`";
        FieldError::new(pointer(name), detail)
    });
    unknown.chain(missing).collect()
}

fn format_name(format: Format) -> &'static str {
    match format {
        Format::Csv => "CSV",
        Format::Parquet => "Parquet",
        Format::Json => "JSON",
    }
}

fn place(line: Option<u64>, byte: Option<u64>) -> String {
    match (line, byte) {
        (Some(line), Some(byte)) => format!(" at line {line}, byte {byte}"),
        (Some(line), None) => format!(" at line {line}"),
        (None, Some(byte)) => format!(" at byte {byte}"),
        (None, None) => String::new(),
    }
}

fn join(fields: &[FieldError]) -> String {
    fields.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
