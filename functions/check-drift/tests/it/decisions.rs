//! Which batch gets which decision.

use axum::http::StatusCode;
use registry::BatchStatus;
use serde_json::json;

use crate::fixture::{Fixture, MODEL, PLAIN, Rows, SPEC, first_reason};

#[tokio::test]
async fn batches_are_decided_by_what_moved() {
    let rows = [
        (PLAIN, "skip", "none of 3 columns drifted"),
        (Rows { shift: 0.5, ..PLAIN }, "train", "column `size`: the values moved by 0.50"),
        (Rows { price: 0.5, ..PLAIN }, "train", "live performance decayed: rmse 1"),
        (Rows { n_cities: 40, ..PLAIN }, "train", "column `city`: 20 new categories"),
        (Rows { n_rows: 150, ..PLAIN }, "quarantine", "has 150 rows, fewer than the 200"),
        (Rows { n_rows: 260, n_cities: 1, ..PLAIN }, "train", "column `city`"),
    ];
    for (rows, decision, reason) in rows {
        // Nothing is accepted before, so that no batch is small against others.
        for fixture in Fixture::all() {
            let production = fixture.serve(PLAIN).await;
            let batch = fixture.land(1, rows).await;
            let body = fixture.decided(&batch, decision).await;
            assert!(first_reason(&body).starts_with(reason), "{body}");
            assert_eq!(body["production"], json!(production));
            let columns = body["columns"].as_array().unwrap().iter();
            let names: Vec<&str> = columns.map(|column| column["column"].as_str().unwrap()).collect();
            assert_eq!(names, ["size", "city", "price"], "a time is no input");
            let state = fixture.registry.batch(MODEL, &batch).await.unwrap().unwrap();
            assert_eq!(state.accepted(), decision != "quarantine");
        }
    }
}

#[tokio::test]
async fn small_and_narrow_is_quarantined() {
    let fixture = Fixture::in_memory();
    fixture.serve(PLAIN).await;
    for number in 1..=3 {
        let batch = fixture.land(number, Rows { n_rows: 4_000, ..PLAIN }).await;
        fixture.decided(&batch, "skip").await;
    }
    let narrow = fixture.land(4, Rows { n_rows: 260, n_cities: 1, ..PLAIN }).await;
    let body = fixture.decided(&narrow, "quarantine").await;
    assert!(first_reason(&body).starts_with("covers 1 of 20 levels of `city`"), "{body}");
    assert!(first_reason(&body).ends_with("260 rows against a median of 4000"), "{body}");

    // By hand it is judged by its drift alone, and its reasons say so.
    fixture.registry.release_batch(MODEL, &narrow, "a real month").await.unwrap();
    let body = fixture.decided(&narrow, "train").await;
    assert_eq!(first_reason(&body), "was released from quarantine by hand: a real month");
    assert!(body["reasons"][1].as_str().unwrap().contains("`city`"), "{body}");
}

#[tokio::test]
async fn without_production_the_first_batch_is_for_bootstrap() {
    let fixture = Fixture::in_memory();
    let few = fixture.land(1, Rows { n_rows: 50, ..PLAIN }).await;
    fixture.decided(&few, "quarantine").await;
    let batch = fixture.land(2, PLAIN).await;
    let body = fixture.decided(&batch, "bootstrap").await;
    assert_eq!((&body["production"], &body["columns"]), (&json!(null), &json!([])));
    let (status, _, page) = fixture.page(body["report_url"].as_str().unwrap()).await;
    assert!(status == StatusCode::OK && page.contains("bootstrap"), "{page}");
    fixture.registry.release_batch(MODEL, &few, "it is all there is").await.unwrap();
    fixture.decided(&few, "bootstrap").await;
}

#[tokio::test]
async fn what_could_not_be_read_stays_in_quarantine() {
    let fixture = Fixture::in_memory();
    let reasons = ["the CSV cannot be read at line 3"];
    let batch = fixture.land_as(1, "".into(), 0, BatchStatus::Quarantined, &reasons).await;
    let body = fixture.decided(&batch, "quarantine").await;
    assert_eq!(body["reasons"], json!(reasons));
    fixture.registry.release_batch(MODEL, &batch, "please").await.unwrap();
    fixture.decided(&batch, "quarantine").await;
    // So does a batch of which every row was bad.
    let empty = fixture.land(2, Rows { n_rows: 0, ..PLAIN }).await;
    fixture.registry.release_batch(MODEL, &empty, "please").await.unwrap();
    let body = fixture.decided(&empty, "quarantine").await;
    assert_eq!(body["reasons"], json!(["has no rows"]));
}

#[tokio::test]
async fn a_spec_that_changed_asks_for_a_new_version() {
    let fixture = Fixture::in_memory();
    fixture.serve(PLAIN).await;
    let old = fixture.land(1, PLAIN).await;
    fixture.decided(&old, "skip").await;
    let text = SPEC.replace("  sold: {kind: time}\nderive: {month: {month: sold}}\n", "");
    fixture.write_spec(&text);
    let mut batch = crate::fixture::batch(2, PLAIN);
    batch = spec::Batch::new(batch.columns()[..2].to_vec(), batch.target().cloned(), None, batch.n_rows());
    let rows = dataset::write_parquet(&spec::Spec::parse(&text).unwrap(), &batch).unwrap();
    let new = fixture.land_as(2, rows, 2_000, BatchStatus::Landed, &[]).await;
    let body = fixture.decided(&new, "train").await;
    assert_eq!(
        body["reasons"],
        json!(["the spec has changed since the production version was trained: column `sold` was taken out"])
    );
    // A batch that was stored with the old columns cannot be read with the new ones, and that is said.
    let (status, body) = fixture.check_as(&old, Some("again")).await;
    assert_eq!(status, StatusCode::CONFLICT, "{body}");
}
