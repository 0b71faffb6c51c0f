//! Several callers at once.

use axum::http::StatusCode;
use serde_json::json;

use crate::fixture::{Fixture, MODEL};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_challengers_at_once_one_wins_and_the_other_is_told() {
    for round in 0..50 {
        for fixture in [Fixture::in_memory(""), Fixture::in_folder("")] {
            let batch = fixture.land(1, 60, 2.0).await;
            let champion = fixture.publish(-1.0, 0.0, &batch).await;
            fixture.promoted(&champion, None).await;
            let (one, two) = (fixture.publish(2.0, 0.0, &batch).await, fixture.publish(1.9, 0.0, &batch).await);
            let (one, two) =
                futures::join!(fixture.promote(&one, Some(&champion)), fixture.promote(&two, Some(&champion)));
            let (won, lost) = if one.0 == StatusCode::OK { (one, two) } else { (two, one) };
            assert_eq!((won.0, lost.0), (StatusCode::OK, StatusCode::CONFLICT), "round {round}: {} {}", won.1, lost.1);
            assert_eq!(won.1["promoted"], json!(true));
            let serves = fixture.production().await.unwrap();
            assert_eq!(won.1["production"], json!(serves));
            assert!(lost.1["detail"].as_str().unwrap().contains(serves.as_str()), "{}", lost.1);
            assert_eq!(fixture.registry.alias_history(MODEL).await.unwrap().len(), 2);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_request_from_many_callers_moves_once() {
    for fixture in [Fixture::in_memory(""), Fixture::in_folder("")] {
        let batch = fixture.land(1, 60, 2.0).await;
        let version = fixture.publish(2.0, 0.0, &batch).await;
        let answers = futures::future::join_all((0..8).map(|_| fixture.promote(&version, None))).await;
        assert!(answers.iter().all(|answer| answer == &answers[0] && answer.0 == StatusCode::OK), "{answers:?}");
        assert_eq!(fixture.registry.alias_history(MODEL).await.unwrap().len(), 1);
        assert_eq!(fixture.registry.decisions(MODEL).await.unwrap().len(), 1);
    }
}
