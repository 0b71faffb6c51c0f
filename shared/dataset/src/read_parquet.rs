//! Parquet from anywhere.

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::RecordBatch;
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use serde_json::{Map, Value as Json};
use spec::{Format, Spec};

use crate::Read;
use crate::arrow_cells::{ArrowCells, json_of};
use crate::error::Error;
use crate::layout::Place;
use crate::rows::Rows;

/// Reads a Parquet body.
pub(crate) fn read(spec: &Spec, bytes: Bytes) -> Result<Read, Error> {
    let builder = open(bytes)?;
    let names: Vec<String> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
    let mut rows = Rows::new(spec);
    let slots = rows
        .header(names.iter().map(String::as_str))
        .map_err(|name| Error::malformed(Format::Parquet, format!("the file has two columns `{name}`")))?;
    rows.check_schema()?;
    for batch in batches(builder)? {
        let batch = batch?;
        let mut columns = Vec::new();
        for ((slot, name), array) in slots.iter().zip(&names).zip(batch.columns()) {
            if let Some(slot) = slot.filter(|slot| slot.place != Place::Ignored) {
                columns.push((slot, ArrowCells::new(name, array)?));
            }
        }
        for row in 0..batch.num_rows() {
            for (slot, cells) in &columns {
                cells.with_cell(row, |cell| rows.put(*slot, Some(cell)));
            }
            rows.end(|| object(&names, &batch, row));
        }
    }
    rows.finish(None)
}

/// Opens a Parquet body.
pub(crate) fn open(bytes: Bytes) -> Result<ParquetRecordBatchReaderBuilder<Bytes>, Error> {
    if bytes.is_empty() {
        return Err(Error::malformed(Format::Parquet, "the body is empty"));
    }
    guarded(|| ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(Error::parquet))
}

/// The record batches of an opened body.
pub(crate) fn batches(
    builder: ParquetRecordBatchReaderBuilder<Bytes>,
) -> Result<impl Iterator<Item = Result<RecordBatch, Error>>, Error> {
    let mut reader: Option<ParquetRecordBatchReader> =
        Some(guarded(|| builder.with_batch_size(8192).build().map_err(Error::parquet))?);
    Ok(std::iter::from_fn(move || {
        let batch = guarded(|| reader.as_mut().and_then(Iterator::next).transpose().map_err(Error::parquet));
        if batch.is_err() {
            reader = None;
        }
        batch.transpose()
    }))
}

/// Runs a step of the decoder.
///
/// The parquet crate (60.1) panics on some damaged pages instead of answering an error. A reader that panicked is thrown
/// away, so nothing half-done is ever seen again.
fn guarded<T>(step: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let damaged = || Error::malformed(Format::Parquet, "a page contradicts what the file says of it");
    catch_unwind(AssertUnwindSafe(step)).unwrap_or_else(|_| Err(damaged()))
}

fn object(names: &[String], batch: &RecordBatch, row: usize) -> Json {
    let cells = names.iter().zip(batch.columns()).map(|(name, array)| (name.clone(), json_of(array, row)));
    Json::Object(cells.collect::<Map<_, _>>())
}
