//! Batches that are profiled part by part.

use axum::http::StatusCode;
use serde_json::{Value as Json, json};

use crate::fixture::{Fixture, MODEL, PLAIN, Rows, first_reason};

/// Profiles every part of a batch, the last one first, and answers their ids in that order.
async fn profiled(fixture: &Fixture, batch: &str, of: u32) -> Vec<String> {
    let mut ids = Vec::new();
    for part in (1..=of).rev() {
        let (status, body) = part_of(fixture, batch, part, of).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        ids.push(body["id"].as_str().unwrap().to_owned());
    }
    ids
}

async fn part_of(fixture: &Fixture, batch: &str, part: u32, of: u32) -> (StatusCode, Json) {
    fixture.post("/check-drift/parts", &json!({"model": MODEL, "batch": batch, "part": part, "of": of}), None).await
}

async fn check(fixture: &Fixture, batch: &str, parts: &[String]) -> (StatusCode, Json) {
    fixture.post("/check-drift", &json!({"model": MODEL, "batch": batch, "parts": parts}), None).await
}

fn errors(body: &Json) -> Vec<(&str, &str)> {
    let all = body["errors"].as_array().unwrap_or_else(|| panic!("{body}")).iter();
    all.map(|error| (error["pointer"].as_str().unwrap(), error["detail"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn parts_are_decided_as_the_whole() {
    let cases = [
        (PLAIN, 3),
        (Rows { shift: 0.5, ..PLAIN }, 4),
        (Rows { price: 0.5, ..PLAIN }, 7),
        (Rows { n_cities: 40, ..PLAIN }, 1),
        (Rows { n_rows: 150, ..PLAIN }, 2),
    ];
    for (number, (rows, of)) in (1..).zip(cases) {
        for fixture in Fixture::all() {
            fixture.serve(PLAIN).await;
            let batch = fixture.land(number, rows).await;
            let (_, whole) = fixture.check(&batch).await;
            let ids = profiled(&fixture, &batch, of).await;
            let (status, body) = check(&fixture, &batch, &ids).await;
            assert_eq!(status, StatusCode::OK, "{body}");
            for what in ["decision", "reasons", "warnings", "columns", "production"] {
                assert_eq!(body[what], whole[what], "{what}");
            }
            assert_eq!(body["live"][0]["decayed"], whole["live"][0]["decayed"]);
            assert_eq!(body["live"][0]["rows"], whole["live"][0]["rows"]);
            assert_eq!(body["outlook"], Json::Null);
        }
    }
}

#[tokio::test]
async fn small_and_narrow_is_quarantined_from_parts_too() {
    let fixture = Fixture::in_memory();
    fixture.serve(PLAIN).await;
    let usual = fixture.land(1, Rows { n_rows: 4_000, ..PLAIN }).await;
    fixture.decided(&usual, "skip").await;
    let narrow = fixture.land(2, Rows { n_rows: 260, n_cities: 1, ..PLAIN }).await;
    let ids = profiled(&fixture, &narrow, 3).await;
    let (_, body) = check(&fixture, &narrow, &ids).await;
    assert_eq!(body["decision"], "quarantine", "{body}");
    assert!(first_reason(&body).starts_with("covers 1 of 20 levels of `city`"), "{body}");
}

#[tokio::test]
async fn a_part_is_made_once() {
    for fixture in Fixture::all() {
        let batch = fixture.land(1, PLAIN).await;
        let (status, first) = part_of(&fixture, &batch, 2, 3).await;
        assert_eq!((status, &first["rows"], &first["production"]), (StatusCode::OK, &json!(667), &Json::Null));
        let file = format!("part-{}.json", first["id"].as_str().unwrap());
        let kept = fixture.registry.get_batch_file(MODEL, &batch, &file).await.unwrap();
        assert_eq!(part_of(&fixture, &batch, 2, 3).await, (StatusCode::OK, first));
        assert_eq!(fixture.registry.get_batch_file(MODEL, &batch, &file).await.unwrap(), kept);
        // Without production there is nothing to compare with, and all parts are bootstrap's.
        let ids = profiled(&fixture, &batch, 3).await;
        let (_, body) = check(&fixture, &batch, &ids).await;
        assert_eq!(body["decision"], "bootstrap", "{body}");
    }
}

#[tokio::test]
async fn parts_that_are_not_the_batch_are_refused() {
    let fixture = Fixture::in_memory();
    fixture.serve(PLAIN).await;
    let batch = fixture.land(1, PLAIN).await;
    let ids = profiled(&fixture, &batch, 3).await;
    let halves = profiled(&fixture, &batch, 2).await;
    let never = ids[0].replace("3-of-3", "1-of-1");
    let refused = [
        (vec![ids[0].clone(), ids[2].clone()], "/parts", "part 2 of 3 is missing"),
        (vec![ids[0].clone(), ids[1].clone(), ids[0].clone()], "/parts/2", "part 3 of 3 is there already, at /parts/0"),
        (vec![ids[0].clone(), halves[0].clone()], "/parts/1", "expected a part of 3, as the first one is"),
        (vec!["../x".to_owned()], "/parts/0", "expected the id of a part"),
        (vec![never], "/parts/0", "POST /check-drift/parts makes it"),
    ];
    for (parts, pointer, detail) in refused {
        let (status, body) = check(&fixture, &batch, &parts).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        let errors = errors(&body);
        assert!(errors[0].0 == pointer && errors[0].1.contains(detail), "{body}");
    }
    for (part, of, pointer) in [(0, 3, "/part"), (4, 3, "/part"), (1, 0, "/of"), (1, 1_001, "/of")] {
        let (status, body) = part_of(&fixture, &batch, part, of).await;
        assert_eq!((status, errors(&body)[0].0), (StatusCode::UNPROCESSABLE_ENTITY, pointer), "{body}");
    }
    assert!(fixture.registry.checks(MODEL, &batch).await.unwrap().is_empty());
}

#[tokio::test]
async fn parts_of_another_spec_or_version_are_refused() {
    let fixture = Fixture::in_memory();
    fixture.serve(PLAIN).await;
    let batch = fixture.land(1, PLAIN).await;
    let ids = profiled(&fixture, &batch, 2).await;
    fixture.serve(Rows { n_rows: 2_400, ..PLAIN }).await;
    let (status, body) = check(&fixture, &batch, &ids).await;
    assert_eq!(status, StatusCode::CONFLICT, "{body}");
    let expected = format!("part {} was profiled with another production version: profile it again", ids[1]);
    assert_eq!(body["detail"], json!(expected));

    let again = profiled(&fixture, &batch, 2).await;
    let text = crate::fixture::SPEC.replace("  sold: {kind: time}\nderive: {month: {month: sold}}\n", "");
    fixture.write_spec(&text);
    let (status, body) = check(&fixture, &batch, &again).await;
    assert_eq!(status, StatusCode::CONFLICT, "{body}");
    assert!(body["detail"].as_str().unwrap().contains("with another spec"), "{body}");
}

#[tokio::test]
async fn a_damaged_part_is_an_error_and_no_decision() {
    let fixture = Fixture::in_memory();
    fixture.serve(PLAIN).await;
    let batch = fixture.land(1, PLAIN).await;
    let ids = profiled(&fixture, &batch, 2).await;
    let file = format!("part-{}.json", ids[0]);
    let kept = fixture.registry.get_batch_file(MODEL, &batch, &file).await.unwrap();
    let kept = String::from_utf8(kept.to_vec()).unwrap();
    for damaged in [kept.replacen("\"n_rows\":1000", "\"n_rows\":999", 1), "{}".to_owned()] {
        assert_ne!(damaged, kept);
        fixture.registry.put_batch_file(MODEL, &batch, &file, damaged).await.unwrap();
        let (status, body) = check(&fixture, &batch, &ids).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{body}");
    }
    assert!(fixture.registry.checks(MODEL, &batch).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_hold_out_that_no_part_can_tell_is_refused() {
    let fixture = Fixture::in_memory();
    let text = format!("{}time: sold\nsplit: {{by: time, fraction: 0.25}}\n", crate::fixture::SPEC);
    fixture.write_spec(&text);
    let reference = Fixture::reference(PLAIN);
    fixture.serve_as(&text, reference).await;
    let learnt = fixture.registry.batches(MODEL).await.unwrap()[0].landing.batch.clone();
    let (status, body) = part_of(&fixture, &learnt, 1, 2).await;
    assert_eq!(status, StatusCode::CONFLICT, "{body}");
    assert!(body["detail"].as_str().unwrap().ends_with("check the batch without `parts`"), "{body}");
    let other = fixture.land(1, PLAIN).await;
    assert_eq!(profiled(&fixture, &other, 2).await.len(), 2);
}
