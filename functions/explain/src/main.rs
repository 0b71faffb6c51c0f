//! The explain function: a server, or an AWS Lambda function.

use std::error::Error;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = explain::Config::parse();
    let _telemetry = service::telemetry::init(&config.service, "explain")?;
    let state = explain::State::open(&config).await?;
    service::serve(&config.service, explain::router(state.clone()), state.drain()).await?;
    Ok(())
}
