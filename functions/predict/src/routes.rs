//! The function's routes: decode, one call, wrap.

use std::sync::Arc;

use axum::extract;
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse;
use serde_json::Value;
use service::{IdempotencyKey, IntoReply, JsonValue, Mark, OpenApiRouter, Path, Problem, Reply, once};
use serving::{Request, Served};
use utoipa::openapi::{Components, OpenApi, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::routes;

use crate::answer::{Answer, predict};
use crate::feedback::{Feedback, FeedbackAnswer, keep};
use crate::{Error, State};

/// Most records of one request.
const MAX_RECORDS: usize = 1000;

/// The function's routes, for its own server and for the bundle.
pub fn routes(state: State) -> OpenApiRouter {
    let mut router = OpenApiRouter::new()
        .routes(routes!(predict_only_model))
        .routes(routes!(predict_model))
        .routes(routes!(feedback).mutating().long());
    describe_records(router.get_openapi_mut(), &state);
    router.with_state(state)
}

/// Records to predict. The body is read by hand, to name every mistake in it; this is its schema.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Records {
    /// 1 to 1,000 rows.
    #[schema(value_type = Vec<Row>, min_items = 1, max_items = 1000)]
    records: Vec<Value>,
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

/// A finished JSON body; the values it was made from are borrowed, so it is written before the handler ends.
struct Body(Vec<u8>);

impl IntoResponse for Body {
    fn into_response(self) -> axum::response::Response {
        ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], self.0).into_response()
    }
}

/// Predicts records with the production version of the only model that has one.
#[utoipa::path(post, path = "/predict", tag = "predict", request_body = Records,
    responses((status = 200, body = Answer<'static>)))]
async fn predict_only_model(
    extract::State(state): extract::State<State>,
    JsonValue(body): JsonValue,
) -> Result<impl IntoResponse, Problem> {
    let served = state.0.slots.only_model().await?;
    answer(&state, &served, body).await
}

/// Predicts records with the production version of a model.
#[utoipa::path(post, path = "/models/{model}/predict", tag = "predict", request_body = Records,
    params(("model" = String, Path, description = "Name of the model")),
    responses((status = 200, body = Answer<'static>)))]
async fn predict_model(
    extract::State(state): extract::State<State>,
    Path(model): Path<String>,
    JsonValue(body): JsonValue,
) -> Result<impl IntoResponse, Problem> {
    let served = state.served(&model).await?;
    answer(&state, &served, body).await
}

/// Reads, predicts, logs, and only then answers.
async fn answer(state: &State, served: &Arc<Served>, body: Value) -> Result<Body, Problem> {
    let mut request = Request::new(body)?;
    let (rows, records) = request.records(served.spec(), MAX_RECORDS);
    request.finish()?;
    let predictions = predict(served, records).await?;
    let at = state.0.host.registry().now();
    let answer = Answer::new(served, &predictions, at);
    state.0.log.append(served, &rows, &answer.predictions, at).await?;
    Ok(Body(serde_json::to_vec(&answer).map_err(Error::Line)?))
}

/// Keeps what turned out to be true of earlier predictions.
///
/// An id that no prediction log holds is counted as unknown; so is, for two seconds, one that another process answered.
#[utoipa::path(post, path = "/feedback", tag = "predict", request_body = Feedback,
    responses((status = 200, body = FeedbackAnswer)))]
async fn feedback(
    extract::State(state): extract::State<State>,
    key: Option<IdempotencyKey>,
    JsonValue(body): JsonValue,
) -> Result<Reply, Problem> {
    let work = async {
        let kept = keep(&state, body.clone()).await?;
        let is_whole = kept.0.is_whole();
        let reply = kept.into_reply()?;
        // An id that is unknown now may be in the log of another process that has yet to store it.
        Ok(if is_whole { reply } else { reply.passing() })
    };
    once(&state.0.host.answers(), "feedback", key.as_ref(), &body, work).await
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
