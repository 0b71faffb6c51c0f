#![doc = include_str!("../README.md")]

use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What kind of failure happened, from the caller's point of view.
///
/// The set is closed: `service` maps each kind to one HTTP status, so adding a kind means deciding its status there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The request or document is wrong and would be wrong again: 422.
    Invalid,
    /// The request could not be read as what it claims to be, such as malformed JSON: 400.
    Malformed,
    /// No credentials, or wrong ones: 401.
    Unauthenticated,
    /// The caller may not do this here: 403.
    Forbidden,
    /// The named thing does not exist: 404.
    NotFound,
    /// The state of the system contradicts the request: 409.
    Conflict,
    /// The request or document is larger than allowed: 413.
    TooLarge,
    /// The content type is not one we read: 415.
    UnsupportedMedia,
    /// Too many requests at once: 503 with `Retry-After`.
    Busy,
    /// Not ready yet, such as no production version to serve: 503.
    Unavailable,
    /// A neighbour (data source, object store, tracking server) failed: 502.
    Upstream,
    /// It took longer than allowed: 504.
    Timeout,
    /// Our own fault: 500. Its message is for the log, never for the caller.
    Internal,
}

impl Kind {
    /// Whether the error's own message may be shown to the caller.
    ///
    /// An internal error may carry paths, bodies or credentials in its text, so the caller gets a fixed sentence.
    pub fn is_public(self) -> bool {
        !matches!(self, Kind::Internal)
    }
}

/// One wrong place in a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) to the place, such as `/records/0/odometer`.
    pub pointer: String,
    /// What is wrong there, and what would be right.
    pub detail: String,
}

impl FieldError {
    /// A field error at `pointer`.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.pointer, self.detail)
    }
}

/// An error that knows its [`Kind`].
pub trait Fault: Error + Send + Sync + 'static {
    /// The kind of failure.
    fn kind(&self) -> Kind;

    /// Every wrong place of a document, when the failure is about one; empty otherwise.
    fn fields(&self) -> Vec<FieldError> {
        Vec::new()
    }
}

/// An error and its sources, joined by `: `, for the log.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Escapes one reference token of a JSON pointer (RFC 6901 §3): `~` becomes `~0`, `/` becomes `~1`.
pub fn pointer_token(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Outer(std::io::Error);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("failed to read the batch")
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn chain_joins_sources() {
        let error = Outer(std::io::Error::other("disk gone"));
        assert_eq!(chain(&error), "failed to read the batch: disk gone");
    }

    #[test]
    fn only_internal_errors_hide_their_message() {
        assert!(Kind::Invalid.is_public());
        assert!(!Kind::Internal.is_public());
    }

    #[test]
    fn pointer_tokens_are_escaped() {
        assert_eq!(pointer_token("a/b~c"), "a~1b~0c");
    }
}
