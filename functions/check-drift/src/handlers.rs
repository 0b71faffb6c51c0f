//! The routes: read the request, do the one thing, answer.

use axum::extract::State as Shared;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use service::{HeaderMap, IdempotencyKey, Json, Path, Problem, once, respond};
use utoipa::ToSchema;

use crate::{Checked, State, check, parts};

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
    /// The ids of all parts of the batch, as `/check-drift/parts` answered them; none to read the batch itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["1-of-2-0123456789ab", "2-of-2-0123456789ab"]))]
    pub parts: Vec<String>,
}

/// A part of a batch to profile: its rows in as many equal shares as there are parts, in their order.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PartRequest {
    /// Address of the model.
    #[schema(example = "car-vision")]
    pub model: String,
    /// The batch's id, as `/ingest` answered it.
    #[schema(example = "000007-0123456789ab")]
    pub batch: String,
    /// Which part, from 1.
    #[schema(minimum = 1, maximum = 1000)]
    pub part: u32,
    /// How many parts there are.
    #[schema(minimum = 1, maximum = 1000)]
    pub of: u32,
}

/// A part that was profiled.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Profiled {
    /// The model.
    pub model: String,
    /// The batch.
    pub batch: String,
    /// What to name it by in `/check-drift`.
    #[schema(example = "1-of-2-0123456789ab")]
    pub id: String,
    /// Which part, from 1.
    pub part: u32,
    /// How many parts there are.
    pub of: u32,
    /// Rows of the part.
    pub rows: u64,
    /// The production version whose losses on these rows are in it.
    #[schema(required = true)]
    pub production: Option<String>,
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

/// Profiles one part of a batch, so that several processes share the rows of a large one; `/check-drift` takes all parts.
///
/// A part is kept beside the batch. It holds for the spec and the production version of now; when one of them changes it is
/// to be made again.
#[utoipa::path(post, path = "/check-drift/parts", tag = "check-drift", request_body = PartRequest,
    responses((status = 200, body = Profiled, description = "The part")))]
pub(crate) async fn profile_part(
    Shared(state): Shared<State>,
    headers: HeaderMap,
    key: Option<IdempotencyKey>,
    Json(request): Json<PartRequest>,
) -> Response {
    respond(&headers, "check-drift-part", |progress| async move {
        let work = async { Ok::<_, Problem>(Json(parts::profile(&state, &request, &progress).await?)) };
        once(&state.host.answers(), "check-drift-part", key.as_ref(), &request, work).await
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
