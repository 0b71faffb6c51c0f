//! SIGKILL at any moment: no batch lost or doubled, one winner per promotion, the same end.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::process::Child;
use tokio::time::sleep;

use crate::harness::{Server, Up, client, next_batch, outcome};
use crate::records::{Records, n_objects, until};
use crate::reference::{MODEL, Played, reference, small_world};
use crate::world::World;

/// Kills in one test.
const KILLS: usize = 10;
/// Kills of ten that must hit a turn under way; a fast machine may end a turn before its moment comes.
const MIN_HITS: usize = 5;
/// Clients that may be needed to end one turn after a kill.
const MAX_CLIENTS: usize = 4;

/// Who dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Server,
    Client,
}

/// When, within a turn.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// After this share of the time that the undisturbed turn took.
    Time(f64),
    /// After this share of the objects that the undisturbed turn wrote.
    Writes(f64),
}

impl Moment {
    /// Waits for the moment in a turn (from 0); false when the turn's client ended before.
    async fn reached(self, turn: usize, undisturbed: &Played, world: &World, client: &mut Child) -> bool {
        match self {
            Moment::Time(share) => sleep(undisturbed.times[turn].mul_f64(share)).await,
            Moment::Writes(share) => {
                let wanted = n_objects(world) + (undisturbed.writes[turn] as f64 * share) as usize;
                let come = async || n_objects(world) >= wanted || client.try_wait().unwrap().is_some();
                until(Duration::from_secs(120), come).await;
            }
        }
        client.try_wait().unwrap().is_none()
    }
}

/// Ten moments spread evenly over turns, half of them by time and half by what was written, each in one of two rounds.
fn moments() -> [BTreeMap<usize, Moment>; 2] {
    /// Turns with all four functions; the batch of the fourth is put in quarantine.
    const TURNS: [usize; 5] = [0, 1, 2, 4, 5];
    let mut rng = ChaCha8Rng::seed_from_u64(20);
    let mut shares: Vec<f64> = (0..KILLS).map(|kill| (kill as f64 + rng.random::<f64>()) / KILLS as f64).collect();
    shares.shuffle(&mut rng);
    let mut places = TURNS.iter().zip(shares.chunks(2)).map(|(turn, shares)| (*turn, shares[0], shares[1]));
    let mut rounds = [BTreeMap::new(), BTreeMap::new()];
    for (place, (turn, by_time, by_writes)) in (&mut places).enumerate() {
        rounds[place % 2].insert(turn, Moment::Time(by_time));
        rounds[(place + 1) % 2].insert(turn, Moment::Writes(by_writes));
    }
    rounds
}

/// Plays the sequence and kills the victim once in each turn that has a moment; tells how many kills hit a turn.
async fn play_with_kills(victim: Victim, moments: &BTreeMap<usize, Moment>, undisturbed: &Played) -> usize {
    let (world, source) = small_world(&[]).await;
    let mut server = Up::with_source(&source).start(&world).await;
    let mut played = Played::default();
    let mut hits = 0;
    for turn in 0..undisturbed.outcomes.len() {
        if let Some(moment) = moments.get(&turn) {
            let mut client = client(&world, &server, MODEL, None);
            if moment.reached(turn, undisturbed, &world, &mut client).await {
                hits += 1;
            }
            match victim {
                Victim::Client => client.kill().await.unwrap(),
                Victim::Server => {
                    server = restarted(server, &source, &world).await;
                    // It may have been between two calls, and then it goes on as if nothing had happened.
                    let _ = outcome(client).await;
                }
            }
        }
        played.outcomes.push(ended_turn(&world, &server, turn).await);
    }
    played.look_into(&world);
    played.assert_same_end(undisturbed, &world);
    assert_eq!(played.outcomes.last().unwrap()["ending"], "exhausted");
    hits
}

/// SIGKILL, and another process at the same address.
async fn restarted(mut server: Server, source: &Server, world: &World) -> Server {
    server.kill().await;
    Up { port: server.port(), ..Up::with_source(source) }.start(world).await
}

/// How a turn (from 0) ended; new clients go on with it until it has.
async fn ended_turn(world: &World, server: &Server, turn: usize) -> serde_json::Value {
    let (records, number) = (Records::of(world, MODEL), turn as u64 + 1);
    let mut said = Vec::new();
    for _ in 0..MAX_CLIENTS {
        if let Some(outcome) = records.outcome(number) {
            return outcome;
        }
        match outcome(client(world, server, MODEL, None)).await {
            Ok(outcome) => assert_eq!(outcome["turn"], number, "a new client goes on with the unfinished turn"),
            Err(error) => said.push(error),
        }
    }
    records.outcome(number).unwrap_or_else(|| panic!("turn {number} does not end: {said:#?}\n{:#?}", server.log()))
}

async fn ten_kills(victim: Victim) {
    let undisturbed = reference().await;
    let [first, second] = moments();
    assert_eq!(first.len() + second.len(), KILLS);
    let hits = play_with_kills(victim, &first, undisturbed).await + play_with_kills(victim, &second, undisturbed).await;
    assert!(hits >= MIN_HITS, "only {hits} of {KILLS} kills hit a turn under way");
}

#[tokio::test]
async fn ten_kills_of_the_serving_process_change_nothing_in_the_end() {
    ten_kills(Victim::Server).await;
}

#[tokio::test]
async fn ten_kills_of_the_client_change_nothing_in_the_end() {
    ten_kills(Victim::Client).await;
}

/// The source advances, the process dies before the landing: a gap in the batch numbers, or, at the end, none to be seen.
async fn kill_between_advance_and_landing(batch: u64) {
    let undisturbed = reference().await;
    let (world, source) = small_world(&["--broken", &format!("hang:{batch}:advance")]).await;
    let mut server = Up::with_source(&source).start(&world).await;
    let mut played = Played::default();
    for turn in 0..undisturbed.outcomes.len() {
        if turn as u64 == batch {
            let client = client(&world, &server, MODEL, None);
            let advanced = async || next_batch(&source).await == batch + 1;
            assert!(until(Duration::from_secs(60), advanced).await, "the source does not advance");
            assert_eq!(Records::of(&world, MODEL).landed().len() as u64, batch, "the batch has not landed");
            server = restarted(server, &source, &world).await;
            let _ = outcome(client).await;
        }
        played.outcomes.push(ended_turn(&world, &server, turn).await);
    }
    played.look_into(&world);
    let records = Records::of(&world, MODEL);
    let kinds = crate::records::texts(&records.sequence("events"), "kind");
    assert_eq!(kinds, ["restart", "replay"]);
    assert_eq!(records.events("replay")[0]["data"]["healed"], serde_json::json!([batch]));
    played.assert_same_end(undisturbed, &world);
}

#[tokio::test]
async fn the_first_batch_that_died_between_advance_and_landing_is_replayed() {
    kill_between_advance_and_landing(0).await;
}

#[tokio::test]
async fn a_batch_that_died_between_advance_and_landing_is_replayed() {
    kill_between_advance_and_landing(1).await;
}

#[tokio::test]
async fn the_last_batch_that_died_between_advance_and_landing_is_replayed() {
    kill_between_advance_and_landing(5).await;
}
