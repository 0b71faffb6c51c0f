//! Version parts that are not what was published: refused by their digest, while the last good version keeps serving.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Server, Up, turn};
use crate::records::{Records, until};
use crate::world::{World, flats_csv};

/// Several times the period at which a serving process looks at the alias.
const WATCHED: Duration = Duration::from_millis(1600);

/// A challenger that nothing was decided about: the functions are called by hand, up to the promotion.
async fn challenger(server: &Server) -> String {
    let ingested = server.post("/ingest", &json!({"model": "flats"})).await.body;
    let about = json!({"model": "flats", "batch": ingested["batch"]});
    assert_eq!(server.post("/check-drift", &about).await.body["decision"], "train", "{ingested}");
    let job = server.post("/train", &about).await.body["job"].as_str().unwrap().to_owned();
    let ended = async || server.get(&format!("/train/{job}?wait=20")).await.body["state"] == "done";
    assert!(until(Duration::from_secs(120), ended).await, "the fit does not end");
    server.get(&format!("/train/{job}/result")).await.body["version"].as_str().unwrap().to_owned()
}

/// The version that answers a prediction; `None` when the answer is an error.
async fn serving(server: &Server) -> Option<String> {
    let record = json!({"size": 70, "rooms": 3, "district": "north", "balcony": true});
    let answer = server.post("/models/flats/predict", &json!({"records": [record]})).await;
    answer.body["version"].as_str().map(str::to_owned)
}

#[tokio::test]
async fn a_damaged_part_is_refused_and_the_last_good_version_keeps_serving() {
    let world = World::flats(&[("000.csv", &flats_csv(400, 0.0)), ("001.csv", &flats_csv(400, 60.0))]);
    let server = Up::default().start(&world).await;
    assert_eq!(turn(&world, &server, "flats").await["ending"], "promoted");
    let records = Records::of(&world, "flats");
    let good = records.production().pop().unwrap();
    assert_eq!(serving(&server).await.as_ref(), Some(&good));
    let other = challenger(&server).await;

    let weights = records.part(&other, "weights.safetensors");
    let encoder = records.part(&other, "encoder.json");
    let (whole_weights, whole_encoder) = (std::fs::read(&weights).unwrap(), std::fs::read(&encoder).unwrap());
    let mut flipped = whole_weights.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let promote = json!({"model": "flats", "version": other, "expected_production": good});
    let rollback = json!({"model": "flats", "to": other, "reason": "trying a damaged version"});
    let damages = [
        ("a flipped bit", &weights, flipped, &whole_weights),
        ("a truncated part", &encoder, whole_encoder[..whole_encoder.len() / 2].to_vec(), &whole_encoder),
    ];
    for (name, path, damaged, whole) in damages {
        std::fs::write(path, damaged).unwrap();
        server.post("/rollback", &rollback).await.assert_problem(name, &world, 502, "/problems/upstream");
        server.post("/promote", &promote).await.assert_problem(name, &world, 502, "/problems/upstream");
        assert_eq!(records.production().last(), Some(&good), "{name}");
        std::fs::write(path, whole).unwrap();
    }

    // Production moves to the version, as another process would have it, and the store spoils it at the same time.
    std::fs::write(&weights, &whole_weights[..whole_weights.len() / 2]).unwrap();
    let mut entry = records.sequence("production").pop().unwrap();
    entry["sequence"] = json!(records.production().len() + 1);
    entry["previous"] = json!(good);
    entry["version"] = json!(other);
    entry["decision"] = json!("0123456789abcdef");
    records.append("production", &entry);
    let end = Instant::now() + WATCHED;
    while Instant::now() < end {
        assert_eq!(serving(&server).await.as_ref(), Some(&good), "the last good version keeps serving");
    }
    let told = server.log().iter().any(|line| line.contains("ERROR") && line.contains("does not match its digest"));
    assert!(told, "{:#?}", server.log());

    let fresh = Up::default().start(&world).await;
    let record = json!({"size": 70, "rooms": 3, "district": "north", "balcony": true});
    let refused = fresh.post("/models/flats/predict", &json!({"records": [record]})).await;
    refused.assert_problem("a fresh process", &world, 502, "/problems/upstream");

    std::fs::write(&weights, &whole_weights).unwrap();
    for (name, server) in [("the fresh process", &fresh), ("the one that served all along", &server)] {
        let mended = until(Duration::from_secs(40), async || serving(server).await.as_ref() == Some(&other)).await;
        assert!(mended, "{name} does not serve the mended version");
    }
}
