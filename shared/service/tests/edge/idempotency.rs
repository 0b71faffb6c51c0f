//! One answer for one key.

use std::sync::atomic::Ordering;

use axum::extract::Request;
use service::Config;

use crate::sample::{Sample, app_of, post, send, with};

fn work(end: &str, key: &str) -> Request {
    with(post("/work", format!(r#"{{"end": "{end}"}}"#)), "idempotency-key", key)
}

#[tokio::test]
async fn what_would_be_answered_again_is_remembered() {
    let sample = Sample::default();
    let app = app_of(&Config::for_tests(), sample.clone());
    // End, status, whether a repeat is a replay.
    let rows = [
        ("done", 201, true),
        ("conflict", 409, true),
        ("held", 409, false),
        ("missing", 404, false),
        ("broken", 500, false),
    ];
    for (end, status, is_replayed) in rows {
        let n_before = sample.n_done.load(Ordering::SeqCst);
        let (first_status, first_headers, mut first) = send(&app, work(end, end)).await;
        let (again_status, again_headers, mut again) = send(&app, work(end, end)).await;
        assert_eq!((first_status.as_u16(), again_status.as_u16()), (status, status), "{end}");
        assert!(!first_headers.contains_key("idempotency-replayed"), "{end}");
        assert_eq!(again_headers.contains_key("idempotency-replayed"), is_replayed, "{end}");
        let n_done = sample.n_done.load(Ordering::SeqCst) - n_before;
        assert_eq!(n_done, if is_replayed { 1 } else { 2 }, "{end}");
        if is_replayed {
            // Each answer names its own request; all else is the same.
            for (body, headers) in [(&mut first, &first_headers), (&mut again, &again_headers)] {
                *body = body.replace(headers["x-request-id"].to_str().unwrap(), "");
            }
            assert_eq!(first, again, "{end}");
            assert_eq!(first_headers["content-type"], again_headers["content-type"], "{end}");
        }
    }
}

#[tokio::test]
async fn a_key_belongs_to_one_request() {
    let app = app_of(&Config::for_tests(), Sample::default());
    assert_eq!(send(&app, work("done", "k")).await.0, 201);
    let (status, _, body) = send(&app, work("conflict", "k")).await;
    assert_eq!(status, 422);
    assert!(body.contains("was used for another request"), "{body}");
    // White space makes no other request.
    let spaced = with(post("/work", r#"  {"end" :"done"}"#), "idempotency-key", "k");
    assert_eq!(send(&app, spaced).await.1["idempotency-replayed"], "true");
}

#[tokio::test]
async fn without_a_key_every_request_works() {
    let sample = Sample::default();
    let app = app_of(&Config::for_tests(), sample.clone());
    for _ in 0..2 {
        assert_eq!(send(&app, post("/work", r#"{"end": "done"}"#)).await.0, 201);
    }
    assert_eq!(sample.n_done.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn repeats_that_arrive_at_once_work_once() {
    let sample = Sample::default();
    let app = app_of(&Config::for_tests(), sample.clone());
    sample.gate.add_permits(8);
    let requests = (0..8).map(|_| send(&app, work("wait", "same")));
    let answers = futures::future::join_all(requests).await;
    assert_eq!(sample.n_done.load(Ordering::SeqCst), 1);
    assert!(answers.iter().all(|(status, _, body)| *status == 201 && body == "1"));
    let n_replayed = answers.iter().filter(|(_, headers, _)| headers.contains_key("idempotency-replayed")).count();
    assert_eq!(n_replayed, 7);
}
