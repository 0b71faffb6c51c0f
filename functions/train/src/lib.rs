#![doc = include_str!("../README.md")]

mod challenger;
mod error;
pub mod evaluate;
pub mod evidence;
pub mod fit;
mod folds;
mod job;
pub mod remedy;
mod routes;
pub mod search;
mod window;
mod worker;

use std::sync::Arc;

use axum::Router;
use clap::Parser;
use host::Host;
use service::OpenApiRouter;

pub use error::Error;
pub use routes::routes;

use worker::Workers;

/// Settings of the function.
#[derive(Parser, Clone, Debug)]
#[command(name = "train", about = "Fits challengers on accepted batches")]
pub struct Config {
    /// Settings that every function has.
    #[command(flatten)]
    pub service: service::Config,
}

/// What the function uses.
#[derive(Clone, Debug)]
pub struct State {
    host: Host,
    workers: Arc<Workers>,
}

impl State {
    /// Opens what the settings name.
    ///
    /// # Errors
    /// The store cannot be opened.
    pub fn open(config: &Config) -> Result<Self, host::Error> {
        Ok(Self::new(Host::open(&config.service, service::Config::store_options())?))
    }

    /// A state over an open host.
    pub fn new(host: Host) -> Self {
        let workers = Arc::new(Workers::new(host.clone()));
        Self { host, workers }
    }

    /// Stops the fits of this process between two epochs and gives their leases back, so that another can go on.
    pub async fn drain(self) {
        self.workers.stop().await;
    }
}

/// The function as an HTTP service.
pub fn router(state: State) -> Router {
    let options = service::Options::new(state.host.config()).describe(include_str!("../README.md"));
    service::app("train", OpenApiRouter::new().merge(routes(state)), options)
}
