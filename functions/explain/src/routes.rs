//! The function's routes: decode, one call, wrap.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use service::{HeaderMap, Json, JsonValue, Mark, OpenApiRouter, Path, Problem, respond};
use serving::{Request, Served};
use spec::{Cell, Record, Space, Spec, Task};
use utoipa::openapi::{Components, OpenApi, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::routes;

use crate::State;
use crate::answer::{Answer, Asked};
use crate::work::explain_all;

/// Most records of one request.
const MAX_RECORDS: usize = 100;

/// How long a request may sample unless it says otherwise.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(10);

/// The function's routes, for its own server and for the bundle.
pub fn routes(state: State) -> OpenApiRouter {
    let mut router =
        OpenApiRouter::new().routes(routes!(explain_only_model).long()).routes(routes!(explain_model).long());
    describe_records(router.get_openapi_mut(), &state);
    router.with_state(state)
}

/// Records to explain. The body is read by hand, to name every mistake in it; this is its schema.
#[derive(ToSchema)]
#[schema(as = ExplainRequest)]
#[expect(dead_code, reason = "only its schema is used")]
struct Records {
    /// 1 to 100 rows.
    #[schema(value_type = Vec<Row>, min_items = 1, max_items = 100)]
    records: Vec<Value>,
    /// Units of the values: `probability` or `logit` for classes, `target` for numbers. Default: as the spec says.
    #[schema(example = "probability")]
    space: Option<String>,
    /// Milliseconds after which sampling ends with what it has, at most the service's time-out. Default 10 s. Exact values
    /// take what they take.
    #[schema(minimum = 1)]
    deadline_ms: Option<u64>,
    /// The class to explain. Default: the positive one of two, or all of several.
    class: Option<String>,
}

/// Any model's record.
struct Row;

impl PartialSchema for Row {
    fn schema() -> RefOr<Schema> {
        let about = "One raw cell for each column of the model's spec; nullable ones may be left out. The schema \
                     `record.MODEL` has the columns of a model.";
        utoipa::openapi::ObjectBuilder::new().description(Some(about)).into()
    }
}

impl ToSchema for Row {
    fn name() -> std::borrow::Cow<'static, str> {
        "Record".into()
    }
}

/// Explains records with the production version of the only model that has one.
#[utoipa::path(post, path = "/explain", tag = "explain", request_body = Records,
    responses((status = 200, body = Answer)))]
async fn explain_only_model(
    extract::State(state): extract::State<State>,
    headers: HeaderMap,
    JsonValue(body): JsonValue,
) -> Response {
    match state.0.slots.only_model().await {
        Ok(served) => answer(state, served, &headers, body).await,
        Err(error) => Problem::from(error).into_response(),
    }
}

/// Explains records with the production version of a model.
#[utoipa::path(post, path = "/models/{model}/explain", tag = "explain", request_body = Records,
    params(("model" = String, Path, description = "Name of the model")),
    responses((status = 200, body = Answer)))]
async fn explain_model(
    extract::State(state): extract::State<State>,
    Path(model): Path<String>,
    headers: HeaderMap,
    JsonValue(body): JsonValue,
) -> Response {
    match state.served(&model).await {
        Ok(served) => answer(state, served, &headers, body).await,
        Err(problem) => problem.into_response(),
    }
}

async fn answer(state: State, served: Arc<Served>, headers: &HeaderMap, body: Value) -> Response {
    let started = Instant::now();
    // A second is left for the answer itself.
    let longest = Duration::from_secs(state.0.host.config().long_timeout_s.saturating_sub(1).max(1));
    let (records, asked, deadline) = match read(body, served.spec(), longest) {
        Ok(read) => read,
        Err(error) => return Problem::from(error).into_response(),
    };
    respond(headers, "explain", async move |progress| {
        let explanations = explain_all(&state, &served, records, asked, (started, deadline), &progress).await?;
        let (model, version) = (served.model().to_owned(), served.version().to_string());
        Ok(Json(Answer { model, version, explanations }))
    })
    .await
}

fn read(body: Value, spec: &Spec, longest: Duration) -> Result<(Vec<Record>, Asked, Duration), serving::Error> {
    let mut request = Request::new(body)?;
    let (_, records) = request.records(spec, MAX_RECORDS);
    let space = read_space(&mut request, spec);
    let class = read_class(&mut request, spec);
    let deadline = match request.take("deadline_ms") {
        None | Some(Value::Null) => DEFAULT_DEADLINE,
        Some(value) => match value.as_u64() {
            Some(deadline_ms) if deadline_ms > 0 => Duration::from_millis(deadline_ms),
            _ => {
                request.error("/deadline_ms", "this is a whole number of milliseconds, at least 1");
                DEFAULT_DEADLINE
            }
        },
    };
    request.finish()?;
    Ok((records, Asked { space, class }, deadline.min(longest)))
}

fn read_space(request: &mut Request, spec: &Spec) -> Space {
    let value = match request.take("space") {
        None | Some(Value::Null) => return spec.space(),
        Some(value) => value,
    };
    let is_regression = spec.task == Task::Regression;
    match serde_json::from_value(value) {
        Ok(space) if (space == Space::Target) == is_regression => return space,
        _ if is_regression => request.error("/space", "the model predicts a number: `target`"),
        _ => request.error("/space", "the model predicts a class: `probability` or `logit`"),
    }
    spec.space()
}

fn read_class(request: &mut Request, spec: &Spec) -> Option<usize> {
    let value = match request.take("class") {
        None | Some(Value::Null) => return None,
        Some(value) => value,
    };
    let classes = &spec.target.classes;
    // The spec reads 1 and "1" as the same class, so this does, too.
    let label = Cell::of_json(&value).filter(|_| !classes.is_empty()).and_then(|cell| spec.accept_target(cell).ok());
    let class = label.and_then(|label| classes.iter().position(|known| spec::Value::Level(known.clone()) == label));
    if class.is_none() {
        let detail = match classes.as_slice() {
            [] => "the model predicts a number: leave it out".to_owned(),
            classes => format!("one of {}", classes.join(", ")),
        };
        request.error("/class", detail);
    }
    class
}

/// Adds the record of each model that is known at start to the document.
fn describe_records(openapi: &mut OpenApi, state: &State) {
    let components = openapi.components.get_or_insert_with(Components::new);
    for spec in &state.0.documented {
        // A JSON Schema that OpenAPI's types cannot hold is left out: the generic record still describes it.
        if let Ok(schema) = serde_json::from_value::<RefOr<Schema>>(spec.record_schema()) {
            components.schemas.insert(format!("record.{}", spec.name), schema);
        }
    }
}
