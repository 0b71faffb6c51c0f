//! Asking `predict` and `explain` over HTTP, as any client would.

use std::time::Duration;

use fault::{FieldError, chain};
use indexmap::IndexMap;
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use service::{Context, Document};

/// How long a person waits for a prediction.
const PREDICT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long `explain` may sample for a page; exact values take what they take.
const EXPLAIN_DEADLINE_MS: u64 = 5_000;
/// How long a person waits for an explanation.
const EXPLAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// The functions that the form asks. Cloning is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Neighbours {
    http: Client,
    predict_url: String,
    explain_url: String,
    token: Option<SecretString>,
}

/// What `predict` answers.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Predicted {
    pub(crate) version: String,
    predictions: Vec<Prediction>,
}

/// The prediction for one record.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Prediction {
    pub(crate) prediction: Value,
    pub(crate) probability: Option<f64>,
    pub(crate) probabilities: Option<IndexMap<String, f64>>,
    pub(crate) band: Option<String>,
}

/// What `explain` answers.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Explained {
    pub(crate) version: String,
    explanations: Vec<Explanation>,
}

/// The explanation of one record: of one output, or of each class.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Explanation {
    #[serde(flatten)]
    pub(crate) one: Option<Output>,
    pub(crate) classes: Option<IndexMap<String, Output>>,
    pub(crate) method: String,
    #[serde(default)]
    pub(crate) evaluations: u64,
}

/// What the columns add to one output.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Output {
    pub(crate) base_value: f64,
    pub(crate) values: IndexMap<String, f64>,
    pub(crate) prediction: f64,
    #[serde(default)]
    pub(crate) standard_error: Option<IndexMap<String, f64>>,
}

/// Why there is no answer, for the person at the form.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) message: String,
    /// Every wrong cell, if the record was refused.
    pub(crate) fields: Vec<FieldError>,
}

impl Predicted {
    /// The prediction for the one record that was sent.
    pub(crate) fn first(&self) -> Option<&Prediction> {
        self.predictions.first()
    }
}

impl Explained {
    /// The explanation of the one record that was sent.
    pub(crate) fn first(&self) -> Option<&Explanation> {
        self.explanations.first()
    }
}

impl Neighbours {
    pub(crate) fn new(predict_url: String, explain_url: String, token: Option<SecretString>) -> Self {
        // The neighbours are in the same network; a proxy for the world outside would only be in the way.
        let http =
            Client::builder().no_proxy().build().expect("a client with plain settings needs nothing that can fail");
        Self { http, predict_url, explain_url, token }
    }

    /// Asks for the prediction of one record.
    pub(crate) async fn predict(&self, model: &str, record: &Value, context: &Context) -> Result<Predicted, Failure> {
        let url = address(&self.predict_url, model, "predict");
        self.ask("predict", &url, &json!({"records": [record]}), PREDICT_TIMEOUT, context).await
    }

    /// Asks for the explanation of one record.
    pub(crate) async fn explain(&self, model: &str, record: &Value, context: &Context) -> Result<Explained, Failure> {
        let url = address(&self.explain_url, model, "explain");
        let body = json!({"records": [record], "deadline_ms": EXPLAIN_DEADLINE_MS});
        self.ask("explain", &url, &body, EXPLAIN_TIMEOUT, context).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        function: &'static str,
        url: &str,
        body: &Value,
        timeout: Duration,
        context: &Context,
    ) -> Result<T, Failure> {
        let mut request = self.http.post(url).timeout(timeout).json(body);
        request = request.header("traceparent", context.traceparent()).header("x-request-id", context.request_id());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        let away = |error: reqwest::Error| Failure::away(function, &chain(&error));
        let response = request.send().await.map_err(away)?;
        let status = response.status();
        let body = response.bytes().await.map_err(away)?;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| Failure::away(function, &error.to_string()));
        }
        match serde_json::from_slice::<Document>(&body) {
            Ok(document) => Err(Failure::refused(function, document)),
            Err(_) => Err(Failure::away(function, &format!("status {status} without a problem document"))),
        }
    }
}

impl Failure {
    /// No answer, or none that can be read. The cause is for the log: it may name addresses.
    fn away(function: &'static str, cause: &str) -> Self {
        tracing::warn!(function, error = cause, "a neighbour did not answer the form");
        let message = format!(
            "The {function} service does not answer just now. It may be starting or down: send the form again in a moment."
        );
        Self { message, fields: Vec::new() }
    }

    fn refused(function: &'static str, document: Document) -> Self {
        let message = format!("The {function} service answered: {}.", document.detail.trim_end_matches('.'));
        Self { message, fields: document.errors }
    }
}

fn address(base: &str, model: &str, function: &str) -> String {
    format!("{}/models/{model}/{function}", base.trim_end_matches('/'))
}
