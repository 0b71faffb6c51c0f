//! Promotions, refusals and rollbacks with what they rest on.

use maud::{Markup, html};
use registry::{DecisionKind, DecisionRecord};
use serde::Deserialize;
use serde_json::Value;

use super::{badge, card_links, metric_name, metric_of};
use crate::load::Story;
use crate::text;

/// The measurements behind a promotion or refusal. The registry holds them free in form, so what is missing is left out.
#[derive(Deserialize)]
struct Evidence {
    metric: String,
    new: New,
    #[serde(default)]
    history: Option<History>,
    #[serde(default)]
    floors: Vec<Floor>,
}

#[derive(Deserialize)]
struct New {
    batch: String,
    rows: u64,
    champion: Option<f64>,
    challenger: Option<f64>,
    improvement: Option<f64>,
    interval: Option<[f64; 2]>,
    confidence: Option<f64>,
}

#[derive(Deserialize)]
struct History {
    rows: u64,
    champion: Option<f64>,
    challenger: Option<f64>,
    relative_increase: Option<f64>,
    allowed: Option<f64>,
}

#[derive(Deserialize)]
struct Floor {
    metric: String,
    floor: f64,
    value: Option<f64>,
    passed: bool,
}

/// Every decision, newest first; the newest shows its evidence.
pub(super) fn section(story: &Story) -> Markup {
    html! {
        section class="card" id="decisions" {
            h2 { "Promotions and refusals" }
            @if story.decisions.is_empty() { p { "No challenger was judged yet." } }
            @for (index, decision) in story.decisions.iter().enumerate() { (entry(story, decision, index == 0)) }
        }
    }
}

fn entry(story: &Story, decision: &DecisionRecord, is_newest: bool) -> Markup {
    let outcome = match (decision.kind, decision.promoted) {
        (DecisionKind::Rollback, _) => badge("warn", "rolled back"),
        (DecisionKind::Promotion, true) => badge("good", "promoted"),
        (DecisionKind::Promotion, false) => badge("bad", "refused"),
    };
    html! {
        article class="decision" {
            div class="head" {
                (outcome)
                h3 { span class="id" title=(decision.version) { (decision.version.short()) } }
                @match &decision.champion {
                    Some(champion) => {
                        span class="quiet" { "against " span class="id" title=(champion) { (champion.short()) } }
                    }
                    None => span class="quiet" { "no version served before" },
                }
                span class="quiet" { (text::time(decision.at)) }
                (card_links(story, &decision.version))
            }
            ul { @for reason in &decision.reasons { li { (reason) } } }
            @if !decision.evidence.is_null() {
                details open[is_newest] { summary { "Evidence" } (evidence(&decision.evidence)) }
            }
        }
    }
}

fn evidence(evidence: &Value) -> Markup {
    match Evidence::deserialize(evidence) {
        Ok(evidence) => html! {
            (comparison(&evidence))
            @if !evidence.floors.is_empty() { (floors(&evidence.floors)) }
        },
        // A record of another release: better as it is than not at all.
        Err(_) => html! { pre { (format!("{evidence:#}")) } },
    }
}

fn comparison(evidence: &Evidence) -> Markup {
    let new = &evidence.new;
    let direction = match metric_of(&evidence.metric) {
        Some(metric) if metric.higher_is_better() => ", higher is better",
        Some(_) => ", lower is better",
        None => "",
    };
    html! {
        div class="scroll" tabindex="0" {
            table {
                caption { (metric_name(&evidence.metric)) " on the same hold-out rows" (direction) }
                thead { tr {
                    th scope="col" { "Hold-out" } th scope="col" class="n" { "Rows" }
                    th scope="col" class="n" { "Champion" } th scope="col" class="n" { "Challenger" }
                    th scope="col" { "Difference" } th scope="col" { "Rule" }
                } }
                tbody {
                    tr {
                        th scope="row" { "new batch" div class="quiet id" { (new.batch) } }
                        (scores(new.rows, new.champion, new.challenger))
                        td {
                            @if let Some(improvement) = new.improvement { "better by " (text::signed(improvement)) }
                            @if let Some([low, high]) = new.interval {
                                div class="quiet figure" { "interval " (text::signed(low)) " to " (text::signed(high)) }
                            }
                        }
                        td {
                            @match (new.champion, new.confidence) {
                                (Some(_), Some(confidence)) => {
                                    "the " (text::percent(confidence)) " interval excludes a loss"
                                }
                                _ => { "there is nothing to beat" }
                            }
                        }
                    }
                    @if let Some(history) = &evidence.history {
                        tr {
                            th scope="row" { "history" }
                            (scores(history.rows, history.champion, history.challenger))
                            td {
                                @if let Some(increase) = history.relative_increase { "loss " (signed_percent(increase)) }
                            }
                            td {
                                @match history.allowed {
                                    Some(allowed) => { "at most " (signed_percent(allowed)) }
                                    None => { "no rule" }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn scores(rows: u64, champion: Option<f64>, challenger: Option<f64>) -> Markup {
    html! {
        td class="n" { (text::count(rows)) }
        td class="n" { (figure(champion)) }
        td class="n" { (figure(challenger)) }
    }
}

fn floors(floors: &[Floor]) -> Markup {
    html! {
        div class="scroll" tabindex="0" {
            table class="narrow" {
                caption { "Floors of the spec" }
                thead { tr {
                    th scope="col" { "Metric" } th scope="col" class="n" { "Challenger" }
                    th scope="col" { "Floor" } th scope="col" { "Kept" }
                } }
                tbody {
                    @for floor in floors {
                        tr {
                            th scope="row" { (metric_name(&floor.metric)) }
                            td class="n" { (figure(floor.value)) }
                            td { (bound(&floor.metric)) " " (text::number(floor.floor)) }
                            td { @if floor.passed { (badge("good", "yes")) } @else { (badge("bad", "no")) } }
                        }
                    }
                }
            }
        }
    }
}

fn bound(metric: &str) -> &'static str {
    match metric_of(metric) {
        Some(metric) if metric.higher_is_better() => "at least",
        Some(_) => "at most",
        None => "",
    }
}

fn figure(value: Option<f64>) -> String {
    value.map_or_else(|| text::NONE.to_owned(), text::number)
}

/// A relative change as a percentage with its sign.
fn signed_percent(share: f64) -> String {
    // A tenth of a percent is finer than any rule that is made about it.
    format!("{} %", text::signed((share * 1000.0).round() / 10.0))
}
