#![doc = include_str!("../README.md")]

mod compare;
mod decision;
mod error;
mod evidence;
mod figures;
mod handlers;
mod promotion;
mod rollback;
mod rules;

use axum::Router;
use host::Host;
use service::{Mark, OpenApiRouter, Options, routes};

pub use compare::bootstrap;
pub use decision::Decided;
pub use error::Error;
pub use evidence::{Evidence, Floor, History, Metrics, New};
pub use handlers::{PromoteRequest, RollbackRequest};

/// What an operator may set.
#[derive(clap::Parser, Clone, Debug)]
#[command(name = "promote", about = "Moves the production alias to a version that is better, or says why not.")]
pub struct Config {
    /// What every function has.
    #[command(flatten)]
    pub service: service::Config,
}

/// What the handlers share.
#[derive(Clone, Debug)]
pub struct State {
    host: Host,
}

impl State {
    /// Opens the configured store and specs.
    ///
    /// # Errors
    /// The store's own, when it cannot be opened.
    pub fn open(config: &Config) -> Result<Self, host::Error> {
        Ok(Self::new(Host::open(&config.service, service::Config::store_options())?))
    }

    /// Works on a host that is already open.
    pub fn new(host: Host) -> Self {
        Self { host }
    }
}

/// The function's routes, to be served alone or beside others.
pub fn routes(state: State) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(handlers::promote).mutating().long())
        .routes(routes!(handlers::rollback).mutating().long())
        .with_state(state)
}

/// The function as an app: what the server, Lambda and the tests all call.
pub fn router(state: State) -> Router {
    let options = Options::new(state.host.config()).describe(
        "Scores champion and challenger on the same held-out rows and moves the `production` alias by compare-and-set, \
         or says why not.",
    );
    service::app("promote", routes(state), options)
}
