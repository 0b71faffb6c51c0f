//! The prediction log's near end: what handlers call.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use chrono::{DateTime, SecondsFormat, Utc};
use once_cell::sync::OnceCell;
use registry::Registry;
use serde::Serialize;
use serde_json::Value;
use serving::Served;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::{Semaphore, oneshot};
use uuid::Uuid;

use crate::Error;
use crate::answer::{Outcome, Prediction, Probabilities};
use crate::segment::{Lines, Message, Writer};

/// How the prediction log is written.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// Text of a segment, in bytes, from which it is stored at once. Default 4 MiB.
    pub segment_bytes: usize,
    /// The longest time that a line waits for others. Default 2 s.
    pub max_age: Duration,
    /// Text, in bytes, that may wait for the store; beyond it, requests wait. Default 64 MiB.
    pub waiting_bytes: usize,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { segment_bytes: 4 << 20, max_age: Duration::from_secs(2), waiting_bytes: 64 << 20 }
    }
}

/// The log of what was predicted: lines in memory, then compressed segments in the store.
#[derive(Debug)]
pub struct PredictionLog {
    registry: Registry,
    settings: LogSettings,
    /// One permit for each byte of text that may wait.
    room: Arc<Semaphore>,
    /// To the task that writes, which starts with the first line.
    writer: OnceCell<UnboundedSender<Message>>,
    trouble: Arc<ArcSwapOption<String>>,
}

/// One line. The id comes first, where the look-up for feedback expects it.
#[derive(Serialize)]
struct Line<'a> {
    id: Uuid,
    model: &'a str,
    version: &'a str,
    at: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    inputs: Option<&'a Value>,
    prediction: Outcome<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probability: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probabilities: Option<&'a Probabilities<'a>>,
}

impl PredictionLog {
    /// A log in `registry`. Nothing is written, and no task runs, before the first line.
    pub fn new(registry: Registry, settings: LogSettings) -> Self {
        let room = Arc::new(Semaphore::new(settings.waiting_bytes.min(u32::MAX as usize)));
        Self { registry, settings, room, writer: OnceCell::new(), trouble: Arc::default() }
    }

    /// Adds the predictions for `rows`, made at `at`; none where the model's spec keeps no log. When this returns they will
    /// be stored, unless the process is killed first. It waits while too much text waits for the store.
    pub(crate) async fn append(
        &self,
        served: &Arc<Served>,
        rows: &[Value],
        predictions: &[Prediction<'_>],
        at: DateTime<Utc>,
    ) -> Result<(), Error> {
        let wanted = &served.spec().serve.log;
        if !wanted.enabled {
            return Ok(());
        }
        let (model, version) = (served.model(), served.version().as_str());
        let time = at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let mut text = Vec::with_capacity(512 * rows.len());
        for (row, prediction) in rows.iter().zip(predictions) {
            let line = Line {
                id: prediction.id,
                model,
                version,
                at: &time,
                inputs: wanted.inputs.then_some(row),
                prediction: prediction.prediction,
                probability: prediction.probability,
                probabilities: prediction.probabilities.as_ref(),
            };
            serde_json::to_writer(&mut text, &line).map_err(Error::Line)?;
            text.push(b'\n');
        }
        // One request larger than all room must not wait for ever.
        let needed = text.len().min(self.settings.waiting_bytes).min(u32::MAX as usize) as u32;
        let room = Arc::clone(&self.room).acquire_many_owned(needed).await.map_err(|_| Error::LogStopped)?;
        let ids = predictions.iter().map(|prediction| prediction.id).collect();
        let lines = Lines { served: Arc::clone(served), ids, text, at_ms: at.timestamp_millis(), room };
        self.writer().send(Message::Lines(lines)).map_err(|_| Error::LogStopped)
    }

    /// Which of `ids` wait in memory, with their models. Any other that was answered before is in a stored segment.
    pub(crate) async fn find(&self, ids: Vec<Uuid>) -> Result<HashMap<Uuid, String>, Error> {
        let Some(writer) = self.writer.get() else { return Ok(HashMap::new()) };
        let (answer, answered) = oneshot::channel();
        writer.send(Message::Find(ids, answer)).map_err(|_| Error::LogStopped)?;
        answered.await.map_err(|_| Error::LogStopped)
    }

    /// Stores all that waits; ends when it is stored.
    pub async fn flush(&self) {
        let Some(writer) = self.writer.get() else { return };
        let (done, flushed) = oneshot::channel();
        if writer.send(Message::Flush(done)).is_err() || flushed.await.is_err() {
            tracing::error!("the prediction log's writer has stopped; what waited there is lost");
        }
    }

    /// Why the log cannot be stored at present, if so.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.load().as_deref().cloned()
    }

    fn writer(&self) -> &UnboundedSender<Message> {
        self.writer.get_or_init(|| {
            let (sender, receiver) = unbounded_channel();
            let writer = Writer::new(self.registry.clone(), &self.settings, receiver, Arc::clone(&self.trouble));
            tokio::spawn(writer.run());
            sender
        })
    }
}
