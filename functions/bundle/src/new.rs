//! `ebb new`: a first spec, guessed from a file.
//!
//! Everything here is a guess from one file, and every guess says in a comment what it was made of, so that a reader can
//! mend it. The rules are plain thresholds and not statistics on purpose: a reader must be able to see why a line is as it
//! is. What is written always parses, and every row of the file that has a target fits it.

mod calendar;
mod column;
mod leak;
mod target;
mod yaml;

use std::path::PathBuf;
use std::{fs, io};

use bytes::Bytes;
use dataset::{Format, Table};
use fault::{Fault, FieldError, Kind};
use spec::Spec;

use crate::files;
pub(crate) use column::kind_of;
use column::{Guess, Profile};
use yaml::{commented, counted, percent, scalar, shortened};

/// Arguments of `ebb new`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// CSV, Parquet or JSON file with the rows to learn from.
    pub data: PathBuf,
    /// Column to predict.
    #[arg(long)]
    pub target: String,
    /// Name of the model. Default: the file's name.
    #[arg(long)]
    pub name: Option<String>,
    /// File to write the spec to; it must not exist. Default: standard output.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

/// Why no spec could be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file could not be read.
    #[error(transparent)]
    File(#[from] files::Error),
    /// The spec could not be written.
    #[error("failed to write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file's content is not what its name says.
    #[error("failed to read the rows")]
    Rows(#[source] dataset::Error),
    /// The column to predict is not in the file.
    #[error("there is no column `{target}`; there is {}", .known.join(", "))]
    NoTarget {
        /// The column asked for.
        target: String,
        /// The columns that there are.
        known: Vec<String>,
    },
    /// The column to predict cannot be learnt.
    #[error("`{target}` cannot be predicted: {reason}")]
    BadTarget {
        /// The column asked for.
        target: String,
        /// Why.
        reason: String,
    },
    /// No column is left to predict from.
    #[error("no column of the file can be an input: {}", .0.join("; "))]
    NoInputs(Vec<String>),
    /// What was written does not parse: a mistake in these guesses.
    #[error("the guessed spec does not hold together")]
    Guess(#[source] spec::Error),
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Rows(error) => error.kind(),
            Error::Guess(_) => Kind::Internal,
            Error::File(error) => error.kind(),
            Error::Write { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => Kind::Conflict,
            Error::Write { .. } => Kind::Internal,
            Error::NoTarget { .. } | Error::BadTarget { .. } | Error::NoInputs(_) => Kind::Invalid,
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Error::Rows(error) => error.fields(),
            _ => Vec::new(),
        }
    }
}

/// Runs `ebb new`: the spec goes to `--out` or standard output, a summary to standard error.
///
/// # Errors
/// Every [`Error`].
pub fn run(args: &Args) -> Result<(), Error> {
    let (bytes, format) = files::read_rows(&args.data)?;
    let stem = args.data.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name = args.name.clone().unwrap_or(stem);
    let text = infer_spec(&name, bytes.clone(), format, &args.target)?;
    match &args.out {
        Some(path) => {
            let created =
                fs::File::create_new(path).and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes()));
            created.map_err(|source| Error::Write { path: path.clone(), source })?;
        }
        None => {
            let written = io::Write::write_all(&mut io::stdout().lock(), text.as_bytes());
            written.map_err(|source| Error::Write { path: PathBuf::from("standard output"), source })?;
        }
    }
    eprintln!("{}", summary(&text, bytes, format, args)?);
    Ok(())
}

/// What the new spec makes of the file it was guessed from, and the next command.
fn summary(text: &str, bytes: Bytes, format: Format, args: &Args) -> Result<String, Error> {
    let spec = Spec::parse(text).map_err(Error::Guess)?;
    let read = dataset::read(&spec, bytes, format).map_err(Error::Rows)?;
    let rows = counted(read.n_source_rows as usize);
    let inputs = format!("{} inputs, {} dropped", spec.columns.len(), spec.drop.names().count());
    let mut lines = format!("{}: {} from {rows} rows, {inputs}", spec.name, task_name(&spec));
    if let Some(row) = read.quarantined.first() {
        let reasons: Vec<String> = row.reasons.iter().map(ToString::to_string).collect();
        let n = counted(read.quarantined.len());
        lines += &format!("\n{n} rows do not fit it, the first because of {}", reasons.join("; "));
    }
    if let spec::Drop::Reasons(reasons) = &spec.drop {
        for (name, reason) in reasons {
            lines += &format!("\nleft out: `{}`, {reason}", shortened(name));
        }
    }
    if let Some(path) = &args.out {
        lines += &format!("\nwritten to {}: read it, every line is a guess", path.display());
    }
    Ok(lines)
}

fn task_name(spec: &Spec) -> &'static str {
    match spec.task {
        spec::Task::Binary => "binary classification",
        spec::Task::Multiclass => "multiclass classification",
        spec::Task::Regression => "regression",
    }
}

/// The text of a first spec for the rows of a file.
///
/// - Task: two values are binary; text, booleans or up to 20 whole numbers with ten rows each are classes; else regression.
/// - Range of a number: the observed one, widened by half its width on both sides but never across zero, then rounded
///   outward to a step of the power of ten at or below its width.
/// - `serve.threshold: f1` where one of several classes has less than half of an even share of the rows.
/// - `allowed` only for up to 12 levels that all have 1 % of the rows and at least ten.
/// - Proposed for `drop`: constants; identifiers, which are text with fewer than five rows a level and whole numbers that
///   never repeat; numbers that only count on with the time; leaks, which alone predict the target of unseen rows with an AUC or R² above 0.99.
///
/// # Errors
/// [`Error::Rows`], [`Error::NoTarget`], [`Error::BadTarget`] and [`Error::NoInputs`].
pub fn infer_spec(name: &str, bytes: impl Into<Bytes>, format: Format, target: &str) -> Result<String, Error> {
    let table = Table::read(bytes, format).map_err(Error::Rows)?;
    let Some(target_column) = table.column(target) else {
        let known = table.columns.iter().map(|column| format!("`{}`", column.name)).collect();
        return Err(Error::NoTarget { target: target.to_owned(), known });
    };
    let goal = target::infer(target_column).map_err(|reason| Error::BadTarget { target: target.to_owned(), reason })?;
    let mut draft = Draft::default();
    for column in table.columns.iter().filter(|column| column.name != target) {
        let profile = Profile::of(column);
        let guess = match leak::leak(column, &goal) {
            Some(reason) if !profile.is_constant() => Guess::Drop(reason),
            _ => profile.guess(),
        };
        draft.add(&column.name, guess);
    }
    draft.drop_what_follows_time(&table);
    if draft.columns.is_empty() {
        return Err(Error::NoInputs(draft.drop.iter().map(|(name, reason)| format!("`{name}` is {reason}")).collect()));
    }
    draft.name_derived(&table, target);
    let text = draft.text(&address(name), &table, target, &goal);
    Spec::parse(&text).map_err(Error::Guess)?;
    Ok(text)
}

/// A name of lower-case letters, digits and dashes.
fn address(name: &str) -> String {
    let mut address = String::new();
    for c in name.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            address.push(c);
        } else if !address.ends_with('-') && !address.is_empty() {
            address.push('-');
        }
    }
    address.truncate(63);
    let address = address.trim_end_matches('-');
    if address.is_empty() { "model".to_owned() } else { address.to_owned() }
}

/// The spec as it grows.
#[derive(Debug, Default)]
struct Draft {
    time: Option<(String, String)>,
    /// Name, declaration, comment.
    columns: Vec<(String, String, String)>,
    /// Name, operation, column.
    derive: Vec<(String, &'static str, String)>,
    drop: Vec<(String, String)>,
}

impl Draft {
    fn add(&mut self, name: &str, guess: Guess) {
        match guess {
            Guess::Drop(reason) => self.drop.push((name.to_owned(), reason)),
            Guess::Input { declaration, comment, .. } => self.columns.push((name.to_owned(), declaration, comment)),
            Guess::Time { nullable, parts, comment } => {
                let orders = self.time.is_none() && !nullable;
                if orders {
                    self.time = Some((name.to_owned(), comment.clone()));
                }
                if !parts.is_empty() {
                    let declaration = if nullable { "{kind: time, nullable: true}" } else { "{kind: time}" };
                    self.columns.push((name.to_owned(), declaration.to_owned(), comment));
                    self.derive.extend(parts.into_iter().map(|part| (String::new(), part, name.to_owned())));
                } else if !orders {
                    self.drop.push((name.to_owned(), format!("one date for all rows ({comment})")));
                }
            }
        }
    }

    /// Proposes to drop the numbers that only count on with the time that orders the rows.
    fn drop_what_follows_time(&mut self, table: &Table) {
        let Some((name, _)) = &self.time else { return };
        let Some(time) = table.column(name) else { return };
        let follows = |name: &str| table.column(name).is_some_and(|column| calendar::follows(time, column));
        let reason = format!("counts on with {name}: the next batch lies beyond all values seen");
        let (following, kept) = std::mem::take(&mut self.columns).into_iter().partition(|(name, ..)| follows(name));
        let following: Vec<(String, String, String)> = following;
        self.columns = kept;
        self.drop.extend(following.into_iter().map(|(name, ..)| (name, reason.clone())));
    }

    /// Names derived columns after their column, apart from all that there are.
    fn name_derived(&mut self, table: &Table, target: &str) {
        let mut taken: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
        taken.push(target.to_owned());
        for (name, part, column) in &mut self.derive {
            *name = format!("{column}_{part}");
            while taken.contains(name) {
                name.push('_');
            }
            taken.push(name.clone());
        }
    }

    fn text(&self, name: &str, table: &Table, target: &str, goal: &target::Goal) -> String {
        let rows = counted(table.n_rows);
        let mut lines = vec![
            format!("# A first spec, guessed by `ebb new` from {rows} rows of {} columns.", table.columns.len()),
            "# Every line is a guess: mend what you know better, and add `unit: ..` where a number has one.".to_owned(),
        ];
        if table.n_skipped > 0 {
            lines.push(format!("# {} rows of the file could not be read.", counted(table.n_skipped)));
        }
        lines.push(format!("name: {}", scalar(name)));
        lines.push(commented(&format!("task: {}", goal.task_name()), &goal.task_comment));
        lines.push(commented(&format!("target: {{column: {}{}}}", scalar(target), goal.declaration()), &goal.comment));
        if let Some((time, comment)) = &self.time {
            let comment = format!("orders the rows: {comment}; for a hold-out of the newest rows: split: {{by: time}}");
            lines.push(commented(&format!("time: {}", scalar(time)), &comment));
        }
        lines.push(String::new());
        lines.push(
            "# A range is the observed one, widened by half its width on both sides (never across zero) and".to_owned(),
        );
        lines.push("# rounded. A row outside it goes to quarantine.".to_owned());
        lines.push("columns:".to_owned());
        for (name, declaration, comment) in &self.columns {
            lines.push(commented(&format!("  {}: {declaration}", scalar(name)), comment));
        }
        if !self.derive.is_empty() {
            lines.push(String::new());
            lines.push(
                "# Parts of dates that come round again: a year never does, a month needs two years of rows."
                    .to_owned(),
            );
            lines.push("derive:".to_owned());
            for (name, part, column) in &self.derive {
                lines.push(format!("  {}: {{{part}: {}}}", scalar(name), scalar(column)));
            }
        }
        if !self.drop.is_empty() {
            lines.push(String::new());
            lines.push(
                "# Proposed: look at each reason, and move a column back to `columns` where it is wrong.".to_owned(),
            );
            lines.push("drop:".to_owned());
            for (name, reason) in &self.drop {
                lines.push(format!("  {}: {}", scalar(name), scalar(reason)));
            }
        }
        if let Some((class, count, of)) = goal.rare_class() {
            lines.push(String::new());
            lines.push("serve:".to_owned());
            let comment = format!(
                "`{}` has {} of the rows: the most likely class would miss most of them",
                shortened(class),
                percent(count, of)
            );
            lines.push(commented("  threshold: f1", &comment));
        }
        lines.push(String::new());
        lines.push(
            "# split, drift, train, promote and serve keep their other defaults; `source` says where batches come from."
                .to_owned(),
        );
        lines.join("\n") + "\n"
    }
}

/// The first few of many names, for a comment.
fn examples<'a>(names: impl Iterator<Item = &'a str>, n: usize) -> String {
    names.take(n).map(|name| format!("`{}`", shortened(name))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
