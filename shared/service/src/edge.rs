//! The middleware around every request: names it, lets it in or not, bounds it, and writes its one log line.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use fault::Kind;
use futures::StreamExt;
use opentelemetry::trace::TraceContextExt;
use tracing::{Instrument, Span, debug, error, field, info, info_span, warn};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::context::{Context, REQUEST_ID, TRACEPARENT, Trace, header_value, request_id};
use crate::gate::{Gate, Route, Routes};
use crate::problem::{PROBLEM_JSON, Problem};
use crate::telemetry;

/// Bytes of a refused body that are read and thrown away.
const MAX_DRAINED_BYTES: usize = 64 * 1024 * 1024;

/// Time that this may take.
const MAX_DRAIN_TIME: Duration = Duration::from_secs(2);

pub(crate) struct Edge {
    pub(crate) gate: Gate,
    pub(crate) routes: Routes,
    pub(crate) body_limit_bytes: usize,
}

/// Answers one request.
pub(crate) async fn around(State(edge): State<Arc<Edge>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let matched_path = request.extensions().get::<MatchedPath>();
    let route = edge.routes.find(request.method(), matched_path.map(MatchedPath::as_str));
    let (context, span) = name(&mut request, route);

    let mut response = answer(&edge, route, request, next).instrument(span.clone()).await;
    let problem = response.extensions_mut().remove::<Problem>().or_else(|| plain_error(&response));
    let cause = problem.as_ref().and_then(|problem| problem.cause().map(str::to_owned));
    if let Some(problem) = problem {
        response = name_problem(problem, &context, response);
    }
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, header_value(context.request_id()));
    headers.insert(TRACEPARENT, header_value(&context.traceparent()));

    let duration = started.elapsed();
    route.meter.record(response.status(), duration);
    span.record("http.response.status_code", response.status().as_u16());
    log(route, &context, response.status(), duration.as_secs_f64() * 1e3, cause.as_deref());
    response
}

/// Gives the request its id and its place in a trace, for the handler, for the log and for calls that it makes.
fn name(request: &mut Request, route: &Route) -> (Context, Span) {
    let request_id = request_id(request.headers());
    let parent = Trace::parse(request.headers());
    let span = info_span!(
        "request",
        otel.name = %format_args!("{} {}", route.method, route.path),
        otel.kind = "server",
        http.response.status_code = field::Empty,
        request_id,
        trace_id = field::Empty,
    );
    let mut recorded = None;
    if telemetry::is_exporting() {
        if let Some(parent) = parent {
            let remote = opentelemetry::Context::new().with_remote_span_context(parent.to_remote());
            // It fails only when the span is filtered out, and then there is nothing to connect.
            let _ = span.set_parent(remote);
        }
        recorded = Trace::from_span(span.context().span().span_context());
    }
    let context = Context::new(request_id, recorded.unwrap_or_else(|| Trace::child_of(parent)));
    span.record("trace_id", context.trace_id());
    request.headers_mut().insert(REQUEST_ID, header_value(context.request_id()));
    request.extensions_mut().insert(context.clone());
    (context, span)
}

/// The handler's answer, if the gate lets the request in and time does not run out.
async fn answer(edge: &Edge, route: &Route, request: Request, next: Next) -> Response {
    if let Err(problem) = edge.gate.authorize(route.policy, request.headers()) {
        return refuse(problem, request).await;
    }
    let _permit = match edge.gate.admit(route.policy) {
        Ok(permit) => permit,
        Err(problem) => return refuse(problem, request).await,
    };
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > edge.body_limit_bytes as u64) {
        let detail = format!("the body may be at most {} bytes", edge.body_limit_bytes);
        return refuse(Problem::new(Kind::TooLarge, detail), request).await;
    }
    let limit = edge.gate.time_limit(route.policy);
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = format!("no answer within {} s; repeating the request with its key is safe", limit.as_secs());
            Problem::new(Kind::Timeout, detail).into_response()
        }
    }
}

/// Refuses a request once its body has been read and thrown away, as far as that is cheap: a connection that closes on
/// unread bytes is reset, and a caller that is still sending would see that instead of the answer.
async fn refuse(problem: Problem, request: Request) -> Response {
    let mut body = request.into_body().into_data_stream();
    let drain = async {
        let mut n_bytes = 0;
        while let Some(Ok(chunk)) = body.next().await {
            n_bytes += chunk.len();
            if n_bytes > MAX_DRAINED_BYTES {
                break;
            }
        }
    };
    // Out of time is as good as out of bytes: the answer goes out either way.
    let _ = tokio::time::timeout(MAX_DRAIN_TIME, drain).await;
    problem.into_response()
}

/// An error that did not come as a problem, such as a refusal by a library's own extractor.
fn plain_error(response: &Response) -> Option<Problem> {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return None;
    }
    let content_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if content_type.is_some_and(|text| !text.starts_with("text/plain")) {
        return None;
    }
    let detail = status.canonical_reason().unwrap_or("error").to_lowercase();
    Some(Problem::of_status(status, detail))
}

/// The problem with its request id, keeping the headers that the response had.
fn name_problem(problem: Problem, context: &Context, response: Response) -> Response {
    let (mut head, _) = response.into_parts();
    let body = serde_json::to_vec(problem.with_instance(context.request_id()).document()).unwrap_or_default();
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers.insert(header::CONTENT_TYPE, header_value(PROBLEM_JSON));
    Response::from_parts(head, Body::from(body))
}

fn log(route: &Route, context: &Context, status: StatusCode, duration_ms: f64, cause: Option<&str>) {
    let (method, path) = (route.method, &*route.path);
    let (request_id, trace_id, status) = (context.request_id(), context.trace_id(), status.as_u16());
    macro_rules! line {
        ($level:ident $(, $extra:ident)*) => {
            $level!(method, route = path, status, duration_ms, request_id, trace_id, $($extra,)* "request")
        };
    }
    match (status, cause) {
        (500.., Some(error)) => line!(error, error),
        (500.., None) => line!(warn),
        _ if route.policy.probe => line!(debug),
        _ => line!(info),
    }
}

/// Turns a panic in a handler into a problem whose text is only in the log.
#[expect(clippy::needless_pass_by_value, reason = "tower-http hands the panic over by value")]
pub(crate) fn on_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    Problem::new(Kind::Internal, format!("a handler panicked: {}", panic_text(&*panic))).into_response()
}

pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&'static str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::Mutex;

    use serde_json::Value;
    use tower::ServiceExt;
    use tracing_subscriber::layer::SubscriberExt;
    use utoipa_axum::router::OpenApiRouter;
    use utoipa_axum::routes;

    use super::*;
    use crate::{Config, Options, app};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[utoipa::path(get, path = "/inner/{name}", responses((status = 200)))]
    async fn inner() {
        info!(rows = 3, "inside");
    }

    #[utoipa::path(get, path = "/broken", responses((status = 200)))]
    async fn broken() -> Problem {
        Problem::internal(&io::Error::other("disk gone"))
    }

    /// The log of one request each to `paths`.
    async fn logged(paths: &[&str]) -> Vec<Value> {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::registry().with(telemetry::json_lines(move || writer.clone()));
        let _guard = tracing::subscriber::set_default(subscriber);
        let routes = OpenApiRouter::new().routes(routes!(inner)).routes(routes!(broken));
        let app = app("logged", routes, Options::new(&Config::for_tests()));
        for path in paths {
            let request = Request::get(*path).header(REQUEST_ID, "r-1").body(Body::empty()).unwrap();
            app.clone().oneshot(request).await.unwrap();
        }
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[tokio::test]
    async fn a_request_is_one_line_and_inner_lines_carry_its_names() {
        let lines = logged(&["/inner/a"]).await;
        let [inside, request] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!((&inside["message"], &inside["rows"]), (&"inside".into(), &3.into()));
        assert_eq!(inside["span"]["request_id"], "r-1");
        assert_eq!(inside["span"]["trace_id"], request["trace_id"]);
        assert_eq!(request["message"], "request");
        assert_eq!(request["level"], "INFO");
        assert_eq!(request["method"], "GET");
        assert_eq!(request["route"], "/inner/{name}");
        assert_eq!(request["status"], 200);
        assert_eq!(request["request_id"], "r-1");
        assert_eq!(request["trace_id"].as_str().map(str::len), Some(32));
        assert!(request["duration_ms"].as_f64().is_some_and(|duration_ms| duration_ms >= 0.0));
    }

    #[tokio::test]
    async fn the_cause_of_an_internal_error_is_logged_once() {
        let lines = logged(&["/broken"]).await;
        let [request] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!((&request["level"], &request["status"]), (&"ERROR".into(), &500.into()));
        assert_eq!(request["error"], "disk gone");
    }

    #[tokio::test]
    async fn probes_are_logged_at_debug_level() {
        let lines = logged(&["/health/live"]).await;
        assert_eq!(lines[0]["level"], "DEBUG", "{lines:?}");
    }
}
