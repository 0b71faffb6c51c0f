#![doc = include_str!("../README.md")]

mod benjamini_hochberg;
mod boosted_trees;
mod classifier_test;
mod column_report;
mod compare;
mod decay;
mod decision;
mod duplicates;
mod error;
pub mod null;
mod outlook;
mod part;
pub mod performance;
mod profile;
mod reasons;
pub mod report;
mod settings;
mod sketch;
mod statistics;
pub mod two_sample;
mod values;

pub use benjamini_hochberg::q_values;
pub use classifier_test::{CLASSIFIER_MIN_ROWS, CLASSIFIER_ROWS, ClassifierTest, classifier_test};
pub use column_report::{
    Category, ColumnReport, Distribution, EffectMeasure, LISTED_CATEGORIES, MissingRate, OutOfRange, Role, Test,
};
pub use compare::{compare, compare_profiles};
pub use decay::{Decay, LossSums, Losses, MIN_LABELLED_ROWS};
pub use decision::{
    Coverage, Decision, DecisionInput, SMALL_SHARE, coverage, coverage_of_profile, decide, drift_reasons, quiet_reason,
};
pub use duplicates::{duplicate_rows, more_duplicates};
pub use error::Error;
pub use null::NULL_LEVEL;
pub use outlook::Outlook;
pub use part::Part;
pub use profile::{ColumnProfile, EXACT_ROWS, Profile};
pub use reasons::range_warnings;
pub use settings::{Preset, Settings};
pub use sketch::{SKETCH_ROWS, Sketch};
pub use statistics::{Outcome, Statistics};
pub use values::{MISSING, Values, inputs, target};
