//! From the fields of a form to a record of the spec's kinds, and back to a link.

use fault::pointer_token;
use serde_json::{Map, Number, Value};
use spec::{Column, Kind, Spec};
use url::form_urlencoded::Serializer;

/// What stands in the fields, by column. A column that is not there is an empty field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Takes the decoded pairs of a query or of a form's body; the first of a name counts.
    pub(crate) fn new(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// The text in a column's field.
    pub(crate) fn get(&self, column: &str) -> &str {
        self.0.iter().find(|(name, _)| name == column).map_or("", |(_, text)| text)
    }

    /// The record that is sent to `predict` and `explain`. An empty field is null; a text that is not of the column's kind
    /// stays text, so that it is refused there, with the same words that any caller gets.
    pub(crate) fn record(&self, spec: &Spec) -> Value {
        let cells = spec.columns.iter().map(|(name, column)| (name.clone(), cell(column, self.get(name))));
        Value::Object(cells.collect::<Map<_, _>>())
    }

    /// The query that fills the form with the same values; empty where no field is filled.
    pub(crate) fn query(&self, spec: &Spec) -> String {
        let mut query = Serializer::new(String::new());
        for name in spec.columns.keys().filter(|name| !self.get(name).is_empty()) {
            query.append_pair(name, self.get(name));
        }
        query.finish()
    }
}

/// The JSON pointer of a column's cell in the one record that is sent.
pub(crate) fn pointer(column: &str) -> String {
    format!("/records/0/{}", pointer_token(column))
}

fn cell(column: &Column, text: &str) -> Value {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Value::Null;
    }
    let as_text = || Value::String(text.to_owned());
    match (column.kind, trimmed) {
        (Kind::Number, _) => trimmed.parse().ok().and_then(Number::from_f64).map_or_else(as_text, Value::Number),
        (Kind::Boolean, "true") => Value::Bool(true),
        (Kind::Boolean, "false") => Value::Bool(false),
        _ => as_text(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SPEC: &str = "
name: homes
task: regression
target: {column: price}
columns:
  size: {kind: number}
  rooms: {kind: number, nullable: true}
  a/b: {kind: category}
  new: {kind: boolean}
  listed: {kind: time}
derive: {year: {year: listed}}
";

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        Fields::new(pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect())
    }

    #[test]
    fn fields_become_cells_of_their_kind() {
        let spec = Spec::parse(SPEC).unwrap();
        let filled =
            fields(&[("size", " 12.5 "), ("a/b", "x & y"), ("new", "true"), ("listed", "2026-01-31"), ("z", "1")]);
        let record = json!({"size": 12.5, "rooms": null, "a/b": "x & y", "new": true, "listed": "2026-01-31"});
        assert_eq!(filled.record(&spec), record);
        assert_eq!(filled.query(&spec), "size=+12.5+&a%2Fb=x+%26+y&new=true&listed=2026-01-31");
        let wrong = fields(&[("size", "NaN"), ("rooms", "two"), ("new", "maybe")]);
        let record = json!({"size": "NaN", "rooms": "two", "a/b": null, "new": "maybe", "listed": null});
        assert_eq!(wrong.record(&spec), record);
        assert_eq!(Fields::default().query(&spec), "");
        assert_eq!(pointer("a/b"), "/records/0/a~1b");
    }
}
