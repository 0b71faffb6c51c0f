//! The routes: read the request, do the one thing, answer.

use axum::extract::State as Shared;
use axum::response::Response;
use registry::VersionId;
use serde::{Deserialize, Deserializer, Serialize};
use service::{HeaderMap, IdempotencyKey, Json, Problem, once, respond};
use utoipa::ToSchema;

use crate::{Decided, Error, State, promotion, rollback as rolling};

/// A challenger, and what the caller believes to serve.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PromoteRequest {
    /// Address of the model.
    #[schema(example = "car-vision")]
    pub model: String,
    /// The challenger: 64 hexadecimal digits.
    #[schema(value_type = String)]
    pub version: VersionId,
    /// The version that the caller believes to serve, as `/check-drift` answered it; `null` for none. Must be given.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<String>, required = true)]
    pub expected_production: Option<VersionId>,
}

/// Reads a value that may be null but not left out.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<VersionId>, D::Error> {
    Option::deserialize(deserializer)
}

/// Moves production to the challenger if it is better, or says why not.
///
/// Champion and challenger are scored anew on the same hold-out rows. The same request again is answered with the
/// decision on record; 409 says what production is, or why the two cannot be compared.
#[utoipa::path(post, path = "/promote", tag = "promote", request_body = PromoteRequest,
    responses((status = 200, body = Decided, description = "The decision, for or against")))]
pub(crate) async fn promote(
    Shared(state): Shared<State>,
    headers: HeaderMap,
    key: Option<IdempotencyKey>,
    Json(request): Json<PromoteRequest>,
) -> Response {
    respond(&headers, "promote", |progress| async move {
        let work = async {
            let decided = promotion::promote(&state.host, &request, &progress).await;
            // Production moved before this request did: that is decided, wherever production goes later.
            decided.map(Json).map_err(|error| match error {
                Error::Moved { .. } => Problem::from(error).decided(),
                _ => error.into(),
            })
        };
        once(&state.host.answers(), "promote", key.as_ref(), &request, work).await
    })
    .await
}

/// Where production shall go back to, and why.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackRequest {
    /// Address of the model.
    #[schema(example = "car-vision")]
    pub model: String,
    /// The published version that shall serve. Default: the one that served before.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub to: Option<VersionId>,
    /// Why, for the record.
    #[schema(example = "complaints about the prices of vans")]
    pub reason: String,
}

/// Moves production back, or to any published version, by hand.
#[utoipa::path(post, path = "/rollback", tag = "promote", request_body = RollbackRequest,
    responses((status = 200, body = Decided, description = "The move on record")))]
pub(crate) async fn rollback(
    Shared(state): Shared<State>,
    headers: HeaderMap,
    key: Option<IdempotencyKey>,
    Json(request): Json<RollbackRequest>,
) -> Response {
    respond(&headers, "rollback", |_| async move {
        let name = key.as_ref().map(IdempotencyKey::as_str);
        let work = async { Ok::<_, Problem>(Json(rolling::rollback(&state.host, &request, name).await?)) };
        once(&state.host.answers(), "rollback", key.as_ref(), &request, work).await
    })
    .await
}
