#![doc = include_str!("../README.md")]

mod category;
mod encoder;
mod number;
mod target;

pub use category::{CategoryEncoding, MISSING, UNKNOWN};
pub use encoder::{Encoded, Encoder, FeatureSlot, Layout, Slot};
pub use number::{Curve, NumberEncoding, quantile};
pub use target::{Standard, TargetCode};

/// Why an encoder cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no row to fit on.
    #[error("an encoder cannot be fitted on no rows")]
    NoRows,
    /// The rows have no target.
    #[error("an encoder cannot be fitted on rows without the target `{column}`")]
    NoTarget {
        /// The spec's target column.
        column: String,
    },
    /// The part of a version is not an encoder.
    #[error("failed to read an encoder")]
    Malformed {
        /// What the JSON reader says.
        #[source]
        source: serde_json::Error,
    },
    /// The encoder belongs to other columns than the spec has.
    #[error("the encoder was fitted on the features {encoder}, and the spec has {spec}")]
    OtherFeatures {
        /// Names in the encoder.
        encoder: String,
        /// Names in the spec.
        spec: String,
    },
}

impl fault::Fault for Error {
    fn kind(&self) -> fault::Kind {
        match self {
            Error::NoRows | Error::NoTarget { .. } => fault::Kind::Invalid,
            Error::Malformed { .. } => fault::Kind::Internal,
            Error::OtherFeatures { .. } => fault::Kind::Conflict,
        }
    }
}
