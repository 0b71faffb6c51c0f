use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::json;

use super::{MODEL, fixtures};
use crate::{BatchManifest, BatchState, BatchStatus, Check, Error, Landing, Origin, Registry, Release};

async fn land(registry: &Registry, batch_number: u64, body: &'static str) -> crate::Landed {
    registry.land(MODEL, batch_number, body.into(), "text/csv", Origin::Fetched).await.unwrap()
}

fn manifest(landing: &Landing) -> BatchManifest {
    BatchManifest {
        batch: landing.batch.clone(),
        sequence: landing.sequence,
        batch_number: landing.batch_number,
        sha256: landing.sha256.clone(),
        rows: 10,
        quarantined: 1,
        status: BatchStatus::Landed,
        reasons: Vec::new(),
        columns: json!({"price": {"missing": 0}}),
        stored_at: DateTime::<Utc>::UNIX_EPOCH,
    }
}

fn check(batch: &str, decision: &str, key: &str) -> Check {
    Check {
        batch: batch.to_owned(),
        decision: decision.to_owned(),
        reasons: vec!["because".to_owned()],
        production: None,
        report: json!({"columns": []}),
        at: DateTime::<Utc>::UNIX_EPOCH,
        key: key.to_owned(),
    }
}

#[tokio::test]
async fn a_batch_lands_once() {
    for fixture in fixtures() {
        let registry = &fixture.registry;
        let first = land(registry, 7, "a,b\n1,2\n").await;
        assert!(!first.repeated);
        assert_eq!(first.landing.sequence, 1);
        assert_eq!(first.landing.batch, format!("000007-{}", &first.landing.sha256[..12]));
        assert_eq!(first.landing.size_bytes, 8);
        // A source that was restarted sends the same bytes, perhaps counted anew.
        let again = land(registry, 1, "a,b\n1,2\n").await;
        assert!(again.repeated);
        assert_eq!(again.landing, first.landing);
        let second = land(registry, 8, "a,b\n3,4\n").await;
        assert_eq!((second.repeated, second.landing.sequence), (false, 2));
        assert_eq!(registry.landings(MODEL).await.unwrap(), [first.landing.clone(), second.landing]);
        assert_eq!(registry.raw(MODEL, &first.landing.sha256).await.unwrap(), "a,b\n1,2\n");
    }
}

#[tokio::test]
async fn a_crash_between_the_bytes_and_the_landing_is_harmless() {
    for fixture in fixtures() {
        let registry = &fixture.registry;
        let raw = format!("models/{MODEL}/raw/{}", crate::sha256(b"rows"));
        registry.store().put(&raw, "rows").await.unwrap();
        registry.store().put(&format!("models/{MODEL}/incoming/left"), "ro").await.unwrap();
        assert!(registry.landings(MODEL).await.unwrap().is_empty());
        let landed = land(registry, 1, "rows").await;
        assert!(!landed.repeated, "bytes without a landing are no landing");
        assert_eq!(registry.landings(MODEL).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_stream_lands_like_its_bytes() {
    for fixture in fixtures() {
        let registry = &fixture.registry;
        let chunks = |n: usize| futures::stream::iter((0..n).map(|_| Ok::<_, std::io::Error>(Bytes::from("rows\n"))));
        let landed = registry.land_stream(MODEL, 3, chunks(4), "text/csv", Origin::File).await.unwrap();
        assert_eq!(landed.landing.sha256, crate::sha256(b"rows\nrows\nrows\nrows\n"));
        assert_eq!((landed.landing.size_bytes, landed.landing.origin), (20, Origin::File));
        assert!(land(registry, 3, "rows\nrows\nrows\nrows\n").await.repeated);
        let broken = futures::stream::iter([Ok(Bytes::from("ro")), Err(std::io::Error::other("hung up"))]);
        let error = registry.land_stream(MODEL, 4, broken, "text/csv", Origin::Fetched).await.unwrap_err();
        assert!(matches!(error, Error::Storage(storage::Error::Body { .. })), "{error:?}");
        assert_eq!(registry.landings(MODEL).await.unwrap().len(), 1);
        assert!(registry.store().list(&format!("models/{MODEL}/incoming")).await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_bytes_at_once_land_once() {
    for fixture in fixtures() {
        let landers = (0..8).map(|idx| {
            let registry = fixture.registry.clone();
            // Two different bodies, four times each.
            let body = if idx % 2 == 0 { "even" } else { "odd" };
            tokio::spawn(async move { land(&registry, idx, body).await.repeated })
        });
        let repeated = futures::future::join_all(landers).await.into_iter().filter(|r| *r.as_ref().unwrap()).count();
        assert_eq!(repeated, 6);
        let landings = fixture.registry.landings(MODEL).await.unwrap();
        let sequences: Vec<u64> = landings.iter().map(|landing| landing.sequence).collect();
        assert_eq!(sequences, [1, 2]);
    }
}

#[tokio::test]
async fn damaged_raw_bytes_are_refused() {
    let registry = &fixtures()[0].registry;
    let landing = land(registry, 1, "rows").await.landing;
    registry.store().put(&format!("models/{MODEL}/raw/{}", landing.sha256), "row").await.unwrap();
    assert!(matches!(registry.raw(MODEL, &landing.sha256).await, Err(Error::RawMismatch { .. })));
}

#[tokio::test]
async fn batches_are_told_in_landing_order() {
    for fixture in fixtures() {
        let registry = &fixture.registry;
        let first = land(registry, 9, "one").await.landing;
        let second = land(registry, 2, "two").await.landing;
        let stored = registry.put_batch(MODEL, manifest(&first)).await.unwrap();
        let later = BatchManifest { rows: 99, ..manifest(&first) };
        assert_eq!(registry.put_batch(MODEL, later).await.unwrap(), stored, "the first manifest stays");
        registry.put_batch_file(MODEL, &first.batch, "rows.parquet", "PAR1").await.unwrap();
        assert_eq!(registry.get_batch_file(MODEL, &first.batch, "rows.parquet").await.unwrap(), "PAR1");
        registry.record_check(MODEL, check(&first.batch, "quarantine", "k1")).await.unwrap();
        let replay = registry.record_check(MODEL, check(&first.batch, "train", "k1")).await.unwrap();
        assert_eq!(replay.decision, "quarantine", "the same key gets the first decision");
        registry.record_check(MODEL, check(&first.batch, "train", "k2")).await.unwrap();
        assert_eq!(registry.checks(MODEL, &first.batch).await.unwrap().len(), 2);
        let release = registry.release_batch(MODEL, &first.batch, "looked at it").await.unwrap();
        assert_eq!(registry.release_batch(MODEL, &first.batch, "again").await.unwrap(), release);

        let batches = registry.batches(MODEL).await.unwrap();
        assert_eq!(batches.iter().map(|state| &state.landing).collect::<Vec<_>>(), [&first, &second]);
        assert_eq!(batches[0].manifest, Some(stored));
        assert_eq!(batches[0].check.as_ref().unwrap().key, "k2");
        assert_eq!(batches[0].release, Some(release));
        assert_eq!((&batches[1].manifest, &batches[1].check, &batches[1].release), (&None, &None, &None));
        assert_eq!(registry.batch(MODEL, &first.batch).await.unwrap().as_ref(), Some(&batches[0]));
        assert_eq!(registry.batch(MODEL, "000001-000000000000").await.unwrap(), None);
    }
}

#[tokio::test]
async fn what_is_accepted() {
    let registry = &fixtures()[0].registry;
    let landing = land(registry, 1, "rows").await.landing;
    let landed = Some((BatchStatus::Landed, 10));
    // (status and rows of the manifest, latest decision, released) and whether training may use it
    let table = [
        ((None, None, false), false),
        ((None, Some("train"), true), false),
        ((landed, None, false), false),
        ((landed, None, true), true),
        ((landed, Some("bootstrap"), false), true),
        ((landed, Some("train"), false), true),
        ((landed, Some("skip"), false), true),
        ((landed, Some("quarantine"), false), false),
        ((landed, Some("quarantine"), true), true),
        ((Some((BatchStatus::Landed, 0)), Some("train"), true), false),
        ((Some((BatchStatus::Quarantined, 10)), Some("train"), true), false),
    ];
    for ((parsed, decision, released), expected) in table {
        let state = BatchState {
            manifest: parsed.map(|(status, rows)| BatchManifest { status, rows, ..manifest(&landing) }),
            check: decision.map(|decision| check(&landing.batch, decision, "k")),
            release: released.then(|| Release { reason: "r".to_owned(), at: DateTime::<Utc>::UNIX_EPOCH }),
            landing: landing.clone(),
        };
        assert_eq!(state.accepted(), expected, "{parsed:?} {decision:?} released: {released}");
    }
}
