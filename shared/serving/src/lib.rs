#![doc = include_str!("../README.md")]

mod background;
mod error;
mod request;
mod served;
mod slot;
mod slots;

pub use background::{background_from_bytes, background_to_bytes};
pub use error::Error;
pub use request::{MAX_LISTED_ERRORS, Request};
pub use served::{Served, open};
pub use slots::Slots;
