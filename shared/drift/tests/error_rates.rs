//! How often a batch of 20 columns alarms: rarely without drift, nearly always with drift that matters, rarely with
//! drift that does not.

mod common;

use common::batch;
use drift::{ColumnReport, Profile, Settings, compare};

/// Share of `repeats` pairs of batches in which `alarms` holds.
fn rate(repeats: u64, n: usize, m: usize, shift: f64, alarms: impl Fn(&[ColumnReport]) -> bool) -> f64 {
    let hits = (0..repeats).filter(|repeat| {
        let reference = batch(2 * repeat, n, 0.0);
        let current = batch(2 * repeat + 1, m, shift);
        let profile = Profile::of(reference.columns().into_iter(), None);
        alarms(&compare(&profile, &current.columns(), None, &Settings::default()).unwrap())
    });
    hits.count() as f64 / repeats as f64
}

fn any_drifted(reports: &[ColumnReport]) -> bool {
    reports.iter().any(|report| report.drifted)
}

fn first_drifted(reports: &[ColumnReport]) -> bool {
    reports[0].drifted
}

#[test]
fn without_drift_few_batches_alarm_at_any_size() {
    let sizes = [
        (300, 300, 300),
        (5_000, 300, 100),
        (300, 5_000, 100),
        (1_000, 1_000, 120),
        (10_000, 10_000, 12),
        (100_000, 100_000, 2),
    ];
    for (n, m, repeats) in sizes {
        let rate = rate(repeats, n, m, 0.0, any_drifted);
        assert!(rate <= 0.05, "{n} and {m} rows: {rate} of the batches alarm");
    }
}

#[test]
fn a_shift_that_matters_is_found_at_a_thousand_rows() {
    let rate = rate(60, 1_000, 1_000, 0.3, first_drifted);
    assert!(rate >= 0.9, "found in {rate}");
}

#[test]
fn a_significant_but_irrelevant_shift_does_not_alarm() {
    let repeats = 2;
    let significant_only = |reports: &[ColumnReport]| reports[0].q_value < 0.05 && !any_drifted(reports);
    let rate = rate(repeats, 100_000, 100_000, 0.02, significant_only);
    assert!(rate > 0.5, "significant and silent in {rate}");
}
