//! The function as a caller sees it, over a store in memory and versions with random weights.

mod app;
mod bad_input;
#[path = "../../../../shared/serving/tests/common/mod.rs"]
mod common;
mod values;
