//! Files that people name on the command line.

use std::path::{Path, PathBuf};
use std::{fs, io};

use bytes::Bytes;
use dataset::Format;
use fault::{Fault, FieldError, Kind};

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be read.
    #[error("failed to read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Its content is not what its name says, or does not fit the spec.
    #[error("failed to read the rows of {}", path.display())]
    Rows {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: dataset::Error,
    },
}

impl Error {
    /// Says which file's rows are wrong.
    pub(crate) fn rows(path: &Path) -> impl FnOnce(dataset::Error) -> Self {
        move |source| Self::Rows { path: path.to_owned(), source }
    }
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => Kind::NotFound,
            Error::Read { .. } => Kind::Internal,
            Error::Rows { source, .. } => source.kind(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Error::Rows { source, .. } => source.fields(),
            Error::Read { .. } => Vec::new(),
        }
    }
}

/// The bytes of a file.
///
/// # Errors
/// [`Error::Read`].
pub(crate) fn read(path: &Path) -> Result<Bytes, Error> {
    fs::read(path).map(Bytes::from).map_err(|source| Error::Read { path: path.to_owned(), source })
}

/// The bytes of a file with rows, and their format.
///
/// # Errors
/// [`Error::Read`].
pub(crate) fn read_rows(path: &Path) -> Result<(Bytes, Format), Error> {
    let bytes = read(path)?;
    let format = format_of(path, &bytes);
    Ok((bytes, format))
}

/// The format of a file with rows: by its ending, and by its first bytes where that says nothing.
fn format_of(path: &Path, bytes: &[u8]) -> Format {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    match ending.as_str() {
        "parquet" | "pq" => Format::Parquet,
        "json" => Format::Json,
        "csv" => Format::Csv,
        _ if bytes.starts_with(b"PAR1") => Format::Parquet,
        _ if bytes.iter().find(|byte| !byte.is_ascii_whitespace()).is_some_and(|byte| b"[{".contains(byte)) => {
            Format::Json
        }
        _ => Format::Csv,
    }
}
