use fault::{Fault, Kind};
use spec::{Space, Task};

/// Why weights cannot be read or a version cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are no safetensors file: truncated, damaged or of another kind.
    #[error("failed to read the weights as safetensors")]
    File(#[source] safetensors::SafeTensorError),
    /// The weights could not be written as a safetensors file.
    #[error("failed to write the weights as safetensors")]
    Write(#[source] safetensors::SafeTensorError),
    /// The file does not describe its network.
    #[error("the weights have no `network` in their header")]
    NoDescription,
    /// The description in the file's header is not one.
    #[error("failed to read the description of the network in the weights")]
    Description(#[source] serde_json::Error),
    /// The readout contradicts itself or the network.
    #[error("the readout of the weights is unusable: {0}")]
    Readout(&'static str),
    /// The architecture contradicts itself.
    #[error("the architecture of the weights is unusable: {0}")]
    Architecture(&'static str),
    /// A tensor that the architecture needs is missing.
    #[error("tensor `{name}` of shape {expected:?} is missing from the weights")]
    MissingTensor {
        /// The tensor's name.
        name: String,
        /// The shape that it should have.
        expected: Vec<usize>,
    },
    /// A tensor does not have the shape or the type that the architecture needs.
    #[error("tensor `{name}` should hold 32-bit floats of shape {expected:?}, but holds {actual}")]
    WrongTensor {
        /// The tensor's name.
        name: String,
        /// The shape that it should have.
        expected: Vec<usize>,
        /// What it holds.
        actual: String,
    },
    /// The architecture knows nothing of a tensor.
    #[error("tensor `{0}` of the weights has no place in their architecture")]
    UnknownTensor(String),
    /// A tensor holds NaN or infinity.
    #[error("tensor `{0}` of the weights holds a value that is not finite")]
    NotFinite(String),
    /// Weights of different architectures were to be joined.
    #[error("member {0} has another architecture than the first")]
    Members(usize),
    /// The encoder cannot be read, or belongs to other features than the spec's.
    #[error("failed to use the encoder")]
    Encoder(#[source] features::Error),
    /// Spec, encoder and weights are not of one version.
    #[error("the parts of the version do not fit each other: {0}")]
    Mismatch(String),
    /// The background of an explanation has no rows.
    #[error("the background has no rows")]
    EmptyBackground,
    /// The background's columns are not the spec's.
    #[error("the background has {actual} columns, the spec {expected}")]
    Background {
        /// Raw columns of the spec.
        expected: usize,
        /// Columns of the background.
        actual: usize,
    },
    /// Explanations of this task have no such units.
    #[error("a {task:?} task has no explanations in {space:?} units")]
    Space {
        /// The spec's task.
        task: Task,
        /// The units that were asked for.
        space: Space,
    },
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Write(_) => Kind::Internal,
            _ => Kind::Invalid,
        }
    }
}
