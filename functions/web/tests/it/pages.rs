//! The pages that are only read.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::fixture::Fixture;
use crate::holds_in_order;

const NOWHERE: &str = "http://127.0.0.1:9";

/// Gets a page, asserts its status, and returns its text.
async fn page(router: &Router, path: &str, status: StatusCode) -> String {
    // Pages need no token, though the process has one.
    let request = Request::get(path).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), status, "{path}");
    let headers = response.headers();
    assert_eq!(headers[header::CONTENT_TYPE], "text/html; charset=utf-8", "{path}");
    assert!(headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().starts_with("default-src 'none'"), "{path}");
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn the_list_tells_each_model_in_a_few_words() {
    let fixture = Fixture::full().await;
    let broken = "name: broken\ntask: guessing\n";
    std::fs::write(fixture.models.path().join("broken.yaml"), broken).unwrap();
    let page = page(&fixture.router(NOWHERE), "/", StatusCode::OK).await;
    let production = fixture.host.registry().production("homes").await.unwrap().unwrap();
    holds_in_order(
        &page,
        &[
            "broken.yaml",
            "line 2",
            "guessing",
            "href=\"/models/churn\"",
            "two classes",
            "log loss <strong>0.3412",
            "AUC <strong>0.8613",
        ],
    );
    let since = production.at.format("since %Y-%m-%d %H:%M UTC").to_string();
    let short = production.version.short();
    holds_in_order(
        &page,
        &[
            "href=\"/models/homes\"",
            "a number",
            short,
            &since,
            "MAE of the log <strong>0.231",
            "R² <strong>0.75",
            "number 5",
            "not read yet",
        ],
    );
    holds_in_order(&page, &["href=\"/models/plans\"", "several classes", "none yet"]);
    assert!(!page.contains("<script"), "{page}");
}

#[tokio::test]
async fn an_empty_list_tells_what_to_do() {
    let empty = page(&Fixture::with_specs(&[]).router(NOWHERE), "/", StatusCode::OK).await;
    holds_in_order(&empty, &["<h1>Models", "ebb source", "ebb run MODEL"]);
    let spec = "name: new\ntask: regression\ntarget: {column: y}\ncolumns: {x: {kind: number}}\n";
    let fixture = Fixture::with_specs(&[("new.yaml", spec)]);
    let unborn = fixture.router(NOWHERE);
    holds_in_order(
        &page(&unborn, "/", StatusCode::OK).await,
        &["/models/new", "no version yet", "none yet", "ebb run MODEL"],
    );
    let model = page(&unborn, "/models/new", StatusCode::OK).await;
    holds_in_order(
        &model,
        &["ebb run new", "no form before", "No batch has landed", "No challenger", "Nothing out of the ordinary"],
    );
}

#[tokio::test]
async fn a_model_page_tells_its_story() {
    let fixture = Fixture::full().await;
    let page = page(&fixture.router(NOWHERE), "/models/homes", StatusCode::OK).await;
    let registry = fixture.host.registry();
    let moves = registry.alias_history("homes").await.unwrap();
    let [first, second, back] = moves.as_slice() else { panic!("{moves:?}") };
    let when = back.at.format("%Y-%m-%d %H:%M UTC").to_string();
    holds_in_order(
        &page,
        &[
            "id=\"production\"",
            back.version.as_str(),
            "newest first",
            &when,
            "rollback",
            first.version.short(),
            "promote",
            second.version.short(),
        ],
    );
    let report = format!("/check-drift/homes/{}/report", registry.batches("homes").await.unwrap()[2].landing.batch);
    holds_in_order(
        &page,
        &[
            "id=\"batches\"",
            "20,280",
            "bootstrap",
            "no version serves yet",
            "35,512",
            "train",
            "`status` drifted",
            "203",
            "quarantine",
            "1 of 51 levels",
            "203 rows are under",
            &report,
            "1,018,910",
            "skip",
            "released",
            "Released by hand",
            "looked at by hand",
            "by a replay",
            "not read yet",
        ],
    );
    holds_in_order(
        &page,
        &[
            "id=\"decisions\"",
            "refused",
            "does not exclude a loss",
            "MAE of the log",
            "lower is better",
            "18,910",
            "0.4821",
            "0.4901",
            "better by −0.008",
            "−0.018 to +0.002",
            "95 % interval",
            "24,310",
            "loss +5 %",
            "at most +25 %",
            "Floors",
            "R²",
            "0.71",
            "at least 0.5",
            "yes",
            "promoted",
            "no version served before",
        ],
    );
    holds_in_order(&page, &["id=\"events\"", "loss", "batch number 6 is lost", "restart", "missing batch numbers: 5"]);
}

#[tokio::test]
async fn cards_are_shown_where_a_version_has_some() {
    let fixture = Fixture::full().await;
    let router = fixture.router(NOWHERE);
    let moves = fixture.host.registry().alias_history("homes").await.unwrap();
    let [first, second, _] = moves.as_slice() else { panic!("{moves:?}") };
    let path = |version: &str, card: &str| format!("/models/homes/versions/{version}/{card}");
    let model = page(&router, "/models/homes", StatusCode::OK).await;
    let links = [path(first.version.as_str(), "model-card"), path(first.version.as_str(), "data-card")];
    holds_in_order(&model, &[&links[0], "model card", &links[1], "data card"]);
    assert!(!model.contains(&path(second.version.as_str(), "model-card")), "an older version has none to link to");

    // The policy that every page has keeps a browser from running what a stored page may hold.
    holds_in_order(&page(&router, &links[0], StatusCode::OK).await, &["<title>Model card</title>"]);
    holds_in_order(&page(&router, &links[1], StatusCode::OK).await, &["<title>Data card</title>"]);
    let none = page(&router, &path(second.version.as_str(), "model-card"), StatusCode::NOT_FOUND).await;
    holds_in_order(&none, &["<h1>Not found", "has no model-card.html", "All models"]);
    let unknown = page(&router, &path(&"0".repeat(64), "data-card"), StatusCode::NOT_FOUND).await;
    holds_in_order(&unknown, &["<h1>Not found", "has no version"]);
    page(&router, &path("latest", "data-card"), StatusCode::UNPROCESSABLE_ENTITY).await;
}

#[tokio::test]
async fn the_form_follows_the_spec_and_a_link_fills_it() {
    let fixture = Fixture::full().await;
    let path = "/models/homes?house_size=1850&status=sold&state=%3Cscript%3E%22&listed=2026-01-31&furnished=true";
    let page = page(&fixture.router(NOWHERE), path, StatusCode::OK).await;
    let fields = [
        "<label for=\"field-0\">house_size <span class=\"unit\">(sqft)</span></label>",
        "<input id=\"field-0\" name=\"house_size\" type=\"number\" value=\"1850\" min=\"1\" max=\"2000000\" step=\"any\" autocomplete=\"off\" aria-describedby=\"field-0-hint\">",
        "living area; 1 to 2,000,000; may be empty",
        "<select id=\"field-1\" name=\"status\" required>",
        "<option value=\"sold\" selected>sold</option>",
        "<option value=\"&lt;b&gt;odd&lt;/b&gt;\">&lt;b&gt;odd&lt;/b&gt;</option>",
        "name=\"state\" type=\"text\" value=\"&lt;script&gt;&quot;\" required",
        "name=\"furnished\" required",
        "<option value=\"true\" selected>",
        "name=\"listed\" type=\"date\" value=\"2026-01-31\"",
        "Link to this form as filled",
    ];
    holds_in_order(&page, &fields);
}

#[tokio::test]
async fn whatever_a_record_holds_is_text() {
    let fixture = Fixture::full().await;
    let page = page(&fixture.router(NOWHERE), "/models/homes", StatusCode::OK).await;
    assert!(page.contains("prices of &lt;script&gt;alert(1)&lt;/script&gt; were wrong"), "{page}");
    assert!(!page.contains("<script") && !page.contains("<b>odd"), "{page}");
}

#[tokio::test]
async fn what_cannot_be_shown_is_said_in_html() {
    let fixture = Fixture::full().await;
    std::fs::write(fixture.models.path().join("half.yaml"), "name: half\n").unwrap();
    let router = fixture.router(NOWHERE);
    let unknown = page(&router, "/models/%3Cscript%3E", StatusCode::NOT_FOUND).await;
    holds_in_order(&unknown, &["<h1>Not found", "there is no model `&lt;script&gt;`", "homes", "All models"]);
    let half = page(&router, "/models/half", StatusCode::OK).await;
    holds_in_order(&half, &["spec file cannot be used", "`task` is missing", "No version serves yet"]);

    // A version that was tampered with is no reason to hide everything else.
    let version = fixture.host.registry().production("homes").await.unwrap().unwrap().version;
    let path = format!("models/homes/versions/{version}/metrics.json");
    fixture.host.registry().store().put(&path, "{}").await.unwrap();
    holds_in_order(&page(&router, "/", StatusCode::OK).await, &["/models/homes", version.short(), "<dd>–</dd>"]);
    let path = format!("models/homes/production/{:08}.json", 3);
    fixture.host.registry().store().put(&path, "not JSON").await.unwrap();
    let response = router.clone().oneshot(Request::get("/models/homes").body(Body::empty()).unwrap()).await.unwrap();
    assert!(response.status().is_server_error());
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
}
