//! Size, time and number of requests are bounded.

use axum::body::Body;
use futures::stream;
use insta::assert_json_snapshot;
use service::{Config, Options};

use crate::sample::{Sample, app, app_of, get, post, problem, routes, send};

#[tokio::test]
async fn an_oversize_body_is_413_however_it_is_sent() {
    let app = app(&Config { body_limit_bytes: 100, ..Config::for_tests() });
    let mut announced = post("/value", format!("\"{}\"", "x".repeat(99)));
    announced.headers_mut().insert("content-length", "101".parse().unwrap());
    assert_json_snapshot!(problem(&app, announced).await, @r#"
    {
      "type": "/problems/too-large",
      "title": "The request is too large",
      "status": 413,
      "detail": "the body may be at most 100 bytes"
    }
    "#);

    let chunk = || Ok::<_, std::io::Error>("x".repeat(60));
    let chunked = post("/value", Body::from_stream(stream::iter([chunk(), chunk()])));
    assert_eq!(problem(&app, chunked).await["status"], 413);
    assert_eq!(send(&app, post("/value", format!("\"{}\"", "x".repeat(98)))).await.0, 200);
}

#[tokio::test]
async fn a_body_over_axums_own_default_passes_within_ours() {
    let body = format!("\"{}\"", "x".repeat(3_000_000));
    assert_eq!(send(&app(&Config::for_tests()), post("/value", body)).await.0, 200);
}

#[tokio::test(start_paused = true)]
async fn a_short_route_times_out_where_a_long_one_does_not() {
    let app = app(&Config::for_tests());
    assert_json_snapshot!(problem(&app, get("/slow")).await, @r#"
    {
      "type": "/problems/timeout",
      "title": "It took too long",
      "status": 504,
      "detail": "no answer within 30 s; repeating the request with its key is safe"
    }
    "#);
    assert_eq!(send(&app, post("/slow", "")).await.0, 200);
}

#[tokio::test]
async fn too_many_at_once_are_shed_but_probes_are_not() {
    let sample = Sample::default();
    let app = app_of(&Config { concurrency: 1, ..Config::for_tests() }, sample.clone());
    let held = tokio::spawn({
        let app = app.clone();
        async move { send(&app, get("/hold")).await.0 }
    });
    sample.begun.acquire().await.unwrap().forget();

    let (_, headers, _) = send(&app, get("/")).await;
    assert_eq!(headers["retry-after"], "1");
    assert_json_snapshot!(problem(&app, get("/")).await, @r#"
    {
      "type": "/problems/busy",
      "title": "Too many requests at once",
      "status": 503,
      "detail": "too many requests at once; try again shortly"
    }
    "#);
    assert_eq!(send(&app, get("/health/live")).await.0, 200);

    sample.gate.add_permits(1);
    assert_eq!(held.await.unwrap(), 200);
    assert_eq!(send(&app, get("/")).await.0, 200);
}

#[tokio::test]
async fn readiness_lists_every_reason() {
    let options = Options::new(&Config::for_tests());
    let reasons = || async { Err(vec!["no production version".to_owned(), "the store is away".to_owned()]) };
    let app = service::app("sample", routes(Sample::default()), options.ready(reasons));
    assert_json_snapshot!(problem(&app, get("/health/ready")).await, @r#"
    {
      "type": "/problems/unavailable",
      "title": "Not ready to answer",
      "status": 503,
      "detail": "not ready: no production version; the store is away",
      "errors": [
        {
          "pointer": "",
          "detail": "no production version"
        },
        {
          "pointer": "",
          "detail": "the store is away"
        }
      ]
    }
    "#);
    assert_eq!(send(&app, get("/health/live")).await.2, r#"{"status":"ok"}"#);
}
