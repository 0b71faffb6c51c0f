//! One model's story.

use maud::{Markup, html};
use registry::{Action, BatchState, Event, Origin};

use super::prediction::{Reply, section as prediction_section};
use super::{badge, batch_badge, batch_reasons, card_links, decisions, layout, metrics_line, task_name};
use crate::form::Fields;
use crate::load::Story;
use crate::text;

/// Production, the form with its answer, batches, decisions and events.
pub(crate) fn model(story: &Story, fields: &Fields, reply: Option<&Reply>) -> Markup {
    layout(
        &story.name,
        &html! {
            h1 { (story.name) }
            @if let Some(spec) = &story.spec {
                p class="quiet" { "predicts " code { (spec.target.column) } ", " (task_name(spec.task)) }
            }
            nav class="nav" aria-label="On this page" {
                a href="#production" { "Production" }
                a href="#predict" { "Predict" }
                a href="#batches" { "Batches" }
                a href="#decisions" { "Decisions" }
                a href="#events" { "Events" }
            }
            @if let Some(error) = &story.spec_error {
                section class="notice bad" { strong { "The model's spec file cannot be used." } pre { (error) } }
            }
            (production(story))
            (prediction_section(story, fields, reply))
            (batches(story))
            (decisions::section(story))
            (events(&story.events))
        },
    )
}

fn production(story: &Story) -> Markup {
    html! {
        section class="card" id="production" {
            h2 { "Production" }
            @match story.production() {
                None => p { "No version serves yet. " code { "ebb run " (story.name) } " takes the first turn." },
                Some(entry) => {
                    dl {
                        dt { "Version" } dd { span class="id" { (entry.version) } " " (card_links(story, &entry.version)) }
                        dt { "Serves since" } dd { (text::time(entry.at)) }
                        dt { "Quality" }
                        dd {
                            (metrics_line(&story.metrics)) " "
                            span class="quiet" { "on the hold-out of its newest batch, when it was trained" }
                        }
                    }
                    details open[story.moves.len() <= 5] {
                        summary { "What served before" }
                        (moves(story))
                    }
                }
            }
        }
    }
}

fn moves(story: &Story) -> Markup {
    html! {
        div class="scroll" tabindex="0" {
            table class="stack" {
                caption { "Moves of the production alias, newest first" }
                thead { tr {
                    th scope="col" { "When" } th scope="col" { "Move" }
                    th scope="col" { "Version" } th scope="col" { "Reason" }
                } }
                tbody {
                    @for entry in story.moves.iter().rev() {
                        tr {
                            td class="figure" { (text::time(entry.at)) }
                            td {
                                @match entry.action {
                                    Action::Promote => (badge("good", "promote")),
                                    Action::Rollback => (badge("warn", "rollback")),
                                }
                            }
                            td {
                                span class="id" title=(entry.version) { (entry.version.short()) }
                                " " (card_links(story, &entry.version))
                            }
                            td class="why" { (entry.reason) }
                        }
                    }
                }
            }
        }
    }
}

fn batches(story: &Story) -> Markup {
    html! {
        section class="card" id="batches" {
            h2 { "Batches" }
            @if story.batches.is_empty() { p { "No batch has landed yet." } }
            @else {
                div class="scroll" tabindex="0" {
                    table class="stack" {
                        caption { "In the order of arrival" }
                        thead { tr {
                            th scope="col" { "Number" } th scope="col" { "Landed" }
                            th scope="col" class="n" { "Rows" } th scope="col" class="n" { "Quarantined" }
                            th scope="col" { "Decision" } th scope="col" { "Reasons" } th scope="col" { "Drift" }
                        } }
                        tbody { @for batch in &story.batches { (batch_row(&story.name, batch)) } }
                    }
                }
            }
        }
    }
}

fn batch_row(model: &str, batch: &BatchState) -> Markup {
    let landing = &batch.landing;
    html! {
        tr {
            th scope="row" data-label="batch" title=(landing.batch) { (landing.batch_number) }
            td class="figure" {
                (text::time(landing.landed_at))
                @if landing.origin == Origin::Replayed { div class="quiet" { "by a replay" } }
            }
            @match &batch.manifest {
                Some(manifest) => {
                    td class="n" data-label="rows" { (text::count(manifest.rows)) }
                    td class="n" data-label="quarantined" { (text::count(manifest.quarantined)) }
                }
                None => {
                    td class="n" data-label="rows" { (text::NONE) }
                    td class="n" data-label="quarantined" { (text::NONE) }
                }
            }
            td { (batch_badge(batch)) }
            td class="why" {
                ul { @for reason in batch_reasons(batch) { li { (reason) } } }
                @if let Some(release) = &batch.release {
                    p class="quiet" { "Released by hand, " (text::time(release.at)) ": " (release.reason) }
                }
            }
            td {
                @if batch.check.is_some() {
                    a href={ "/check-drift/" (model) "/" (landing.batch) "/report" }
                        aria-label={ "Drift report of batch " (landing.batch_number) } { "report" }
                }
            }
        }
    }
}

fn events(events: &[Event]) -> Markup {
    html! {
        section class="card" id="events" {
            h2 { "Events" }
            @if events.is_empty() { p { "Nothing out of the ordinary: no restart, no loss, no conflict." } }
            @else {
                div class="scroll" tabindex="0" {
                    table class="stack" {
                        caption { "What an operator should know of, newest first" }
                        thead { tr { th scope="col" { "When" } th scope="col" { "What" } th scope="col" { "Detail" } } }
                        tbody {
                            @for event in events.iter().rev() {
                                tr {
                                    td class="figure" { (text::time(event.at)) }
                                    td { (badge(if event.kind == "loss" { "bad" } else { "plain" }, &event.kind)) }
                                    td class="why" { (event.detail) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
