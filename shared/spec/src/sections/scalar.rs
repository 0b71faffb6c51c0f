//! Names of levels and classes: text, and numbers and booleans read as text.

use schemars::JsonSchema;
use serde::Deserialize;

/// A scalar that is read as text.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "the variants' content is read through the JSON value")]
pub(super) enum Scalar {
    Text(String),
    Number(f64),
    Boolean(bool),
}

fn level_text(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Bool(value) => Some(value.to_string()),
        serde_json::Value::Number(number) => number
            .as_i64()
            .map(|number| number.to_string())
            .or_else(|| number.as_f64().map(crate::value::canonical_number)),
        _ => None,
    }
}

pub(super) fn levels<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let values = Vec::<serde_json::Value>::deserialize(deserializer)?;
    values
        .iter()
        .map(|value| {
            level_text(value)
                .ok_or_else(|| serde::de::Error::custom(format!("`{value}` is not text, a number or a boolean")))
        })
        .collect()
}

pub(super) fn level<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    level_text(&value)
        .map(Some)
        .ok_or_else(|| serde::de::Error::custom(format!("`{value}` is not text, a number or a boolean")))
}
