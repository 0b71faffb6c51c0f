//! The list of models.

use maud::{Markup, html};
use registry::BatchState;

use super::{badge, batch_badge, batch_reasons, layout, metrics_line, task_name};
use crate::load::{Overview, Summary};
use crate::text;

/// Every model in a few words, and every spec file that needs mending.
pub(crate) fn index(overview: &Overview) -> Markup {
    layout(
        "Models",
        &html! {
            h1 { "Models" }
            @for (file, error) in &overview.broken {
                section class="notice bad" {
                    h2 { "The spec file " code { (file) } " cannot be used" }
                    pre { (error) }
                }
            }
            @if overview.models.is_empty() {
                (welcome())
            } @else {
                div class="models" { @for model in &overview.models { (card(model)) } }
                @if overview.models.iter().all(|model| model.production.is_none()) { (welcome()) }
            }
        },
    )
}

fn card(model: &Summary) -> Markup {
    html! {
        article class="card" {
            h2 { a href={ "/models/" (model.name) } { (model.name) } }
            @if let Some(task) = model.task { p class="quiet" { "predicts " (task_name(task)) } }
            dl {
                dt { "Production" }
                dd {
                    @match &model.production {
                        Some(entry) => {
                            span class="id" title=(entry.version) { (entry.version.short()) }
                            div class="quiet" { "since " (text::time(entry.at)) }
                        }
                        None => { "no version yet" }
                    }
                }
                @if model.production.is_some() {
                    dt title="on the hold-out of the batch it was trained with last" { "Quality" }
                    dd { (metrics_line(&model.metrics)) }
                }
                dt { "Last batch" }
                dd { @match &model.last_batch { Some(batch) => { (last_batch(batch)) } None => { "none yet" } } }
            }
        }
    }
}

fn last_batch(batch: &BatchState) -> Markup {
    html! {
        "number " (batch.landing.batch_number)
        @if let Some(manifest) = &batch.manifest { ", " (text::count(manifest.rows)) " rows" }
        " " (batch_badge(batch))
        @if let Some(reason) = batch_reasons(batch).last() { div class="quiet" { (reason) } }
    }
}

/// What to do when nothing was done yet.
fn welcome() -> Markup {
    html! {
        section class="card" style="margin-top:1rem" {
            h2 { "Nothing is served yet " (badge("plain", "two commands")) }
            p { "A model is one YAML file in the folder of specs. Its first version is born from its first batch:" }
            ol {
                li { code { "ebb source" } " plays a data source, for a first try;" }
                li {
                    code { "ebb run MODEL" }
                    " takes one turn: it pulls a batch, checks it, trains, and decides about production."
                }
            }
        }
    }
}
