//! A model with one input whose versions are lines through the data, written by hand.

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use features::{Encoder, Standard, TargetCode};
use host::Host;
use http_body_util::BodyExt;
use model::{Architecture, Member, Weights};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use registry::{BatchManifest, BatchStatus, Check, Origin, Part, Registry, VersionId};
use serde_json::{Value as Json, json};
use service::{Config, StatusCode};
use spec::{Batch, BatchBuilder, Spec, Value};
use storage::Store;
use tempfile::TempDir;
use tower::ServiceExt;

pub(crate) const MODEL: &str = "demo";

pub(crate) struct Fixture {
    pub(crate) app: Router,
    pub(crate) registry: Registry,
    models: TempDir,
    _store: Option<TempDir>,
}

/// The demo's spec; `more` are sections to add.
pub(crate) fn spec_text(more: &str) -> String {
    format!(
        "name: demo\ntask: regression\ntarget: {{column: y}}\ncolumns: {{x: {{kind: number}}}}\n\
         split: {{by: hash, columns: [x, y], fraction: 0.5}}\n{more}"
    )
}

impl Fixture {
    pub(crate) fn in_memory(more: &str) -> Self {
        Self::over(Store::memory(), None, more)
    }

    pub(crate) fn in_folder(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().to_str().unwrap(), [("fsync".to_owned(), "false".to_owned())]).unwrap();
        Self::over(store, Some(folder), more)
    }

    fn over(store: Store, folder: Option<TempDir>, more: &str) -> Self {
        let models = tempfile::tempdir().unwrap();
        let config = Config { models: models.path().to_owned(), ..Config::for_tests() };
        let host = Host::over(&config, store);
        let registry = host.registry().clone();
        let app = promote::router(promote::State::new(host));
        let fixture = Self { app, registry, models, _store: folder };
        fixture.write_spec(&spec_text(more));
        fixture
    }

    pub(crate) fn write_spec(&self, text: &str) {
        std::fs::write(self.models.path().join("demo.yaml"), text).unwrap();
    }

    /// Lands and accepts a batch of `y = 10 + slope x + noise`.
    pub(crate) async fn land(&self, number: u64, n_rows: usize, slope: f64) -> String {
        self.land_as(number, n_rows, slope, "train").await
    }

    pub(crate) async fn land_as(&self, number: u64, n_rows: usize, slope: f64, decision: &str) -> String {
        let rows = dataset::write_parquet(&Spec::parse(&spec_text("")).unwrap(), &line(number, n_rows, slope)).unwrap();
        self.land_rows(number, n_rows, rows, decision).await
    }

    pub(crate) async fn land_rows(&self, number: u64, n_rows: usize, rows: bytes::Bytes, decision: &str) -> String {
        let registry = &self.registry;
        let landed = registry.land(MODEL, number, rows.clone(), "text/csv", Origin::Fetched).await.unwrap();
        let batch = landed.landing.batch;
        registry.put_batch_file(MODEL, &batch, history::ROWS_FILE, rows).await.unwrap();
        let manifest = BatchManifest {
            batch: batch.clone(),
            sequence: landed.landing.sequence,
            batch_number: number,
            sha256: landed.landing.sha256,
            rows: n_rows as u64,
            quarantined: 0,
            status: BatchStatus::Landed,
            reasons: Vec::new(),
            columns: json!({}),
            stored_at: registry.now(),
        };
        registry.put_batch(MODEL, manifest).await.unwrap();
        let check = Check {
            batch: batch.clone(),
            decision: decision.to_owned(),
            reasons: Vec::new(),
            production: None,
            report: json!({}),
            at: registry.now(),
            key: "k".to_owned(),
        };
        registry.record_check(MODEL, check).await.unwrap();
        batch
    }

    /// Publishes the version that answers `10 + slope x + offset`, trained on `batch`.
    pub(crate) async fn publish(&self, slope: f64, offset: f64, batch: &str) -> VersionId {
        self.publish_with(&spec_text(""), slope, offset, batch).await
    }

    pub(crate) async fn publish_with(&self, spec_text: &str, slope: f64, offset: f64, batch: &str) -> VersionId {
        let spec = Spec::parse(spec_text).unwrap();
        let encoder = Encoder::fit(&spec, &line(0, 400, 2.0)).unwrap();
        let TargetCode::Number { plain: Some(Standard { scale, .. }), .. } = encoder.target() else {
            panic!("a regression")
        };
        let (slope, offset) = ((slope / scale) as f32, (offset / scale) as f32);
        let body = model::Body::Layers { widths: vec![2] };
        let member = Member { curves: Vec::new(), body, straight: false, log: false };
        let architecture = Architecture::new(encoder.layout(), 1).with(vec![member.clone()]);
        // The difference of SiLU on both signs of a number is the number.
        let tensors = architecture.member_tensors(&member).into_iter().map(|(name, shape)| {
            let values = match name.as_str() {
                "first.dense" => vec![1.0, -1.0],
                "head.weight" => vec![slope, -slope],
                "head.bias" => vec![offset],
                _ => vec![0.0; shape.iter().product()],
            };
            (format!("member.0.{name}"), values)
        });
        let tensors = tensors.collect();
        let weights = Weights::new(architecture, tensors).unwrap().to_bytes().unwrap();
        let parts = vec![
            (Part::Spec, spec_text.to_owned().into()),
            (Part::Encoder, encoder.to_bytes().into()),
            (Part::Weights, weights.into()),
            (Part::Reference, "{}".into()),
            (Part::Background, "{}".into()),
            (Part::Metrics, "{}".into()),
        ];
        let lineage = json!({"batch": batch, "batches": [batch]}).to_string();
        self.registry.publish(MODEL, parts, lineage.into()).await.unwrap()
    }

    pub(crate) async fn production(&self) -> Option<VersionId> {
        self.registry.production(MODEL).await.unwrap().map(|entry| entry.version)
    }

    pub(crate) async fn promote(&self, version: &VersionId, expected: Option<&VersionId>) -> (StatusCode, Json) {
        post(&self.app, "/promote", None, &json!({"model": MODEL, "version": version, "expected_production": expected}))
            .await
    }

    /// Promotes where nothing else may happen.
    pub(crate) async fn promoted(&self, version: &VersionId, expected: Option<&VersionId>) -> Json {
        let (status, body) = self.promote(version, expected).await;
        assert_eq!((status, &body["promoted"]), (StatusCode::OK, &json!(true)), "{body}");
        assert_eq!(self.production().await.as_ref(), Some(version));
        body
    }

    /// Promotes where a refusal must come.
    pub(crate) async fn refused(&self, version: &VersionId, expected: Option<&VersionId>) -> Json {
        let (status, body) = self.promote(version, expected).await;
        assert_eq!((status, &body["promoted"]), (StatusCode::OK, &json!(false)), "{body}");
        assert_eq!(body["production"], json!(expected), "{body}");
        assert_eq!(self.production().await.as_ref(), expected);
        body
    }

    pub(crate) async fn rollback(&self, key: Option<&str>, body: Json) -> (StatusCode, Json) {
        let mut request = json!({"model": MODEL, "reason": "by hand"});
        request.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        post(&self.app, "/rollback", key, &request).await
    }
}

pub(crate) async fn post(app: &Router, path: &str, key: Option<&str>, body: &Json) -> (StatusCode, Json) {
    let mut request = Request::post(path).header("content-type", "application/json");
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    let response = app.clone().oneshot(request.body(Body::from(body.to_string())).unwrap()).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap())
}

pub(crate) fn line(seed: u64, n_rows: usize, slope: f64) -> Batch {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let kind = spec::Kind::Number;
    let mut rows = BatchBuilder::new([kind], Some(kind), false);
    for _ in 0..n_rows {
        let x = rng.random_range(-1.0..1.0);
        let y = 10.0 + slope * x + rng.random_range(-0.3..0.3);
        rows.push(&[Value::Number(x)], &Value::Number(y), f64::NAN);
    }
    rows.finish()
}

pub(crate) fn reasons(body: &Json) -> Vec<String> {
    serde_json::from_value(body["reasons"].clone()).unwrap()
}
