//! `ebb drift`: whether one file still looks like another, without a spec.

mod align;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use ::drift::report::{Meta, Subject, Verdict, html};
use ::drift::{
    ClassifierTest, ColumnReport, Decision, Preset, Profile, Settings, classifier_test, compare, drift_reasons,
    duplicate_rows, more_duplicates, quiet_reason, range_warnings,
};
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table as Text};
use fault::{Fault, FieldError, Kind};
use indexmap::IndexMap;
use page::text::number;
use serde::{Deserialize, Serialize};

use crate::files;

use align::{Aligned, align};

/// Arguments of `ebb drift`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// CSV, Parquet or JSON file that is as it should be.
    pub reference: PathBuf,
    /// File that is to be judged.
    pub current: PathBuf,
    /// How large a change must be to matter: `strict` halves the default, `tolerant` doubles it.
    #[arg(long, value_parser = preset, default_value = "default")]
    pub preset: Preset,
    /// Effect of a single column from which a change matters, as NAME=EFFECT; may be given again.
    #[arg(long = "column", value_parser = column_effect)]
    pub columns: Vec<(String, f64)>,
    /// Also let a classifier tell the files apart, which sees what no column shows alone; takes seconds.
    #[arg(long)]
    pub multivariate: bool,
    /// Write the report as one HTML file that needs nothing else.
    #[arg(long)]
    pub report: Option<PathBuf>,
    /// Answer JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// What `ebb drift --json` answers: what `/check-drift` says of a batch, and whether anything drifted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Whether a column or the schema drifted; the exit code is then 3.
    pub drifted: bool,
    /// `train` with drift, `skip` without.
    pub decision: Decision,
    /// Why, most telling first.
    pub reasons: Vec<String>,
    /// Rows of both files.
    pub rows: Rows,
    /// What the comparison says about each column that both files have.
    pub columns: Vec<ColumnReport>,
    /// Columns that are no ground for a comparison, and why.
    pub not_compared: IndexMap<String, String>,
    /// Share of repeated rows among as many rows as the smaller file has, in the columns that are compared.
    pub duplicates: Duplicates,
    /// What the classifier says, where it was asked.
    pub multivariate: Option<ClassifierTest>,
    /// The page that was written.
    pub report_url: Option<String>,
}

/// Rows of both files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// In the reference.
    pub reference: usize,
    /// In the current file.
    pub current: usize,
}

/// Shares of repeated rows, in [0, 1].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Duplicates {
    /// In the reference.
    pub reference: f64,
    /// In the current file.
    pub current: f64,
}

/// Why nothing could be compared. None of them says anything about drift.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] files::Error),
    /// The files have nothing in common.
    #[error("no column can be compared: {}", .0.join("; "))]
    NothingToCompare(Vec<String>),
    /// The columns could not be compared.
    #[error(transparent)]
    Comparison(#[from] ::drift::Error),
    /// The report could not be written.
    #[error("failed to write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::File(error) => error.kind(),
            Error::Write { .. } => Kind::Internal,
            Error::NothingToCompare(_) => Kind::Invalid,
            Error::Comparison(error) => error.kind(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Error::File(error) => error.fields(),
            _ => Vec::new(),
        }
    }
}

/// Seed of the rows and folds that the classifier draws.
const SEED: u64 = 1;

/// The exit code of a comparison that found drift.
pub const DRIFTED: u8 = 3;

/// Runs `ebb drift`: the answer goes to standard output, remarks to standard error. The exit code is 0 without drift and
/// [`DRIFTED`] with it, so that a script can go by it.
///
/// # Errors
/// Every [`Error`].
#[expect(clippy::print_stdout, reason = "this is what the command is for")]
pub fn run(args: &Args) -> Result<ExitCode, Error> {
    let answer = judge(args)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&answer).expect("numbers and texts under text keys"));
    } else {
        println!("{}", table(&answer.columns));
        for (column, reason) in &answer.not_compared {
            println!("`{column}` is not compared: {reason}");
        }
        println!("{}", if answer.drifted { "drifted:" } else { "steady:" });
        answer.reasons.iter().for_each(|reason| println!("  {reason}"));
    }
    Ok(if answer.drifted { ExitCode::from(DRIFTED) } else { ExitCode::SUCCESS })
}

fn judge(args: &Args) -> Result<Answer, Error> {
    let Aligned { rows, columns, not_compared, changes, remarks } = align(&args.reference, &args.current)?;
    remarks.iter().for_each(|remark| eprintln!("{remark}"));
    if columns.is_empty() {
        let left_out = not_compared.iter().map(|(name, reason)| format!("`{name}` is not compared: {reason}"));
        return Err(Error::NothingToCompare(changes.into_iter().chain(left_out).collect()));
    }
    let reference: Vec<_> = columns.iter().map(|column| (column.name.clone(), (&column.reference).into())).collect();
    let profile = Profile::whole(reference.iter().cloned(), None);
    let current: Vec<_> = columns.iter().map(|column| (column.name.clone(), (&column.current).into())).collect();
    let settings =
        Settings { preset: args.preset, columns: args.columns.iter().cloned().collect(), ..Settings::default() };
    let reports = compare(&profile, &current, None, &settings)?;

    let mut reasons = changes;
    reasons.extend(drift_reasons(&reports, settings.alpha));
    let multivariate = match args.multivariate {
        true => Some(classifier_test(&reference, &current, SEED)?),
        false => None,
    };
    reasons.extend(multivariate.as_ref().and_then(|test| test.reason(&settings)));
    let n_rows = rows.reference.min(rows.current);
    let repeated = [&reference, &current].map(|side| duplicate_rows(side, n_rows));
    reasons.extend(more_duplicates(repeated[0], repeated[1], n_rows as u64, &settings));
    let [reference, current] = repeated.map(|count| count as f64 / n_rows as f64);
    let drifted = !reasons.is_empty();
    if !drifted {
        reasons.push(quiet_reason(&reports));
    }
    let answer = Answer {
        drifted,
        decision: if drifted { Decision::Train } else { Decision::Skip },
        reasons,
        rows,
        columns: reports,
        not_compared,
        duplicates: Duplicates { reference, current },
        multivariate,
        report_url: args.report.as_ref().map(|path| path.display().to_string()),
    };
    if let Some(path) = &args.report {
        fs::write(path, page(args, &answer)).map_err(|source| Error::Write { path: path.clone(), source })?;
    }
    Ok(answer)
}

fn page(args: &Args, answer: &Answer) -> String {
    let name = |path: &Path| {
        path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
    };
    let meta = Meta {
        subject: Subject::Files { reference: name(&args.reference), current: name(&args.current) },
        rows: answer.rows.current as u64,
        reference_rows: Some(answer.rows.reference as u64),
        checked_at: None,
    };
    let warnings = range_warnings(&answer.columns);
    html(&meta, Verdict::Drifted(answer.drifted), &answer.reasons, &warnings, &answer.columns)
}

fn table(columns: &[ColumnReport]) -> Text {
    let mut table = Text::new();
    table.load_style(NOTHING);
    table.set_header(["column", "", "effect", "matters above", "p-value", "q-value", "PSI", "missing"]);
    for report in columns {
        let missing = report.missing_rate;
        table.add_row([
            report.column.clone(),
            if report.drifted { "drifted" } else { "" }.to_owned(),
            number(report.effect),
            number(report.threshold),
            number(report.p_value),
            number(report.q_value),
            number(report.psi),
            format!("{} to {}", page::text::percent(missing.reference), page::text::percent(missing.current)),
        ]);
    }
    for column in 2..8 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn preset(text: &str) -> Result<Preset, String> {
    match text {
        "strict" => Ok(Preset::Strict),
        "default" => Ok(Preset::Default),
        "tolerant" => Ok(Preset::Tolerant),
        _ => Err("write strict, default or tolerant".to_owned()),
    }
}

fn column_effect(text: &str) -> Result<(String, f64), String> {
    let wrong = || "write NAME=EFFECT, with an effect such as 0.15".to_owned();
    let (name, effect) = text.rsplit_once('=').ok_or_else(wrong)?;
    Ok((name.to_owned(), effect.parse().map_err(|_| wrong())?))
}

#[cfg(test)]
mod tests;
