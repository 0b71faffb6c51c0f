//! The six real-estate batches from the first to the last.

use serde_json::Value;

use crate::harness::{Up, source};
use crate::reference::{MODEL, Played, play, play_small, reference};
use crate::world::World;

async fn play_at(scale: &str, min_rows: u64) -> Played {
    let source = source(&["--system", MODEL, "--scale", scale]).await;
    let world = World::real_estate(min_rows, 64);
    let server = Up::with_source(&source).start(&world).await;
    play(&world, &server).await
}

fn reasons<'a>(outcome: &'a Value, function: &str) -> Vec<&'a str> {
    outcome[function]["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// What the six batches are known to come to, at any scale.
fn assert_the_six_decisions(played: &Played) {
    let decisions: Vec<&str> =
        played.outcomes.iter().filter_map(|outcome| outcome["check_drift"]["decision"].as_str()).collect();
    assert_eq!(decisions, ["bootstrap", "train", "train", "quarantine", "train", "train"]);
    assert_eq!(played.outcomes.len(), 7, "the last turn finds the source exhausted");
    assert_eq!(played.landed.len(), 6);

    let third = reasons(&played.outcomes[2], "check_drift");
    assert!(third.iter().any(|reason| reason.contains("`status`")), "{third:?}");
    let fourth = reasons(&played.outcomes[3], "check_drift");
    let covers = fourth.iter().find(|reason| reason.contains("`state`")).expect("a reason names the states");
    assert!(covers.contains("covers 1 of ") && covers.contains("against a median of"), "{fourth:?}");
    assert!(played.outcomes[3]["train"].is_null(), "a batch in quarantine is not learnt from");

    let endings: Vec<&str> = played.outcomes.iter().filter_map(|outcome| outcome["ending"].as_str()).collect();
    assert_eq!((endings[0], endings[3], endings[6]), ("promoted", "quarantined", "exhausted"));
    for wanted in ["promoted", "refused"] {
        assert!(endings[1..].contains(&wanted), "no challenger was {wanted}: {endings:?}");
    }
    for outcome in played.outcomes.iter().filter(|outcome| !outcome["promote"].is_null()) {
        let (promote, ending) = (&outcome["promote"], &outcome["ending"]);
        assert!(!reasons(outcome, "promote").is_empty(), "{ending}: {promote}");
        assert_eq!(promote["evidence"]["metric"], "mae_log", "{ending}: {promote}");
    }
    let promoted = endings.iter().filter(|ending| **ending == "promoted").count();
    assert_eq!(played.production.len(), promoted);
}

#[tokio::test]
async fn the_six_batches_are_decided_as_expected_at_scale_0_02() {
    assert_the_six_decisions(&play_at("0.02", 50).await);
}

#[tokio::test]
async fn the_six_batches_are_decided_as_expected_at_scale_0_05() {
    assert_the_six_decisions(&play_at("0.05", 100).await);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_bytes_in_a_fresh_store() {
    let (first, second) = (reference().await, play_small().await);
    assert!(!first.weights.is_empty());
    assert_eq!(first.production, second.production);
    assert_eq!(first.weights.keys().collect::<Vec<_>>(), second.weights.keys().collect::<Vec<_>>());
    assert!(first.weights == second.weights, "the weights differ");
}
