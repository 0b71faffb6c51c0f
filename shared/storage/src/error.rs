use chrono::{DateTime, Utc};
use fault::{Fault, Kind};

/// A cause of any type.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// The result of an operation on a store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation on a store failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The location names no kind of store that there is, or an option has a value that it cannot have.
    #[error("failed to read the store location {location:?}: {reason}")]
    Location {
        /// The location as given.
        location: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The store at the location could not be opened.
    #[error("failed to open the store at {location}")]
    Open {
        /// The location as given.
        location: String,
        /// The backend's own error.
        source: BoxError,
    },
    /// The path cannot be an object's path.
    #[error("{path:?} is not a path of an object")]
    Path {
        /// The path as given.
        path: String,
        /// Which rule it breaks.
        source: object_store::path::Error,
    },
    /// No object has this path.
    #[error("no object at {path}")]
    NotFound {
        /// The path asked for.
        path: String,
    },
    /// The backend failed.
    #[error("failed to {operation} {path}")]
    Backend {
        /// What was attempted: `get`, `put`, `put new`, `list`, `delete`, ...
        operation: &'static str,
        /// The object or prefix it was attempted on.
        path: String,
        /// The backend's own error.
        source: object_store::Error,
    },
    /// A streamed body broke off before its end; nothing was stored.
    #[error("failed to read the body for {path}")]
    Body {
        /// The path it was meant for.
        path: String,
        /// The stream's own error.
        source: BoxError,
    },
    /// An object is not the JSON that was expected there.
    #[error("failed to decode {path}")]
    Decode {
        /// The object's path.
        path: String,
        /// What the decoder found.
        source: serde_json::Error,
    },
    /// A value could not be written as JSON.
    #[error("failed to encode {path}")]
    Encode {
        /// The path it was meant for.
        path: String,
        /// What the encoder found.
        source: serde_json::Error,
    },
    /// An append lost against other writers again and again.
    #[error("failed to append to {prefix}: other writers were faster {attempts} times")]
    Contended {
        /// The sequence's prefix.
        prefix: String,
        /// How often it was tried.
        attempts: usize,
    },
    /// Somebody else holds the lease.
    #[error("the lease {name} is held by {owner} until {expires}")]
    Held {
        /// The lease's name.
        name: String,
        /// Who holds it.
        owner: String,
        /// When it expires unless renewed.
        expires: DateTime<Utc>,
    },
}

impl Error {
    /// Whether the object does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Error::NotFound { .. })
    }
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Location { .. } | Error::Path { .. } => Kind::Invalid,
            Error::NotFound { .. } => Kind::NotFound,
            Error::Open { .. } | Error::Backend { .. } | Error::Body { .. } => Kind::Upstream,
            Error::Decode { .. } | Error::Encode { .. } => Kind::Internal,
            // Both pass with time, and `Busy` is the kind that tells the caller to try again.
            Error::Contended { .. } | Error::Held { .. } => Kind::Busy,
        }
    }
}
