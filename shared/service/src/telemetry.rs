//! Logs to standard error, and traces to an OTLP collector where one is configured.

use std::panic;
use std::time::Duration;

use once_cell::sync::OnceCell;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::runtime::Tokio;
use opentelemetry_sdk::trace::SdkTracerProvider;
use opentelemetry_sdk::trace::span_processor_with_async_runtime::BatchSpanProcessor;
use tracing::{Level, Subscriber, warn};
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::config::{Config, LogFormat};
use crate::edge::panic_text;
use crate::error::Error;

/// Spans are handed over within this time at the end, or lost.
const FLUSH: Duration = Duration::from_secs(3);

/// The process's exporter, if it has one.
static EXPORTER: OnceCell<SdkTracerProvider> = OnceCell::new();

/// Keeps telemetry alive; hands over what is left when it is dropped.
#[must_use = "telemetry ends when the guard is dropped"]
pub struct Guard(());

impl Guard {
    /// Hands over the spans that wait to be exported.
    pub async fn flush(&self) {
        flush().await;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(exporter) = EXPORTER.get() {
            // There is nobody left to tell.
            let _ = exporter.shutdown_with_timeout(FLUSH);
        }
    }
}

/// Sets up logs and, where a collector is configured, traces. Call it once, inside a multi-threaded tokio runtime.
///
/// Logs go to standard error, one JSON object a line (or text), filtered by `RUST_LOG`; a panic is logged the same way.
/// Lines written while a request is answered carry its `request_id` and `trace_id`.
///
/// # Errors
/// The filter cannot be read, the exporter cannot be built, or it was set up before.
pub fn init(config: &Config, service_name: &'static str) -> Result<Guard, Error> {
    let filter = EnvFilter::try_new(&config.log_filter)
        .map_err(|source| Error::Filter { filter: config.log_filter.clone(), source })?;
    let lines = match config.log_format {
        LogFormat::Json => json_lines(std::io::stderr).boxed(),
        LogFormat::Text => fmt::layer().with_writer(std::io::stderr).boxed(),
    };
    let exporter = match config.otlp_endpoint.as_deref().filter(|endpoint| !endpoint.is_empty()) {
        Some(endpoint) => Some(exporter(endpoint, service_name)?),
        None => None,
    };
    let traces = exporter.as_ref().map(|exporter| {
        // Only spans of ordinary work: the exporter's own HTTP client must not trace itself.
        let is_ours = filter_fn(|metadata| metadata.is_span() && *metadata.level() <= Level::INFO);
        tracing_opentelemetry::layer().with_tracer(exporter.tracer("ebb")).with_filter(is_ours)
    });
    tracing_subscriber::registry().with(filter).with(traces).with(lines).try_init().map_err(Error::Subscriber)?;
    if let Some(exporter) = exporter {
        // The subscriber went in for the first time just now, so no exporter was there before.
        let _ = EXPORTER.set(exporter);
    }
    log_panics();
    Ok(Guard(()))
}

/// Hands over the spans that wait to be exported; at once when there is no exporter.
pub(crate) async fn flush() {
    let Some(exporter) = EXPORTER.get() else { return };
    let flushing = tokio::task::spawn_blocking(|| exporter.force_flush());
    match tokio::time::timeout(FLUSH, flushing).await {
        Ok(Ok(Ok(()))) => {}
        Ok(Ok(Err(error))) => warn!(%error, "failed to flush traces"),
        Ok(Err(error)) => warn!(%error, "failed to flush traces"),
        Err(_) => warn!(limit_s = FLUSH.as_secs(), "gave up flushing traces"),
    }
}

pub(crate) fn is_exporting() -> bool {
    EXPORTER.get().is_some()
}

/// One flat JSON object a line, with the fields of the span around it under `span`.
pub(crate) fn json_lines<S, W>(writer: W) -> impl Layer<S> + Send + Sync + 'static
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> fmt::MakeWriter<'writer> + Send + Sync + 'static,
{
    fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false).with_writer(writer)
}

fn exporter(endpoint: &str, service_name: &'static str) -> Result<SdkTracerProvider, Error> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .build()
        .map_err(|source| Error::Exporter { endpoint: endpoint.to_owned(), source })?;
    // The exporter's client needs the tokio runtime, so the processor runs on it and not on a thread of its own.
    let processor = BatchSpanProcessor::builder(exporter, Tokio).build();
    let resource = Resource::builder().with_service_name(service_name).build();
    Ok(SdkTracerProvider::builder().with_resource(resource).with_span_processor(processor).build())
}

/// A panic's default report is plain text, which a reader of JSON lines would choke on.
fn log_panics() {
    panic::set_hook(Box::new(|info| {
        let location = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(panic = panic_text(info.payload()), location, "panicked");
    }));
}
