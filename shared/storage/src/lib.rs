#![doc = include_str!("../README.md")]

mod clock;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod error;
mod keep_alive;
mod lease;
mod open;
mod sequence;
mod store;
#[cfg(test)]
mod tests;

pub use clock::Clock;
pub use error::{BoxError, Error, Result};
pub use keep_alive::KeepAlive;
pub use lease::Lease;
pub use sequence::Sequence;
pub use store::{Entry, Store};
