//! Why a batch could not be ingested.

use fault::{Fault, Kind};

/// Why a batch could not be ingested. Whatever happened, a batch that the source gave is not lost: the next call finds
/// the gap.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The model is unknown, or its spec is broken.
    #[error(transparent)]
    Host(#[from] host::Error),
    /// The registry failed.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// A batch could not be found or read back.
    #[error(transparent)]
    History(#[from] history::Error),
    /// The spec names no source.
    #[error("the spec of {model} has no `source`, so there is nothing to pull; add one, with `http` or `files`")]
    NoSource {
        /// The model.
        model: String,
    },
    /// The source's address cannot be used.
    #[error("`{url}` is not an address that a source can have")]
    Address {
        /// The address.
        url: String,
        /// What is wrong with it.
        #[source]
        source: url::ParseError,
    },
    /// The source did not answer, or its answer broke off.
    #[error("the source of {model} did not answer in full; the next call finds out whether it had advanced")]
    Unreachable {
        /// The model.
        model: String,
        /// What the client saw.
        #[source]
        source: reqwest::Error,
    },
    /// The source answered an error.
    #[error("the source of {model} answered {status}: {body}")]
    Refused {
        /// The model.
        model: String,
        /// The HTTP status.
        status: u16,
        /// The beginning of its body.
        body: String,
    },
    /// The good rows could not be stored.
    #[error("failed to store the rows of batch {batch}")]
    Store {
        /// The batch.
        batch: String,
        /// What refused.
        #[source]
        source: dataset::Error,
    },
    /// Another process has taken over as the model's one writer.
    #[error("another process took over the batches of {model}; ask again")]
    LeaseLost {
        /// The model.
        model: String,
    },
    /// The reader stopped before its end.
    #[error("failed to read batch {batch}")]
    Reader {
        /// The batch.
        batch: String,
        /// The task's own error.
        #[source]
        source: tokio::task::JoinError,
    },
    /// The batch's bytes could not be read, so there are no rows to release.
    #[error("the batch {batch} has no rows to release: {reasons}")]
    Unreadable {
        /// The batch.
        batch: String,
        /// Why.
        reasons: String,
    },
    /// The batch is not in quarantine.
    #[error("the batch {batch} is not in quarantine")]
    NotQuarantined {
        /// The batch.
        batch: String,
    },
    /// No model has the batch.
    #[error("no model has a batch {batch}")]
    UnknownBatch {
        /// The batch.
        batch: String,
    },
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Host(error) => error.kind(),
            Error::Registry(error) => error.kind(),
            Error::History(error) => error.kind(),
            Error::NoSource { .. } | Error::Address { .. } => Kind::Invalid,
            Error::Unreachable { .. } | Error::Refused { .. } => Kind::Upstream,
            Error::Store { .. } | Error::Reader { .. } => Kind::Internal,
            Error::Unreadable { .. } | Error::NotQuarantined { .. } => Kind::Conflict,
            Error::UnknownBatch { .. } => Kind::NotFound,
            Error::LeaseLost { .. } => Kind::Busy,
        }
    }

    fn fields(&self) -> Vec<fault::FieldError> {
        match self {
            Error::Host(error) => error.fields(),
            _ => Vec::new(),
        }
    }
}

impl From<storage::Error> for Error {
    fn from(error: storage::Error) -> Self {
        Error::Registry(error.into())
    }
}
