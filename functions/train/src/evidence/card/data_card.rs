//! The data card: which rows a version learnt from and what they look like.

use chrono::DateTime;
use page::text;
use spec::{Drop, Kind, Spec, SplitBy};

use super::super::{AloneMeasure, ColumnSummary, Evidence, Leakage};
use super::model_card::{count, target};
use super::{Card, Section, Table};

/// The data card of a version.
///
/// # Source
/// The questions follow T. Gebru et al., "Datasheets for datasets", Communications of the ACM 64 (2021), as far as a spec and
/// the rows can answer them.
pub fn data_card(spec: &Spec, evidence: &Evidence) -> Card {
    Card {
        title: format!("Data card: {}", spec.name),
        summary: format!(
            "The {} train rows of {} batches from which a model of {} was fitted. Made from the run.",
            count(evidence.data.rows),
            count(evidence.facts.batches.len()),
            target(spec)
        ),
        sections: vec![
            rows(spec, evidence),
            answers(evidence),
            columns(evidence),
            leaks(&evidence.leakage),
            left_out(spec),
        ],
    }
}

fn rows(spec: &Spec, evidence: &Evidence) -> Section {
    let mut table = Table::new("Rows by batch, oldest first", &["batch"], &["train", "hold-out"]);
    for batch in &evidence.facts.batches {
        table.row(vec![batch.batch.clone(), count(batch.train), count(batch.holdout)]);
    }
    let share = text::percent(spec.split.fraction);
    let split = match spec.split.by {
        SplitBy::Hash => {
            let columns = match spec.split.columns.as_slice() {
                [] => "all columns".to_owned(),
                columns => columns.join(", "),
            };
            format!(
                "About {share} of the rows are hold-out, chosen by a hash of {columns}: equal rows fall on one side, and a row \
                 stays on its side for ever."
            )
        }
        SplitBy::Time => format!("The last {share} of each batch in order of time are hold-out."),
    };
    Section::new("Rows").text(split).table(table)
}

fn answers(evidence: &Evidence) -> Section {
    let section = Section::new("Target");
    let Some(target) = &evidence.data.target else { return section.text("The rows have no target.") };
    let mut table = Table::new(format!("{} in the train rows", target.column), &["value"], &["share or quantile"]);
    for level in &target.levels {
        table.row(vec![level.level.clone(), text::percent(level.share)]);
    }
    for quantile in &target.quantiles {
        table.row(vec![level_name(quantile.level), figure(target.kind, quantile.value)]);
    }
    section.table(table)
}

fn columns(evidence: &Evidence) -> Section {
    let mut table = Table::new(
        "Columns, with the most frequent levels, or the smallest value, quarters and the largest",
        &["column", "kind", "meaning", "values"],
        &["missing", "distinct"],
    );
    for column in &evidence.data.columns {
        table.row(vec![
            column.column.clone(),
            column.kind.to_string(),
            meaning(column),
            values(column),
            text::percent(column.missing_share),
            count(column.distinct),
        ]);
    }
    Section::new("Columns").table(table)
}

fn meaning(column: &ColumnSummary) -> String {
    let unit = column.unit.as_ref().map(|unit| format!("in {unit}"));
    let sensitive = column.sensitive.then(|| "sensitive".to_owned());
    let parts: Vec<String> = [column.description.clone(), unit, sensitive].into_iter().flatten().collect();
    if parts.is_empty() { text::NONE.to_owned() } else { parts.join(", ") }
}

fn values(column: &ColumnSummary) -> String {
    let levels = column.levels.iter().map(|level| format!("{} {}", level.level, text::percent(level.share)));
    let told = [0.0, 0.25, 0.5, 0.75, 1.0];
    let quantiles = column.quantiles.iter().filter(|quantile| told.contains(&quantile.level));
    let quantiles = quantiles.map(|quantile| figure(column.kind, quantile.value));
    let mut all: Vec<String> = levels.chain(quantiles).collect();
    if column.levels.len() < column.distinct && !column.levels.is_empty() {
        all.push(format!("and {} more", count(column.distinct - column.levels.len())));
    }
    if all.is_empty() { text::NONE.to_owned() } else { all.join(", ") }
}

fn level_name(level: f64) -> String {
    match level {
        0.0 => "smallest".to_owned(),
        0.5 => "median".to_owned(),
        1.0 => "largest".to_owned(),
        level => text::percent(level),
    }
}

/// A number, or the day of a time.
fn figure(kind: Kind, value: f64) -> String {
    let day = || DateTime::from_timestamp(value as i64, 0).map(|time| time.format("%Y-%m-%d").to_string());
    if kind == Kind::Time { day() } else { None }.unwrap_or_else(|| text::number(value))
}

fn leaks(leakage: &Leakage) -> Section {
    let mut table = Table::new("Each column alone", &["column", "measure"], &["value"]);
    for alone in &leakage.alone {
        let measure = match alone.measure {
            AloneMeasure::Auc => "AUC",
            AloneMeasure::R2 => "R² of the target's ranks",
        };
        table.row(vec![alone.column.clone(), measure.to_owned(), text::number(alone.value)]);
    }
    let section = Section::new("Columns that may say too much");
    let section = if leakage.warnings.is_empty() {
        section.text("No column predicts the target alone, and none looks like an identifier.")
    } else {
        section
            .text("Look at these before the model is trusted. A warning refuses nothing.")
            .list(leakage.warnings.iter().map(|warning| format!("{}: {}", warning.column, warning.reason)).collect())
    };
    section.table(table)
}

fn left_out(spec: &Spec) -> Section {
    let mut dropped = Table::new("Columns of the source that the model must not see", &["column", "reason"], &[]);
    match &spec.drop {
        Drop::Names(names) => {
            names.iter().for_each(|name| dropped.row(vec![name.clone(), "the spec gives no reason".to_owned()]));
        }
        Drop::Reasons(reasons) => {
            reasons.iter().for_each(|(name, reason)| dropped.row(vec![name.clone(), reason.clone()]))
        }
    }
    let mut rules = Table::new("Rules for rows; one that breaks a rule is set aside", &["column"], &["least", "most"]);
    for rule in &spec.rules {
        rules.row(vec![rule.column.clone(), text::number(rule.between.0), text::number(rule.between.1)]);
    }
    let section = Section::new("What was left out");
    if spec.rules.is_empty() && spec.drop.names().next().is_none() {
        return section.text("The spec drops no column and has no rule for rows.");
    }
    section.table(dropped).table(rules)
}
