//! Prometheus metrics of every route, with bounded labels.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use metrics::{Counter, Histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use once_cell::sync::Lazy;

const REQUESTS: &str = "http_requests_total";
const DURATION: &str = "http_request_duration_seconds";

/// Upper bounds in seconds: fine around a millisecond, where predictions are, and up to the long time-out.
const DURATION_BUCKETS: [f64; 15] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 600.0];

/// Observations wait in buffers until a scrape; where nobody scrapes, they are folded in after this many requests.
const UPKEEP_EVERY_N_REQUESTS: u64 = 4096;

/// The process's recorder. A process has one, however many apps it serves.
static PROMETHEUS: Lazy<PrometheusHandle> = Lazy::new(|| {
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full(DURATION.to_owned()), &DURATION_BUCKETS)
        .expect("there is at least one bucket")
        .build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("another metrics recorder is installed; /metrics stays empty");
    }
    metrics::describe_counter!(REQUESTS, "Requests answered, by method, route and status.");
    metrics::describe_histogram!(DURATION, metrics::Unit::Seconds, "Time to the response's head, by method and route.");
    handle
});
static N_REQUESTS: AtomicU64 = AtomicU64::new(0);

/// The instruments of one route, looked up once.
pub(crate) struct Meter {
    method: &'static str,
    path: String,
    duration: Histogram,
    /// Made when a status is first seen: few of the possible ones ever are.
    requests: Mutex<Vec<(StatusCode, Counter)>>,
}

impl Meter {
    pub(crate) fn new(method: &'static str, path: &str) -> Self {
        Lazy::force(&PROMETHEUS);
        let duration = metrics::histogram!(DURATION, "method" => method, "route" => path.to_owned());
        Self { method, path: path.to_owned(), duration, requests: Mutex::default() }
    }

    pub(crate) fn record(&self, status: StatusCode, duration: Duration) {
        self.duration.record(duration.as_secs_f64());
        self.count(status);
        if N_REQUESTS.fetch_add(1, Ordering::Relaxed) % UPKEEP_EVERY_N_REQUESTS == UPKEEP_EVERY_N_REQUESTS - 1 {
            PROMETHEUS.run_upkeep();
        }
    }

    fn count(&self, status: StatusCode) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, counter)) = requests.iter().find(|(known, _)| *known == status) {
            counter.increment(1);
            return;
        }
        let labels =
            [("method", self.method.to_owned()), ("route", self.path.clone()), ("status", status.as_str().to_owned())];
        let counter = metrics::counter!(REQUESTS, &labels);
        counter.increment(1);
        requests.push((status, counter));
    }
}

/// Every metric of the process in Prometheus's text format.
pub(crate) fn render() -> String {
    PROMETHEUS.render()
}
