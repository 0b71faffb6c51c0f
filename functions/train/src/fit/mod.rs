//! Fitting: from rows to a network that can serve, with honest probabilities or intervals.
//!
//! Nothing here knows of jobs, stores or batches; `challenger` and `evaluate` bring the rows.

mod adamw;
mod bag;
mod bend;
mod blend;
mod calibrate;
mod device;
mod distillation;
mod error;
mod first;
mod inputs;
mod lesson;
mod loss;
mod member;
mod network;
mod random;
mod readout;
mod recipe;
mod rows;
mod stack;
mod weights;

pub use bag::{Bag, Fitted, FittedKind, MemberCurve, Refit, fit_bag, fit_batch};
pub use distillation::Guesses;
pub use error::Error;
pub use lesson::{KEEP_NOTHING, KeepNothing, Keeper, Lesson};
pub use loss::Loss;
pub use member::{FittedMember, Progress, Setup, fit};
pub(crate) use random::{Stream, stream};
pub use readout::recalibrate;
pub(crate) use recipe::batches;
pub use recipe::{Plan, Recipe};
pub use rows::{Rows, Source};
pub use weights::teaching;
