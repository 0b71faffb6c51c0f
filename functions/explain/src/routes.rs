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
use crate::summary::SummaryAnswer;
use crate::work::{explain_all, summarise};

/// Most records of one request.
const MAX_RECORDS: usize = 100;

/// The function's routes, for its own server and for the bundle.
pub fn routes(state: State) -> OpenApiRouter {
    let mut router =
        OpenApiRouter::new().routes(routes!(explain_only_model).long()).routes(routes!(explain_model).long());
    router = router.routes(routes!(summarise_model).long());
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
    /// Milliseconds after which the best estimate so far is answered, with its error. Default and at most: as the spec says.
    #[schema(minimum = 1)]
    deadline_ms: Option<u64>,
    /// The class to explain. Default: the positive one of two, or all of several.
    class: Option<String>,
    /// Where values are sampled: stop when none has a larger standard error, in the units of the values.
    #[schema(exclusive_minimum = 0.0)]
    standard_error: Option<f64>,
    /// Answer what each pair of columns adds together, too, where the deadline allows for exact values. Default: false.
    interactions: Option<bool>,
}

/// What a summary of a version is asked for.
#[derive(ToSchema)]
#[schema(as = ExplainSummaryRequest)]
#[expect(dead_code, reason = "only its schema is used")]
struct Summary {
    /// As in `ExplainRequest`.
    space: Option<String>,
    /// As in `ExplainRequest`.
    #[schema(minimum = 1)]
    deadline_ms: Option<u64>,
    /// As in `ExplainRequest`.
    class: Option<String>,
    /// As in `ExplainRequest`.
    #[schema(exclusive_minimum = 0.0)]
    standard_error: Option<f64>,
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

/// Tells how much each column matters to the production version of a model, and how answers depend on it: the background
/// rows are explained against each other.
#[utoipa::path(post, path = "/models/{model}/explain/summary", tag = "explain", request_body = Summary,
    params(("model" = String, Path, description = "Name of the model")),
    responses((status = 200, body = SummaryAnswer)))]
async fn summarise_model(
    extract::State(state): extract::State<State>,
    Path(model): Path<String>,
    headers: HeaderMap,
    JsonValue(body): JsonValue,
) -> Response {
    let served = match state.served(&model).await {
        Ok(served) => served,
        Err(problem) => return problem.into_response(),
    };
    match read_summary(body, served.spec(), state.longest()) {
        Ok(asked) => {
            respond(&headers, "explain", async move |progress| {
                Ok(Json(summarise(&state, &served, asked, &progress).await?))
            })
            .await
        }
        Err(error) => Problem::from(error).into_response(),
    }
}

async fn answer(state: State, served: Arc<Served>, headers: &HeaderMap, body: Value) -> Response {
    match read(body, served.spec(), state.longest()) {
        Ok((records, asked)) => {
            respond(headers, "explain", async move |progress| {
                Ok(Json(explain_all(&state, &served, records, asked, &progress).await?))
            })
            .await
        }
        Err(error) => Problem::from(error).into_response(),
    }
}

/// Reads the body of a request for a summary of the version of a spec.
pub(crate) fn read_summary(body: Value, spec: &Spec, longest: Duration) -> Result<Asked, serving::Error> {
    let mut request = Request::new(body)?;
    let asked = read_asked(&mut request, spec, longest);
    request.finish().map(|()| asked)
}

/// Reads the body of a request for the version of a spec.
pub(crate) fn read(body: Value, spec: &Spec, longest: Duration) -> Result<(Vec<Record>, Asked), serving::Error> {
    let mut request = Request::new(body)?;
    let (_, records) = request.records(spec, MAX_RECORDS);
    let asked = read_asked(&mut request, spec, longest);
    let interactions = match request.take("interactions") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(interactions)) => interactions,
        Some(_) => {
            request.error("/interactions", "this is true or false");
            false
        }
    };
    request.finish()?;
    Ok((records, Asked { interactions, ..asked }))
}

fn read_asked(request: &mut Request, spec: &Spec, longest: Duration) -> Asked {
    let started = Instant::now();
    let space = read_space(request, spec);
    let class = read_class(request, spec);
    let most = Duration::from_millis(spec.serve.explain.deadline_ms).min(longest);
    let deadline = match request.take("deadline_ms") {
        None | Some(Value::Null) => most,
        Some(value) => match value.as_u64() {
            Some(deadline_ms) if deadline_ms > 0 => Duration::from_millis(deadline_ms).min(most),
            _ => {
                request.error("/deadline_ms", "this is a whole number of milliseconds, at least 1");
                most
            }
        },
    };
    let standard_error = match request.take("standard_error") {
        None | Some(Value::Null) => None,
        Some(value) => {
            let target = value.as_f64().filter(|target| *target > 0.0);
            if target.is_none() {
                request.error("/standard_error", "this is a number above 0, in the units of the values");
            }
            target
        }
    };
    Asked { space, class, interactions: false, standard_error, started, deadline }
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
