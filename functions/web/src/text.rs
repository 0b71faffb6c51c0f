//! Figures and times as people read them.

use chrono::{DateTime, Utc};

pub(crate) use page::text::{NONE, count, number, percent, signed};

/// A time in UTC, to the minute.
pub(crate) fn time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}
