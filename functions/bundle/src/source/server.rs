//! The HTTP side of `ebb source`: cursors, faults, routes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::cursor::{Cursor, Store, Turn, now};
use super::{Args, Batches, Error};

/// Groups are numbered from 1 to this.
const GROUPS: usize = 10;
/// What the source says once a group has had every batch.
const EXHAUSTED: &str = "Ya se recolectó toda la información mínima necesaria";
/// What it says to a group that is no number.
const BAD_GROUP: &str = "Número de grupo inválido";
/// How long open connections may finish after a signal; one that hangs on purpose never would.
const GRACE: Duration = Duration::from_secs(2);

/// How a batch fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Half of the body, then the connection ends.
    Truncate,
    /// HTTP 500.
    Status,
    /// No answer at all.
    Hang,
    /// HTTP 200 with half of the document.
    Json,
}

/// `--broken KIND:BATCH[:advance]`: a failure that happens once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// What happens.
    pub failure: Failure,
    /// To which batch, counted from 0.
    pub batch: usize,
    /// Whether the cursor moves all the same, so that the client has lost the batch.
    pub advance: bool,
}

impl FromStr for Broken {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |piece: &str, hint: &str| Error::Option {
            option: "--broken",
            piece: piece.to_owned(),
            hint: hint.to_owned(),
        };
        let mut parts = text.split(':');
        let kind = parts.next().unwrap_or_default();
        let failure = match kind {
            "truncate" => Failure::Truncate,
            "status" => Failure::Status,
            "hang" => Failure::Hang,
            "json" => Failure::Json,
            _ => return Err(wrong(kind, "expected truncate, status, hang or json, then :BATCH")),
        };
        let batch = parts.next().unwrap_or_default();
        let batch = batch.parse().map_err(|_| wrong(batch, "expected a batch number from 0, such as status:2"))?;
        let advance = match parts.next() {
            None | Some("keep") => false,
            Some("advance") => true,
            Some(other) => return Err(wrong(other, "expected keep (the default) or advance")),
        };
        match parts.next() {
            None => Ok(Self { failure, batch, advance }),
            Some(extra) => Err(wrong(extra, "expected nothing after KIND:BATCH:advance")),
        }
    }
}

/// A data source, ready to serve; clones share its cursors.
#[derive(Clone, Debug)]
pub struct Source(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    batches: Arc<Batches>,
    sizes: Vec<usize>,
    gate: Duration,
    slow: Duration,
    /// The failures that have not happened yet.
    broken: Mutex<Vec<Broken>>,
    /// One lock a group, held while its batch is made: two reads of a group are one after the other.
    groups: [tokio::sync::Mutex<Cursor>; GROUPS],
    /// The last batch served, as JSON. Its lock is held while a batch is made, so that one is made at a time.
    cache: tokio::sync::Mutex<Option<(usize, Bytes)>>,
    store: Option<Store>,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    requests: BTreeMap<(&'static str, u16), u64>,
    rows: u64,
}

impl Source {
    /// Reads the file, or prepares the generator; batches are made when they are asked for.
    ///
    /// # Errors
    ///
    /// Every [`Error`] about options, files and conditions; nothing is served from a source that is half right.
    pub fn build(args: &Args) -> Result<Self, Error> {
        let batches = Arc::new(Batches::build(args)?);
        let sizes = batches.sizes();
        if let Some(broken) = args.broken.iter().find(|broken| broken.batch >= sizes.len()) {
            return Err(Error::Option {
                option: "--broken",
                piece: broken.batch.to_string(),
                hint: format!("the batches are 0 to {}", sizes.len() - 1),
            });
        }
        let store = match &args.state {
            Some(path) => Some(Store::open(path.clone(), Value::Object(batches.about.clone()))?),
            None => None,
        };
        let saved = |group: usize| store.as_ref().map_or(0, |store| store.saved(group + 1));
        let cursor = |group| Cursor { next: saved(group).min(sizes.len()), moved: None };
        let groups = std::array::from_fn(|group| tokio::sync::Mutex::new(cursor(group)));
        Ok(Self(Arc::new(Inner {
            batches,
            sizes,
            gate: Duration::from_secs(args.gate_s),
            slow: Duration::from_millis(args.slow_ms),
            broken: Mutex::new(args.broken.clone()),
            groups,
            cache: tokio::sync::Mutex::new(None),
            store,
            counts: Mutex::default(),
        })))
    }

    /// Rows of each batch.
    pub fn batch_rows(&self) -> &[usize] {
        &self.0.sizes
    }

    /// The rows of a batch as a JSON array; made unless it is the last one made.
    async fn data(&self, batch: usize) -> Result<Bytes, Error> {
        let mut cache = self.0.cache.lock().await;
        if let Some((_, bytes)) = cache.as_ref().filter(|(cached, _)| *cached == batch) {
            return Ok(bytes.clone());
        }
        // The old batch goes before the new one is made: both together may be two hundred megabytes.
        *cache = None;
        let batches = Arc::clone(&self.0.batches);
        let made = tokio::task::spawn_blocking(move || batches.batch(batch).map(|table| Bytes::from(table.to_json())));
        let bytes = made.await.map_err(|source| Error::Task { batch, source })??;
        *cache = Some((batch, bytes.clone()));
        Ok(bytes)
    }

    /// One read of a group: its batch, and the failure that it is to suffer. `None` when there is no batch left.
    async fn read(&self, group: usize) -> Result<Option<(usize, Bytes, Option<Failure>)>, Error> {
        let mut cursor = self.0.groups[group - 1].lock().await;
        let turn = cursor.turn(now(), self.0.gate, self.0.sizes.len());
        let batch = match turn {
            Turn::Exhausted => return Ok(None),
            Turn::Advance(batch) | Turn::Repeat(batch) => batch,
        };
        let bytes = self.data(batch).await?;
        let broken = self.take_broken(batch);
        if turn == Turn::Advance(batch) && broken.is_none_or(|broken| broken.advance) {
            if let Some(store) = &self.0.store {
                store.save(group, batch + 1).await?;
            }
            *cursor = Cursor { next: batch + 1, moved: Some(now()) };
        }
        Ok(Some((batch, bytes, broken.map(|broken| broken.failure))))
    }

    async fn restart(&self, group: usize) -> Result<(), Error> {
        let mut cursor = self.0.groups[group - 1].lock().await;
        if let Some(store) = &self.0.store {
            store.save(group, 0).await?;
        }
        *cursor = Cursor::default();
        Ok(())
    }

    fn take_broken(&self, batch: usize) -> Option<Broken> {
        let mut broken = self.0.broken.lock().unwrap_or_else(PoisonError::into_inner);
        let position = broken.iter().position(|broken| broken.batch == batch)?;
        Some(broken.remove(position))
    }

    fn count(&self, route: &'static str, status: StatusCode, rows: usize) {
        let mut counts = self.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.requests.entry((route, status.as_u16())).or_default() += 1;
        counts.rows += rows as u64;
    }
}

/// The source's routes: `/`, `/health`, `/metrics`, `/data` and `/restart_data_generation`.
///
/// Every answer has the header `x-ebb-data`, which is `synthetic` for generated rows and `replay` for a file's.
pub fn router(source: Source) -> Router {
    // A HEAD is a GET to axum, and a GET moves the cursor.
    let read = get(data).head(no_method).fallback(no_method);
    let restart = get(restart).head(no_method).fallback(no_method);
    Router::new()
        .route("/", get(root))
        .route("/health", get(async || reply(StatusCode::OK, &json!({"status": "OK"}))))
        .route("/metrics", get(metrics))
        .route("/data", read)
        .route("/restart_data_generation", restart)
        .fallback(async || detail(StatusCode::NOT_FOUND, &json!("Not Found")))
        .layer(from_fn_with_state(source.clone(), label))
        .with_state(source)
}

/// Builds and serves a source until SIGINT or SIGTERM. The address, such as `http://127.0.0.1:8000`, is one line on stdout.
///
/// # Errors
///
/// As [`Source::build`]; [`Error::Serve`] when the address cannot be listened on.
pub async fn run(args: Args) -> Result<(), Error> {
    let address = format!("{}:{}", args.host, args.port);
    let failed = |source| Error::Serve { address: address.clone(), source };
    let source = tokio::task::spawn_blocking(move || Source::build(&args))
        .await
        .map_err(|source| Error::Task { batch: 0, source })??;
    let listener = TcpListener::bind(&address).await.map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    writeln!(io::stdout(), "http://{local}").map_err(failed)?;
    tracing::info!(address = %local, batches = source.batch_rows().len(), "data source listens");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = axum::serve(listener, router(source)).with_graceful_shutdown(async {
        // A closed channel means that the signal came, too.
        stopped.await.unwrap_or_default();
    });
    tokio::select! {
        result = served => result.map_err(failed),
        () = async {
            signal().await;
            drop(stop);
            tokio::time::sleep(GRACE).await;
        } => Ok(()),
    }
}

async fn signal() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = interrupt => {}
            _ = terminate.recv() => {}
        }
        return;
    }
    if interrupt.await.is_err() {
        std::future::pending::<()>().await;
    }
}

type Params = Result<Query<BTreeMap<String, String>>, QueryRejection>;

async fn data(State(source): State<Source>, params: Params) -> Response {
    let (response, rows) = match group(params) {
        Err(response) => (*response, 0),
        Ok((group, day)) => answer(&source, group, day).await,
    };
    source.count("/data", response.status(), rows);
    response
}

/// The answer to a read, and how many rows it holds.
async fn answer(source: &Source, group: usize, day: Option<String>) -> (Response, usize) {
    let (batch, rows, failure) = match source.read(group).await {
        Err(error) => return (internal(&error), 0),
        Ok(None) => return (detail(StatusCode::BAD_REQUEST, &json!(EXHAUSTED)), 0),
        Ok(Some(read)) => read,
    };
    tokio::time::sleep(source.0.slow).await;
    let day = Value::from(day);
    let head = Bytes::from(format!(r#"{{"group_number":{group},"day":{day},"batch_number":{batch},"data":"#));
    let tail = Bytes::from_static(b"}");
    let half = rows.slice(..rows.len() / 2);
    let whole = head.len() + rows.len() + tail.len();
    let response = match failure {
        None => body(whole, vec![Ok(head), Ok(rows), Ok(tail)]),
        Some(Failure::Truncate) => {
            body(whole, vec![Ok(head), Ok(half), Err(io::Error::other("the source breaks off, as --broken asked"))])
        }
        Some(Failure::Json) => body(head.len() + half.len(), vec![Ok(head), Ok(half)]),
        Some(Failure::Status) => {
            return (detail(StatusCode::INTERNAL_SERVER_ERROR, &json!("Internal Server Error")), 0);
        }
        Some(Failure::Hang) => std::future::pending().await,
    };
    (response, source.0.sizes[batch])
}

async fn restart(State(source): State<Source>, params: Params) -> Response {
    let response = match group(params) {
        Err(response) => *response,
        Ok((group, _)) => match source.restart(group).await {
            Ok(()) => reply(StatusCode::OK, &json!({"ok": true})),
            Err(error) => internal(&error),
        },
    };
    source.count("/restart_data_generation", response.status(), 0);
    response
}

async fn root(State(source): State<Source>) -> Response {
    let mut about = serde_json::Map::new();
    about.insert("Proyecto Final".into(), json!("Extracción de datos, entrenamiento de modelos."));
    about.extend(source.0.batches.about.clone());
    reply(StatusCode::OK, &Value::Object(about))
}

async fn metrics(State(source): State<Source>) -> Response {
    let mut text = String::from(
        "# HELP ebb_source_requests_total Requests answered, by route and status.\n\
         # TYPE ebb_source_requests_total counter\n",
    );
    // Writing to a String cannot fail.
    let mut line = |line: std::fmt::Arguments<'_>| text.write_fmt(line).unwrap_or_default();
    {
        let counts = source.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for ((route, status), count) in &counts.requests {
            line(format_args!("ebb_source_requests_total{{route=\"{route}\",status=\"{status}\"}} {count}\n"));
        }
        line(format_args!("# HELP ebb_source_rows_total Rows served.\n# TYPE ebb_source_rows_total counter\n"));
        line(format_args!("ebb_source_rows_total {}\n", counts.rows));
    }
    line(format_args!("# HELP ebb_source_batches Batches of a group.\n# TYPE ebb_source_batches gauge\n"));
    line(format_args!("ebb_source_batches {}\n", source.0.sizes.len()));
    line(format_args!("# HELP ebb_source_next_batch The next batch, by group.\n# TYPE ebb_source_next_batch gauge\n"));
    for (group, cursor) in source.0.groups.iter().enumerate() {
        // A group whose batch is being made is left out rather than waited for.
        if let Ok(cursor) = cursor.try_lock() {
            line(format_args!("ebb_source_next_batch{{group=\"{}\"}} {}\n", group + 1, cursor.next));
        }
    }
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4"));
    response
}

async fn no_method() -> Response {
    let mut response = detail(StatusCode::METHOD_NOT_ALLOWED, &json!("Method Not Allowed"));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET"));
    response
}

async fn label(State(source): State<Source>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().insert("x-ebb-data", HeaderValue::from_static(source.0.batches.label()));
    response
}

/// The group (1 to 10) and the day of a request, or the refusal: 422 as FastAPI words it for a group that is missing or out
/// of range, 400 for one that is no number.
fn group(params: Params) -> Result<(usize, Option<String>), Box<Response>> {
    let refuse = |status, text: Value| Box::new(detail(status, &text));
    let unprocessable = |kind: &str, message: &str, input: Value| {
        let place = json!({"type": kind, "loc": ["query", "group_number"], "msg": message, "input": input});
        refuse(StatusCode::UNPROCESSABLE_ENTITY, json!([place]))
    };
    let Query(mut params) =
        params.map_err(|rejection| refuse(StatusCode::BAD_REQUEST, json!(rejection.body_text())))?;
    let text = params.remove("group_number").ok_or_else(|| unprocessable("missing", "Field required", Value::Null))?;
    let number: i64 = text.trim().parse().map_err(|_| refuse(StatusCode::BAD_REQUEST, json!(BAD_GROUP)))?;
    if number < 1 {
        return Err(unprocessable("greater_than_equal", "Input should be greater than or equal to 1", json!(text)));
    }
    match usize::try_from(number) {
        Ok(group) if group <= GROUPS => Ok((group, params.remove("day"))),
        _ => Err(unprocessable("less_than_equal", "Input should be less than or equal to 10", json!(text))),
    }
}

fn internal(error: &Error) -> Response {
    tracing::error!(error = %fault::chain(error), "a batch could not be served");
    // A simulator's own text helps whoever runs it; it holds no secrets.
    detail(StatusCode::INTERNAL_SERVER_ERROR, &json!(error.to_string()))
}

fn detail(status: StatusCode, text: &Value) -> Response {
    reply(status, &json!({"detail": text}))
}

fn reply(status: StatusCode, value: &Value) -> Response {
    let mut response = json_response(Body::from(value.to_string()));
    *response.status_mut() = status;
    response
}

/// A JSON body of `size_bytes` in parts, which are not joined: the rows may be large.
fn body(size_bytes: usize, parts: Vec<Result<Bytes, io::Error>>) -> Response {
    let mut response = json_response(Body::from_stream(futures::stream::iter(parts)));
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(size_bytes));
    response
}

fn json_response(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
