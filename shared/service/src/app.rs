//! A function's routes made into the app that the server, Lambda and the tests all call.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use fault::Kind;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::limit::RequestBodyLimitLayer;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, ContentBuilder, OpenApi, Ref, RefOr, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;

use crate::config::Config;
use crate::edge::{self, Edge};
use crate::gate::{Gate, Routes};
use crate::health::{self, Pages, Ready};
use crate::mark::{Policy, operations_mut};
use crate::problem::{PROBLEM_JSON, Problem};

/// What an app needs besides its routes.
#[derive(Clone)]
pub struct Options {
    config: Config,
    ready: Arc<dyn Ready>,
    description: &'static str,
}

impl Options {
    /// The limits and the token of `config`; always ready.
    pub fn new(config: &Config) -> Self {
        Self { config: config.clone(), ready: Arc::new(|| async { Ok(()) }), description: "" }
    }

    /// Asks `ready` at `GET /health/ready`.
    pub fn ready(mut self, ready: impl Ready) -> Self {
        self.ready = Arc::new(ready);
        self
    }

    /// A paragraph about the function for its docs page.
    pub fn describe(mut self, description: &'static str) -> Self {
        self.description = description;
        self
    }
}

/// The routes of the function `name` behind the one edge, with the operations' routes beside them.
///
/// # Panics
/// When a route is there twice, or takes one of the operations' own paths: a mistake in code, found by any test.
pub fn app(name: &'static str, routes: OpenApiRouter, options: Options) -> Router {
    let Options { config, ready, description } = options;
    let pages = Arc::new(Pages::new(ready));
    let (router, mut openapi) = routes.merge(health::routes(Arc::clone(&pages))).split_for_parts();
    complete(&mut openapi, name, description);
    let body_limit_bytes = config.body_limit_bytes;
    let edge = Arc::new(Edge { gate: Gate::new(&config), routes: Routes::new(&mut openapi), body_limit_bytes });
    // The pages were made just above, so nobody else can have filled them.
    let _ = pages.openapi.set(openapi);

    router
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::disable())
        .layer(RequestBodyLimitLayer::new(body_limit_bytes))
        .layer(CatchPanicLayer::custom(edge::on_panic))
        .layer(from_fn_with_state(edge, edge::around))
}

async fn not_found(uri: Uri) -> Problem {
    Problem::new(Kind::NotFound, format!("there is no route `{}`; see /docs", uri.path()))
}

async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    let detail = format!("`{}` does not answer {method}; see /docs", uri.path());
    Problem::of_status(StatusCode::METHOD_NOT_ALLOWED, detail)
}

/// Adds what holds for every route: who it is, the token, and the problem document as the answer to any failure.
fn complete(openapi: &mut OpenApi, name: &str, description: &str) {
    openapi.info.title = format!("ebb {name}");
    openapi.info.version = env!("CARGO_PKG_VERSION").to_owned();
    openapi.info.description = (!description.is_empty()).then(|| description.to_owned());
    openapi.info.contact = None;
    openapi.info.license = None;

    let components = openapi.components.get_or_insert_with(Components::new);
    let mut schemas = vec![(Problem::name().into_owned(), Problem::schema())];
    Problem::schemas(&mut schemas);
    components.schemas.extend(schemas);
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
    let bearer = bearer.description(Some("Needed where EBB_TOKEN is set.")).build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));

    let problem = Ref::from_schema_name(Problem::name());
    let problem = ContentBuilder::new().schema(Some(RefOr::<utoipa::openapi::Schema>::Ref(problem))).build();
    let failure = ResponseBuilder::new().description("A problem document (RFC 9457)").content(PROBLEM_JSON, problem);
    let failure = failure.build();
    for (_, operation) in openapi.paths.paths.values_mut().flat_map(operations_mut) {
        if !Policy::of(operation).public && operation.security.is_none() {
            operation.security = Some(vec![SecurityRequirement::new("bearer", Vec::<String>::new())]);
        }
        operation.responses.responses.entry("default".to_owned()).or_insert_with(|| RefOr::T(failure.clone()));
    }
}
