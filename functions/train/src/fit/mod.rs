//! Fitting: from rows to a network that can serve, with honest probabilities or intervals.
//!
//! Nothing here knows of jobs, stores or batches; `challenger` and `evaluate` bring the rows.

mod bag;
mod blend;
mod calibrate;
mod device;
mod error;
mod inputs;
mod loss;
mod member;
mod network;
mod random;
mod recipe;
mod weights;

pub use bag::{Bag, Fitted, FittedKind, Keeper, MemberCurve, NoKeeper, fit_bag, fit_trial};
pub use error::Error;
pub use inputs::{Gathered, Inputs};
pub use loss::Loss;
pub use member::{FittedMember, Progress, Rows, Setup, fit};
pub use network::Network;
pub(crate) use random::{Stream, stream};
pub use recipe::{Plan, Recipe};
pub(crate) use recipe::{batch_rows, epochs};
pub use weights::teaching;
