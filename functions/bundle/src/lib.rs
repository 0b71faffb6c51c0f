#![doc = include_str!("../README.md")]

mod client;
pub mod demo;
pub mod drift;
pub mod evaluate;
pub mod explain;
pub mod files;
pub mod new;
pub mod run;
pub mod search;
pub mod source;
pub mod up;

use clap::{Parser, Subcommand};

/// The command line.
#[derive(Parser, Debug)]
#[command(name = "ebb", about = "Tabular models that stay fresh by themselves", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `ebb` can do.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Serve every function on one port
    Up(up::Args),
    /// Play one turn of the loop: ingest, check drift, train, promote
    Run(run::Args),
    /// Write a first spec from a CSV or Parquet file
    New(new::Args),
    /// Tell how good a spec's models are on a file, by cross-validation
    Evaluate(evaluate::Args),
    /// Try settings of a fit on a file, and tell which do better than the defaults
    Search(search::Args),
    /// Compare a file with another one, without a spec; exit code 3 says that it drifted
    Drift(drift::Args),
    /// Tell what each column of some rows adds to a version's answers
    Explain(Box<explain::Args>),
    /// Simulate a data source
    Source(source::Args),
    /// Play the whole loop on simulated and on real data, and keep serving
    Demo(demo::Args),
}
