//! The prediction log's far end: one task that gathers lines and stores them as segments.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use registry::{Registry, Segment};
use serving::Served;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::LogSettings;

/// Old segments are looked for this often, per model.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);

/// The first and the longest pause before a store that failed is tried again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// What the task is told.
#[derive(Debug)]
pub(crate) enum Message {
    /// Keep these.
    Lines(Lines),
    /// Which of these wait here, and of which model are they?
    Find(Vec<Uuid>, oneshot::Sender<HashMap<Uuid, String>>),
    /// Store all, and say when.
    Flush(oneshot::Sender<()>),
}

/// The lines of one request.
#[derive(Debug)]
pub(crate) struct Lines {
    pub(crate) served: Arc<Served>,
    pub(crate) ids: Vec<Uuid>,
    pub(crate) text: Vec<u8>,
    pub(crate) at_ms: i64,
    /// Room in memory, given back when the lines are stored.
    pub(crate) room: OwnedSemaphorePermit,
}

/// The task.
#[derive(Debug)]
pub(crate) struct Writer {
    registry: Registry,
    segment_bytes: usize,
    max_age: Duration,
    receiver: UnboundedReceiver<Message>,
    trouble: Arc<ArcSwapOption<String>>,
    buffers: HashMap<String, Buffer>,
    pruned: HashMap<String, Instant>,
}

/// The next segment of one model.
#[derive(Debug)]
struct Buffer {
    text: Vec<u8>,
    ids: Vec<Uuid>,
    first_ms: i64,
    last_ms: i64,
    due: Instant,
    retention_days: u32,
    rooms: Option<OwnedSemaphorePermit>,
}

impl Writer {
    pub(crate) fn new(
        registry: Registry,
        settings: &LogSettings,
        receiver: UnboundedReceiver<Message>,
        trouble: Arc<ArcSwapOption<String>>,
    ) -> Self {
        let (segment_bytes, max_age) = (settings.segment_bytes, settings.max_age);
        Self { registry, segment_bytes, max_age, receiver, trouble, buffers: HashMap::new(), pruned: HashMap::new() }
    }

    /// Works until the log is dropped.
    pub(crate) async fn run(mut self) {
        loop {
            let due = self.buffers.values().map(|buffer| buffer.due).min();
            tokio::select! {
                message = self.receiver.recv() => match message {
                    Some(message) => self.take(message).await,
                    None => return self.store_all(None).await,
                },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.store_all(Some(Instant::now())).await;
                }
            }
        }
    }

    async fn take(&mut self, message: Message) {
        match message {
            Message::Lines(lines) => {
                let model = lines.served.model();
                if !self.buffers.contains_key(model) {
                    self.buffers.insert(model.to_owned(), Buffer::new(&lines, self.max_age));
                }
                let served = Arc::clone(&lines.served);
                let is_full = self.buffers.get_mut(served.model()).is_some_and(|buffer| {
                    buffer.add(lines);
                    buffer.text.len() >= self.segment_bytes
                });
                if is_full {
                    self.store(served.model()).await;
                }
            }
            Message::Find(ids, answer) => {
                let wanted: HashSet<Uuid> = ids.into_iter().collect();
                let all = self.buffers.iter().flat_map(|(model, buffer)| buffer.ids.iter().map(move |id| (model, id)));
                let found =
                    all.filter(|(_, id)| wanted.contains(*id)).map(|(model, id)| (*id, model.clone())).collect();
                // Nobody waits for the answer when the request has ended before.
                let _ = answer.send(found);
            }
            Message::Flush(done) => {
                self.store_all(None).await;
                let _ = done.send(());
            }
        }
    }

    /// Stores every buffer, or those that were due at `now`.
    async fn store_all(&mut self, now: Option<Instant>) {
        let due = self.buffers.iter().filter(|(_, buffer)| now.is_none_or(|now| buffer.due <= now));
        let models: Vec<String> = due.map(|(model, _)| model.clone()).collect();
        for model in models {
            self.store(&model).await;
        }
    }

    /// Stores one buffer, however long that takes: lines that come meanwhile wait in the channel, which has bounded room.
    async fn store(&mut self, model: &str) {
        let Some(buffer) = self.buffers.remove(model) else { return };
        let Buffer { text, first_ms, last_ms, retention_days, rooms, .. } = buffer;
        let name = format!("{first_ms}-{last_ms}-{}", Uuid::new_v4());
        // The text is JSON as serde wrote it, so it is UTF-8.
        let text: Arc<str> = String::from_utf8_lossy(&text).into();
        let put = || {
            let (registry, text, name) = (self.registry.clone(), Arc::clone(&text), name.clone());
            async move {
                let body = compress(text).await?;
                registry.put_predictions(model, &name, body).await
            }
        };
        let pauses =
            ExponentialBuilder::default().with_min_delay(PAUSES.0).with_max_delay(PAUSES.1).without_max_times();
        let outcome = put.retry(pauses).notify(|error, pause| self.failed(model, error, pause)).await;
        drop(rooms);
        match outcome {
            Ok(()) => self.recovered(),
            // The retries have no end, so this is the end of the process.
            Err(error) => tracing::error!(model, error = fault::chain(&error), "lost a segment of the prediction log"),
        }
        self.prune(model, retention_days);
    }

    fn failed(&self, model: &str, error: &registry::Error, pause: Duration) {
        let error = fault::chain(error);
        if self.trouble.load().is_none() {
            tracing::error!(
                model,
                error,
                pause_ms = pause.as_millis(),
                "failed to store the prediction log; trying on"
            );
        }
        self.trouble.store(Some(Arc::new(format!("the prediction log cannot be stored: {error}"))));
        metrics::counter!("ebb_prediction_log_failures_total").increment(1);
        metrics::gauge!("ebb_prediction_log_failing").set(1.0);
    }

    fn recovered(&self) {
        if self.trouble.swap(None).is_some() {
            tracing::info!("the prediction log is stored again");
            metrics::gauge!("ebb_prediction_log_failing").set(0.0);
        }
    }

    /// Deletes, now and then and beside other work, what is older than the model's retention.
    fn prune(&mut self, model: &str, retention_days: u32) {
        let now = Instant::now();
        if self.pruned.get(model).is_some_and(|last| now < *last + PRUNE_EVERY) {
            return;
        }
        self.pruned.insert(model.to_owned(), now);
        let (registry, model) = (self.registry.clone(), model.to_owned());
        tokio::spawn(async move {
            if let Err(error) = delete_old(&registry, &model, retention_days).await {
                tracing::warn!(
                    model,
                    error = fault::chain(&error),
                    "failed to delete old segments; trying again later"
                );
            }
        });
    }
}

impl Buffer {
    fn new(lines: &Lines, max_age: Duration) -> Self {
        Self {
            text: Vec::new(),
            ids: Vec::new(),
            first_ms: lines.at_ms,
            last_ms: lines.at_ms,
            due: Instant::now() + max_age,
            retention_days: 0,
            rooms: None,
        }
    }

    fn add(&mut self, lines: Lines) {
        self.text.extend_from_slice(&lines.text);
        self.ids.extend(lines.ids);
        self.first_ms = self.first_ms.min(lines.at_ms);
        self.last_ms = self.last_ms.max(lines.at_ms);
        self.retention_days = lines.served.spec().serve.log.retention_days;
        match &mut self.rooms {
            Some(rooms) => rooms.merge(lines.room),
            None => self.rooms = Some(lines.room),
        }
    }
}

/// Compresses on a thread that may be busy: a full segment takes tens of milliseconds.
pub(crate) async fn compress(text: Arc<str>) -> Result<Bytes, registry::Error> {
    let compressed = tokio::task::spawn_blocking(move || registry::compress(&text)).await;
    compressed.unwrap_or_else(|error| {
        let path = "a new segment".to_owned();
        Err(registry::Error::Segment { path, source: std::io::Error::other(error) })
    })
}

/// Deletes the segments of both logs whose last line is older than the retention.
async fn delete_old(registry: &Registry, model: &str, retention_days: u32) -> Result<(), registry::Error> {
    let oldest: DateTime<Utc> = registry.now() - TimeDelta::days(retention_days.into());
    let is_old = |segment: &Segment| match segment.time_range_ms() {
        Some((_, last_ms)) => last_ms < oldest.timestamp_millis(),
        None => segment.written_at < oldest,
    };
    for segment in registry.prediction_segments(model).await?.into_iter().filter(is_old) {
        registry.delete_predictions(model, &segment.name).await?;
    }
    for segment in registry.feedback_segments(model).await?.into_iter().filter(is_old) {
        registry.delete_feedback(model, &segment.name).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use storage::{Clock, Store};

    use super::*;

    #[tokio::test]
    async fn segments_beyond_the_retention_are_deleted() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let registry = Registry::new(Store::memory().with_clock(Clock::new(move || now)));
        let ms = |days: i64| (now - TimeDelta::days(days)).timestamp_millis();
        for (first, last) in [(40, 31), (31, 29), (1, 0)] {
            let name = format!("{}-{}-x", ms(first), ms(last));
            registry.put_predictions("demo", &name, Bytes::new()).await.unwrap();
            registry.put_feedback("demo", &name, Bytes::new()).await.unwrap();
        }
        delete_old(&registry, "demo", 30).await.unwrap();
        assert_eq!(registry.prediction_segments("demo").await.unwrap().len(), 2);
        assert_eq!(registry.feedback_segments("demo").await.unwrap().len(), 2);
    }
}
