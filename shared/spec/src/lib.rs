#![doc = include_str!("../README.md")]

mod batch;
mod check;
mod derive;
mod document;
mod error;
mod parse;
mod record;
mod sections;
mod split;
mod value;

pub use batch::{Batch, BatchBuilder, Categories, ColumnData, MISSING_CODE};
pub use derive::{Bucket, Derivations, Derive, Operand};
pub use error::{Error, RecordError, SpecError};
pub use parse::{Feature, Origin, Spec, json_schema};
pub use record::{Cell, Record};
pub use sections::*;
pub use split::{Splitter, oldest_first};
pub use value::{Value, parse_time};
