//! The function `promote` as a process.

use std::error::Error;

use clap::Parser;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = promote::Config::parse();
    let _telemetry = service::telemetry::init(&config.service, "promote")?;
    let state = promote::State::open(&config)?;
    service::serve(&config.service, promote::router(state), async {}).await?;
    Ok(())
}
