#![doc = include_str!("../README.md")]

pub mod activation;
mod architecture;
mod background;
mod coalitions;
mod decision;
mod error;
mod layer;
mod metrics;
mod network;
mod predictor;
mod readout;
mod response;
mod threshold;
mod weights;

pub use architecture::{Architecture, Body, Member};
pub use background::background_rows;
pub use coalitions::Coalitions;
pub use decision::Decision;
pub use error::Error;
pub use metrics::{CALIBRATION_BINS, auc, calibration_bin, evaluate, from_mean, row_losses};
pub use network::Network;
pub use predictor::Predictor;
pub use readout::{Calibration, Interval, Readout};
pub use response::{PROBABILITY_FLOOR, Predictions, Probabilities, pool};
pub use threshold::threshold;
pub use weights::Weights;
