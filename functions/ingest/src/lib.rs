#![doc = include_str!("../README.md")]

mod error;
mod heal;
mod next;
mod read;
mod routes;
mod source;

use axum::Router;
use clap::Parser;
use host::Host;
use service::OpenApiRouter;

pub use error::Error;
pub use next::{Ingested, Status};
pub use routes::routes;

/// Settings of the function.
#[derive(Parser, Clone, Debug)]
#[command(name = "ingest", about = "Pulls the next batch from a model's source, landing it first")]
pub struct Config {
    /// Settings that every function has.
    #[command(flatten)]
    pub service: service::Config,
}

/// What the function uses.
#[derive(Clone, Debug)]
pub struct State {
    host: Host,
    http: reqwest::Client,
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
        Self { host, http: reqwest::Client::new() }
    }
}

/// The function as an HTTP service.
pub fn router(state: State) -> Router {
    let options = service::Options::new(state.host.config()).describe(include_str!("../README.md"));
    service::app("ingest", OpenApiRouter::new().merge(routes(state)), options)
}
