//! `ebb evaluate`: how good a spec's models are on a file, by cross-validation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use fault::{Fault, FieldError, Kind};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use spec::{Batch, Metric, Spec};
use train::evaluate::{Estimate, Fold, cross_validate};
use train::evidence::{Warning, leakage};

use crate::files;

/// Arguments of `ebb evaluate`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Spec of the model.
    pub spec: PathBuf,
    /// CSV, Parquet or JSON file with the rows, as the spec's source would send them.
    #[arg(long)]
    pub data: PathBuf,
    /// How many folds to make, or a CSV file with the columns `row` (from 0) and `fold`. Folds are drawn from the spec's
    /// seed, with alike targets; where the spec names a `time`, each is fitted on the past and measured on what comes next.
    #[arg(long, default_value = "5")]
    pub folds: String,
    /// Draw the folds even where the spec names a `time`.
    #[arg(long)]
    pub shuffled: bool,
    /// An earlier `--json` answer to compare with, fold by fold.
    #[arg(long)]
    pub baseline: Option<PathBuf>,
    /// Answer JSON instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// What `ebb evaluate --json` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Rows that were used.
    pub rows: usize,
    /// Out-of-fold metrics.
    pub metrics: IndexMap<Metric, Estimate>,
    /// Wall time of all fits, in seconds.
    pub seconds: f64,
    /// With a baseline: this less the baseline, for the metrics that both have on equally many folds.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub difference: IndexMap<Metric, Estimate>,
    /// Columns that a person should look at before the figures are trusted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

/// Why nothing could be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] files::Error),
    /// The spec is not one.
    #[error("failed to read the spec {}", path.display())]
    Spec {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: spec::Error,
    },
    /// The folds cannot be used.
    #[error("the folds {text} cannot be used: {reason}")]
    Folds {
        /// What was asked for.
        text: String,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// The baseline is not an answer of this command.
    #[error("{} is not an answer of `ebb evaluate --json`", path.display())]
    Baseline {
        /// The file.
        path: PathBuf,
        /// What the JSON reader says.
        #[source]
        source: serde_json::Error,
    },
    /// A search has nothing to choose.
    #[error("{} says every setting of a fit: leave one such as `hidden` or `dropout` out", path.display())]
    NothingOpen {
        /// The spec's file.
        path: PathBuf,
    },
    /// A model could not be fitted.
    #[error(transparent)]
    Train(#[from] train::Error),
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::File(error) => error.kind(),
            Error::Spec { source, .. } => source.kind(),
            Error::Folds { .. } | Error::Baseline { .. } | Error::NothingOpen { .. } => Kind::Invalid,
            Error::Train(error) => error.kind(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Error::Spec { source, .. } => source.fields(),
            Error::File(error) => error.fields(),
            Error::Train(error) => error.fields(),
            _ => Vec::new(),
        }
    }
}

/// Runs `ebb evaluate`: the answer goes to standard output, progress to standard error.
///
/// # Errors
/// Every [`Error`].
#[expect(clippy::print_stdout, reason = "this is what the command is for")]
pub fn run(args: &Args) -> Result<(), Error> {
    let baseline = args.baseline.as_ref().map(|path| {
        serde_json::from_slice::<Answer>(&files::read(path)?)
            .map_err(|source| Error::Baseline { path: path.clone(), source })
    });
    let baseline = baseline.transpose()?;
    let answer = evaluate(args, baseline.as_ref())?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&answer).expect("numbers under text keys"));
    } else {
        println!("{}", table(&answer));
        println!("{} rows, {:.1} s", answer.rows, answer.seconds);
    }
    Ok(())
}

fn evaluate(args: &Args, baseline: Option<&Answer>) -> Result<Answer, Error> {
    let Rows { spec, read: rows } = Rows::read(&args.spec, &args.data)?;
    let kept = kept_rows(rows.n_source_rows, rows.quarantined.iter().map(|row| row.row));
    let folds = folds(args, &kept, &spec, &rows.batch)?;
    let warnings = leakage(&spec, &rows.batch, spec.train.seed).warnings;
    for Warning { column, reason, .. } in &warnings {
        eprintln!("look at `{column}`: {reason}");
    }
    let n_folds = folds.len();
    let began = Instant::now();
    let mut observer = |done: usize| eprintln!("fold {done} of {n_folds}: {:.1} s", began.elapsed().as_secs_f64());
    let evaluation = cross_validate(&spec, rows.batch, &folds, &mut observer)?;
    let seconds = began.elapsed().as_secs_f64();
    let difference = baseline.map(|baseline| difference(&evaluation.metrics, &baseline.metrics)).unwrap_or_default();
    Ok(Answer { rows: evaluation.rows, metrics: evaluation.metrics, seconds, difference, warnings })
}

/// A spec, and a file's rows as it reads them.
pub(crate) struct Rows {
    pub(crate) spec: Arc<Spec>,
    pub(crate) read: dataset::Read,
}

impl Rows {
    /// Reads both, and says on standard error which rows do not fit.
    pub(crate) fn read(spec_path: &Path, data: &Path) -> Result<Self, Error> {
        let text = String::from_utf8_lossy(&files::read(spec_path)?).into_owned();
        let spec = Spec::parse(&text).map_err(|source| Error::Spec { path: spec_path.to_owned(), source })?;
        let (bytes, format) = files::read_rows(data)?;
        let read = dataset::read(&spec, bytes, format).map_err(files::Error::rows(data))?;
        if let Some(first) = read.quarantined.first() {
            let reasons: Vec<String> = first.reasons.iter().map(ToString::to_string).collect();
            let n = read.quarantined.len();
            eprintln!("{n} rows do not fit the spec and are left out, the first because of {}", reasons.join("; "));
        }
        Ok(Self { spec: Arc::new(spec), read })
    }
}

/// The rows of the file that fit the spec, by their index there.
fn kept_rows(n_rows: u64, quarantined: impl Iterator<Item = u64>) -> Vec<u64> {
    let quarantined: std::collections::HashSet<u64> = quarantined.collect();
    (0..n_rows).filter(|row| !quarantined.contains(row)).collect()
}

/// Folds of the kept rows: by time or drawn from the spec's seed, or read from a file.
fn folds(args: &Args, kept: &[u64], spec: &Spec, rows: &Batch) -> Result<Vec<Fold>, Error> {
    let (text, seed) = (args.folds.as_str(), spec.train.seed);
    let refused = |reason: String| Error::Folds { text: text.to_owned(), reason };
    if let Ok(n_folds) = text.parse::<usize>() {
        if n_folds < 2 || n_folds > kept.len() {
            return Err(refused(format!("write 2 to {} folds, or a file", kept.len())));
        }
        return Ok(if args.shuffled { Fold::stratified(rows, n_folds, seed) } else { Fold::of(rows, n_folds, seed) });
    }
    #[derive(Deserialize)]
    struct Line {
        row: u64,
        fold: usize,
    }
    let bytes = files::read(Path::new(text))?;
    let mut by_row = BTreeMap::new();
    for line in csv::Reader::from_reader(&*bytes).deserialize::<Line>() {
        let line = line.map_err(|error| refused(format!("{error}; the columns are `row` and `fold`, both from 0")))?;
        by_row.insert(line.row, line.fold);
    }
    let missing = kept.iter().find(|row| !by_row.contains_key(row));
    if let Some(row) = missing {
        return Err(refused(format!("row {row} of the data, counted from 0, has no fold")));
    }
    let folds: Vec<usize> = kept.iter().map(|row| by_row[row]).collect();
    let n_folds = folds.iter().max().map_or(0, |last| last + 1);
    match (0..n_folds).find(|fold| !folds.contains(fold)) {
        Some(empty) => Err(refused(format!("fold {empty} has no row; folds are counted from 0"))),
        None if n_folds < 2 => Err(refused("there are fewer than two".to_owned())),
        None => Ok(Fold::assigned(&folds)),
    }
}

fn difference(now: &IndexMap<Metric, Estimate>, before: &IndexMap<Metric, Estimate>) -> IndexMap<Metric, Estimate> {
    let paired = now.iter().filter_map(|(metric, now)| {
        let before = before.get(metric).filter(|before| before.folds.len() == now.folds.len())?;
        let folds = now.folds.iter().zip(&before.folds).map(|(now, before)| now - before).collect();
        Some((*metric, Estimate::of(folds)))
    });
    paired.collect()
}

fn table(answer: &Answer) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    let mut header = vec!["metric", "mean", "standard error"];
    if !answer.difference.is_empty() {
        header.extend(["less baseline", "standard error"]);
    }
    let n_columns = header.len();
    table.set_header(header);
    let number = |value: f64| if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.4}") };
    for (metric, estimate) in &answer.metrics {
        let mut row = vec![metric.to_string()];
        for estimate in [Some(estimate), answer.difference.get(metric)].into_iter().flatten() {
            row.push(number(estimate.mean));
            row.push(estimate.standard_error.map(number).unwrap_or_default());
        }
        table.add_row(row);
    }
    for column in 1..n_columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}
