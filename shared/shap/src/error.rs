use fault::{Fault, Kind};

use crate::MAX_EXACT_PLAYERS;

/// Why a game could not be built or explained.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Exact values were asked where a background row differs in more than [`MAX_EXACT_PLAYERS`] columns.
    #[error("cannot explain {n_players} columns exactly: the limit is {MAX_EXACT_PLAYERS}, sample instead")]
    TooManyPlayers {
        /// The columns in which the row differs.
        n_players: usize,
    },
    /// The target standard error is negative, NaN or infinite.
    #[error("target standard error is {0}, expected a finite number of at least 0")]
    TargetStandardError(f64),
    /// The background has no rows, so nothing has a mean over it.
    #[error("background has no rows")]
    EmptyBackground,
    /// The explained row and the background rows differ in length.
    #[error("explained row has {row} columns, background rows have {background}")]
    RowLength {
        /// Columns of the explained row.
        row: usize,
        /// Columns of the background rows.
        background: usize,
    },
    /// The function to explain answered with an array of another shape than `[n_rows, n_outputs]`.
    #[error("model output has shape {actual:?}, expected {expected:?}")]
    OutputShape {
        /// `[n_rows, n_outputs]` as asked.
        expected: [usize; 2],
        /// The shape of the answer.
        actual: [usize; 2],
    },
    /// The output at a mixed row is NaN or infinite, so no Shapley value is defined.
    #[error(
        "model output {output} is not finite for background row {background} with the columns {players:?} replaced"
    )]
    NotFinite {
        /// The index of the output.
        output: usize,
        /// The index of the background row.
        background: usize,
        /// The indices of the columns that are the explained row's.
        players: Vec<usize>,
    },
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::TooManyPlayers { .. } | Error::TargetStandardError(_) => Kind::Invalid,
            // Rows are validated and backgrounds are stored with the model before a game is built from them.
            Error::EmptyBackground | Error::RowLength { .. } | Error::OutputShape { .. } | Error::NotFinite { .. } => {
                Kind::Internal
            }
        }
    }
}
