//! Leases as time passes: the clock is tokio's paused one, so no test waits.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::{Clock, Error, Lease, Sequence, Store};

const TTL: Duration = Duration::from_secs(30);

/// A store whose clock follows tokio's paused time.
fn store() -> Store {
    let start = tokio::time::Instant::now();
    let epoch = DateTime::<Utc>::UNIX_EPOCH;
    Store::memory().with_clock(Clock::new(move || epoch + start.elapsed()))
}

async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

async fn take(store: &Store, owner: &str) -> Option<Lease> {
    Lease::acquire(store, "writer/car-vision", owner, TTL).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_expired_lease_goes_to_the_next() {
    let store = store();
    let mut first = take(&store, "first").await.unwrap();
    pass(TTL - Duration::from_millis(1)).await;
    assert!(take(&store, "second").await.is_none());
    pass(Duration::from_millis(1)).await;
    assert!(!first.is_live());
    let second = take(&store, "second").await.unwrap();
    assert!(second.fencing() > first.fencing());
    assert!(!first.renew().await.unwrap(), "what another took cannot be renewed");
    first.release().await.unwrap();
    assert!(take(&store, "third").await.is_none(), "releasing a lost lease does not take it from its holder");
}

#[tokio::test(start_paused = true)]
async fn an_expired_lease_that_nobody_took_can_be_renewed() {
    let store = store();
    let mut lease = take(&store, "first").await.unwrap();
    pass(TTL * 2).await;
    assert!(!lease.is_live());
    assert!(lease.renew().await.unwrap());
    assert!(lease.is_live());
    assert_eq!(lease.time_left(), TTL);
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_with_the_lease_or_with_patience() {
    let store = store();
    let _first = take(&store, "first").await.unwrap();
    let patience = Duration::from_secs(10);
    let error = Lease::wait(&store, "writer/car-vision", "second", TTL, patience).await.unwrap_err();
    let expected = "the lease writer/car-vision is held by first until 1970-01-01 00:00:30 UTC";
    assert_eq!(error.to_string(), expected);
    let second = Lease::wait(&store, "writer/car-vision", "second", TTL, TTL).await.unwrap();
    assert_eq!(second.owner(), "second");
    assert!(matches!(error, Error::Held { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_lease_kept_alive_outlives_its_time() {
    let store = store();
    let guard = take(&store, "first").await.unwrap().keep_alive();
    pass(TTL * 40).await;
    assert!(!guard.is_lost());
    assert!(take(&store, "second").await.is_none());
    guard.release().await.unwrap();
    assert!(take(&store, "second").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn dropping_the_guard_gives_the_lease_back() {
    let store = store();
    drop(take(&store, "first").await.unwrap().keep_alive());
    pass(Duration::from_millis(1)).await;
    assert!(take(&store, "second").await.is_some());
}

#[tokio::test(start_paused = true)]
async fn the_guard_tells_that_the_lease_was_lost() {
    let store = store();
    let guard = take(&store, "first").await.unwrap().keep_alive();
    // Somebody whose clock is far ahead takes it.
    let ahead = store.clone().with_clock(Clock::new(|| DateTime::<Utc>::UNIX_EPOCH + Duration::from_secs(1_000_000)));
    let thief = take(&ahead, "second").await.unwrap();
    assert!(!guard.is_lost(), "not known yet");
    guard.lost().await;
    assert!(guard.is_lost());
    guard.release().await.unwrap();
    assert!(take(&ahead, "third").await.is_none(), "{} keeps it", thief.owner());
}

#[tokio::test(start_paused = true)]
async fn old_objects_are_cleaned_up() {
    let store = store();
    let mut last_fencing = 0;
    for _ in 0..50 {
        let mut lease = take(&store, "first").await.unwrap();
        assert!(lease.fencing() > last_fencing);
        last_fencing = lease.fencing();
        assert!(lease.renew().await.unwrap());
        lease.release().await.unwrap();
    }
    assert!(store.list("leases").await.unwrap().len() <= 33);
    assert_eq!(Sequence::new(&store, "leases/writer/car-vision").len().await.unwrap(), 150);
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_slept_through_the_clean_up_gets_nothing() {
    let store = store();
    let sequence = Sequence::new(&store, "leases/writer/car-vision");
    let mut sleeper = take(&store, "sleeper").await.unwrap();
    pass(TTL).await;
    let mut holder = take(&store, "holder").await.unwrap();
    for _ in 0..100 {
        assert!(holder.renew().await.unwrap());
    }
    // The sleeper's next number is free again, and yet it must not get the lease.
    assert_eq!(sequence.read(2).await.unwrap(), None);
    assert!(!sleeper.renew().await.unwrap());
    assert_eq!(sequence.read(2).await.unwrap(), None, "its object is gone");
    assert!(holder.renew().await.unwrap());
}
