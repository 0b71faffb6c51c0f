//! `ebb up`: every function on one port.

use std::sync::Arc;

use axum::Router;
use host::Host;
use predict::LogSettings;
use service::OpenApiRouter;
use serving::Slots;
use spec::Spec;
use tokio::net::TcpListener;

/// Settings of `ebb up`.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Settings that every function has.
    #[command(flatten)]
    pub service: service::Config,
}

/// Why the bundle cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store or the folder of specs cannot be used.
    #[error(transparent)]
    Host(#[from] host::Error),
    /// The port cannot be had, or serving failed.
    #[error(transparent)]
    Service(#[from] service::Error),
    /// The listener has no address.
    #[error("failed to find out the own address")]
    Address(#[source] std::io::Error),
}

/// Every function, composed.
pub struct Bundle {
    predict: predict::State,
    train: train::State,
    /// All routes behind one edge.
    pub router: Router,
}

impl Bundle {
    /// Puts the functions together over one host. `address` is where this process answers, for the page's own calls;
    /// `documented` are the specs whose records the OpenAPI document describes.
    pub fn new(host: &Host, address: &str, documented: Vec<Arc<Spec>>) -> Self {
        // One set of slots, so that predict and explain open each version once and swap it together.
        let slots = Slots::new(host.registry().clone(), Slots::PERIOD);
        let predict = predict::State::over(host.clone(), slots.clone(), LogSettings::default(), documented.clone());
        let train = train::State::new(host.clone());
        let routes = OpenApiRouter::new()
            .merge(ingest::routes(ingest::State::new(host.clone())))
            .merge(check_drift::routes(check_drift::State::new(host.clone())))
            .merge(train::routes(train.clone()))
            .merge(promote::routes(promote::State::new(host.clone())))
            .merge(predict::routes(predict.clone()))
            .merge(explain::routes(explain::State::over(host.clone(), slots, documented)))
            .merge(web::routes(web::State::new(host.clone(), address, address)));
        let options = service::Options::new(host.config()).describe("Every function of Ebb on one port.");
        Self { predict, train, router: service::app("bundle", routes, options) }
    }

    /// Ends fits between two epochs and writes the prediction log out.
    pub async fn drain(self) {
        tokio::join!(self.predict.drain(), self.train.drain());
    }
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// Any of [`Error`].
pub async fn run(args: Args) -> Result<(), Error> {
    let _telemetry = service::telemetry::init(&args.service, "ebb")?;
    let host = Host::open(&args.service, service::Config::store_options())?;
    let listener = service::bind(&args.service).await?;
    let documented = host.specs().all().await?;
    let bundle = Bundle::new(&host, &own_address(&listener)?, documented);
    let router = bundle.router.clone();
    service::serve_bound(listener, router, bundle.drain()).await?;
    Ok(())
}

/// Where a process on this machine reaches the listener.
pub(crate) fn own_address(listener: &TcpListener) -> Result<String, Error> {
    let address = listener.local_addr().map_err(Error::Address)?;
    if address.ip().is_unspecified() {
        return Ok(format!("http://127.0.0.1:{}", address.port()));
    }
    Ok(format!("http://{address}"))
}
