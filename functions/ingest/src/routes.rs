//! The function's routes: decode, one call, wrap.

use axum::extract;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use service::{HeaderMap, IdempotencyKey, Json, Mark, OpenApiRouter, Path, Problem, StatusCode, once, respond};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::next::{Ingested, next_batch};
use crate::read::release;
use crate::{Error, State};

/// The function's routes, for its own server and for the bundle.
pub fn routes(state: State) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(ingest).mutating().long())
        .routes(routes!(release_batch).mutating().long())
        .with_state(state)
}

/// Which model's source to pull from.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct IngestRequest {
    /// Name of the model.
    model: String,
}

/// Pulls the next batch, lands it, and stores its rows.
///
/// The same `Idempotency-Key` gets the same batch again, never the next one.
#[utoipa::path(post, path = "/ingest", tag = "ingest", request_body = IngestRequest,
    responses((status = 200, body = Ingested), (status = "default", body = Problem, content_type = "application/problem+json")))]
async fn ingest(
    extract::State(state): extract::State<State>,
    headers: HeaderMap,
    key: Option<IdempotencyKey>,
    Json(request): Json<IngestRequest>,
) -> Response {
    respond(&headers, "ingest", async move |progress| {
        let answers = state.host.answers();
        let work = async {
            let spec = state.host.spec(&request.model).await?;
            let key = key.as_ref().map(|key| key.as_str().to_owned());
            Ok((StatusCode::OK, next_batch(&state, &spec, key, &progress).await?))
        };
        once(&answers, "ingest", key.as_ref(), &request, work).await
    })
    .await
}

/// Why a batch is released.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReleaseRequest {
    /// The reason, for the record.
    reason: String,
}

/// A batch that was released from quarantine.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Released {
    /// Name of the model.
    pub(crate) model: String,
    /// The batch.
    pub(crate) batch: String,
    /// The reason on record: the first one given.
    pub(crate) reason: String,
}

/// Releases a quarantined batch by hand, on record, so that it may be learnt from.
#[utoipa::path(post, path = "/ingest/{batch}/release", tag = "ingest", params(("batch" = String, Path)),
    request_body = ReleaseRequest,
    responses((status = 200, body = Released), (status = "default", body = Problem, content_type = "application/problem+json")))]
async fn release_batch(
    extract::State(state): extract::State<State>,
    Path(batch): Path<String>,
    key: Option<IdempotencyKey>,
    Json(request): Json<ReleaseRequest>,
) -> Result<service::Reply, Problem> {
    let answers = state.host.answers();
    let identity = (&batch, &request);
    let work = async { Ok::<_, Problem>(Json(release(&state.host, &batch, &request.reason).await.map_err(problem)?)) };
    once(&answers, "release", key.as_ref(), &identity, work).await
}

fn problem(error: Error) -> Problem {
    error.into()
}
