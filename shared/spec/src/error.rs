//! What can be wrong with a spec and with a row.

use std::fmt;

use fault::{Fault, FieldError, Kind};

/// One thing wrong in a spec file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpecError {
    /// Line in the file, from 1.
    pub line: usize,
    /// Where in the document, such as `columns.odometer.range`.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub hint: String,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if !self.path.is_empty() {
            write!(f, ", {}", self.path)?;
        }
        write!(f, ": {}. {}", self.message, self.hint)
    }
}

/// Everything wrong with one row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the row does not fit the spec: {}", join(.fields))]
pub struct RecordError {
    /// Each wrong cell, with a JSON pointer that starts at the row.
    pub fields: Vec<FieldError>,
}

impl RecordError {
    /// The same errors for a row that stands at `pointer` of a larger document.
    pub fn below(self, pointer: &str) -> Self {
        let fields = self
            .fields
            .into_iter()
            .map(|field| FieldError::new(format!("{pointer}{}", field.pointer), field.detail))
            .collect();
        Self { fields }
    }
}

impl Fault for RecordError {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }

    fn fields(&self) -> Vec<FieldError> {
        self.fields.clone()
    }
}

/// Why a spec cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file says something wrong, in one or more places.
    #[error("the spec has {} to mend:\n{}", count(.0.len()), lines(.0))]
    Spec(Vec<SpecError>),
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }

    fn fields(&self) -> Vec<FieldError> {
        let Error::Spec(errors) = self;
        errors
            .iter()
            .map(|error| {
                let pointer: String =
                    error.path.split('.').filter(|token| !token.is_empty()).map(|token| format!("/{token}")).collect();
                FieldError::new(pointer, format!("line {}: {}. {}", error.line, error.message, error.hint))
            })
            .collect()
    }
}

fn count(n: usize) -> String {
    if n == 1 { "one thing".to_owned() } else { format!("{n} things") }
}

fn lines(errors: &[SpecError]) -> String {
    errors.iter().map(|error| format!("  {error}")).collect::<Vec<_>>().join("\n")
}

fn join(fields: &[FieldError]) -> String {
    fields.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
