use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::{decode, encode};
use crate::{Error, Result, Store};

/// How many objects of a sequence are read at once.
const READS_AT_ONCE: usize = 16;
/// How often [`Sequence::append`] tries again when others append at the same moment.
const APPEND_ATTEMPTS: usize = 64;

/// An append-only list of objects, `PREFIX/00000001.json` and so on, that many writers may extend at once.
///
/// Each object is created with put-if-absent, so of several writers that have seen the same end exactly one appends: that
/// is compare-and-set on every backend. Numbers start at 1 and have no gaps (a [`Lease`](crate::Lease) deletes its oldest).
///
/// Bodies decide who won when the answer to a write got lost: a writer that finds its own bytes stored counts them as its
/// own. So put something unique into a body wherever only one of two writers of equal bytes may win.
#[derive(Clone, Debug)]
pub struct Sequence {
    store: Store,
    prefix: String,
}

impl Sequence {
    /// The sequence of the objects directly in the folder `prefix`.
    pub fn new(store: &Store, prefix: impl Into<String>) -> Self {
        Self { store: store.clone(), prefix: prefix.into() }
    }

    /// The path of the object with the number `sequence`.
    pub fn path(&self, sequence: u64) -> String {
        format!("{}/{sequence:08}.json", self.prefix)
    }

    /// The last object and its number.
    pub async fn latest(&self) -> Result<Option<(u64, Bytes)>> {
        // The last object may be deleted between the listing and the read, when the sequence is a lease's; then a newer
        // one exists.
        loop {
            let Some(last) = self.last().await? else { return Ok(None) };
            if let Some(body) = self.read(last).await? {
                return Ok(Some((last, body)));
            }
        }
    }

    /// The number of the last object; 0 when there is none.
    pub async fn len(&self) -> Result<u64> {
        Ok(self.last().await?.unwrap_or(0))
    }

    /// Whether there is no object yet.
    pub async fn is_empty(&self) -> Result<bool> {
        Ok(self.last().await?.is_none())
    }

    /// Appends `body` if `after` is the number of the last object (0 when empty): true when it did.
    pub async fn append_if(&self, after: u64, body: impl Into<Bytes>) -> Result<bool> {
        self.store.put_once(&self.path(after + 1), body).await
    }

    /// Appends `body` wherever the end is, and returns its number.
    ///
    /// # Errors
    /// [`Error::Contended`] when other writers were faster 64 times in a row.
    pub async fn append(&self, body: impl Into<Bytes>) -> Result<u64> {
        let body: Bytes = body.into();
        let mut last = self.len().await?;
        for attempt in 0..APPEND_ATTEMPTS {
            if self.append_if(last, body.clone()).await? {
                return Ok(last + 1);
            }
            // Whoever was faster has most often appended just one, so listing again can wait.
            last = if attempt % 4 == 3 { self.len().await?.max(last + 1) } else { last + 1 };
        }
        Err(Error::Contended { prefix: self.prefix.clone(), attempts: APPEND_ATTEMPTS })
    }

    /// The object with the number `sequence`, if there is one.
    pub async fn read(&self, sequence: u64) -> Result<Option<Bytes>> {
        self.store.try_get(&self.path(sequence)).await
    }

    /// Every object with its number, oldest first.
    pub async fn all(&self) -> Result<Vec<(u64, Bytes)>> {
        self.after(0).await
    }

    /// Every object whose number is greater than `sequence`, oldest first.
    pub async fn after(&self, sequence: u64) -> Result<Vec<(u64, Bytes)>> {
        let numbers = self.numbers_after(sequence).await?;
        let reads = futures::stream::iter(numbers)
            .map(|number| async move { Ok::<_, Error>((number, self.read(number).await?)) });
        let read: Vec<(u64, Option<Bytes>)> = reads.buffered(READS_AT_ONCE).try_collect().await?;
        Ok(read.into_iter().filter_map(|(number, body)| body.map(|body| (number, body))).collect())
    }

    /// The last object, read as JSON, and its number.
    pub async fn latest_json<T: DeserializeOwned>(&self) -> Result<Option<(u64, T)>> {
        let latest = self.latest().await?;
        latest.map(|(number, body)| Ok((number, decode(&self.path(number), &body)?))).transpose()
    }

    /// Appends `value` as JSON if `after` is the number of the last object (0 when empty): true when it did.
    pub async fn append_json_if<T: Serialize + ?Sized>(&self, after: u64, value: &T) -> Result<bool> {
        self.append_if(after, encode(&self.path(after + 1), value)?).await
    }

    /// Appends `value` as JSON wherever the end is, and returns its number.
    pub async fn append_json<T: Serialize + ?Sized>(&self, value: &T) -> Result<u64> {
        self.append(encode(&self.prefix, value)?).await
    }

    /// Every object, read as JSON, with its number, oldest first.
    pub async fn all_json<T: DeserializeOwned>(&self) -> Result<Vec<(u64, T)>> {
        let all = self.all().await?;
        all.into_iter().map(|(number, body)| Ok((number, decode(&self.path(number), &body)?))).collect()
    }

    pub(crate) async fn numbers_after(&self, sequence: u64) -> Result<Vec<u64>> {
        let entries = match sequence {
            0 => self.store.list(&self.prefix).await?,
            _ => self.store.list_after(&self.prefix, &self.path(sequence)).await?,
        };
        let number = |name: &str| name.strip_suffix(".json")?.parse::<u64>().ok();
        let mut numbers: Vec<u64> = entries.iter().filter_map(|entry| number(entry.name())).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    async fn last(&self) -> Result<Option<u64>> {
        Ok(self.numbers_after(0).await?.last().copied())
    }
}
