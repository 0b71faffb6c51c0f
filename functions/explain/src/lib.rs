#![doc = include_str!("../README.md")]

mod answer;
mod error;
mod routes;
mod summary;
mod work;

use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use axum::Router;
use clap::Parser;
use host::Host;
use service::{OpenApiRouter, Problem};
use serving::{Served, Slots};
use spec::Spec;
use tokio::sync::Semaphore;

pub use error::Error;
pub use routes::routes;

/// Settings of the function.
#[derive(Parser, Clone, Debug)]
#[command(name = "explain", about = "Explains predictions of the production version of each model")]
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
    documented: Vec<Arc<Spec>>,
    n_cores: usize,
    /// One permit per core, shared by all requests: an explanation takes a core for itself.
    cores: Arc<Semaphore>,
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
        Ok(Self::over(host, slots, documented))
    }

    /// A state over an open host, with slots of its own.
    pub fn new(host: Host) -> Self {
        let slots = Slots::new(host.registry().clone(), Slots::PERIOD);
        Self::over(host, slots, Vec::new())
    }

    /// A state whose slots may be shared with other functions of the process. `documented` are the specs whose records
    /// the OpenAPI document describes.
    pub fn over(host: Host, slots: Slots, documented: Vec<Arc<Spec>>) -> Self {
        let n_cores = available_parallelism().map_or(1, NonZero::get);
        Self(Arc::new(Inner { host, slots, documented, n_cores, cores: Arc::new(Semaphore::new(n_cores)) }))
    }

    /// Nothing waits to be written; here so that every function ends alike.
    pub async fn drain(self) {}

    /// Every reason why requests cannot be answered as they should; none when all is well.
    pub fn troubles(&self) -> Vec<String> {
        self.0.slots.outages()
    }

    /// Explains a version that is open, production or not: `body` is that of `POST /explain`, and so is the answer.
    ///
    /// # Errors
    /// The problem that the route would answer.
    pub async fn explain(&self, served: &Arc<Served>, body: serde_json::Value) -> Result<serde_json::Value, Problem> {
        let (records, asked) = routes::read(body, served.spec(), self.longest())?;
        let answer = work::explain_all(self, served, records, asked, &service::Progress::silent()).await?;
        Ok(serde_json::to_value(answer).expect("text and finite numbers have a JSON form"))
    }

    /// Tells how much each column matters to a version that is open, production or not: `body` is that of
    /// `POST /models/{model}/explain/summary`, and so is the answer.
    ///
    /// # Errors
    /// The problem that the route would answer.
    pub async fn summarise(&self, served: &Arc<Served>, body: serde_json::Value) -> Result<serde_json::Value, Problem> {
        let asked = routes::read_summary(body, served.spec(), self.longest())?;
        let answer = work::summarise(self, served, asked, &service::Progress::silent()).await?;
        Ok(serde_json::to_value(answer).expect("text and finite numbers have a JSON form"))
    }

    /// How long a request may take at most: a second is left for the answer itself.
    fn longest(&self) -> Duration {
        Duration::from_secs(self.0.host.config().long_timeout_s.saturating_sub(1).max(1))
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
    service::app("explain", OpenApiRouter::new().merge(routes(state)), options)
}
