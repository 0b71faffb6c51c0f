//! The part `background.json` of a version: `{"columns": [name, ..], "rows": [[cell, ..], ..]}`.
//!
//! Cells are raw, in the spec's order: numbers and times (seconds since 1970-01-01 UTC) as numbers, levels and booleans as
//! text, missing cells as null. Equal rows give equal bytes, because the part counts for the version's id.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use spec::{Batch, BatchBuilder, Kind, Spec, Value};

use crate::Error;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    columns: Vec<String>,
    rows: Vec<Vec<Json>>,
}

/// The background part for these rows; their target and time are left out.
pub fn background_to_bytes(spec: &Spec, rows: &Batch) -> Vec<u8> {
    let row = |row| rows.columns().iter().map(|column| to_json(&column.value(row))).collect();
    let stored =
        Stored { columns: spec.columns.keys().cloned().collect(), rows: (0..rows.n_rows()).map(row).collect() };
    serde_json::to_vec(&stored).expect("text, finite numbers and nulls have a JSON form")
}

/// The rows of a background part.
///
/// # Errors
/// [`Error::Background`] when it is not one, or has other columns or kinds of cells than the spec.
pub fn background_from_bytes(spec: &Spec, bytes: &[u8]) -> Result<Batch, Error> {
    let stored: Stored = serde_json::from_slice(bytes).map_err(|error| Error::Background(error.to_string()))?;
    if !stored.columns.iter().eq(spec.columns.keys()) {
        return Err(Error::Background(format!("it has the columns {}", stored.columns.join(", "))));
    }
    let kinds: Vec<Kind> = spec.columns.values().map(|column| column.kind).collect();
    let mut rows = BatchBuilder::new(kinds.iter().copied(), None, false);
    for (index, row) in stored.rows.iter().enumerate() {
        let values: Option<Vec<Value>> = row.iter().zip(&kinds).map(|(cell, kind)| from_json(cell, *kind)).collect();
        let values = values.filter(|values| row.len() == kinds.len() && values.len() == kinds.len());
        let values = values.ok_or_else(|| Error::Background(format!("row {index} does not fit the columns")))?;
        rows.push(&values, &Value::Missing, f64::NAN);
    }
    Ok(rows.finish())
}

fn to_json(value: &Value) -> Json {
    match value {
        Value::Missing => Json::Null,
        Value::Number(number) => Json::from(*number),
        Value::Level(level) => Json::from(level.as_str()),
    }
}

fn from_json(cell: &Json, kind: Kind) -> Option<Value> {
    match (cell, kind) {
        (Json::Null, _) => Some(Value::Missing),
        (Json::Number(number), Kind::Number | Kind::Time) => number.as_f64().map(Value::Number),
        (Json::String(level), Kind::Category | Kind::Boolean) => Some(Value::Level(level.clone())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> Spec {
        Spec::parse(
            "name: demo\ntask: regression\ntarget: {column: y}\ncolumns:\n  size: {kind: number, nullable: true}\n  \
             city: {kind: category}\n  new: {kind: boolean}\n  sold: {kind: time}\nderive: {month: {month: sold}}\n",
        )
        .unwrap()
    }

    const TEXT: &str =
        r#"{"columns":["size","city","new","sold"],"rows":[[0.1,"Ulm","true",86400.0],[null,"","false",0.0]]}"#;

    #[test]
    fn rows_survive_the_round_trip() {
        let rows = background_from_bytes(&spec(), TEXT.as_bytes()).unwrap();
        assert_eq!(rows.n_rows(), 2);
        assert_eq!(rows.column(0).value(1), Value::Missing);
        assert_eq!(String::from_utf8(background_to_bytes(&spec(), &rows)).unwrap(), TEXT);
    }

    #[test]
    fn other_columns_and_cells_are_refused() {
        for (from, to) in
            [("size", "width"), ("0.1", "\"0.1\""), ("\"true\"", "true"), (",86400.0", ""), ("rows", "row")]
        {
            let refused = background_from_bytes(&spec(), TEXT.replacen(from, to, 1).as_bytes());
            assert!(matches!(refused, Err(Error::Background(_))), "{from} -> {to}");
        }
    }
}
