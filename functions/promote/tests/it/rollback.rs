//! The way back.

use axum::http::StatusCode;
use serde_json::json;

use crate::fixture::{Fixture, MODEL, reasons};

#[tokio::test]
async fn production_goes_back_and_forward_again() {
    for fixture in [Fixture::in_memory(""), Fixture::in_folder("")] {
        let batch = fixture.land(1, 400, 2.0).await;
        let one = fixture.publish(1.0, 0.0, &batch).await;
        fixture.promoted(&one, None).await;
        let two = fixture.publish(2.0, 0.0, &batch).await;
        let first = fixture.promoted(&two, Some(&one)).await;

        let (status, body) = fixture.rollback(None, json!({})).await;
        assert_eq!((status, &body["production"]), (StatusCode::OK, &json!(one)), "{body}");
        assert_eq!((&body["promoted"], &body["evidence"]), (&json!(true), &json!(null)));
        assert_eq!(reasons(&body), ["by hand"]);
        assert_eq!(fixture.production().await.as_ref(), Some(&one));
        let record = fixture.registry.decision(MODEL, body["decision"].as_str().unwrap()).await.unwrap().unwrap();
        assert_eq!(record.kind, registry::DecisionKind::Rollback);

        // The same words as the first promotion, and another decision: production is where it was, and has been elsewhere.
        let again = fixture.promoted(&two, Some(&one)).await;
        assert_ne!(again["decision"], first["decision"]);
        assert_eq!(fixture.registry.alias_history(MODEL).await.unwrap().len(), 4);
    }
}

#[tokio::test]
async fn a_key_rolls_back_once_even_if_its_answer_was_lost() {
    let fixture = Fixture::in_memory("");
    let batch = fixture.land(1, 400, 2.0).await;
    let one = fixture.publish(1.0, 0.0, &batch).await;
    fixture.promoted(&one, None).await;
    let two = fixture.publish(2.0, 0.0, &batch).await;
    fixture.promoted(&two, Some(&one)).await;
    let (_, first) = fixture.rollback(Some("key"), json!({})).await;
    assert_eq!(fixture.rollback(Some("key"), json!({})).await, (StatusCode::OK, first.clone()));
    // As if the process had died right after the move.
    let store = fixture.registry.store();
    for entry in store.list("answers/rollback").await.unwrap() {
        store.delete(&entry.path).await.unwrap();
    }
    store.delete(&format!("models/{MODEL}/decisions/{}.json", first["decision"].as_str().unwrap())).await.unwrap();
    assert_eq!(fixture.rollback(Some("key"), json!({})).await, (StatusCode::OK, first));
    assert_eq!(fixture.production().await, Some(one));
    assert_eq!(fixture.registry.alias_history(MODEL).await.unwrap().len(), 3);
}

#[tokio::test]
async fn any_published_version_may_be_named_and_no_other() {
    let fixture = Fixture::in_memory("");
    let (status, body) = fixture.rollback(None, json!({})).await;
    assert_eq!(status, StatusCode::CONFLICT, "nothing serves: {body}");
    let batch = fixture.land(1, 400, 2.0).await;
    let one = fixture.publish(1.0, 0.0, &batch).await;
    fixture.promoted(&one, None).await;
    let never = fixture.publish(3.0, 0.0, &batch).await;
    let broken = fixture.publish(4.0, 0.0, &batch).await;
    let path = format!("models/{MODEL}/versions/{broken}/weights.safetensors");
    fixture.registry.store().put(&path, "damaged").await.unwrap();
    let rows = [
        (json!({}), 409),
        (json!({"to": one}), 409),
        (json!({"to": "0".repeat(64)}), 404),
        (json!({"to": "latest"}), 422),
        (json!({"to": broken}), 502),
        (json!({"to": never, "reason": "  "}), 422),
    ];
    for (request, expected) in rows {
        let (status, body) = fixture.rollback(None, request).await;
        assert_eq!(status.as_u16(), expected, "{body}");
        assert_eq!(fixture.production().await.as_ref(), Some(&one));
    }
    let (status, body) = fixture.rollback(None, json!({"to": never})).await;
    assert_eq!((status, &body["production"]), (StatusCode::OK, &json!(never)));
}
