use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Registry, Result, checked, key_name};

/// What a function answered to an idempotency key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The digest of the request, to notice a key that is used for another one.
    pub request_sha256: String,
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Value,
    /// When it was answered.
    pub at: DateTime<Utc>,
}

impl Registry {
    /// What `function` answered to `key`, if it did.
    pub async fn answer(&self, function: &str, key: &str) -> Result<Option<Answer>> {
        Ok(self.store.try_get_json(&answer_path(function, key)?).await?)
    }

    /// Keeps the answer of `function` to `key` and returns the one that is kept: the first.
    pub async fn remember(&self, function: &str, key: &str, answer: Answer) -> Result<Answer> {
        self.put_first(&answer_path(function, key)?, answer).await
    }
}

fn answer_path(function: &str, key: &str) -> Result<String> {
    checked("function", function)?;
    Ok(format!("answers/{function}/{}.json", key_name(key)))
}
