//! The train function: a server, or an AWS Lambda function.

use std::error::Error;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = train::Config::parse();
    let _telemetry = service::telemetry::init(&config.service, "train")?;
    let state = train::State::open(&config)?;
    service::serve(&config.service, train::router(state.clone()), state.drain()).await?;
    Ok(())
}
