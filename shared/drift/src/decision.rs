//! From the reports of the columns to what happens with the batch.

use serde::{Deserialize, Serialize};

use crate::profile::tally;
use crate::reasons::{self, Reason, figure, percent};
use crate::{ColumnProfile, ColumnReport, Profile, Settings, Values};

/// What is to be done with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decision {
    /// There is no production version: train the first one.
    Bootstrap,
    /// The data moved: train a challenger.
    Train,
    /// Nothing that matters moved: keep the production version.
    Skip,
    /// The batch is too small, or too small and too narrow, to decide anything on.
    Quarantine,
}

/// A batch below this share of the median accepted batch is small.
pub const SMALL_SHARE: f64 = 0.1;

/// A column of which the batch covers less than this share of the reference's mass makes the batch narrow.
const NARROW_MASS: f64 = 0.5;

/// How much of the reference's categories a batch covers in one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// The column.
    pub column: String,
    /// Categories of the reference that the batch has.
    pub present: usize,
    /// Categories of the reference.
    pub total: usize,
    /// Share of the reference's rows that are of a category that the batch has, in [0, 1].
    pub mass: f64,
}

/// The coverage of each category input. Columns that the batch lacks, or holds as numbers, are left out:
/// [`crate::compare`] refuses them.
pub fn coverage(reference: &Profile, current: &[(String, Values<'_>)]) -> Vec<Coverage> {
    let covered = current.iter().filter_map(|(column, values)| {
        let Values::Categories { levels, codes } = values else { return None };
        let counted = levels.iter().zip(tally(levels.len(), codes));
        covered(reference, column, counted.filter(|&(_, count)| count > 0).map(|(level, _)| level.as_str()))
    });
    covered.collect()
}

/// [`coverage`] with the profile of a batch instead of its rows.
pub fn coverage_of_profile(reference: &Profile, current: &Profile) -> Vec<Coverage> {
    let covered = current.columns.iter().filter_map(|(column, profile)| {
        let ColumnProfile::Categories { counts, .. } = profile else { return None };
        covered(reference, column, counts.keys().map(String::as_str))
    });
    covered.collect()
}

/// How much of a column's reference these categories cover; none where the reference holds no categories of that name.
fn covered<'a>(reference: &Profile, column: &str, present: impl Iterator<Item = &'a str>) -> Option<Coverage> {
    let Some(ColumnProfile::Categories { n, counts, .. }) = reference.columns.get(column) else { return None };
    if *n == 0 {
        return None;
    }
    let mut is_present = vec![false; counts.len()];
    for idx in present.filter_map(|level| counts.get_index_of(level)) {
        is_present[idx] = true;
    }
    let held = counts.values().zip(&is_present).filter(|&(_, &is_present)| is_present);
    Some(Coverage {
        column: column.to_owned(),
        present: is_present.iter().filter(|&&is_present| is_present).count(),
        total: counts.len(),
        mass: held.map(|(&count, _)| count).sum::<u64>() as f64 / *n as f64,
    })
}

/// All that a decision rests on.
#[derive(Clone, Copy, Debug)]
pub struct DecisionInput<'a> {
    /// Whether a production version exists, whose reference the batch was compared with.
    pub has_production: bool,
    /// Rows of the batch.
    pub rows: u64,
    /// Median number of rows over the accepted batches before this one; `None` when there is none.
    pub median_accepted_rows: Option<f64>,
    /// What the batch covers, of [`coverage`]; empty without a production version.
    pub coverage: &'a [Coverage],
    /// What [`crate::compare`] said; empty without a production version.
    pub columns: &'a [ColumnReport],
    /// Why the production version should be made again though no column has moved: labels show that it has become worse
    /// ([`crate::Decay`]), or it has been outgrown.
    pub decayed: &'a [String],
    /// The settings that the columns were compared with; `min_rows` counts here.
    pub settings: &'a Settings,
}

/// The decision about a batch and every reason for it, most telling first.
///
/// The rule, first match wins:
/// 1. fewer than `min_rows` rows: quarantine, also when there is no production version, because a first model on a handful
///    of rows is no model;
/// 2. no production version: bootstrap;
/// 3. small (under 10 % of the median accepted batch) and narrow (in some category column, the categories present hold
///    under half of the reference's mass): quarantine. Either alone is no reason: a small batch may be representative, and
///    a large one may really be all of one kind;
/// 4. production that has become worse, or any drifted column, the target included: train;
/// 5. otherwise skip.
///
/// A quarantined batch still tells what drifted in it, after the reasons for the quarantine.
pub fn decide(input: &DecisionInput<'_>) -> (Decision, Vec<String>) {
    let mut drifted: Vec<String> = input.decayed.to_vec();
    drifted.extend(drift_reasons(input.columns, input.settings.alpha));
    let rows = input.rows;

    if rows < input.settings.min_rows {
        let why = format!("has {rows} rows, fewer than the {} that a decision needs", input.settings.min_rows);
        return (Decision::Quarantine, [vec![why], drifted].concat());
    }
    if !input.has_production {
        let why = format!("no production version yet: the first model is trained on {rows} rows");
        return (Decision::Bootstrap, vec![why]);
    }
    let narrow = narrow_reasons(input);
    if !narrow.is_empty() {
        return (Decision::Quarantine, [narrow, drifted].concat());
    }
    if !drifted.is_empty() {
        return (Decision::Train, drifted);
    }
    (Decision::Skip, vec![quiet_reason(input.columns)])
}

/// The reasons of all drifted columns, most telling first over all columns; none where nothing drifted. `alpha` is the one
/// that the columns were compared with.
pub fn drift_reasons(columns: &[ColumnReport], alpha: f64) -> Vec<String> {
    let mut all: Vec<Reason> = columns.iter().flat_map(|report| reasons::of(report, alpha)).collect();
    all.sort_by(Reason::rank);
    all.into_iter().map(|reason| reason.text).collect()
}

/// One sentence per narrow column when the batch is small too, narrowest first; else none.
fn narrow_reasons(input: &DecisionInput<'_>) -> Vec<String> {
    let Some(median) = input.median_accepted_rows else {
        return Vec::new();
    };
    if input.rows as f64 >= SMALL_SHARE * median {
        return Vec::new();
    }
    let mut narrow: Vec<&Coverage> = input.coverage.iter().filter(|coverage| coverage.mass < NARROW_MASS).collect();
    narrow.sort_by(|a, b| a.mass.total_cmp(&b.mass));
    let sentence = |coverage: &&Coverage| {
        format!(
            "covers {} of {} levels of `{}` ({} of the reference's mass) and has {} rows against a median of {median:.0}",
            coverage.present,
            coverage.total,
            coverage.column,
            percent(coverage.mass),
            input.rows
        )
    };
    narrow.iter().map(sentence).collect()
}

/// Why nothing is done: how close the nearest column came.
pub fn quiet_reason(columns: &[ColumnReport]) -> String {
    let ratio = |report: &ColumnReport| report.effect / report.threshold.max(f64::MIN_POSITIVE);
    let nearest = columns.iter().max_by(|a, b| ratio(a).total_cmp(&ratio(b)));
    let Some(nearest) = nearest else {
        return "no column was compared".to_string();
    };
    format!(
        "none of {} columns drifted; the largest change is in `{}`, {} where more than {} matters",
        columns.len(),
        nearest.column,
        figure(nearest.effect),
        figure(nearest.threshold)
    )
}
