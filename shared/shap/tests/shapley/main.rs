//! Shapley values against their definition, their axioms and each other.

mod exact;
mod golden;
mod interactions;
mod problem;
mod sampled;
