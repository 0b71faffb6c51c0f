//! The function over a store, with one model named `m`, and batches of it.

use std::sync::Arc;

use axum::Router;
use axum::http::{Request, StatusCode};
use bytes::Bytes;
use host::Host;
use http_body_util::BodyExt;
use registry::{Action, BatchManifest, BatchStatus, Check, Move, Origin, Part, Registry, VersionId};
use serde_json::{Value, json};
use spec::{Batch, BatchBuilder, Kind, Spec};
use storage::Store;
use tower::ServiceExt;
use train::evidence::Evidence;

pub(crate) const SPEC: &str = "name: m
task: regression
target: {column: y}
columns:
  x: {kind: number}
  c: {kind: category}
train: {hidden: 16, members: 2}
";

/// The function over a store, with one model named `m`.
pub(crate) struct App {
    pub(crate) state: train::State,
    router: Router,
    pub(crate) registry: Registry,
    spec: Arc<Spec>,
    _models: tempfile::TempDir,
}

impl App {
    pub(crate) fn over(store: Store) -> Self {
        Self::of(SPEC, store)
    }

    pub(crate) fn of(spec: &str, store: Store) -> Self {
        let models = tempfile::tempdir().unwrap();
        std::fs::write(models.path().join("m.yaml"), spec).unwrap();
        let config =
            service::Config { models: models.path().to_owned(), lease_ttl_s: 1, ..service::Config::for_tests() };
        let host = Host::over(&config, store);
        let registry = host.registry().clone();
        let state = train::State::new(host);
        let router = train::router(state.clone());
        Self { state, router, registry, spec: Arc::new(Spec::parse(spec).unwrap()), _models: models }
    }

    /// Lands a batch of `rows` rows and accepts it.
    pub(crate) async fn accept(&self, number: u64, rows: usize, decision: &str) -> String {
        let mut builder = self.builder();
        for row in 0..rows {
            let x = ((row * 37 + number as usize * 11) % 101) as f64 / 10.0;
            let level = ["a", "b", "c"][row % 3];
            let y = x * x + [0.0, 5.0, -5.0][row % 3] + number as f64;
            let target = match self.spec.target_kind() {
                Kind::Number => spec::Value::Number(y),
                _ => spec::Value::Level(if y > 30.0 { "high" } else { "low" }.to_owned()),
            };
            builder.push(&[spec::Value::Number(x), spec::Value::Level(level.to_owned())], &target, f64::NAN);
        }
        self.accept_batch(number, &builder.finish(), decision).await
    }

    /// Lands a batch of rows `(x, c, class)` and accepts it.
    pub(crate) async fn accept_rows(&self, number: u64, rows: &[(f64, &str, &str)], decision: &str) -> String {
        let mut builder = self.builder();
        for (x, level, class) in rows {
            let values = [spec::Value::Number(*x), spec::Value::Level((*level).to_owned())];
            builder.push(&values, &spec::Value::Level((*class).to_owned()), f64::NAN);
        }
        self.accept_batch(number, &builder.finish(), decision).await
    }

    fn builder(&self) -> BatchBuilder {
        BatchBuilder::new([Kind::Number, Kind::Category], Some(self.spec.target_kind()), false)
    }

    async fn accept_batch(&self, number: u64, rows: &Batch, decision: &str) -> String {
        let parquet = dataset::write_parquet(&self.spec, rows).unwrap();
        let raw = Bytes::from(format!("batch {number}"));
        let landing = self.registry.land("m", number, raw, "text/csv", Origin::Fetched).await.unwrap().landing;
        let batch = landing.batch.clone();
        self.registry.put_batch_file("m", &batch, history::ROWS_FILE, parquet).await.unwrap();
        let manifest = BatchManifest {
            batch: batch.clone(),
            sequence: landing.sequence,
            batch_number: number,
            sha256: landing.sha256,
            rows: rows.n_rows() as u64,
            quarantined: 0,
            status: BatchStatus::Landed,
            reasons: Vec::new(),
            columns: Value::Null,
            stored_at: self.registry.now(),
        };
        self.registry.put_batch("m", manifest).await.unwrap();
        let check = Check {
            batch: batch.clone(),
            decision: decision.to_owned(),
            reasons: vec!["as the test wants it".to_owned()],
            production: None,
            report: Value::Null,
            at: self.registry.now(),
            key: batch.clone(),
        };
        self.registry.record_check("m", check).await.unwrap();
        batch
    }

    /// Lets the version of a result serve.
    pub(crate) async fn serve(&self, result: &Value) {
        let version: VersionId = result["version"].as_str().unwrap().parse().unwrap();
        let now = self.registry.production("m").await.unwrap().map(|entry| entry.version);
        let decision = version.short().to_owned();
        let request = Move { version, action: Action::Promote, decision, reason: "as the test wants it".to_owned() };
        self.registry.move_production("m", now.as_ref(), &request).await.unwrap();
    }

    async fn send(&self, request: Request<String>) -> (StatusCode, Value) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    pub(crate) async fn get(&self, route: &str) -> (StatusCode, Value) {
        self.send(Request::get(route).body(String::new()).unwrap()).await
    }

    pub(crate) async fn train(&self, key: &str, batch: &str) -> (StatusCode, Value) {
        let request = Request::post("/train")
            .header("content-type", "application/json")
            .header("idempotency-key", key)
            .body(json!({"model": "m", "batch": batch}).to_string())
            .unwrap();
        self.send(request).await
    }

    /// Starts a job, waits for its end, and gives its result.
    pub(crate) async fn result(&self, batch: &str) -> Value {
        let (status, accepted) = self.train(batch, batch).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{accepted}");
        let job = accepted["job"].as_str().unwrap();
        for _ in 0..20 {
            let (_, state) = self.get(&format!("/train/{job}?wait=20")).await;
            if state["state"] == "done" {
                let (status, result) = self.get(&format!("/train/{job}/result")).await;
                assert_eq!(status, StatusCode::OK);
                return result;
            }
            assert_ne!(state["state"], "failed", "{state}");
        }
        panic!("the job never ends");
    }

    pub(crate) async fn part(&self, result: &Value, part: Part) -> Bytes {
        let version: VersionId = result["version"].as_str().unwrap().parse().unwrap();
        self.registry.part("m", &version, part).await.unwrap()
    }

    pub(crate) async fn evidence(&self, result: &Value) -> Evidence {
        serde_json::from_slice(&self.part(result, Part::Evidence).await).unwrap()
    }
}
