//! A store filled with made-up records, and stubs in the place of `predict` and `explain`.

use std::sync::atomic::{AtomicI64, Ordering};

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use host::Host;
use registry::{
    Action, BatchManifest, BatchStatus, Check, DecisionKind, DecisionRecord, Landing, Move, Origin, Part, Registry,
    VersionId,
};
use secrecy::SecretString;
use serde_json::{Value, json};
use storage::{Clock, Store};
use tempfile::TempDir;

pub(crate) const TOKEN: &str = "a-token-of-tests";

const HOMES: &str = r#"
name: homes
task: regression
target: {column: price, unit: USD, transform: log}
columns:
  house_size: {kind: number, unit: sqft, range: [1, 2000000], nullable: true, description: living area}
  status:     {kind: category, allowed: [for sale, sold, "<b>odd</b>"]}
  state:      {kind: category, description: state or territory}
  furnished:  {kind: boolean}
  listed:     {kind: time, description: day of the listing}
derive: {listed_year: {year: listed}}
promote: {floors: {r2: 0.5}}
serve: {bands: [{below: 150000, label: low}, {label: high}]}
"#;

const CHURN: &str = r#"
name: churn
task: binary
target: {column: exited, classes: [0, 1], positive: 1}
columns:
  age:     {kind: number, unit: year, range: [18, 100]}
  balance: {kind: number, unit: EUR}
"#;

const PLANS: &str = r#"
name: plans
task: multiclass
target: {column: plan, classes: [basic, family, smart]}
columns:
  minutes: {kind: number, unit: min}
"#;

/// Settings with a store in memory and the specs in a folder of their own.
pub(crate) struct Fixture {
    pub(crate) models: TempDir,
    pub(crate) host: Host,
}

impl Fixture {
    /// Specs in the folder, nothing in the store.
    pub(crate) fn with_specs(specs: &[(&str, &str)]) -> Self {
        let models = tempfile::tempdir().unwrap();
        for (file, text) in specs {
            std::fs::write(models.path().join(file), text).unwrap();
        }
        let mut config = service::Config::for_tests();
        config.models = models.path().to_owned();
        config.token = Some(SecretString::from(TOKEN));
        let host = Host::over(&config, Store::memory().with_clock(clock()));
        Self { models, host }
    }

    /// Three models, of which `homes` has lived through everything.
    pub(crate) async fn full() -> Self {
        let fixture = Self::with_specs(&[("homes.yaml", HOMES), ("churn.yaml", CHURN), ("plans.yaml", PLANS)]);
        let registry = fixture.host.registry();
        fill_homes(registry).await;
        promote(registry, "churn", CHURN, "first", json!({"log_loss": 0.3412, "auc": 0.8613}), None).await;
        promote(registry, "plans", PLANS, "first", json!({"log_loss": 0.7}), None).await;
        fixture
    }

    /// The router, asking neighbours at this address.
    pub(crate) fn router(&self, neighbours: &str) -> Router {
        web::router(web::State::new(self.host.clone(), neighbours, format!("{neighbours}/")))
    }
}

/// Moves on by 17 minutes each time it is asked.
fn clock() -> Clock {
    let start: DateTime<Utc> = "2026-03-02T08:00:00Z".parse().unwrap();
    let ticks = AtomicI64::new(0);
    Clock::new(move || start + TimeDelta::minutes(17 * ticks.fetch_add(1, Ordering::Relaxed)))
}

async fn fill_homes(registry: &Registry) {
    let evidence = |challenger: f64| {
        json!({
            "metric": "mae_log",
            "new": {"batch": "000002-0123456789ab", "rows": 18_910, "champion": 0.4821, "challenger": challenger,
                "improvement": 0.4821 - challenger, "interval": [0.4721 - challenger, 0.4921 - challenger], "confidence": 0.95},
            "history": {"rows": 24_310, "batches": 2, "left_out": [], "champion": 0.31, "challenger": 0.3255,
                "relative_increase": 0.05, "allowed": 0.25},
            "floors": [{"metric": "r2", "floor": 0.5, "value": 0.71, "passed": true}],
            "metrics": {"champion": {}, "challenger": {}},
        })
    };
    let first = promote(registry, "homes", HOMES, "first", json!({"r2": 0.75, "mae_log": 0.230_961}), None).await;
    let second = promote(
        registry,
        "homes",
        HOMES,
        "second",
        json!({"r2": 0.78, "mae_log": 0.221}),
        Some((&first, evidence(0.2310))),
    )
    .await;
    decide(
        registry,
        DecisionRecord {
            id: "refusal".into(),
            kind: DecisionKind::Promotion,
            model: "homes".into(),
            version: publish(registry, "homes", HOMES, "third", json!({})).await,
            champion: Some(second.clone()),
            promoted: false,
            reasons: vec!["the interval of the improvement does not exclude a loss".into()],
            evidence: evidence(0.4901),
            at: registry.now(),
        },
    )
    .await;
    move_to(
        registry,
        "homes",
        &first,
        Some(&second),
        Action::Rollback,
        "rollback",
        "prices of <script>alert(1)</script> were wrong",
    )
    .await;

    batch(registry, "homes", 0, b"zero", 20_280, "bootstrap", &["no version serves yet"]).await;
    batch(
        registry,
        "homes",
        1,
        b"one",
        35_512,
        "train",
        &["`status` drifted: a Jensen-Shannon distance of 0.41 is above 0.1"],
    )
    .await;
    let narrow = ["1 of 51 levels of `state`", "203 rows are under 10 % of the median accepted batch"];
    let held = batch(registry, "homes", 2, b"two", 203, "quarantine", &narrow).await;
    batch(registry, "homes", 3, b"three", 1_018_910, "skip", &["no column that the model uses drifted"]).await;
    let freed = batch(registry, "homes", 4, b"four", 180, "quarantine", &narrow).await;
    registry.release_batch("homes", &freed.batch, "looked at by hand").await.unwrap();
    registry.land("homes", 5, Bytes::from_static(b"five"), "application/json", Origin::Replayed).await.unwrap();
    registry
        .record_event("homes", "restart", "the source is restarted and replayed: missing batch numbers: 5", Value::Null)
        .await
        .unwrap();
    registry
        .record_event("homes", "loss", "batch number 6 is lost", json!({"batch_number": 6, "held": held.batch}))
        .await
        .unwrap();
}

async fn batch(
    registry: &Registry,
    model: &str,
    number: u64,
    body: &'static [u8],
    rows: u64,
    decision: &str,
    reasons: &[&str],
) -> Landing {
    let landed =
        registry.land(model, number, Bytes::from_static(body), "application/json", Origin::Fetched).await.unwrap();
    let landing = landed.landing;
    let manifest = BatchManifest {
        batch: landing.batch.clone(),
        sequence: landing.sequence,
        batch_number: number,
        sha256: landing.sha256.clone(),
        rows,
        quarantined: number * 3,
        status: BatchStatus::Landed,
        reasons: Vec::new(),
        columns: Value::Null,
        stored_at: registry.now(),
    };
    registry.put_batch(model, manifest).await.unwrap();
    let check = Check {
        batch: landing.batch.clone(),
        decision: decision.to_owned(),
        reasons: reasons.iter().map(|reason| (*reason).to_owned()).collect(),
        production: None,
        report: Value::Null,
        at: registry.now(),
        key: format!("check-{number}"),
    };
    registry.record_check(model, check).await.unwrap();
    landing
}

/// Publishes a version whose parts are of no use but for the page, and moves production to it.
async fn promote(
    registry: &Registry,
    model: &str,
    spec: &'static str,
    name: &'static str,
    metrics: Value,
    champion: Option<(&VersionId, Value)>,
) -> VersionId {
    let version = publish(registry, model, spec, name, metrics).await;
    let (champion, evidence) = champion.map_or((None, Value::Null), |(champion, evidence)| (Some(champion), evidence));
    move_to(registry, model, &version, champion, Action::Promote, name, "better on the new rows").await;
    decide(
        registry,
        DecisionRecord {
            id: name.into(),
            kind: DecisionKind::Promotion,
            model: model.into(),
            version: version.clone(),
            champion: champion.cloned(),
            promoted: true,
            reasons: vec!["better on the new rows, and no worse on history than is allowed".into()],
            evidence,
            at: registry.now(),
        },
    )
    .await;
    version
}

async fn publish(
    registry: &Registry,
    model: &str,
    spec: &'static str,
    name: &'static str,
    metrics: Value,
) -> VersionId {
    let metrics = json!({"holdout": {"new": metrics, "history": null}, "rows": {"train": 80}}).to_string();
    let body = |part: Part| match part {
        Part::Spec => Bytes::from_static(spec.as_bytes()),
        Part::Metrics => Bytes::from(metrics.clone()),
        _ => Bytes::from_static(name.as_bytes()),
    };
    let mut parts: Vec<_> = Part::IDENTITY.into_iter().map(|part| (part, body(part))).collect();
    // Older versions have no cards.
    if name != "second" {
        let card = |title: &str| Bytes::from(format!("<!DOCTYPE html><title>{title}</title><script>alert(1)</script>"));
        parts.push((Part::ModelCardPage, card("Model card")));
        parts.push((Part::DataCardPage, card("Data card")));
    }
    registry.publish(model, parts, Bytes::from_static(b"{}")).await.unwrap()
}

async fn move_to(
    registry: &Registry,
    model: &str,
    version: &VersionId,
    expected: Option<&VersionId>,
    action: Action,
    decision: &str,
    reason: &str,
) {
    let request = Move { version: version.clone(), action, decision: decision.into(), reason: reason.into() };
    registry.move_production(model, expected, &request).await.unwrap();
}

async fn decide(registry: &Registry, decision: DecisionRecord) {
    registry.put_decision(decision).await.unwrap();
}

/// Starts stubs of `predict` and `explain` and returns their base URL.
pub(crate) async fn neighbours() -> String {
    let router =
        Router::new().route("/models/{model}/predict", post(predict)).route("/models/{model}/explain", post(explain));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// The base URL of neighbours that are down: nothing listens there any more.
pub(crate) async fn nobody() -> String {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

async fn predict(Path(model): Path<String>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    if let Some(refusal) = refusal(&headers, &body) {
        return refusal;
    }
    let prediction = match model.as_str() {
        "homes" => json!({"id": "1", "prediction": 312_456.78, "band": "high"}),
        "churn" => json!({"id": "1", "prediction": "0", "probability": 0.2346, "band": "low"}),
        _ => json!({"id": "1", "prediction": "family", "probabilities": {"basic": 0.2, "family": 0.7, "smart": 0.1}}),
    };
    Json(json!({"model": model, "version": "a".repeat(64), "predictions": [prediction]})).into_response()
}

async fn explain(Path(model): Path<String>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    if let Some(refusal) = refusal(&headers, &body) {
        return refusal;
    }
    assert!(body["deadline_ms"].is_u64(), "{body}");
    let explanation = match model.as_str() {
        "homes" => {
            json!({"base_value": 250_000.0, "values": {"house_size": 90_000.0, "status": -12_543.22, "state": -15_000.0,
            "furnished": 0.0, "listed": 0.0}, "prediction": 312_456.78, "method": "exact", "evaluations": 3200})
        }
        "churn" => {
            json!({"base_value": 0.2, "values": {"age": 0.0346, "balance": 0.0}, "prediction": 0.2346, "method": "sampled",
            "evaluations": 900, "standard_error": {"age": 0.0012, "balance": 0.0011}})
        }
        _ => json!({"classes": {
            "basic": {"base_value": 0.3, "values": {"minutes": -0.1}, "prediction": 0.2},
            "family": {"base_value": 0.4, "values": {"minutes": 0.3}, "prediction": 0.7},
            "smart": {"base_value": 0.3, "values": {"minutes": -0.2}, "prediction": 0.1},
        }, "method": "exact", "evaluations": 200}),
    };
    Json(json!({"model": model, "version": "a".repeat(64), "explanations": [explanation]})).into_response()
}

/// What a neighbour says to a wrong token, and to cells that are not of their kind.
fn refusal(headers: &HeaderMap, body: &Value) -> Option<Response> {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if authorization != Some(&format!("Bearer {TOKEN}")) {
        return Some(StatusCode::UNAUTHORIZED.into_response());
    }
    assert!(headers.contains_key("traceparent") && headers.contains_key("x-request-id"), "{headers:?}");
    let size = &body["records"][0]["house_size"];
    let mut errors = Vec::new();
    if size.is_string() {
        let detail = format!("a number is needed here, not the text `{}`", size.as_str().unwrap_or_default());
        errors.push(json!({"pointer": "/records/0/house_size", "detail": detail}));
        errors.push(json!({"pointer": "/records/0/furnished", "detail": "a value is needed here, not null"}));
        errors.push(json!({"pointer": "/records/0/extra", "detail": "unknown column"}));
    }
    let document = json!({"type": "/problems/invalid", "title": "The request is not valid", "status": 422,
        "detail": "the records do not fit", "errors": errors});
    (!errors_of(&document).is_empty()).then(|| (StatusCode::UNPROCESSABLE_ENTITY, Json(document)).into_response())
}

fn errors_of(document: &Value) -> &[Value] {
    document["errors"].as_array().map_or(&[], Vec::as_slice)
}
