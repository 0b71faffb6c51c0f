use fault::{Fault, Kind};

/// Why a page cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store or the folder of specs failed.
    #[error(transparent)]
    Host(#[from] host::Error),
    /// The registry failed.
    #[error(transparent)]
    Registry(#[from] registry::Error),
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Host(error) => error.kind(),
            Error::Registry(error) => error.kind(),
        }
    }

    fn fields(&self) -> Vec<fault::FieldError> {
        match self {
            Error::Host(error) => error.fields(),
            Error::Registry(error) => error.fields(),
        }
    }
}
