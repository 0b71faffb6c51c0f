//! Every test runs on a store in memory and on one in a folder.

mod batches;
mod production;
mod records;
mod versions;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use storage::{Clock, Store};

use crate::{Part, Registry, VersionId};

const MODEL: &str = "car-vision";

/// A registry, and the folder that it lies in if it does.
struct Fixture {
    registry: Registry,
    _folder: Option<tempfile::TempDir>,
}

/// A registry in memory and one in a folder, both dated by a clock that moves on a second whenever it is read.
fn fixtures() -> [Fixture; 2] {
    let seconds = Arc::new(AtomicI64::new(0));
    let clock = Clock::new(move || {
        let second = seconds.fetch_add(1, Ordering::Relaxed);
        DateTime::<Utc>::from_timestamp(second, 0).unwrap()
    });
    let folder = tempfile::tempdir().unwrap();
    let options = [("fsync".to_owned(), "false".to_owned())];
    let in_folder = Store::open(folder.path().to_str().unwrap(), options).unwrap();
    [
        Fixture { registry: Registry::new(Store::memory().with_clock(clock.clone())), _folder: None },
        Fixture { registry: Registry::new(in_folder.with_clock(clock)), _folder: Some(folder) },
    ]
}

/// Parts whose weights are `weights`.
fn parts(weights: &str) -> Vec<(Part, Bytes)> {
    let body = |part| if part == Part::Weights { weights.to_owned() } else { format!("the {part}") };
    Part::IDENTITY.into_iter().map(|part| (part, body(part).into())).collect()
}

/// Publishes a version with these weights.
async fn published(registry: &Registry, weights: &str) -> VersionId {
    registry.publish(MODEL, parts(weights), "the lineage".into()).await.unwrap()
}
