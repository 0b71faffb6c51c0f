//! `--drift`: what goes wrong with a batch, on purpose and reproducibly.
//!
//! | condition | kind of drift | what it does to each batch from `--drift-from` on |
//! |---|---|---|
//! | `reweight:COLUMN:STRENGTH` | covariate | keeps half of the rows, drawn with weight exp(STRENGTH·z), z the column's standard score in the batch, cut at ±4, 0 where missing |
//! | `prior:CLASS=RATE`, `prior:COLUMN:CLASS=RATE` | label | keeps as many rows as there can be with that class of the target (or of COLUMN) in RATE of them; the others keep their proportions |
//! | `flip:CONDITION:RATE` | concept | RATE of the matching rows get another class; with a regression target every matching row's target is multiplied by 1 + RATE |
//! | `shift:COLUMN:SIGMAS` | covariate | adds SIGMAS standard deviations of the batch's column; integers stay integers, rounded at random so that the mean is right |
//! | `newcat:COLUMN` | covariate | a tenth of the rows ([`NEW_LEVEL_SHARE`]) get a level never seen: `novel`, or one above the largest integer |
//! | `missing:COLUMN:RATE` | quality | RATE of the rows lose the value |
//!
//! Rows are drawn without replacement: the batch gets smaller and keeps its order, and no row comes twice. A copy would pass
//! for another witness of the same change, and make whoever tests for one too sure. Rates are met to the row. Conditions
//! apply in the order given, each with its own random numbers by seed, batch and position.

use std::collections::BTreeSet;
use std::str::FromStr;
use std::sync::Arc;

use super::Error;
use super::draw::Draw;
use super::rows::{Column, NULL_INT, Table};

/// The share of rows that `newcat` gives the new level.
pub const NEW_LEVEL_SHARE: f64 = 0.10;
/// The share of rows that `reweight` keeps: fewer would follow the weights more closely and be too few to learn from.
const KEPT_SHARE: f64 = 0.5;
/// The level that `newcat` gives a text column.
pub const NEW_LEVEL: &str = "novel";
/// Standard scores beyond this count as this in `reweight`: one far value must not become the whole batch.
const SCORE_LIMIT: f64 = 4.0;
/// A numeric target with at most so many distinct values, all whole, has classes.
const MAX_NUMERIC_CLASSES: usize = 20;
/// What a `--drift` may be.
const FORMS: &str = "reweight:COLUMN:STRENGTH, prior:CLASS=RATE, prior:COLUMN:CLASS=RATE, flip:CONDITION:RATE, \
                     shift:COLUMN:SIGMAS, newcat:COLUMN or missing:COLUMN:RATE";

/// One `--drift`.
#[derive(Clone, Debug, PartialEq)]
pub struct Drift {
    text: String,
    change: Change,
}

#[derive(Clone, Debug, PartialEq)]
enum Change {
    Reweight { column: String, strength: f64 },
    Prior { column: Option<String>, class: String, rate: f64 },
    Flip { terms: Vec<Term>, rate: f64 },
    Shift { column: String, sigmas: f64 },
    NewCategory { column: String },
    Missing { column: String, rate: f64 },
}

/// `COLUMN OP VALUE`.
#[derive(Clone, Debug, PartialEq)]
struct Term {
    column: String,
    op: Op,
    value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Op {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

/// The longer operators first, so that `<=` is not read as `<`.
const OPS: [(&str, Op); 6] = [
    ("<=", Op::LessOrEqual),
    (">=", Op::GreaterOrEqual),
    ("!=", Op::NotEqual),
    ("<", Op::Less),
    (">", Op::Greater),
    ("=", Op::Equal),
];

/// What drift needs to know about a source's rows before the first is served.
#[derive(Clone, Debug)]
pub(super) struct Schema {
    /// The columns: all of a file's rows, or one generated row.
    pub(super) sample: Arc<Table>,
    /// The column to predict.
    pub(super) target: Option<String>,
    /// The target's classes, sorted; empty for regression.
    pub(super) classes: Vec<String>,
}

impl FromStr for Drift {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = |piece: &str, hint: String| Error::Drift { text: text.to_owned(), piece: piece.to_owned(), hint };
        let Some((kind, rest)) = text.split_once(':') else {
            return Err(wrong(text, format!("expected {FORMS}")));
        };
        let number = |piece: &str, name: &str| {
            let value = piece.trim().parse::<f64>().ok().filter(|value| value.is_finite());
            value.ok_or_else(|| wrong(piece, format!("{name} is a number, such as 0.5")))
        };
        let rate = |piece: &str| {
            let value = number(piece, "RATE")?;
            if (0.0..=1.0).contains(&value) { Ok(value) } else { Err(wrong(piece, "RATE is from 0 to 1".into())) }
        };
        let column = |piece: &str| {
            let name = piece.trim();
            if name.is_empty() { Err(wrong(rest, "the column's name is empty".into())) } else { Ok(name.to_owned()) }
        };
        let pair = |form: &str| {
            rest.rsplit_once(':').ok_or_else(|| wrong(rest, format!("expected {form}: two parts after `{kind}:`")))
        };
        let change = match kind {
            "reweight" => {
                let (name, strength) = pair("reweight:COLUMN:STRENGTH")?;
                Change::Reweight { column: column(name)?, strength: number(strength, "STRENGTH")? }
            }
            "shift" => {
                let (name, sigmas) = pair("shift:COLUMN:SIGMAS")?;
                Change::Shift { column: column(name)?, sigmas: number(sigmas, "SIGMAS")? }
            }
            "missing" => {
                let (name, share) = pair("missing:COLUMN:RATE")?;
                Change::Missing { column: column(name)?, rate: rate(share)? }
            }
            "newcat" => Change::NewCategory { column: column(rest)? },
            "prior" => {
                let Some((what, share)) = rest.rsplit_once('=') else {
                    return Err(wrong(rest, "expected prior:CLASS=RATE, such as prior:1=0.4".into()));
                };
                let (name, class) = match what.split_once(':') {
                    Some((name, class)) => (Some(column(name)?), class),
                    None => (None, what),
                };
                if class.trim().is_empty() {
                    return Err(wrong(rest, "the class is empty; expected prior:CLASS=RATE".into()));
                }
                Change::Prior { column: name, class: class.trim().to_owned(), rate: rate(share)? }
            }
            "flip" => {
                let (condition, share) = pair("flip:CONDITION:RATE, such as flip:age<38&active=1:0.45")?;
                let value = number(share, "RATE")?;
                if value <= -1.0 {
                    return Err(wrong(share, "RATE is above -1".into()));
                }
                let terms: Result<Vec<Term>, Error> = condition
                    .split('&')
                    .map(|term| parse_term(term).ok_or_else(|| wrong(term, TERM_HINT.into())))
                    .collect();
                Change::Flip { terms: terms?, rate: value }
            }
            _ => return Err(wrong(kind, format!("expected {FORMS}"))),
        };
        Ok(Self { text: text.to_owned(), change })
    }
}

/// What a term of a condition may be.
const TERM_HINT: &str = "expected COLUMN OP VALUE with OP one of < <= > >= = !=, terms joined by &";

fn parse_term(text: &str) -> Option<Term> {
    let at = text.find(['<', '>', '=', '!'])?;
    let (op_text, op) = OPS.into_iter().find(|(op, _)| text[at..].starts_with(op))?;
    let (column, value) = (text[..at].trim(), text[at + op_text.len()..].trim());
    let clean = !column.is_empty() && !value.is_empty() && !value.starts_with(['<', '>', '=', '!']);
    clean.then(|| Term { column: column.to_owned(), op, value: value.to_owned() })
}

impl Drift {
    /// The condition as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Refuses a condition that these rows cannot have: unknown columns, columns of the wrong kind, unknown classes.
    ///
    /// # Errors
    ///
    /// [`Error::Drift`] naming the piece and what would be right.
    pub(super) fn check(&self, schema: &Schema) -> Result<(), Error> {
        match &self.change {
            Change::Reweight { column, .. } | Change::Shift { column, .. } => {
                let found = self.column(schema, column)?;
                if !found.is_numeric() {
                    return Err(self.wrong(column, format!("it is {}; a number column is needed", found.kind())));
                }
            }
            Change::NewCategory { column } => {
                let found = self.column(schema, column)?;
                if !matches!(found, Column::Text(_) | Column::Int(_)) {
                    return Err(self.wrong(column, format!("it is {}; text or integers are needed", found.kind())));
                }
            }
            Change::Missing { column, .. } => {
                self.column(schema, column)?;
            }
            Change::Prior { column, class, .. } => {
                let (name, classes) = match column {
                    Some(name) if schema.target.as_ref() != Some(name) => {
                        self.column(schema, name)?;
                        // Only the target's classes are known for all batches; those of other columns are looked up in each.
                        return Ok(());
                    }
                    _ => self.class_target(schema)?,
                };
                let class = normal_class(self.column(schema, name)?, class);
                if !classes.contains(&class) {
                    let known = classes.join(", ");
                    return Err(self.wrong(&class, format!("`{name}` has the classes {known}")));
                }
            }
            Change::Flip { terms, rate } => {
                let target = self.target(schema)?;
                if schema.classes.is_empty() {
                    let found = self.column(schema, target)?;
                    if !found.is_numeric() {
                        return Err(self.wrong(target, format!("the target is {} without classes", found.kind())));
                    }
                } else if !(0.0..=1.0).contains(rate) {
                    return Err(self.wrong(&rate.to_string(), "RATE is from 0 to 1 for a target with classes".into()));
                }
                for term in terms {
                    let column = self.column(schema, &term.column)?;
                    if column.is_numeric() && term.value.parse::<f64>().is_err() {
                        return Err(self.wrong(&term.value, format!("`{}` is {}", term.column, column.kind())));
                    }
                    if matches!(column, Column::Bool(_)) && term.value.parse::<bool>().is_err() {
                        return Err(self.wrong(&term.value, format!("`{}` is true or false", term.column)));
                    }
                }
            }
        }
        Ok(())
    }

    /// Changes a batch.
    ///
    /// # Errors
    ///
    /// [`Error::Drift`] where the batch has no row to draw.
    pub(super) fn apply(&self, table: Table, schema: &Schema, draw: &mut Draw) -> Result<Table, Error> {
        let mut table = table;
        let n_rows = table.n_rows();
        let all = || (0..n_rows as u32).collect::<Vec<_>>();
        let part = |rate: f64| (rate * n_rows as f64).round() as usize;
        match &self.change {
            Change::Reweight { column, strength } => {
                let cells = self.column_of(&table, column)?;
                let (mean, sd) = cells.moments().unwrap_or((0.0, 0.0));
                let score = |row| {
                    let value = cells.number(row).filter(|_| sd > 0.0)?;
                    Some(((value - mean) / sd).clamp(-SCORE_LIMIT, SCORE_LIMIT))
                };
                let logs: Vec<f64> = (0..n_rows).map(|row| strength * score(row).unwrap_or(0.0)).collect();
                Ok(table.take(&draw_weighted(&logs, part(KEPT_SHARE), draw)))
            }
            Change::Prior { column, class, rate } => {
                let name = match column {
                    Some(name) => name.as_str(),
                    None => self.target(schema)?,
                };
                let cells = self.column_of(&table, name)?;
                let class = normal_class(cells, class);
                let (hits, others): (Vec<u32>, Vec<u32>) =
                    all().into_iter().partition(|&row| class_of(cells, row as usize).as_ref() == Some(&class));
                if (hits.is_empty() && *rate > 0.0) || (others.is_empty() && *rate < 1.0) {
                    let which = if hits.is_empty() { "no row" } else { "only rows" };
                    return Err(self.wrong(&class, format!("the batch has {which} with that value of `{name}`")));
                }
                let fits = |there: usize, share: f64| if share > 0.0 { there as f64 / share } else { f64::INFINITY };
                let total = fits(hits.len(), *rate).min(fits(others.len(), 1.0 - rate)) as usize;
                let n_hits = ((rate * total as f64).round() as usize).min(hits.len());
                let mut rows = draw.choose(hits, n_hits);
                rows.extend(draw.choose(others, total - n_hits));
                rows.sort_unstable();
                Ok(table.take(&rows))
            }
            Change::Flip { terms, rate } => {
                let hits = self.matching(&table, terms)?;
                let target = self.target(schema)?;
                let position = self.position(&table, target)?;
                if schema.classes.is_empty() {
                    multiply(table.column_mut(position), &hits, 1.0 + rate);
                } else {
                    let count = (rate * hits.len() as f64).round() as usize;
                    for row in draw.choose(hits, count) {
                        reclass(table.column_mut(position), row as usize, &schema.classes, draw);
                    }
                }
                Ok(table)
            }
            Change::Shift { column, sigmas } => {
                let position = self.position(&table, column)?;
                let sd = table.column(position).moments().map_or(0.0, |(_, sd)| sd);
                shift(table.column_mut(position), sigmas * sd, draw);
                Ok(table)
            }
            Change::NewCategory { column } => {
                let position = self.position(&table, column)?;
                let rows = draw.choose(all(), part(NEW_LEVEL_SHARE).max(1));
                match table.column_mut(position) {
                    Column::Text(text) => {
                        let code = text.code(NEW_LEVEL);
                        rows.iter().for_each(|&row| text.codes[row as usize] = code);
                    }
                    Column::Int(cells) => {
                        // Of the whole source where it is known, so that the level is new in every batch.
                        let known = schema.sample.get(column).and_then(cells_max);
                        let level =
                            cells_max(&Column::Int(cells.clone())).max(known).map_or(0, |max| max.saturating_add(1));
                        rows.iter().for_each(|&row| cells[row as usize] = level);
                    }
                    Column::Float(_) | Column::Bool(_) => {}
                }
                Ok(table)
            }
            Change::Missing { column, rate } => {
                let position = self.position(&table, column)?;
                for row in draw.choose(all(), part(*rate)) {
                    table.column_mut(position).set_null(row as usize);
                }
                Ok(table)
            }
        }
    }

    /// The rows that satisfy every term; a missing cell satisfies none.
    fn matching(&self, table: &Table, terms: &[Term]) -> Result<Vec<u32>, Error> {
        let mut rows: Vec<u32> = (0..table.n_rows() as u32).collect();
        for term in terms {
            let column = self.column_of(table, &term.column)?;
            let number = term.value.parse::<f64>().ok();
            rows.retain(|&row| {
                let row = row as usize;
                let order = match column {
                    Column::Int(_) | Column::Float(_) => {
                        column.number(row).zip(number).and_then(|(cell, value)| cell.partial_cmp(&value))
                    }
                    Column::Bool(cells) => cells[row].map(|cell| cell.to_string().as_str().cmp(term.value.as_str())),
                    Column::Text(text) => text.get(row).map(|cell| cell.cmp(term.value.as_str())),
                };
                order.is_some_and(|order| match term.op {
                    Op::Less => order.is_lt(),
                    Op::LessOrEqual => order.is_le(),
                    Op::Greater => order.is_gt(),
                    Op::GreaterOrEqual => order.is_ge(),
                    Op::Equal => order.is_eq(),
                    Op::NotEqual => order.is_ne(),
                })
            });
        }
        Ok(rows)
    }

    fn target<'s>(&self, schema: &'s Schema) -> Result<&'s str, Error> {
        let hint = || self.wrong(&self.text, "it changes the target, which is not known: add --target COLUMN".into());
        schema.target.as_deref().ok_or_else(hint)
    }

    fn class_target<'s>(&self, schema: &'s Schema) -> Result<(&'s str, &'s [String]), Error> {
        let target = self.target(schema)?;
        if schema.classes.is_empty() {
            return Err(self.wrong(target, "the target has no classes; prior needs some".into()));
        }
        Ok((target, &schema.classes))
    }

    fn column<'s>(&self, schema: &'s Schema, name: &str) -> Result<&'s Column, Error> {
        self.column_of(&schema.sample, name)
    }

    fn column_of<'t>(&self, table: &'t Table, name: &str) -> Result<&'t Column, Error> {
        self.position(table, name).map(|position| table.column(position))
    }

    fn position(&self, table: &Table, name: &str) -> Result<usize, Error> {
        let known = || format!("there is no such column; the columns are {}", table.names().join(", "));
        table.position(name).ok_or_else(|| self.wrong(name, known()))
    }

    fn wrong(&self, piece: &str, hint: String) -> Error {
        Error::Drift { text: self.text.clone(), piece: piece.to_owned(), hint }
    }
}

/// The classes of a target, sorted by name; empty for a numeric target with many or broken values (regression).
pub(super) fn classes(column: &Column) -> Vec<String> {
    let mut found = BTreeSet::new();
    for row in 0..column.len() {
        if column.number(row).is_some_and(|value| value.fract() != 0.0) {
            return Vec::new();
        }
        if let Some(class) = class_of(column, row) {
            found.insert(class);
        }
        if column.is_numeric() && found.len() > MAX_NUMERIC_CLASSES {
            return Vec::new();
        }
    }
    found.into_iter().collect()
}

/// The class in a row, written so that 1 and 1.0 are the same.
fn class_of(column: &Column, row: usize) -> Option<String> {
    match column {
        Column::Int(_) | Column::Float(_) => column.number(row).map(|value| value.to_string()),
        Column::Bool(cells) => cells[row].map(|value| value.to_string()),
        Column::Text(text) => text.get(row).map(str::to_owned),
    }
}

fn normal_class(column: &Column, class: &str) -> String {
    match class.parse::<f64>() {
        Ok(value) if column.is_numeric() => value.to_string(),
        _ => class.to_owned(),
    }
}

/// Gives a row another of the classes.
fn reclass(column: &mut Column, row: usize, classes: &[String], draw: &mut Draw) {
    let Some(current) = class_of(column, row) else { return };
    let others: Vec<&String> = classes.iter().filter(|class| **class != current).collect();
    if others.is_empty() {
        return;
    }
    let class = others[draw.below(others.len())];
    match column {
        // Numeric classes are whole numbers, so the text is one too.
        Column::Int(cells) => cells[row] = class.parse().unwrap_or(cells[row]),
        Column::Float(cells) => cells[row] = class.parse().unwrap_or(cells[row]),
        Column::Bool(cells) => cells[row] = class.parse().ok(),
        Column::Text(text) => text.codes[row] = text.code(class),
    }
}

fn multiply(column: &mut Column, rows: &[u32], factor: f64) {
    for &row in rows {
        let row = row as usize;
        match column {
            Column::Int(cells) if cells[row] != NULL_INT => cells[row] = (cells[row] as f64 * factor).round() as i64,
            Column::Float(cells) => cells[row] *= factor,
            _ => {}
        }
    }
}

fn shift(column: &mut Column, by: f64, draw: &mut Draw) {
    match column {
        Column::Int(cells) => {
            for cell in cells.iter_mut().filter(|cell| **cell != NULL_INT) {
                *cell = cell.saturating_add((by + draw.uniform()).floor() as i64);
            }
        }
        Column::Float(cells) => cells.iter_mut().for_each(|cell| *cell += by),
        Column::Bool(_) | Column::Text(_) => {}
    }
}

fn cells_max(column: &Column) -> Option<i64> {
    match column {
        Column::Int(cells) => cells.iter().copied().filter(|cell| *cell != NULL_INT).max(),
        _ => None,
    }
}

/// `count` rows, drawn one after the other without replacement, each with a chance in proportion to its weight among those
/// left, in rising order. `logs` are the logarithms of all rows' weights.
///
/// # Source
/// P. S. Efraimidis and P. G. Spirakis, "Weighted random sampling with a reservoir", Information Processing Letters 97
/// (2006): the rows with the largest `u^(1/w)`, in logarithms.
fn draw_weighted(logs: &[f64], count: usize, draw: &mut Draw) -> Vec<u32> {
    let mut keys: Vec<(f64, u32)> =
        logs.iter().zip(0..).map(|(log, row)| (log - (-(1.0 - draw.uniform()).ln()).ln(), row)).collect();
    keys.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let mut rows: Vec<u32> = keys.into_iter().take(count).map(|(_, row)| row).collect();
    rows.sort_unstable();
    rows
}

#[cfg(test)]
mod tests;
