//! What holds once for a process: its logs, its trace exporter and its signals. One test, because they are global.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use http_body_util::BodyExt;
use service::{Config, OpenApiRouter, Options, app, routes, serve, telemetry};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tower::ServiceExt;

/// Hello.
#[utoipa::path(get, path = "/hello", responses((status = 200)))]
async fn hello() {}

async fn collect(State(received): State<mpsc::UnboundedSender<(String, Vec<u8>)>>, request: Request) -> StatusCode {
    let path = request.uri().path().to_owned();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    received.send((path, body.to_vec())).unwrap();
    StatusCode::OK
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_drains_and_hands_over_the_traces() {
    let (sender, mut received) = mpsc::unbounded_channel();
    let collector = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/", collector.local_addr().unwrap());
    let collecting = axum::serve(collector, Router::new().fallback(collect).with_state(sender));
    tokio::spawn(collecting.into_future());

    let config = Config { otlp_endpoint: Some(endpoint), ..Config::for_tests() };
    let telemetry = telemetry::init(&config, "traced").unwrap();
    assert!(telemetry::init(&config, "traced").is_err(), "a second subscriber must be refused");
    let app = app("traced", OpenApiRouter::new().routes(routes!(hello)), Options::new(&config));

    let trace_id = "0af7651916cd43dd8448eb211c80319c";
    let parent = format!("00-{trace_id}-b7ad6b7169203331-01");
    let request = Request::get("/hello").header("traceparent", &parent).body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let child = response.headers()["traceparent"].to_str().unwrap().to_owned();
    assert!(child.starts_with(&format!("00-{trace_id}-")) && child != parent, "{child}");

    let is_drained = Arc::new(AtomicBool::new(false));
    let drain = {
        let is_drained = Arc::clone(&is_drained);
        async move { is_drained.store(true, Ordering::SeqCst) }
    };
    let serving = serve(&config, app, drain);
    // `serve` is polled first, and has its signal handlers in place when it first waits.
    let terminate = async {
        let pid = std::process::id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    };
    let (outcome, ()) = tokio::join!(biased; serving, terminate);
    outcome.unwrap();
    assert!(is_drained.load(Ordering::SeqCst));

    let (path, body) = received.recv().await.unwrap();
    assert_eq!(path, "/v1/traces");
    let span_id: Vec<u8> = (36..52).step_by(2).map(|at| u8::from_str_radix(&child[at..at + 2], 16).unwrap()).collect();
    assert!(contains(&body, b"traced") && contains(&body, b"GET /hello"), "service and span are named");
    assert!(contains(&body, &span_id), "the span that was returned is the one that is exported");
    drop(telemetry);
}
