//! The ingest function: a server, or an AWS Lambda function.

use std::error::Error;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = ingest::Config::parse();
    let _telemetry = service::telemetry::init(&config.service, "ingest")?;
    let state = ingest::State::open(&config)?;
    service::serve(&config.service, ingest::router(state), async {}).await?;
    Ok(())
}
