//! Comma-separated values with a header.

use csv::StringRecord;
use serde_json::{Map, Value as Json};
use spec::{Cell, Format, Spec};

use crate::Read;
use crate::error::{Error, text_of};
use crate::rows::Rows;

/// Reads a CSV body.
pub(crate) fn read(spec: &Spec, bytes: &[u8]) -> Result<Read, Error> {
    let text = text_of(bytes, Format::Csv)?;
    let mut reader = csv_reader(text);
    let header = reader.headers().map_err(|error| malformed(&error))?.clone();
    let mut rows = Rows::new(spec);
    let slots = rows.header(header.iter()).map_err(|name| twice(&name))?;
    rows.check_schema().map_err(|error| match other_separator(&header) {
        Some(message) => Error::Malformed { format: Format::Csv, line: Some(1), byte: None, message },
        None => error,
    })?;
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| malformed(&error))? {
        if record.len() != header.len() {
            let detail = format!("the row has {} cells, and the header {}", record.len(), header.len());
            rows.end_refused(detail, record.iter().collect());
            continue;
        }
        for (slot, text) in slots.iter().zip(&record) {
            if let Some(slot) = slot {
                rows.put(*slot, Some(cell(text)));
            }
        }
        rows.end(|| object(&header, &record));
    }
    rows.finish(None)
}

/// A reader that leaves ragged rows to its caller.
pub(crate) fn csv_reader(text: &str) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes())
}

pub(crate) fn malformed(error: &csv::Error) -> Error {
    let line = error.position().map(csv::Position::line);
    let byte = error.position().map(csv::Position::byte);
    Error::Malformed { format: Format::Csv, line, byte, message: error.to_string() }
}

pub(crate) fn twice(name: &str) -> Error {
    Error::Malformed {
        format: Format::Csv,
        line: Some(1),
        byte: None,
        message: format!("the header names `{name}` twice"),
    }
}

/// A header of one name that holds another usual separator was not written with commas.
pub(crate) fn other_separator(header: &StringRecord) -> Option<String> {
    let separator =
        [';', '\t', '|'].into_iter().find(|separator| header.len() == 1 && header[0].contains(*separator))?;
    Some(format!("cells are separated by commas here, and the header has {separator:?}"))
}

fn cell(text: &str) -> Cell<'_> {
    if text.is_empty() { Cell::Missing } else { Cell::Untyped(text) }
}

fn object(header: &StringRecord, record: &StringRecord) -> Json {
    Json::Object(header.iter().zip(record).map(|(name, cell)| (name.to_owned(), cell.into())).collect::<Map<_, _>>())
}
