use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use storage::Sequence;
use uuid::Uuid;

use crate::{Registry, Result, model_path};

/// One turn of the loop: ingest, check, train, promote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Its number, from 1.
    pub sequence: u64,
    /// The key from which the idempotency keys of its calls are made, so that a turn taken up again repeats them.
    pub key: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
}

/// How a turn ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// What came of it, free in form.
    pub outcome: Value,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
}

/// A turn and how it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TurnRecord {
    /// The turn.
    #[serde(flatten)]
    pub turn: Turn,
    /// How it ended; `None` while it is under way or was broken off.
    pub ended: Option<Outcome>,
}

impl Registry {
    /// The turn that is not finished, or else a new one.
    pub async fn open_turn(&self, model: &str) -> Result<Turn> {
        let sequence = self.turn_sequence(model)?;
        loop {
            let latest: Option<(u64, Turn)> = sequence.latest_json().await?;
            let last = latest.as_ref().map_or(0, |(number, _)| *number);
            if let Some((_, turn)) = latest
                && self.store.try_get(&outcome_path(model, turn.sequence)?).await?.is_none()
            {
                return Ok(turn);
            }
            let turn = Turn { sequence: last + 1, key: Uuid::new_v4().to_string(), started_at: self.now() };
            if sequence.append_json_if(last, &turn).await? {
                return Ok(turn);
            }
        }
    }

    /// Ends a turn and returns how it ended: the first outcome stays.
    pub async fn finish_turn(&self, model: &str, sequence: u64, outcome: Value) -> Result<Outcome> {
        self.put_first(&outcome_path(model, sequence)?, Outcome { outcome, finished_at: self.now() }).await
    }

    /// Every turn, oldest first.
    pub async fn turns(&self, model: &str) -> Result<Vec<TurnRecord>> {
        let (turns, outcomes) = (self.turn_sequence(model)?, self.sequence(model_path(model, "outcomes")?));
        let (turns, outcomes) = futures::join!(turns.all_json::<Turn>(), outcomes.all_json::<Outcome>());
        let mut outcomes: BTreeMap<u64, Outcome> = outcomes?.into_iter().collect();
        Ok(turns?.into_iter().map(|(number, turn)| TurnRecord { turn, ended: outcomes.remove(&number) }).collect())
    }

    fn turn_sequence(&self, model: &str) -> Result<Sequence> {
        Ok(self.sequence(model_path(model, "turns")?))
    }
}

fn outcome_path(model: &str, sequence: u64) -> Result<String> {
    model_path(model, &format!("outcomes/{sequence:08}.json"))
}
