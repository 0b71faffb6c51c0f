//! The edge as a caller sees it, over one sample function.

mod documents;
mod idempotency;
mod limits;
mod problems;
mod progress;
mod sample;
mod security;
mod shutdown;
mod tracing_and_metrics;
