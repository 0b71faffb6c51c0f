#![doc = include_str!("../README.md")]

mod benjamini_hochberg;
mod column_report;
mod compare;
mod decision;
mod error;
pub mod null;
mod profile;
mod reasons;
pub mod report;
mod settings;
mod statistics;
pub mod two_sample;
mod values;

pub use benjamini_hochberg::q_values;
pub use column_report::{
    Category, ColumnReport, Distribution, EffectMeasure, LISTED_CATEGORIES, MissingRate, Role, Test,
};
pub use compare::{compare, compare_profiles};
pub use decision::{Coverage, Decision, DecisionInput, SMALL_SHARE, coverage, decide};
pub use error::Error;
pub use null::NULL_LEVEL;
pub use profile::{ColumnProfile, EXACT_ROWS, Profile};
pub use settings::{Preset, Settings};
pub use statistics::{Outcome, Statistics};
pub use values::{MISSING, Values, inputs, target};
