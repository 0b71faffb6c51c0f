#![doc = include_str!("../README.md")]

mod error;
mod form;
mod load;
mod neighbours;
mod page;
mod routes;
mod text;

use axum::Router;
use clap::Parser;
use host::Host;
use service::OpenApiRouter;
use url::Url;

use crate::neighbours::Neighbours;

pub use error::Error;
pub use routes::routes;

/// Settings of the function.
#[derive(Parser, Clone, Debug)]
#[command(name = "web", about = "Shows the models, their batches and decisions, and a form that predicts and explains")]
pub struct Config {
    /// Settings that every function has.
    #[command(flatten)]
    pub service: service::Config,

    /// Base URL of `predict`, which the form asks; it gets this process's token.
    ///
    /// Variable `EBB_PREDICT_URL`, a URL, default `http://127.0.0.1:8080`.
    #[arg(long, env = "EBB_PREDICT_URL", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub predict_url: Url,

    /// Base URL of `explain`, which the form asks; it gets this process's token.
    ///
    /// Variable `EBB_EXPLAIN_URL`, a URL, default `http://127.0.0.1:8080`.
    #[arg(long, env = "EBB_EXPLAIN_URL", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub explain_url: Url,
}

/// What the function uses. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct State {
    host: Host,
    neighbours: Neighbours,
}

impl State {
    /// Opens what the settings name.
    ///
    /// # Errors
    /// The store cannot be opened.
    pub fn open(config: &Config) -> Result<Self, host::Error> {
        let host = Host::open(&config.service, service::Config::store_options())?;
        Ok(Self::new(host, config.predict_url.clone(), config.explain_url.clone()))
    }

    /// A state over an open host. The form asks `predict` and `explain` below these base URLs, with the host's token.
    pub fn new(host: Host, predict_url: impl Into<String>, explain_url: impl Into<String>) -> Self {
        let token = host.config().token().cloned();
        Self { host, neighbours: Neighbours::new(predict_url.into(), explain_url.into(), token) }
    }
}

/// The function as an HTTP service.
pub fn router(state: State) -> Router {
    let options = service::Options::new(state.host.config()).describe(include_str!("../README.md"));
    service::app("web", OpenApiRouter::new().merge(routes(state)), options)
}
