#![doc = include_str!("../README.md")]

mod check;
mod comparison;
mod error;
mod handlers;
mod live;
mod logged;
mod outlook;
mod parts;
mod spec_change;
mod standing;

use axum::Router;
use host::Host;
use service::{Mark, OpenApiRouter, Options, routes};

pub use check::REPORT_FILE;
pub use comparison::Checked;
pub use error::Error;
pub use handlers::{CheckRequest, PartRequest, Profiled};
pub use logged::Logged;

/// What an operator may set.
#[derive(clap::Parser, Clone, Debug)]
#[command(name = "check-drift", about = "Compares a batch with the data that the production version was trained on.")]
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
        .routes(routes!(handlers::check_drift).mutating().long())
        .routes(routes!(handlers::profile_part).mutating().long())
        .routes(routes!(handlers::report).public())
        .with_state(state)
}

/// The function as an app: what the server, Lambda and the tests all call.
pub fn router(state: State) -> Router {
    let options = Options::new(state.host.config()).describe(
        "Compares a batch with the reference that is stored in the production version and answers a decision with its \
         reasons.",
    );
    service::app("check-drift", routes(state), options)
}
