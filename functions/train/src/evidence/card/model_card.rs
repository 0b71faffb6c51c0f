//! The model card: what a version is for, how good it is and for whom, and what it rests on.

use page::text;
use spec::{Spec, SplitBy, Task};

use crate::search::{Search, TrialState};

use super::super::{Evidence, WarningKind};
use super::chart::{Chart, Lines};
use super::measured::{errors, fairness, groups, probabilities, rests_on};
use super::{Card, Section, Table};
use crate::remedy::Trial;

/// The model card of a version.
///
/// # Source
/// The sections follow M. Mitchell et al., "Model cards for model reporting", FAT* (2019).
pub fn model_card(spec: &Spec, evidence: &Evidence) -> Card {
    let mut sections = vec![about(spec, evidence), fitted(evidence), quality(spec, evidence)];
    sections.extend(evidence.classification.as_ref().map(|classification| probabilities(spec, classification)));
    sections.extend(evidence.residuals.as_ref().map(|residuals| errors(spec, residuals)));
    sections.push(groups(&evidence.groups));
    sections.push(fairness(&evidence.fairness));
    sections.extend(evidence.importance.as_ref().map(|importance| rests_on(spec, importance)));
    sections.push(limits(spec, evidence));
    Card {
        title: format!("Model card: {}", spec.name),
        summary: format!(
            "Predicts {} from {} columns. Made from the run that fitted this version: {} train rows, {} hold-out rows.",
            target(spec),
            spec.columns.len(),
            count(evidence.data.rows),
            count(evidence.holdout_rows)
        ),
        sections,
    }
}

/// What is predicted, in words.
pub(super) fn target(spec: &Spec) -> String {
    let column = &spec.target.column;
    match (spec.task, &spec.target.unit) {
        (Task::Regression, Some(unit)) => format!("the number {column} in {unit}"),
        (Task::Regression, None) => format!("the number {column}"),
        (Task::Binary, _) => {
            format!("the probability that {column} is {}", spec.target.positive.as_deref().unwrap_or_default())
        }
        (Task::Multiclass, _) => format!("which of {} classes {column} is", spec.target.classes.len()),
    }
}

pub(super) fn count(count: usize) -> String {
    text::count(count as u64)
}

pub(super) fn or_none(value: Option<f64>) -> String {
    value.map_or_else(|| text::NONE.to_owned(), text::number)
}

fn about(spec: &Spec, evidence: &Evidence) -> Section {
    let use_of = match &spec.description {
        Some(description) => format!("Intended use, as the spec states it: {description}"),
        None => "The spec states no intended use under description: whoever uses the model should agree on one first."
            .to_owned(),
    };
    let mut facts = vec![
        format!(
            "Task: {}",
            match spec.task {
                Task::Binary => "one of two classes",
                Task::Multiclass => "one of several classes",
                Task::Regression => "a number",
            }
        ),
        format!("Predicts: {}", target(spec)),
        format!("Compared with other versions by: {}", spec.metric().label()),
    ];
    if !spec.target.classes.is_empty() {
        facts.push(format!("Classes: {}", spec.target.classes.join(", ")));
    }
    if spec.task == Task::Binary {
        facts.push(format!("Called positive from a probability of {} on", text::number(evidence.facts.threshold)));
    }
    let bands: Vec<String> = spec
        .serve
        .bands
        .iter()
        .map(|band| match band.below {
            Some(below) => format!("{} below {}", band.label, text::number(below)),
            None => format!("{} above", band.label),
        })
        .collect();
    if !bands.is_empty() {
        facts.push(format!("Bands of its answers: {}", bands.join(", ")));
    }
    Section::new("What it is").text(use_of).list(facts)
}

fn fitted(evidence: &Evidence) -> Section {
    let facts = &evidence.facts;
    let window = match (facts.batches.first(), facts.batches.last()) {
        (Some(first), Some(last)) if facts.batches.len() > 1 => {
            format!("Learnt from {} batches, {} to {}.", count(facts.batches.len()), first.batch, last.batch)
        }
        (Some(only), _) => format!("Learnt from the batch {}.", only.batch),
        _ => "The batches that it learnt from are in its lineage.".to_owned(),
    };
    let mut recipe = Table::new("Settings of the fit", &["setting", "value"], &[]);
    facts.recipe.iter().for_each(|(name, value)| recipe.row(vec![name.clone(), value.clone()]));
    let mut curves = Table::new(
        "Losses of the fit with rows held out, in its own units",
        &["network"],
        &["epochs", "kept epoch", "train loss then", "validation loss then"],
    );
    let mut charts = Vec::new();
    for curve in &evidence.curves {
        let kept = curve.best_epoch.saturating_sub(1);
        curves.row(vec![
            curve.name.clone(),
            count(curve.train_loss.len()),
            count(curve.best_epoch),
            or_none(curve.train_loss.get(kept).copied()),
            or_none(curve.validation_loss.get(kept).copied()),
        ]);
        let line = |name: &str, losses: &[f64]| {
            let points = losses.iter().enumerate().map(|(epoch, loss)| ((epoch + 1) as f64, *loss));
            (name.to_owned(), points.filter(|(_, loss)| loss.is_finite()).collect::<Vec<_>>())
        };
        charts.push(Chart::Lines(Lines {
            title: format!("Learning curve of {}", curve.name),
            x: "epoch",
            y: "loss",
            series: vec![line("train", &curve.train_loss), line("validation", &curve.validation_loss)],
            has_diagonal: false,
        }));
    }
    let section = Section::new("How it was fitted").text(window);
    let section = match &facts.trial {
        Some(trial) => section.text(trial.reason.clone()).table(tried(trial)),
        None => section,
    };
    let section = match &facts.search {
        Some(search) => section.text(searched(search)).table(trials(search)),
        None => section,
    };
    section.table(recipe).table(curves).charts(charts)
}

/// The candidates of a trial of remedies.
fn tried(trial: &Trial) -> Table {
    let columns = [trial.metric.label(), "gain a row", "standard error", "loss on history"];
    let mut table = Table::new("What was tried on the newest rows", &["remedy", "made"], &columns);
    for candidate in &trial.candidates {
        let made = if candidate.remedy == trial.winner { "yes" } else { "no" };
        table.row(vec![
            candidate.remedy.words(),
            made.to_owned(),
            text::number(candidate.value),
            or_none(candidate.gain),
            or_none(candidate.standard_error),
            candidate.history_increase.map_or_else(|| text::NONE.to_owned(), text::percent),
        ]);
    }
    table
}

/// What a search came to, in sentences.
fn searched(search: &Search) -> String {
    let (metric, n_trials) = (search.metric.label(), count(search.trials.len()));
    let folds = search.rungs.last().copied().unwrap_or_default();
    let tried = format!(
        "A search tried {n_trials} settings on {} train rows by {metric} over up to {folds} folds, the defaults on all of them.",
        count(search.rows)
    );
    match &search.difference {
        Some(difference) => format!(
            "{tried} Trial {} was chosen, with {}: its {metric} less that of the defaults on the same folds is {} (standard error \
             {}). The best of many looks a little better than it is.",
            search.chosen,
            search.settings(),
            text::number(difference.mean),
            or_none(difference.standard_error)
        ),
        None => format!("{tried} None did better than the defaults, which were kept."),
    }
}

fn trials(search: &Search) -> Table {
    let mut table =
        Table::new("Trials of the search", &["trial", "settings", "end"], &["folds", search.metric.label()]);
    for trial in &search.trials {
        let end = match trial.state {
            TrialState::Completed if trial.trial == search.chosen => "chosen",
            TrialState::Completed => "measured on all folds",
            TrialState::Stopped => "others were better",
            TrialState::Failed => "failed",
        };
        table.row(vec![
            trial.trial.to_string(),
            trial.settings.to_string(),
            end.to_owned(),
            count(trial.folds.len()),
            or_none(trial.mean),
        ]);
    }
    table
}

fn quality(spec: &Spec, evidence: &Evidence) -> Section {
    let mut table = Table::new("On the hold-out rows", &["metric", "better"], &["value", "standard error"]);
    for (metric, estimate) in &evidence.metrics {
        let better = if metric.higher_is_better() { "higher" } else { "lower" };
        let cells = [metric.label(), better].map(str::to_owned);
        table.row([cells.to_vec(), vec![text::number(estimate.value), or_none(estimate.standard_error)]].concat());
    }
    let split = match spec.split.by {
        SplitBy::Hash => "a hash of their values",
        SplitBy::Time => "their time",
    };
    Section::new("How good it is")
        .text(format!(
            "{} hold-out rows of the window's batches, chosen by {split}; no version was ever fitted on them. Standard errors \
             are of the bootstrap: they tell how far another draw of rows would move a figure, and not how the world may change.",
            count(evidence.holdout_rows)
        ))
        .table(table)
}

fn limits(spec: &Spec, evidence: &Evidence) -> Section {
    let mut limits = vec![
        "It was measured on rows like those it learnt from. When batches drift, these figures no longer hold; the drift report \
         of each batch says so."
            .to_owned(),
        format!("It knows nothing but its {} columns. Rows outside the ranges of the data card are extrapolated.", spec.columns.len()),
    ];
    if evidence.holdout_rows < 1_000 {
        limits.push(format!("{} hold-out rows are few: see the standard errors.", count(evidence.holdout_rows)));
    }
    let leaks: Vec<&str> = evidence
        .leakage
        .warnings
        .iter()
        .filter(|warning| warning.kind == WarningKind::TargetLeak)
        .map(|warning| warning.column.as_str())
        .collect();
    if !leaks.is_empty() {
        limits.push(format!(
            "Its quality may not be real: {} may be known only after the target is. See the data card.",
            leaks.join(", ")
        ));
    }
    let largest = evidence.fairness.iter().flat_map(|column| column.gaps.iter().map(move |gap| (column, gap)));
    let largest = largest.filter(|(_, gap)| spec.task != Task::Regression && gap.difference >= 0.1);
    for (column, gap) in largest {
        limits.push(format!(
            "{} differs by {} between {} and {} of {}.",
            gap.criterion,
            text::number(gap.difference),
            gap.highest,
            gap.lowest,
            column.column
        ));
    }
    Section::new("Limits").list(limits)
}
