//! What is kept, what is replayed, and what leaves no trace.

use axum::http::StatusCode;
use registry::Origin;
use serde_json::json;

use crate::fixture::{Fixture, MODEL, PLAIN, Rows};

#[tokio::test]
async fn the_same_request_again_gets_the_first_answer() {
    for fixture in Fixture::all() {
        let batch = fixture.land(1, PLAIN).await;
        let (status, first) = fixture.check_as(&batch, Some("key")).await;
        assert_eq!((status, &first["decision"]), (StatusCode::OK, &json!("bootstrap")));
        let without_key = fixture.decided(&batch, "bootstrap").await;
        assert_eq!(fixture.decided(&batch, "bootstrap").await, without_key);
        assert_eq!(fixture.registry.checks(MODEL, &batch).await.unwrap().len(), 2, "one for each key");

        let production = fixture.serve(PLAIN).await;
        assert_eq!(fixture.check_as(&batch, Some("key")).await, (StatusCode::OK, first.clone()));
        // As if the process had died between the record and the answer.
        for entry in fixture.registry.store().list("answers").await.unwrap() {
            fixture.registry.store().delete(&entry.path).await.unwrap();
        }
        assert_eq!(fixture.check_as(&batch, Some("key")).await, (StatusCode::OK, first));
        // Production has changed, so another question is another decision.
        let body = fixture.decided(&batch, "skip").await;
        assert_eq!(body["production"], json!(production));
        let checks = fixture.registry.checks(MODEL, &batch).await.unwrap();
        assert_eq!(checks.len(), 3);
        assert_eq!((&checks[2].report, checks[2].decision.as_str()), (&body, "skip"));
    }
}

#[tokio::test]
async fn the_report_is_a_page() {
    let fixture = Fixture::in_memory();
    fixture.serve(PLAIN).await;
    let batch = fixture.land(1, Rows { shift: 0.5, ..PLAIN }).await;
    let path = format!("/check-drift/{MODEL}/{batch}/report");
    let (status, _, body) = fixture.page(&path).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(body.contains("there is no drift report about batch"), "{body}");
    let answer = fixture.decided(&batch, "train").await;
    assert_eq!(answer["report_url"], json!(path));
    let (status, headers, page) = fixture.page(&path).await;
    assert_eq!((status, headers["content-type"].to_str().unwrap()), (StatusCode::OK, "text/html; charset=utf-8"));
    assert!(page.contains("<svg") && page.contains("size") && !page.contains("<script"), "{page}");
    let (_, _, metrics) = fixture.page("/metrics").await;
    assert!(metrics.contains(r#"drift_effect{model="demo",column="size"} 0.5"#), "{metrics}");
    assert!(metrics.contains(r#"drift_decisions_total{model="demo",decision="train"}"#), "{metrics}");
}

#[tokio::test]
async fn an_error_is_no_decision() {
    let fixture = Fixture::in_memory();
    let version = fixture.serve(PLAIN).await;
    let batch = fixture.land(1, PLAIN).await;
    let path = format!("models/{MODEL}/versions/{version}/reference.json");
    fixture.registry.store().put(&path, "damaged").await.unwrap();
    let (status, body) = fixture.check_as(&batch, Some("key")).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY, "{body}");

    // A reference whose digest is right and whose content is not.
    fixture.serve_with(b"{\"n_rows\": 3}".to_vec()).await;
    let (status, body) = fixture.check_as(&batch, Some("key")).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{body}");
    // A reference of other columns than its own spec has.
    let other = drift::Profile::of([("size".to_owned(), drift::Values::Numbers(&[1.0, 2.0]))].into_iter(), None);
    fixture.serve_with(other.write()).await;
    let (status, body) = fixture.check_as(&batch, Some("key")).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{body}");

    assert!(fixture.registry.checks(MODEL, &batch).await.unwrap().is_empty());
    // Once mended, the same key is answered.
    fixture.serve(Rows { n_rows: 2_400, ..PLAIN }).await;
    let (status, body) = fixture.check_as(&batch, Some("key")).await;
    assert_eq!((status, &body["decision"]), (StatusCode::OK, &json!("skip")), "{body}");
}

#[tokio::test]
async fn bad_requests_have_their_status() {
    let fixture = Fixture::in_memory();
    let landed = fixture.registry.land(MODEL, 9, "raw".into(), "text/csv", Origin::Fetched).await.unwrap();
    let (status, body) = fixture.check(&landed.landing.batch).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(body["detail"].as_str().unwrap().ends_with("was not read yet: call /ingest again"), "{body}");
    for batch in ["000001-0123456789ab", "../../etc", ""] {
        assert_eq!(fixture.check(batch).await.0, StatusCode::NOT_FOUND);
    }
    assert_eq!(fixture.page("/check-drift/demo/..%2f..%2fx/report").await.0, StatusCode::UNPROCESSABLE_ENTITY);
}
