//! Fitting: from rows to a network that can serve, with honest probabilities or intervals.
//!
//! Nothing here knows of jobs, stores or batches; `challenger` and `evaluate` bring the rows.

mod adamw;
mod bag;
mod bend;
mod blend;
mod calibrate;
mod error;
mod first;
mod inputs;
mod loss;
mod member;
mod network;
mod random;
mod readout;
mod recipe;
mod rows;
mod stack;

pub use bag::{Bag, Fitted, FittedKind, Keeper, MemberCurve, NoKeeper, fit_bag};
pub use error::Error;
pub use loss::Loss;
pub use member::{FittedMember, Progress, Setup, fit};
pub use readout::recalibrate;
pub use recipe::{Plan, Recipe};
pub use rows::{Rows, Source};
