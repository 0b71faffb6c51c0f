//! One cell of a row.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

/// One cell of a row, already known to fit its column.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing was given, in a column that allows it.
    Missing,
    /// A finite number in the column's unit; of a time column, seconds since 1970-01-01 UTC.
    Number(f64),
    /// A level of a category column; of a boolean column, `false` or `true`.
    Level(String),
}

impl Value {
    /// The number, if this is one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// The level, if this is one.
    pub fn as_level(&self) -> Option<&str> {
        match self {
            Value::Level(level) => Some(level),
            _ => None,
        }
    }

    /// The canonical text that hashes and row keys are made of: numbers in their shortest form that reads back equal
    /// (`3`, not `3.0`), levels as they are, and nothing for a missing cell.
    pub fn canonical(&self) -> String {
        match self {
            Value::Missing => String::new(),
            Value::Number(number) => canonical_number(*number),
            Value::Level(level) => level.clone(),
        }
    }
}

/// The shortest text of a number that reads back equal; negative zero counts as zero.
pub(crate) fn canonical_number(number: f64) -> String {
    let number = if number == 0.0 { 0.0 } else { number };
    format!("{number}")
}

/// Seconds since 1970-01-01 UTC of an ISO 8601 date or date-time.
///
/// Reads `2016-07-02`, `2016-07-02T10:00:00`, `2016-07-02 10:00:00`, both also with fractions of a second, and RFC 3339
/// with an offset. A date-time without an offset is taken as UTC.
///
/// ```
/// assert_eq!(spec::parse_time("1970-01-02"), Some(86_400.0));
/// assert_eq!(spec::parse_time("1970-01-01T01:00:00+01:00"), Some(0.0));
/// assert_eq!(spec::parse_time("yesterday"), None);
/// ```
pub fn parse_time(text: &str) -> Option<f64> {
    if let Ok(date) = text.parse::<NaiveDate>() {
        return Some(seconds(date.and_time(chrono::NaiveTime::MIN)));
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(seconds(time.naive_utc()));
    }
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .map(seconds)
}

fn seconds(time: NaiveDateTime) -> f64 {
    let time = time.and_utc();
    time.timestamp() as f64 + f64::from(time.timestamp_subsec_micros()) / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_numbers_are_short_and_read_back() {
        assert_eq!(Value::Number(3.0).canonical(), "3");
        assert_eq!(Value::Number(0.1).canonical(), "0.1");
        assert_eq!(Value::Number(-0.0).canonical(), "0");
        assert_eq!(Value::Missing.canonical(), "");
    }
}
