use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Registry, Result, model_path};

/// Something that an operator should be able to read about later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// What kind of thing: `restart`, `replay`, `loss`, `conflict`, `release`, ...
    pub kind: String,
    /// What happened, for people.
    pub detail: String,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// The particulars, free in form.
    #[serde(default)]
    pub data: Value,
}

impl Registry {
    /// Appends an event, dated now, to the model's audit log.
    pub async fn record_event(&self, model: &str, kind: &str, detail: &str, data: Value) -> Result<Event> {
        let event = Event { kind: kind.to_owned(), detail: detail.to_owned(), at: self.now(), data };
        self.sequence(model_path(model, "events")?).append_json(&event).await?;
        Ok(event)
    }

    /// Every event of a model, oldest first.
    pub async fn events(&self, model: &str) -> Result<Vec<Event>> {
        let events = self.sequence(model_path(model, "events")?).all_json().await?;
        Ok(events.into_iter().map(|(_, event)| event).collect())
    }
}
