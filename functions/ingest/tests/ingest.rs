//! The function against a data source that advances on every read, through its router.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use host::Host;
use http_body_util::BodyExt;
use registry::Registry;
use serde_json::{Value, json};
use storage::Store;
use tower::ServiceExt;

/// A source: its batches, and the one that comes next.
#[derive(Clone, Default)]
struct Source(Arc<Mutex<Sequence>>);

#[derive(Default)]
struct Sequence {
    bodies: Vec<String>,
    next: usize,
    fail_once: bool,
    damage_once: Option<usize>,
}

impl Source {
    fn of(bodies: impl IntoIterator<Item = String>) -> Self {
        Self(Arc::new(Mutex::new(Sequence { bodies: bodies.into_iter().collect(), ..Sequence::default() })))
    }

    /// Three batches of two good rows each.
    fn of_three() -> Self {
        Self::of((0..3).map(|number| body(number, &json!([{"x": number, "y": 1.0}, {"x": 10 + number, "y": 2.0}]))))
    }

    fn read(&self) -> (StatusCode, String) {
        let mut sequence = self.0.lock().unwrap();
        if std::mem::take(&mut sequence.fail_once) {
            return (StatusCode::INTERNAL_SERVER_ERROR, "out of order".to_owned());
        }
        let Some(body) = sequence.bodies.get(sequence.next).cloned() else {
            return (StatusCode::BAD_REQUEST, r#"{"detail": "Ya se recolectó toda la información"}"#.to_owned());
        };
        let number = sequence.next;
        sequence.next += 1;
        if sequence.damage_once == Some(number) {
            sequence.damage_once = None;
            return (StatusCode::OK, body[..body.len() - 7].to_owned());
        }
        (StatusCode::OK, body)
    }

    fn restart(&self) {
        self.0.lock().unwrap().next = 0;
    }

    async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/data", get(async |State(source): State<Source>| source.read()))
            .route(
                "/restart",
                get(async |State(source): State<Source>| {
                    source.restart();
                    Json(json!({"ok": true}))
                }),
            )
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }
}

fn body(number: usize, rows: &Value) -> String {
    json!({"group_number": 1, "batch_number": number, "data": rows}).to_string()
}

/// The function over a store in memory, with one model named `m`.
struct App {
    router: Router,
    registry: Registry,
    models: tempfile::TempDir,
}

impl App {
    /// A model whose source is at `address`; `more` is what the spec says besides.
    fn new(source: &str) -> Self {
        let models = tempfile::tempdir().unwrap();
        let spec = format!(
            "name: m\ntask: regression\ntarget: {{column: y}}\nsource: {source}\ncolumns: {{x: {{kind: number, range: [0, 100]}}}}\n"
        );
        std::fs::write(models.path().join("m.yaml"), spec).unwrap();
        let config = service::Config { models: models.path().to_owned(), ..service::Config::for_tests() };
        let host = Host::over(&config, Store::memory());
        let registry = host.registry().clone();
        Self { router: ingest::router(ingest::State::new(host)), registry, models }
    }

    /// A model that pulls from an endpoint which can restart.
    async fn pulling(source: &Source) -> Self {
        let url = source.serve().await;
        let exhausted = "exhausted: {status: 400, match: '(?i)recolect'}";
        Self::new(&format!("{{http: {{url: '{url}/data', restart: /restart, {exhausted}}}}}"))
    }

    /// A model that pulls from an endpoint which cannot.
    async fn pulling_once(source: &Source) -> Self {
        let url = source.serve().await;
        Self::new(&format!("{{http: {{url: '{url}/data', exhausted: {{status: 400}}}}}}"))
    }

    async fn post(&self, route: &str, key: &str, body: Value) -> (StatusCode, Value) {
        let request = Request::post(route)
            .header("content-type", "application/json")
            .header("idempotency-key", key)
            .body(body.to_string())
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    async fn ingest(&self, key: &str) -> Value {
        let (status, body) = self.post("/ingest", key, json!({"model": "m"})).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    }

    /// The numbers and statuses that calls with the keys 0, 1, .. get until the source is exhausted.
    async fn ingest_all(&self) -> Vec<(Option<u64>, String)> {
        let mut seen = Vec::new();
        for call in 0..20 {
            let answer = self.ingest(&format!("call-{call}")).await;
            let status = answer["status"].as_str().unwrap().to_owned();
            if status == "exhausted" {
                return seen;
            }
            seen.push((answer["batch_number"].as_u64(), status));
        }
        panic!("the source is never exhausted: {seen:?}");
    }

    async fn event_kinds(&self) -> Vec<String> {
        self.registry.events("m").await.unwrap().into_iter().map(|event| event.kind).collect()
    }
}

fn landed(numbers: impl IntoIterator<Item = u64>) -> Vec<(Option<u64>, String)> {
    numbers.into_iter().map(|number| (Some(number), "landed".to_owned())).collect()
}

#[tokio::test]
async fn a_key_gets_its_batch_and_the_next_key_the_next() {
    let app = App::pulling(&Source::of_three()).await;
    let first = app.ingest("a").await;
    assert_eq!(first["status"], "landed");
    assert_eq!(first["rows"], 2);
    assert_eq!(app.ingest("a").await, first, "the same key gets the same batch");
    assert_eq!(app.ingest("b").await["batch_number"], 1);
    assert_eq!(app.ingest("c").await["batch_number"], 2);
    assert_eq!(app.ingest("d").await["status"], "exhausted");
    assert_eq!(app.ingest("a").await, first);
    assert!(app.registry.open_intents("m").await.unwrap().is_empty());
}

#[tokio::test]
async fn a_batch_that_was_taken_and_never_landed_is_replayed() {
    let source = Source::of_three();
    let app = App::pulling(&source).await;
    assert_eq!(app.ingest("a").await["batch_number"], 0);
    source.read(); // Somebody took batch 1 and died with it.
    assert_eq!(app.ingest("b").await["batch_number"], 1);
    assert_eq!(app.ingest("c").await["batch_number"], 2);
    assert_eq!(app.ingest("d").await["status"], "exhausted");
    assert_eq!(app.event_kinds().await, ["restart", "replay"]);
    assert_eq!(app.registry.landings("m").await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_last_batch_that_was_taken_and_never_landed_is_replayed() {
    let source = Source::of_three();
    let app = App::pulling(&source).await;
    app.ingest("a").await;
    app.ingest("b").await;
    app.registry.open_intent("m", "dead").await.unwrap();
    source.read(); // The holder of the intent took batch 2 and died with it.
    assert_eq!(app.ingest("c").await["batch_number"], 2);
    assert_eq!(app.ingest("d").await["status"], "exhausted");
    assert_eq!(app.event_kinds().await, ["restart", "replay"]);
}

#[tokio::test]
async fn batches_are_handed_out_in_order_when_a_writer_died_before_it_healed() {
    let source = Source::of_three();
    let app = App::pulling(&source).await;
    app.ingest("a").await;
    source.read();
    let (_, later) = source.read();
    app.registry.land("m", 2, later.into(), "application/json", registry::Origin::Fetched).await.unwrap();
    assert_eq!(app.ingest_all().await, landed([1, 2]));
    let order: Vec<u64> =
        app.registry.batches("m").await.unwrap().iter().map(|state| state.landing.batch_number).collect();
    assert_eq!(order, [0, 1, 2], "a replayed batch stands where it would have come the first time");
}

#[tokio::test]
async fn a_first_batch_that_was_taken_and_never_landed_is_replayed() {
    let source = Source::of_three();
    let app = App::pulling(&source).await;
    app.registry.open_intent("m", "dead").await.unwrap();
    source.read();
    assert_eq!(app.ingest_all().await, landed([0, 1, 2]));
}

#[tokio::test]
async fn a_source_without_numbers_is_read_again_after_an_interruption() {
    let bodies = (0..3).map(|number| json!([{"x": number, "y": 1.0}]).to_string());
    let source = Source::of(bodies);
    let app = App::pulling(&source).await;
    app.ingest("a").await;
    app.registry.open_intent("m", "dead").await.unwrap();
    source.read(); // The holder of the intent took the second batch and died with it.
    assert_eq!(app.ingest_all().await.len(), 2);
    assert_eq!(app.registry.landings("m").await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_source_may_count_from_one() {
    let bodies = (1..4).map(|number| body(number, &json!([{"x": number, "y": 1.0}])));
    let app = App::pulling(&Source::of(bodies)).await;
    assert_eq!(app.ingest_all().await, landed([1, 2, 3]));
    assert!(app.event_kinds().await.is_empty());
}

#[tokio::test]
async fn an_unreadable_batch_is_read_again_when_the_spec_was_mended() {
    let app = App::pulling(&Source::of([body(0, &json!([{"x": 1, "z": 2, "y": 1.0}]))])).await;
    let answer = app.ingest("a").await;
    assert_eq!(answer["status"], "quarantined");
    let file = app.models.path().join("m.yaml");
    let mended = std::fs::read_to_string(&file).unwrap() + "drop: [z]\n";
    std::fs::write(&file, mended).unwrap();
    let batch = answer["batch"].as_str().unwrap();
    let (status, body) = app.post(&format!("/ingest/{batch}/release"), "r", json!({"reason": "z is dropped"})).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let state = app.registry.batch("m", batch).await.unwrap().unwrap();
    assert_eq!(state.manifest.as_ref().map(|manifest| manifest.rows), Some(1));
    assert!(state.accepted());
}

#[tokio::test]
async fn an_interrupted_fetch_that_took_nothing_costs_nothing() {
    let app = App::pulling(&Source::of_three()).await;
    app.registry.open_intent("m", "dead").await.unwrap();
    assert_eq!(app.ingest_all().await, landed([0, 1, 2]));
    assert!(app.event_kinds().await.is_empty());
}

#[tokio::test]
async fn a_gap_that_cannot_be_healed_is_reported_once() {
    let source = Source::of_three();
    let app = App::pulling_once(&source).await;
    app.ingest("a").await;
    source.read();
    assert_eq!(app.ingest_all().await, landed([2]));
    assert_eq!(app.event_kinds().await, ["loss"]);
}

#[tokio::test]
async fn a_damaged_body_is_kept_and_replaced_by_a_replay() {
    let source = Source::of_three();
    source.0.lock().unwrap().damage_once = Some(1);
    let app = App::pulling(&source).await;
    assert_eq!(app.ingest_all().await, landed([0, 1, 2]));
    assert_eq!(app.event_kinds().await, ["restart", "replay"]);
    assert_eq!(app.registry.landings("m").await.unwrap().len(), 4, "the damaged bytes are kept, too");
}

#[tokio::test]
async fn a_body_that_is_always_damaged_is_quarantined_and_the_next_comes() {
    let mut bodies: Vec<String> = (0..2).map(|number| body(number, &json!([{"x": number, "y": 1.0}]))).collect();
    bodies[0].truncate(20);
    let app = App::pulling(&Source::of(bodies)).await;
    let seen = app.ingest_all().await;
    assert_eq!(seen, [(Some(0), "quarantined".to_owned()), (Some(1), "landed".to_owned())]);
    assert!(app.event_kinds().await.contains(&"loss".to_owned()));
}

#[tokio::test]
async fn bad_rows_go_to_quarantine_and_are_counted() {
    let rows = json!([{"x": 1, "y": 1.0}, {"x": 101, "y": 1.0}, {"x": null, "y": 1.0}, {"x": 2, "y": "z"}]);
    let app = App::pulling(&Source::of([body(0, &rows)])).await;
    let answer = app.ingest("a").await;
    assert_eq!((&answer["rows"], &answer["quarantined"]), (&json!(1), &json!(3)));
    let batch = answer["batch"].as_str().unwrap();
    let lines = app.registry.get_batch_file("m", batch, history::QUARANTINE_FILE).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&lines).lines().count(), 3);
}

#[tokio::test]
async fn a_batch_with_other_columns_is_quarantined_as_a_whole() {
    for (rows, reason) in [
        (json!([{"x": 1, "z": 2, "y": 1.0}]), "z"),
        (json!([{"y": 1.0}]), "x"),
        (json!([{"x": 500, "y": 1.0}]), "none of its 1 rows is good"),
        (json!([]), "it has no rows"),
    ] {
        let app = App::pulling(&Source::of([body(0, &rows)])).await;
        let answer = app.ingest("a").await;
        assert_eq!(answer["status"], "quarantined");
        assert!(answer["reasons"][0].as_str().unwrap().contains(reason), "{answer}");
        let batch = answer["batch"].as_str().unwrap();
        let (status, problem) = app.post(&format!("/ingest/{batch}/release"), "r", json!({"reason": "fine"})).await;
        assert_eq!(status, StatusCode::CONFLICT, "there are no rows to release: {problem}");
    }
}

#[tokio::test]
async fn a_source_that_fails_is_an_upstream_problem_and_loses_nothing() {
    let source = Source::of_three();
    source.0.lock().unwrap().fail_once = true;
    let app = App::pulling(&source).await;
    let (status, problem) = app.post("/ingest", "a", json!({"model": "m"})).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(problem["detail"].as_str().unwrap().contains("answered 500"), "{problem}");
    assert_eq!(app.ingest_all().await, landed([0, 1, 2]));
}

#[tokio::test]
async fn a_source_that_starts_again_repeats_itself() {
    let source = Source::of_three();
    let app = App::pulling(&source).await;
    let first = app.ingest("a").await;
    source.restart();
    let again = app.ingest("b").await;
    assert_eq!(again["status"], "repeated");
    assert_eq!(again["batch"], first["batch"]);
    assert_eq!(app.ingest("c").await["batch_number"], 1);
}

#[tokio::test]
async fn a_quarantined_batch_is_released_by_hand_on_record() {
    let app = App::pulling(&Source::of_three()).await;
    let batch = app.ingest("a").await["batch"].as_str().unwrap().to_owned();
    let route = format!("/ingest/{batch}/release");
    let (status, _) = app.post(&route, "early", json!({"reason": "no need"})).await;
    assert_eq!(status, StatusCode::CONFLICT, "it is not in quarantine");
    let check = registry::Check {
        batch: batch.clone(),
        decision: "quarantine".to_owned(),
        reasons: vec!["too few rows".to_owned()],
        production: None,
        report: Value::Null,
        at: app.registry.now(),
        key: "k".to_owned(),
    };
    app.registry.record_check("m", check).await.unwrap();
    let (status, released) = app.post(&route, "r", json!({"reason": "looked at it"})).await;
    assert_eq!((status, &released["reason"]), (StatusCode::OK, &json!("looked at it")));
    let (status, again) = app.post(&route, "s", json!({"reason": "another"})).await;
    assert_eq!((status, &again["reason"]), (StatusCode::OK, &json!("looked at it")), "the first reason stands");
    assert!(app.registry.batch("m", &batch).await.unwrap().unwrap().accepted());
    assert_eq!(app.event_kinds().await, ["release"]);
    let (status, _) = app.post("/ingest/000009-0123456789ab/release", "t", json!({"reason": "x"})).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn files_are_batches_in_order_of_their_names() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("2.csv"), "x,y\n3,4\n").unwrap();
    std::fs::write(folder.path().join("1.csv"), "x,y\n1,2\n1\n5,6,7\n").unwrap();
    let app = App::new(&format!("{{files: {{url: '{}', format: csv}}}}", folder.path().display()));
    let first = app.ingest("a").await;
    assert_eq!((&first["rows"], &first["quarantined"]), (&json!(1), &json!(2)), "ragged rows are quarantined");
    assert_eq!(app.ingest("b").await["rows"], 1);
    assert_eq!(app.ingest("c").await["status"], "exhausted");
    std::fs::write(folder.path().join("3.csv"), "x,y\n3,4\n").unwrap();
    std::fs::write(folder.path().join("4.csv"), "x,y\n7,8\n").unwrap();
    let fourth = app.ingest("d").await;
    assert_eq!((&fourth["batch_number"], &fourth["status"]), (&json!(2), &json!("landed")), "3.csv repeats 2.csv");
    assert_eq!(app.ingest("e").await["status"], "exhausted");
    for archived in ["1.csv", "2.csv", "3.csv"] {
        std::fs::remove_file(folder.path().join(archived)).unwrap();
    }
    std::fs::write(folder.path().join("0.csv"), "x,y\n9,10\n11,12\n").unwrap();
    assert_eq!(app.ingest("f").await["rows"], 2, "archived files and one that sorts first confuse nobody");
    assert_eq!(app.ingest("g").await["status"], "exhausted");
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused() {
    let app = App::pulling(&Source::of_three()).await;
    for (route, body, status) in [
        ("/ingest", json!({"model": "nobody"}), StatusCode::NOT_FOUND),
        ("/ingest", json!({"modle": "m"}), StatusCode::UNPROCESSABLE_ENTITY),
        ("/ingest", json!({}), StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let (found, problem) = app.post(route, "k", body).await;
        assert_eq!(found, status, "{problem}");
        assert!(problem["detail"].is_string());
    }
}
