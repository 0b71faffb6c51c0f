#![doc = include_str!("../README.md")]

mod architecture;
mod coalitions;
mod error;
mod metrics;
mod network;
mod predictor;
mod response;
mod weights;

pub use architecture::Architecture;
pub use coalitions::Coalitions;
pub use error::Error;
pub use metrics::{evaluate, from_mean, row_losses};
pub use network::Network;
pub use predictor::Predictor;
pub use response::{PROBABILITY_FLOOR, Predictions};
pub use weights::Weights;
