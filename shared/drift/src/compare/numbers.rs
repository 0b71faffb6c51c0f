//! A column of numbers.

use super::Draft;
use crate::statistics::Numbers;
use crate::two_sample::{psi, wasserstein};
use crate::{Distribution, EffectMeasure, Statistics, Test, null};

/// Compares both sides; `std` is the reference's standard deviation and `unit` its
/// [null quantile](null::wasserstein_unit_quantile).
pub(super) fn draft(reference: &Numbers<'_>, current: &Numbers<'_>, std: f64, unit: f64, floor: f64) -> Draft {
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
        n_current: m,
        distribution,
    }
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
