//! Why a challenger could not be fitted.

use fault::{Fault, Kind};

use crate::fit;

/// Why a challenger could not be fitted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The model is unknown, or its spec is broken.
    #[error(transparent)]
    Host(#[from] host::Error),
    /// The registry failed.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// The rows to learn from cannot be had.
    #[error(transparent)]
    History(#[from] history::Error),
    /// The encoder cannot be fitted.
    #[error(transparent)]
    Features(#[from] features::Error),
    /// The network cannot be fitted.
    #[error(transparent)]
    Fit(#[from] fit::Error),
    /// The fitted network is not one that can serve.
    #[error(transparent)]
    Model(#[from] model::Error),
    /// The fitted network cannot be explained.
    #[error("failed to explain the fitted network")]
    Shap(#[from] shap::Error),
    /// The window holds no row that may be learnt from.
    #[error("the window of batch {batch} holds no rows to learn from: all are hold-out")]
    NoRows {
        /// The newest batch of the window.
        batch: String,
    },
    /// What the version in production learnt from cannot be read.
    #[error("failed to read the lineage of version {version}")]
    Lineage {
        /// The version.
        version: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The settings of the spec cannot be measured, so that nothing can be better.
    #[error("a search has nothing to compare with: {reason}; name another `train.metric`")]
    Unmeasured {
        /// Where the metric is not defined.
        reason: String,
    },
    /// No job has this name.
    #[error("there is no training job `{job}`")]
    UnknownJob {
        /// The name that was asked for.
        job: String,
    },
    /// The job has not ended.
    #[error("the training job `{job}` has not ended; poll GET /train/{job}")]
    NotDone {
        /// The job.
        job: String,
    },
    /// The job failed.
    #[error("the training job `{job}` failed: {cause}")]
    Failed {
        /// The job.
        job: String,
        /// Why.
        cause: String,
    },
    /// The stored request of a job cannot be read.
    #[error("failed to read the request of training job `{job}`")]
    Request {
        /// The job.
        job: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// Another process has taken the job over, or this one is stopping.
    #[error("the fit was interrupted and can be resumed")]
    Interrupted,
    /// The fit stopped before its end.
    #[error("the fit of training job `{job}` broke off")]
    Broken {
        /// The job.
        job: String,
        /// The task's own error.
        #[source]
        source: tokio::task::JoinError,
    },
}

impl Error {
    /// Whether the next attempt may go better: then the job stays open, and the next poll takes it up.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Error::Interrupted | Error::Fit(fit::Error::Stopped { .. })) || self.kind() == Kind::Upstream
    }
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Host(error) => error.kind(),
            Error::Registry(error) => error.kind(),
            Error::History(error) => error.kind(),
            Error::Features(error) => error.kind(),
            Error::Fit(error) => error.kind(),
            Error::Model(error) => error.kind(),
            Error::Shap(error) => error.kind(),
            Error::NoRows { .. } | Error::Unmeasured { .. } => Kind::Invalid,
            Error::UnknownJob { .. } | Error::NotDone { .. } => Kind::NotFound,
            Error::Failed { .. } => Kind::Conflict,
            Error::Interrupted => Kind::Unavailable,
            Error::Lineage { .. } | Error::Request { .. } | Error::Broken { .. } => Kind::Internal,
        }
    }

    fn fields(&self) -> Vec<fault::FieldError> {
        match self {
            Error::Host(error) => error.fields(),
            _ => Vec::new(),
        }
    }
}
