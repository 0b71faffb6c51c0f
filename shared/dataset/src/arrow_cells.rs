//! Cells of Arrow columns of any sensible type.

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
    UInt64Array,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, TimeUnit};
use arrow::temporal_conversions::timestamp_us_to_datetime;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::Value as Json;
use spec::Cell;

use crate::error::Error;
use crate::read_json::MAX_EXACT;

/// The cells of one column of a record batch, decoded to one of few forms.
pub(crate) enum ArrowCells {
    Missing,
    Numbers(Float64Array),
    Signed(Int64Array),
    Unsigned(UInt64Array),
    Booleans(BooleanArray),
    Text(StringArray),
    /// Dates and timestamps; one with a time zone counts in UTC.
    Times(TimestampMicrosecondArray),
}

impl ArrowCells {
    /// Decodes a column: whole numbers, floats and decimals to numbers, all kinds of text to text, dates and timestamps to
    /// ISO 8601, dictionaries to what they hold.
    pub(crate) fn new(name: &str, array: &ArrayRef) -> Result<Self, Error> {
        let to = |array: &ArrayRef, to: &DataType| {
            // Without `safe`, a value that does not fit is an error instead of a silent null.
            let options = CastOptions { safe: false, ..CastOptions::default() };
            cast_with_options(array, to, &options).map_err(|error| Error::parquet(format!("column `{name}`: {error}")))
        };
        Ok(match array.data_type() {
            DataType::Null => ArrowCells::Missing,
            DataType::Boolean => ArrowCells::Booleans(array.as_boolean().clone()),
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
                ArrowCells::Signed(to(array, &DataType::Int64)?.as_primitive().clone())
            }
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
                ArrowCells::Unsigned(to(array, &DataType::UInt64)?.as_primitive().clone())
            }
            DataType::Float16
            | DataType::Float32
            | DataType::Float64
            | DataType::Decimal32(..)
            | DataType::Decimal64(..)
            | DataType::Decimal128(..)
            | DataType::Decimal256(..) => ArrowCells::Numbers(to(array, &DataType::Float64)?.as_primitive().clone()),
            DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView => ArrowCells::Text(to(array, &DataType::Utf8)?.as_string().clone()),
            DataType::Date32 | DataType::Date64 => {
                let to_micros = DataType::Timestamp(TimeUnit::Microsecond, None);
                ArrowCells::Times(to(array, &to_micros)?.as_primitive().clone())
            }
            DataType::Timestamp(unit, _) => {
                // By way of plain integers, so that no time zone database is asked what the stored instant already says.
                let integers = to(array, &DataType::Int64)?;
                let utc = to(&integers, &DataType::Timestamp(*unit, None))?;
                ArrowCells::Times(to(&utc, &DataType::Timestamp(TimeUnit::Microsecond, None))?.as_primitive().clone())
            }
            DataType::Dictionary(_, value) => Self::new(name, &to(array, value)?)?,
            other => return Err(Error::ColumnType { column: name.to_owned(), found: other.to_string() }),
        })
    }

    /// Gives the cell of row `row` to `sink`.
    pub(crate) fn with_cell<T>(&self, row: usize, sink: impl FnOnce(Cell<'_>) -> T) -> T {
        match self {
            ArrowCells::Numbers(numbers) if numbers.is_valid(row) => match numbers.value(row) {
                // pandas writes a missing number as NaN.
                number if number.is_nan() => sink(Cell::Missing),
                number => sink(Cell::Number(number)),
            },
            ArrowCells::Signed(numbers) if numbers.is_valid(row) => match numbers.value(row) {
                number if number.unsigned_abs() > MAX_EXACT => sink(Cell::Untyped(&number.to_string())),
                number => sink(Cell::Number(number as f64)),
            },
            ArrowCells::Unsigned(numbers) if numbers.is_valid(row) => match numbers.value(row) {
                number if number > MAX_EXACT => sink(Cell::Untyped(&number.to_string())),
                number => sink(Cell::Number(number as f64)),
            },
            ArrowCells::Booleans(values) if values.is_valid(row) => sink(Cell::Boolean(values.value(row))),
            ArrowCells::Text(texts) if texts.is_valid(row) => sink(Cell::Text(texts.value(row))),
            ArrowCells::Times(times) if times.is_valid(row) => match timestamp_us_to_datetime(times.value(row)) {
                Some(time) => sink(Cell::Text(&time.to_string())),
                None => sink(Cell::Number(f64::INFINITY)),
            },
            _ => sink(Cell::Missing),
        }
    }
}

/// A cell as JSON, for quarantine.
pub(crate) fn json_of(array: &ArrayRef, row: usize) -> Json {
    if array.is_null(row) {
        return Json::Null;
    }
    match array.data_type() {
        data_type if data_type.is_numeric() || *data_type == DataType::Boolean => {
            let cells = ArrowCells::new("", &array.slice(row, 1));
            cells.map_or(Json::Null, |cells| cells.with_cell(0, json_of_cell))
        }
        _ => ArrayFormatter::try_new(array, &FormatOptions::default())
            .ok()
            .and_then(|format| format.value(row).try_to_string().ok())
            .map_or(Json::Null, Json::from),
    }
}

fn json_of_cell(cell: Cell<'_>) -> Json {
    match cell {
        Cell::Missing => Json::Null,
        Cell::Boolean(value) => Json::from(value),
        Cell::Number(number) => Json::from(number),
        Cell::Text(text) | Cell::Untyped(text) => Json::from(text),
    }
}
