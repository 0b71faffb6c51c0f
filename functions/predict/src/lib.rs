#![doc = include_str!("../README.md")]

mod answer;
mod error;
mod feedback;
mod log;
mod lookup;
mod routes;
mod segment;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use clap::Parser;
use host::Host;
use service::{OpenApiRouter, Problem};
use serving::{Served, Slots};
use spec::Spec;

pub use error::Error;
pub use log::{LogSettings, PredictionLog};
pub use routes::routes;

/// Settings of the function.
#[derive(Parser, Clone, Debug)]
#[command(name = "predict", about = "Serves the production version of each model")]
pub struct Config {
    /// Settings that every function has.
    #[command(flatten)]
    pub service: service::Config,

    /// Milliseconds between two looks at the production alias of a served model.
    ///
    /// Variable `EBB_FOLLOW_MS`, milliseconds from 10 to 60000, default `500`.
    #[arg(long, env = "EBB_FOLLOW_MS", default_value_t = 500, value_name = "MS",
        value_parser = clap::value_parser!(u64).range(10..=60_000))]
    pub follow_ms: u64,
}

/// What the function uses. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct State(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    host: Host,
    slots: Slots,
    log: PredictionLog,
    documented: Vec<Arc<Spec>>,
}

impl State {
    /// Opens what the settings name.
    ///
    /// # Errors
    /// The store or the folder of specs cannot be read.
    pub async fn open(config: &Config) -> Result<Self, host::Error> {
        let host = Host::open(&config.service, service::Config::store_options())?;
        let documented = host.specs().all().await?;
        let slots = Slots::new(host.registry().clone(), Duration::from_millis(config.follow_ms));
        Ok(Self::over(host, slots, LogSettings::default(), documented))
    }

    /// A state over an open host, with slots of its own.
    pub fn new(host: Host) -> Self {
        let slots = Slots::new(host.registry().clone(), Slots::PERIOD);
        Self::over(host, slots, LogSettings::default(), Vec::new())
    }

    /// A state whose slots may be shared with other functions of the process. `documented` are the specs whose records
    /// the OpenAPI document describes.
    pub fn over(host: Host, slots: Slots, log: LogSettings, documented: Vec<Arc<Spec>>) -> Self {
        let log = PredictionLog::new(host.registry().clone(), log);
        Self(Arc::new(Inner { host, slots, log, documented }))
    }

    /// Writes what waits in the prediction log to the store; to be called when no request is left.
    pub async fn drain(self) {
        self.0.log.flush().await;
    }

    /// Every reason why requests cannot be answered; none when they can. A refused version whose last good one still serves
    /// is none: taking every replica out of service would turn a bad promotion into an outage. Metrics tell of it.
    pub fn troubles(&self) -> Vec<String> {
        self.0.slots.outages().into_iter().chain(self.0.log.trouble()).collect()
    }

    /// Every version that production names and that is refused, with the reason; an earlier one may serve in its place.
    pub fn refusals(&self) -> Vec<String> {
        self.0.slots.troubles()
    }

    /// The production version of a model.
    async fn served(&self, model: &str) -> Result<Arc<Served>, Problem> {
        match self.0.slots.get(model).await {
            Ok(served) => Ok(served),
            // A model that has a spec and no data yet is no typing mistake.
            Err(serving::Error::UnknownModel { .. }) if self.0.host.spec(model).await.is_ok() => {
                Err(serving::Error::NoProduction { model: model.to_owned() }.into())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The function as an HTTP service.
pub fn router(state: State) -> Router {
    let watched = state.clone();
    let ready = move || {
        let troubles = watched.troubles();
        async move { if troubles.is_empty() { Ok(()) } else { Err(troubles) } }
    };
    let options = service::Options::new(state.0.host.config()).ready(ready).describe(include_str!("../README.md"));
    service::app("predict", OpenApiRouter::new().merge(routes(state)), options)
}
