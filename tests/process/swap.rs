//! A serving process follows promotions that another process makes, and loses no prediction when it is told to end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::{Answer, Server, Up, turn};
use crate::records::{Records, until};
use crate::reference::{MODEL, small_world};

/// Callers at once.
const CALLERS: usize = 4;
/// What a caller leaves to others between two calls.
const PAUSE: Duration = Duration::from_millis(4);
/// How soon the new version must serve.
const FOLLOW: Duration = Duration::from_secs(2);

/// One answered call.
struct Answered {
    at: Instant,
    version: String,
    ids: Vec<String>,
}

/// Calls until told to stop, or until a call fails; gives the answers and the failure.
async fn load(server: Arc<Server>, stop: Arc<AtomicBool>) -> (Vec<Answered>, Option<String>) {
    let home =
        json!({"status": "for_sale", "state": "Texas", "bed": 3, "bath": 2, "acre_lot": 0.2, "house_size": 1600});
    let body = json!({"records": [home, home]});
    let mut answered = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let request = server.request(reqwest::Method::POST, &format!("/models/{MODEL}/predict")).json(&body);
        match Answer::try_of(request).await {
            Ok(answer) if answer.status == 200 => answered.push(Answered {
                at: Instant::now(),
                version: answer.body["version"].as_str().unwrap().to_owned(),
                ids: crate::records::texts(answer.body["predictions"].as_array().unwrap(), "id"),
            }),
            Ok(answer) => return (answered, Some(answer.text)),
            Err(error) => return (answered, Some(format!("{error:?}"))),
        }
        tokio::time::sleep(PAUSE).await;
    }
    (answered, None)
}

fn start_load(server: &Arc<Server>, stop: &Arc<AtomicBool>) -> JoinSet<(Vec<Answered>, Option<String>)> {
    (0..CALLERS).map(|_| load(Arc::clone(server), Arc::clone(stop))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promotion_is_followed_within_two_seconds_and_every_answer_is_in_the_log() {
    let (world, source) = small_world(&[]).await;
    let trainer = Up::with_source(&source).start(&world).await;
    assert_eq!(turn(&world, &trainer, MODEL).await["ending"], "promoted");
    let server = Arc::new(Up::default().start(&world).await);
    let records = Records::of(&world, MODEL);

    let stop = Arc::new(AtomicBool::new(false));
    let loads = start_load(&server, &stop);
    // The moment at which the alias moves, seen from outside; it can only be seen late, which favours nobody but the test.
    let moved =
        async { until(Duration::from_secs(240), async || records.production().len() == 2).await.then(Instant::now) };
    let turns = async {
        while records.production().len() < 2 {
            let ending = turn(&world, &trainer, MODEL).await["ending"].clone();
            assert_ne!(ending, "exhausted", "no second promotion");
        }
    };
    let (moved, ()) = tokio::join!(moved, turns);
    let moved = moved.expect("a second version is promoted");
    tokio::time::sleep_until((moved + FOLLOW + Duration::from_millis(500)).into()).await;
    stop.store(true, Ordering::Relaxed);
    let (calls, failures) = ended(loads).await;
    assert_eq!(failures, [""; 0], "errors under load");

    let production = records.production();
    let first_new = calls.iter().filter(|call| call.version == production[1]).map(|call| call.at).min();
    let last_old = calls.iter().filter(|call| call.version == production[0]).map(|call| call.at).max().unwrap();
    let first_new = first_new.expect("the new version serves");
    let (first, last) = (first_new.saturating_duration_since(moved), last_old.saturating_duration_since(moved));
    assert!(first <= FOLLOW && last <= FOLLOW, "the new version answers after {first:?}, the old one until {last:?}");
    let versions: BTreeSet<&str> = calls.iter().map(|call| call.version.as_str()).collect();
    assert_eq!(versions.len(), 2);

    // The end comes under load, too: calls fail from some moment on, but what was answered is kept.
    let stop = Arc::new(AtomicBool::new(false));
    let loads = start_load(&server, &stop);
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.ask_to_end().await;
    let (last_calls, _) = ended(loads).await;
    assert!(!last_calls.is_empty());
    let server = Arc::into_inner(server).expect("the callers are done");
    assert!(server.ended().await.success());
    let lines = records.predictions();
    let ids = crate::records::texts(&lines, "id");
    let logged: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
    assert_eq!(logged.len(), lines.len(), "no prediction is in the log twice");
    for id in calls.iter().chain(&last_calls).flat_map(|call| &call.ids) {
        assert!(logged.contains(id.as_str()), "{id} was answered and is not in the log");
    }
    assert_eq!((&lines[0]["model"], &lines[0]["inputs"]["state"]), (&json!(MODEL), &json!("Texas")));
}

async fn ended(mut loads: JoinSet<(Vec<Answered>, Option<String>)>) -> (Vec<Answered>, Vec<String>) {
    let (mut calls, mut failures) = (Vec::new(), Vec::new());
    while let Some(load) = loads.join_next().await {
        let (answered, failure) = load.unwrap();
        calls.extend(answered);
        failures.extend(failure);
    }
    (calls, failures)
}
