use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Registry, Result, key_name, model_path, read_all};

/// Which idempotency key was given a landing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The landing's place in the order of arrival.
    pub sequence: u64,
    /// The key.
    pub key: String,
    /// When it was given.
    pub at: DateTime<Utc>,
}

/// A fetch under way: if it is found later, the source may have advanced without a landing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The idempotency key of the request that fetches.
    pub key: String,
    /// When it began.
    pub at: DateTime<Utc>,
}

impl Registry {
    /// Gives the landing to `key`: true when it is that key's now, false when it is another's.
    pub async fn deliver(&self, model: &str, sequence: u64, key: &str) -> Result<bool> {
        let delivery = Delivery { sequence, key: key.to_owned(), at: self.now() };
        let path = model_path(model, &format!("deliveries/{sequence:08}.json"))?;
        Ok(self.put_first(&path, delivery).await?.key == key)
    }

    /// The key of every landing that was given to one, by the landing's place.
    pub async fn delivered(&self, model: &str) -> Result<BTreeMap<u64, String>> {
        let deliveries = self.sequence(model_path(model, "deliveries")?).all_json::<Delivery>().await?;
        Ok(deliveries.into_iter().map(|(sequence, delivery)| (sequence, delivery.key)).collect())
    }

    /// Says that a fetch begins, before the source is asked.
    pub async fn open_intent(&self, model: &str, key: &str) -> Result<Intent> {
        self.put_first(&intent_path(model, key)?, Intent { key: key.to_owned(), at: self.now() }).await
    }

    /// Says that the fetch ended: what came has landed, or the source did not advance.
    pub async fn close_intent(&self, model: &str, key: &str) -> Result<()> {
        Ok(self.store.delete(&intent_path(model, key)?).await?)
    }

    /// The fetches under way or broken off, oldest first.
    pub async fn open_intents(&self, model: &str) -> Result<Vec<Intent>> {
        let entries = self.store.list(&model_path(model, "intents")?).await?;
        let intents =
            read_all(entries, |entry| async move { Ok(self.store.try_get_json::<Intent>(&entry.path).await?) }).await?;
        let mut intents: Vec<Intent> = intents.into_iter().flatten().collect();
        intents.sort_by(|a, b| (a.at, &a.key).cmp(&(b.at, &b.key)));
        Ok(intents)
    }
}

fn intent_path(model: &str, key: &str) -> Result<String> {
    model_path(model, &format!("intents/{}.json", key_name(key)))
}
