//! Why a column has drifted, in plain words.

use std::cmp::Ordering;

use crate::{Category, ColumnReport, EffectMeasure, Role};

/// What kind of change a reason tells of, most telling first: a category that the model has never seen cannot be
/// predicted by it at all, a moved mean often can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    New,
    Vanished,
    Missing,
    Moved,
}

/// One sentence and what it is ranked by.
#[derive(Clone, Debug)]
pub(crate) struct Reason {
    pub(crate) change: Change,
    /// Within one kind of change, larger is more telling: a share of rows, or the effect in units of its threshold.
    pub(crate) size: f64,
    pub(crate) text: String,
}

impl Reason {
    /// Most telling first.
    pub(crate) fn rank(a: &Reason, b: &Reason) -> Ordering {
        a.change.cmp(&b.change).then(b.size.total_cmp(&a.size))
    }
}

/// Every reason for which the column has drifted, most telling first; empty when it has not.
pub(crate) fn of(report: &ColumnReport, alpha: f64) -> Vec<Reason> {
    let subject = match report.role {
        Role::Input => format!("column `{}`", report.column),
        Role::Target => format!("target `{}`", report.column),
    };
    let mut reasons = Vec::new();
    reasons.extend(categories(Change::New, &report.new_categories, &subject));
    reasons.extend(categories(Change::Vanished, &report.vanished_categories, &subject));
    if report.missing_rate.drifted {
        let (before, now) = (report.missing_rate.reference, report.missing_rate.current);
        let verb = if now > before { "rose" } else { "fell" };
        let text = format!("{subject}: missing values {verb} from {} to {} of the rows", percent(before), percent(now));
        reasons.push(Reason { change: Change::Missing, size: (now - before).abs(), text });
    }
    if report.distribution_drifted(alpha) {
        let effect = match report.effect_measure {
            EffectMeasure::Wasserstein => {
                format!("the values moved by {} standard deviations of the reference", figure(report.effect))
            }
            EffectMeasure::JensenShannon => {
                format!("the shares of the categories moved by a Jensen-Shannon distance of {}", figure(report.effect))
            }
        };
        let text = format!(
            "{subject}: {effect} (more than {} matters; q-value {}, PSI {})",
            figure(report.threshold),
            probability(report.q_value),
            figure(report.psi)
        );
        let size = report.effect / report.threshold.max(f64::MIN_POSITIVE);
        reasons.push(Reason { change: Change::Moved, size, text });
    }
    reasons
}

/// One sentence for each column with a notable share of values beyond all that the reference has, in the order given.
pub fn range_warnings(columns: &[ColumnReport]) -> Vec<String> {
    let sentence = |report: &ColumnReport| Some(format!("column `{}`: {}", report.column, beyond_range(report)?));
    columns.iter().filter_map(sentence).collect()
}

/// How many values lie beyond all that the reference has, if that is notable.
pub(crate) fn beyond_range(report: &ColumnReport) -> Option<String> {
    let beyond = report.out_of_range.filter(|beyond| beyond.notable)?;
    Some(format!(
        "{} of the values lie outside the reference's range, {} to {}",
        percent(beyond.below + beyond.above),
        figure(beyond.range.0),
        figure(beyond.range.1)
    ))
}

/// One sentence for up to three categories each, one for all of them beyond.
fn categories(change: Change, categories: &[Category], subject: &str) -> Vec<Reason> {
    const NAMED: usize = 3;
    let drifted: Vec<&Category> = categories.iter().filter(|category| category.drifted).collect();
    if drifted.len() > NAMED {
        let total: f64 = drifted.iter().map(|category| category.share).sum();
        let (count, share, largest) = (drifted.len(), percent(total), &drifted[0].category);
        let text = match change {
            Change::New => {
                format!("{subject}: {count} new categories, `{largest}` the largest, hold {share} of the rows together")
            }
            _ => format!(
                "{subject}: {count} categories are gone, `{largest}` the largest; they held {share} of the reference"
            ),
        };
        return vec![Reason { change, size: total, text }];
    }
    let sentence = |category: &&Category| {
        let (name, share) = (&category.category, percent(category.share));
        let text = match change {
            Change::New => format!("{subject}: new category `{name}` holds {share} of the rows"),
            _ => format!("{subject}: category `{name}` is gone; it held {share} of the reference"),
        };
        Reason { change, size: category.share, text }
    };
    drifted.iter().map(sentence).collect()
}

/// A share in [0, 1] as `12.3 %`. Only a whole is `100 %`, and only nothing is `0 %`.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent <= 0.0 {
        "0 %".to_string()
    } else if percent >= 100.0 - 1e-9 {
        "100 %".to_string()
    } else if percent < 0.05 {
        "under 0.1 %".to_string()
    } else if percent > 99.95 {
        "over 99.9 %".to_string()
    } else {
        let text = format!("{percent:.1}");
        format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
    }
}

/// A figure with two decimals, or three digits where it is small or large.
pub(crate) fn figure(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_string(),
        size if !(0.001..1e6).contains(&size) => format!("{value:.1e}"),
        size if size < 0.1 => format!("{value:.3}"),
        size if size < 100.0 => format!("{value:.2}"),
        _ => format!("{value:.0}"),
    }
}

/// A probability for people.
pub(crate) fn probability(p: f64) -> String {
    if p < 1e-15 { "under 1e-15".to_string() } else { figure(p) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        let shares = [0.0, 1e-6, 0.021, 0.5, 0.9999, 1.0].map(percent);
        assert_eq!(shares, ["0 %", "under 0.1 %", "2.1 %", "50 %", "over 99.9 %", "100 %"]);
        let figures = [0.0, 2.5e-7, 0.0416, 0.3, 12.345, 4055.0, 2e7].map(figure);
        assert_eq!(figures, ["0", "2.5e-7", "0.042", "0.30", "12.35", "4055", "2.0e7"]);
        assert_eq!(probability(0.0), "under 1e-15");
    }
}
