//! The functions' routes, as a client calls them: with keys, with progress, and with errors for people.

use std::time::Duration;

use backon::{ConstantBuilder, Retryable};
use futures::TryStreamExt;
use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use service::NDJSON;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody answered, or the answer broke off.
    #[error("{url} does not answer; is `ebb up` running there?")]
    Unreachable {
        /// The address.
        url: String,
        /// What the client saw.
        #[source]
        source: reqwest::Error,
    },
    /// The function answered a problem.
    #[error("{route} answered {status}: {detail}")]
    Problem {
        /// The route.
        route: String,
        /// The HTTP status.
        status: u16,
        /// What is wrong, with every field's error.
        detail: String,
    },
    /// The answer is not one that this route gives.
    #[error("{route} answered something that is not Ebb's: {text}")]
    Foreign {
        /// The route.
        route: String,
        /// The beginning of the answer.
        text: String,
    },
}

/// An answer with its HTTP status.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

/// Calls functions at one address.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<SecretString>,
}

impl Client {
    pub(crate) fn new(url: &str, token: Option<SecretString>) -> Self {
        Self { http: reqwest::Client::new(), url: url.trim_end_matches('/').to_owned(), token }
    }

    /// Calls a mutating route under a key, telling each step to `told`.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub(crate) async fn post(
        &self,
        route: &str,
        key: &str,
        body: &Value,
        told: &mut dyn FnMut(&str, Option<f64>),
    ) -> Result<Answer, Error> {
        let request = || self.request(Method::POST, route).header("idempotency-key", key).json(body);
        self.call(route, request, told).await
    }

    /// Calls a reading route.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub(crate) async fn get(&self, route: &str, told: &mut dyn FnMut(&str, Option<f64>)) -> Result<Answer, Error> {
        self.call(route, || self.request(Method::GET, route), told).await
    }

    fn request(&self, method: Method, route: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{route}", self.url)).header("accept", NDJSON);
        match &self.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None => request,
        }
    }

    async fn call(
        &self,
        route: &str,
        request: impl Fn() -> RequestBuilder,
        told: &mut dyn FnMut(&str, Option<f64>),
    ) -> Result<Answer, Error> {
        let unreachable = |source| Error::Unreachable { url: self.url.clone(), source };
        // A server that is just starting refuses connections for a moment; nothing has been asked of it yet.
        let patience = ConstantBuilder::default().with_delay(Duration::from_millis(250)).with_max_times(20);
        let send = || request().send();
        let response = send.retry(patience).when(reqwest::Error::is_connect).await.map_err(unreachable)?;
        let (status, is_stream) = (response.status(), content_type(&response).starts_with(NDJSON));
        let mut lines = Lines::default();
        let mut last = None;
        let mut body = response.bytes_stream();
        while let Some(chunk) = body.try_next().await.map_err(unreachable)? {
            if !is_stream {
                lines.waiting.extend_from_slice(&chunk);
                continue;
            }
            for line in lines.push(&chunk) {
                let event: Value = serde_json::from_slice(&line).map_err(|_| foreign(route, &line))?;
                match event["event"].as_str() {
                    Some("progress") => told(event["message"].as_str().unwrap_or_default(), event["fraction"].as_f64()),
                    _ => last = Some(event),
                }
            }
        }
        let answer = match last {
            Some(event) => {
                let status = event["status"].as_u64().and_then(|status| u16::try_from(status).ok());
                let status = status.and_then(|status| StatusCode::from_u16(status).ok());
                // A last line without a status breaks a promise, so it counts as the server's fault.
                Answer { status: status.unwrap_or(StatusCode::BAD_GATEWAY), body: event["body"].clone() }
            }
            None => {
                let body = serde_json::from_slice(&lines.waiting).map_err(|_| foreign(route, &lines.waiting))?;
                Answer { status, body }
            }
        };
        // A conflict about a promotion ends a turn as much as a decision does; elsewhere it is a problem like any other.
        if answer.status.is_success() || (route == "/promote" && answer.status == StatusCode::CONFLICT) {
            return Ok(answer);
        }
        let status = answer.status.as_u16();
        Err(Error::Problem { route: route.to_owned(), status, detail: describe(&answer.body) })
    }
}

/// A problem document as one text.
pub(crate) fn describe(problem: &Value) -> String {
    let mut text = problem["detail"].as_str().or(problem["title"].as_str()).unwrap_or("no detail").to_owned();
    for error in problem["errors"].as_array().into_iter().flatten() {
        let (pointer, detail) = (error["pointer"].as_str(), error["detail"].as_str());
        text.push_str(&format!("\n  {}: {}", pointer.unwrap_or_default(), detail.unwrap_or_default()));
    }
    text
}

fn foreign(route: &str, text: &[u8]) -> Error {
    let text = String::from_utf8_lossy(&text[..text.len().min(200)]).into_owned();
    Error::Foreign { route: route.to_owned(), text }
}

fn content_type(response: &reqwest::Response) -> String {
    let header = response.headers().get("content-type").and_then(|value| value.to_str().ok());
    header.unwrap_or_default().to_owned()
}

/// Whole lines out of chunks.
#[derive(Default)]
struct Lines {
    waiting: Vec<u8>,
}

impl Lines {
    fn push(&mut self, chunk: &[u8]) -> Vec<Vec<u8>> {
        self.waiting.extend_from_slice(chunk);
        let mut lines = Vec::new();
        while let Some(end) = self.waiting.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.waiting.drain(..=end).collect();
            lines.push(line);
        }
        lines
    }
}

/// The body that names a model and one of its batches.
pub(crate) fn of_batch(model: &str, batch: &str) -> Value {
    json!({"model": model, "batch": batch})
}
