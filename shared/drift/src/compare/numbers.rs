//! A column of numbers.

use super::{Draft, all_on_one_side};
use crate::statistics::Numbers;
use crate::two_sample::{psi, wasserstein};
use crate::{Distribution, EffectMeasure, OutOfRange, Statistics, Test, null};

/// What is known of the reference beside its order statistics.
pub(super) struct Known {
    /// Standard deviation, ddof 0.
    pub(super) std: f64,
    /// Smallest and largest value.
    pub(super) range: (f64, f64),
    /// [`null::wasserstein_unit_quantile`].
    pub(super) null: f64,
}

pub(super) fn draft(reference: &Numbers<'_>, current: &Numbers<'_>, known: &Known, floor: f64) -> Draft {
    let Known { std, range, null: unit } = *known;
    let (n, m) = (reference.n, current.n);
    let statistics = Statistics::of_numbers(reference, current, std);
    let null = null::wasserstein_quantile(n, m, unit);
    let edges = psi::edges(&reference.sorted);
    let distribution = if edges.len() >= 2 {
        shares(&edges, &psi::histogram(&reference.sorted, &edges), &psi::histogram(&current.sorted, &edges))
    } else {
        equal_width(&reference.sorted, &current.sorted)
    };
    let test = statistics.ks.expect("numbers have this test");
    Draft {
        test: Test::Ks,
        statistic: test.statistic,
        p_value: test.p_value,
        effect: statistics.wasserstein_sigmas.expect("numbers have this distance"),
        effect_measure: EffectMeasure::Wasserstein,
        threshold: floor.max(wasserstein::in_sigmas(null, std)),
        statistics,
        new_categories: Vec::new(),
        vanished_categories: Vec::new(),
        n_categories: 0,
        out_of_range: out_of_range(n, current, range),
        n_current: m,
        distribution,
    }
}

/// The values beyond the reference's range. Whether they matter is decided later, when the number of columns is known.
fn out_of_range(n: u64, current: &Numbers<'_>, range: (f64, f64)) -> Option<OutOfRange> {
    let (m, sorted) = (current.n, &current.sorted);
    if n == 0 || m == 0 {
        return None;
    }
    let known = sorted.len() as f64;
    let below = sorted.partition_point(|&value| value < range.0) as f64 / known;
    let above = 1.0 - sorted.partition_point(|&value| value <= range.1) as f64 / known;
    let chance = |share: f64| all_on_one_side((share * m as f64).round() as u64, m, n);
    let p_value = (2.0 * chance(below).min(chance(above))).min(1.0);
    Some(OutOfRange { range, below, above, p_value, notable: false })
}

/// Quantile bins say nothing about a column that has two or three values; bins of equal width do.
fn equal_width(reference: &[f64], current: &[f64]) -> Distribution {
    const WIDTHS: usize = 10;
    let ends = [reference.first(), reference.last(), current.first(), current.last()];
    let low = ends.into_iter().flatten().copied().fold(f64::INFINITY, f64::min);
    let high = ends.into_iter().flatten().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut edges: Vec<f64> = Vec::new();
    if low < high {
        edges.extend((1..WIDTHS).map(|i| low + (high - low) * i as f64 / WIDTHS as f64));
    }
    let all = shares(&edges, &psi::histogram(reference, &edges), &psi::histogram(current, &edges));
    let mut filled = Distribution::default();
    for idx in (0..all.bins.len()).filter(|&idx| all.reference[idx] + all.current[idx] > 0.0) {
        filled.bins.push(all.bins[idx].clone());
        filled.reference.push(all.reference[idx]);
        filled.current.push(all.current[idx]);
    }
    filled
}

fn shares(edges: &[f64], reference: &[u64], current: &[u64]) -> Distribution {
    let share = |counts: &[u64]| -> Vec<f64> {
        let total = counts.iter().sum::<u64>().max(1) as f64;
        counts.iter().map(|&count| count as f64 / total).collect()
    };
    let bins = (0..=edges.len()).map(|idx| {
        let low = idx.checked_sub(1).map(|below| short(edges[below]));
        let high = edges.get(idx).map(|&edge| short(edge));
        match (low, high) {
            (None, None) => "all".to_string(),
            (None, Some(high)) => format!("< {high}"),
            (Some(low), None) => format!("≥ {low}"),
            (Some(low), Some(high)) => format!("{low} to {high}"),
        }
    });
    Distribution { bins: bins.collect(), reference: share(reference), current: share(current) }
}

/// A number with four significant digits, for a label.
fn short(value: f64) -> String {
    if value == 0.0 {
        return "0".to_string();
    }
    let magnitude = value.abs().log10().floor();
    if !(-4.0..9.0).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    let decimals = (3.0 - magnitude).max(0.0) as usize;
    let text = format!("{value:.decimals$}");
    if decimals == 0 { text } else { text.trim_end_matches('0').trim_end_matches('.').to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beyond_the_reference_is_counted_with_its_chance() {
        let side = |values: &[f64]| Numbers { n: values.len() as u64, sorted: values.to_vec().into() };
        let found = out_of_range(4, &side(&[-1.0, 0.5, 1.0, 2.0, 3.0]), (0.0, 1.0)).unwrap();
        assert_eq!((found.below, found.above), (0.2, 0.4));
        // The two largest of nine are both of the five: 5/9 * 4/8.
        assert!((found.p_value - 2.0 * 5.0 / 9.0 * 4.0 / 8.0).abs() < 1e-12);
        assert_eq!(out_of_range(4, &side(&[]), (0.0, 1.0)), None);
    }

    #[test]
    fn labels_are_short() {
        let labels = [0.0, 1234.5678, -0.012345, 3.0, 200000.0, 5.15e12].map(short);
        assert_eq!(labels, ["0", "1235", "-0.01235", "3", "200000", "5.150e12"]);
    }

    #[test]
    fn a_column_of_two_values_still_has_a_picture() {
        let picture = equal_width(&[0.0, 0.0, 0.0, 1.0], &[0.0, 1.0]);
        assert_eq!(picture.reference, [0.75, 0.25]);
        assert_eq!(picture.current, [0.5, 0.5]);
        assert_eq!(equal_width(&[2.0; 3], &[]).bins, ["all"]);
    }
}
