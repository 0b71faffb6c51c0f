//! Work that tells how far it is.

use std::sync::atomic::Ordering;

use axum::extract::Request;
use serde_json::{Value, json};
use service::Config;
use tower::ServiceExt;

use crate::sample::{Sample, app_of, post, send, with};

fn work(end: &str) -> Request {
    post("/work", format!(r#"{{"end": "{end}"}}"#))
}

fn lines(body: &str) -> Vec<Value> {
    body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_stream_ends_with_the_result() {
    let app = app_of(&Config::for_tests(), Sample::default());
    let streamed =
        || with(with(work("done"), "accept", "text/html, application/x-ndjson;q=0.9"), "idempotency-key", "k");
    let (status, headers, body) = send(&app, streamed()).await;
    assert_eq!(status, 200);
    assert_eq!(headers["content-type"], "application/x-ndjson");
    let expect = [
        json!({"event": "progress", "message": "began", "fraction": null}),
        json!({"event": "progress", "message": "half", "fraction": 0.5}),
        json!({"event": "result", "status": 201, "body": 1}),
    ];
    assert_eq!(lines(&body), expect);
    let (_, _, body) = send(&app, streamed()).await;
    assert_eq!(lines(&body), [json!({"event": "result", "status": 201, "replayed": true, "body": 1})]);
}

#[tokio::test]
async fn a_stream_ends_with_the_problem() {
    let app = app_of(&Config::for_tests(), Sample::default());
    for (end, status) in [("conflict", 409), ("broken", 500), ("panic", 500)] {
        let (_, headers, body) = send(&app, with(work(end), "accept", "application/x-ndjson")).await;
        let last = lines(&body).pop().unwrap();
        assert_eq!((&last["event"], &last["status"]), (&json!("problem"), &json!(status)), "{last}");
        assert_eq!(last["body"]["status"], status);
        assert_eq!(last["body"]["instance"], headers["x-request-id"].to_str().unwrap());
        assert!(!body.contains("secret") && !body.contains("1234"), "{body}");
    }
}

#[tokio::test]
async fn plain_callers_get_the_outcomes_status() {
    let app = app_of(&Config::for_tests(), Sample::default());
    for (end, status) in [("done", 201), ("conflict", 409), ("broken", 500), ("panic", 500)] {
        let (got, _, body) = send(&app, work(end)).await;
        assert_eq!(got.as_u16(), status, "{body}");
    }
}

#[tokio::test]
async fn work_ends_when_the_caller_has_gone() {
    let sample = Sample::default();
    let app = app_of(&Config::for_tests(), sample.clone());
    for accept in ["application/json", "application/x-ndjson"] {
        let n_before = sample.n_done.load(Ordering::SeqCst);
        let mut call =
            Box::pin(app.clone().oneshot(with(with(work("wait"), "accept", accept), "idempotency-key", accept)));
        tokio::select! {
            biased;
            permit = sample.begun.acquire() => permit.unwrap().forget(),
            Ok(response) = &mut call => {
                drop(response);
                sample.begun.acquire().await.unwrap().forget();
            }
        }
        drop(call);
        sample.gate.add_permits(1);
        // A repeat waits for the first one's end and gets its answer.
        let (status, headers, body) = send(&app, with(work("wait"), "idempotency-key", accept)).await;
        assert_eq!((status.as_u16(), body), (201, (n_before + 1).to_string()), "{accept}");
        assert_eq!(headers["idempotency-replayed"], "true", "{accept}");
    }
}
