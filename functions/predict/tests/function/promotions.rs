//! Promotions under load, and versions that cannot be served.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use registry::{Part, VersionId};
use serde_json::{Value, json};
use storage::Store;

use crate::app::{App, churner, until};
use crate::common::{self, BINARY};

async fn version(app: &App) -> Value {
    let (status, answer) = app.post("/models/churn/predict", &json!({"records": [churner()]})).await;
    assert_eq!(status, 200, "{answer}");
    answer["version"].clone()
}

fn id(version: &VersionId) -> Value {
    version.as_str().into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promotion_is_followed_without_an_error_under_load() {
    let app = Arc::new(App::churn().await);
    let first = app.registry.production("churn").await.unwrap().unwrap().version;
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (app, stop) = (Arc::clone(&app), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut seen = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let version = version(&app).await;
                    if seen.last() != Some(&version) {
                        seen.push(version);
                    }
                }
                seen
            })
        })
        .collect();
    let mut versions = vec![id(&first)];
    assert_eq!(version(&app).await, versions[0]);
    for seed in 2..5 {
        let promoted = id(&common::serve(&app.registry, BINARY, seed).await);
        until("the promoted version serves", async || version(&app).await == promoted).await;
        versions.push(promoted);
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        // Each client saw versions in the order of their promotion, and none twice.
        let seen = client.await.unwrap();
        let mut order = versions.iter();
        assert!(seen.iter().all(|version| order.any(|promoted| promoted == version)), "{seen:?}");
    }
}

#[tokio::test]
async fn a_damaged_version_is_refused_and_the_last_good_one_serves() {
    let app = App::churn().await;
    let good = version(&app).await;
    assert_eq!(app.get("/health/ready").await.0, 200);

    let bad = common::publish(&app.registry, BINARY, 2).await;
    let mut weights = app.registry.part("churn", &bad, Part::Weights).await.unwrap().to_vec();
    let last = weights.len() - 1;
    weights[last] ^= 1;
    common::damage(&app.registry, "churn", &bad, Part::Weights, weights.clone()).await;
    common::promote(&app.registry, "churn", &bad).await;
    until("the refusal is known", async || !app.state.refusals().is_empty()).await;
    let [refusal] = &app.state.refusals()[..] else { panic!("{:?}", app.state.refusals()) };
    assert!(
        refusal.contains("weights.safetensors of version") && refusal.contains("does not match its digest"),
        "{refusal}"
    );
    assert_eq!(version(&app).await, good, "the last good version keeps serving");
    assert_eq!(app.get("/health/ready").await.0, 200, "and its replicas stay in service");

    weights[last] ^= 1;
    common::damage(&app.registry, "churn", &bad, Part::Weights, weights).await;
    until("the mended version serves", async || version(&app).await == id(&bad)).await;
    assert_eq!(app.get("/health/ready").await.0, 200);
}

#[tokio::test]
async fn a_first_version_that_is_damaged_cannot_be_asked() {
    let app = App::over(Store::memory());
    let bad = common::serve(&app.registry, BINARY, 1).await;
    common::damage(&app.registry, "churn", &bad, Part::Encoder, "{").await;
    let (status, problem) = app.post("/predict", &json!({"records": [churner()]})).await;
    assert_eq!((status, &problem["type"]), (502, &"/problems/upstream".into()), "{problem}");
}
