//! The function through its router.

mod app;
mod jobs;
mod remedies;
