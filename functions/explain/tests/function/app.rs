//! Both functions over one store, and how they are called.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use explain::State;
use host::Host;
use http_body_util::BodyExt;
use registry::Registry;
use serde_json::{Value, json};
use service::Config;
use serving::Slots;
use spec::Spec;
use storage::Store;
use tower::ServiceExt;

use crate::common;

pub(crate) struct App {
    pub(crate) registry: Registry,
    pub(crate) explain: Router,
    predict: Router,
}

impl App {
    pub(crate) fn new() -> Self {
        let host = Host::over(&Config::for_tests(), Store::memory());
        let registry = host.registry().clone();
        let slots = Slots::new(registry.clone(), Duration::from_millis(20));
        let state = State::over(host.clone(), slots, Vec::new());
        Self { registry, explain: explain::router(state), predict: predict::router(predict::State::new(host)) }
    }

    pub(crate) async fn serving(spec: &str) -> Self {
        let app = Self::new();
        common::serve(&app.registry, spec, 1).await;
        app
    }

    pub(crate) async fn explain(&self, path: &str, body: &Value) -> (u16, Value) {
        let (status, text) = post(&self.explain, path, "application/json", body).await;
        (status, serde_json::from_str(&text).unwrap())
    }

    /// The lines of an explanation with progress.
    pub(crate) async fn explain_lines(&self, path: &str, body: &Value) -> Vec<Value> {
        let (status, text) = post(&self.explain, path, "application/x-ndjson", body).await;
        assert_eq!(status, 200);
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What `/predict` answers for each record.
    pub(crate) async fn predictions(&self, records: &[Value]) -> Vec<Value> {
        let (status, text) = post(&self.predict, "/predict", "application/json", &json!({"records": records})).await;
        assert_eq!(status, 200, "{text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        answer["predictions"].as_array().unwrap().clone()
    }
}

async fn post(router: &Router, path: &str, accept: &str, body: &Value) -> (u16, String) {
    let request = Request::post(path).header(header::CONTENT_TYPE, "application/json").header(header::ACCEPT, accept);
    let request = request.body(Body::from(body.to_string())).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// Records that a caller of this model may send.
pub(crate) fn records(spec: &str, n_rows: usize) -> Vec<Value> {
    let spec = Spec::parse(spec).unwrap();
    let rows = common::rows(&spec, n_rows, 9);
    (0..n_rows).map(|row| common::json_row(&spec, &rows, row)).collect()
}
