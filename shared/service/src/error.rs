//! What can go wrong while a process starts or serves.

use std::io;
use std::net::SocketAddr;

use fault::{Fault, Kind};

/// A failure to start, to serve or to end a function.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address could not be bound.
    #[error("failed to listen on {address}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The listener failed while serving.
    #[error("failed to serve")]
    Serve(#[source] io::Error),
    /// The handlers of SIGTERM and SIGINT could not be installed.
    #[error("failed to install the signal handlers")]
    Signal(#[source] io::Error),
    /// The Lambda runtime stopped.
    #[error("the Lambda runtime failed")]
    Lambda(#[source] lambda_http::Error),
    /// `RUST_LOG` cannot be read.
    #[error("failed to read the log filter `{filter}`")]
    Filter {
        /// The filter as given.
        filter: String,
        /// Why.
        source: tracing_subscriber::filter::ParseError,
    },
    /// The trace exporter could not be built.
    #[error("failed to set up the trace exporter for `{endpoint}`")]
    Exporter {
        /// The collector's address as given.
        endpoint: String,
        /// Why.
        source: opentelemetry_otlp::ExporterBuildError,
    },
    /// Telemetry was set up twice in one process.
    #[error("failed to install the log subscriber")]
    Subscriber(#[source] tracing_subscriber::util::TryInitError),
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::Filter { .. } | Error::Exporter { .. } => Kind::Invalid,
            Error::Bind { .. } | Error::Serve(_) | Error::Signal(_) | Error::Lambda(_) | Error::Subscriber(_) => {
                Kind::Internal
            }
        }
    }
}
