//! The prediction log.

use std::collections::BTreeSet;
use std::time::Duration;

use predict::LogSettings;
use registry::Registry;
use serde_json::{Value, json};
use storage::Store;

use crate::app::{App, churner, until};
use crate::common::{self, BINARY};

/// Every logged line of the model.
async fn lines(registry: &Registry) -> Vec<Value> {
    let mut lines = Vec::new();
    for segment in registry.prediction_segments("churn").await.unwrap() {
        let text = registry.read_predictions("churn", &segment.name).await.unwrap();
        lines.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
    }
    lines
}

/// Nothing is stored by itself.
fn by_hand() -> LogSettings {
    LogSettings { max_age: Duration::from_secs(3600), ..LogSettings::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_was_answered_is_stored_by_a_drain() {
    let app = App::with(Store::memory(), by_hand());
    common::serve(&app.registry, BINARY, 1).await;
    let mut answered = BTreeSet::new();
    for n_records in [1, 3, 200] {
        let records = vec![churner(); n_records];
        let (_, answer) = app.post("/predict", &json!({"records": records})).await;
        let ids = answer["predictions"].as_array().unwrap().iter().map(|prediction| prediction["id"].to_string());
        answered.extend(ids);
    }
    assert_eq!(answered.len(), 204, "ids are unique");
    assert!(lines(&app.registry).await.is_empty());
    app.state.clone().drain().await;
    let logged: BTreeSet<String> = lines(&app.registry).await.iter().map(|line| line["id"].to_string()).collect();
    assert_eq!(logged, answered);
}

#[tokio::test]
async fn a_line_says_what_was_asked_and_answered() {
    let app = App::churn().await;
    let (_, answer) = app.post("/predict", &json!({"records": [churner()]})).await;
    app.state.clone().drain().await;
    let [line] = &lines(&app.registry).await[..] else { panic!("one line") };
    let predicted = &answer["predictions"][0];
    assert_eq!((&line["model"], &line["version"]), (&answer["model"], &answer["version"]));
    assert_eq!((&line["prediction"], &line["probability"]), (&predicted["prediction"], &predicted["probability"]));
    assert_eq!(line["inputs"], churner());
    let keys: Vec<&String> = line.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "model", "version", "at", "inputs", "prediction", "probability"]);
}

#[tokio::test]
async fn the_spec_decides_what_is_kept() {
    for (wanted, expected) in [("{inputs: false}", 1), ("{enabled: false}", 0)] {
        let app = App::with(Store::memory(), by_hand());
        let spec = BINARY.replace("serve: {", &format!("serve: {{log: {wanted}, "));
        common::serve(&app.registry, &spec, 1).await;
        app.post("/predict", &json!({"records": [churner()]})).await;
        app.state.clone().drain().await;
        let lines = lines(&app.registry).await;
        assert_eq!(lines.len(), expected, "{wanted}");
        assert!(lines.iter().all(|line| line.get("inputs").is_none()));
    }
}

#[tokio::test]
async fn a_full_segment_is_stored_at_once() {
    let app = App::with(Store::memory(), LogSettings { segment_bytes: 1, waiting_bytes: 10, ..by_hand() });
    common::serve(&app.registry, BINARY, 1).await;
    // Each request needs more room than there is in all, so each waits for the one before to be stored.
    for _ in 0..5 {
        let (status, _) = app.post("/predict", &json!({"records": [churner()]})).await;
        assert_eq!(status, 200);
    }
    app.state.clone().drain().await;
    assert_eq!(app.registry.prediction_segments("churn").await.unwrap().len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap(), [("fsync".to_owned(), "false".to_owned())]).unwrap();
    let app = App::over(store);
    common::serve(&app.registry, BINARY, 1).await;
    // A file where the log's folder should be: no segment can be stored.
    let obstacle = folder.path().join("models/churn/predictions");
    std::fs::write(&obstacle, "").unwrap();
    let (status, _) = app.post("/predict", &json!({"records": [churner()]})).await;
    assert_eq!(status, 200);
    until("readiness tells", async || app.get("/health/ready").await.0 == 503).await;
    let (_, problem) = app.get("/health/ready").await;
    assert!(problem["detail"].as_str().unwrap().contains("the prediction log cannot be stored"), "{problem}");

    std::fs::remove_file(&obstacle).unwrap();
    app.state.clone().drain().await;
    assert_eq!(lines(&app.registry).await.len(), 1);
    assert_eq!(app.get("/health/ready").await.0, 200);
}
