use fault::{Fault, Kind};

/// Why a record cannot be explained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The background rows cannot be read.
    #[error(transparent)]
    Background(#[from] serving::Error),
    /// The background that is stored with the version is of no use.
    #[error("the stored background cannot explain this record")]
    Game(#[source] model::Error),
    /// The values could not be computed.
    #[error("failed to compute Shapley values")]
    Values(#[source] shap::Error),
    /// The computation broke off.
    #[error("an explanation broke off")]
    Broke(#[source] tokio::task::JoinError),
    /// The process stops.
    #[error("the process takes no explanations any more")]
    Stopping,
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Background(error) => error.kind(),
            // The request was checked before, so what is left is what the store gave.
            Error::Game(_) => Kind::Upstream,
            Error::Values(_) | Error::Broke(_) => Kind::Internal,
            Error::Stopping => Kind::Unavailable,
        }
    }
}
