//! The function `check-drift` as a process.

use std::error::Error;

use clap::Parser;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = check_drift::Config::parse();
    let _telemetry = service::telemetry::init(&config.service, "check-drift")?;
    let state = check_drift::State::open(&config)?;
    service::serve(&config.service, check_drift::router(state), async {}).await?;
    Ok(())
}
