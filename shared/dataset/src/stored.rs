//! The form in which an accepted batch is kept: Parquet that any reader understands.
//!
//! Numbers and times are nullable Float64, categories dictionary-encoded text, booleans booleans; a missing cell is null.
//! Columns bear the spec's names, in its order, then the target, the time where it is no input, and the weight. Parquet
//! keeps no level without a row and no order of levels; where a column's levels are not simply those of its rows in order
//! of appearance, the file's metadata lists them.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, Float64Array, Int32Array, RecordBatch, StringArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use bytes::Bytes;
use fault::FieldError;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use spec::{Batch, Categories, ColumnData, Kind, MISSING_CODE, Spec};

use crate::error::{Error, pointer};
use crate::read_parquet::{batches, open};

/// Metadata key of the levels that the rows alone do not give back: a JSON object of name to levels.
const LEVELS_KEY: &str = "ebb.levels";
/// Metadata key that says the batch has an order of rows.
const TIME_KEY: &str = "ebb.time";
/// Named as the writer, so that an update of the Parquet crate does not change the bytes of a batch.
const CREATED_BY: &str = "ebb version 1";

/// Writes a batch in the stored form. The same batch gives the same bytes.
///
/// # Errors
/// [`Error::Stored`] when the batch's columns are not those of the spec; [`Error::Write`] when Parquet refuses.
pub fn write_parquet(spec: &Spec, batch: &Batch) -> Result<Bytes, Error> {
    if batch.columns().len() != spec.columns.len() {
        let detail = format!("the batch has {} columns, and the spec {}", batch.columns().len(), spec.columns.len());
        return Err(Error::Stored(vec![FieldError::new("", detail)]));
    }
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    let mut levels = serde_json::Map::new();
    let mut add = |name: &str, kind: Kind, column: &ColumnData| {
        let array = match column {
            ColumnData::Numbers(numbers) => numbers_array(numbers),
            ColumnData::Categories(categories) => {
                if !follows_from_rows(categories) {
                    levels.insert(name.to_owned(), categories.levels.as_slice().into());
                }
                categories_array(categories, kind)
            }
        };
        fields.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    };
    for ((name, declared), column) in spec.columns.iter().zip(batch.columns()) {
        add(name, declared.kind, column);
    }
    if let Some(target) = batch.target() {
        add(&spec.target.column, spec.target_kind(), target);
    }
    if let (Some(name), Some(time)) = (separate_time(spec), batch.time()) {
        add(name, Kind::Time, &ColumnData::Numbers(time.to_vec()));
    }
    if let (Some(name), Some(weight)) = (&spec.train.weight, batch.weight()) {
        add(name, Kind::Number, &ColumnData::Numbers(weight.to_vec()));
    }
    let mut metadata = Vec::new();
    if !levels.is_empty() {
        metadata.push(KeyValue::new(LEVELS_KEY.to_owned(), serde_json::Value::Object(levels).to_string()));
    }
    if batch.time().is_some() {
        metadata.push(KeyValue::new(TIME_KEY.to_owned(), "true".to_owned()));
    }
    write(fields, arrays, metadata).map_err(Error::Write)
}

fn write(fields: Vec<Field>, arrays: Vec<ArrayRef>, metadata: Vec<KeyValue>) -> Result<Bytes, ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
        .set_created_by(CREATED_BY.to_owned())
        .set_key_value_metadata((!metadata.is_empty()).then_some(metadata))
        .build();
    let schema = Arc::new(Schema::new(fields));
    let rows = RecordBatch::try_new(Arc::clone(&schema), arrays)?;
    let mut out = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut out, schema, Some(properties))?;
    writer.write(&rows)?;
    writer.close()?;
    Ok(Bytes::from(out))
}

/// Reads a batch in the stored form.
///
/// # Errors
/// [`Error::Stored`] names every column that the file or the spec has alone or that is of another kind;
/// [`Error::Malformed`] when the bytes are no Parquet.
pub fn read_parquet(spec: &Spec, bytes: impl Into<Bytes>) -> Result<Batch, Error> {
    read_parquet_rows(spec, bytes, 0..usize::MAX)
}

/// As [`read_parquet`], of the rows with these numbers, from 0, as far as the file has them. Others are not held in memory.
///
/// # Errors
/// As [`read_parquet`].
pub fn read_parquet_rows(spec: &Spec, bytes: impl Into<Bytes>, rows: Range<usize>) -> Result<Batch, Error> {
    let builder = open(bytes.into())?;
    let schema = builder.schema().clone();
    let mut stored = check_columns(spec, &schema)?;
    let metadata = builder.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
    let find = |key: &str| metadata.iter().find(|entry| entry.key == key).and_then(|entry| entry.value.clone());
    let mut levels: HashMap<String, Vec<String>> = match find(LEVELS_KEY) {
        Some(text) => serde_json::from_str(&text).map_err(Error::parquet)?,
        None => HashMap::new(),
    };
    let mut columns: Vec<Loader> = stored
        .iter()
        .map(|column| match column.kind {
            Kind::Number | Kind::Time => Loader::Numbers(Vec::new()),
            Kind::Category | Kind::Boolean => Loader::levels(levels.remove(column.name)),
        })
        .collect();
    let mut n_rows = 0;
    let builder = if rows.start == 0 { builder } else { builder.with_offset(rows.start) };
    let builder = if rows.end == usize::MAX { builder } else { builder.with_limit(rows.len()) };
    for batch in batches(builder)? {
        let batch = batch?;
        n_rows += batch.num_rows();
        for (loader, column) in columns.iter_mut().zip(&stored) {
            loader.extend(batch.column(column.index), column)?;
        }
    }
    let mut columns: Vec<ColumnData> = columns.into_iter().map(Loader::finish).collect();
    let weight = match spec.train.weight.as_ref().and_then(|_| columns.pop()) {
        Some(ColumnData::Numbers(weight)) => Some(weight),
        _ => None,
    };
    if spec.train.weight.is_some() {
        stored.pop();
    }
    let time = (stored.last().is_some_and(|column| Some(column.name) == separate_time(spec))).then(|| columns.pop());
    let target = (columns.len() > spec.columns.len()).then(|| columns.pop()).flatten();
    let time = match time.flatten() {
        Some(ColumnData::Numbers(time)) => Some(time),
        _ if find(TIME_KEY).is_none() => None,
        _ => spec.time.as_ref().and_then(|name| spec.columns.get_index_of(name)).and_then(|index| {
            match &columns[index] {
                ColumnData::Numbers(numbers) => Some(numbers.clone()),
                ColumnData::Categories(_) => None,
            }
        }),
    };
    Ok(Batch::new(columns, target, time, n_rows).with_weight(weight))
}

/// A column of a stored file.
struct Stored<'a> {
    name: &'a str,
    kind: Kind,
    index: usize,
}

/// The file's columns in the order: raw columns, target, time, weight; target and time where the file has them.
fn check_columns<'a>(spec: &'a Spec, schema: &Schema) -> Result<Vec<Stored<'a>>, Error> {
    let raw = spec.columns.iter().map(|(name, column)| (name.as_str(), column.kind, true));
    let target = [(spec.target.column.as_str(), spec.target_kind(), false)];
    let time = separate_time(spec).map(|name| (name, Kind::Time, false));
    let weight = spec.train.weight.as_deref().map(|name| (name, Kind::Number, true));
    let mut wrong = Vec::new();
    let mut stored = Vec::new();
    for (name, kind, needed) in raw.chain(target).chain(time).chain(weight) {
        let Ok(index) = schema.index_of(name) else {
            if needed {
                wrong.push(FieldError::new(pointer(name), "the spec has this column, and the stored batch does not"));
            }
            continue;
        };
        let found = schema.field(index).data_type();
        if *found == data_type(kind) {
            stored.push(Stored { name, kind, index });
        } else {
            let detail = format!("this is a {kind} in the spec, and the stored batch has {found}");
            wrong.push(FieldError::new(pointer(name), detail));
        }
    }
    let raw_or_target = |name: &str| spec.columns.contains_key(name) || name == spec.target.column;
    for field in schema.fields() {
        let name = field.name().as_str();
        let is_known =
            raw_or_target(name) || separate_time(spec) == Some(name) || spec.train.weight.as_deref() == Some(name);
        if !is_known {
            wrong.push(FieldError::new(pointer(name), "the stored batch has this column, and the spec does not"));
        }
    }
    if wrong.is_empty() { Ok(stored) } else { Err(Error::Stored(wrong)) }
}

/// The time column where it is no input and so is stored by itself.
fn separate_time(spec: &Spec) -> Option<&str> {
    spec.time.as_deref().filter(|name| !spec.columns.contains_key(*name))
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Number | Kind::Time => DataType::Float64,
        Kind::Boolean => DataType::Boolean,
        Kind::Category => DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
    }
}

fn numbers_array(numbers: &[f64]) -> ArrayRef {
    Arc::new(numbers.iter().map(|number| (!number.is_nan()).then_some(*number)).collect::<Float64Array>())
}

fn categories_array(categories: &Categories, kind: Kind) -> ArrayRef {
    let codes = categories.codes.iter().map(|code| (*code != MISSING_CODE).then_some(*code));
    if kind == Kind::Boolean {
        let is_true: Vec<bool> = categories.levels.iter().map(|level| level == "true").collect();
        return Arc::new(codes.map(|code| code.map(|code| is_true[code as usize])).collect::<BooleanArray>());
    }
    let keys: Int32Array = codes.map(|code| code.and_then(|code| i32::try_from(code).ok())).collect();
    let levels: StringArray = categories.levels.iter().map(Some).collect();
    Arc::new(DictionaryArray::<Int32Type>::new(keys, Arc::new(levels)))
}

/// Whether the levels are those of the rows, in order of appearance.
fn follows_from_rows(categories: &Categories) -> bool {
    let mut next = 0;
    for code in categories.codes.iter().filter(|code| **code != MISSING_CODE) {
        if *code > next {
            return false;
        }
        next = next.max(code + 1);
    }
    next as usize == categories.levels.len()
}

/// A column that is being read.
enum Loader {
    Numbers(Vec<f64>),
    Levels { levels: Vec<String>, codes_of: HashMap<String, u32>, codes: Vec<u32> },
}

impl Loader {
    fn levels(levels: Option<Vec<String>>) -> Self {
        let levels = levels.unwrap_or_default();
        let codes_of = levels.iter().enumerate().map(|(code, level)| (level.clone(), code as u32)).collect();
        Loader::Levels { levels, codes_of, codes: Vec::new() }
    }

    fn extend(&mut self, array: &ArrayRef, column: &Stored<'_>) -> Result<(), Error> {
        let wrong = || Error::ColumnType { column: column.name.to_owned(), found: array.data_type().to_string() };
        match self {
            Loader::Numbers(numbers) => {
                let array: &Float64Array = array.as_primitive_opt().ok_or_else(wrong)?;
                numbers.extend(array.iter().map(|number| number.unwrap_or(f64::NAN)));
            }
            Loader::Levels { levels, codes_of, codes } => {
                let mut code_of = |level: &str| {
                    codes_of.get(level).copied().unwrap_or_else(|| {
                        let code = levels.len() as u32;
                        levels.push(level.to_owned());
                        codes_of.insert(level.to_owned(), code);
                        code
                    })
                };
                if column.kind == Kind::Boolean {
                    for value in array.as_boolean_opt().ok_or_else(wrong)? {
                        codes.push(value.map_or(MISSING_CODE, |value| code_of(if value { "true" } else { "false" })));
                    }
                    return Ok(());
                }
                let dictionary: &DictionaryArray<Int32Type> = array.as_dictionary_opt().ok_or_else(wrong)?;
                let values: &StringArray = dictionary.values().as_string_opt().ok_or_else(wrong)?;
                // A dictionary may hold levels in another order or without rows: codes go by the rows.
                let mut known: Vec<Option<u32>> = vec![None; values.len()];
                for key in dictionary.keys() {
                    codes.push(match key.map(|key| key as usize) {
                        Some(key) if values.is_valid(key) => {
                            *known[key].get_or_insert_with(|| code_of(values.value(key)))
                        }
                        _ => MISSING_CODE,
                    });
                }
            }
        }
        Ok(())
    }

    fn finish(self) -> ColumnData {
        match self {
            Loader::Numbers(numbers) => ColumnData::Numbers(numbers),
            Loader::Levels { levels, codes, .. } => ColumnData::Categories(Categories { levels, codes }),
        }
    }
}
