//! RFC 9457 problem documents, and the one place where a kind of failure becomes an HTTP status.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use fault::{Fault, FieldError, Kind, chain};
use serde::{Deserialize, Serialize, Serializer};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// The media type of a problem document.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What a caller is told of an internal error; the cause is only in the log.
const INTERNAL_DETAIL: &str = "an internal error occurred; the log has its cause under this request id";

/// Status, last segment of the type URI, and title of each kind of failure.
fn describe(kind: Kind) -> (StatusCode, &'static str, &'static str) {
    match kind {
        Kind::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "invalid", "The request is not valid"),
        Kind::Malformed => (StatusCode::BAD_REQUEST, "malformed", "The request cannot be read"),
        Kind::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated", "Credentials are missing or wrong"),
        Kind::Forbidden => (StatusCode::FORBIDDEN, "forbidden", "Not allowed here"),
        Kind::NotFound => (StatusCode::NOT_FOUND, "not-found", "Not found"),
        Kind::Conflict => (StatusCode::CONFLICT, "conflict", "The request contradicts the present state"),
        Kind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The request is too large"),
        Kind::UnsupportedMedia => {
            (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media", "The content type is not supported")
        }
        Kind::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy", "Too many requests at once"),
        Kind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not ready to answer"),
        Kind::Upstream => (StatusCode::BAD_GATEWAY, "upstream", "A neighbouring service failed"),
        Kind::Timeout => (StatusCode::GATEWAY_TIMEOUT, "timeout", "It took too long"),
        Kind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
    }
}

/// A failed request: what the caller is told, and, apart from it, what the log is told.
///
/// Any `fault::Fault` becomes one by `?`. The request id is filled in at the edge, which also logs the cause, once.
#[derive(Clone)]
pub struct Problem(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: Kind,
    document: Document,
    /// The error with its sources, for the log only.
    cause: Option<String>,
    retry_after_s: Option<u64>,
    /// A remembered answer to the same `Idempotency-Key`.
    replayed: bool,
    /// The outcome of a decision, to be remembered like a success.
    decided: bool,
}

/// The problem document itself (RFC 9457), as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Problem)]
pub struct Document {
    /// Which kind of problem: a stable relative URI.
    #[serde(rename = "type")]
    #[schema(example = "/problems/invalid")]
    pub type_uri: String,
    /// The kind in words, the same for every problem of this type.
    #[schema(example = "The request is not valid")]
    pub title: String,
    /// The HTTP status.
    #[schema(example = 422)]
    pub status: u16,
    /// What is wrong this time.
    pub detail: String,
    /// The request id, under which the log has more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// Every wrong place, when the problem is about a document.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<FieldProblem>)]
    pub errors: Vec<FieldError>,
}

/// One wrong place in a document; the schema of `fault::FieldError`, which knows no OpenAPI.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct FieldProblem {
    /// JSON pointer (RFC 6901) to the place.
    #[schema(example = "/records/0/odometer")]
    pointer: String,
    /// What is wrong there, and what would be right.
    #[schema(example = "must be between 0 and 1000000")]
    detail: String,
}

impl Problem {
    /// A problem of `kind`. The text is what the caller reads, so an internal one keeps it for the log.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let (status, slug, title) = describe(kind);
        let detail = detail.into();
        let (detail, cause) =
            if kind.is_public() { (detail, None) } else { (INTERNAL_DETAIL.to_owned(), Some(detail)) };
        let document = Document {
            type_uri: format!("/problems/{slug}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail,
            instance: None,
            errors: Vec::new(),
        };
        let retry_after_s = (kind == Kind::Busy).then_some(1);
        Self(Box::new(Inner { kind, document, cause, retry_after_s, replayed: false, decided: false }))
    }

    /// Our own fault: the caller gets a fixed text and status 500, the log gets the error with its sources.
    pub fn internal(cause: &dyn StdError) -> Self {
        Self::new(Kind::Internal, chain(cause))
    }

    /// Adds every wrong place of the document.
    pub fn with_fields(mut self, errors: Vec<FieldError>) -> Self {
        self.0.document.errors = errors;
        self
    }

    /// Says when to try again, in seconds.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after_s = Some(seconds);
        self
    }

    /// Calls the problem the outcome of a decision, such as a race that another won: for an idempotency key it is remembered
    /// like a success. Any other problem may pass, when a file is mended or a batch released, so a repeat tries again.
    pub fn decided(mut self) -> Self {
        self.0.decided = true;
        self
    }

    /// A problem for a status that no kind stands for, such as 405.
    pub(crate) fn of_status(status: StatusCode, detail: impl Into<String>) -> Self {
        let kind = if status.is_server_error() { Kind::Upstream } else { Kind::Malformed };
        let mut problem = Self::new(kind, detail);
        problem.0.document.type_uri = "about:blank".to_owned();
        problem.0.document.title = status.canonical_reason().unwrap_or("Error").to_owned();
        problem.0.document.status = status.as_u16();
        problem
    }

    /// The problem that a remembered document stands for.
    pub(crate) fn replay(document: Document) -> Self {
        let slug = document.type_uri.strip_prefix("/problems/").unwrap_or_default();
        let kind = serde_json::from_value(slug.into()).unwrap_or(Kind::Conflict);
        Self(Box::new(Inner { kind, document, cause: None, retry_after_s: None, replayed: true, decided: true }))
    }

    pub(crate) fn with_instance(mut self, request_id: &str) -> Self {
        self.0.document.instance = Some(request_id.to_owned());
        self
    }

    pub(crate) fn is_decided(&self) -> bool {
        self.0.decided
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.document.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The kind of failure.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// What the caller is told.
    pub fn document(&self) -> &Document {
        &self.0.document
    }

    /// The error with its sources, which only the log may hold.
    pub fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }
}

impl<E: Fault> From<E> for Problem {
    fn from(error: E) -> Self {
        let kind = error.kind();
        let mut problem = Self::new(kind, if kind.is_public() { error.to_string() } else { chain(&error) });
        problem.0.document.errors = error.fields();
        // A caller's mistake may quote the caller's data, which has no place in the log.
        if problem.status().is_server_error() {
            problem.0.cause = Some(chain(&error));
        }
        problem
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.0.document).unwrap_or_default();
        let mut response = (self.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = self.0.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.0.kind == Kind::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"ebb\""));
        }
        if self.0.replayed {
            headers.insert(crate::reply::REPLAYED, HeaderValue::from_static("true"));
        }
        // The edge takes it out again, to add the request id and to log the cause.
        response.extensions_mut().insert(self);
        response
    }
}

impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.document.serialize(serializer)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.0.document.status, self.0.document.title, self.0.document.detail)
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problem").field("document", &self.0.document).field("cause", &self.0.cause).finish()
    }
}

impl StdError for Problem {}

impl PartialSchema for Problem {
    fn schema() -> RefOr<Schema> {
        Document::schema()
    }
}

impl ToSchema for Problem {
    fn name() -> Cow<'static, str> {
        Document::name()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        Document::schemas(schemas);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("failed to read the batch")]
    struct Broken(Kind, #[source] std::io::Error);

    impl Fault for Broken {
        fn kind(&self) -> Kind {
            self.0
        }

        fn fields(&self) -> Vec<FieldError> {
            vec![FieldError::new("/records/0/age", "must be at most 120")]
        }
    }

    fn fails(kind: Kind) -> Result<(), Problem> {
        Err(Broken(kind, std::io::Error::other("secret path")))?
    }

    #[test]
    fn each_kind_has_its_status_and_type() {
        let rows = [
            (Kind::Invalid, 422),
            (Kind::Malformed, 400),
            (Kind::Unauthenticated, 401),
            (Kind::Forbidden, 403),
            (Kind::NotFound, 404),
            (Kind::Conflict, 409),
            (Kind::TooLarge, 413),
            (Kind::UnsupportedMedia, 415),
            (Kind::Busy, 503),
            (Kind::Unavailable, 503),
            (Kind::Upstream, 502),
            (Kind::Timeout, 504),
            (Kind::Internal, 500),
        ];
        for (kind, status) in rows {
            let problem = fails(kind).unwrap_err();
            assert_eq!(problem.status().as_u16(), status, "{kind:?}");
            let slug = serde_json::to_value(kind).unwrap();
            assert_eq!(problem.document().type_uri, format!("/problems/{}", slug.as_str().unwrap()));
            assert_eq!(Problem::replay(problem.document().clone()).kind(), kind);
            let has_cause = problem.cause().is_some_and(|cause| cause.contains("secret path"));
            assert_eq!(has_cause, status >= 500, "{kind:?}");
        }
    }

    #[test]
    fn a_public_error_shows_its_text_and_fields() {
        insta::assert_json_snapshot!(fails(Kind::Invalid).unwrap_err(), @r#"
        {
          "type": "/problems/invalid",
          "title": "The request is not valid",
          "status": 422,
          "detail": "failed to read the batch",
          "errors": [
            {
              "pointer": "/records/0/age",
              "detail": "must be at most 120"
            }
          ]
        }
        "#);
    }

    #[test]
    fn an_internal_error_keeps_its_text() {
        let problem = fails(Kind::Internal).unwrap_err().with_fields(Vec::new());
        insta::assert_json_snapshot!(problem, @r#"
        {
          "type": "/problems/internal",
          "title": "Internal error",
          "status": 500,
          "detail": "an internal error occurred; the log has its cause under this request id"
        }
        "#);
        assert_eq!(problem.cause(), Some("failed to read the batch: secret path"));
    }
}
