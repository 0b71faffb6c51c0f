use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::store::{decode, encode};
use crate::{Error, KeepAlive, Result, Sequence, Store};

/// How many of a lease's newest objects stay when the holder cleans up.
///
/// A writer that read the end of the sequence, slept, and then appends must meet an object there; with this many kept it
/// would have to sleep through as many renewals.
const KEPT: u64 = 16;
/// The pause between two attempts to get a lease that somebody else holds.
const POLL: Duration = Duration::from_millis(250);

/// The right to be the only writer of something until it expires.
///
/// A lease is a [`Sequence`] under `leases/NAME`: taking, renewing and giving it back each append one object, so of two
/// processes that see it free exactly one gets it. Expiry is by the [`Clock`](crate::Clock) of whoever asks: choose a
/// time to live well above the difference between the machines' clocks.
///
/// A holder that stalls past its expiry may still be writing while the next holder is; work that must not be mixed
/// checks [`Lease::is_live`], or carries [`Lease::fencing`] and refuses smaller numbers.
#[derive(Debug)]
pub struct Lease {
    store: Store,
    sequence: Sequence,
    name: String,
    owner: String,
    ttl: Duration,
    nonce: Uuid,
    fencing: u64,
    last: u64,
    expires: DateTime<Utc>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    owner: String,
    /// One for each time the lease is held, so that a holder recognises its own records after a lost answer.
    nonce: Uuid,
    state: State,
    at: DateTime<Utc>,
    expires: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Held,
    Released,
}

/// What an attempt to take the lease found.
enum Attempt {
    Taken(Lease),
    Held { owner: String, expires: DateTime<Utc> },
}

impl Lease {
    /// Takes the lease `name` for `owner` until `ttl` from now; `None` when somebody holds it.
    ///
    /// `owner` names the process for people, such as `train on node-2`. The same owner does not get a lease twice.
    pub async fn acquire(store: &Store, name: &str, owner: &str, ttl: Duration) -> Result<Option<Self>> {
        match Self::attempt(store, name, owner, ttl).await? {
            Attempt::Taken(lease) => Ok(Some(lease)),
            Attempt::Held { .. } => Ok(None),
        }
    }

    /// Takes the lease `name`, trying for as long as `patience` when somebody holds it.
    ///
    /// # Errors
    /// [`Error::Held`] when somebody still held it at the end.
    pub async fn wait(store: &Store, name: &str, owner: &str, ttl: Duration, patience: Duration) -> Result<Self> {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let (owner, expires) = match Self::attempt(store, name, owner, ttl).await? {
                Attempt::Taken(lease) => return Ok(lease),
                Attempt::Held { owner, expires } => (owner, expires),
            };
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            if left.is_zero() {
                return Err(Error::Held { name: name.to_owned(), owner, expires });
            }
            tokio::time::sleep(POLL.min(left)).await;
        }
    }

    /// Renews until `ttl` from now: false when the lease was lost to somebody else.
    pub async fn renew(&mut self) -> Result<bool> {
        let now = self.store.clock().now();
        let expires = expiry(now, self.ttl);
        if !self.write(State::Held, now, expires).await? {
            // Nobody can renew again what another has taken.
            self.expires = now;
            return Ok(false);
        }
        self.expires = expires;
        self.clean_up().await;
        Ok(true)
    }

    /// Gives the lease back, so that the next one need not wait for its expiry.
    pub async fn release(mut self) -> Result<()> {
        let now = self.store.clock().now();
        // A lease that was lost meanwhile is somebody else's, and stays that.
        if self.write(State::Released, now, now).await? {
            self.clean_up().await;
        }
        Ok(())
    }

    /// Renews the lease in the background, at every third of its time to live, until the guard is dropped.
    pub fn keep_alive(self) -> KeepAlive {
        KeepAlive::start(self)
    }

    /// Whether the lease is ours and has not expired, as far as we know without asking the store.
    pub fn is_live(&self) -> bool {
        self.store.clock().now() < self.expires
    }

    /// How long it lasts from now unless renewed; zero when it has expired.
    pub fn time_left(&self) -> Duration {
        (self.expires - self.store.clock().now()).to_std().unwrap_or_default()
    }

    /// A number greater than that of every earlier holder of this lease.
    pub fn fencing(&self) -> u64 {
        self.fencing
    }

    /// When it expires unless renewed.
    pub fn expires(&self) -> DateTime<Utc> {
        self.expires
    }

    /// The lease's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who holds it.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// How long one renewal lasts.
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    async fn attempt(store: &Store, name: &str, owner: &str, ttl: Duration) -> Result<Attempt> {
        let sequence = Sequence::new(store, format!("leases/{name}"));
        loop {
            let now = store.clock().now();
            let mut last = 0;
            if let Some((number, body)) = sequence.latest().await? {
                let record: Record = decode(&sequence.path(number), &body)?;
                if record.state == State::Held && record.expires > now {
                    return Ok(Attempt::Held { owner: record.owner, expires: record.expires });
                }
                last = number;
            }
            let mut lease = Lease {
                store: store.clone(),
                sequence: sequence.clone(),
                name: name.to_owned(),
                owner: owner.to_owned(),
                ttl,
                nonce: Uuid::new_v4(),
                fencing: last + 1,
                last,
                expires: expiry(now, ttl),
            };
            let expires = lease.expires;
            if lease.write(State::Held, now, expires).await? {
                lease.clean_up().await;
                return Ok(Attempt::Taken(lease));
            }
            // Another was faster: look again who it is.
        }
    }

    /// Appends a record; false when somebody else appended since our last one.
    async fn write(&mut self, state: State, at: DateTime<Utc>, expires: DateTime<Utc>) -> Result<bool> {
        let (next, path) = loop {
            let (next, path) = (self.last + 1, self.sequence.path(self.last + 1));
            let record = Record { owner: self.owner.clone(), nonce: self.nonce, state, at, expires };
            if self.sequence.append_if(self.last, encode(&path, &record)?).await? {
                break (next, path);
            }
            // An earlier write of ours may have arrived although it was reported as failed; then it is still our turn.
            let Some(stored) = self.sequence.read(next).await? else { return Ok(false) };
            if decode::<Record>(&path, &stored)?.nonce != self.nonce {
                return Ok(false);
            }
            self.last = next;
        };
        // The sequence may have moved on and been cleaned up behind us while we slept; then ours is not the end, and
        // must go lest it be read as one.
        if !self.sequence.numbers_after(next).await?.is_empty() {
            self.store.delete(&path).await?;
            return Ok(false);
        }
        self.last = next;
        Ok(true)
    }

    /// Deletes the objects that no writer can still be at the end of.
    async fn clean_up(&self) {
        // One listing in every KEPT writes is enough.
        if !self.last.is_multiple_of(KEPT) {
            return;
        }
        let oldest_kept = self.last.saturating_sub(KEPT);
        let cleaned: Result<()> = async {
            for number in self.sequence.numbers_after(0).await?.into_iter().filter(|number| *number < oldest_kept) {
                self.store.delete(&self.sequence.path(number)).await?;
            }
            Ok(())
        }
        .await;
        if let Err(error) = cleaned {
            tracing::warn!(lease = self.name, error = %fault::chain(&error), "old objects of a lease stay behind");
        }
    }
}

fn expiry(now: DateTime<Utc>, ttl: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(ttl).ok().and_then(|ttl| now.checked_add_signed(ttl)).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
