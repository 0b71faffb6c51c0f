#![doc = include_str!("../README.md")]

mod answers;
mod app;
pub mod config;
mod context;
mod docs;
mod edge;
mod error;
mod extract;
mod gate;
mod health;
mod mark;
mod meter;
mod problem;
mod progress;
mod reply;
mod serve;
mod strict;
pub mod telemetry;

pub use answers::{Answer, Answers, once};
pub use app::{Options, app};
pub use config::{Config, LogFormat};
pub use context::Context;
pub use error::Error;
pub use extract::{IdempotencyKey, Json, JsonValue, Path, Query};
pub use health::Ready;
pub use mark::Mark;
pub use problem::{Document, PROBLEM_JSON, Problem};
pub use progress::{NDJSON, Progress, respond};
pub use reply::{IntoReply, Reply};
pub use serve::{bind, serve, serve_bound, serve_on};

// What a function needs beside it, so that functions agree on the versions.
pub use axum::http::{HeaderMap, StatusCode};
pub use secrecy::SecretString;
pub use utoipa_axum::router::OpenApiRouter;
pub use utoipa_axum::routes;
