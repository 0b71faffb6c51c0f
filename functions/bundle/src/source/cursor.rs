//! Where each group is in the batches, in memory and on disk.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Error;

/// Where a group is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Cursor {
    /// The batch that the next read gets.
    pub(super) next: usize,
    /// When the last one was read, since the process started.
    pub(super) moved: Option<Duration>,
}

/// What a read gets.
#[derive(Debug, PartialEq)]
pub(super) enum Turn {
    /// This batch, and the cursor moves on.
    Advance(usize),
    /// The batch of the last read again.
    Repeat(usize),
    /// Every batch has been read.
    Exhausted,
}

impl Cursor {
    /// What a read at `now` gets, when batches are `gate` apart.
    pub(super) fn turn(self, now: Duration, gate: Duration, n_batches: usize) -> Turn {
        let gated = self.moved.is_some_and(|moved| now < moved + gate);
        match self.next {
            next if gated && next > 0 => Turn::Repeat(next - 1),
            next if next < n_batches => Turn::Advance(next),
            _ => Turn::Exhausted,
        }
    }
}

/// The cursors on disk, so that a restarted source goes on where it was.
#[derive(Debug)]
pub(super) struct Store {
    path: PathBuf,
    /// What the rows come from; cursors of other rows mean nothing here.
    source: Value,
    cursors: tokio::sync::Mutex<BTreeMap<String, usize>>,
}

impl Store {
    /// The cursors of `source` in a file, which need not exist yet.
    pub(super) fn open(path: PathBuf, source: Value) -> Result<Self, Error> {
        let failed = |source| Error::State { path: path.clone(), source };
        let cursors = match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(failed(error)),
            Ok(bytes) => {
                let broken = |error| failed(io::Error::new(io::ErrorKind::InvalidData, error));
                let state: Value = serde_json::from_slice(&bytes).map_err(broken)?;
                if state["source"] != source {
                    return Err(Error::ForeignState { path });
                }
                serde_json::from_value(state["cursors"].clone()).map_err(broken)?
            }
        };
        Ok(Self { path, source, cursors: tokio::sync::Mutex::new(cursors) })
    }

    /// The next batch of a group, 0 where nothing was kept.
    pub(super) fn saved(&self, group: usize) -> usize {
        self.cursors.try_lock().ok().and_then(|cursors| cursors.get(&group.to_string()).copied()).unwrap_or(0)
    }

    /// Keeps a group's next batch.
    pub(super) async fn save(&self, group: usize, next: usize) -> Result<(), Error> {
        let failed = |source| Error::State { path: self.path.clone(), source };
        let mut cursors = self.cursors.lock().await;
        let mut changed = cursors.clone();
        changed.insert(group.to_string(), next);
        let text = json!({"source": self.source, "cursors": changed}).to_string();
        // Written beside and renamed, so that a kill leaves the old cursors or the new ones.
        let mut beside = self.path.clone().into_os_string();
        beside.push(".tmp");
        tokio::fs::write(&beside, text).await.map_err(failed)?;
        tokio::fs::rename(&beside, &self.path).await.map_err(failed)?;
        *cursors = changed;
        Ok(())
    }
}

/// Time since the first call.
pub(super) fn now() -> Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_moves_repeats_within_the_gate_and_ends() {
        let seconds = Duration::from_secs;
        let gate = seconds(300);
        let at = |next, moved: Option<u64>| Cursor { next, moved: moved.map(seconds) };
        for (cursor, now, gate, turn) in [
            (at(0, None), 0, gate, Turn::Advance(0)),
            (at(1, Some(10)), 309, gate, Turn::Repeat(0)),
            (at(1, Some(10)), 310, gate, Turn::Advance(1)),
            (at(3, Some(10)), 309, gate, Turn::Repeat(2)),
            (at(3, Some(10)), 310, gate, Turn::Exhausted),
            (at(1, Some(10)), 10, Duration::ZERO, Turn::Advance(1)),
            (at(3, None), 0, gate, Turn::Exhausted),
        ] {
            assert_eq!(cursor.turn(seconds(now), gate, 3), turn, "{cursor:?} at {now}");
        }
    }
}
