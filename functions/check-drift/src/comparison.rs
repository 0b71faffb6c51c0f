//! The pure part: rows against a reference, and what follows.

use std::sync::Arc;

use drift::{
    ColumnReport, Coverage, Decay, Decision, DecisionInput, Outlook, Preset, Profile, Settings, compare,
    compare_profiles, coverage, coverage_of_profile, decide, report as pages,
};
use history::Rows;
use serde::{Deserialize, Serialize};
use spec::{DriftPreset, Spec};
use utoipa::ToSchema;

use crate::live::Live;
use crate::logged::Logged;
use crate::parts::Merged;

/// A decision about a batch, as it is answered and kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Checked {
    /// The model.
    pub model: String,
    /// The batch.
    pub batch: String,
    /// `bootstrap`, `train`, `skip` or `quarantine`.
    #[schema(value_type = String, example = "train")]
    pub decision: Decision,
    /// What production was when this was decided; what to expect of it in `/promote`.
    #[schema(required = true)]
    pub production: Option<String>,
    /// Why, most telling first.
    pub reasons: Vec<String>,
    /// What is worth knowing and decided nothing: values beyond all that the reference has, and a production version that
    /// should do worse on these rows.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// What the comparison says about each column, the target last; empty where nothing was compared.
    #[schema(value_type = Vec<Object>)]
    pub columns: Vec<ColumnReport>,
    /// How the production version does on labelled rows that it has not learnt from: those of the batch, and those of
    /// feedback; empty where there are too few.
    #[schema(value_type = Vec<Object>)]
    pub live: Vec<Decay>,
    /// How the production version should do on the rows of the batch, whether they have labels or not; none where it cannot be
    /// told, and in a check of parts.
    #[schema(value_type = Option<Object>, required = true)]
    #[serde(default)]
    pub outlook: Option<Outlook>,
    /// What the prediction log says of the production version without labels; none where it has answered nothing yet.
    #[schema(required = true)]
    #[serde(default)]
    pub logged: Option<Logged>,
    /// Where the report is shown as a page.
    #[schema(example = "/check-drift/car-vision/000007-0123456789ab/report")]
    pub report_url: String,
}

/// What a batch is compared with.
pub(crate) enum Against {
    /// There is no production version.
    Nothing,
    /// The reference of the production version.
    Reference(Box<Profile>),
    /// A production version whose spec had other columns or another target: what has changed.
    OtherSpec(Vec<String>),
}

/// What there is of the batch.
pub(crate) enum Evidence {
    /// Its rows.
    Rows(Arc<Rows>),
    /// The profiles of its parts, put together.
    Parts(Box<Merged>),
}

/// A decision, and what it rests on.
pub(crate) struct Judged {
    pub(crate) decision: Decision,
    pub(crate) reasons: Vec<String>,
    pub(crate) warnings: Vec<String>,
    pub(crate) columns: Vec<ColumnReport>,
}

impl Judged {
    /// A decision without a comparison.
    pub(crate) fn new(decision: Decision, reasons: Vec<String>) -> Self {
        Self { decision, reasons, warnings: Vec::new(), columns: Vec::new() }
    }

    /// The report.
    pub(crate) fn page(&self, meta: &pages::Meta) -> String {
        pages::html(meta, pages::Verdict::Decision(self.decision), &self.reasons, &self.warnings, &self.columns)
    }
}

/// A batch and what its judgement depends on beside the reference.
#[derive(Clone)]
pub(crate) struct Circumstances {
    /// Rows of the batch.
    pub(crate) rows: u64,
    /// Median rows over the accepted batches before it.
    pub(crate) median_accepted_rows: Option<f64>,
    /// Why it was released from quarantine by hand, if it was.
    pub(crate) released: Option<String>,
}

/// Compares and decides.
///
/// A production version that answers labelled rows worse than it should is a reason to train where nothing else is.
///
/// A batch that was released is not quarantined again, neither for its size nor for its narrowness; one without any row is,
/// because nothing can be learnt from it.
///
/// # Errors
/// What keeps the batch and the reference from being compared.
pub(crate) fn judge(
    spec: &Spec,
    evidence: Evidence,
    against: &Against,
    circumstances: &Circumstances,
    live: &Live,
) -> Result<Judged, drift::Error> {
    let mut settings = settings(spec);
    let (mut reports, mut covered): (Vec<ColumnReport>, Vec<Coverage>) = Default::default();
    if let Against::Reference(profile) = against
        && circumstances.rows > 0
    {
        (reports, covered) = compared(spec, evidence, profile, &mut settings)?;
    }
    let released = circumstances.released.as_ref().filter(|_| circumstances.rows > 0);
    if released.is_some() {
        settings.min_rows = 0;
    }
    let decayed: Vec<String> = live.decays.iter().filter_map(Decay::reason).chain(live.outgrown.clone()).collect();
    let input = DecisionInput {
        has_production: !matches!(against, Against::Nothing),
        rows: circumstances.rows,
        median_accepted_rows: circumstances.median_accepted_rows.filter(|_| released.is_none()),
        coverage: &covered,
        columns: &reports,
        decayed: &decayed,
        settings: &settings,
    };
    let (mut decision, mut reasons) =
        if circumstances.rows == 0 { (Decision::Quarantine, vec!["has no rows".to_owned()]) } else { decide(&input) };
    if let Against::OtherSpec(changes) = against
        && decision != Decision::Quarantine
    {
        (decision, reasons) = (Decision::Train, changes.clone());
    }
    if let Some(reason) = released {
        reasons.insert(0, format!("was released from quarantine by hand: {reason}"));
    }
    let outlook = live.outlook.as_ref().and_then(Outlook::warning);
    let warnings = outlook.into_iter().chain(drift::range_warnings(&reports)).collect();
    Ok(Judged { decision, reasons, warnings, columns: reports })
}

/// The columns of the batch beside those of the reference, and how much of its categories they cover. Settings of columns that
/// are not compared are taken out.
fn compared(
    spec: &Spec,
    evidence: Evidence,
    reference: &Profile,
    settings: &mut Settings,
) -> Result<(Vec<ColumnReport>, Vec<Coverage>), drift::Error> {
    let mut retain = |target: Option<&str>| {
        settings.columns.retain(|name, _| reference.columns.contains_key(name) || target == Some(name.as_str()));
    };
    match evidence {
        Evidence::Rows(rows) => {
            let columns = drift::inputs(spec, &rows.batch);
            let target = drift::target(spec, &rows.batch).filter(|_| reference.target.is_some());
            retain(target.as_ref().map(|(name, _)| name.as_str()));
            Ok((compare(reference, &columns, target, settings)?, coverage(reference, &columns)))
        }
        Evidence::Parts(merged) => {
            let mut profile = merged.profile;
            profile.target = profile.target.filter(|_| reference.target.is_some());
            retain(profile.target.as_ref().map(|(name, _)| name.as_str()));
            Ok((compare_profiles(reference, &profile, settings)?, coverage_of_profile(reference, &profile)))
        }
    }
}

/// The spec's settings, as `drift` takes them.
pub(crate) fn settings(spec: &Spec) -> Settings {
    let preset = match spec.drift.preset {
        DriftPreset::Strict => Preset::Strict,
        DriftPreset::Default => Preset::Default,
        DriftPreset::Tolerant => Preset::Tolerant,
    };
    let columns = spec.drift.columns.iter().map(|(name, column)| (name.clone(), column.effect)).collect();
    Settings { preset, min_rows: spec.drift.min_rows, columns, ..Settings::default() }
}

/// The median; none of nothing.
pub(crate) fn median(mut numbers: Vec<u64>) -> Option<f64> {
    numbers.sort_unstable();
    let upper = *numbers.get(numbers.len() / 2)?;
    let lower = numbers[(numbers.len() - 1) / 2];
    Some((lower as f64 + upper as f64) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_between_the_middle_two() {
        assert_eq!(
            [median(vec![]), median(vec![7]), median(vec![9, 1]), median(vec![5, 1, 9])],
            [None, Some(7.0), Some(5.0), Some(5.0)]
        );
    }

    #[test]
    fn missing_codes_are_the_same_on_both_sides() {
        assert_eq!(spec::MISSING_CODE, drift::MISSING);
    }
}
