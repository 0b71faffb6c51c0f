//! A small function with one route for each thing that can happen.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use fault::{Fault, Kind};
use http_body_util::BodyExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use service::{
    Answer, Answers, Config, Context, IdempotencyKey, Json, JsonValue, Mark, OpenApiRouter, Options, Path, Problem,
    Query, once, respond, routes,
};
use tokio::sync::Semaphore;
use tower::ServiceExt;
use utoipa::{IntoParams, ToSchema};

/// What the sample's handlers share, and what tests steer them by.
#[derive(Clone)]
pub(crate) struct Sample {
    /// `/hold` says here that it has begun.
    pub(crate) begun: Arc<Semaphore>,
    /// `/hold` waits here until it may go on.
    pub(crate) gate: Arc<Semaphore>,
    pub(crate) n_done: Arc<AtomicUsize>,
    pub(crate) answers: Arc<Remembered>,
}

impl Default for Sample {
    fn default() -> Self {
        let closed = || Arc::new(Semaphore::new(0));
        Self { begun: closed(), gate: closed(), n_done: Arc::default(), answers: Arc::default() }
    }
}

#[derive(Default)]
pub(crate) struct Remembered(Mutex<HashMap<String, Answer>>);

#[async_trait]
impl Answers for Remembered {
    async fn find(&self, scope: &str, key: &str) -> Result<Option<Answer>, Problem> {
        Ok(self.0.lock().unwrap().get(&format!("{scope} {key}")).cloned())
    }

    async fn remember(&self, scope: &str, key: &str, answer: &Answer) -> Result<(), Problem> {
        self.0.lock().unwrap().entry(format!("{scope} {key}")).or_insert_with(|| answer.clone());
        Ok(())
    }
}

/// A batch to count.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Batch {
    /// Address of the model.
    #[schema(example = "car-vision")]
    model: String,
    /// Rows by number.
    rows: Vec<Row>,
}

/// One row.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct Row {
    /// Odometer in miles.
    odometer: f64,
}

#[derive(Deserialize, IntoParams)]
struct Wait {
    /// Seconds to wait.
    #[serde(default)]
    wait: u32,
}

#[derive(Debug, thiserror::Error)]
#[error("failed to open the vault")]
struct Secret(#[source] std::io::Error);

impl Fault for Secret {
    fn kind(&self) -> Kind {
        Kind::Internal
    }
}

/// Counts the rows of a batch.
#[utoipa::path(post, path = "/count", request_body = Batch, responses((status = 200, body = usize)))]
async fn count(Json(batch): Json<Batch>) -> Json<usize> {
    Json(batch.rows.len())
}

/// Answers any JSON as it came.
#[utoipa::path(post, path = "/value", request_body = Object, responses((status = 200, body = Object)))]
async fn value(JsonValue(value): JsonValue) -> Json<Value> {
    Json(value)
}

/// One item.
#[utoipa::path(get, path = "/items/{number}", params(("number" = u32, Path,), Wait), responses((status = 200, body = u32)))]
async fn item(Path(number): Path<u32>, Query(query): Query<Wait>) -> Json<u32> {
    Json(number + query.wait)
}

/// Fails inside.
#[utoipa::path(get, path = "/broken", responses((status = 200)))]
async fn broken() -> Result<(), Problem> {
    Err(Secret(std::io::Error::other("/root/secret is missing")))?
}

/// Panics.
#[utoipa::path(get, path = "/panic", responses((status = 200)))]
async fn panics() {
    panic!("the password is 1234");
}

/// Takes 100 s.
#[utoipa::path(get, path = "/slow", responses((status = 200)))]
async fn slow() {
    tokio::time::sleep(Duration::from_secs(100)).await;
}

/// Takes 100 s, and may.
#[utoipa::path(post, path = "/slow", responses((status = 200)))]
async fn slow_long() {
    tokio::time::sleep(Duration::from_secs(100)).await;
}

/// Waits for the test.
#[utoipa::path(get, path = "/hold", responses((status = 200, body = String)))]
async fn hold(State(sample): State<Sample>) -> &'static str {
    sample.begun.add_permits(1);
    sample.gate.acquire().await.unwrap().forget();
    sample.n_done.fetch_add(1, Ordering::SeqCst);
    "held"
}

/// The page.
#[utoipa::path(get, path = "/", responses((status = 200, body = String)))]
async fn page() -> &'static str {
    "page"
}

/// The names of this request.
#[utoipa::path(get, path = "/names", responses((status = 200, body = Vec<String>)))]
async fn names(context: Context) -> Json<Vec<String>> {
    Json(vec![context.request_id().to_owned(), context.traceparent()])
}

/// What `/work` is to do.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
struct Work {
    /// Which end it is to have: `done`, `conflict`, `held`, `missing`, `broken` or `panic`.
    end: String,
}

/// Works, once for each key.
#[utoipa::path(post, path = "/work", request_body = Work, responses((status = 201, body = usize)))]
async fn work(
    State(sample): State<Sample>,
    key: Option<IdempotencyKey>,
    headers: HeaderMap,
    Json(work): Json<Work>,
) -> Response {
    respond(&headers, "work", |progress| async move {
        let request = work.clone();
        let ends = async {
            progress.send("began", None);
            progress.send("half", Some(0.5));
            if work.end == "wait" {
                sample.begun.add_permits(1);
                sample.gate.acquire().await.unwrap().forget();
            }
            let n_done = sample.n_done.fetch_add(1, Ordering::SeqCst) + 1;
            match work.end.as_str() {
                "conflict" => Err(Problem::new(Kind::Conflict, format!("production is v{n_done}")).decided()),
                "held" => Err(Problem::new(Kind::Conflict, "the model has another writer").retry_after(15)),
                "missing" => Err(Problem::new(Kind::NotFound, "no such batch")),
                "broken" => Err(Secret(std::io::Error::other("/root/secret is missing")).into()),
                "panic" => panic!("the password is 1234"),
                _ => Ok((StatusCode::CREATED, n_done)),
            }
        };
        once(&*sample.answers, "work", key.as_ref(), &request, ends).await
    })
    .await
}

pub(crate) fn routes(sample: Sample) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(count))
        .routes(routes!(value))
        .routes(routes!(item))
        .routes(routes!(broken))
        .routes(routes!(panics))
        .routes(routes!(slow))
        .routes(routes!(slow_long).long())
        .routes(routes!(hold))
        .routes(routes!(page).public())
        .routes(routes!(names))
        .routes(routes!(work).mutating().long())
        .with_state(sample)
}

pub(crate) fn app(config: &Config) -> Router {
    app_of(config, Sample::default())
}

pub(crate) fn app_of(config: &Config, sample: Sample) -> Router {
    service::app("sample", routes(sample), Options::new(config).describe("Shows what the edge does."))
}

pub(crate) fn get(path: &str) -> Request {
    Request::get(path).body(Body::empty()).unwrap()
}

pub(crate) fn post(path: &str, body: impl Into<Body>) -> Request {
    Request::post(path).header("content-type", "application/json").body(body.into()).unwrap()
}

pub(crate) fn with(mut request: Request, name: &'static str, value: &str) -> Request {
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

/// Status, headers and body of the answer to one request.
pub(crate) async fn send(app: &Router, request: Request) -> (StatusCode, HeaderMap, String) {
    let response = app.clone().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (head.status, head.headers, String::from_utf8(body.to_vec()).unwrap())
}

/// The problem document that answers a request, with its request id, which differs each time, taken out.
pub(crate) async fn problem(app: &Router, request: Request) -> Value {
    let (status, headers, body) = send(app, request).await;
    assert_eq!(headers["content-type"], service::PROBLEM_JSON, "{body}");
    let mut document: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(document["status"], status.as_u16());
    assert_eq!(document["instance"], headers["x-request-id"].to_str().unwrap());
    document.as_object_mut().unwrap().remove("instance");
    document
}
