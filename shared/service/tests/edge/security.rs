//! Who may call what.

use axum::Router;
use axum::extract::Request;
use service::{Config, SecretString};

use crate::sample::{app, get, post, send, with};

fn apps() -> [Router; 4] {
    let local = Config::for_tests();
    let open = Config { host: "0.0.0.0".parse().unwrap(), ..local.clone() };
    let token = Config { token: Some(SecretString::from("sesame")), ..open.clone() };
    let lambda = Config { lambda_runtime_api: Some("localhost:9001".into()), ..local.clone() };
    [local, open, token, lambda].map(|config| app(&config))
}

#[tokio::test]
async fn the_matrix() {
    let work = || post("/work", r#"{"end": "done"}"#);
    type Make = Box<dyn Fn() -> Request>;
    // Expected: bound to loopback; open without a token; open with a token; Lambda without a token.
    let rows: Vec<(&str, Make, [u16; 4])> = vec![
        ("read", Box::new(|| get("/items/1")), [200, 200, 401, 200]),
        ("mutate", Box::new(work), [201, 403, 401, 403]),
        ("page", Box::new(|| get("/")), [200, 200, 200, 200]),
        ("live", Box::new(|| get("/health/live")), [200, 200, 200, 200]),
        ("ready", Box::new(|| get("/health/ready")), [200, 200, 200, 200]),
        ("metrics", Box::new(|| get("/metrics")), [200, 200, 200, 200]),
        ("openapi", Box::new(|| get("/openapi.json")), [200, 200, 200, 200]),
        ("docs", Box::new(|| get("/docs")), [200, 200, 200, 200]),
        ("nowhere", Box::new(|| get("/nowhere")), [404, 404, 404, 404]),
        ("right", Box::new(move || with(work(), "authorization", "Bearer sesame")), [201, 403, 201, 403]),
        ("any case", Box::new(|| with(get("/items/1"), "authorization", "bearer sesame")), [200, 200, 200, 200]),
        ("wrong", Box::new(|| with(get("/items/1"), "authorization", "Bearer sesam")), [200, 200, 401, 200]),
        ("empty", Box::new(|| with(get("/items/1"), "authorization", "Bearer ")), [200, 200, 401, 200]),
        ("basic", Box::new(|| with(get("/items/1"), "authorization", "Basic sesame")), [200, 200, 401, 200]),
        ("wrong method", Box::new(|| get("/count")), [405, 405, 401, 405]),
    ];
    let apps = apps();
    for (name, make, expect) in rows {
        let mut statuses = [0; 4];
        for (app, status) in apps.iter().zip(&mut statuses) {
            *status = send(app, make()).await.0.as_u16();
        }
        assert_eq!(statuses, expect, "{name}");
    }
}

#[tokio::test]
async fn a_refusal_says_how_to_authenticate() {
    let [_, open, token, _] = apps();
    let (_, headers, body) = send(&token, get("/items/1")).await;
    assert_eq!(headers["www-authenticate"], "Bearer realm=\"ebb\"");
    assert!(body.contains("a bearer token is needed"), "{body}");
    let (_, _, body) = send(&open, post("/work", "")).await;
    assert!(body.contains("set EBB_TOKEN"), "{body}");
}

#[tokio::test]
async fn an_empty_token_counts_as_none() {
    let config =
        Config { token: Some(SecretString::from("")), host: "0.0.0.0".parse().unwrap(), ..Config::for_tests() };
    let app = app(&config);
    assert_eq!(send(&app, get("/items/1")).await.0, 200);
    assert_eq!(send(&app, with(post("/work", "{}"), "authorization", "Bearer ")).await.0, 403);
}

#[tokio::test]
async fn an_undocumented_route_is_treated_as_mutating() {
    let routes = || {
        let quiet = axum::routing::get(|| async {}).post(|| async {});
        service::OpenApiRouter::new().route("/quiet", quiet)
    };
    let open = Config { host: "0.0.0.0".parse().unwrap(), ..Config::for_tests() };
    let token = Config { token: Some(SecretString::from("sesame")), ..open.clone() };
    let [open, token] = [open, token].map(|config| service::app("quiet", routes(), service::Options::new(&config)));
    assert_eq!(send(&open, get("/quiet")).await.0, 200);
    assert_eq!(send(&open, post("/quiet", "")).await.0, 403);
    assert_eq!(send(&token, get("/quiet")).await.0, 401);
}
