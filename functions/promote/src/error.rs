//! Why nothing could be decided.

use fault::{Fault, FieldError, Kind};
use registry::VersionId;

use crate::decision::name;

/// Why nothing could be decided. None of them says anything about which version is better.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The model or its spec.
    #[error(transparent)]
    Host(#[from] host::Error),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// The rows of a batch.
    #[error(transparent)]
    History(#[from] history::Error),
    /// A version that cannot be opened.
    #[error(transparent)]
    Serving(#[from] serving::Error),
    /// The lineage of a version does not say which batch it was trained on.
    #[error("failed to read the lineage of version {version}")]
    Lineage {
        /// The version.
        version: VersionId,
        /// What the reader says.
        #[source]
        source: serde_json::Error,
    },
    /// Production is not what the caller expected.
    #[error("the production version of {model} is {}, not {}", name(.actual.as_ref()), name(.expected.as_ref()))]
    Moved {
        /// The model.
        model: String,
        /// What the caller expected.
        expected: Option<VersionId>,
        /// What it is.
        actual: Option<VersionId>,
    },
    /// The version serves already.
    #[error("version {version} of {model} is in production already")]
    Serves {
        /// The model.
        model: String,
        /// The version.
        version: VersionId,
    },
    /// The versions cannot be compared.
    #[error(
        "version {challenger} cannot be compared with {with}: {reason}; to serve it all the same, call /rollback with `to` and a reason"
    )]
    Incomparable {
        /// The challenger.
        challenger: VersionId,
        /// What it was to be compared with.
        with: String,
        /// What differs.
        reason: String,
    },
    /// There is nothing to go back to.
    #[error("there is no version of {model} to go back to; name one with `to`")]
    NoPrevious {
        /// The model.
        model: String,
    },
    /// A rollback without a reason.
    #[error("a rollback needs a reason, for the record")]
    NoReason,
    /// Others moved production again and again.
    #[error("production of {model} kept moving; look what serves, then try again")]
    Contended {
        /// The model.
        model: String,
    },
    /// The computation stopped before its end.
    #[error("failed to score the versions")]
    Stopped(#[from] tokio::task::JoinError),
    /// The evidence has no JSON form.
    #[error("failed to write the evidence")]
    Evidence(#[source] serde_json::Error),
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Host(error) => error.kind(),
            Error::Registry(error) => error.kind(),
            Error::History(error) => error.kind(),
            Error::Serving(error) => error.kind(),
            Error::Moved { .. } | Error::Serves { .. } | Error::Incomparable { .. } | Error::NoPrevious { .. } => {
                Kind::Conflict
            }
            Error::NoReason => Kind::Invalid,
            Error::Contended { .. } => Kind::Busy,
            Error::Lineage { .. } | Error::Stopped(_) | Error::Evidence(_) => Kind::Internal,
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Error::Host(error) => error.fields(),
            Error::History(error) => error.fields(),
            Error::NoReason => vec![FieldError::new("/reason", self.to_string())],
            _ => Vec::new(),
        }
    }
}

impl Error {
    /// A move that lost: says what production is, in full.
    pub(crate) fn of_move(error: registry::Error) -> Self {
        match error {
            registry::Error::ProductionMoved { model, expected, actual } => Error::Moved { model, expected, actual },
            error => Error::Registry(error),
        }
    }
}
