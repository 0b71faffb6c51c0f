//! The six real-estate batches played without a disturbance, once for all tests that compare with it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::OnceCell;

use crate::harness::{Server, Up, source, turn};
use crate::records::{Records, n_objects};
use crate::world::World;

pub(crate) const MODEL: &str = "real-estate";
/// Rows of the smallest batch at [`SCALE`] are 20.
pub(crate) const SCALE: &str = "0.005";
const MIN_ROWS: u64 = 10;
const HIDDEN: u64 = 16;
/// More turns than any sequence here has.
const MAX_TURNS: usize = 12;

/// What a sequence of turns left behind.
#[derive(Debug, Default)]
pub(crate) struct Played {
    /// One for each turn, the exhausted one included.
    pub(crate) outcomes: Vec<Value>,
    /// How long each turn took.
    pub(crate) times: Vec<Duration>,
    /// How many objects each turn wrote.
    pub(crate) writes: Vec<usize>,
    /// The versions that served, in order.
    pub(crate) production: Vec<String>,
    /// The digests of the batches, in the order of their numbers.
    pub(crate) landed: Vec<String>,
    /// The weights of each version.
    pub(crate) weights: BTreeMap<String, Vec<u8>>,
}

/// A world and a source for the small sequence.
pub(crate) async fn small_world(options: &[&str]) -> (World, Server) {
    let source = source(&[&["--system", MODEL, "--scale", SCALE], options].concat()).await;
    (World::real_estate(MIN_ROWS, HIDDEN), source)
}

/// The undisturbed sequence.
pub(crate) async fn reference() -> &'static Played {
    static REFERENCE: OnceCell<Played> = OnceCell::const_new();
    REFERENCE.get_or_init(play_small).await
}

/// Plays the small sequence in a fresh store.
pub(crate) async fn play_small() -> Played {
    let (world, source) = small_world(&[]).await;
    let server = Up::with_source(&source).start(&world).await;
    play(&world, &server).await
}

/// Plays turns until the source is exhausted.
pub(crate) async fn play(world: &World, server: &Server) -> Played {
    let mut played = Played::default();
    for _ in 0..MAX_TURNS {
        let (began, before) = (Instant::now(), n_objects(world));
        let outcome = turn(world, server, MODEL).await;
        played.times.push(began.elapsed());
        played.writes.push(n_objects(world).saturating_sub(before));
        let is_last = outcome["ending"] == "exhausted";
        played.outcomes.push(outcome);
        if is_last {
            played.look_into(world);
            return played;
        }
    }
    panic!("the source was not exhausted after {MAX_TURNS} turns");
}

impl Played {
    /// Reads what the store holds.
    pub(crate) fn look_into(&mut self, world: &World) {
        let records = Records::of(world, MODEL);
        self.production = records.production();
        self.landed = records.landed();
        let weights = |version: &String| std::fs::read(records.part(version, "weights.safetensors")).unwrap();
        self.weights = records.versions().into_iter().map(|version| (version.clone(), weights(&version))).collect();
    }

    /// What each batch came to: its number, the ending, and the challenger's id.
    pub(crate) fn by_batch(&self) -> BTreeMap<u64, (String, Option<String>)> {
        let batches = self.outcomes.iter().filter_map(|outcome| {
            let number = outcome["ingest"]["batch_number"].as_u64()?;
            let version = outcome["train"]["version"].as_str().map(str::to_owned);
            Some((number, (outcome["ending"].as_str()?.to_owned(), version)))
        });
        batches.collect()
    }

    /// Asserts that nothing was lost or doubled on the way to the same end.
    pub(crate) fn assert_same_end(&self, undisturbed: &Played, world: &World) {
        assert_eq!(self.landed, undisturbed.landed, "landed batches");
        assert_eq!(self.by_batch(), undisturbed.by_batch(), "what each batch came to");
        assert_eq!(self.production, undisturbed.production, "production's history");
        assert_eq!(self.weights, undisturbed.weights, "weights");
        let records = Records::of(world, MODEL);
        for (sequence, member) in [("deliveries", "key"), ("production", "decision"), ("turns", "key")] {
            let mut values: Vec<String> = crate::records::texts(&records.sequence(sequence), member);
            let n_values = values.len();
            values.sort();
            values.dedup();
            assert_eq!(values.len(), n_values, "`{member}` in {sequence}");
        }
        assert_eq!(records.sequence("deliveries").len(), self.landed.len());
        assert!(records.events("loss").is_empty(), "{:?}", records.sequence("events"));
    }
}
