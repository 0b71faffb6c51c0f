use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Registry, Result, VersionId, checked, model_path, read_all};

/// What was decided about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DecisionKind {
    /// Whether a challenger replaces the champion.
    Promotion,
    /// A return to an earlier version, by hand.
    Rollback,
}

/// A decision with its evidence. Rejections are decisions too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecisionRecord {
    /// Its id; a replay of the request has the same.
    pub id: String,
    /// What was decided about.
    pub kind: DecisionKind,
    /// The model.
    pub model: String,
    /// The version that was to serve.
    pub version: VersionId,
    /// The version that served.
    pub champion: Option<VersionId>,
    /// Whether it was promoted, or rolled back to.
    pub promoted: bool,
    /// Why, for people.
    pub reasons: Vec<String>,
    /// The measurements behind it, free in form.
    pub evidence: Value,
    /// When it was decided.
    pub at: DateTime<Utc>,
}

impl Registry {
    /// Puts a decision on record and returns what is on record under its id: the first one stays.
    pub async fn put_decision(&self, decision: DecisionRecord) -> Result<DecisionRecord> {
        self.put_first(&decision_path(&decision.model, &decision.id)?, decision).await
    }

    /// The decision with this id, if there is one.
    pub async fn decision(&self, model: &str, id: &str) -> Result<Option<DecisionRecord>> {
        Ok(self.store.try_get_json(&decision_path(model, id)?).await?)
    }

    /// Every decision about a model, newest first.
    pub async fn decisions(&self, model: &str) -> Result<Vec<DecisionRecord>> {
        let entries = self.store.list(&model_path(model, "decisions")?).await?;
        let read = |entry: storage::Entry| async move { Ok(self.store.get_json::<DecisionRecord>(&entry.path).await?) };
        let mut decisions = read_all(entries, read).await?;
        decisions.sort_by(|a, b| (Reverse(a.at), &a.id).cmp(&(Reverse(b.at), &b.id)));
        Ok(decisions)
    }
}

fn decision_path(model: &str, id: &str) -> Result<String> {
    checked("decision", id)?;
    model_path(model, &format!("decisions/{id}.json"))
}
