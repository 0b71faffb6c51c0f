//! The source over HTTP, without a socket.

use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use clap::Parser;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

fn args(line: &str) -> Args {
    Cli::try_parse_from(std::iter::once("source").chain(line.split_whitespace())).unwrap().args
}

fn app(line: &str) -> Router {
    router(Source::build(&args(line)).unwrap())
}

async fn get(app: &Router, path: &str) -> (StatusCode, Vec<u8>) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    (response.status(), response.into_body().collect().await.unwrap().to_bytes().to_vec())
}

async fn get_json(app: &Router, path: &str) -> (u16, Value) {
    let (status, body) = get(app, path).await;
    (status.as_u16(), serde_json::from_slice(&body).unwrap())
}

/// The batch numbers, or statuses, of so many reads.
async fn reads(app: &Router, group: usize, count: usize) -> Vec<String> {
    let mut answers = Vec::new();
    for _ in 0..count {
        let (status, body) = get_json(app, &format!("/data?group_number={group}&day=Tuesday")).await;
        answers.push(if status == 200 { body["batch_number"].to_string() } else { format!("HTTP {status}") });
    }
    answers
}

const SMALL: &str = "--system telecomai --rows 3,2";

#[tokio::test]
async fn every_read_advances_until_the_batches_are_over_and_restart_replays_the_same_bytes() {
    let app = app(SMALL);
    let mut passes = Vec::new();
    for _ in 0..2 {
        let mut pass = Vec::new();
        for batch in 0..5 {
            let (status, body) = get(&app, "/data?group_number=3&day=Wednesday").await;
            assert_eq!(status, 200);
            let document: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(document["group_number"], 3);
            assert_eq!(document["day"], "Wednesday");
            assert_eq!(document["batch_number"], batch);
            assert_eq!(document["data"].as_array().unwrap().len(), if batch == 0 { 3 } else { 2 });
            pass.push(body);
        }
        let over = json!({"detail": "Ya se recolectó toda la información mínima necesaria"});
        assert_eq!(get_json(&app, "/data?group_number=3").await, (400, over));
        let restart = get_json(&app, "/restart_data_generation?group_number=3&day=Wednesday").await;
        assert_eq!(restart, (200, json!({"ok": true})));
        passes.push(pass);
    }
    assert_eq!(passes[0], passes[1]);
    // Another process with the same options has the same rows; another seed has others.
    let again = self::app(SMALL);
    assert_eq!(get(&again, "/data?group_number=3&day=Wednesday").await.1, passes[0][0]);
    let other = self::app("--system telecomai --rows 3,2 --seed 8");
    assert_ne!(get(&other, "/data?group_number=3&day=Wednesday").await.1, passes[0][0]);
}

#[tokio::test]
async fn groups_have_their_own_cursors() {
    let app = app(SMALL);
    assert_eq!(reads(&app, 1, 2).await, ["0", "1"]);
    assert_eq!(reads(&app, 10, 1).await, ["0"]);
    get(&app, "/restart_data_generation?group_number=10").await;
    assert_eq!(reads(&app, 1, 4).await, ["2", "3", "4", "HTTP 400"]);
    let (_, document) = get_json(&app, "/data?group_number=10").await;
    assert_eq!((&document["day"], &document["batch_number"]), (&Value::Null, &json!(0)));
}

#[tokio::test]
async fn wrong_groups_are_refused_and_move_nothing() {
    let app = app(SMALL);
    for (query, status, detail) in [
        ("", 422, r#""type":"missing","loc":["query","group_number"],"msg":"Field required""#),
        ("?day=Tuesday", 422, "Field required"),
        ("?group_number=0", 422, "greater than or equal to 1"),
        ("?group_number=-1", 422, "greater than or equal to 1"),
        ("?group_number=11", 422, "less than or equal to 10"),
        ("?group_number=", 400, "Número de grupo inválido"),
        ("?group_number=abc", 400, "Número de grupo inválido"),
        ("?group_number=1.5", 400, "Número de grupo inválido"),
    ] {
        for route in ["/data", "/restart_data_generation"] {
            let (found, body) = get_json(&app, &format!("{route}{query}")).await;
            assert_eq!(found, status, "{route}{query}: {body}");
            assert!(body["detail"].to_string().contains(detail), "{route}{query}: {body}");
        }
    }
    for method in [Method::HEAD, Method::POST] {
        let request = Request::builder().method(method).uri("/data?group_number=1").body(Body::empty()).unwrap();
        assert_eq!(app.clone().oneshot(request).await.unwrap().status(), 405);
    }
    assert_eq!(get_json(&app, "/nowhere").await, (404, json!({"detail": "Not Found"})));
    assert_eq!(reads(&app, 1, 1).await, ["0"]);
}

#[tokio::test]
async fn the_front_page_says_what_the_rows_are() {
    let app = app("--system bankchurn --rows 10 --drift shift:Age:1 --drift-from 2");
    let (_, about) = get_json(&app, "/").await;
    assert_eq!(about["Proyecto Final"], "Extracción de datos, entrenamiento de modelos.");
    assert_eq!(about["data"], "synthetic");
    assert_eq!(about["rows"], json!([10, 10, 10, 10, 10]));
    assert_eq!(about["target"], "Exited");
    assert!(about["best"]["auc"].as_f64().unwrap() > 0.8);
    assert_eq!(about["drift"], json!(["shift:Age:1"]));
    assert_eq!(get_json(&app, "/health").await, (200, json!({"status": "OK"})));
    let response = app.clone().oneshot(Request::get("/health").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.headers()["x-ebb-data"], "synthetic");
    reads(&app, 2, 2).await;
    let metrics = String::from_utf8(get(&app, "/metrics").await.1).unwrap();
    for line in [
        "ebb_source_requests_total{route=\"/data\",status=\"200\"} 2\n",
        "ebb_source_rows_total 20\n",
        "ebb_source_next_batch{group=\"2\"} 2\n",
        "ebb_source_next_batch{group=\"1\"} 0\n",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
}

#[tokio::test]
async fn within_the_gate_a_read_repeats_the_batch() {
    let app = app(&format!("{SMALL} --gate-s 3600"));
    assert_eq!(reads(&app, 1, 3).await, ["0", "0", "0"]);
    get(&app, "/restart_data_generation?group_number=1").await;
    assert_eq!(reads(&app, 1, 2).await, ["0", "0"]);
}

#[tokio::test]
async fn a_slow_source_waits() {
    let app = app(&format!("{SMALL} --slow-ms 30"));
    let start = Instant::now();
    assert_eq!(reads(&app, 1, 1).await, ["0"]);
    assert!(start.elapsed().as_millis() >= 30);
}

#[tokio::test]
async fn a_broken_batch_fails_once_and_then_works() {
    for (broken, after) in [("status:1", "1"), ("json:1", "1"), ("status:1:advance", "2"), ("json:1:advance", "2")] {
        let app = app(&format!("{SMALL} --broken {broken}"));
        assert_eq!(reads(&app, 1, 1).await, ["0"]);
        let (status, body) = get(&app, "/data?group_number=1").await;
        if broken.starts_with("json") {
            assert_eq!(status, 200);
            assert!(serde_json::from_slice::<Value>(&body).is_err(), "{broken}");
        } else {
            assert_eq!(status, 500);
        }
        assert_eq!(reads(&app, 1, 1).await, [after], "{broken}");
    }
}

#[tokio::test]
async fn a_truncated_batch_breaks_off_and_a_hanging_one_never_answers() {
    let app = app(&format!("{SMALL} --broken truncate:0 --broken hang:0:advance --broken truncate:1"));
    let request = || Request::get("/data?group_number=1").body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request()).await.unwrap();
    assert_eq!(response.status(), 200);
    let announced: usize = response.headers()["content-length"].to_str().unwrap().parse().unwrap();
    let mut body = response.into_body();
    let mut received = 0;
    let broke_off = loop {
        match body.frame().await {
            Some(Ok(frame)) => received += frame.into_data().map_or(0, |data| data.len()),
            Some(Err(_)) => break true,
            None => break false,
        }
    };
    assert!(broke_off && received > 0 && received < announced);
    let mut hanging = Box::pin(app.clone().oneshot(request()));
    // Another group is served while the first hangs.
    tokio::select! {
        biased;
        _ = &mut hanging => panic!("the hanging batch was answered"),
        answers = reads(&app, 2, 1) => assert_eq!(answers, ["0"]),
    }
    drop(hanging);
}

#[tokio::test]
async fn cursors_survive_the_process_in_a_state_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cursors.json");
    let line = format!("{SMALL} --state {}", path.display());
    assert_eq!(reads(&app(&line), 4, 2).await, ["0", "1"]);
    let again = app(&line);
    assert_eq!(reads(&again, 5, 1).await, ["0"]);
    assert_eq!(reads(&again, 4, 4).await, ["2", "3", "4", "HTTP 400"]);
    get(&again, "/restart_data_generation?group_number=4").await;
    assert_eq!(reads(&app(&line), 4, 1).await, ["0"]);
    let other = Source::build(&args(&format!("{line} --seed 8"))).unwrap_err();
    assert!(other.to_string().contains("has the cursors of another source"), "{other}");
    std::fs::write(&path, "{").unwrap();
    assert!(Source::build(&args(&line)).unwrap_err().to_string().starts_with("failed to keep the cursors in "));
}

#[tokio::test]
async fn drift_starts_where_it_is_told_and_leaves_earlier_batches_alone() {
    let plain = app("--system real-estate --scale 0.001");
    let drifted = app("--system real-estate --scale 0.001 --drift missing:bath:1 --drift-from 2");
    for batch in 0..4 {
        let (_, before) = get_json(&plain, "/data?group_number=1").await;
        let (_, after) = get_json(&drifted, "/data?group_number=1").await;
        assert_eq!(before == after, batch < 2, "batch {batch}");
        let nulls = after["data"].as_array().unwrap().iter().all(|row| row["bath"].is_null());
        assert_eq!(nulls, batch >= 2, "batch {batch}");
    }
}

#[tokio::test]
async fn a_file_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    let rows: String = (0..30).map(|row| format!("2020-{:02}-01,{row},{}\n", row / 10 + 1, row % 2)).collect();
    std::fs::write(&path, format!("day,x,y\n{rows}")).unwrap();
    let data = format!("--data {}", path.display());
    let app = app(&format!("{data} --every month:day --target y --drift prior:1=1 --drift-from 2"));
    let (_, about) = get_json(&app, "/").await;
    assert_eq!(
        (&about["data"], &about["source"], &about["rows"]),
        (&json!("replay"), &json!("rows.csv"), &json!([10, 10, 10]))
    );
    let mut ones = Vec::new();
    for _ in 0..3 {
        let (_, document) = get_json(&app, "/data?group_number=1").await;
        let rows = document["data"].as_array().unwrap();
        ones.push((rows.len(), rows.iter().map(|row| row["y"].as_i64().unwrap()).sum::<i64>()));
    }
    assert_eq!(ones, [(10, 5), (10, 5), (5, 5)], "nothing is drawn twice");
    for (line, message) in [
        ("--target z", "--target `z`: there is no such column; the columns are day, x, y"),
        ("--drift prior:1=0.5", "add --target COLUMN"),
        ("--target y --drift prior:2=0.5", "`y` has the classes 0, 1"),
        ("--target x --drift prior:2=0.5", "the target has no classes"),
        ("--scale 0.5", "--scale `0.5`: it goes with --system real-estate"),
        ("--broken status:9", "--broken `9`: the batches are 0 to 0"),
    ] {
        let error = Source::build(&args(&format!("{data} {line}"))).unwrap_err().to_string();
        assert!(error.contains(message), "{line}: {error}");
    }
}

#[test]
fn options_that_do_not_go_together_are_refused() {
    for (line, message) in [
        ("--system real-estate --rows 5", "--rows `5`: real-estate has published counts; use --scale"),
        ("--system real-estate --scale 0", "--scale `0`: expected a number above 0"),
        ("--system real-estate --scale NaN", "--scale `NaN`: expected a number above 0"),
        ("--system bankchurn --scale 2", "--scale `2`: it goes with --system real-estate"),
        ("--system bankchurn --rows 0", "--rows `0`: a batch has at least one row"),
        ("--system bankchurn --target Age", "--target `Age`: --system bankchurn knows its target"),
        ("--system bankchurn --every month:x", "--every `x`: it goes with --data"),
        ("--system carvision --drift prior:1=0.5", "the target has no classes"),
        ("--system planrec --drift prior:gold=0.5", "`plan` has the classes basic, family, smart, unlimited"),
    ] {
        let error = Source::build(&args(line)).unwrap_err().to_string();
        assert!(error.contains(message), "{line}: {error}");
    }
    assert!(matches!(Source::build(&Args::default()), Err(Error::OneOf)));
    let parse = |line: &str| Cli::try_parse_from(std::iter::once("source").chain(line.split_whitespace()));
    for line in
        ["", "--system bankchurn --data a.csv", "--data a.csv --rows 3 --every month:x", "--data a.csv --first 2"]
    {
        assert!(parse(line).is_err(), "{line}");
    }
    for (text, message) in [
        ("melt:1", "--broken `melt`: expected truncate, status, hang or json"),
        ("status", "--broken ``: expected a batch number from 0"),
        ("status:x", "--broken `x`: expected a batch number from 0"),
        ("status:1:maybe", "--broken `maybe`: expected keep (the default) or advance"),
        ("status:1:keep:2", "--broken `2`: expected nothing"),
    ] {
        assert!(text.parse::<Broken>().unwrap_err().to_string().contains(message), "{text}");
    }
    // The defaults of the command line and of the struct are one.
    let defaults = format!("{:?}", Args { system: Some(System::Bankchurn), ..Args::default() });
    assert_eq!(format!("{:?}", args("--system bankchurn")), defaults);
}
