//! The names of a request, and what is counted of it.

use service::Config;

use crate::sample::{app, get, send, with};

#[tokio::test]
async fn a_request_id_is_echoed_or_made() {
    let app = app(&Config::for_tests());
    let (_, headers, body) = send(&app, with(get("/names"), "x-request-id", "turn-7")).await;
    assert_eq!(headers["x-request-id"], "turn-7");
    assert!(body.starts_with(r#"["turn-7","#), "{body}");
    let (_, headers, _) = send(&app, with(get("/names"), "x-request-id", "no good")).await;
    let made: uuid::Uuid = headers["x-request-id"].to_str().unwrap().parse().unwrap();
    assert_eq!(made.get_version_num(), 7);
}

#[tokio::test]
async fn a_trace_goes_on_with_a_new_span() {
    let app = app(&Config::for_tests());
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let (_, headers, body) = send(&app, with(get("/names"), "traceparent", parent)).await;
    let child = headers["traceparent"].to_str().unwrap();
    assert!(child.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && child.ends_with("-01"), "{child}");
    assert_ne!(child, parent);
    assert!(body.contains(child), "{body}");
    let (_, headers, _) = send(&app, with(get("/names"), "traceparent", "nonsense")).await;
    assert_eq!(headers["traceparent"].len(), 55);
}

#[tokio::test]
async fn metrics_have_bounded_labels() {
    let app = app(&Config::for_tests());
    for path in ["/items/1", "/items/2", "/items/x", "/nowhere/1", "/nowhere/2"] {
        send(&app, get(path)).await;
    }
    let (_, headers, text) = send(&app, get("/metrics")).await;
    assert_eq!(headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    for line in [
        r#"http_requests_total{method="GET",route="/items/{number}",status="200"}"#,
        r#"http_requests_total{method="GET",route="/items/{number}",status="422"}"#,
        r#"http_requests_total{method="GET",route="unmatched",status="404"}"#,
        r#"http_request_duration_seconds_bucket{method="GET",route="/items/{number}",le="0.001"}"#,
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
    assert!(!text.contains("/items/1") && !text.contains("/nowhere"), "{text}");
}
