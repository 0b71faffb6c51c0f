//! Tests of the crate from outside, on models with random weights.

mod background;
mod coalitions;
mod common;
mod serving;
mod weights;
