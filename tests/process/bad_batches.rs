//! Batches that are empty, ragged or broken: landed, counted, and never learnt from in silence.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;

use crate::harness::{Up, turn};
use crate::records::Records;
use crate::world::{World, flats, flats_csv};

/// A source that answers these bodies, one a read, and then that it is exhausted; its address.
async fn scripted_source(bodies: Vec<String>) -> String {
    let read = Arc::new(AtomicUsize::new(0));
    let data = get(async move || match bodies.get(read.fetch_add(1, Ordering::SeqCst)) {
        Some(body) => (StatusCode::OK, body.clone()),
        None => (StatusCode::BAD_REQUEST, "no more".to_owned()),
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, Router::new().route("/data", data)).into_future());
    format!("http://{address}/data")
}

#[tokio::test]
async fn an_empty_batch_is_put_in_quarantine() {
    let bodies = [r#"{"batch_number": 0, "data": []}"#, r#"{"batch_number": 1, "data": [{"size": 70"#];
    let url = scripted_source(bodies.map(str::to_owned).to_vec()).await;
    let world = World::new();
    world.put_spec(
        "flats",
        &format!("{}source: {{http: {{url: \"{url}\", exhausted: {{status: 400}}}}}}\n", flats("flats")),
    );
    let server = Up::default().start(&world).await;

    for (number, word) in [(0, "rows"), (1, "JSON")] {
        let outcome = turn(&world, &server, "flats").await;
        assert_eq!(outcome["ending"], "quarantined", "{outcome}");
        let ingested = &outcome["ingest"];
        assert_eq!((&ingested["status"], ingested["rows"].as_u64()), (&"quarantined".into(), Some(0)), "{outcome}");
        assert_eq!(ingested["batch_number"], number, "{outcome}");
        assert!(ingested["reasons"][0].as_str().unwrap().contains(word), "{outcome}");
        assert_eq!(outcome["check_drift"]["decision"], "quarantine", "{outcome}");
    }
    assert_eq!(turn(&world, &server, "flats").await["ending"], "exhausted");
    assert_eq!(Records::of(&world, "flats").landed().len(), 2, "the bytes are kept");
    server.post("/models/flats/predict", &serde_json::json!({"records": [{}]})).await.assert_problem(
        "no production version",
        &world,
        503,
        "/problems/unavailable",
    );
}

#[tokio::test]
async fn ragged_rows_of_a_csv_are_put_aside_with_the_reason() {
    let ragged = flats_csv(400, 0.0) + "70,3,north\n70,3,north,true,900,7\n,3,north,true,900\n70,3,east,true,900\n";
    let world = World::flats(&[("000.csv", &ragged)]);
    let server = Up::default().start(&world).await;
    let outcome = turn(&world, &server, "flats").await;
    assert_eq!(outcome["ending"], "promoted", "{outcome}");
    assert_eq!((&outcome["ingest"]["rows"], &outcome["ingest"]["quarantined"]), (&400.into(), &4.into()));
    let aside = Records::of(&world, "flats").quarantined(outcome["ingest"]["batch"].as_str().unwrap());
    assert_eq!(aside.lines().count(), 4);
    for words in ["3 cells", "6 cells", "null", "`east`"] {
        assert!(aside.contains(words), "`{words}` in {aside}");
    }
}

#[tokio::test]
async fn a_batch_with_other_columns_is_put_in_quarantine_and_the_next_is_played() {
    let renamed = flats_csv(400, 0.0).replacen("district", "quarter", 1);
    let world = World::flats(&[("000.csv", &renamed), ("001.csv", &flats_csv(400, 0.0))]);
    let server = Up::default().start(&world).await;
    let outcome = turn(&world, &server, "flats").await;
    assert_eq!(outcome["ending"], "quarantined", "{outcome}");
    let reasons = outcome["ingest"]["reasons"].to_string();
    assert!(reasons.contains("quarter") && reasons.contains("district"), "{reasons}");
    assert_eq!(turn(&world, &server, "flats").await["ending"], "promoted");
    assert_eq!(turn(&world, &server, "flats").await["ending"], "exhausted");
}
