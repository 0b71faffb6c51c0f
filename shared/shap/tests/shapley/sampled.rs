//! Sampled values against exact ones, and when a sample stops.

use std::cell::Cell;

use ndarray::{Array2, Axis, array};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use shap::{Budget, ClosureGame, Error, Explanation, Method, exact, explain, sampled};

use crate::problem::{Problem, distance, random_array};

fn budget(max_evaluations: u64) -> Budget<'static> {
    Budget { max_evaluations, exact_evaluations: max_evaluations, ..Budget::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn values_sum_to_the_prediction_minus_the_base(
        seed: u64, n_players in 0_usize..=20, n_outputs in 1_usize..=3, max_evaluations in 0_u64..500,
    ) {
        let problem = Problem::new(seed, n_players, 3, n_outputs);
        let explanation = sampled(&problem.game(), seed, budget(max_evaluations)).unwrap();
        for (output, values) in explanation.values.axis_iter(Axis(1)).enumerate() {
            let total = explanation.base_value[output] + values.sum();
            let full_value = explanation.full_value[output];
            prop_assert!((total - full_value).abs() <= 1e-12 * full_value.abs().max(1.0), "{} {}", total, full_value);
        }
        let pair = 2 * n_players.saturating_sub(1) as u64;
        prop_assert!(explanation.evaluations <= max_evaluations.max(3 * pair));
    }

    #[test]
    fn up_to_two_players_are_exact(seed: u64, n_players in 0_usize..=2) {
        let problem = Problem::new(seed, n_players, 3, 2);
        let explanation = sampled(&problem.game(), seed, Budget::default()).unwrap();
        prop_assert!(distance(&explanation.values, &exact(&problem.game()).unwrap().values) < 1e-12);
        prop_assert_eq!(explanation.standard_error, None);
        prop_assert_eq!(explanation.evaluations, [0, 0, 6][n_players]);
    }
}

#[test]
fn values_are_within_four_standard_errors_of_exact_ones() {
    for (seed, n_players) in [(1, 11), (2, 12), (3, 13), (4, 14)] {
        let problem = Problem::new(seed, n_players, 3, 2).calm();
        let expected = exact(&problem.game()).unwrap();
        let explanation = sampled(&problem.game(), seed, budget(4000)).unwrap();
        assert_eq!(explanation.method, Method::Sampled);
        assert_eq!(explanation.base_value, expected.base_value);
        assert_eq!(explanation.full_value, expected.full_value);
        let standard_error = explanation.standard_error.unwrap();
        let errors = (&explanation.values - &expected.values) / &standard_error;
        assert!(errors.iter().all(|error| error.abs() < 4.0), "{n_players} players: {errors}");
    }
}

#[test]
fn the_standard_error_is_the_size_of_the_error() {
    // Regressions of few and of many rounds.
    for (n_players, n_rounds) in [(10, 8), (10, 20), (10, 40), (14, 12)] {
        let problem = Problem::new(11, n_players, 3, 1).calm();
        let expected = exact(&problem.game()).unwrap().values;
        let mut sum_of_squares = 0.0;
        let mut n_errors = 0.0;
        for seed in 0..300 {
            let explanation =
                sampled(&problem.game(), seed, budget(3 * 2 * (n_players as u64 - 1) * n_rounds)).unwrap();
            let errors = (explanation.values - &expected) / explanation.standard_error.unwrap();
            sum_of_squares += errors.iter().map(|error| error * error).sum::<f64>();
            n_errors += errors.len() as f64;
        }
        let spread = (sum_of_squares / n_errors).sqrt();
        assert!((0.85..1.15).contains(&spread), "{n_rounds} rounds: errors are {spread} standard errors large");
    }
}

/// For as many evaluations, the regression has smaller errors than permutations, which a smaller budget falls back to.
#[test]
fn a_regression_has_smaller_errors_than_permutations() {
    let problem = Problem::new(13, 12, 8, 1).calm();
    let expected = exact(&problem.game()).unwrap().values;
    let error = |values: &Array2<f64>| (values - &expected).mapv(|error| error * error).sum();
    let (mut regression, mut permutations) = (0.0, 0.0);
    for seed in 0..30 {
        let sample =
            |seed: u64, n_rounds: u64| sampled(&problem.game(), seed, budget(8 * 22 * n_rounds)).unwrap().values;
        regression += error(&sample(seed, 28));
        // Four samples of seven rounds each are one of 28.
        let parts = (0..4).map(|part| sample(1000 + 4 * seed + part, 7));
        permutations += error(&(parts.fold(Array2::zeros(expected.dim()), |sum, values| sum + values) / 4.0));
    }
    assert!(regression < 0.8 * permutations, "{regression} and {permutations}");
}

#[test]
fn same_seed_same_bits() {
    let problem = Problem::new(5, 15, 3, 2);
    let sample = |seed| sampled(&problem.game(), seed, budget(1000)).unwrap();
    assert_eq!(sample(7), sample(7));
    assert_ne!(sample(7).values, sample(8).values);
}

#[test]
fn additive_games_have_no_error() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let weights = random_array(&mut rng, 16, 1);
    let background = random_array(&mut rng, 4, 16);
    let row = random_array(&mut rng, 1, 16).into_raw_vec_and_offset().0;
    let mean = background.mean_axis(Axis(0)).unwrap();
    let game = ClosureGame::new(row.clone(), background, 1, |rows| rows.dot(&weights)).unwrap();
    let target = Budget { target_standard_error: Some(1e-12), ..budget(100_000) };
    let explanation = sampled(&game, 0, target).unwrap();
    for player in 0..16 {
        let expected = weights[[player, 0]] * (row[player] - mean[player]);
        assert!((explanation.values[[player, 0]] - expected).abs() < 1e-12);
    }
    assert!(explanation.standard_error.unwrap().iter().all(|error| *error < 1e-12));
    // Five rounds for each of four rows, with which the regression begins.
    assert_eq!(explanation.evaluations, 5 * 4 * 2 * 15);
}

#[test]
fn interactions_of_two_players_are_exact_from_the_first_pair() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let weights = random_array(&mut rng, 9, 9);
    let background = random_array(&mut rng, 1, 9);
    let row = random_array(&mut rng, 1, 9).into_raw_vec_and_offset().0;
    let game =
        ClosureGame::new(row, background, 1, |rows| (rows.dot(&weights) * rows).sum_axis(Axis(1)).insert_axis(Axis(1)))
            .unwrap();
    let expected = exact(&game).unwrap();
    let explanation = sampled(&game, 0, budget(0)).unwrap();
    assert!(distance(&explanation.values, &expected.values) < 1e-12);
    assert_eq!(explanation.standard_error, None);
}

#[test]
fn a_sample_stops_at_its_target() {
    let problem = Problem::new(6, 14, 3, 2);
    let largest_error =
        |explanation: &Explanation| explanation.standard_error.as_ref().unwrap().iter().copied().fold(0.0, f64::max);
    let pilot = sampled(&problem.game(), 0, budget(2000)).unwrap();
    let sample = |target| {
        let budget = Budget { target_standard_error: Some(target), ..budget(1 << 15) };
        let explanation = sampled(&problem.game(), 1, budget).unwrap();
        assert!(largest_error(&explanation) <= target);
        explanation.evaluations
    };
    let coarse = largest_error(&pilot);
    assert!(sample(coarse) < sample(coarse / 2.0));
}

#[test]
fn a_sample_stops_at_its_budget_or_when_told() {
    let problem = Problem::new(6, 14, 3, 1);
    let round = 3 * 2 * 13;
    for (max_evaluations, expected) in [(0, round), (round, round), (3 * round + 5, 3 * round)] {
        assert_eq!(sampled(&problem.game(), 1, budget(max_evaluations)).unwrap().evaluations, expected);
    }

    for patience in [1, 5] {
        let asked = Cell::new(0);
        let is_due = || {
            asked.set(asked.get() + 1);
            asked.get() > patience
        };
        let told = Budget { deadline: Some(&is_due), max_evaluations: 100 * round, ..Budget::default() };
        let explanation = sampled(&problem.game(), 1, told).unwrap();
        assert!(explanation.evaluations < 10 * round, "{}", explanation.evaluations);
        assert!(explanation.standard_error.is_some());
    }
}

/// Rows that a deadline leaves out count as those that were reached.
#[test]
fn a_deadline_in_the_first_round_leaves_an_honest_estimate() {
    let n_background = 900;
    let problem = Problem::new(9, 12, n_background, 2).calm();
    let expected = exact(&problem.game()).unwrap();
    let at_once = || true;
    let (mut sum_of_squares, mut n_errors) = (0.0, 0.0);
    for seed in 0..30 {
        let told = Budget { deadline: Some(&at_once), max_evaluations: 1, ..Budget::default() };
        let explanation = sampled(&problem.game(), seed, told).unwrap();
        assert!(explanation.evaluations < 22 * n_background as u64, "{}", explanation.evaluations);
        for (output, values) in explanation.values.axis_iter(Axis(1)).enumerate() {
            let total = explanation.base_value[output] + values.sum();
            assert!((total - explanation.full_value[output]).abs() < 1e-9);
        }
        let errors = (explanation.values - &expected.values) / explanation.standard_error.unwrap();
        sum_of_squares += errors.iter().map(|error| error * error).sum::<f64>();
        n_errors += errors.len() as f64;
    }
    let spread: f64 = (sum_of_squares / n_errors).sqrt();
    assert!((0.6..1.1).contains(&spread), "errors are {spread} standard errors large");
}

/// What is exact when the deadline passes stays so, and the rest is sampled.
#[test]
fn a_deadline_in_exact_values_leaves_the_best_estimate() {
    let problem = Problem::new(9, 12, 20, 1).calm();
    let expected = exact(&problem.game()).unwrap();
    let asked = Cell::new(0);
    let is_due = || {
        asked.set(asked.get() + 1);
        asked.get() > 5
    };
    let told = Budget { deadline: Some(&is_due), ..Budget::default() };
    let explanation = explain(&problem.game(), 1, told).unwrap();
    assert_eq!(explanation.method, Method::Sampled);
    assert!(explanation.evaluations < expected.evaluations);
    let errors = (&explanation.values - &expected.values) / &explanation.standard_error.unwrap();
    assert!(errors.iter().all(|error| error.abs() < 4.0), "{errors}");
}

#[test]
fn impossible_targets_are_refused() {
    let problem = Problem::new(1, 3, 1, 1);
    for target in [-1.0, f64::NAN, f64::INFINITY] {
        let budget = Budget { target_standard_error: Some(target), ..Budget::default() };
        let error = sampled(&problem.game(), 1, budget).unwrap_err();
        assert!(matches!(error, Error::TargetStandardError(_)));
    }
}

#[test]
fn an_output_that_is_not_finite_is_an_error() {
    let game = ClosureGame::new(vec![0.0, -1.0], array![[1.0, 1.0]], 1, |rows| {
        rows.map_axis(Axis(1), |x| x[1].ln() / x[0]).insert_axis(Axis(1))
    })
    .unwrap();
    assert!(matches!(sampled(&game, 1, Budget::default()), Err(Error::NotFinite { output: 0, .. })));
}

#[test]
fn explain_is_exact_where_the_budget_allows() {
    for (n_players, max_evaluations, method) in [
        (12, Budget::default().exact_evaluations, Method::Exact),
        (5, 29, Method::Sampled),
        (5, 30, Method::Exact),
        (21, 100, Method::Sampled),
        (0, 0, Method::Exact),
    ] {
        let problem = Problem::new(2, n_players, 1, 1);
        let explanation = explain(&problem.game(), 0, budget(max_evaluations)).unwrap();
        assert_eq!(explanation.method, method, "{n_players} players, {max_evaluations} evaluations");
    }
}

/// For as many evaluations, permutations of each row's own give smaller errors than one for all rows.
#[test]
fn rows_of_their_own_permutations_have_smaller_errors() {
    let problem = Problem::new(12, 10, 16, 1);
    let expected = exact(&problem.game()).unwrap().values;
    // A game of one background row whose output is the mean over all of them has one permutation for all.
    let mean = |rows: ndarray::ArrayView2<'_, f64>| {
        let means = rows.rows().into_iter().map(|mask| {
            let mixed = ndarray::Zip::from(&problem.background).map_collect(|cell| *cell);
            let mut mixed = mixed;
            for (player, joined) in mask.iter().enumerate() {
                if *joined > 0.5 {
                    mixed.column_mut(player).fill(problem.row[player]);
                }
            }
            problem.predict(&mixed.view()).mean().unwrap()
        });
        Array2::from_shape_vec((rows.nrows(), 1), means.collect()).unwrap()
    };
    let shared = ClosureGame::new(vec![1.0; 10], Array2::zeros((1, 10)), 1, mean).unwrap();
    let error = |values: &Array2<f64>| (values - &expected).mapv(|error| error * error).sum();
    let (mut own, mut common) = (0.0, 0.0);
    for seed in 0..40 {
        own += error(&sampled(&problem.game(), seed, budget(16 * 18 * 4)).unwrap().values);
        common += error(&sampled(&shared, seed, budget(18 * 4)).unwrap().values);
    }
    assert!(own < 0.8 * common, "{own} and {common}");
}

#[test]
fn methods_have_their_json_names() {
    assert_eq!(serde_json::to_string(&[Method::Exact, Method::Sampled]).unwrap(), r#"["exact","sampled"]"#);
    assert_eq!(Method::Sampled.to_string(), "sampled");
}
