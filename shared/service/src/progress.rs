//! Work of more than a second: it tells how far it is, and it ends even when the caller has gone.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use fault::Kind;
use futures::FutureExt;
use futures::stream;
use once_cell::sync::Lazy;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{Instrument, Span, debug, error};

use crate::context::REQUEST_ID;
use crate::edge::panic_text;
use crate::problem::Problem;
use crate::reply::{IntoReply, Reply};

/// The media type that asks for progress lines.
pub const NDJSON: &str = "application/x-ndjson";

/// Lines that wait for a slow reader; progress beyond it is left out, the result never is.
const WAITING_LINES: usize = 64;

/// How much work is under way in this process.
static UNDER_WAY: Lazy<watch::Sender<usize>> = Lazy::new(|| watch::Sender::new(0));

/// Where work tells how far it is. Cheap to clone, never blocks, and works from any thread.
#[derive(Clone, Debug)]
pub struct Progress {
    lines: Option<mpsc::Sender<Bytes>>,
}

impl Progress {
    /// Tells nobody.
    pub fn silent() -> Self {
        Self { lines: None }
    }

    /// Tells what is being done and, where it is known, which fraction (0 to 1) of all is done.
    pub fn send(&self, message: impl Into<String>, fraction: Option<f64>) {
        let Some(lines) = &self.lines else { return };
        let fraction = fraction.filter(|fraction| fraction.is_finite()).map(|fraction| fraction.clamp(0.0, 1.0));
        let event = Event::Progress { message: message.into(), fraction };
        // A full queue or a reader that has gone loses this line and nothing else.
        let _ = lines.try_send(event.to_line());
    }
}

/// One line of a stream; the last is a result or a problem.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Event<'a> {
    Progress {
        message: String,
        fraction: Option<f64>,
    },
    Result {
        status: u16,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        replayed: bool,
        body: &'a Value,
    },
    Problem {
        status: u16,
        body: &'a Problem,
    },
}

impl Event<'_> {
    fn to_line(&self) -> Bytes {
        // Every variant has text keys and finite numbers, so there is always a JSON form.
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line.into()
    }
}

/// Does `work` to its end and answers with its outcome.
///
/// A caller that accepts `application/x-ndjson` gets status 200 and a line for each step as it happens:
/// `{"event":"progress","message":..,"fraction":..}`, and at last `{"event":"result","status":..,"body":..}` or
/// `{"event":"problem","status":..,"body":..}`. Any other caller gets plain JSON with the outcome's status.
///
/// The work is a task of its own. When the caller leaves or the time-out strikes it still ends, so a result is never
/// half done; a repeat with the same `Idempotency-Key` finds it. `name` says in the log which work it was.
pub async fn respond<F, Fut, R>(headers: &HeaderMap, name: &'static str, work: F) -> Response
where
    F: FnOnce(Progress) -> Fut + Send + 'static,
    Fut: Future<Output = Result<R, Problem>> + Send + 'static,
    R: IntoReply + Send + 'static,
{
    if accepts_ndjson(headers) {
        let request_id = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let (sender, receiver) = mpsc::channel(WAITING_LINES);
        let progress = Progress { lines: Some(sender.clone()) };
        spawn(name, work, progress, async move |outcome| {
            let _ = sender.send(last_line(outcome, &request_id, name)).await;
        });
        return stream_lines(receiver);
    }
    let (sender, receiver) = oneshot::channel();
    spawn(name, work, Progress::silent(), async move |outcome| {
        if let Err(Err(problem)) = sender.send(outcome) {
            error!(work = name, error = problem.cause().unwrap_or(&problem.document().detail), "failed unheard");
        }
    });
    match receiver.await {
        Ok(Ok(reply)) => reply.into_response(),
        Ok(Err(problem)) => problem.into_response(),
        // The task catches panics, so only a runtime that is shutting down drops it.
        Err(_) => Problem::new(Kind::Unavailable, "the process is stopping").retry_after(1).into_response(),
    }
}

/// Waits until no work is under way, so that a process does not stop in the middle of it.
pub(crate) async fn idle() {
    // The sender is static, so the channel never closes.
    let _ = UNDER_WAY.subscribe().wait_for(|n_running| *n_running == 0).await;
}

fn spawn<F, Fut, R, E, End>(name: &'static str, work: F, progress: Progress, end: E)
where
    F: FnOnce(Progress) -> Fut + Send + 'static,
    Fut: Future<Output = Result<R, Problem>> + Send + 'static,
    R: IntoReply + Send + 'static,
    E: FnOnce(Result<Reply, Problem>) -> End + Send + 'static,
    End: Future<Output = ()> + Send + 'static,
{
    let running = Running::begin();
    let task = async move {
        let outcome = AssertUnwindSafe(async { work(progress).await?.into_reply() }).catch_unwind().await;
        let outcome = outcome.unwrap_or_else(|panic| {
            Err(Problem::new(Kind::Internal, format!("{name} panicked: {}", panic_text(&*panic))))
        });
        debug!(work = name, "ended");
        end(outcome).await;
        drop(running);
    };
    tokio::spawn(task.instrument(Span::current()));
}

struct Running;

impl Running {
    fn begin() -> Self {
        UNDER_WAY.send_modify(|n_running| *n_running += 1);
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        UNDER_WAY.send_modify(|n_running| *n_running -= 1);
    }
}

fn last_line(outcome: Result<Reply, Problem>, request_id: &str, name: &'static str) -> Bytes {
    match outcome {
        Ok(Reply { status, body, replayed, .. }) => {
            Event::Result { status: status.as_u16(), replayed, body: &body }.to_line()
        }
        Err(problem) => {
            // The response's head is long gone, so the edge cannot log this one.
            if let Some(cause) = problem.cause() {
                error!(work = name, request_id, error = cause, "failed");
            }
            let problem = problem.with_instance(request_id);
            Event::Problem { status: problem.status().as_u16(), body: &problem }.to_line()
        }
    }
}

fn stream_lines(receiver: mpsc::Receiver<Bytes>) -> Response {
    let lines = stream::unfold(receiver, async |mut receiver| {
        let line = receiver.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(line), receiver))
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(NDJSON)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, Body::from_stream(lines)).into_response()
}

fn accepts_ndjson(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values
        .flat_map(|text| text.split(','))
        .any(|range| range.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(NDJSON))
}
