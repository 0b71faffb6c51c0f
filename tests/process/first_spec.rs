//! A spec that `ebb new` guessed plays a whole turn.

use serde_json::json;

use crate::harness::{Up, new_spec, turn};
use crate::world::World;

const CHURN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/mlc_churn.csv");

#[tokio::test]
async fn a_spec_made_from_a_csv_plays_a_turn_from_a_folder() {
    let world = World::new();
    let path = world.models().join("churn.yaml");
    let out = path.to_str().unwrap();
    let said = new_spec(&[CHURN, "--target", "churn", "--name", "churn", "--out", out]).await.unwrap();
    assert!(said.contains("binary classification from 5,000 rows"), "{said}");
    assert!(new_spec(&[CHURN, "--target", "churn", "--out", out]).await.is_err(), "a spec is not overwritten");
    assert!(new_spec(&[CHURN, "--target", "chrun"]).await.unwrap_err().contains("churn"));

    let landing = world.folder().join("landing");
    std::fs::create_dir(&landing).unwrap();
    std::fs::copy(CHURN, landing.join("2026-01.csv")).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let more = format!(
        "source: {{files: {{url: {landing:?}, format: csv}}}}\ntrain: {{kinds: [coarse], members: 1, hidden: 16}}\n"
    );
    world.put_spec("churn", &(text + &more));

    let server = Up::default().start(&world).await;
    let first = turn(&world, &server, "churn").await;
    assert_eq!(
        (&first["ending"], &first["check_drift"]["decision"]),
        (&json!("promoted"), &json!("bootstrap")),
        "{first}"
    );
    assert_eq!((&first["ingest"]["rows"], &first["ingest"]["quarantined"]), (&json!(5000), &json!(0)), "{first}");
    let auc = first["train"]["metrics"]["holdout"]["new"]["auc"].as_f64().unwrap();
    assert!(auc > 0.85, "{first}");
    assert_eq!(turn(&world, &server, "churn").await["ending"], "exhausted");

    let record: serde_json::Value = csv_record();
    let answer = server.post("/predict", &json!({"records": [record]})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let probability = answer.body["predictions"][0]["probability"].as_f64().unwrap();
    assert!(probability > 0.0 && probability < 1.0, "{}", answer.text);
}

/// The first row of the file without its target, numbers as numbers.
fn csv_record() -> serde_json::Value {
    let text = std::fs::read_to_string(CHURN).unwrap();
    let mut lines = text.lines().map(|line| line.split(','));
    let (names, cells) = (lines.next().unwrap(), lines.next().unwrap());
    let cell = |text: &str| text.parse::<f64>().map_or_else(|_| json!(text), |number| json!(number));
    names.zip(cells).filter(|(name, _)| *name != "churn").map(|(name, text)| (name.to_owned(), cell(text))).collect()
}
