//! Slots as callers see them, over a store in memory with time moved by hand.

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{BINARY, REGRESSION, damage, promote, publish, serve};
use registry::{Part, Registry};
use serving::{Error, Slots, open};
use storage::Store;

const PERIOD: Duration = Duration::from_millis(500);

fn registry() -> Registry {
    Registry::new(Store::memory())
}

/// Lets the follower look once, and waits until what it does then shows.
async fn a_look(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    // A follower that was just spawned begins to wait here.
    tokio::task::yield_now().await;
    tokio::time::advance(PERIOD + Duration::from_millis(1)).await;
    // Opening runs on another thread, which the clock that stands still says nothing of.
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < Duration::from_secs(30), "not within 30 s: {what}");
        tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(1))).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_is_served_from_its_promotion_on() {
    let registry = registry();
    let slots = Slots::new(registry.clone(), PERIOD);
    assert!(matches!(slots.get("churn").await, Err(Error::UnknownModel { .. })));
    assert!(matches!(slots.only_model().await, Err(Error::NothingServes)));

    let first = publish(&registry, BINARY, 1).await;
    tokio::time::advance(Duration::from_millis(201)).await;
    assert!(matches!(slots.get("churn").await, Err(Error::NoProduction { .. })));

    promote(&registry, "churn", &first).await;
    assert!(matches!(slots.get("churn").await, Err(Error::NoProduction { .. })), "asked again only after a while");
    tokio::time::advance(Duration::from_millis(201)).await;
    assert_eq!(slots.get("churn").await.unwrap().version(), &first);

    let held = slots.get("churn").await.unwrap();
    let second = serve(&registry, BINARY, 2).await;
    a_look("the second version serves", async || slots.get("churn").await.unwrap().version() == &second).await;
    assert_eq!(held.version(), &first, "who holds a version keeps it");
    assert!(slots.troubles().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_only_model_needs_no_name() {
    let registry = registry();
    let slots = Slots::new(registry.clone(), PERIOD);
    publish(&registry, REGRESSION, 1).await;
    let version = serve(&registry, BINARY, 1).await;
    assert_eq!(slots.only_model().await.unwrap().version(), &version);
    serve(&registry, REGRESSION, 1).await;
    a_look("two models are served", async || slots.only_model().await.is_err()).await;
    let refused = slots.only_model().await.unwrap_err();
    assert_eq!(refused.to_string(), "several models are served (churn, price): call this route below /models/{model}");
}

#[tokio::test]
async fn first_requests_share_one_opening() {
    let registry = registry();
    serve(&registry, BINARY, 1).await;
    let slots = Slots::new(registry, PERIOD);
    let asks = (0..32).map(|_| {
        let slots = slots.clone();
        tokio::spawn(async move { slots.get("churn").await.unwrap() })
    });
    let served: Vec<_> = futures::future::try_join_all(asks).await.unwrap();
    assert!(served.iter().all(|one| Arc::ptr_eq(one, &served[0])));
}

#[tokio::test(start_paused = true)]
async fn a_damaged_version_is_refused_and_the_last_good_one_stays() {
    for (part, bytes) in [(Part::Weights, "truncated"), (Part::Encoder, "{}"), (Part::Spec, "name: churn")] {
        let registry = registry();
        let good = serve(&registry, BINARY, 1).await;
        let slots = Slots::new(registry.clone(), PERIOD);
        slots.get("churn").await.unwrap();

        let bad = publish(&registry, BINARY, 2).await;
        let whole = registry.part("churn", &bad, part).await.unwrap();
        damage(&registry, "churn", &bad, part, bytes).await;
        promote(&registry, "churn", &bad).await;
        a_look("the damage is told", async || !slots.troubles().is_empty()).await;
        assert_eq!(slots.get("churn").await.unwrap().version(), &good);
        let [trouble] = &slots.troubles()[..] else { panic!("{part}: {:?}", slots.troubles()) };
        assert!(trouble.contains(&format!("{part} of version")), "{trouble}");

        damage(&registry, "churn", &bad, part, whole).await;
        a_look("the mended version serves", async || slots.get("churn").await.unwrap().version() == &bad).await;
        assert!(slots.troubles().is_empty());
    }
}

#[tokio::test]
async fn parts_that_do_not_fit_are_refused() {
    let registry = registry();
    let mut parts = common::parts(BINARY, 1);
    parts[1] = common::parts(REGRESSION, 1).remove(1);
    let version = registry.publish("churn", parts, "{}".into()).await.unwrap();
    assert!(matches!(open(&registry, "churn", &version).await, Err(Error::Predictor { .. })));

    let version = registry.publish("other", common::parts(BINARY, 1), "{}".into()).await.unwrap();
    assert!(matches!(open(&registry, "other", &version).await, Err(Error::OtherModel { .. })));

    let mut parts = common::parts(BINARY, 1);
    parts[0].1 = "name: churn".into();
    let version = registry.publish("churn", parts, "{}".into()).await.unwrap();
    assert!(matches!(open(&registry, "churn", &version).await, Err(Error::Spec { .. })));

    let mut parts = common::parts(BINARY, 1);
    parts[4].1 = r#"{"columns":["age"],"rows":[[30]]}"#.into();
    let version = registry.publish("churn", parts, "{}".into()).await.unwrap();
    let served = open(&registry, "churn", &version).await.unwrap();
    assert!(matches!(served.background().await, Err(Error::Background(_))));
}
