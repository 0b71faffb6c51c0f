//! What a trial changes.

use std::fmt;

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use spec::{MemberKind, Setting, Spec, Train};

use crate::fit::{Stream, batches, stream};

/// Widths around the default of 128. What serves stays affordable: a wider bag has fewer kinds.
const HIDDEN: [usize; 6] = [48, 64, 96, 160, 192, 256];
/// Bins of fine curves around the default of 256.
const BINS: [usize; 4] = [32, 64, 128, 512];
/// Learning rates around the default of 0.02, and decays around those of 0.03 and 0.1.
const LEARNING_RATES: (f64, f64) = (0.006, 0.06);
const WEIGHT_DECAYS: (f64, f64) = (0.003, 0.5);
/// Shares around the defaults, in hundredths.
const MAX_DROPOUT: u32 = 50;
const MAX_LABEL_SMOOTHING: u32 = 15;
/// Share of the rows of a fit that a member learns from.
const MEMBER_SHARE: f64 = 0.8;

/// Settings of a fit, each of them or none: what stands in the spec under `train`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `kinds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kinds: Option<Vec<MemberKind>>,
    /// `hidden`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<usize>,
    /// `bins`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bins: Option<usize>,
    /// `epochs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<usize>,
    /// `learning_rate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// `weight_decay`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// `dropout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f64>,
    /// `label_smoothing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_smoothing: Option<f64>,
}

impl Settings {
    /// The settings of a trial, by its number and the spec's seed: each setting that the spec leaves open is changed with a
    /// chance of one half, at least one is.
    ///
    /// | setting | drawn from |
    /// |---|---|
    /// | `kinds` | every set of kinds but none and the default |
    /// | `hidden` | 48, 64, 96, 160, 192, 256 |
    /// | `bins` | 32, 64, 128, 512 |
    /// | `epochs` | half to twice the default, evenly by logarithm; left alone where trials see a sample of the rows |
    /// | `learning_rate` | 0.006 to 0.06, evenly by logarithm |
    /// | `weight_decay` | 0.003 to 0.5, evenly by logarithm, for all kinds |
    /// | `dropout` | 0 to 0.5, for all kinds |
    /// | `label_smoothing` | 0 to 0.15, for all kinds |
    ///
    /// `n_rows` is the number of rows that a model is to be fitted on, `n_trial_rows` the number of those that trials see.
    pub fn draw(spec: &Spec, n_rows: usize, n_trial_rows: usize, trial: usize) -> Self {
        let mut rng = stream(spec.train.seed, Stream::Search, trial);
        // Epochs of a sample say nothing of those of all rows, of which one may be enough.
        let is_open = |setting: &&Setting| **setting != Setting::Epochs || n_trial_rows == n_rows;
        let open: Vec<Setting> = spec.open_settings().iter().filter(is_open).copied().collect();
        let mut settings = Self::default();
        while settings == Self::default() && !open.is_empty() {
            for setting in &open {
                if rng.random_bool(0.5) {
                    settings.change(*setting, spec, n_rows, &mut rng);
                }
            }
        }
        settings
    }

    fn change(&mut self, setting: Setting, spec: &Spec, n_rows: usize, rng: &mut ChaCha8Rng) {
        match setting {
            Setting::Kinds => {
                let all = &spec.train.kinds;
                let kinds: Vec<MemberKind> = all.iter().filter(|_| rng.random_bool(0.5)).copied().collect();
                self.kinds = (!kinds.is_empty() && kinds.len() < all.len()).then_some(kinds);
            }
            Setting::Hidden => self.hidden = HIDDEN.choose(rng).copied(),
            Setting::Bins => self.bins = BINS.choose(rng).copied(),
            Setting::Epochs => {
                let n_rows = (MEMBER_SHARE * n_rows as f64) as usize;
                let (_, epochs) = batches(spec, n_rows);
                let factor = rng.random_range(-1.0_f64..1.0).exp2();
                self.epochs = Some(((epochs as f64 * factor).round() as usize).max(1));
            }
            Setting::LearningRate => self.learning_rate = Some(by_logarithm(LEARNING_RATES, rng)),
            Setting::WeightDecay => self.weight_decay = Some(by_logarithm(WEIGHT_DECAYS, rng)),
            Setting::Dropout => self.dropout = Some(f64::from(rng.random_range(0..=MAX_DROPOUT)) / 100.0),
            Setting::LabelSmoothing => {
                self.label_smoothing = Some(f64::from(rng.random_range(0..=MAX_LABEL_SMOOTHING)) / 100.0);
            }
        }
    }

    /// These settings over those of a spec.
    pub fn over(&self, train: &Train) -> Train {
        Train {
            kinds: self.kinds.clone().unwrap_or_else(|| train.kinds.clone()),
            hidden: self.hidden.unwrap_or(train.hidden),
            bins: self.bins.unwrap_or(train.bins),
            epochs: self.epochs.or(train.epochs),
            learning_rate: self.learning_rate.unwrap_or(train.learning_rate),
            weight_decay: self.weight_decay.or(train.weight_decay),
            dropout: self.dropout.or(train.dropout),
            label_smoothing: self.label_smoothing.or(train.label_smoothing),
            ..train.clone()
        }
    }

    /// Names and values of what is changed, as a spec has them.
    pub fn entries(&self) -> Vec<(Setting, String)> {
        let kinds = self.kinds.as_ref().map(|kinds| {
            let names: Vec<String> = kinds.iter().map(ToString::to_string).collect();
            format!("[{}]", names.join(", "))
        });
        let number = |number: Option<f64>| number.map(|number| number.to_string());
        let count = |count: Option<usize>| count.map(|count| count.to_string());
        let values = [
            (Setting::Kinds, kinds),
            (Setting::Hidden, count(self.hidden)),
            (Setting::Bins, count(self.bins)),
            (Setting::Epochs, count(self.epochs)),
            (Setting::LearningRate, number(self.learning_rate)),
            (Setting::WeightDecay, number(self.weight_decay)),
            (Setting::Dropout, number(self.dropout)),
            (Setting::LabelSmoothing, number(self.label_smoothing)),
        ];
        values.into_iter().filter_map(|(setting, value)| Some((setting, value?))).collect()
    }
}

/// As it stands in a spec: `hidden: 96, dropout: 0.2`.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries: Vec<String> =
            self.entries().iter().map(|(setting, value)| format!("{setting}: {value}")).collect();
        f.write_str(if entries.is_empty() { "the defaults" } else { "" })?;
        f.write_str(&entries.join(", "))
    }
}

/// A number between two, evenly by logarithm, with two digits that count.
fn by_logarithm((low, high): (f64, f64), rng: &mut ChaCha8Rng) -> f64 {
    let drawn = rng.random_range(low.ln()..=high.ln()).exp();
    let digits = 1 - drawn.log10().floor() as i32;
    let scale = 10_f64.powi(digits);
    (drawn * scale).round() / scale
}
