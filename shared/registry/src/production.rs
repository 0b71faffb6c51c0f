use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use storage::Sequence;

use crate::{Error, Registry, Result, VersionId, model_path};

/// Why production moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// To a challenger that was better.
    Promote,
    /// Back to an earlier version.
    Rollback,
}

/// One position of the production alias. The last one is what serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasEntry {
    /// The number of the move, from 1.
    pub sequence: u64,
    /// What serves from then on.
    pub version: VersionId,
    /// What served before.
    pub previous: Option<VersionId>,
    /// Why it moved.
    pub action: Action,
    /// The id of the decision on record.
    pub decision: String,
    /// The reason, for people.
    pub reason: String,
    /// When it moved.
    pub at: DateTime<Utc>,
}

/// A move that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// What shall serve.
    pub version: VersionId,
    /// Why it moves.
    pub action: Action,
    /// The id of the decision on record; the same decision moves production once.
    pub decision: String,
    /// The reason, for people.
    pub reason: String,
}

impl Registry {
    /// What serves, if anything does.
    pub async fn production(&self, model: &str) -> Result<Option<AliasEntry>> {
        Ok(self.alias(model)?.latest_json().await?.map(|(_, entry)| entry))
    }

    /// Moves production to another version if it is the `expected` one now (`None`: no version serves).
    ///
    /// Of several different moves that expect the same one exactly one wins. The same decision again is a replay and is
    /// answered with its first move, wherever production has gone since.
    ///
    /// # Errors
    /// [`Error::ProductionMoved`] when production is another, [`Error::VersionNotFound`] when the version was not
    /// published.
    pub async fn move_production(
        &self,
        model: &str,
        expected: Option<&VersionId>,
        request: &Move,
    ) -> Result<AliasEntry> {
        self.manifest(model, &request.version).await?;
        let alias = self.alias(model)?;
        loop {
            let history: Vec<(u64, AliasEntry)> = alias.all_json().await?;
            if let Some((_, replay)) = history.iter().find(|(_, entry)| entry.decision == request.decision) {
                return Ok(replay.clone());
            }
            let last = history.last().map_or(0, |(number, _)| *number);
            let actual = history.last().map(|(_, entry)| &entry.version);
            if actual != expected {
                return Err(Error::ProductionMoved {
                    model: model.to_owned(),
                    expected: expected.cloned(),
                    actual: actual.cloned(),
                });
            }
            let entry = AliasEntry {
                sequence: last + 1,
                version: request.version.clone(),
                previous: expected.cloned(),
                action: request.action,
                decision: request.decision.clone(),
                reason: request.reason.clone(),
                at: self.now(),
            };
            if alias.append_json_if(last, &entry).await? {
                return Ok(entry);
            }
            // Another move came between; look again whether it was this decision's, or leads where it was expected.
        }
    }

    /// Every move of production, oldest first.
    pub async fn alias_history(&self, model: &str) -> Result<Vec<AliasEntry>> {
        let history = self.alias(model)?.all_json().await?;
        Ok(history.into_iter().map(|(_, entry)| entry).collect())
    }

    fn alias(&self, model: &str) -> Result<Sequence> {
        Ok(self.sequence(model_path(model, "production")?))
    }
}
