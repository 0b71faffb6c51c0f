use fault::{Fault, Kind};

use crate::{Part, VersionId};

/// The result of an operation on the registry.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation on the registry failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store failed; its error names the operation and the path.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// A name that cannot be stored under.
    #[error("{name:?} is no name of a {what}: letters, digits, '.', '_' and '-', at most 128, not starting with a dot")]
    Name {
        /// What it should have named: `model`, `batch`, `job`, ...
        what: &'static str,
        /// The name as given, cut to 128 characters.
        name: String,
    },
    /// A text that is no version id.
    #[error("{text:?} is no version: 64 hexadecimal digits in lower case")]
    VersionId {
        /// The text as given.
        text: String,
    },
    /// The model has no such version.
    #[error("the model {model} has no version {version}")]
    VersionNotFound {
        /// The model.
        model: String,
        /// The version asked for.
        version: VersionId,
    },
    /// A version was to be published without one of its parts, or with one of them twice.
    #[error("failed to publish a version of {model}: {part} must be given exactly once, was given {times} times")]
    Parts {
        /// The model.
        model: String,
        /// The part that is wrong.
        part: Part,
        /// How often it was given.
        times: usize,
    },
    /// A version was published without an optional part.
    #[error("version {version} of {model} has no {part}")]
    PartNotFound {
        /// The model.
        model: String,
        /// The version.
        version: VersionId,
        /// The part asked for.
        part: Part,
    },
    /// A part is missing or is not what was published.
    #[error("{part} of version {version} of {model} does not match its digest")]
    DigestMismatch {
        /// The model.
        model: String,
        /// The version.
        version: VersionId,
        /// The part that was refused.
        part: Part,
    },
    /// A version's manifest lists other digests than those its id was made from.
    #[error("the manifest of version {version} of {model} does not match its id")]
    ManifestMismatch {
        /// The model.
        model: String,
        /// The version.
        version: VersionId,
    },
    /// The bytes of a landed batch are not those that landed.
    #[error("the raw batch {sha256} of {model} does not match its digest")]
    RawMismatch {
        /// The model.
        model: String,
        /// The digest it landed under.
        sha256: String,
    },
    /// Production is not what the caller expected, so it stays.
    #[error("the production version of {model} is {}, not {}", name(.actual.as_ref()), name(.expected.as_ref()))]
    ProductionMoved {
        /// The model.
        model: String,
        /// What the caller expected.
        expected: Option<VersionId>,
        /// What it is.
        actual: Option<VersionId>,
    },
    /// A log segment could not be compressed, or is not compressed text.
    #[error("failed to read or write the compressed lines of {path}")]
    Segment {
        /// The segment's path.
        path: String,
        /// What the decoder found.
        source: std::io::Error,
    },
}

fn name(version: Option<&VersionId>) -> String {
    version.map_or_else(|| "none".to_owned(), |version| version.short().to_owned())
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Storage(error) => error.kind(),
            Error::Name { .. } | Error::VersionId { .. } => Kind::Invalid,
            Error::VersionNotFound { .. } | Error::PartNotFound { .. } => Kind::NotFound,
            Error::ProductionMoved { .. } => Kind::Conflict,
            // The store has lost or changed what it was given.
            Error::DigestMismatch { .. } | Error::ManifestMismatch { .. } | Error::RawMismatch { .. } => Kind::Upstream,
            Error::Parts { .. } | Error::Segment { .. } => Kind::Internal,
        }
    }
}
