//! Why nothing could be decided.

use fault::{Fault, FieldError, Kind};
use registry::VersionId;

/// Why nothing could be decided about a batch. None of them says anything about drift, and none leaves a decision.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The model or its spec.
    #[error(transparent)]
    Host(#[from] host::Error),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// The batch or its rows.
    #[error(transparent)]
    History(#[from] history::Error),
    /// The batch has landed and was not parsed.
    #[error("batch {batch} of {model} was not read yet: call /ingest again")]
    NotRead {
        /// The model.
        model: String,
        /// The batch.
        batch: String,
    },
    /// No check was made of the batch.
    #[error("there is no drift report about batch {batch} of {model}")]
    NoReport {
        /// The model.
        model: String,
        /// The batch.
        batch: String,
    },
    /// The spec of the production version cannot be read.
    #[error("failed to read the spec of version {version}")]
    Spec {
        /// The version.
        version: VersionId,
        /// What the reader says.
        #[source]
        source: spec::Error,
    },
    /// The reference of the production version cannot be read.
    #[error("failed to read the drift reference of version {version}")]
    Reference {
        /// The version.
        version: VersionId,
        /// What is wrong with it.
        #[source]
        source: drift::Error,
    },
    /// The production version cannot answer.
    #[error("failed to open the production version")]
    Serving(#[from] serving::Error),
    /// What the production version learnt from cannot be read.
    #[error("failed to read the lineage of version {version}")]
    Lineage {
        /// The version.
        version: VersionId,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The batch and the reference do not fit each other, though their specs do.
    #[error("failed to compare batch {batch} with the reference of the production version")]
    Comparison {
        /// The batch.
        batch: String,
        /// What does not fit.
        #[source]
        source: drift::Error,
    },
    /// The parts that a request names.
    #[error("the parts of the batch are not right")]
    Parts(Vec<FieldError>),
    /// A part was made for something else than what is to be checked.
    #[error("part {part} was profiled with another {what}: profile it again")]
    StalePart {
        /// The part's id.
        part: String,
        /// `spec` or `production version`.
        what: &'static str,
    },
    /// A part is not what was stored.
    #[error("failed to read part {part}")]
    Part {
        /// The part's id.
        part: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The parts do not add up to the batch.
    #[error("the parts of batch {batch} hold {found} rows of its {rows}")]
    PartRows {
        /// The batch.
        batch: String,
        /// Its rows.
        rows: u64,
        /// Those of the parts.
        found: u64,
    },
    /// Which rows are hold-out follows from the whole batch.
    #[error(
        "the production version has learnt from batch {batch}, and its hold-out is the last rows by time, which no part can \
         tell: check the batch without `parts`"
    )]
    SplitByTime {
        /// The batch.
        batch: String,
    },
    /// What the prediction log, the feedback or the metrics of the version hold is not what was written there.
    #[error("failed to read what {model} predicted and what came true")]
    LogLine {
        /// The model.
        model: String,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// The computation stopped before its end.
    #[error("failed to compare the batch")]
    Stopped(#[from] tokio::task::JoinError),
    /// The report has no JSON form.
    #[error("failed to write the report")]
    Report(#[source] serde_json::Error),
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Host(error) => error.kind(),
            Error::Registry(error) => error.kind(),
            Error::History(error) => error.kind(),
            Error::NotRead { .. } | Error::StalePart { .. } | Error::SplitByTime { .. } => Kind::Conflict,
            Error::Parts(_) => Kind::Invalid,
            Error::NoReport { .. } => Kind::NotFound,
            // The caller named a batch that is there; what is wrong lies with us, whatever it is.
            Error::Spec { .. }
            | Error::Reference { .. }
            | Error::Serving(_)
            | Error::Lineage { .. }
            | Error::Comparison { .. }
            | Error::LogLine { .. }
            | Error::Part { .. }
            | Error::PartRows { .. }
            | Error::Stopped(_)
            | Error::Report(_) => Kind::Internal,
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Error::Host(error) => error.fields(),
            Error::History(error) => error.fields(),
            Error::Parts(fields) => fields.clone(),
            _ => Vec::new(),
        }
    }
}
