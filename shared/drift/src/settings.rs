//! How strict a comparison is.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::Error;

/// How large a change must be to matter: a factor on every practical floor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Half the default floors.
    Strict,
    /// Effect 0.1 (reference standard deviations or Jensen-Shannon distance), category share 1 %, missing rate by 2
    /// percentage points.
    #[default]
    Default,
    /// Twice the default floors.
    Tolerant,
}

impl Preset {
    /// The factor on the practical floors: 0.5, 1 or 2.
    pub fn factor(self) -> f64 {
        match self {
            Preset::Strict => 0.5,
            Preset::Default => 1.0,
            Preset::Tolerant => 2.0,
        }
    }
}

/// The settings of a comparison; the spec's `drift` section fills them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Which floors apply. Default: [`Preset::Default`].
    pub preset: Preset,
    /// Largest Benjamini-Hochberg q-value that counts as significant, in (0, 1). Default 0.01: it bounds the share of
    /// batches without drift in which the distribution tests alarm, whatever the number of columns. The tests for new and
    /// vanished categories and for missing rates share the same level each, so at most about 3 % of batches alarm.
    pub alpha: f64,
    /// Fewest rows on which a decision may stand; fewer are quarantined. Default 500.
    pub min_rows: u64,
    /// Effect floor by column, in that column's effect measure. It replaces the preset's floor and is not scaled by it.
    pub columns: IndexMap<String, f64>,
}

/// Floor of the effect, both of Wasserstein-1 in reference standard deviations and of the Jensen-Shannon distance.
const EFFECT_FLOOR: f64 = 0.1;
/// Smallest share of rows of a new or vanished category that matters.
const CATEGORY_SHARE_FLOOR: f64 = 0.01;
/// Smallest share of rows outside the reference's range that is notable.
const RANGE_SHARE_FLOOR: f64 = 0.01;
/// Smallest change of the missing rate that matters.
const MISSING_RATE_FLOOR: f64 = 0.02;

impl Default for Settings {
    fn default() -> Self {
        Self { preset: Preset::Default, alpha: 0.01, min_rows: 500, columns: IndexMap::new() }
    }
}

impl Settings {
    /// The practical floor of `column`'s effect.
    pub fn effect_floor(&self, column: &str) -> f64 {
        self.columns.get(column).copied().unwrap_or(EFFECT_FLOOR * self.preset.factor())
    }

    /// Smallest share of rows, in [0, 1], at which a new or vanished category matters.
    pub fn category_share_floor(&self) -> f64 {
        CATEGORY_SHARE_FLOOR * self.preset.factor()
    }

    /// Smallest share of rows, in [0, 1], beyond all that the reference has seen that is notable.
    pub fn range_share_floor(&self) -> f64 {
        RANGE_SHARE_FLOOR * self.preset.factor()
    }

    /// Smallest absolute change of the missing rate, in [0, 1], that matters.
    pub fn missing_rate_floor(&self) -> f64 {
        MISSING_RATE_FLOOR * self.preset.factor()
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::Setting`] for an `alpha` outside (0, 1) or an effect that is negative or not finite.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if !(self.alpha > 0.0 && self.alpha < 1.0) {
            return Err(Error::Setting { setting: "alpha".into(), value: self.alpha, expected: "between 0 and 1" });
        }
        for (column, &effect) in &self.columns {
            if !(effect.is_finite() && effect >= 0.0) {
                let setting = format!("columns.{column}.effect");
                return Err(Error::Setting { setting, value: effect, expected: "0 or more" });
            }
        }
        Ok(())
    }
}
