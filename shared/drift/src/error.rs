//! What can be wrong with the arguments of a comparison.

use fault::{Fault, Kind};

/// Why a profile could not be read or a batch not be compared.
///
/// None of them says anything about drift: a comparison that cannot be made is an error, never "drift" or "no drift".
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The reference has a column that the batch lacks.
    #[error("the batch lacks column `{column}` of the reference")]
    MissingColumn {
        /// The reference's column.
        column: String,
    },
    /// The batch or the settings name a column that the reference lacks.
    #[error("the reference has no column `{column}`")]
    UnknownColumn {
        /// The name that the reference lacks.
        column: String,
    },
    /// The batch names a column twice.
    #[error("the batch has column `{column}` twice")]
    DuplicateColumn {
        /// The repeated name.
        column: String,
    },
    /// A column is a number on one side and a category on the other.
    #[error("column `{column}` holds {reference} in the reference and {current} in the batch")]
    KindMismatch {
        /// The column.
        column: String,
        /// `numbers` or `categories`.
        reference: &'static str,
        /// `numbers` or `categories`.
        current: &'static str,
    },
    /// The columns of the batch differ in length.
    #[error("column `{column}` has {rows} rows where the first column has {expected}")]
    UnequalLengths {
        /// The column.
        column: String,
        /// Its rows.
        rows: usize,
        /// The rows of the first column.
        expected: usize,
    },
    /// A code points past the list of levels.
    #[error("column `{column}` has code {code} with {levels} levels")]
    CodeWithoutLevel {
        /// The column.
        column: String,
        /// The code.
        code: u32,
        /// How many levels there are.
        levels: usize,
    },
    /// There is nothing to compare.
    #[error("the {side} has no rows")]
    NoRows {
        /// `reference` or `batch`.
        side: &'static str,
    },
    /// There is too little for a judgement.
    #[error("{rows} rows are too few; {least} are needed")]
    TooFewRows {
        /// How many there are.
        rows: usize,
        /// How many are needed.
        least: usize,
    },
    /// Two parts are not of one table.
    #[error("column `{column}` {detail}")]
    UnlikeParts {
        /// The column.
        column: String,
        /// What differs.
        detail: &'static str,
    },
    /// What should be the probabilities of classes is none.
    #[error("row {row}: expected probabilities of two classes or more that add up to 1")]
    Probabilities {
        /// The row, from 0.
        row: usize,
    },
    /// A loss is not a number.
    #[error("the loss of row {row} is not finite")]
    NotFinite {
        /// The row, from 0.
        row: usize,
    },
    /// A setting is outside its range.
    #[error("drift setting `{setting}` is {value}, expected {expected}")]
    Setting {
        /// The setting's name.
        setting: String,
        /// Its value.
        value: f64,
        /// What would be right.
        expected: &'static str,
    },
    /// The stored profile is not the JSON of a profile.
    #[error("failed to read the drift reference")]
    UnreadableProfile {
        /// The parser's complaint, with line and column.
        #[source]
        source: serde_json::Error,
    },
    /// The stored profile contradicts itself.
    #[error("drift reference of column `{column}`: {detail}")]
    InvalidProfile {
        /// The column.
        column: String,
        /// What is wrong.
        detail: &'static str,
    },
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            // A version whose reference cannot be read is our own artifact gone wrong, not the caller's input.
            Error::UnreadableProfile { .. } | Error::InvalidProfile { .. } => Kind::Internal,
            _ => Kind::Invalid,
        }
    }
}
