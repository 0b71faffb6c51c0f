//! Running an app: on a port, or as an AWS Lambda function, until a signal ends it.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tracing::{debug, info, warn};

use crate::config::Config;
use crate::error::Error;
use crate::{progress, telemetry};

/// Requests in flight may take this long after the signal; Kubernetes kills after 30 s by default.
const GRACE: Duration = Duration::from_secs(18);

/// The drain hooks may take this long after that.
const DRAIN: Duration = Duration::from_secs(8);

/// Serves `app` until SIGTERM or SIGINT, then drains.
///
/// On the signal no new connection is taken, requests in flight and their work end (within 18 s), then `drain` runs
/// (within 8 s), and at last telemetry is flushed. Under AWS Lambda the same app answers Lambda's events.
///
/// # Errors
/// The address cannot be bound, or serving fails.
pub async fn serve(config: &Config, app: Router, drain: impl Future<Output = ()>) -> Result<(), Error> {
    if config.lambda_runtime_api.is_none() {
        return serve_bound(bind(config).await?, app, drain).await;
    }
    let stop = shutdown_signal()?;
    info!("serving as a Lambda function");
    tokio::select! {
        outcome = lambda_http::run(app) => outcome.map_err(Error::Lambda)?,
        () = stop => {}
    }
    end(drain).await;
    Ok(())
}

/// Takes the configured address.
///
/// # Errors
/// It cannot be had.
pub async fn bind(config: &Config) -> Result<TcpListener, Error> {
    let address = SocketAddr::new(config.host, config.port);
    TcpListener::bind(address).await.map_err(|source| Error::Bind { address, source })
}

/// [`serve`] for a listener that is already bound, for a process that must know its own address.
///
/// # Errors
/// Serving fails.
pub async fn serve_bound(listener: TcpListener, app: Router, drain: impl Future<Output = ()>) -> Result<(), Error> {
    serve_on(listener, app, shutdown_signal()?).await?;
    end(drain).await;
    Ok(())
}

async fn end(drain: impl Future<Output = ()>) {
    if tokio::time::timeout(DRAIN, drain).await.is_err() {
        warn!(limit_s = DRAIN.as_secs(), "gave up draining");
    }
    info!("stopped");
    telemetry::flush().await;
}

/// Serves `app` on `listener` until `shutdown` ends, then lets requests in flight and their work end (within 18 s).
///
/// # Errors
/// The listener fails.
pub async fn serve_on(
    listener: TcpListener,
    app: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Error> {
    let address = listener.local_addr().map_err(Error::Serve)?;
    info!(address = %address, url = %format_args!("http://{address}"), "listening");
    // Answers are small: waiting to fill a packet would cost 40 ms on some systems.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "failed to set TCP_NODELAY");
        }
    });
    let (stopping, stopped) = oneshot::channel();
    let server = axum::serve(listener, app).with_graceful_shutdown(async move {
        shutdown.await;
        info!("stopping");
        let _ = stopping.send(());
    });
    let serving = async {
        server.await.map_err(Error::Serve)?;
        progress::idle().await;
        Ok(())
    };
    let grace = async {
        match stopped.await {
            Ok(()) => tokio::time::sleep(GRACE).await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        outcome = serving => outcome,
        () = grace => {
            warn!(limit_s = GRACE.as_secs(), "gave up waiting for requests in flight");
            Ok(())
        }
    }
}

/// Ends at the first SIGTERM or SIGINT; the handlers are in place when this returns.
fn shutdown_signal() -> Result<impl Future<Output = ()> + Send + 'static, Error> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signal)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signal)?;
        Ok(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
    }
    #[cfg(not(unix))]
    {
        Ok(async {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}
