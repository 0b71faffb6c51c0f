//! `ebb source`: a data source to try the loop on, over HTTP, with the contract of an API that hands out
//! one batch a read.
//!
//! `GET /data?group_number=N` answers the next batch of rows and moves that group's cursor; after the last batch it answers
//! 400. `GET /restart_data_generation?group_number=N` starts that group again, and the same bytes follow. The rows are
//! generated (`--system`) or read from a file (`--data`), and `--drift` changes them on purpose. A source can also wait
//! between batches, be slow, or break in the ways that real ones do, so that clients can be tested.
//!
//! It stands before the first function of a row's journey and shares no code with them: a simulator that used the
//! product's own parsers would agree with their mistakes.
//!
//! ```text
//! ebb source --system real-estate --scale 0.05
//! ebb source --data bankchurn.csv --rows 5000,2500 --target Exited --drift 'flip:Age<38&IsActiveMember=1:0.45'
//! ebb source --data hotel.csv --every month:arrival_date --first 4
//! ```

mod cursor;
mod draw;
mod drift;
mod real_estate;
mod replay;
mod rows;
mod server;
mod systems;

use std::path::PathBuf;
use std::sync::Arc;

use fault::{Fault, Kind};
use serde_json::{Map, Value, json};

pub use drift::{Drift, NEW_LEVEL, NEW_LEVEL_SHARE};
pub use replay::{Every, Period};
pub use server::{Broken, Failure, Source, router, run};
pub use systems::System;

use draw::{Draw, Purpose};
use drift::Schema;
use real_estate::RealEstate;
use replay::Replay;
use rows::Table;
use systems::Generator;

/// Rows of a batch where nothing else is said.
const DEFAULT_ROWS: usize = 2000;
/// Batches of a generated system, unless `--rows` names more.
const DEFAULT_BATCHES: usize = 5;

/// What to serve, and how. Exactly one of `system` and `data` is given.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Generate a system's rows
    #[arg(long, value_enum, required_unless_present = "data", conflicts_with = "data")]
    pub system: Option<System>,

    /// Replay a CSV or Parquet file
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,

    /// Times the published row counts of real-estate's batches; at least one row each
    #[arg(long, default_value_t = 1.0)]
    pub scale: f64,

    /// Rows of each batch. The last repeats: until the file ends, or until a system has five batches [default: 2000]
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub rows: Vec<usize>,

    /// One batch a calendar period of a file's column, in order: month:COLUMN or year:COLUMN
    #[arg(long, value_name = "PERIOD:COLUMN", conflicts_with = "rows")]
    pub every: Option<Every>,

    /// Calendar periods in the first batch
    #[arg(long, value_name = "PERIODS", default_value_t = 1, requires = "every")]
    pub first: usize,

    /// The file's column to predict, for the drifts that change it; systems know theirs
    #[arg(long, value_name = "COLUMN")]
    pub target: Option<String>,

    /// Change the rows; may be repeated. One of reweight:COLUMN:STRENGTH (covariate), prior:CLASS=RATE or
    /// prior:COLUMN:CLASS=RATE (label),
    /// flip:CONDITION:RATE (concept), shift:COLUMN:SIGMAS, newcat:COLUMN, missing:COLUMN:RATE. A CONDITION is COLUMN OP
    /// VALUE, joined by &, with OP one of < <= > >= = !=
    #[arg(long, value_name = "DRIFT")]
    pub drift: Vec<Drift>,

    /// The first batch that the drifts change, counted from 0
    #[arg(long, value_name = "BATCH", default_value_t = 1)]
    pub drift_from: usize,

    /// Seed of the generated rows and of the drifts
    #[arg(long, default_value_t = 7)]
    pub seed: u64,

    /// Seconds within which a group's repeated read answers the same batch again instead of the next; 0 for none
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub gate_s: u64,

    /// Milliseconds to wait before each batch is answered; the cursor has moved by then
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub slow_ms: u64,

    /// Fail once on a batch, then work; may be repeated. truncate (the connection ends half way), status (HTTP 500), hang (no
    /// answer) or json (half the document). The cursor stays, or with :advance moves, so that the client has lost the batch
    #[arg(long, value_name = "KIND:BATCH[:advance]")]
    pub broken: Vec<Broken>,

    /// File that keeps the cursors over a restart of this process
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,

    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    pub host: String,

    /// Port to listen on; 0 takes a free one. The address is printed on stdout
    #[arg(long, default_value_t = 8000)]
    pub port: u16,
}

impl Default for Args {
    /// The command line's defaults; neither `system` nor `data` is set.
    fn default() -> Self {
        Self {
            system: None,
            data: None,
            scale: 1.0,
            rows: Vec::new(),
            every: None,
            first: 1,
            target: None,
            drift: Vec::new(),
            drift_from: 1,
            seed: 7,
            gate_s: 0,
            slow_ms: 0,
            broken: Vec::new(),
            state: None,
            host: "127.0.0.1".to_owned(),
            port: 8000,
        }
    }
}

/// Why a source cannot be built or served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither or both of `--system` and `--data`.
    #[error("give exactly one of --system and --data")]
    OneOf,
    /// An option that is wrong or does not go with the others.
    #[error("{option} `{piece}`: {hint}")]
    Option {
        /// The option.
        option: &'static str,
        /// The part that is wrong.
        piece: String,
        /// What would be right.
        hint: String,
    },
    /// A drift condition that cannot be read or that these rows cannot have.
    #[error("--drift `{text}`: at `{piece}`: {hint}")]
    Drift {
        /// The whole condition.
        text: String,
        /// The part that is wrong.
        piece: String,
        /// What would be right.
        hint: String,
    },
    /// A file that is missing or not what its extension says.
    #[error("failed to read the rows of {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file with a header and nothing else.
    #[error("{} has no rows", path.display())]
    NoRows {
        /// The file.
        path: PathBuf,
    },
    /// A CSV header with an empty or repeated name.
    #[error("the header of {} has `{column}` twice or without a name", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// The name.
        column: String,
    },
    /// A Parquet column that is no scalar.
    #[error("column `{column}` of {} has the type {data_type}; numbers, booleans, text and dates can be served", path.display())]
    ColumnType {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// Its type.
        data_type: String,
    },
    /// A row without a date that `--every` can read.
    #[error("row {row} has no date in `{column}`; expected {expected}")]
    Date {
        /// The column.
        column: String,
        /// The row, from 1, the header not counted.
        row: usize,
        /// What would be right.
        expected: &'static str,
    },
    /// The state file cannot be read or written.
    #[error("failed to keep the cursors in {}", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The state file belongs to a source with other rows.
    #[error("{} has the cursors of another source; remove it, or start the source with the options it had", path.display())]
    ForeignState {
        /// The file.
        path: PathBuf,
    },
    /// The address cannot be listened on, or serving ended.
    #[error("failed to serve on {address}")]
    Serve {
        /// The address.
        address: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A task that generated rows ended before its time.
    #[error("failed to generate batch {batch}")]
    Task {
        /// The batch.
        batch: usize,
        /// The cause.
        source: tokio::task::JoinError,
    },
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::State { .. } | Error::Serve { .. } | Error::Task { .. } => Kind::Internal,
            Error::ForeignState { .. } => Kind::Conflict,
            Error::Read { .. } => Kind::Malformed,
            _ => Kind::Invalid,
        }
    }
}

/// Where rows come from.
#[derive(Debug)]
enum Rows {
    RealEstate(Box<RealEstate>),
    Generated { generator: &'static Generator, sizes: Vec<usize>, seed: u64 },
    Replay(Box<Replay>),
}

/// The batches of a source, drift included: batch `b` is the same bytes whenever it is asked for.
#[derive(Debug)]
struct Batches {
    rows: Rows,
    drifts: Vec<Drift>,
    drift_from: usize,
    seed: u64,
    schema: Schema,
    /// What `GET /` says about the rows.
    about: Map<String, Value>,
}

impl Batches {
    fn build(args: &Args) -> Result<Self, Error> {
        let wrong =
            |option: &'static str, piece: String, hint: &str| Error::Option { option, piece, hint: hint.to_owned() };
        if args.rows.contains(&0) {
            return Err(wrong("--rows", "0".into(), "a batch has at least one row"));
        }
        let real_estate = args.system == Some(System::RealEstate);
        if !(args.scale.is_finite() && args.scale > 0.0 && args.scale <= 100.0) {
            return Err(wrong("--scale", args.scale.to_string(), "expected a number above 0, at most 100"));
        }
        if args.scale != 1.0 && !real_estate {
            return Err(wrong("--scale", args.scale.to_string(), "it goes with --system real-estate; use --rows"));
        }
        if real_estate && !args.rows.is_empty() {
            return Err(wrong("--rows", join(&args.rows), "real-estate has published counts; use --scale"));
        }
        if let (Some(system), Some(target)) = (args.system, &args.target) {
            let hint = format!("--system {} knows its target; it goes with --data", system.name());
            return Err(wrong("--target", target.clone(), &hint));
        }
        if let (None, Some(every)) = (&args.data, &args.every) {
            return Err(wrong("--every", every.column.clone(), "it goes with --data"));
        }
        let (rows, schema) = match (args.system, &args.data) {
            (Some(system), None) => generated(args, system),
            (None, Some(_)) => replayed(args)?,
            _ => return Err(Error::OneOf),
        };
        for drift in &args.drift {
            drift.check(&schema)?;
        }
        let mut batches = Self {
            rows,
            drifts: args.drift.clone(),
            drift_from: args.drift_from,
            seed: args.seed,
            schema,
            about: Map::new(),
        };
        batches.about = batches.describe(args);
        Ok(batches)
    }

    /// Rows of each batch.
    fn sizes(&self) -> Vec<usize> {
        match &self.rows {
            Rows::RealEstate(world) => world.batch_rows(),
            Rows::Generated { sizes, .. } => sizes.clone(),
            Rows::Replay(replay) => replay.batch_rows(),
        }
    }

    /// `synthetic` or `replay`: what the rows are, for the header `x-ebb-data`.
    fn label(&self) -> &'static str {
        if matches!(self.rows, Rows::Replay(_)) { "replay" } else { "synthetic" }
    }

    /// Batch `batch`, with its drift.
    fn batch(&self, batch: usize) -> Result<Table, Error> {
        let mut table = match &self.rows {
            Rows::RealEstate(world) => world.batch(batch),
            Rows::Generated { generator, sizes, seed } => {
                generator.batch(*seed, batch, sizes[..batch].iter().sum(), sizes[batch])
            }
            Rows::Replay(replay) => replay.batch(batch),
        };
        if batch >= self.drift_from {
            for (position, drift) in self.drifts.iter().enumerate() {
                let mut draw = Draw::new(self.seed, Purpose::Drift, position, batch);
                table = drift.apply(table, &self.schema, &mut draw)?;
            }
        }
        Ok(table)
    }

    fn describe(&self, args: &Args) -> Map<String, Value> {
        let sizes = self.sizes();
        let mut about = Map::new();
        about.insert("data".into(), json!(self.label()));
        let name = match (&args.system, &args.data) {
            (Some(system), _) => system.name().to_owned(),
            (None, Some(path)) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            (None, None) => String::new(),
        };
        about.insert("source".into(), json!(name));
        about.insert("target".into(), json!(self.schema.target));
        about.insert("batches".into(), json!(sizes.len()));
        about.insert("rows".into(), json!(sizes));
        about.insert("seed".into(), json!(self.seed));
        match &self.rows {
            Rows::RealEstate(_) => {
                let scores = |(r2, mae): (f64, f64)| json!({"r2_log": r2, "mae_log": mae});
                about.insert("scale".into(), json!(args.scale));
                about.insert(
                    "best".into(),
                    json!({
                        "joint": {"r2_log": real_estate::BEST_R2},
                        "all_batches": scores(real_estate::POOLED_BEST),
                        "by_batch": real_estate::BATCH_BEST.map(scores),
                    }),
                );
            }
            Rows::Generated { generator, .. } => {
                let best: Map<String, Value> =
                    generator.best.iter().map(|(name, score)| ((*name).to_owned(), json!(score))).collect();
                about.insert("best".into(), Value::Object(best));
            }
            Rows::Replay(_) => {}
        }
        if !self.drifts.is_empty() {
            about.insert("drift".into(), json!(self.drifts.iter().map(Drift::text).collect::<Vec<_>>()));
            about.insert("drift_from".into(), json!(self.drift_from));
        }
        about
    }
}

fn generated(args: &Args, system: System) -> (Rows, Schema) {
    let Some(generator) = system.generator() else {
        let sample = Arc::new(RealEstate::new(1e-9, args.seed).batch(0));
        let world = Box::new(RealEstate::new(args.scale, args.seed));
        return (Rows::RealEstate(world), Schema { sample, target: Some("price".into()), classes: Vec::new() });
    };
    let mut sizes = args.rows.clone();
    let last = sizes.last().copied().unwrap_or(DEFAULT_ROWS);
    sizes.resize(sizes.len().max(DEFAULT_BATCHES), last);
    let schema = Schema {
        sample: Arc::new(generator.batch(args.seed, 0, 0, 1)),
        target: Some(generator.target.to_owned()),
        classes: generator.classes.iter().map(|class| (*class).to_owned()).collect(),
    };
    (Rows::Generated { generator, sizes, seed: args.seed }, schema)
}

fn replayed(args: &Args) -> Result<(Rows, Schema), Error> {
    let path = args.data.as_deref().ok_or(Error::OneOf)?;
    let replay = match &args.every {
        Some(every) => Replay::by_period(path, every, args.first)?,
        None if args.rows.is_empty() => Replay::by_rows(path, &[DEFAULT_ROWS])?,
        None => Replay::by_rows(path, &args.rows)?,
    };
    let classes = match &args.target {
        None => Vec::new(),
        Some(target) => {
            let column = replay.table().get(target).ok_or_else(|| Error::Option {
                option: "--target",
                piece: target.clone(),
                hint: format!("there is no such column; the columns are {}", replay.table().names().join(", ")),
            })?;
            drift::classes(column)
        }
    };
    let schema = Schema { sample: Arc::clone(replay.table()), target: args.target.clone(), classes };
    Ok((Rows::Replay(Box::new(replay)), schema))
}

fn join(sizes: &[usize]) -> String {
    sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests;
