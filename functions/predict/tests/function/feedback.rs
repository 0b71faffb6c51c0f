//! What turned out to be true.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use predict::LogSettings;
use serde_json::{Value, json};
use storage::Store;
use uuid::Uuid;

use crate::app::{App, churner};
use crate::common::{self, BINARY, REGRESSION};

fn observation(id: &Value, label: &Value) -> Value {
    json!({"id": id, "label": label, "observed_at": "2026-01-31T08:00:00+02:00"})
}

async fn predicted(app: &App, n_records: usize) -> Vec<Value> {
    let records = vec![churner(); n_records];
    let (_, answer) = app.post("/models/churn/predict", &json!({"records": records})).await;
    answer["predictions"].as_array().unwrap().iter().map(|prediction| prediction["id"].clone()).collect()
}

async fn kept(app: &App, model: &str) -> Vec<Value> {
    let mut lines = Vec::new();
    for segment in app.registry.feedback_segments(model).await.unwrap() {
        let text = app.registry.read_feedback(model, &segment.name).await.unwrap();
        lines.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
    }
    lines
}

#[tokio::test]
async fn predictions_are_known_in_memory_and_in_the_store() {
    let waiting = LogSettings { max_age: Duration::from_secs(3600), ..LogSettings::default() };
    let app = App::with(Store::memory(), waiting);
    common::serve(&app.registry, BINARY, 1).await;
    common::serve(&app.registry, REGRESSION, 1).await;
    let stored = predicted(&app, 3).await;
    app.state.clone().drain().await;
    let in_memory = predicted(&app, 2).await;
    let strangers = [Uuid::now_v7(), Uuid::new_v4()].map(|id| json!(id));
    let observations: Vec<Value> =
        stored.iter().chain(&in_memory).chain(&strangers).map(|id| observation(id, &"yes".into())).collect();
    let (status, answer) = app.post("/feedback", &json!({"observations": observations})).await;
    assert_eq!((status, answer), (200, json!({"accepted": 5, "unknown": 2})));
    let kept = kept(&app, "churn").await;
    let ids: Vec<&Value> = kept.iter().map(|line| &line["id"]).collect();
    assert_eq!(ids, stored.iter().chain(&in_memory).collect::<Vec<_>>());
    assert!(kept.iter().all(|line| line["label"] == "yes" && line["observed_at"] == "2026-01-31T06:00:00.000Z"));
}

#[tokio::test]
async fn labels_are_those_of_the_model() {
    let app = App::churn().await;
    let ids = predicted(&app, 2).await;
    let mut observations = vec![observation(&ids[0], &"perhaps".into()), observation(&ids[1], &"no".into())];
    observations.push(json!({"id": "7", "observed_at": "today", "more": 1}));
    let (status, problem) = app.post("/feedback", &json!({"observations": observations})).await;
    assert_eq!(status, 422);
    insta::assert_json_snapshot!(problem["errors"], @r#"
    [
      {
        "pointer": "/observations/2/label",
        "detail": "this is missing: what was true"
      },
      {
        "pointer": "/observations/2/more",
        "detail": "unknown key; known are id, label, observed_at"
      },
      {
        "pointer": "/observations/2/id",
        "detail": "this is a UUID, as /predict answers it"
      },
      {
        "pointer": "/observations/2/observed_at",
        "detail": "this is a date-time with an offset, such as 2026-01-31T08:00:00Z"
      },
      {
        "pointer": "/observations/0/label",
        "detail": "the text `perhaps` is not one of the classes. There is `no`, `yes`"
      }
    ]
    "#,);
    assert!(kept(&app, "churn").await.is_empty(), "all are kept or none");
}

#[tokio::test]
async fn the_same_key_keeps_once() {
    let app = App::churn().await;
    let ids = predicted(&app, 1).await;
    let body = json!({"observations": [observation(&ids[0], &"no".into())]}).to_string();
    let post = |key: Option<&str>| {
        let request = Request::post("/feedback").header("content-type", "application/json");
        let request = match key {
            Some(key) => request.header("idempotency-key", key),
            None => request,
        };
        app.call(request.body(Body::from(body.clone())).unwrap())
    };
    for key in [Some("k-1"), Some("k-1"), Some("k-2"), None] {
        assert_eq!(post(key).await, (200, json!({"accepted": 1, "unknown": 0})));
    }
    assert_eq!(kept(&app, "churn").await.len(), 1, "the same observation is stored once, whatever the key");
}
