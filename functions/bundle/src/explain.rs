//! `ebb explain`: what each column of some rows adds to a version's answers, or how much it matters to them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use dataset::Cells;
use fault::{Fault, FieldError, Kind};
use host::Host;
use registry::{Registry, VersionId};
use serde_json::{Map, Value as Json, json};
use service::Problem;
use serving::Served;
use spec::{Cell, Spec, Value};

use crate::files;

/// Rows that are explained together.
const ROWS_TOGETHER: usize = 100;

/// Arguments of `ebb explain`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// A version's id or its beginning, or a model's name for the version that production names.
    pub version: String,
    /// CSV, Parquet or JSON file with the rows. Without it, how much each column matters over the version's background rows,
    /// with `--json` also how answers depend on it.
    pub rows: Option<PathBuf>,
    /// Units of the values: `probability` or `logit` for classes, `target` for numbers. Default: as the spec says.
    #[arg(long)]
    pub space: Option<String>,
    /// The class to explain. Default: the positive one of two, or all of several.
    #[arg(long)]
    pub class: Option<String>,
    /// Sampling ends when no value is less certain than this; in the units of the values.
    #[arg(long, value_name = "ERROR")]
    pub standard_error: Option<f64>,
    /// Milliseconds for every hundred rows. Default and at most: as the spec says.
    #[arg(long, value_name = "MS")]
    pub deadline_ms: Option<u64>,
    /// Answer what each pair of columns adds together, too; with `--json`.
    #[arg(long, requires_all = ["json", "rows"])]
    pub interactions: bool,
    /// Answer the JSON of `POST /explain`, or of its summary, instead of tables.
    #[arg(long)]
    pub json: bool,
    /// Settings that every function has.
    #[command(flatten)]
    pub service: service::Config,
}

/// Why nothing could be explained.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store cannot be used.
    #[error(transparent)]
    Host(#[from] host::Error),
    /// The registry failed.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// The version cannot be opened.
    #[error(transparent)]
    Version(#[from] serving::Error),
    /// Nothing has this name.
    #[error("`{text}` is neither a version nor a model with one in production; {known}")]
    Unknown {
        /// What was asked for.
        text: String,
        /// What there is.
        known: String,
    },
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] files::Error),
    /// The file holds nothing to explain.
    #[error("{} has no rows", path.display())]
    NoRows {
        /// The file.
        path: PathBuf,
    },
    /// The rows do not fit the version, or cannot be explained. Rows are counted from 0 below `/records`.
    #[error("{0}")]
    Explain(String),
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Host(error) => error.kind(),
            Error::Registry(error) => error.kind(),
            Error::Version(error) => error.kind(),
            Error::Unknown { .. } => Kind::NotFound,
            Error::File(error) => error.kind(),
            Error::NoRows { .. } | Error::Explain(_) => Kind::Invalid,
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Error::File(error) => error.fields(),
            _ => Vec::new(),
        }
    }
}

/// Runs `ebb explain`: the answer goes to standard output, what is left out to standard error.
///
/// # Errors
/// Every [`Error`].
#[expect(clippy::print_stdout, reason = "this is what the command is for")]
pub async fn run(args: Args) -> Result<(), Error> {
    let host = Host::open(&args.service, service::Config::store_options())?;
    let (model, version) = find(host.registry(), &args.version).await?;
    let served = Arc::new(serving::open(host.registry(), &model, &version).await?);
    let state = ::explain::State::new(host);
    let records = args.rows.as_ref().map(|path| read_records(served.spec(), path)).transpose()?;
    let answer = match &records {
        Some(records) => explain_all(&state, &served, &args, records).await?,
        None => state.summarise(&served, asked(&args)).await.map_err(|problem| Error::Explain(told(&problem)))?,
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&answer).expect("it was made of JSON"));
        return Ok(());
    }
    println!("{} {}", served.model(), served.version().short());
    match &records {
        Some(records) => tell_rows(records, &answer),
        None => tell_summary(&answer),
    }
    Ok(())
}

/// A table for each row, or for each class of it.
#[expect(clippy::print_stdout, reason = "this is what the command is for")]
fn tell_rows(records: &[Json], answer: &Json) {
    let explanations = answer["explanations"].as_array().into_iter().flatten();
    for (row, (record, explained)) in records.iter().zip(explanations).enumerate() {
        match explained["classes"].as_object() {
            Some(classes) => {
                for (class, output) in classes {
                    println!("\nrow {}, {class}: {}", row + 1, headline(output, explained));
                    println!("{}", table(record, output));
                }
            }
            None => {
                println!("\nrow {}: {}", row + 1, headline(explained, explained));
                println!("{}", table(record, explained));
            }
        }
    }
}

/// A table of how much each column matters, or one for each class.
#[expect(clippy::print_stdout, reason = "this is what the command is for")]
fn tell_summary(answer: &Json) {
    println!(
        "mean size of each column's values over {} background rows ({})",
        answer["rows"],
        text_in(&answer["method"])
    );
    match answer["classes"].as_object() {
        Some(classes) => {
            for (class, summary) in classes {
                println!("\n{class}, from a base value of {}", text_of(&summary["base_value"]));
                println!("{}", importance(summary));
            }
        }
        None => {
            println!("from a base value of {}", text_of(&answer["base_value"]));
            println!("{}", importance(answer));
        }
    }
}

/// The model and the version that a text names.
async fn find(registry: &Registry, text: &str) -> Result<(String, VersionId), Error> {
    let models = registry.models().await?;
    if models.iter().any(|model| model == text)
        && let Some(production) = registry.production(text).await?
    {
        return Ok((text.to_owned(), production.version));
    }
    let mut found = Vec::new();
    if text.len() >= 4 {
        for model in &models {
            let versions = registry.versions(model).await?.into_iter().map(|manifest| manifest.version);
            found.extend(versions.filter(|id| id.as_str().starts_with(text)).map(|id| (model.clone(), id)));
        }
    }
    match (found.len(), found.pop()) {
        (1, Some(one)) => Ok(one),
        (0, _) => {
            let known = match models.join(", ") {
                names if names.is_empty() => "the store has no models".to_owned(),
                names => format!("the store has the models {names}"),
            };
            Err(Error::Unknown { text: text.to_owned(), known })
        }
        (n, _) => Err(Error::Unknown { text: text.to_owned(), known: format!("{n} versions begin so: write more") }),
    }
}

/// The rows of a file as `POST /explain` takes them. Columns that no record has, such as the target, are left out and told.
fn read_records(spec: &Spec, path: &Path) -> Result<Vec<Json>, Error> {
    let (bytes, format) = files::read_rows(path)?;
    let table = dataset::Table::read(bytes, format).map_err(files::Error::rows(path))?;
    if table.n_rows == 0 {
        return Err(Error::NoRows { path: path.to_owned() });
    }
    let mut records = vec![Map::new(); table.n_rows];
    let mut left_out = Vec::new();
    for column in &table.columns {
        let renamed = spec.source.as_ref().and_then(|source| source.rename.get(&column.name));
        let name = renamed.unwrap_or(&column.name);
        let Some(definition) = spec.columns.get(name) else {
            left_out.push(format!("`{}`", column.name));
            continue;
        };
        for (row, record) in records.iter_mut().enumerate() {
            record.insert(name.clone(), to_json(definition, &column.cells, row));
        }
    }
    if !left_out.is_empty() {
        eprintln!("{} are no inputs of the model and left out", left_out.join(", "));
    }
    if table.n_skipped > 0 {
        eprintln!("{} rows cannot be read and are left out", table.n_skipped);
    }
    Ok(records.into_iter().map(Json::Object).collect())
}

/// A cell as JSON; text of a format without types as what its column takes it for.
fn to_json(column: &spec::Column, cells: &Cells, row: usize) -> Json {
    match cells {
        Cells::Numbers(numbers) if numbers[row].is_nan() => Json::Null,
        Cells::Numbers(numbers) => json!(numbers[row]),
        Cells::Booleans(booleans) => json!(booleans[row]),
        Cells::Text(text) => match (text.level(row), column.kind) {
            (None, _) => Json::Null,
            (Some(level), spec::Kind::Boolean) => match column.accept(Cell::Untyped(level)) {
                Ok(Value::Level(boolean)) => json!(boolean == "true"),
                _ => json!(level),
            },
            (Some(level), spec::Kind::Number) => {
                level.trim().parse::<f64>().map_or(json!(level), |number| json!(number))
            }
            (Some(level), _) => json!(level),
        },
    }
}

/// What a request says that holds for rows and for a summary.
fn asked(args: &Args) -> Json {
    let asked = [
        ("space", args.space.as_ref().map(|space| json!(space))),
        ("class", args.class.as_ref().map(|class| json!(class))),
        ("standard_error", args.standard_error.map(|standard_error| json!(standard_error))),
        ("deadline_ms", args.deadline_ms.map(|deadline_ms| json!(deadline_ms))),
    ];
    asked.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

/// The answer of `POST /explain` for all rows.
async fn explain_all(
    state: &::explain::State,
    served: &Arc<Served>,
    args: &Args,
    records: &[Json],
) -> Result<Json, Error> {
    let mut whole: Option<Json> = None;
    for records in records.chunks(ROWS_TOGETHER) {
        let mut body = asked(args);
        body["records"] = json!(records);
        body["interactions"] = json!(args.interactions);
        let mut answer = state.explain(served, body).await.map_err(|problem| Error::Explain(told(&problem)))?;
        match &mut whole {
            None => whole = Some(answer),
            Some(whole) => {
                if let (Some(all), Some(more)) =
                    (whole["explanations"].as_array_mut(), answer["explanations"].as_array_mut())
                {
                    all.append(more);
                }
            }
        }
    }
    Ok(whole.unwrap_or_default())
}

/// Columns by how much they matter.
fn importance(summary: &Json) -> Table {
    let mut columns: Vec<(&String, &Json)> = summary["importance"].as_object().into_iter().flatten().collect();
    columns.sort_by(|left, right| size(right.1).total_cmp(&size(left.1)));
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["column", "adds or takes"]);
    for (column, value) in columns {
        table.add_row([column.clone(), text_of(value)]);
    }
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// A problem with every field's error.
fn told(problem: &Problem) -> String {
    let document = serde_json::to_value(problem).unwrap_or_default();
    let mut text = document["detail"].as_str().unwrap_or("it cannot be explained").to_owned();
    for error in document["errors"].as_array().into_iter().flatten() {
        let (pointer, detail) = (error["pointer"].as_str().unwrap_or(""), error["detail"].as_str().unwrap_or(""));
        text.push_str(&format!("\n  {pointer}: {detail}"));
    }
    text
}

/// The prediction, where it starts from, and how the values were found.
fn headline(output: &Json, explained: &Json) -> String {
    let number = |key: &str| text_of(&output[key]);
    let method = text_in(&explained["method"]);
    let evaluations = &explained["evaluations"];
    format!(
        "{} from a base value of {} ({method}, {evaluations} evaluations)",
        number("prediction"),
        number("base_value")
    )
}

fn text_in(text: &Json) -> &str {
    text.as_str().unwrap_or("")
}

/// Columns by how much they add.
fn table(record: &Json, output: &Json) -> Table {
    let has_errors = output["standard_error"].is_object();
    let mut table = Table::new();
    table.load_style(NOTHING);
    let mut header = vec!["column", "cell", "adds"];
    if has_errors {
        header.push("standard error");
    }
    let n_columns = header.len();
    table.set_header(header);
    let mut values: Vec<(&String, &Json)> = output["values"].as_object().into_iter().flatten().collect();
    values.sort_by(|left, right| size(right.1).total_cmp(&size(left.1)));
    for (column, value) in values {
        let cell = match &record[column] {
            Json::Null => "missing".to_owned(),
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        let mut row = vec![column.clone(), cell, text_of(value)];
        if has_errors {
            row.push(text_of(&output["standard_error"][column]));
        }
        table.add_row(row);
    }
    for column in 2..n_columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn size(value: &Json) -> f64 {
    value.as_f64().unwrap_or(0.0).abs()
}

/// A number for people: four digits after the point, or none where it is large.
fn text_of(number: &Json) -> String {
    let value = number.as_f64().unwrap_or(f64::NAN);
    if value.abs() >= 1000.0 { format!("{value:.0}") } else { format!("{value:.4}") }
}
