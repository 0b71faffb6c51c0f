//! `ebb search`: which settings of a fit suit a file, by successive halving on cross-validation folds.

use std::ops::ControlFlow;
use std::path::PathBuf;

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use spec::Train;
use train::search::{Measured, Search, TrialKeeper, TrialState};

use crate::evaluate::{Error, Rows};

/// Arguments of `ebb search`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Spec of the model. What it says under `train` stays; what it leaves out is searched.
    pub spec: PathBuf,
    /// CSV, Parquet or JSON file with the rows, as the spec's source would send them.
    #[arg(long)]
    pub data: PathBuf,
    /// Settings to try, the defaults included.
    #[arg(long, required_unless_present = "seconds", conflicts_with = "seconds", value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub trials: Option<u64>,
    /// Seconds after which no more settings are tried.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub seconds: Option<u64>,
    /// Answer JSON instead of a table: what a version has as `search.json`.
    #[arg(long)]
    pub json: bool,
}

/// Runs `ebb search`: trials and the settings that did best go to standard output, progress to standard error.
///
/// # Errors
/// Those of [`Error`] that concern reading and fitting.
#[expect(clippy::print_stdout, reason = "this is what the command is for")]
pub fn run(args: &Args) -> Result<(), Error> {
    let Rows { spec, read } = Rows::read(&args.spec, &args.data)?;
    if spec.open_settings().is_empty() {
        return Err(Error::NothingOpen { path: args.spec.clone() });
    }
    let trials = args.trials.and_then(|trials| usize::try_from(trials).ok());
    let search = Some(spec::Search { trials, seconds: args.seconds });
    let asking = std::sync::Arc::new(spec.with_train(Train { search, ..spec.train.clone() }));
    let found = Search::of(&asking, &read.batch, &Teller)?.expect("the spec asks for a search");
    if args.json {
        println!("{}", String::from_utf8_lossy(&found.to_bytes()));
    } else {
        println!("{}\n{}", table(&found), conclusion(&found));
    }
    Ok(())
}

/// Tells of each measurement.
struct Teller;

impl TrialKeeper for Teller {
    fn find(&self, _: usize, _: usize) -> Result<Option<Measured>, train::Error> {
        Ok(None)
    }

    fn keep(&self, trial: usize, fold: usize, measured: &Measured) -> Result<(), train::Error> {
        let value = match &measured.value {
            Ok(value) => format!("{value:.5}"),
            Err(reason) => reason.clone(),
        };
        eprintln!("trial {trial}, fold {}: {value}, {:.1} s", fold + 1, measured.seconds);
        Ok(())
    }

    fn hear(&self, _: usize, _: usize) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

fn table(found: &Search) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.set_header(["trial", found.metric.name(), "folds", "end", "settings"]);
    for trial in &found.trials {
        let end = match trial.state {
            TrialState::Completed if trial.trial == found.chosen => "chosen",
            TrialState::Completed => "completed",
            TrialState::Stopped => "stopped",
            TrialState::Failed => "failed",
        };
        let mean = trial.mean.map(|mean| format!("{mean:.5}")).unwrap_or_default();
        let cells = [trial.trial.to_string(), mean, trial.folds.len().to_string(), end.to_owned()];
        table.add_row(cells.into_iter().chain([trial.settings.to_string()]));
    }
    table
}

/// The settings that did best, as they stand in a spec.
fn conclusion(found: &Search) -> String {
    match &found.difference {
        Some(difference) => {
            let error = difference.standard_error.map(|error| format!(" ± {error:.5}")).unwrap_or_default();
            let name = found.metric.name();
            format!(
                "# {name} less that of the defaults: {:.5}{error}\ntrain: {{{}}}",
                difference.mean,
                found.settings()
            )
        }
        None => "# nothing did better than the defaults".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn args(folder: &std::path::Path, train: &str) -> Args {
        let spec = folder.join("x.yaml");
        let text = format!(
            "name: x\ntask: regression\ntarget: {{column: y}}\ncolumns: {{x: {{kind: number}}}}\ntrain: {train}\n"
        );
        fs::write(&spec, text).unwrap();
        let data = folder.join("x.csv");
        let rows: String = (0..60).map(|row| format!("{},{}\n", row % 13, row % 13 * 3 + row % 5)).collect();
        fs::write(&data, format!("x,y\n{rows}")).unwrap();
        Args { spec, data, trials: Some(3), seconds: None, json: true }
    }

    #[test]
    fn a_search_ends_with_settings_that_a_spec_may_say() {
        let folder = tempfile::tempdir().unwrap();
        let args = args(folder.path(), "{kinds: [coarse], hidden: 8, bins: 4, epochs: 2, members: 1}");
        run(&args).unwrap();
        let Rows { spec, read } = Rows::read(&args.spec, &args.data).unwrap();
        let search = Some(spec::Search { trials: Some(3), seconds: None });
        let asking = std::sync::Arc::new(spec.with_train(Train { search, ..spec.train.clone() }));
        let mut found = Search::of(&asking, &read.batch, &Teller).unwrap().unwrap();
        assert_eq!(table(&found).row_iter().count(), 3);
        found.chosen = 1;
        found.difference = Some(train::evaluate::Estimate::of(vec![-1.0, -2.0]));
        let said = conclusion(&found);
        assert!(said.starts_with("# rmse less that of the defaults: -1.50000 ± 0.50000\ntrain: {"), "{said}");
        let whole =
            format!("name: x\ntask: regression\ntarget: {{column: y}}\ncolumns: {{x: {{kind: number}}}}\n{said}\n");
        assert_eq!(found.settings().over(&spec.train).dropout, spec::Spec::parse(&whole).unwrap().train.dropout);
    }

    #[test]
    fn a_spec_that_says_everything_leaves_nothing_to_search() {
        let folder = tempfile::tempdir().unwrap();
        let train = "{kinds: [coarse], hidden: 8, bins: 4, epochs: 2, learning_rate: 0.1, weight_decay: 0, dropout: 0}";
        let error = run(&args(folder.path(), train)).unwrap_err().to_string();
        assert!(error.contains("says every setting"), "{error}");
    }
}
