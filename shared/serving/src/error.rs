use std::sync::Arc;

use fault::{Fault, FieldError, Kind};
use registry::VersionId;

/// Why a model cannot be served, or a request to it cannot be read.
///
/// Requests that wait for the same opening share its failure, so the sources are shared, too.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing is known about a model of this name.
    #[error("there is no model `{model}`; {hint}")]
    UnknownModel {
        /// The name that was asked for, at most 128 characters of it.
        model: String,
        /// The models there are.
        hint: String,
    },
    /// The model was never promoted.
    #[error("the model `{model}` has no production version yet")]
    NoProduction {
        /// The model.
        model: String,
    },
    /// No model was ever promoted.
    #[error("no model has a production version yet")]
    NothingServes,
    /// The request does not say which of several models it means.
    #[error("several models are served ({}): call this route below /models/{{model}}", .models.join(", "))]
    SeveralModels {
        /// The models that have a production version.
        models: Vec<String>,
    },
    /// The registry could not say which models there are.
    #[error("failed to list the models")]
    List(#[source] Arc<registry::Error>),
    /// The registry could not say which version serves.
    #[error("failed to look up the production version of `{model}`")]
    Production {
        /// The model.
        model: String,
        /// Why.
        source: Arc<registry::Error>,
    },
    /// A part of the version is missing, or is not what was published.
    #[error("failed to read version {} of `{model}`", .version.short())]
    Read {
        /// The model.
        model: String,
        /// The version.
        version: VersionId,
        /// Which part, and why.
        source: Arc<registry::Error>,
    },
    /// The spec of the version is no spec that this program knows.
    #[error("the spec of version {} of `{model}` cannot be used", .version.short())]
    Spec {
        /// The model.
        model: String,
        /// The version.
        version: VersionId,
        /// What is wrong in it.
        source: Arc<spec::Error>,
    },
    /// The version was trained for another model.
    #[error("version {} of `{model}` has the spec of `{name}`", .version.short())]
    OtherModel {
        /// The model it stands under.
        model: String,
        /// The version.
        version: VersionId,
        /// The model that its spec names.
        name: String,
    },
    /// The parts of the version cannot be read, or do not fit each other.
    #[error("version {} of `{model}` cannot be used", .version.short())]
    Predictor {
        /// The model.
        model: String,
        /// The version.
        version: VersionId,
        /// What does not fit.
        source: Arc<model::Error>,
    },
    /// Opening the version broke off.
    #[error("failed to open version {} of `{model}`", .version.short())]
    Broke {
        /// The model.
        model: String,
        /// The version.
        version: VersionId,
        /// The task's own error.
        source: Arc<tokio::task::JoinError>,
    },
    /// The background rows are not those of the spec.
    #[error("the background cannot be used: {0}")]
    Background(String),
    /// The request's body does not fit.
    #[error("the request has {}", count(*.n_errors, .fields.len()))]
    Request {
        /// The wrong places; the first [`MAX_LISTED_ERRORS`](crate::MAX_LISTED_ERRORS) of them.
        fields: Vec<FieldError>,
        /// How many there are in all.
        n_errors: usize,
    },
}

fn count(n_errors: usize, n_listed: usize) -> String {
    match n_errors {
        1 => "one error".to_owned(),
        n if n > n_listed => format!("{n} errors, of which the first {n_listed} are listed"),
        n => format!("{n} errors"),
    }
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::UnknownModel { .. } => Kind::NotFound,
            Error::NoProduction { .. } | Error::NothingServes => Kind::Unavailable,
            Error::SeveralModels { .. } | Error::Request { .. } => Kind::Invalid,
            Error::List(source) | Error::Production { source, .. } | Error::Read { source, .. } => source.kind(),
            // The store has what it should not have; a caller can only try again later.
            Error::Spec { .. } | Error::OtherModel { .. } | Error::Predictor { .. } | Error::Background(_) => {
                Kind::Upstream
            }
            Error::Broke { .. } => Kind::Internal,
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Error::Request { fields, .. } => fields.clone(),
            _ => Vec::new(),
        }
    }
}
