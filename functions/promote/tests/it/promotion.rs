//! Which challengers win, and what is told of the others.

use axum::http::StatusCode;
use serde_json::json;

use crate::fixture::{Fixture, MODEL, post, reasons, spec_text};

#[tokio::test]
async fn the_first_version_needs_its_floors_only() {
    for fixture in
        [Fixture::in_memory("promote: {floors: {r2: 0.5}}"), Fixture::in_folder("promote: {floors: {r2: 0.5}}")]
    {
        let batch = fixture.land(1, 400, 2.0).await;
        let bad = fixture.publish(-2.0, 0.0, &batch).await;
        let body = fixture.refused(&bad, None).await;
        assert!(reasons(&body)[0].starts_with("the floor of r2 is broken: -"), "{body}");
        assert_eq!(body["evidence"]["floors"][0]["passed"], json!(false));

        let good = fixture.publish(2.0, 0.0, &batch).await;
        let body = fixture.promoted(&good, None).await;
        assert_eq!(body["production"], json!(good));
        assert!(reasons(&body)[0].starts_with("no version serves yet; rmse is 0.1"), "{body}");
        assert!(reasons(&body)[1].ends_with("on the new hold-out, where at least 0.5000 is needed"), "{body}");
        let evidence = &body["evidence"];
        assert_eq!((&evidence["metric"], &evidence["new"]["batch"]), (&json!("rmse"), &json!(batch)));
        assert_eq!((&evidence["new"]["champion"], &evidence["history"]), (&json!(null), &json!(null)));
        assert!(evidence["metrics"]["challenger"]["mae"].as_f64().unwrap() < 0.2, "{evidence}");
        let record = fixture.registry.decision(MODEL, body["decision"].as_str().unwrap()).await.unwrap().unwrap();
        assert!(record.promoted && record.evidence == *evidence);
        assert_eq!(fixture.registry.decisions(MODEL).await.unwrap().len(), 2, "the refusal is on record, too");
    }
}

#[tokio::test]
async fn a_better_challenger_wins_and_a_worse_one_is_refused() {
    let fixture = Fixture::in_memory("");
    let first = fixture.land(1, 400, 2.0).await;
    let champion = fixture.publish(1.5, 0.0, &first).await;
    fixture.promoted(&champion, None).await;
    let second = fixture.land(2, 400, 2.0).await;
    fixture.land_as(3, 400, -2.0, "quarantine").await;

    let worse = fixture.publish(1.0, 0.0, &second).await;
    let body = fixture.refused(&worse, Some(&champion)).await;
    let told = reasons(&body);
    assert!(told[0].contains("rose from") && told[0].ends_with("which does not exclude a loss"), "{told:?}");
    assert!(told[1].starts_with("history: rmse on") && told[1].contains("no more than 10 % is allowed"), "{told:?}");

    let better = fixture.publish(2.0, 0.0, &second).await;
    let body = fixture.promoted(&better, Some(&champion)).await;
    let told = reasons(&body);
    assert!(told[0].starts_with("rmse on ") && told[0].contains("new hold-out rows fell from 0."), "{told:?}");
    assert!(told[0].contains("95 % interval 0."), "{told:?}");
    let evidence = &body["evidence"];
    let number = |pointer: &str| evidence.pointer(pointer).and_then(serde_json::Value::as_f64).unwrap();
    assert!(
        number("/new/interval/0") < number("/new/improvement")
            && number("/new/improvement") < number("/new/interval/1")
    );
    assert_eq!(number("/history/batches"), 1.0, "the quarantined batch is not history");
    assert!(number("/history/relative_increase") < 0.0 && number("/history/allowed") == 0.1);
    assert!((150.0..250.0).contains(&number("/new/rows")), "half of the rows are hold-out");
}

#[tokio::test]
async fn no_better_is_not_enough() {
    let fixture = Fixture::in_memory("");
    let batch = fixture.land(1, 400, 2.0).await;
    // As far above the best line as the other is below it.
    let champion = fixture.publish(2.0, 0.069, &batch).await;
    fixture.promoted(&champion, None).await;
    let twin = fixture.publish(2.0, 0.009, &batch).await;
    let body = fixture.refused(&twin, Some(&champion)).await;
    assert!(reasons(&body)[0].contains("does not exclude a loss"), "{body}");
    assert!(reasons(&body).contains(&"history: no hold-out row of another accepted batch to compare on".to_owned()));
    assert_eq!(body["evidence"]["history"], json!(null));
}

#[tokio::test]
async fn a_sure_gain_must_be_worth_a_change() {
    let fixture = Fixture::in_memory("");
    let batch = fixture.land(1, 4_000, 2.0).await;
    // Every answer is nearer to the line, by little.
    let champion = fixture.publish(2.0, 0.060, &batch).await;
    fixture.promoted(&champion, None).await;
    let nearer = fixture.publish(2.0, 0.055, &batch).await;
    let body = fixture.refused(&nearer, Some(&champion)).await;
    assert!(body["evidence"]["new"]["interval"][0].as_f64().unwrap() > 0.0, "{body}");
    assert!(reasons(&body)[0].ends_with("and under 1 % is no reason to change"), "{body}");
    fixture.write_spec(&spec_text("promote: {min_gain: 0}"));
    fixture.promoted(&nearer, Some(&champion)).await;
}

#[tokio::test]
async fn what_history_forbids_its_absence_allows() {
    let fixture = Fixture::in_memory("");
    let old = fixture.land(1, 400, 2.0).await;
    let champion = fixture.publish(2.0, 0.0, &old).await;
    fixture.promoted(&champion, None).await;
    let new = fixture.land(2, 400, 1.0).await;
    let challenger = fixture.publish(1.0, 0.0, &new).await;
    let body = fixture.refused(&challenger, Some(&champion)).await;
    let told = reasons(&body);
    assert!(
        told[0].starts_with("history: rmse on ") && told[0].contains("a relative increase of the loss by "),
        "{told:?}"
    );
    assert!(told[1].contains("fell from"), "what speaks for it is told, too: {told:?}");

    // Who changes the rules in the spec gets another decision.
    fixture.write_spec(&spec_text("promote: {max_history_regression: off}"));
    let body = fixture.promoted(&challenger, Some(&champion)).await;
    assert!(reasons(&body).iter().any(|reason| reason.ends_with("; the spec has no rule")), "{body}");
    assert_eq!(body["evidence"]["history"]["allowed"], json!(null));
}

#[tokio::test]
async fn a_metric_that_is_not_defined_fails() {
    // A logarithm needs targets above zero.
    let fixture = Fixture::in_memory("train: {metric: mae_log}");
    let batch = fixture.land(1, 400, 30.0).await;
    let version = fixture.publish(30.0, 0.0, &batch).await;
    let body = fixture.refused(&version, None).await;
    assert!(reasons(&body)[0].starts_with("mae_log of the challenger is not defined on"), "{body}");
    fixture.write_spec(&spec_text("promote: {floors: {mae_log: 0.5, rmse: 1}}"));
    let body = fixture.refused(&version, None).await;
    assert!(reasons(&body)[0].starts_with("the floor of mae_log is broken: it is not defined"), "{body}");
    assert_eq!(body["evidence"]["floors"][0]["value"], json!(null));
}

#[tokio::test]
async fn a_handful_of_rows_proves_nothing() {
    let fixture = Fixture::in_memory("");
    let batch = fixture.land(1, 400, 2.0).await;
    let champion = fixture.publish(-2.0, 0.0, &batch).await;
    fixture.promoted(&champion, None).await;
    let few = fixture.land(2, 12, 2.0).await;
    let challenger = fixture.publish(2.0, 0.0, &few).await;
    let body = fixture.refused(&challenger, Some(&champion)).await;
    assert!(reasons(&body)[0].contains("no interval can be given for under 10 rows"), "{body}");
}

#[tokio::test]
async fn what_cannot_be_compared_is_a_conflict() {
    let fixture = Fixture::in_memory("");
    let batch = fixture.land(1, 400, 2.0).await;
    let champion = fixture.publish(2.0, 0.0, &batch).await;
    fixture.promoted(&champion, None).await;
    let text = spec_text("").replace("fraction: 0.5", "fraction: 0.4");
    let other_split = fixture.publish_with(&text, 2.0, 0.0, &batch).await;
    let (status, body) = fixture.promote(&other_split, Some(&champion)).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(body["detail"].as_str().unwrap().contains("they hold out different rows"), "{body}");
    assert!(body["detail"].as_str().unwrap().contains("call /rollback with `to`"), "{body}");

    fixture.write_spec(
        &spec_text("")
            .replace("task: regression\ntarget: {column: y}", "task: binary\ntarget: {column: y, classes: [a, b]}"),
    );
    let (status, body) = fixture.promote(&other_split, Some(&champion)).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(body["detail"].as_str().unwrap().contains("the spec as it is now: one is binary"), "{body}");
    assert_eq!(fixture.registry.decisions(MODEL).await.unwrap().len(), 1);
}

#[tokio::test]
async fn history_of_other_columns_is_left_out_and_said_so() {
    let fixture = Fixture::in_memory("");
    let batch = fixture.land(1, 400, 2.0).await;
    let champion = fixture.publish(1.0, 0.0, &batch).await;
    fixture.promoted(&champion, None).await;
    // Stored when the spec had a column more.
    let text = spec_text("").replace("{x: {kind: number}}", "{x: {kind: number}, z: {kind: number, nullable: true}}");
    let wider = spec::Spec::parse(&text).unwrap();
    let mut rows = spec::BatchBuilder::new([spec::Kind::Number; 2], Some(spec::Kind::Number), false);
    let value = spec::Value::Number(1.0);
    rows.push(&[value.clone(), value.clone()], &value, f64::NAN);
    let rows = dataset::write_parquet(&wider, &rows.finish()).unwrap();
    fixture.land_rows(2, 1, rows, "train").await;
    let newest = fixture.land(3, 400, 2.0).await;
    let challenger = fixture.publish(2.0, 0.0, &newest).await;
    let body = fixture.promoted(&challenger, Some(&champion)).await;
    assert!(reasons(&body).iter().any(|reason| reason.contains("1 batch with other columns")), "{body}");
    assert_eq!(body["evidence"]["history"]["left_out"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_same_request_again_gets_the_first_answer() {
    let fixture = Fixture::in_memory("");
    let batch = fixture.land(1, 400, 2.0).await;
    let first = fixture.publish(1.5, 0.0, &batch).await;
    let promoted = fixture.promoted(&first, None).await;
    let worse = fixture.publish(0.0, 0.0, &batch).await;
    let refused = fixture.refused(&worse, Some(&first)).await;
    let second = fixture.publish(2.0, 0.0, &batch).await;
    let better = fixture.promoted(&second, Some(&first)).await;
    assert_eq!(fixture.promote(&second, Some(&first)).await, (StatusCode::OK, better), "it serves");
    assert_eq!(fixture.promote(&first, None).await, (StatusCode::OK, promoted), "it no longer serves");
    assert_eq!(fixture.registry.alias_history(MODEL).await.unwrap().len(), 2);
    assert_eq!(refused["decision"].as_str().map(|id| id.ends_with("-refused")), Some(true));
    // Production has moved, so this refused request has lost its expectation.
    let (status, body) = fixture.promote(&worse, Some(&first)).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(body["detail"], json!(format!("the production version of demo is {second}, not {first}")));
    let (status, body) = fixture.promote(&second, Some(&second)).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(body["detail"].as_str().unwrap().ends_with("is in production already"), "{body}");
    let (status, _) = fixture.promote(&second, None).await;
    assert_eq!(status, StatusCode::CONFLICT, "it was promoted with another expectation");
}

#[tokio::test]
async fn a_refusal_is_replayed_while_production_stays() {
    let fixture = Fixture::in_memory("");
    let batch = fixture.land(1, 400, 2.0).await;
    let champion = fixture.publish(2.0, 0.0, &batch).await;
    fixture.promoted(&champion, None).await;
    let worse = fixture.publish(1.0, 0.0, &batch).await;
    let first = fixture.refused(&worse, Some(&champion)).await;
    fixture.land(2, 400, 1.0).await;
    assert_eq!(fixture.refused(&worse, Some(&champion)).await, first);
}

#[tokio::test]
async fn a_lost_record_is_made_again() {
    for fixture in [Fixture::in_memory(""), Fixture::in_folder("")] {
        let batch = fixture.land(1, 400, 2.0).await;
        let champion = fixture.publish(1.0, 0.0, &batch).await;
        fixture.promoted(&champion, None).await;
        let challenger = fixture.publish(2.0, 0.0, &batch).await;
        let body = fixture.promoted(&challenger, Some(&champion)).await;
        // As if the process had died between the move and the record.
        let path = format!("models/{MODEL}/decisions/{}.json", body["decision"].as_str().unwrap());
        fixture.registry.store().delete(&path).await.unwrap();
        let (status, again) = fixture.promote(&challenger, Some(&champion)).await;
        assert_eq!((status, &again), (StatusCode::OK, &body));
        assert!(fixture.registry.store().try_get(&path).await.unwrap().is_some());

        // Batches that came since may speak against it; the move is a fact all the same.
        fixture.registry.store().delete(&path).await.unwrap();
        fixture.land(2, 800, -3.0).await;
        let (_, again) = fixture.promote(&challenger, Some(&champion)).await;
        assert_eq!((&again["promoted"], &again["production"]), (&json!(true), &json!(challenger)));
        assert!(reasons(&again)[0].starts_with("promoted, when it was decided, because: rmse on"), "{again}");
        assert_eq!(fixture.registry.alias_history(MODEL).await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn bad_requests_have_their_status() {
    let fixture = Fixture::in_memory("");
    let unknown = "0".repeat(64);
    let rows = [
        (json!({"model": MODEL, "version": "abc", "expected_production": null}), 422, "/version"),
        (
            json!({"model": MODEL, "version": unknown.to_uppercase().replace('0', "A"), "expected_production": null}),
            422,
            "/version",
        ),
        (json!({"model": MODEL, "version": unknown, "expected_production": "v1"}), 422, "/expected_production"),
        (json!({"model": MODEL, "version": unknown}), 422, "missing field `expected_production`"),
        (json!({"model": MODEL, "version": unknown, "expected_production": null, "force": true}), 422, "force"),
        (json!({"model": MODEL, "version": unknown, "expected_production": null}), 404, "has no version"),
        (json!({"model": "../x", "version": unknown, "expected_production": null}), 404, "there is no model"),
    ];
    for (request, expected, told) in rows {
        let (status, body) = post(&fixture.app, "/promote", None, &request).await;
        assert_eq!(status.as_u16(), expected, "{body}");
        assert!(body.to_string().contains(told), "{body}");
    }
}

#[tokio::test]
async fn a_damaged_version_is_an_error_and_no_decision() {
    let fixture = Fixture::in_memory("");
    let batch = fixture.land(1, 400, 2.0).await;
    let version = fixture.publish(2.0, 0.0, &batch).await;
    let path = format!("models/{MODEL}/versions/{version}/weights.safetensors");
    fixture.registry.store().put(&path, "damaged").await.unwrap();
    let (status, _) = fixture.promote(&version, None).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert!(fixture.registry.decisions(MODEL).await.unwrap().is_empty());
    assert_eq!(fixture.production().await, None);
}
