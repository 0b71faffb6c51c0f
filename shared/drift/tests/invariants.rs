//! What holds for every sample.

use drift::q_values;
use drift::two_sample::{chi_square, jensen_shannon, ks, psi, sorted, wasserstein};
use proptest::collection::vec;
use proptest::prelude::*;

/// Numbers with ties and signs.
fn sample() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![-1e3..1e3, (-5_i32..5).prop_map(f64::from)];
    vec(value, 1..80).prop_map(|values| sorted(&values))
}

/// Counts of both sides over the same categories, at least one row each.
fn counts() -> impl Strategy<Value = (Vec<u64>, Vec<u64>)> {
    vec((0_u64..500, 0_u64..500), 1..20).prop_map(|pairs| {
        let (mut reference, mut current): (Vec<u64>, Vec<u64>) = pairs.into_iter().unzip();
        (reference[0], current[0]) = (reference[0] + 1, current[0] + 1);
        (reference, current)
    })
}

/// The statistic by its definition, at every value of both sides.
fn ks_by_definition(reference: &[f64], current: &[f64]) -> f64 {
    let share =
        |sample: &[f64], x: f64| sample.iter().filter(|&&value| value <= x).count() as f64 / sample.len() as f64;
    let gaps = reference.iter().chain(current).map(|&x| (share(reference, x) - share(current, x)).abs());
    gaps.fold(0.0, f64::max)
}

proptest! {
    #[test]
    fn ks_is_symmetric_and_in_the_unit_interval(a in sample(), b in sample()) {
        let d = ks::statistic(&a, &b);
        prop_assert!((0.0..=1.0).contains(&d));
        prop_assert_eq!(d, ks::statistic(&b, &a));
        prop_assert!((d - ks_by_definition(&a, &b)).abs() < 1e-12);
        let (n, m) = (a.len() as u64, b.len() as u64);
        for p_value in [ks::exact_p_value(d, n, m), ks::asymptotic_p_value(d, n, m)] {
            prop_assert!((0.0..=1.0).contains(&p_value));
        }
    }

    #[test]
    fn asymptotic_p_values_fall_with_the_statistic(d in 0.0..1.0_f64, step in 0.0..0.1_f64, n in 2_u64..2_000_000) {
        let (p, further) = (ks::asymptotic_p_value(d, n, n), ks::asymptotic_p_value(d + step, n, n));
        prop_assert!(further <= p + 1e-6, "{} then {}", p, further);
    }

    #[test]
    fn a_sample_is_at_no_distance_from_itself(a in sample()) {
        let edges = psi::edges(&a);
        let histogram = psi::histogram(&a, &edges);
        prop_assert_eq!(histogram.iter().sum::<u64>(), a.len() as u64);
        prop_assert_eq!(psi::from_counts(&histogram, &histogram), 0.0);
        prop_assert_eq!(jensen_shannon::distance(&histogram, &histogram), 0.0);
        prop_assert_eq!(ks::statistic(&a, &a), 0.0);
        prop_assert_eq!(wasserstein::distance(&a, &a), 0.0);
    }

    #[test]
    fn wasserstein_scales_and_shifts(a in sample(), b in sample(), scale in 0.01..100.0_f64) {
        let distance = wasserstein::distance(&a, &b);
        let scaled = |sample: &[f64]| -> Vec<f64> { sample.iter().map(|value| value * scale).collect() };
        let of_scaled = wasserstein::distance(&scaled(&a), &scaled(&b));
        prop_assert!((of_scaled - scale * distance).abs() <= 1e-9 * of_scaled.max(1.0));
        let moved: Vec<f64> = a.iter().map(|value| value + scale).collect();
        prop_assert!((wasserstein::distance(&a, &moved) - scale).abs() <= 1e-9 * scale.max(1.0));
        prop_assert!((distance - wasserstein::distance(&b, &a)).abs() <= 1e-9 * distance.max(1.0));
    }

    #[test]
    fn category_statistics_stay_in_range((reference, current) in counts()) {
        let distance = jensen_shannon::distance(&reference, &current);
        prop_assert!((0.0..=1.0).contains(&distance));
        prop_assert!((distance - jensen_shannon::distance(&current, &reference)).abs() < 1e-9);
        prop_assert!(psi::from_counts(&reference, &current) >= 0.0);
        let test = chi_square::homogeneity(&reference, &current);
        prop_assert!(test.statistic >= 0.0 && (0.0..=1.0).contains(&test.p_value));
    }

    #[test]
    fn pooling_keeps_every_row_and_fills_every_cell((reference, current) in counts()) {
        let (pooled_reference, pooled_current) = chi_square::pool_rare(&reference, &current);
        let total = |counts: &[u64]| counts.iter().sum::<u64>();
        prop_assert_eq!(total(&pooled_reference), total(&reference));
        prop_assert_eq!(total(&pooled_current), total(&current));
        let smaller = total(&reference).min(total(&current)) as f64 / (total(&reference) + total(&current)) as f64;
        if pooled_reference.len() > 1 {
            for (a, b) in pooled_reference.iter().zip(&pooled_current) {
                prop_assert!((a + b) as f64 * smaller >= chi_square::MIN_EXPECTED - 1e-9);
            }
        }
    }

    #[test]
    fn q_values_keep_the_order_and_never_fall_below_p(p_values in vec(0.0..=1.0_f64, 0..40)) {
        let q_values = q_values(&p_values);
        for (a, (&p, &q)) in p_values.iter().zip(&q_values).enumerate() {
            prop_assert!(q >= p && q <= 1.0);
            for b in 0..p_values.len() {
                prop_assert!(p > p_values[b] || q <= q_values[b], "{} and {}", a, b);
            }
        }
    }
}
