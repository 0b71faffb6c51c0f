//! Reading a request: like axum's extractors of the same names, but every refusal is a problem document.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use fault::{FieldError, Kind, pointer_token};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;
use serde_path_to_error::{Path as SerdePath, Segment};

use crate::problem::Problem;
use crate::strict::Strict;

/// A JSON body read as `T`, and a JSON answer.
///
/// Refuses another content type (415), text that is not JSON (400, with line and column), JSON that is no `T` (422,
/// with a JSON pointer) and a body over the limit (413).
#[derive(Clone, Copy, Debug, Default)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = read_json_body(request, state).await?;
        decode(&body).map(Json)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response(),
            Err(error) => Problem::internal(&error).into_response(),
        }
    }
}

/// A JSON body as a plain value, for callers that check it against a spec themselves.
///
/// Refuses what [`Json`] refuses; a key that stands twice in one object, `NaN` and `Infinity` are malformed JSON (400).
#[derive(Clone, Debug)]
pub struct JsonValue(pub Value);

impl<S: Send + Sync> FromRequest<S> for JsonValue {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = read_json_body(request, state).await?;
        let Strict(value) = serde_json::from_slice(&body).map_err(|error| malformed(&error))?;
        Ok(JsonValue(value))
    }
}

/// The query string read as `T`; 422 with the parameter's name as pointer when it does not fit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match axum::extract::Query::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(value)) => Ok(Query(value)),
            Err(rejection) => Err(query_problem(&rejection)),
        }
    }
}

/// The path's parameters read as `T`; 422 with the parameter's name as pointer when one does not fit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match <axum::extract::Path<T> as FromRequestParts<S>>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Path(value)),
            Err(rejection) => {
                let names = RawPathParams::from_request_parts(parts, state).await.ok();
                let mut names = names.iter().flatten().map(|(name, _)| name);
                // axum does not name the parameter when there is only one.
                let only_name = names.next().filter(|_| names.next().is_none());
                Err(path_problem(&rejection, only_name.unwrap_or_default()))
            }
        }
    }
}

/// The `Idempotency-Key` header: 1 to 200 visible ASCII characters.
///
/// Take `Option<IdempotencyKey>` where the header may be left out; a bad key is refused with 400 either way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The header's name.
    pub const HEADER: &'static str = "idempotency-key";
    const MAX_LEN: usize = 200;

    /// A key from text, for callers that make their own.
    ///
    /// # Errors
    /// A 400 problem unless it is 1 to 200 visible ASCII characters.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        if text.is_empty() || text.len() > Self::MAX_LEN || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            let detail = format!("`Idempotency-Key` must be 1 to {} visible ASCII characters", Self::MAX_LEN);
            return Err(Problem::new(Kind::Malformed, detail));
        }
        Ok(Self(text.to_owned()))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn from_headers(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let mut values = headers.get_all(Self::HEADER).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(Problem::new(Kind::Malformed, "`Idempotency-Key` was sent more than once"));
        }
        Self::parse(value.to_str().unwrap_or_default()).map(Some)
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Problem> {
        Self::from_headers(&parts.headers)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let missing = || Problem::new(Kind::Malformed, "this route needs the header `Idempotency-Key`");
        Self::from_headers(&parts.headers)?.ok_or_else(missing)
    }
}

async fn read_json_body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !content_type.is_some_and(is_json) {
        let got = content_type.map_or("none".to_owned(), |text| format!("`{text}`"));
        let detail = format!("the content type must be `application/json`, got {got}");
        return Err(Problem::new(Kind::UnsupportedMedia, detail));
    }
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection {
        BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => {
            Problem::new(Kind::TooLarge, "the body is larger than this service accepts")
        }
        _ => Problem::new(Kind::Malformed, "the body ended before it was complete"),
    })
}

/// `application/json`, or a type built on it such as `application/vnd.api+json`; parameters do not matter.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.strip_prefix("application/") {
        Some(subtype) => subtype == "json" || subtype.ends_with("+json"),
        None => false,
    }
}

fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let mut pointer = pointer(error.path());
        let error = error.into_inner();
        match error.classify() {
            Category::Data => {
                let detail = without_position(&error);
                // serde stops at the object; the caller looks for the member.
                if let Some(name) = detail.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
                    pointer = format!("{pointer}/{}", pointer_token(name));
                }
                let summary = if pointer.is_empty() { detail.clone() } else { format!("{pointer}: {detail}") };
                Problem::new(Kind::Invalid, summary).with_fields(vec![FieldError::new(pointer, detail)])
            }
            Category::Io | Category::Syntax | Category::Eof => malformed(&error),
        }
    })?;
    deserializer.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> Problem {
    Problem::new(Kind::Malformed, format!("the body is not JSON that can be read: {error}"))
}

/// The message without the line and column, which the JSON pointer replaces.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let suffix = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&suffix).unwrap_or(&text).to_owned()
}

fn pointer(path: &SerdePath) -> String {
    let mut pointer = String::new();
    for segment in path {
        let token = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => pointer_token(key),
            // A variant is no step into the document when it is told by its content; leave out what cannot be named.
            Segment::Enum { .. } | Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&token);
    }
    pointer
}

fn query_problem(rejection: &QueryRejection) -> Problem {
    let text = std::error::Error::source(rejection).map_or_else(|| rejection.body_text(), ToString::to_string);
    // "name: message" when the parameter is known, "message" otherwise.
    let (name, detail) = match text.split_once(": ") {
        Some((name, detail)) if !name.contains(' ') => (name, detail),
        _ => ("", text.as_str()),
    };
    let summary = format!("the query string does not fit: {text}");
    let pointer = if name.is_empty() { String::new() } else { format!("/{}", pointer_token(name)) };
    Problem::new(Kind::Invalid, summary).with_fields(vec![FieldError::new(pointer, detail)])
}

fn path_problem(rejection: &PathRejection, only_name: &str) -> Problem {
    use axum::extract::path::ErrorKind;
    let PathRejection::FailedToDeserializePathParams(failure) = rejection else {
        return Problem::new(Kind::Internal, rejection.body_text());
    };
    let (key, detail) = match failure.kind() {
        ErrorKind::ParseErrorAtKey { key, value, expected_type } => {
            (key.as_str(), format!("`{value}` is no {expected_type}"))
        }
        ErrorKind::DeserializeError { key, value, message } => (key.as_str(), format!("`{value}`: {message}")),
        ErrorKind::ParseError { value, expected_type } => (only_name, format!("`{value}` is no {expected_type}")),
        ErrorKind::InvalidUtf8InPathParam { key } => {
            return Problem::new(Kind::Malformed, format!("the path's `{key}` is not UTF-8"));
        }
        ErrorKind::Message(message) => (only_name, message.clone()),
        // The rest are mismatches between the route and its handler.
        _ => return Problem::new(Kind::Internal, rejection.body_text()),
    };
    let pointer = if key.is_empty() { String::new() } else { format!("/{}", pointer_token(key)) };
    Problem::new(Kind::Invalid, format!("the path does not fit: {detail}"))
        .with_fields(vec![FieldError::new(pointer, detail)])
}
