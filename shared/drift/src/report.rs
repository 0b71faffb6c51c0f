//! The drift report as one HTML page that needs nothing else: no script, no font, no second request.

use maud::{Markup, html};

use crate::reasons::{beyond_range, figure, percent, probability};
use crate::{ColumnReport, Decision, Distribution, EffectMeasure, MissingRate, Role, Statistics, Test};

/// What the page is about.
#[derive(Clone, Debug)]
pub struct Meta {
    /// What was compared with what.
    pub subject: Subject,
    /// Rows of the current side.
    pub rows: u64,
    /// Rows of the reference; `None` when there is none.
    pub reference_rows: Option<u64>,
    /// When the comparison was made, as text; the crate has no clock.
    pub checked_at: Option<String>,
}

/// What was compared with what.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A batch with the reference of a version.
    Batch {
        /// The model's name.
        model: String,
        /// The batch's name.
        batch: String,
        /// The version; `None` when there is none.
        version: Option<String>,
    },
    /// A file with another one.
    Files {
        /// The reference's name.
        reference: String,
        /// The current one's name.
        current: String,
    },
}

/// What came of it: the page's headline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// What is to be done with a batch.
    Decision(Decision),
    /// Whether anything drifted, where there is nothing to decide.
    Drifted(bool),
}

impl Verdict {
    /// The headline, its style, and what it means.
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Verdict::Decision(Decision::Bootstrap) => {
                ("bootstrap", "bootstrap", "There is no production version: train the first one.")
            }
            Verdict::Decision(Decision::Train) => ("train", "train", "The data moved: train a challenger."),
            Verdict::Decision(Decision::Skip) => {
                ("skip", "skip", "Nothing that matters moved: keep the production version.")
            }
            Verdict::Decision(Decision::Quarantine) => {
                ("quarantine", "quarantine", "This batch is no ground for a decision: set it aside.")
            }
            Verdict::Drifted(true) => ("drifted", "train", "The data moved."),
            Verdict::Drifted(false) => ("steady", "skip", "Nothing that matters moved."),
        }
    }
}

/// The page: the verdict and its reasons, warnings that decided nothing, a table of all columns, and the distributions with
/// every statistic, drifted columns first.
///
/// All names and texts are escaped.
pub fn html(
    meta: &Meta,
    verdict: Verdict,
    reasons: &[String],
    warnings: &[String],
    columns: &[ColumnReport],
) -> String {
    let mut ordered: Vec<&ColumnReport> = columns.iter().collect();
    ordered.sort_by(|a, b| b.drifted.cmp(&a.drifted).then(strength(b).total_cmp(&strength(a))));
    let content = html! {
        (header(meta, verdict))
        section {
            h2 { "Why" }
            ul.reasons { @for reason in reasons { li { (sentence(reason)) } } }
        }
        @if !warnings.is_empty() {
            section {
                h2 { "Also worth knowing" }
                ul.reasons { @for warning in warnings { li { (sentence(warning)) } } }
            }
        }
        @if !ordered.is_empty() {
            section {
                h2 { "Columns" }
                (table(&ordered))
                p.note {
                    "A column drifts when its q-value (Benjamini-Hochberg) and its effect both say so, when a new or "
                    "vanished category matters, or when its missing rate moved. The effect is the Wasserstein-1 "
                    "distance in standard deviations of the reference for numbers, and the Jensen-Shannon distance "
                    "in base 2 for categories; it matters above the threshold, which follows the sample sizes."
                }
            }
            section {
                h2 { "Distributions" }
                p.legend { span.key.reference {} "reference " span.key.current {} "current" }
                div.cards { @for report in &ordered { (card(report)) } }
            }
        }
    };
    let title = match &meta.subject {
        Subject::Batch { model, batch, .. } => format!("Drift: {model}, {batch}"),
        Subject::Files { reference, current } => format!("Drift: {current} against {reference}"),
    };
    page::document(&title, STYLE, &content)
}

/// The effect in units of its threshold.
fn strength(report: &ColumnReport) -> f64 {
    report.effect / report.threshold.max(f64::MIN_POSITIVE)
}

fn header(meta: &Meta, verdict: Verdict) -> Markup {
    let (name, style, meaning) = verdict.words();
    html! {
        header {
            p.subject {
                "Drift of "
                @match &meta.subject {
                    Subject::Batch { model, batch, .. } => { strong { (model) } ", batch " strong { (batch) } }
                    Subject::Files { reference, current } => {
                        strong { (current) } " against " strong { (reference) }
                    }
                }
            }
            h1 class=(style) { (name) }
            p.meaning { (meaning) }
            p.note {
                (meta.rows) " rows"
                @if let Some(rows) = meta.reference_rows { " against a reference of " (rows) " rows" }
                @if let Subject::Batch { version: Some(version), .. } = &meta.subject {
                    " (version " code { (version) } ")"
                }
                @if let Some(checked_at) = &meta.checked_at { ", checked " (checked_at) }
            }
        }
    }
}

/// A reason with what stands between backticks as code.
fn sentence(reason: &str) -> Markup {
    html! {
        @for (idx, part) in reason.split('`').enumerate() {
            @if idx % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

fn table(columns: &[&ColumnReport]) -> Markup {
    html! {
        div.scroll {
            table {
                thead {
                    tr {
                        th { "column" } th { "verdict" } th.number { "effect" } th.number { "threshold" } th { "measure" }
                        th { "test" } th.number { "statistic" } th.number { "p-value" } th.number { "q-value" }
                        th.number { "PSI" } th.number { "missing" }
                    }
                }
                tbody {
                    @for report in columns {
                        tr.drifted[report.drifted] {
                            th { (report.column) @if report.role == Role::Target { span.tag { "target" } } }
                            td { (verdict(report)) }
                            td.number { (figure(report.effect)) }
                            td.number { (figure(report.threshold)) }
                            td { (measure(report.effect_measure)) }
                            td { @match report.test { Test::Ks => "KS", Test::ChiSquare => "chi-square" } }
                            td.number { (figure(report.statistic)) }
                            td.number { (probability(report.p_value)) }
                            td.number { (probability(report.q_value)) }
                            td.number { (figure(report.psi)) }
                            td.number { (missing(&report.missing_rate)) }
                        }
                    }
                }
            }
        }
    }
}

fn verdict(report: &ColumnReport) -> &'static str {
    if report.drifted { "drifted" } else { "steady" }
}

fn measure(effect_measure: EffectMeasure) -> &'static str {
    match effect_measure {
        EffectMeasure::Wasserstein => "Wasserstein / σ",
        EffectMeasure::JensenShannon => "Jensen-Shannon",
    }
}

fn missing(rate: &MissingRate) -> String {
    if rate.reference == rate.current {
        percent(rate.current)
    } else {
        format!("{} → {}", percent(rate.reference), percent(rate.current))
    }
}

fn card(report: &ColumnReport) -> Markup {
    html! {
        article.card.drifted[report.drifted] {
            h3 { (report.column) " " span.tag { (verdict(report)) } }
            (bars(&report.distribution, &report.column))
            @if !report.reasons.is_empty() {
                ul { @for reason in &report.reasons { li { (sentence(reason)) } } }
            }
            @if let Some(beyond) = beyond_range(report) { p.note { (sentence(&beyond)) } }
            (statistics(&report.statistics))
        }
    }
}

/// Every statistic, for those who decide by another one.
fn statistics(all: &Statistics) -> Markup {
    let tests = [
        ("Kolmogorov-Smirnov", all.ks),
        ("Cramér-von Mises", all.cramer_von_mises),
        ("Anderson-Darling", all.anderson_darling),
        ("chi-square, all categories", all.chi_square),
        ("G-test", all.g_test),
    ];
    let distances = [
        ("Jensen-Shannon", all.jensen_shannon),
        ("Hellinger", all.hellinger),
        ("total variation", all.total_variation),
        ("PSI", all.psi),
    ];
    html! {
        dl {
            @for (name, outcome) in tests {
                @if let Some(outcome) = outcome {
                    dt { (name) } dd { (figure(outcome.statistic)) ", p " (probability(outcome.p_value)) }
                }
            }
            @if let Some(distance) = all.wasserstein { dt { "Wasserstein-1" } dd { (figure(distance)) } }
            @for (name, distance) in distances { dt { (name) } dd { (figure(distance)) } }
        }
    }
}

/// Two horizontal bars per bin: horizontal, because the names of categories are long.
fn bars(distribution: &Distribution, column: &str) -> Markup {
    const ROW: f64 = 28.0;
    const LABELS: f64 = 124.0;
    const WIDTH: f64 = 160.0;
    const TOTAL: f64 = LABELS + WIDTH + 46.0;
    const LONGEST_LABEL: usize = 20;
    let all = distribution.reference.iter().chain(&distribution.current);
    let largest = all.fold(0.0_f64, |largest, &share| largest.max(share)).max(f64::MIN_POSITIVE);
    let height = ROW * distribution.bins.len() as f64 + 4.0;
    let label = |bin: &str| -> String {
        if bin.chars().count() <= LONGEST_LABEL {
            return bin.to_string();
        }
        bin.chars().take(LONGEST_LABEL - 1).chain(['…']).collect()
    };
    html! {
        svg viewBox=(format!("0 0 {TOTAL} {height}")) role="img" aria-label=(format!("distribution of {column}")) {
            @for (idx, bin) in distribution.bins.iter().enumerate() {
                @let top = ROW * idx as f64 + 3.0;
                @let shares = [("reference", distribution.reference[idx]), ("current", distribution.current[idx])];
                text.bin x=(LABELS - 8.0) y=(top + 15.0) text-anchor="end" { (label(bin)) title { (bin) } }
                @for (side, (class, share)) in shares.into_iter().enumerate() {
                    @let y = top + 11.0 * side as f64;
                    @let width = WIDTH * share / largest;
                    rect class=(class) x=(LABELS) y=(y) width=(format!("{width:.2}")) height="10" {}
                    text.share x=(format!("{:.2}", LABELS + width + 4.0)) y=(y + 9.0) { (percent(share)) }
                }
            }
        }
    }
}

const STYLE: &str = "
h1.train { color: var(--alarm); } h1.skip { color: var(--calm); }
h1.bootstrap { color: var(--note); } h1.quarantine { color: var(--wait); }
.meaning { margin: 0; font-size: 1.1rem; }
.reasons { padding-left: 1.2rem; margin: 0; } .reasons li { margin: .25rem 0; }
tr.drifted td:nth-child(2) { color: var(--alarm); font-weight: 600; }
.card.drifted .tag { color: var(--alarm); }
.card.drifted { border-color: var(--alarm); }
.card ul { padding-left: 1.1rem; margin: .5rem 0 0; font-size: .85rem; }
.card dl { display: grid; grid-template-columns: 1fr auto; gap: .1rem 1rem; margin: .75rem 0 0; font-size: .8rem;
  color: var(--dim); } .card dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums; }
.key.reference { background: var(--first); } .key.current { background: var(--second); }
svg .share { fill: var(--dim); font-size: 10px; }
rect.reference { fill: var(--first); } rect.current { fill: var(--second); }
";
