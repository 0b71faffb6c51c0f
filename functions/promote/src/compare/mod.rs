//! Champion and challenger on the same rows.

pub mod bootstrap;
mod comparable;
mod rescore;
mod statistic;

pub(crate) use rescore::{Scored, contest, score};
