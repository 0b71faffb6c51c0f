//! Every refusal is a problem document.

use axum::extract::Request;
use insta::assert_json_snapshot;
use service::Config;

use crate::sample::{app, get, post, problem, send, with};

#[tokio::test]
async fn a_wrong_content_type_is_415() {
    let request = with(post("/count", "a=1"), "content-type", "text/plain");
    assert_json_snapshot!(problem(&app(&Config::for_tests()), request).await, @r#"
    {
      "type": "/problems/unsupported-media",
      "title": "The content type is not supported",
      "status": 415,
      "detail": "the content type must be `application/json`, got `text/plain`"
    }
    "#);
}

#[tokio::test]
async fn malformed_json_is_400_with_its_place() {
    assert_json_snapshot!(problem(&app(&Config::for_tests()), post("/count", "{\n  \"model\": }")).await, @r#"
    {
      "type": "/problems/malformed",
      "title": "The request cannot be read",
      "status": 400,
      "detail": "the body is not JSON that can be read: expected value at line 2 column 12"
    }
    "#);
}

#[tokio::test]
async fn a_wrong_type_is_422_with_its_pointer() {
    let body = r#"{"model": "m", "rows": [{"odometer": 1}, {"odometer": "far"}]}"#;
    assert_json_snapshot!(problem(&app(&Config::for_tests()), post("/count", body)).await, @r#"
    {
      "type": "/problems/invalid",
      "title": "The request is not valid",
      "status": 422,
      "detail": "/rows/1/odometer: invalid type: string \"far\", expected f64",
      "errors": [
        {
          "pointer": "/rows/1/odometer",
          "detail": "invalid type: string \"far\", expected f64"
        }
      ]
    }
    "#);
}

#[tokio::test]
async fn an_unknown_route_is_404() {
    assert_json_snapshot!(problem(&app(&Config::for_tests()), get("/nowhere")).await, @r#"
    {
      "type": "/problems/not-found",
      "title": "Not found",
      "status": 404,
      "detail": "there is no route `/nowhere`; see /docs"
    }
    "#);
}

#[tokio::test]
async fn a_wrong_method_is_405() {
    let app = app(&Config::for_tests());
    assert_json_snapshot!(problem(&app, get("/count")).await, @r#"
    {
      "type": "about:blank",
      "title": "Method Not Allowed",
      "status": 405,
      "detail": "`/count` does not answer GET; see /docs"
    }
    "#);
    let (_, headers, _) = send(&app, get("/count")).await;
    assert_eq!(headers["allow"], "POST");
}

#[tokio::test]
async fn an_internal_error_does_not_leak() {
    assert_json_snapshot!(problem(&app(&Config::for_tests()), get("/broken")).await, @r#"
    {
      "type": "/problems/internal",
      "title": "Internal error",
      "status": 500,
      "detail": "an internal error occurred; the log has its cause under this request id"
    }
    "#);
}

#[tokio::test]
async fn a_panic_is_500_and_does_not_leak() {
    let (_, _, body) = send(&app(&Config::for_tests()), get("/panic")).await;
    assert!(!body.contains("1234"), "{body}");
    assert_json_snapshot!(problem(&app(&Config::for_tests()), get("/panic")).await["status"], @"500");
}

#[tokio::test]
async fn each_bad_request_has_its_status_and_pointer() {
    let app = app(&Config::for_tests());
    let rows: Vec<(Request, u16, &str, &str)> = vec![
        (post("/count", ""), 400, "", "EOF"),
        (post("/count", "{\"model\": \"m\", \"rows\": []} x"), 400, "", "trailing"),
        (post("/count", "[]"), 422, "", "invalid"),
        (post("/count", "{\"rows\": []}"), 422, "/model", "missing field `model`"),
        (post("/count", "{\"model\": 1, \"rows\": []}"), 422, "/model", "expected a string"),
        (post("/count", "{\"model\": \"m\", \"rows\": [], \"a/b\": 1}"), 422, "/a~1b", "unknown field `a/b`"),
        (post("/count", "{\"model\": \"m\", \"rows\": [{\"odometer\": null}]}"), 422, "/rows/0/odometer", "null"),
        (with(post("/count", "{}"), "content-type", "application/jsonx"), 415, "", "application/json"),
        (post("/value", "{\"a\": NaN}"), 400, "", "line 1 column 7"),
        (post("/value", "{\"a\": Infinity}"), 400, "", "line 1"),
        (post("/value", "{\"a\": 1e999}"), 400, "", "number out of range"),
        (post("/value", "{\"a\": {\"b\": 1, \"b\": 2}}"), 400, "", "the key `b` stands twice"),
        (get("/items/many"), 422, "/number", "`many`"),
        (get("/items/1?wait=soon"), 422, "/wait", "invalid digit"),
        (with(post("/work", "{\"end\": \"done\"}"), "idempotency-key", ""), 400, "", "1 to 200"),
        (with(post("/work", "{\"end\": \"done\"}"), "idempotency-key", "two words"), 400, "", "1 to 200"),
        (with(post("/work", "{\"end\": \"done\"}"), "idempotency-key", &"k".repeat(201)), 400, "", "1 to 200"),
    ];
    for (request, status, pointer, detail) in rows {
        let name = format!("{} {}", request.method(), request.uri());
        let document = problem(&app, request).await;
        assert_eq!(document["status"], status, "{name}: {document}");
        assert!(document["detail"].as_str().unwrap().contains(detail), "{name}: {document}");
        if status == 422 {
            assert_eq!(document["errors"][0]["pointer"], pointer, "{name}: {document}");
        }
    }
}

#[tokio::test]
async fn good_requests_pass() {
    let app = app(&Config::for_tests());
    let charset = "application/json; charset=utf-8";
    let rows: Vec<(Request, &str)> = vec![
        (with(post("/count", r#"{"model": "m", "rows": [{"odometer": 0.1}]}"#), "content-type", charset), "1"),
        (
            with(post("/value", r#"{"b":[null,true,-1,0.1,"x"],"a":{}}"#), "content-type", "application/x+json"),
            r#"{"b":[null,true,-1,0.1,"x"],"a":{}}"#,
        ),
        (get("/items/40?wait=2"), "42"),
        (get("/"), "page"),
    ];
    for (request, expect) in rows {
        let (status, _, body) = send(&app, request).await;
        assert_eq!((status.as_u16(), body.as_str()), (200, expect));
    }
}
