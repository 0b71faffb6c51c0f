//! Who may change something.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Answer, Up, client, outcome};
use crate::world::{World, flats_csv};

const MUTATING: [&str; 7] =
    ["/ingest", "/ingest/b/release", "/check-drift", "/train", "/promote", "/rollback", "/feedback"];

#[tokio::test]
async fn a_configured_token_is_needed() {
    let world = World::flats(&[("000.csv", &flats_csv(400, 0.0))]);
    let server = Up { token: Some("open sesame"), ..Up::default() }.start(&world).await;
    let body = json!({"model": "flats"});
    for route in MUTATING.into_iter().chain(["/models/flats/predict", "/models/flats/explain"]) {
        for given in [None, Some("Bearer open sesam"), Some("Bearer"), Some("Basic open sesame")] {
            let mut request = server.request(Method::POST, route).json(&body);
            if let Some(given) = given {
                request = request.header("authorization", given);
            }
            let answer = Answer::of(request).await;
            answer.assert_problem(&format!("{route} with {given:?}"), &world, 401, "/problems/unauthenticated");
        }
    }
    for route in ["/health/live", "/health/ready"] {
        assert_eq!(server.get(route).await.status, 200, "{route} is public");
    }
    assert!(outcome(client(&world, &server, "flats", None)).await.unwrap_err().contains("401"));
    let played = outcome(client(&world, &server, "flats", Some("open sesame"))).await.unwrap();
    assert_eq!(played["ending"], "promoted", "{played}");
    assert!(!server.log().iter().any(|line| line.contains("sesam")), "the token is in the log");
}

#[tokio::test]
async fn without_a_token_nothing_is_changed_from_outside() {
    let world = World::flats(&[("000.csv", &flats_csv(400, 0.0))]);
    let server = Up { host: Some("0.0.0.0"), ..Up::default() }.start(&world).await;
    for route in MUTATING {
        let answer = server.post(route, &json!({"model": "flats"})).await;
        answer.assert_problem(route, &world, 403, "/problems/forbidden");
        assert!(answer.text.contains("EBB_TOKEN"), "{}", answer.text);
    }
    for route in ["/health/live", "/health/ready", "/openapi.json", "/"] {
        assert_eq!(server.get(route).await.status, 200, "{route}");
    }
    let answer = server.post("/models/flats/predict", &json!({"records": [{}]})).await;
    answer.assert_problem("a prediction changes nothing", &world, 503, "/problems/unavailable");
    assert!(!world.store().join("models").exists(), "something was written");
}
