//! A JSON array of objects, or an object with `data` and `batch_number`, streamed row by row.
//!
//! A row is first skipped over as raw text, then its cells go straight to their columns. That costs one pass more over
//! the text and buys two things: a cell that JSON allows and a number cannot hold, such as 1e999, costs its row and not
//! the batch; and a row's own text is at hand for quarantine without keeping a copy of every row.

use std::fmt;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value as Json;
use serde_json::value::RawValue;
use spec::{Cell, Format, Spec};

use crate::Read;
use crate::error::{Error, text_of};
use crate::layout::{Place, Slot};
use crate::rows::Rows;

/// Reads a JSON body.
pub(crate) fn read(spec: &Spec, bytes: &[u8]) -> Result<Read, Error> {
    let mut sink = Columns { rows: Rows::new(spec), order: Vec::new() };
    let batch_number = stream(text_of(bytes, Format::Json)?, &mut |row| sink.row(row))?;
    sink.rows.finish(batch_number)
}

/// Gives the raw text of each row to `sink`; answers the batch's number.
pub(crate) fn stream<'de>(text: &'de str, sink: &mut dyn FnMut(&'de str)) -> Result<Option<u64>, Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let batch_number = deserializer.deserialize_any(BodyVisitor { sink }).map_err(|error| Error::json(&error))?;
    deserializer.end().map_err(|error| Error::json(&error))?;
    Ok(batch_number)
}

struct BodyVisitor<'s, 'de> {
    sink: &'s mut dyn FnMut(&'de str),
}

impl<'de> Visitor<'de> for BodyVisitor<'_, 'de> {
    type Value = Option<u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of rows, or an object with `data`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Self::Value, A::Error> {
        while let Some(row) = rows.next_element::<&'de RawValue>()? {
            (self.sink)(row.get());
        }
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut batch_number = None;
        let mut has_data = false;
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "data" if has_data => return Err(A::Error::custom("`data` is given twice")),
                "data" => {
                    has_data = true;
                    map.next_value_seed(DataSeed { sink: &mut *self.sink })?;
                }
                "batch_number" => batch_number = map.next_value()?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if has_data { Ok(batch_number) } else { Err(A::Error::custom("the object has no `data`")) }
    }
}

struct DataSeed<'s, 'de> {
    sink: &'s mut dyn FnMut(&'de str),
}

impl<'de> DeserializeSeed<'de> for DataSeed<'_, 'de> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(BodyVisitor { sink: self.sink }).map(|_| ())
    }
}

/// Puts the cells of rows into their columns.
struct Columns<'a> {
    rows: Rows<'a>,
    /// Keys of the row before and where they went: most rows repeat them, and a comparison is cheaper than a look-up.
    order: Vec<(String, Option<Slot>)>,
}

impl Columns<'_> {
    fn row(&mut self, text: &str) {
        if !text.starts_with('{') {
            let cells = serde_json::from_str(text).unwrap_or_else(|_| Json::from(text));
            self.rows.end_refused("a row is an object with a value for each column", cells);
            return;
        }
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let cells = || serde_json::from_str(text).unwrap_or_else(|_| Json::from(text));
        match deserializer.deserialize_map(RowVisitor { columns: self }) {
            Ok(()) => self.rows.end(cells),
            Err(error) => {
                let message = error.to_string();
                let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
                self.rows.end_refused(format!("the row cannot be read: {message}"), cells());
            }
        }
    }
}

struct RowVisitor<'s, 'a> {
    columns: &'s mut Columns<'a>,
}

impl<'de> Visitor<'de> for RowVisitor<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut position = 0;
        while let Some(slot) = map.next_key_seed(Key { columns: self.columns, position })? {
            position += 1;
            match slot {
                // An unknown column fails the whole batch once all of them are known.
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
                Some(slot) if slot.place == Place::Ignored => {
                    map.next_value::<IgnoredAny>()?;
                    self.columns.rows.put(slot, Some(Cell::Missing));
                }
                Some(slot) => map.next_value_seed(CellSeed { rows: &mut self.columns.rows, slot })?,
            }
        }
        Ok(())
    }
}

struct Key<'s, 'a> {
    columns: &'s mut Columns<'a>,
    position: usize,
}

impl<'de> DeserializeSeed<'de> for Key<'_, '_> {
    type Value = Option<Slot>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_, '_> {
    type Value = Option<Slot>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a column's name")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        let Columns { rows, order } = self.columns;
        match order.get_mut(self.position) {
            Some((expected, slot)) if expected == key => Ok(*slot),
            Some(entry) => {
                *entry = (key.to_owned(), rows.slot(key));
                Ok(entry.1)
            }
            None => {
                let slot = rows.slot(key);
                // A row with thousands of keys is no pattern for the next.
                if order.len() < MAX_REMEMBERED_KEYS {
                    order.push((key.to_owned(), slot));
                }
                Ok(slot)
            }
        }
    }
}

const MAX_REMEMBERED_KEYS: usize = 10_000;

/// Largest whole number up to which every one has a float of its own.
pub(crate) const MAX_EXACT: u64 = 1 << 53;

struct CellSeed<'s, 'a> {
    rows: &'s mut Rows<'a>,
    slot: Slot,
}

impl CellSeed<'_, '_> {
    fn put<E>(self, cell: Cell<'_>) -> Result<(), E> {
        self.rows.put(self.slot, Some(cell));
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for CellSeed<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CellSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.put(Cell::Missing)
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.put(Cell::Boolean(value))
    }

    fn visit_f64<E>(self, number: f64) -> Result<(), E> {
        self.put(Cell::Number(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        if number > MAX_EXACT {
            // As text, so that two long codes of a category do not become one level.
            return self.put(Cell::Untyped(&number.to_string()));
        }
        self.put(Cell::Number(number as f64))
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        if number.unsigned_abs() > MAX_EXACT {
            return self.put(Cell::Untyped(&number.to_string()));
        }
        self.put(Cell::Number(number as f64))
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.put(Cell::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        self.rows.put(self.slot, None);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.rows.put(self.slot, None);
        Ok(())
    }
}
