//! What every backend must do; each backend's tests run all of it.

use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use futures::stream;

use crate::{Error, Lease, Sequence, Store};

/// How many writers race.
const WRITERS: usize = 16;
/// How often they race.
const ROUNDS: usize = 5;

/// Runs the whole suite against an empty store.
///
/// # Panics
/// At the first promise that the store breaks.
pub async fn run(store: &Store) {
    objects(store).await;
    bad_paths(store).await;
    listings(store).await;
    streams(store).await;
    put_new_race(store).await;
    sequences(store).await;
    sequence_race(store).await;
    leases(store).await;
    lease_race(store).await;
}

async fn objects(store: &Store) {
    let path = "objects/a/one.bin";
    assert!(matches!(store.get(path).await, Err(Error::NotFound { path: p }) if p == path));
    assert_eq!(store.try_get(path).await.unwrap(), None);
    store.put(path, "first").await.unwrap();
    store.put(path, "second").await.unwrap();
    assert_eq!(store.get(path).await.unwrap(), "second");
    assert!(!store.put_new(path, "third").await.unwrap());
    assert_eq!(store.get(path).await.unwrap(), "second");
    assert!(store.put_once(path, "second").await.unwrap(), "equal bytes count as ours");
    assert!(!store.put_once(path, "third").await.unwrap());

    store.rename(path, "objects/b/two.bin").await.unwrap();
    assert_eq!(store.try_get(path).await.unwrap(), None);
    assert_eq!(store.get("objects/b/two.bin").await.unwrap(), "second");
    assert!(store.rename(path, "objects/c").await.unwrap_err().is_not_found());

    store.delete("objects/b/two.bin").await.unwrap();
    store.delete("objects/b/two.bin").await.unwrap();
    assert!(store.put_new("objects/b/two.bin", "again").await.unwrap(), "what was deleted may be created");
    store.put("objects/empty", Bytes::new()).await.unwrap();
    assert_eq!(store.get("objects/empty").await.unwrap(), "");

    store.put_json("objects/x.json", &vec![0.1, 1e300]).await.unwrap();
    assert!(!store.put_json_new("objects/x.json", &vec![1.0]).await.unwrap());
    assert_eq!(store.get_json::<Vec<f64>>("objects/x.json").await.unwrap(), [0.1, 1e300]);
    assert_eq!(store.try_get_json::<Vec<f64>>("objects/y.json").await.unwrap(), None);
    assert!(matches!(store.get_json::<String>("objects/x.json").await, Err(Error::Decode { .. })));
}

async fn bad_paths(store: &Store) {
    for path in ["../up", "a/../b", "a//b", "./a", "a/\u{7}"] {
        assert!(matches!(store.get(path).await, Err(Error::Path { .. })), "{path:?} is refused");
        assert!(matches!(store.put(path, "x").await, Err(Error::Path { .. })), "{path:?} is refused");
    }
}

async fn listings(store: &Store) {
    assert_eq!(store.list("listings").await.unwrap(), []);
    assert_eq!(store.folders("listings").await.unwrap(), Vec::<String>::new());
    let paths = ["listings/b/2", "listings/a", "listings/b/1", "listings/b/10", "listings/c/d/e", "listings2/z"];
    for path in paths {
        store.put(path, "body").await.unwrap();
    }
    let listed = store.list("listings").await.unwrap();
    let names: Vec<&str> = listed.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(names, ["listings/a", "listings/b/1", "listings/b/10", "listings/b/2", "listings/c/d/e"]);
    assert!(listed.iter().all(|entry| entry.size == 4));
    assert_eq!(listed[1].name(), "1");
    let later = store.list_after("listings", "listings/b/10").await.unwrap();
    let names: Vec<&str> = later.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(names, ["listings/b/2", "listings/c/d/e"]);
    assert_eq!(store.folders("listings").await.unwrap(), ["b", "c"]);
    let roots = store.folders("").await.unwrap();
    assert!(roots.contains(&"listings".to_owned()) && roots.contains(&"listings2".to_owned()));
    assert!(store.list("").await.unwrap().len() >= paths.len());
}

async fn streams(store: &Store) {
    let chunk = Bytes::from((0..1_000_003_u32).map(|i| (i % 251) as u8).collect::<Vec<u8>>());
    // Nothing, one request, and several parts with a remainder.
    for n_chunks in [0, 3, 19] {
        let path = format!("streams/{n_chunks}");
        let body = stream::iter((0..n_chunks).map(|_| Ok::<_, std::io::Error>(chunk.clone())));
        let size = store.put_stream(&path, body).await.unwrap();
        assert_eq!(size, (n_chunks * chunk.len()) as u64);
        let stored = store.get(&path).await.unwrap();
        assert_eq!(stored.len(), n_chunks * chunk.len());
        assert!(stored.chunks(chunk.len()).all(|part| part == chunk), "the body of {n_chunks} chunks is whole");
    }
    for good in [1, 12] {
        let chunks = (0..good).map(|_| Ok(chunk.clone())).chain([Err(std::io::Error::other("the source hung up"))]);
        let error = store.put_stream("streams/broken", stream::iter(chunks)).await.unwrap_err();
        assert!(matches!(error, Error::Body { .. }), "{error:?}");
        assert_eq!(store.try_get("streams/broken").await.unwrap(), None, "a broken body leaves nothing");
    }
}

async fn put_new_race(store: &Store) {
    for round in 0..ROUNDS {
        let path = format!("race/{round}");
        let writers = (0..WRITERS).map(|writer| {
            let (store, path) = (store.clone(), path.clone());
            tokio::spawn(async move { (writer, store.put_new(&path, format!("writer {writer}")).await.unwrap()) })
        });
        let wins: Vec<usize> =
            join_all(writers).await.into_iter().map(Result::unwrap).filter(|(_, won)| *won).map(|(w, _)| w).collect();
        assert_eq!(wins.len(), 1, "exactly one of {WRITERS} writers creates: {wins:?}");
        assert_eq!(store.get(&path).await.unwrap(), format!("writer {}", wins[0]));
    }
}

async fn sequences(store: &Store) {
    let sequence = Sequence::new(store, "sequences/a");
    assert!(sequence.is_empty().await.unwrap());
    assert_eq!(sequence.latest().await.unwrap(), None);
    assert!(sequence.append_if(0, "a").await.unwrap());
    assert!(!sequence.append_if(0, "b").await.unwrap(), "the end has moved");
    assert!(sequence.append_if(1, "b").await.unwrap());
    assert!(sequence.append_if(1, "b").await.unwrap(), "equal bytes count as ours");
    assert_eq!(sequence.append("c").await.unwrap(), 3);
    assert_eq!(sequence.latest().await.unwrap(), Some((3, "c".into())));
    assert_eq!(sequence.read(2).await.unwrap(), Some("b".into()));
    assert_eq!(sequence.read(9).await.unwrap(), None);
    let all = sequence.all().await.unwrap();
    assert_eq!(all, [(1, "a".into()), (2, "b".into()), (3, "c".into())]);
    assert_eq!(sequence.after(2).await.unwrap(), all[2..]);
    assert_eq!(sequence.after(3).await.unwrap(), []);
    assert_eq!(sequence.len().await.unwrap(), 3);
}

async fn sequence_race(store: &Store) {
    let sequence = Sequence::new(store, "sequences/race");
    for round in 0..ROUNDS as u64 {
        let writers = (0..WRITERS).map(|writer| {
            let sequence = sequence.clone();
            tokio::spawn(async move { sequence.append_if(round, format!("{round} {writer}")).await.unwrap() })
        });
        let wins = join_all(writers).await.into_iter().filter(|won| *won.as_ref().unwrap()).count();
        assert_eq!(wins, 1, "exactly one of {WRITERS} writers appends in round {round}");
    }
    let writers = (0..WRITERS).map(|writer| {
        let sequence = sequence.clone();
        tokio::spawn(async move { sequence.append(format!("free {writer}")).await.unwrap() })
    });
    let mut numbers: Vec<u64> = join_all(writers).await.into_iter().map(Result::unwrap).collect();
    numbers.sort_unstable();
    let expected: Vec<u64> = (1..=WRITERS as u64).map(|number| number + ROUNDS as u64).collect();
    assert_eq!(numbers, expected, "every append gets its own number, with no gaps");
}

async fn leases(store: &Store) {
    let ttl = Duration::from_secs(3600);
    let mut first = Lease::acquire(store, "conformance/one", "first", ttl).await.unwrap().unwrap();
    assert!(Lease::acquire(store, "conformance/one", "second", ttl).await.unwrap().is_none());
    let error = Lease::wait(store, "conformance/one", "second", ttl, Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, Error::Held { owner, .. } if owner == "first"));
    assert!(first.renew().await.unwrap());
    let fencing = first.fencing();
    first.release().await.unwrap();
    let second = Lease::acquire(store, "conformance/one", "second", ttl).await.unwrap().unwrap();
    assert!(second.is_live() && second.fencing() > fencing);
}

async fn lease_race(store: &Store) {
    let ttl = Duration::from_secs(3600);
    for round in 0..ROUNDS {
        let takers = (0..WRITERS).map(|taker| {
            let store = store.clone();
            tokio::spawn(async move {
                Lease::acquire(&store, &format!("conformance/race-{round}"), &taker.to_string(), ttl).await.unwrap()
            })
        });
        let taken = join_all(takers).await.into_iter().filter(|lease| lease.as_ref().unwrap().is_some()).count();
        assert_eq!(taken, 1, "exactly one of {WRITERS} gets the lease");
    }
}
