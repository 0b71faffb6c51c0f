//! Labels that say what inputs do not.

use serde_json::{Value as Json, json};

use crate::fixture::{Fixture, MODEL, PLAIN, Rows, first_reason};

/// Stores predictions of the production version and, for each, what turned out to be true.
async fn feed_back(fixture: &Fixture, version: &str, first: usize, pairs: &[(f64, f64)]) {
    let registry = &fixture.registry;
    let id = |row: usize| format!("00000000-0000-7000-8000-{:012}", first + row);
    let now = registry.now();
    let (mut predictions, mut labels) = (String::new(), String::new());
    for (row, (prediction, label)) in pairs.iter().enumerate() {
        let line = json!({"id": id(row), "model": MODEL, "version": version, "at": now, "prediction": prediction});
        predictions += &format!("{line}\n");
        let line = json!({"id": id(row), "model": MODEL, "label": label, "observed_at": now, "received_at": now});
        labels += &format!("{line}\n");
    }
    let name = format!("{0}-{0}-{first}", now.timestamp_millis() + 1);
    registry.put_predictions(MODEL, &name, registry::compress(&predictions).unwrap()).await.unwrap();
    registry.put_feedback(MODEL, &name, registry::compress(&labels).unwrap()).await.unwrap();
}

fn live(body: &Json) -> Vec<(&str, u64, bool)> {
    let all = body["live"].as_array().unwrap().iter();
    all.map(|decay| {
        (decay["source"].as_str().unwrap(), decay["rows"].as_u64().unwrap(), decay["decayed"].as_bool().unwrap())
    })
    .collect()
}

#[tokio::test]
async fn a_model_that_answers_as_it_should_is_left_alone() {
    let fixture = Fixture::in_memory();
    fixture.serve(PLAIN).await;
    let batch = fixture.land(1, PLAIN).await;
    let body = fixture.decided(&batch, "skip").await;
    assert_eq!(live(&body), [("the batch", 2_000, false)]);
    let decay = &body["live"][0];
    assert_eq!(decay["metric"], "rmse");
    for figure in ["live", "expected"] {
        assert!((decay[figure].as_f64().unwrap() - 1.0).abs() < 0.1, "{decay}");
    }
}

#[tokio::test]
async fn feedback_alone_leads_to_training() {
    let fixture = Fixture::in_memory();
    let version = fixture.serve(PLAIN).await;
    let mean = 3.0_f64.sqrt();
    // As far off as the rows that were held out are.
    let spread = |row: usize| f64::from(u32::try_from(row * 7_919 % 400).unwrap()) / 400.0 * 12.0_f64.sqrt();
    let usual: Vec<(f64, f64)> = (0..400).map(|row| (mean, spread(row))).collect();
    feed_back(&fixture, version.as_str(), 0, &usual).await;
    let batch = fixture.land(1, PLAIN).await;
    let body = fixture.decided(&batch, "skip").await;
    assert_eq!(live(&body), [("the batch", 2_000, false), ("feedback", 400, false)]);

    // Of another version, however bad, nothing follows.
    let off: Vec<(f64, f64)> = usual.iter().map(|(prediction, label)| (prediction + 3.0, *label)).collect();
    feed_back(&fixture, &"0".repeat(64), 1_000, &off).await;
    let other = fixture.land(2, PLAIN).await;
    fixture.decided(&other, "skip").await;

    // The same labels again, observed once more: a correction takes the place of what was observed first.
    feed_back(&fixture, version.as_str(), 2_000, &off).await;
    let body = fixture.decided(&batch, "train").await;
    assert_eq!(live(&body), [("the batch", 2_000, false), ("feedback", 800, true)]);
    let reasons = body["reasons"].as_array().unwrap();
    assert_eq!(reasons.len(), 1, "{body}");
    assert!(first_reason(&body).starts_with("live performance decayed: rmse 1"), "{body}");
    assert!(first_reason(&body).contains("on 800 labelled rows of feedback"), "{body}");
}

#[tokio::test]
async fn a_batch_that_the_version_learnt_from_is_judged_on_its_hold_out() {
    let fixture = Fixture::in_memory();
    fixture.serve(PLAIN).await;
    let learnt = fixture.registry.batches(MODEL).await.unwrap()[0].landing.batch.clone();
    let body = fixture.decided(&learnt, "skip").await;
    let rows = body["live"][0]["rows"].as_u64().unwrap();
    assert!((300..500).contains(&rows), "a fifth of 2,000: {body}");
}

#[tokio::test]
async fn few_labels_say_nothing() {
    let fixture = Fixture::in_memory();
    let version = fixture.serve(PLAIN).await;
    feed_back(&fixture, version.as_str(), 0, &[(9.0, 0.0); 49]).await;
    let batch = fixture.land(1, Rows { n_rows: 300, ..PLAIN }).await;
    let body = fixture.decided(&batch, "skip").await;
    assert_eq!(live(&body), [("the batch", 300, false)]);
}

#[tokio::test]
async fn what_is_to_be_expected_is_told_and_decides_nothing() {
    let fixture = Fixture::in_memory();
    fixture.serve(PLAIN).await;
    let batch = fixture.land(1, PLAIN).await;
    let body = fixture.decided(&batch, "skip").await;
    let outlook = &body["outlook"];
    assert_eq!(
        (&outlook["metric"], &outlook["rows"], &outlook["worse"]),
        (&json!("rmse"), &json!(2_000), &json!(false))
    );
    assert!((outlook["expected"].as_f64().unwrap() - 1.0).abs() < 0.15, "{outlook}");
    assert_eq!(body["warnings"], json!([]));

    // A number that the reference has never had.
    let moved = fixture.land(2, Rows { shift: 0.5, ..PLAIN }).await;
    let body = fixture.decided(&moved, "train").await;
    let warning = body["warnings"][0].as_str().unwrap();
    assert!(warning.starts_with("column `size`: ") && warning.contains("outside the reference's range"), "{body}");
    let (_, _, page) = fixture.page(body["report_url"].as_str().unwrap()).await;
    assert!(page.contains("Also worth knowing"), "{page}");
}
