use fault::{Fault, Kind};

/// Why a prediction cannot be answered or feedback cannot be kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The task that writes the prediction log has ended.
    #[error("the prediction log is not written any more")]
    LogStopped,
    /// A line of a log has no JSON form.
    #[error("failed to write a line of the log")]
    Line(#[source] serde_json::Error),
    /// The prediction of many rows broke off.
    #[error("failed to predict")]
    Predict(#[source] tokio::task::JoinError),
    /// The registry failed.
    #[error(transparent)]
    Registry(#[from] registry::Error),
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Registry(error) => error.kind(),
            Error::LogStopped | Error::Line(_) | Error::Predict(_) => Kind::Internal,
        }
    }
}
