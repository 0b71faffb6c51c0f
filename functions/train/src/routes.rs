//! The function's routes: decode, one call, wrap.

use std::time::Duration;

use axum::extract;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use service::{
    HeaderMap, IdempotencyKey, Json, Mark, OpenApiRouter, Path, Problem, Query, Reply, StatusCode, once, respond,
};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use crate::job::{self, Status};
use crate::{Error, State};

/// Longest time that a poll waits.
const MAX_WAIT_S: u64 = 25;

/// The function's routes, for its own server and for the bundle.
pub fn routes(state: State) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(train).mutating())
        .routes(routes!(poll))
        .routes(routes!(result))
        .with_state(state)
}

/// What to learn from.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TrainRequest {
    /// Name of the model.
    model: String,
    /// The newest batch: the window ends with it.
    batch: String,
}

/// A job that was accepted.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Accepted {
    /// Name of the job.
    job: String,
}

/// How long to wait.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wait {
    /// Seconds to wait for the job's end, at most 25.
    #[serde(default)]
    wait: u64,
}

/// Starts to fit a challenger on the window of accepted batches up to and with the named one.
#[utoipa::path(post, path = "/train", tag = "train", request_body = TrainRequest,
    responses((status = 202, body = Accepted), (status = "default", body = Problem, content_type = "application/problem+json")))]
async fn train(
    extract::State(state): extract::State<State>,
    key: Option<IdempotencyKey>,
    Json(request): Json<TrainRequest>,
) -> Result<Reply, Problem> {
    let work = async {
        let job = job::enqueue(&state.host, &request.model, &request.batch).await?;
        let accepted = Accepted { job: job.id.clone() };
        state.workers.take_up(job);
        Ok((StatusCode::ACCEPTED, accepted))
    };
    once(&state.host.answers(), "train", key.as_ref(), &request, work).await
}

/// How far a job is. Waits for its end if asked to, and takes the job up when its worker has died.
#[utoipa::path(get, path = "/train/{job}", tag = "train", params(("job" = String, Path), Wait),
    responses((status = 200, body = Status), (status = "default", body = Problem, content_type = "application/problem+json")))]
async fn poll(
    extract::State(state): extract::State<State>,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(Wait { wait }): Query<Wait>,
) -> Response {
    respond(&headers, "poll", async move |progress| {
        let patience = Duration::from_secs(wait.min(MAX_WAIT_S));
        Ok(Json(state.workers.wait_for(&id, patience, &progress).await?))
    })
    .await
}

/// The version that a job made: 404 until it is done, 409 with the cause when it failed.
#[utoipa::path(get, path = "/train/{job}/result", tag = "train", params(("job" = String, Path)),
    responses((status = 200, body = serde_json::Value), (status = "default", body = Problem, content_type = "application/problem+json")))]
async fn result(
    extract::State(state): extract::State<State>,
    Path(id): Path<String>,
) -> Result<Json<serde_json::Value>, Problem> {
    let found: Result<_, Error> = job::result(&state.host, &id).await;
    Ok(Json(found?))
}
