use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use fault::{Fault, Kind};
use serde_json::json;

use super::{MODEL, fixtures, published};
use crate::{Answer, DecisionKind, DecisionRecord, Error, Job, JobPhase, JobResult, JobState, compress};

fn at(second: i64) -> DateTime<Utc> {
    DateTime::<Utc>::from_timestamp(second, 0).unwrap()
}

#[tokio::test]
async fn a_landing_is_delivered_to_one_key() {
    for fixture in fixtures() {
        let registry = &fixture.registry;
        assert!(registry.deliver(MODEL, 1, "run/1 ü").await.unwrap());
        assert!(registry.deliver(MODEL, 1, "run/1 ü").await.unwrap(), "the same key again");
        assert!(!registry.deliver(MODEL, 1, "run/2").await.unwrap());
        assert!(registry.deliver(MODEL, 3, "run/2").await.unwrap());
        let expected = BTreeMap::from([(1, "run/1 ü".to_owned()), (3, "run/2".to_owned())]);
        assert_eq!(registry.delivered(MODEL).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn an_intent_stays_open_until_it_is_closed() {
    for fixture in fixtures() {
        let registry = &fixture.registry;
        let first = registry.open_intent(MODEL, "b").await.unwrap();
        assert_eq!(registry.open_intent(MODEL, "b").await.unwrap(), first, "it began once");
        let second = registry.open_intent(MODEL, "a").await.unwrap();
        assert_eq!(registry.open_intents(MODEL).await.unwrap(), [first, second.clone()]);
        registry.close_intent(MODEL, "b").await.unwrap();
        registry.close_intent(MODEL, "b").await.unwrap();
        assert_eq!(registry.open_intents(MODEL).await.unwrap(), [second]);
    }
}

#[tokio::test]
async fn events_are_told_in_order() {
    for fixture in fixtures() {
        let registry = &fixture.registry;
        let restart = registry.record_event(MODEL, "restart", "the source began anew", json!({"from": 4})).await;
        let loss = registry.record_event(MODEL, "loss", "batch 5 is gone", json!(null)).await;
        assert_eq!(registry.events(MODEL).await.unwrap(), [restart.unwrap(), loss.unwrap()]);
    }
}

#[tokio::test]
async fn decisions_are_put_once_and_told_newest_first() {
    for fixture in fixtures() {
        let registry = &fixture.registry;
        let version = published(registry, "w1").await;
        let decision = |id: &str, second| DecisionRecord {
            id: id.to_owned(),
            kind: DecisionKind::Promotion,
            model: MODEL.to_owned(),
            version: version.clone(),
            champion: None,
            promoted: second > 1,
            reasons: vec!["there was none".to_owned()],
            evidence: json!({"r2": 0.1 + 0.2}),
            at: at(second),
        };
        let older = registry.put_decision(decision("b", 1)).await.unwrap();
        let newer = registry.put_decision(decision("a", 2)).await.unwrap();
        assert_eq!(registry.put_decision(decision("b", 9)).await.unwrap(), older, "a replay gets the first");
        assert_eq!(registry.decision(MODEL, "b").await.unwrap().as_ref(), Some(&older));
        assert_eq!(registry.decision(MODEL, "c").await.unwrap(), None);
        assert_eq!(registry.decisions(MODEL).await.unwrap(), [newer, older]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_first_answer_to_a_key_stays() {
    for fixture in fixtures() {
        let registry = &fixture.registry;
        let key = "scheduled__2026-01-01T00:00:00+00:00/../x";
        let answer = |status| Answer { request_sha256: "d".into(), status, body: json!({"ok": true}), at: at(1) };
        let writers = (200..208).map(|status| {
            let (registry, answer) = (registry.clone(), answer(status));
            tokio::spawn(async move { registry.remember("ingest", key, answer).await.unwrap() })
        });
        let told: Vec<Answer> = futures::future::join_all(writers).await.into_iter().map(Result::unwrap).collect();
        assert!(told.iter().all(|answer| *answer == told[0]));
        assert_eq!(registry.answer("ingest", key).await.unwrap().as_ref(), Some(&told[0]));
        assert_eq!(registry.answer("train", key).await.unwrap(), None, "keys are one function's own");
    }
}

#[tokio::test]
async fn a_job_goes_from_request_to_result() {
    for fixture in fixtures() {
        let registry = &fixture.registry;
        let request = json!({"batch": "000001-x"});
        let job = Job { id: "j1".into(), model: MODEL.into(), request, created_at: at(1) };
        let stored = registry.put_job(job.clone()).await.unwrap();
        assert_eq!(registry.put_job(Job { created_at: at(9), ..job }).await.unwrap(), stored);
        assert_eq!(registry.job("j1").await.unwrap().as_ref(), Some(&stored));
        assert_eq!(registry.jobs().await.unwrap(), [stored]);
        assert_eq!((registry.job_state("j1").await.unwrap(), registry.job_result("j1").await.unwrap()), (None, None));

        let ttl = Duration::from_secs(3600);
        let lease = registry.lease_job("j1", "one", ttl).await.unwrap().unwrap();
        assert!(registry.lease_job("j1", "two", ttl).await.unwrap().is_none());
        let message = "epoch 3 of 10".to_owned();
        let worker = lease.owner().to_owned();
        let state = JobState { state: JobPhase::Running, progress: 0.3, message, worker, updated_at: at(2) };
        registry.put_job_state("j1", &state).await.unwrap();
        assert_eq!(registry.job_state("j1").await.unwrap(), Some(state));
        registry.put_checkpoint("j1", "weights", "w").await.unwrap();
        registry.put_checkpoint("j1", "optimizer", "o").await.unwrap();
        assert_eq!(registry.checkpoint("j1", "weights").await.unwrap(), Some("w".into()));

        let done = registry.finish_job("j1", JobResult::Done { result: json!({"version": "v"}) }).await.unwrap();
        let late = JobResult::Failed { problem: json!({"title": "too late"}) };
        assert_eq!(registry.finish_job("j1", late).await.unwrap(), done, "the first result stays");
        assert_eq!(registry.job_result("j1").await.unwrap(), Some(done));
        registry.clear_checkpoints("j1").await.unwrap();
        assert_eq!(registry.checkpoint("j1", "weights").await.unwrap(), None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_turn_is_open_until_it_is_finished() {
    for fixture in fixtures() {
        let registry = &fixture.registry;
        let openers = (0..8).map(|_| {
            let registry = registry.clone();
            tokio::spawn(async move { registry.open_turn(MODEL).await.unwrap() })
        });
        let turns: Vec<_> = futures::future::join_all(openers).await.into_iter().map(Result::unwrap).collect();
        assert!(turns.iter().all(|turn| *turn == turns[0]), "all get the one that is open");
        let ended = registry.finish_turn(MODEL, 1, json!({"promoted": true})).await.unwrap();
        assert_eq!(registry.finish_turn(MODEL, 1, json!("again")).await.unwrap(), ended);
        let next = registry.open_turn(MODEL).await.unwrap();
        assert_eq!(next.sequence, 2);
        assert_ne!(next.key, turns[0].key);
        let told = registry.turns(MODEL).await.unwrap();
        assert_eq!((&told[0].turn, &told[0].ended), (&turns[0], &Some(ended)));
        assert_eq!((&told[1].turn, &told[1].ended), (&next, &None));
    }
}

#[tokio::test]
async fn log_segments_are_kept_and_deleted() {
    for fixture in fixtures() {
        let registry = &fixture.registry;
        let lines = "{\"id\":\"a\",\"prediction\":1.5}\n".repeat(100);
        let body = compress(&lines).unwrap();
        assert!(body.len() < lines.len() / 10);
        registry.put_predictions(MODEL, "0002", body.clone()).await.unwrap();
        registry.put_predictions(MODEL, "0001", body.clone()).await.unwrap();
        registry.put_feedback(MODEL, "0001", compress("{}\n").unwrap()).await.unwrap();
        let segments = registry.prediction_segments(MODEL).await.unwrap();
        assert_eq!(segments.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(), ["0001", "0002"]);
        assert_eq!(segments[0].size_bytes, body.len() as u64);
        assert_eq!(registry.read_predictions(MODEL, "0001").await.unwrap(), lines);
        assert_eq!(registry.read_feedback(MODEL, "0001").await.unwrap(), "{}\n");
        registry.delete_predictions(MODEL, "0001").await.unwrap();
        assert_eq!(registry.prediction_segments(MODEL).await.unwrap().len(), 1);
        registry.delete_feedback(MODEL, "0001").await.unwrap();
        assert!(registry.feedback_segments(MODEL).await.unwrap().is_empty());
        for broken in [body.slice(..body.len() - 3), "no zstd".into()] {
            registry.put_predictions(MODEL, "0003", broken).await.unwrap();
            let error = registry.read_predictions(MODEL, "0003").await.unwrap_err();
            assert!(matches!(error, Error::Segment { .. }), "{error:?}");
        }
    }
}

#[tokio::test]
async fn names_cannot_leave_their_folder() {
    let registry = &fixtures()[0].registry;
    for name in ["", "..", "../other", "a/b", ".hidden", "a b", "ü", &"x".repeat(129)] {
        let errors = [
            registry.production(name).await.unwrap_err(),
            registry.batch_manifest(MODEL, name).await.unwrap_err(),
            registry.job(name).await.unwrap_err(),
            registry.decision(MODEL, name).await.unwrap_err(),
            registry.read_predictions(MODEL, name).await.unwrap_err(),
            registry.answer(name, "key").await.unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, Error::Name { .. }), "{name:?}: {error:?}");
            assert_eq!(error.kind(), Kind::Invalid);
        }
    }
}

#[tokio::test]
async fn one_writer_per_model() {
    let registry = &fixtures()[0].registry;
    let ttl = Duration::from_secs(3600);
    let lease = registry.writer(MODEL, "one", ttl, Duration::ZERO).await.unwrap();
    let error = registry.writer(MODEL, "two", ttl, Duration::ZERO).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Busy);
    assert!(registry.writer("other", "two", ttl, Duration::ZERO).await.is_ok());
    lease.release().await.unwrap();
    assert!(registry.writer(MODEL, "two", ttl, Duration::ZERO).await.is_ok());
}
