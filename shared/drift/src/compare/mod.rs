//! A batch against the reference, column by column.

mod categories;
mod numbers;

use std::borrow::Cow;
use std::collections::HashMap;

use rayon::prelude::*;
use statrs::function::factorial::ln_factorial;

use crate::profile::tally;
use crate::statistics::Numbers;
use crate::two_sample::{chi_square, sorted};
use crate::{
    Category, ColumnProfile, ColumnReport, Distribution, EffectMeasure, Error, MISSING, MissingRate, OutOfRange,
    Profile, Role, Settings, Statistics, Test, Values, q_values, reasons,
};

/// Compares a batch with the reference and says for each column whether it has drifted, and why.
///
/// A column has drifted when one of these holds:
/// - its distribution moved: q-value at most `settings.alpha` AND effect above the threshold, which is the larger of the
///   practical floor and the effect's [null quantile](crate::NULL_LEVEL) at these sample sizes;
/// - a new category holds, or a vanished one held, at least 1 % of the rows (by preset) and chance does not explain it:
///   the hypergeometric probability that all of its rows fall on one side is at most `alpha / (columns * categories)`, so
///   that a category missing from a tiny batch alarms nobody;
/// - its missing rate changed by more than 2 percentage points (by preset) and the test of two proportions gives at most
///   `alpha / columns`.
///
/// Without drift each of the three alarms in at most a share `alpha` of all batches, whatever the number of columns.
///
/// # Shapes
/// `current` holds the reference's columns in any order, all of one length `[n_rows]`, each of the reference's kind. The
/// reports come in the reference's order, the target last. `target` is compared when the reference has one; without
/// labels it is `None`.
///
/// # NaN policy
/// Missing values take no part in test and effect; they count in the missing rate. A column without values on one side
/// has statistic 0, p-value 1 and effect 0, and drifts by its missing rate.
///
/// # Errors
/// [`Error::Setting`] and [`Error::UnknownColumn`] for settings out of range or for a column that does not exist,
/// [`Error::NoRows`] for an empty side, [`Error::MissingColumn`], [`Error::UnknownColumn`], [`Error::DuplicateColumn`],
/// [`Error::KindMismatch`], [`Error::UnequalLengths`] and [`Error::CodeWithoutLevel`] for a batch that is not of the
/// reference's shape.
pub fn compare(
    reference: &Profile,
    current: &[(String, Values<'_>)],
    target: Option<(String, Values<'_>)>,
    settings: &Settings,
) -> Result<Vec<ColumnReport>, Error> {
    let current: Vec<_> = current.iter().map(|(name, values)| (name.clone(), Current::Rows(*values))).collect();
    judge(reference, &current, target.map(|(name, values)| (name, Current::Rows(values))), settings)
}

/// [`compare`] with the profile of a batch instead of its rows: what [`compare`] says while both profiles are exact, and
/// within the stated error of their order statistics beyond.
///
/// # Errors
/// As [`compare`].
pub fn compare_profiles(
    reference: &Profile,
    current: &Profile,
    settings: &Settings,
) -> Result<Vec<ColumnReport>, Error> {
    let columns: Vec<_> =
        current.columns.iter().map(|(name, profile)| (name.clone(), Current::Profile(profile))).collect();
    let target = current.target.as_ref().map(|(name, profile)| (name.clone(), Current::Profile(profile)));
    judge(reference, &columns, target, settings)
}

fn judge(
    reference: &Profile,
    current: &[(String, Current<'_>)],
    target: Option<(String, Current<'_>)>,
    settings: &Settings,
) -> Result<Vec<ColumnReport>, Error> {
    settings.check()?;
    let pairs = pair(reference, current, target)?;
    let is_known = |name: &String| {
        reference.columns.contains_key(name) || reference.target.as_ref().is_some_and(|(target, _)| target == name)
    };
    if let Some(column) = settings.columns.keys().find(|name| !is_known(name)) {
        return Err(Error::UnknownColumn { column: column.clone() });
    }

    let drafts: Vec<Draft> = pairs.par_iter().map(|pair| Draft::of(pair, settings)).collect();
    let p_values: Vec<f64> = drafts.iter().map(|draft| draft.p_value).collect();
    let q_values = q_values(&p_values);
    let n_columns = pairs.len();
    let reports = pairs.iter().zip(drafts).zip(q_values);
    Ok(reports.map(|((pair, draft), q_value)| draft.decide(pair, q_value, n_columns, settings)).collect())
}

/// A column of the batch.
#[derive(Clone, Copy)]
enum Current<'a> {
    Rows(Values<'a>),
    Profile(&'a ColumnProfile),
}

impl<'a> Current<'a> {
    /// Number of rows, missing values included.
    fn len(self) -> u64 {
        match self {
            Current::Rows(values) => values.len() as u64,
            Current::Profile(profile) => profile.n() + profile.missing(),
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Current::Rows(values) => values.kind(),
            Current::Profile(profile) => profile.kind(),
        }
    }

    /// A column of numbers; `None` for one of categories.
    fn numbers(self) -> Option<Numbers<'a>> {
        match self {
            Current::Rows(Values::Numbers(values)) => {
                let sorted = sorted(values);
                Some(Numbers { n: sorted.len() as u64, sorted: Cow::Owned(sorted) })
            }
            Current::Profile(ColumnProfile::Numbers { n, quantiles, .. }) => {
                Some(Numbers { n: *n, sorted: Cow::Borrowed(quantiles) })
            }
            _ => None,
        }
    }

    /// Rows by category; none for a column of numbers.
    fn categories(self) -> Box<dyn Iterator<Item = (&'a str, u64)> + 'a> {
        match self {
            Current::Rows(Values::Categories { levels, codes }) => {
                Box::new(levels.iter().map(String::as_str).zip(tally(levels.len(), codes)))
            }
            Current::Profile(ColumnProfile::Categories { counts, .. }) => {
                Box::new(counts.iter().map(|(level, &count)| (level.as_str(), count)))
            }
            _ => Box::new(std::iter::empty()),
        }
    }
}

/// One column on both sides.
struct Pair<'a> {
    column: &'a str,
    role: Role,
    reference: &'a ColumnProfile,
    current: Current<'a>,
}

/// Brings both sides together, or says why they do not fit.
fn pair<'a>(
    reference: &'a Profile,
    current: &[(String, Current<'a>)],
    target: Option<(String, Current<'a>)>,
) -> Result<Vec<Pair<'a>>, Error> {
    if reference.n_rows == 0 {
        return Err(Error::NoRows { side: "reference" });
    }
    let mut by_name: HashMap<&str, Current<'a>> = HashMap::with_capacity(current.len());
    for (column, values) in current {
        if !reference.columns.contains_key(column) {
            return Err(Error::UnknownColumn { column: column.clone() });
        }
        if by_name.insert(column, *values).is_some() {
            return Err(Error::DuplicateColumn { column: column.clone() });
        }
    }
    let mut pairs = Vec::with_capacity(reference.columns.len() + 1);
    for (column, profile) in &reference.columns {
        let Some(&current) = by_name.get(column.as_str()) else {
            return Err(Error::MissingColumn { column: column.clone() });
        };
        pairs.push(Pair { column, role: Role::Input, reference: profile, current });
    }
    if let Some((name, values)) = target {
        let known = reference.target.as_ref().filter(|(column, _)| *column == name);
        let Some((column, profile)) = known else {
            return Err(Error::UnknownColumn { column: name });
        };
        pairs.push(Pair { column, role: Role::Target, reference: profile, current: values });
    }
    let expected = pairs.first().map_or(0, |pair| pair.current.len());
    if expected == 0 {
        return Err(Error::NoRows { side: "batch" });
    }
    for pair in &pairs {
        pair.check(expected)?;
    }
    Ok(pairs)
}

impl Pair<'_> {
    fn check(&self, expected: u64) -> Result<(), Error> {
        let column = || self.column.to_string();
        if self.reference.kind() != self.current.kind() {
            let (reference, current) = (self.reference.kind(), self.current.kind());
            return Err(Error::KindMismatch { column: column(), reference, current });
        }
        if self.current.len() != expected {
            let (rows, expected) = (self.current.len() as usize, expected as usize);
            return Err(Error::UnequalLengths { column: column(), rows, expected });
        }
        if let Current::Rows(Values::Categories { levels, codes }) = self.current {
            let is_wrong = |code: u32| code != MISSING && code as usize >= levels.len();
            if let Some(&code) = codes.iter().find(|&&code| is_wrong(code)) {
                return Err(Error::CodeWithoutLevel { column: column(), code, levels: levels.len() });
            }
        }
        Ok(())
    }
}

/// What a column says before the other columns' p-values are known.
struct Draft {
    test: Test,
    statistic: f64,
    p_value: f64,
    effect: f64,
    effect_measure: EffectMeasure,
    threshold: f64,
    statistics: Statistics,
    new_categories: Vec<Category>,
    vanished_categories: Vec<Category>,
    /// How many categories either side has.
    n_categories: usize,
    out_of_range: Option<OutOfRange>,
    /// Values of the current side that are not missing.
    n_current: u64,
    distribution: Distribution,
}

impl Draft {
    fn of(pair: &Pair<'_>, settings: &Settings) -> Draft {
        let floor = settings.effect_floor(pair.column);
        match pair.reference {
            ColumnProfile::Numbers { n, std, min, max, quantiles, wasserstein_null, .. } => {
                let reference = Numbers { n: *n, sorted: Cow::Borrowed(quantiles) };
                let current = pair.current.numbers().expect("kinds were compared when the sides were paired");
                let known = numbers::Known { std: *std, range: (*min, *max), null: *wasserstein_null };
                numbers::draft(&reference, &current, &known, floor)
            }
            ColumnProfile::Categories { counts, .. } => categories::draft(counts, pair.current.categories(), floor),
        }
    }

    fn decide(mut self, pair: &Pair<'_>, q_value: f64, n_columns: usize, settings: &Settings) -> ColumnReport {
        let level_by_column = settings.alpha / n_columns as f64;
        let level_by_category = level_by_column / self.n_categories.max(1) as f64;
        for category in self.new_categories.iter_mut().chain(&mut self.vanished_categories) {
            category.drifted =
                category.share > settings.category_share_floor() && category.p_value <= level_by_category;
        }

        if let Some(out_of_range) = &mut self.out_of_range {
            out_of_range.notable = out_of_range.below.max(out_of_range.above) > settings.range_share_floor()
                && out_of_range.p_value <= level_by_column;
        }

        let n_rows = pair.current.len();
        let missing = (pair.reference.missing(), n_rows - self.n_current);
        let totals = (pair.reference.n() + pair.reference.missing(), n_rows);
        let mut missing_rate = MissingRate {
            reference: missing.0 as f64 / totals.0 as f64,
            current: missing.1 as f64 / totals.1 as f64,
            p_value: chi_square::two_proportions(missing, totals),
            drifted: false,
        };
        let change = (missing_rate.current - missing_rate.reference).abs();
        missing_rate.drifted = change > settings.missing_rate_floor() && missing_rate.p_value <= level_by_column;

        let mut report = ColumnReport {
            column: pair.column.to_string(),
            test: self.test,
            statistic: self.statistic,
            p_value: self.p_value,
            q_value,
            psi: self.statistics.psi,
            effect: self.effect,
            effect_measure: self.effect_measure,
            threshold: self.threshold,
            drifted: false,
            reasons: Vec::new(),
            role: pair.role,
            new_categories: self.new_categories,
            vanished_categories: self.vanished_categories,
            out_of_range: self.out_of_range,
            missing_rate,
            statistics: self.statistics,
            distribution: self.distribution,
        };
        let reasons = reasons::of(&report, settings.alpha);
        report.drifted = !reasons.is_empty();
        report.reasons = reasons.into_iter().map(|reason| reason.text).collect();
        report
    }
}

/// Probability that `count` rows, dealt at random to sides of `n_here` and `n_there` rows, all fall here:
/// `C(n_here, count) / C(n_here + n_there, count)`.
fn all_on_one_side(count: u64, n_here: u64, n_there: u64) -> f64 {
    let n_both = n_here + n_there;
    let log = ln_factorial(n_here) - ln_factorial(n_here - count) + ln_factorial(n_both - count) - ln_factorial(n_both);
    log.exp().min(1.0)
}
