//! The form and its answers.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::fixture::{Fixture, neighbours, nobody};
use crate::holds_in_order;

/// Sends the form of a model and returns the status and the page.
async fn send(router: &Router, model: &str, body: &'static str) -> (StatusCode, String) {
    let request = Request::post(format!("/models/{model}/form"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(body))
        .unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_number_is_predicted_and_explained() {
    let fixture = Fixture::full().await;
    let router = fixture.router(&neighbours().await);
    let body = "house_size=1850&status=sold&state=Ohio&furnished=false&listed=2026-01-31";
    let (status, page) = send(&router, "homes", body).await;
    assert_eq!(status, StatusCode::OK);
    let texts = [
        "name=\"house_size\" type=\"number\" value=\"1850\"",
        "?house_size=1850&amp;status=sold",
        "Prediction",
        "price",
        "312,457",
        "USD",
        "high",
        "aaaaaaaaaaaa",
        "Why",
        "in USD",
        "Base value",
        "250,000",
        "house_size",
        "= 1850 sqft",
        "bar up",
        "+90,000",
        "state",
        "= Ohio",
        "bar down",
        "−15,000",
        "status",
        "−12,543",
        "furnished",
        "Prediction",
        "312,457",
        "+62,457",
        "312,457",
        "exact",
        "3,200 coalitions",
    ];
    holds_in_order(&page, &texts);
}

#[tokio::test]
async fn classes_are_predicted_and_explained() {
    let fixture = Fixture::full().await;
    let router = fixture.router(&neighbours().await);
    let (status, page) = send(&router, "churn", "age=42&balance=0").await;
    assert_eq!(status, StatusCode::OK);
    let texts = [
        "exited",
        "low",
        "Probability of exited = 1",
        "23.46 %",
        "probability of exited = 1",
        "age",
        "+0.0346",
        "± 0.0012",
        "sampled",
    ];
    holds_in_order(&page, &texts);
    let (status, page) = send(&router, "plans", "minutes=10").await;
    assert_eq!(status, StatusCode::OK);
    let texts = [
        "family",
        "Probability of each class",
        "basic",
        "20 %",
        "70 %",
        "probability of plan = family",
        "Why not basic",
        "Why not smart",
    ];
    holds_in_order(&page, &texts);
}

#[tokio::test]
async fn wrong_fields_are_told_beside_them() {
    let fixture = Fixture::full().await;
    let router = fixture.router(&neighbours().await);
    let (status, page) = send(&router, "homes", "house_size=%3Cscript%3E&status=sold").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let texts = [
        "role=\"alert\"",
        "unknown column",
        "id=\"field-0\"",
        "aria-invalid=\"true\" aria-describedby=\"field-0-hint field-0-error\"",
        "id=\"field-0-error\">a number is needed here, not the text `&lt;script&gt;`",
        "name=\"furnished\"",
        "aria-invalid",
        "id=\"field-3-error\">a value is needed here, not null",
    ];
    holds_in_order(&page, &texts);
    assert_eq!(page.matches("unknown column").count(), 1, "both neighbours said it");
    assert!(!page.contains("<script") && !page.contains("class=\"answer\""), "{page}");
}

#[tokio::test]
async fn a_neighbour_that_is_down_is_told_kindly() {
    let fixture = Fixture::full().await;
    let (status, page) = send(&fixture.router(&nobody().await), "churn", "age=42&balance=0").await;
    assert_eq!(status, StatusCode::OK);
    let texts = [
        "value=\"42\"",
        "The predict service does not answer just now",
        "The explain service does not answer just now",
    ];
    holds_in_order(&page, &texts);

    // One that answers what cannot be read is as good as down.
    let state = web::State::new(fixture.host.clone(), neighbours().await, format!("{}/nothing", neighbours().await));
    let (status, page) = send(&web::router(state), "churn", "age=42&balance=0").await;
    assert_eq!(status, StatusCode::OK);
    holds_in_order(&page, &["23.46 %", "The explain service does not answer just now"]);
}

#[tokio::test]
async fn what_is_no_form_is_refused() {
    let fixture = Fixture::full().await;
    let router = fixture.router(&neighbours().await);
    let (status, page) = send(&router, "nobody", "age=1").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    holds_in_order(&page, &["<h1>Not found"]);
    let request =
        Request::post("/models/churn/form").header(header::CONTENT_TYPE, "application/json").body(Body::from("{}"));
    let response = router.oneshot(request.unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
}
