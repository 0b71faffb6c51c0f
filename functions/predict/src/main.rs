//! The predict function: a server, or an AWS Lambda function.

use std::error::Error;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = predict::Config::parse();
    let _telemetry = service::telemetry::init(&config.service, "predict")?;
    let state = predict::State::open(&config).await?;
    service::serve(&config.service, predict::router(state.clone()), state.drain()).await?;
    Ok(())
}
