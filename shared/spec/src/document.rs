//! YAML text to a JSON value, with the line of every node.

use std::collections::HashMap;

use fault::pointer_token;
use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::error::SpecError;

/// A YAML document whose every node knows its line.
pub(crate) struct Document {
    pub(crate) value: Value,
    /// JSON pointer of a node: its line, from 1.
    lines: HashMap<String, usize>,
}

impl Document {
    /// Reads one YAML document.
    pub(crate) fn parse(text: &str) -> Result<Self, SpecError> {
        let documents = MarkedYaml::load_from_str(text).map_err(|error| SpecError {
            line: error.marker().line(),
            path: String::new(),
            message: format!("this is not YAML: {}", error.info()),
            hint: "Check indentation, quotes and brackets there".to_owned(),
        })?;
        let [root] = documents.as_slice() else {
            return Err(SpecError {
                line: 1,
                path: String::new(),
                message: format!("the file holds {} YAML documents", documents.len()),
                hint: "One file is one spec".to_owned(),
            });
        };
        let mut lines = HashMap::new();
        let value = convert(root, "", &mut lines)?;
        Ok(Self { value, lines })
    }

    /// The line of the node at `pointer`, or of the nearest node around it.
    pub(crate) fn line(&self, pointer: &str) -> usize {
        let mut pointer = pointer;
        loop {
            if let Some(line) = self.lines.get(pointer) {
                return *line;
            }
            match pointer.rfind('/') {
                Some(end) => pointer = &pointer[..end],
                None => return 1,
            }
        }
    }

    /// An error at `pointer`.
    pub(crate) fn error(&self, pointer: &str, message: impl Into<String>, hint: impl Into<String>) -> SpecError {
        SpecError { line: self.line(pointer), path: dotted(pointer), message: message.into(), hint: hint.into() }
    }

    /// Reads the node `value` that stands at `pointer`, noting what is wrong with it.
    pub(crate) fn decode<T: DeserializeOwned>(
        &self,
        value: &Value,
        pointer: &str,
        errors: &mut Vec<SpecError>,
    ) -> Option<T> {
        match serde_path_to_error::deserialize(value.clone()) {
            Ok(decoded) => Some(decoded),
            Err(error) => {
                let inner: String = error
                    .path()
                    .iter()
                    .filter_map(|segment| match segment {
                        serde_path_to_error::Segment::Seq { index } => Some(format!("/{index}")),
                        serde_path_to_error::Segment::Map { key } => Some(format!("/{}", pointer_token(key))),
                        _ => None,
                    })
                    .collect();
                errors.push(self.explain(&format!("{pointer}{inner}"), &error.inner().to_string()));
                None
            }
        }
    }

    /// Turns the message of a decoder into one for people.
    fn explain(&self, pointer: &str, message: &str) -> SpecError {
        let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        if message.starts_with("unknown field") || message.starts_with("unknown variant") {
            let word = quoted.first().copied().unwrap_or_default();
            let what = if message.starts_with("unknown field") { "key" } else { "value" };
            let known = quoted.get(1..).unwrap_or_default();
            let at = format!("{}/{}", pointer, pointer_token(word));
            let at = if self.lines.contains_key(&at) { at } else { pointer.to_owned() };
            return self.error(&at, format!("unknown {what} `{word}`"), suggestion(word, known.iter().copied()));
        }
        if let Some(word) = message.strip_prefix("missing field ").and(quoted.first()) {
            return self.error(pointer, format!("`{word}` is missing"), format!("Add `{word}: ..` here"));
        }
        if message.contains("did not match any variant") {
            return self.error(pointer, "this value is of no kind that fits here", expected_at(pointer));
        }
        match message.split_once(", expected ") {
            Some((found, expected)) => self.error(pointer, found, format!("Write {}", plain(expected))),
            None => self.error(pointer, message, "See the JSON Schema of specs for what fits here"),
        }
    }
}

/// A decoder's name of a type, in words.
fn plain(expected: &str) -> &str {
    match expected {
        "f64" | "f32" => "a number",
        "u64" | "u32" | "u16" | "usize" => "a whole number, 0 or more",
        "a sequence" => "a list, [..]",
        "a map" => "a mapping, {..}",
        other => other,
    }
}

fn expected_at(pointer: &str) -> String {
    match pointer.rsplit('/').next() {
        Some("max_history_regression") => "Write a number such as 0.10, or off".to_owned(),
        Some("threshold") => {
            "Write a probability such as 0.5, or f1, or {costs: {false_positive: 1, false_negative: 5}}".to_owned()
        }
        Some("class_weight") => "Write balanced, or a number for each class, such as {yes: 5}".to_owned(),
        Some("drop") => "Write a list of names, or `name: reason` for each".to_owned(),
        _ => "Write a column's name or a number".to_owned(),
    }
}

/// "did you mean", or the list of what there is.
pub(crate) fn suggestion<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let nearest = known.iter().map(|name| (strsim::damerau_levenshtein(word, name), name)).min();
    match nearest {
        Some((distance, name)) if distance <= 2.max(word.len() / 3) => format!("Did you mean `{name}`?"),
        Some(_) => {
            let shown: Vec<String> = known.iter().take(20).map(|name| format!("`{name}`")).collect();
            let more = if known.len() > 20 { ", .." } else { "" };
            format!("There is {}{more}", shown.join(", "))
        }
        None => "There is none".to_owned(),
    }
}

fn dotted(pointer: &str) -> String {
    pointer
        .split('/')
        .filter(|token| !token.is_empty())
        .map(|token| token.replace("~1", "/").replace("~0", "~"))
        .collect::<Vec<_>>()
        .join(".")
}

fn convert(node: &MarkedYaml<'_>, pointer: &str, lines: &mut HashMap<String, usize>) -> Result<Value, SpecError> {
    let line = node.span.start.line();
    lines.entry(pointer.to_owned()).or_insert(line);
    let unsupported = |message: &str, hint: &str| {
        Err(SpecError { line, path: dotted(pointer), message: message.to_owned(), hint: hint.to_owned() })
    };
    match &node.data {
        YamlData::Value(scalar) => Ok(match scalar {
            Scalar::Null => Value::Null,
            Scalar::Boolean(value) => Value::Bool(*value),
            Scalar::Integer(value) => Value::from(*value),
            Scalar::FloatingPoint(value) => match serde_json::Number::from_f64(value.into_inner()) {
                Some(number) => Value::Number(number),
                None => return unsupported("the number is not finite", "Write a finite number"),
            },
            Scalar::String(text) => Value::String(text.to_string()),
        }),
        YamlData::Sequence(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| convert(item, &format!("{pointer}/{index}"), lines))
            .collect::<Result<Vec<_>, _>>()
            .map(Value::Array),
        YamlData::Mapping(entries) => {
            let mut map = Map::with_capacity(entries.len());
            for (key, item) in entries {
                let Some(name) = key_text(key) else {
                    return unsupported("a key is not text", "Write keys as plain words");
                };
                let below = format!("{pointer}/{}", pointer_token(&name));
                // The line of a key says more than the line of a value that may start below it.
                lines.insert(below.clone(), key.span.start.line());
                map.insert(name, convert(item, &below, lines)?);
            }
            Ok(Value::Object(map))
        }
        _ => unsupported("anchors, aliases and tags are not read here", "Write the value out"),
    }
}

fn key_text(key: &MarkedYaml<'_>) -> Option<String> {
    match &key.data {
        YamlData::Value(Scalar::String(text)) => Some(text.to_string()),
        YamlData::Value(Scalar::Integer(number)) => Some(number.to_string()),
        YamlData::Value(Scalar::Boolean(value)) => Some(value.to_string()),
        _ => None,
    }
}
