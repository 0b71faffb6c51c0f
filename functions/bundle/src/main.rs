//! The binary `ebb`.

use std::process::ExitCode;

use bundle::{Cli, Command, demo, drift, evaluate, explain, new, run, search, source, up};
use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let done = |()| ExitCode::SUCCESS;
    let outcome: Result<ExitCode, Box<dyn std::error::Error>> = match Cli::parse().command {
        Command::Up(args) => up::run(args).await.map(done).map_err(Into::into),
        Command::Run(args) => run::run(args).await.map(done).map_err(Into::into),
        Command::New(args) => new::run(&args).map(done).map_err(Into::into),
        Command::Evaluate(args) => evaluate::run(&args).map(done).map_err(Into::into),
        Command::Search(args) => search::run(&args).map(done).map_err(Into::into),
        Command::Drift(args) => drift::run(&args).map_err(Into::into),
        Command::Explain(args) => explain::run(*args).await.map(done).map_err(Into::into),
        Command::Source(args) => source::run(args).await.map(done).map_err(Into::into),
        Command::Demo(args) => demo::run(args).await.map(done).map_err(Into::into),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("ebb: {}", fault::chain(&*error));
        ExitCode::FAILURE
    })
}
