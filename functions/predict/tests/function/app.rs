//! The app under test and how it is called.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use host::Host;
use http_body_util::BodyExt;
use predict::{LogSettings, State};
use registry::Registry;
use serde_json::Value;
use service::Config;
use serving::Slots;
use spec::Spec;
use storage::Store;
use tower::ServiceExt;

use crate::common;

pub(crate) struct App {
    pub(crate) registry: Registry,
    pub(crate) state: State,
    pub(crate) router: Router,
}

impl App {
    pub(crate) fn over(store: Store) -> Self {
        let log = LogSettings { max_age: Duration::from_millis(20), ..LogSettings::default() };
        Self::with(store, log)
    }

    pub(crate) fn with(store: Store, log: LogSettings) -> Self {
        let host = Host::over(&Config::for_tests(), store);
        let registry = host.registry().clone();
        let slots = Slots::new(registry.clone(), Duration::from_millis(20));
        let documented = vec![Arc::new(Spec::parse(common::BINARY).unwrap())];
        let state = State::over(host, slots, log, documented);
        Self { registry, router: predict::router(state.clone()), state }
    }

    /// An app that serves the binary model.
    pub(crate) async fn churn() -> Self {
        let app = Self::over(Store::memory());
        common::serve(&app.registry, common::BINARY, 1).await;
        app
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(path, "application/json", body.to_string()).await
    }

    pub(crate) async fn send(&self, path: &str, content_type: &str, body: impl Into<Body>) -> (u16, Value) {
        let request = Request::post(path).header(header::CONTENT_TYPE, content_type).header("x-request-id", "r-1");
        self.call(request.body(body.into()).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.call(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn call(&self, request: Request<Body>) -> (u16, Value) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }
}

/// A record of the binary model.
pub(crate) fn churner() -> Value {
    serde_json::json!({
        "age": 42, "balance": 1200.5, "country": "Spain", "job": "teacher", "active": true, "joined": "2019-04-01",
    })
}

/// Asks until `is_so`, for thirty seconds at most.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let asking = async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), asking).await.unwrap_or_else(|_| panic!("not within 30 s: {what}"));
}
