//! The routes that every function has for those who run it.

use std::future::Future;
use std::sync::{Arc, OnceLock};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::IntoResponse;
use fault::{FieldError, Kind};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::extract::Json;
use crate::mark::{Mark, Policy, mark};
use crate::problem::Problem;
use crate::{docs, meter};

/// Whether the function could answer a request now; a closure without arguments that returns a future is one.
pub trait Ready: Send + Sync + 'static {
    /// Ok, or every reason why not, each fit for a caller to read.
    fn ready(&self) -> BoxFuture<'_, Result<(), Vec<String>>>;
}

impl<F, Fut> Ready for F
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Vec<String>>> + Send + 'static,
{
    fn ready(&self) -> BoxFuture<'_, Result<(), Vec<String>>> {
        self().boxed()
    }
}

/// What the operations' routes show; the document is known only after they are part of it.
pub(crate) struct Pages {
    pub(crate) ready: Arc<dyn Ready>,
    pub(crate) openapi: OnceLock<OpenApi>,
    /// Rendered when first asked for, to keep a cold start short.
    pub(crate) openapi_json: OnceLock<Bytes>,
    pub(crate) docs_html: OnceLock<Bytes>,
}

impl Pages {
    pub(crate) fn new(ready: Arc<dyn Ready>) -> Self {
        Self { ready, openapi: OnceLock::new(), openapi_json: OnceLock::new(), docs_html: OnceLock::new() }
    }
}

pub(crate) fn routes(pages: Arc<Pages>) -> OpenApiRouter {
    let mut probes =
        OpenApiRouter::new().routes(routes!(live)).routes(routes!(ready)).routes(routes!(metrics)).public();
    mark(&mut probes.get_openapi_mut().paths, Policy { probe: true, ..Policy::default() });
    probes
        .merge(OpenApiRouter::new().routes(routes!(openapi_json)).routes(routes!(docs_page)).public())
        .with_state(pages)
}

/// The state of a healthy process.
#[derive(Serialize, ToSchema)]
struct Health {
    /// Always `ok`; anything else is a problem document.
    #[schema(example = "ok")]
    status: &'static str,
}

/// Whether the process runs.
#[utoipa::path(get, path = "/health/live", tag = "operations", responses((status = 200, body = Health)))]
async fn live() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Whether the function could answer a request now.
#[utoipa::path(get, path = "/health/ready", tag = "operations", responses(
    (status = 200, body = Health),
    (status = 503, body = Problem, content_type = "application/problem+json", description = "Not ready; `errors` lists why"),
))]
async fn ready(State(pages): State<Arc<Pages>>) -> Result<Json<Health>, Problem> {
    let Err(reasons) = pages.ready.ready().await else { return Ok(Json(Health { status: "ok" })) };
    let fields = reasons.iter().map(|reason| FieldError::new("", reason)).collect();
    Err(Problem::new(Kind::Unavailable, format!("not ready: {}", reasons.join("; "))).with_fields(fields))
}

/// Metrics in Prometheus's text format.
#[utoipa::path(get, path = "/metrics", tag = "operations", responses(
    (status = 200, body = String, content_type = "text/plain; version=0.0.4"),
))]
async fn metrics() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], meter::render())
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "operations", responses((status = 200, body = Object)))]
async fn openapi_json(State(pages): State<Arc<Pages>>) -> Result<impl IntoResponse + use<>, Problem> {
    let json = match pages.openapi_json.get() {
        Some(json) => json.clone(),
        None => {
            let json = serde_json::to_vec(&pages.openapi.get()).map_err(|error| Problem::internal(&error))?;
            pages.openapi_json.get_or_init(|| json.into()).clone()
        }
    };
    Ok(([(header::CONTENT_TYPE, "application/json")], json))
}

/// This document as a page.
#[utoipa::path(get, path = "/docs", tag = "operations", responses(
    (status = 200, body = String, content_type = "text/html"),
))]
async fn docs_page(State(pages): State<Arc<Pages>>) -> Result<impl IntoResponse + use<>, Problem> {
    let html = match pages.docs_html.get() {
        Some(html) => html.clone(),
        None => {
            let document = serde_json::to_value(pages.openapi.get()).map_err(|error| Problem::internal(&error))?;
            pages.docs_html.get_or_init(|| docs::page(&document).into_string().into()).clone()
        }
    };
    let headers: [(HeaderName, &str); 3] = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, html))
}
