//! The web function: a server, or an AWS Lambda function.

use std::error::Error;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = web::Config::parse();
    let _telemetry = service::telemetry::init(&config.service, "web")?;
    let state = web::State::open(&config)?;
    service::serve(&config.service, web::router(state), async {}).await?;
    Ok(())
}
