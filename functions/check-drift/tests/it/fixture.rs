//! A model with a number, a category and a time, and batches of it.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use bytes::Bytes;
use drift::{Profile, Values};
use features::Encoder;
use host::Host;
use http_body_util::BodyExt;
use model::{Architecture, Member, Weights};
use registry::{Action, BatchManifest, BatchStatus, Move, Origin, Part, Registry, VersionId};
use serde_json::{Value as Json, json};
use service::{Config, StatusCode};
use spec::{Batch, BatchBuilder, ColumnData, Kind, Spec, Value};
use storage::Store;
use tempfile::TempDir;
use tower::ServiceExt;

pub(crate) const MODEL: &str = "demo";

pub(crate) const SPEC: &str = "
name: demo
task: regression
target: {column: price}
columns:
  size: {kind: number}
  city: {kind: category}
  sold: {kind: time}
derive: {month: {month: sold}}
drift: {min_rows: 200}
";

pub(crate) struct Fixture {
    pub(crate) app: Router,
    pub(crate) registry: Registry,
    models: TempDir,
    _store: Option<TempDir>,
}

/// How a batch differs from the others.
#[derive(Clone, Copy)]
pub(crate) struct Rows {
    pub(crate) n_rows: usize,
    /// Added to every size, whose standard deviation is 1.
    pub(crate) shift: f64,
    /// Added to every price, whose standard deviation is 1.
    pub(crate) price: f64,
    /// Cities that occur, of 20.
    pub(crate) n_cities: usize,
}

pub(crate) const PLAIN: Rows = Rows { n_rows: 2_000, shift: 0.0, price: 0.0, n_cities: 20 };

pub(crate) fn batch(seed: usize, rows: Rows) -> Batch {
    let kinds = [Kind::Number, Kind::Category, Kind::Time];
    let mut builder = BatchBuilder::new(kinds, Some(Kind::Number), false);
    // Evenly spread instead of drawn: two batches differ by nothing but what a test asks for.
    let spread =
        |row: usize, step: usize| ((row * step + seed) % rows.n_rows) as f64 / rows.n_rows as f64 * 12.0_f64.sqrt();
    for row in 0..rows.n_rows {
        let values = [
            Value::Number(spread(row, 7_919) + rows.shift),
            Value::Level(format!("city {}", row % rows.n_cities)),
            Value::Number((seed * 86_400) as f64),
        ];
        builder.push(&values, &Value::Number(spread(row, 104_729) + rows.price), f64::NAN);
    }
    builder.finish()
}

impl Fixture {
    pub(crate) fn all() -> [Self; 2] {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().to_str().unwrap(), [("fsync".to_owned(), "false".to_owned())]).unwrap();
        [Self::over(Store::memory(), None), Self::over(store, Some(folder))]
    }

    pub(crate) fn in_memory() -> Self {
        Self::over(Store::memory(), None)
    }

    fn over(store: Store, folder: Option<TempDir>) -> Self {
        let models = tempfile::tempdir().unwrap();
        let config = Config { models: models.path().to_owned(), ..Config::for_tests() };
        let host = Host::over(&config, store);
        let registry = host.registry().clone();
        let app = check_drift::router(check_drift::State::new(host));
        let fixture = Self { app, registry, models, _store: folder };
        fixture.write_spec(SPEC);
        fixture
    }

    pub(crate) fn write_spec(&self, text: &str) {
        std::fs::write(self.models.path().join("demo.yaml"), text).unwrap();
    }

    pub(crate) async fn land(&self, number: usize, rows: Rows) -> String {
        let batch = dataset::write_parquet(&Spec::parse(SPEC).unwrap(), &batch(number, rows)).unwrap();
        self.land_as(number, batch, rows.n_rows, BatchStatus::Landed, &[]).await
    }

    pub(crate) async fn land_as(
        &self,
        number: usize,
        body: Bytes,
        n_rows: usize,
        status: BatchStatus,
        reasons: &[&str],
    ) -> String {
        let registry = &self.registry;
        let raw = Bytes::from(format!("raw {number}"));
        let landing = registry.land(MODEL, number as u64, raw, "text/csv", Origin::Fetched).await.unwrap().landing;
        registry.put_batch_file(MODEL, &landing.batch, history::ROWS_FILE, body).await.unwrap();
        let manifest = BatchManifest {
            batch: landing.batch.clone(),
            sequence: landing.sequence,
            batch_number: number as u64,
            sha256: landing.sha256,
            rows: n_rows as u64,
            quarantined: 0,
            status,
            reasons: reasons.iter().map(|reason| (*reason).to_owned()).collect(),
            columns: json!({}),
            stored_at: registry.now(),
        };
        registry.put_batch(MODEL, manifest).await.unwrap();
        landing.batch
    }

    /// Publishes a version trained on such rows and lets it serve.
    pub(crate) async fn serve(&self, rows: Rows) -> VersionId {
        self.serve_with(Self::reference(rows)).await
    }

    pub(crate) fn reference(rows: Rows) -> Vec<u8> {
        let batch = batch(0, rows);
        let columns = [("size", 0), ("city", 1)].map(|(name, index)| (name.to_owned(), values(batch.column(index))));
        let target = ("price".to_owned(), values(batch.target().unwrap()));
        Profile::of(columns.into_iter(), Some(target)).write()
    }

    pub(crate) async fn serve_with(&self, reference: Vec<u8>) -> VersionId {
        self.serve_as(SPEC, reference).await
    }

    pub(crate) async fn serve_as(&self, text: &str, reference: Vec<u8>) -> VersionId {
        let spec = Spec::parse(text).unwrap();
        let encoder = Encoder::fit(&spec, &batch(0, PLAIN)).unwrap();
        // Without weights it answers the mean, which is the best that can be said of these prices.
        let body = model::Body::Layers { widths: vec![1] };
        let member = Member { curves: Vec::new(), body, straight: false, log: false };
        let architecture = Architecture::new(encoder.layout(), 1).with(vec![member.clone()]);
        let zeros = |shape: Vec<usize>| vec![0.0; shape.iter().product()];
        let tensors = architecture.member_tensors(&member).into_iter();
        let tensors = tensors.map(|(name, shape)| (format!("member.0.{name}"), zeros(shape))).collect();
        let weights = Weights::new(architecture, tensors).unwrap().to_bytes().unwrap();
        let body = |part| match part {
            Part::Spec => text.to_owned().into(),
            Part::Reference => reference.clone().into(),
            Part::Encoder => encoder.to_bytes().into(),
            Part::Weights => weights.clone().into(),
            _ => "{}".into(),
        };
        let parts = Part::IDENTITY.map(|part| (part, body(part))).to_vec();
        // Nobody checks it, so it is not among the accepted batches.
        let made_for = self.land(0, PLAIN).await;
        let lineage = json!({"batch": made_for, "batches": [made_for]}).to_string();
        let version = self.registry.publish(MODEL, parts, lineage.into()).await.unwrap();
        let now = self.registry.production(MODEL).await.unwrap().map(|entry| entry.version);
        let request = Move {
            version: version.clone(),
            action: Action::Promote,
            decision: version.short().to_owned(),
            reason: "a test".to_owned(),
        };
        self.registry.move_production(MODEL, now.as_ref(), &request).await.unwrap();
        version
    }

    pub(crate) async fn check(&self, batch: &str) -> (StatusCode, Json) {
        self.check_as(batch, None).await
    }

    pub(crate) async fn check_as(&self, batch: &str, key: Option<&str>) -> (StatusCode, Json) {
        self.post("/check-drift", &json!({"model": MODEL, "batch": batch}), key).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Json, key: Option<&str>) -> (StatusCode, Json) {
        let mut request = Request::post(path).header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let (status, _, body) = send(&self.app, request.body(Body::from(body.to_string())).unwrap()).await;
        (status, serde_json::from_str(&body).unwrap())
    }

    /// A check that must come to a decision.
    pub(crate) async fn decided(&self, batch: &str, decision: &str) -> Json {
        let (status, body) = self.check(batch).await;
        assert_eq!((status, &body["decision"]), (StatusCode::OK, &json!(decision)), "{body}");
        body
    }

    pub(crate) async fn page(&self, path: &str) -> (StatusCode, HeaderMap, String) {
        send(&self.app, Request::get(path).body(Body::empty()).unwrap()).await
    }
}

async fn send(app: &Router, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    let (head, body) = app.clone().oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
}

pub(crate) fn first_reason(body: &Json) -> &str {
    body["reasons"][0].as_str().unwrap()
}

fn values(column: &ColumnData) -> Values<'_> {
    match column {
        ColumnData::Numbers(numbers) => Values::Numbers(numbers),
        ColumnData::Categories(cells) => Values::Categories { levels: &cells.levels, codes: &cells.codes },
    }
}
