//! Rows that do not fit.

use bytes::Bytes;
use fault::FieldError;
use serde::{Deserialize, Serialize};

/// A row that does not fit the spec.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuarantinedRow {
    /// Which row of the source, from 0.
    pub row: u64,
    /// Everything that is wrong with it; pointers start at the row.
    pub reasons: Vec<FieldError>,
    /// The row as the source gave it, dropped columns included: an object, or for a ragged CSV row the array of its cells.
    pub cells: serde_json::Value,
}

/// The quarantine file that stands beside a batch: one JSON object per line.
pub fn quarantine_ndjson(rows: &[QuarantinedRow]) -> Bytes {
    let mut out = Vec::new();
    for row in rows {
        let start = out.len();
        // Writing plain values to memory cannot fail; a row is never left half written all the same.
        if serde_json::to_writer(&mut out, row).is_err() {
            out.truncate(start);
        }
        out.push(b'\n');
    }
    Bytes::from(out)
}
