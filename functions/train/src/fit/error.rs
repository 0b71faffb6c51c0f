use fault::{Fault, Kind};

/// Why a network could not be fitted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nothing to learn from, or nothing to validate on.
    #[error("cannot fit a network on {train} train and {validation} validation rows")]
    TooFewRows {
        /// Rows to learn from.
        train: usize,
        /// Rows to validate on.
        validation: usize,
    },
    /// A row has no usable target.
    #[error("the target of row {row} of the train rows is not one that the spec allows")]
    Target {
        /// Its index among the train rows.
        row: usize,
    },
    /// The observer wanted no more.
    #[error("the fit was stopped after epoch {epoch}")]
    Stopped {
        /// The last epoch that was done.
        epoch: usize,
    },
    /// The fit took longer than its budget.
    #[error("the fit ran over its budget in epoch {epoch} of {epochs}")]
    OverBudget {
        /// The epoch it was in.
        epoch: usize,
        /// Epochs planned.
        epochs: usize,
    },
    /// The loss left the finite numbers.
    #[error("the fit diverged in epoch {epoch}; a smaller `train.learning_rate` may help")]
    Diverged {
        /// The epoch it was in.
        epoch: usize,
    },
    /// The encoder cannot be fitted.
    #[error(transparent)]
    Features(#[from] features::Error),
    /// The fitted weights are not usable.
    #[error("the fitted weights are not usable")]
    Weights(#[from] model::Error),
    /// A finished member could not be kept or found again.
    #[error("failed to keep a fitted member")]
    Checkpoint(#[from] registry::Error),
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::TooFewRows { .. } | Error::Target { .. } => Kind::Invalid,
            Error::OverBudget { .. } => Kind::Timeout,
            Error::Stopped { .. } => Kind::Unavailable,
            Error::Features(error) => error.kind(),
            Error::Checkpoint(error) => error.kind(),
            Error::Diverged { .. } | Error::Weights(_) => Kind::Internal,
        }
    }
}
