//! A finished answer as data, so that it can be sent plain, as the last line of a stream, or remembered.

use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

use crate::extract::Json;
use crate::problem::Problem;

/// Set to `true` on the answer to a repeated `Idempotency-Key`.
pub(crate) const REPLAYED: &str = "idempotency-replayed";

/// A status with its JSON body.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The HTTP status.
    pub status: StatusCode,
    /// The JSON body.
    pub body: Value,
    /// Whether this is the remembered answer to a repeated `Idempotency-Key`.
    pub replayed: bool,
    /// Whether a repeat may be answered better, so that this answer is not remembered.
    pub passing: bool,
}

impl Reply {
    /// A fresh reply.
    ///
    /// # Errors
    /// An internal problem when `body` has no JSON form, such as a map whose keys are not text.
    pub fn new(status: StatusCode, body: impl Serialize) -> Result<Self, Problem> {
        let body = serde_json::to_value(body).map_err(|error| Problem::internal(&error))?;
        Ok(Self { status, body, replayed: false, passing: false })
    }

    /// The same reply, not to be remembered for its `Idempotency-Key`: a repeat tries again.
    pub fn passing(mut self) -> Self {
        self.passing = true;
        self
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = Json(self.body).into_response();
        *response.status_mut() = self.status;
        if self.replayed {
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

/// What the work behind a route may return.
pub trait IntoReply {
    /// The reply.
    ///
    /// # Errors
    /// An internal problem when the body has no JSON form.
    fn into_reply(self) -> Result<Reply, Problem>;
}

impl IntoReply for Reply {
    fn into_reply(self) -> Result<Reply, Problem> {
        Ok(self)
    }
}

impl<T: Serialize> IntoReply for (StatusCode, T) {
    fn into_reply(self) -> Result<Reply, Problem> {
        Reply::new(self.0, self.1)
    }
}

impl<T: Serialize> IntoReply for Json<T> {
    fn into_reply(self) -> Result<Reply, Problem> {
        Reply::new(StatusCode::OK, self.0)
    }
}
