//! The routes: read the request, do the one thing, answer.

use axum::extract::State as Shared;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use service::{HeaderMap, IdempotencyKey, Json, Path, Problem, once, respond};
use utoipa::ToSchema;

use crate::{Checked, State, check};

/// The batch to check.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// Address of the model.
    #[schema(example = "car-vision")]
    pub model: String,
    /// The batch's id, as `/ingest` answered it.
    #[schema(example = "000007-0123456789ab")]
    pub batch: String,
}

/// Compares a batch with the data that the production version was trained on and decides what follows.
///
/// `bootstrap`: there is no production version. `train`: something that matters moved. `skip`: nothing did.
/// `quarantine`: the batch is too small, or small and narrow, or could not be read. A comparison that cannot be made is a
/// problem, never a decision.
#[utoipa::path(post, path = "/check-drift", tag = "check-drift", request_body = CheckRequest,
    responses((status = 200, body = Checked, description = "The decision on record")))]
pub(crate) async fn check_drift(
    Shared(state): Shared<State>,
    headers: HeaderMap,
    key: Option<IdempotencyKey>,
    Json(request): Json<CheckRequest>,
) -> Response {
    respond(&headers, "check-drift", |progress| async move {
        let name = key.as_ref().map(IdempotencyKey::as_str);
        let work = async { Ok::<_, Problem>(Json(check::check(&state.host, &request, name, &progress).await?)) };
        once(&state.host.answers(), "check-drift", key.as_ref(), &request, work).await
    })
    .await
}

/// The latest report about a batch, as a page that needs nothing else.
#[utoipa::path(get, path = "/check-drift/{model}/{batch}/report", tag = "check-drift",
    params(("model" = String, Path, description = "Address of the model"), ("batch" = String, Path, description = "The batch's id")),
    responses((status = 200, body = String, content_type = "text/html")))]
pub(crate) async fn report(
    Shared(state): Shared<State>,
    Path((model, batch)): Path<(String, String)>,
) -> Result<impl IntoResponse, Problem> {
    let page = check::report(&state.host, &model, &batch).await?;
    let headers: [(HeaderName, &str); 3] = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, page))
}
