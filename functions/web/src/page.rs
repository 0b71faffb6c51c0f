//! The pages: what all of them share, and each one's own part below.

mod decisions;
mod index;
mod model;
mod prediction;
mod style;
mod waterfall;

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use fault::Fault;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use registry::{BatchState, VersionId};
use service::{Problem, StatusCode};
use spec::{Metric, Task};

use crate::Error;
use crate::load::{Metrics, Story};
use crate::text;

pub(crate) use index::index;
pub(crate) use model::model;
pub(crate) use prediction::Reply;

/// Nothing but this document and its own styles: whatever a record holds, a browser runs none of it.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
                                       form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Metrics of a version that are shown before the rest is left out.
const MAX_METRICS: usize = 3;

/// A page as it is answered.
pub(crate) struct Page {
    status: StatusCode,
    markup: Markup,
}

impl Page {
    pub(crate) fn new(status: StatusCode, markup: Markup) -> Self {
        Self { status, markup }
    }

    /// A page that was stored whole. The content security policy keeps a browser from running what may be in it.
    pub(crate) fn stored(page: String) -> Self {
        Self { status: StatusCode::OK, markup: PreEscaped(page) }
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let headers: [(HeaderName, HeaderValue); 4] = [
            (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY)),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        (self.status, headers, Html(self.markup.into_string())).into_response()
    }
}

/// The page that says why there is no other, with the status that the error has everywhere.
pub(crate) fn failure(error: Error) -> Page {
    let fields = error.fields();
    let problem = Problem::from(error);
    if let Some(cause) = problem.cause() {
        tracing::error!(error = cause, "a page cannot be shown");
    }
    let (status, document) = (problem.status(), problem.document());
    let markup = layout(
        &document.title,
        &html! {
            h1 { (document.title) }
            p { (document.detail) }
            @if !fields.is_empty() {
                ul { @for field in &fields { li { (field.detail) } } }
            }
            p { a href="/" { "All models" } }
        },
    );
    Page::new(status, markup)
}

/// A whole document.
fn layout(title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Ebb" }
                link rel="icon" href="data:,";
                style { (PreEscaped(style::css())) }
            }
            body {
                header class="top" {
                    a class="brand" href="/" { "Ebb" }
                    span class="quiet" { "models that keep themselves fresh" }
                }
                main { (content) }
            }
        }
    }
}

/// A word in a coloured box; the word alone says all.
fn badge(class: &str, word: &str) -> Markup {
    html! { span class={ "badge " (class) } { (word) } }
}

/// Links to a version's cards, where it has any.
fn card_links(story: &Story, version: &VersionId) -> Markup {
    let folder = format!("/models/{}/versions/{version}", story.name);
    html! {
        @if story.with_cards.contains(version) {
            span class="quiet" {
                a href={ (folder) "/model-card" } { "model card" } ", " a href={ (folder) "/data-card" } { "data card" }
            }
        }
    }
}

/// What became of a batch, in one word.
fn batch_badge(batch: &BatchState) -> Markup {
    let decision = batch.check.as_ref().map(|check| check.decision.as_str());
    let is_refused =
        batch.manifest.as_ref().is_some_and(|manifest| manifest.status == registry::BatchStatus::Quarantined);
    match (decision, is_refused, &batch.manifest) {
        (Some("quarantine"), ..) if batch.release.is_some() => badge("warn", "released"),
        (Some("quarantine"), ..) | (None, true, _) => badge("bad", "quarantine"),
        (Some("skip"), ..) => badge("plain", "skip"),
        (Some(decision), ..) => badge("good", decision),
        (None, false, Some(_)) => badge("plain", "not checked yet"),
        (None, false, None) => badge("plain", "not read yet"),
    }
}

/// Why a batch was decided about as it was.
fn batch_reasons(batch: &BatchState) -> impl Iterator<Item = &str> {
    let of_manifest = batch.manifest.iter().flat_map(|manifest| &manifest.reasons);
    let of_check = batch.check.iter().flat_map(|check| &check.reasons);
    of_manifest.chain(of_check).map(String::as_str)
}

/// The metrics of a version on the hold-out of its newest batch, the one it is judged by first.
fn metrics_line(metrics: &Metrics) -> Markup {
    html! {
        @if metrics.is_empty() { (text::NONE) }
        @for (index, (name, value)) in metrics.iter().take(MAX_METRICS).enumerate() {
            @if index > 0 { ", " }
            span class="figure" title=[title_of(name)] { (metric_name(name)) " " strong { (text::number(*value)) } }
        }
    }
}

/// The metric that a name stands for.
fn metric_of(name: &str) -> Option<Metric> {
    serde_json::from_value(name.into()).ok()
}

/// A metric's name as people write it.
fn metric_name(name: &str) -> &str {
    match metric_of(name) {
        Some(metric) => metric.label(),
        None => name,
    }
}

fn title_of(name: &str) -> Option<&'static str> {
    metric_of(name).map(|metric| if metric.higher_is_better() { "higher is better" } else { "lower is better" })
}

fn task_name(task: Task) -> &'static str {
    match task {
        Task::Binary => "two classes",
        Task::Multiclass => "several classes",
        Task::Regression => "a number",
    }
}
