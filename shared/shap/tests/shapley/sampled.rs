//! Sampled values against exact ones, and when a sample stops.

use std::cell::Cell;

use ndarray::{Array2, Axis, array};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use shap::{Budget, ClosureGame, Error, Explanation, Game, Method, Settings, exact, explain, sampled};

use crate::problem::{Problem, distance, random_array};

fn budget(max_evaluations: u64) -> Budget<'static> {
    Budget { max_evaluations, ..Budget::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn values_sum_to_the_prediction_minus_the_base(
        seed: u64, n_players in 0_usize..=20, n_outputs in 1_usize..=3, max_evaluations in 0_u64..500,
    ) {
        let problem = Problem::new(seed, n_players, 3, n_outputs);
        let explanation = sampled(&mut problem.game(), seed, budget(max_evaluations)).unwrap();
        for (output, values) in explanation.values.axis_iter(Axis(1)).enumerate() {
            let total = explanation.base_value[output] + values.sum();
            let full_value = explanation.full_value[output];
            prop_assert!((total - full_value).abs() <= 1e-12 * full_value.abs().max(1.0), "{} {}", total, full_value);
        }
        let pair = 2 * n_players.saturating_sub(1) as u64;
        prop_assert!(explanation.evaluations <= max_evaluations.max(2 + pair));
    }

    #[test]
    fn up_to_two_players_are_exact(seed: u64, n_players in 0_usize..=2) {
        let problem = Problem::new(seed, n_players, 3, 2);
        let explanation = sampled(&mut problem.game(), seed, Budget::default()).unwrap();
        prop_assert!(distance(&explanation.values, &exact(&mut problem.game()).unwrap().values) < 1e-12);
        prop_assert_eq!(explanation.standard_error, Some(Array2::zeros((n_players, 2))));
        prop_assert_eq!(explanation.evaluations, [1, 2, 4][n_players]);
    }
}

#[test]
fn values_are_within_four_standard_errors_of_exact_ones() {
    for (seed, n_players) in [(1, 8), (2, 11), (3, 13), (4, 14)] {
        let problem = Problem::new(seed, n_players, 3, 2);
        let expected = exact(&mut problem.game()).unwrap();
        let explanation = sampled(&mut problem.game(), seed, budget(4000)).unwrap();
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
    let problem = Problem::new(11, 6, 2, 1);
    let expected = exact(&mut problem.game()).unwrap().values;
    let mut sum_of_squares = 0.0;
    let mut n_errors = 0.0;
    for seed in 0..300 {
        let explanation = sampled(&mut problem.game(), seed, budget(402)).unwrap();
        let errors = (explanation.values - &expected) / explanation.standard_error.unwrap();
        sum_of_squares += errors.iter().map(|error| error * error).sum::<f64>();
        n_errors += errors.len() as f64;
    }
    let spread = (sum_of_squares / n_errors).sqrt();
    assert!((0.9..1.1).contains(&spread), "errors are {spread} standard errors large");
}

#[test]
fn same_seed_same_bits() {
    let problem = Problem::new(5, 15, 3, 2);
    let sample = |seed| sampled(&mut problem.game(), seed, budget(1000)).unwrap();
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
    let mut game = ClosureGame::new(row.clone(), background, 1, |rows| rows.dot(&weights)).unwrap();
    let target = Budget { target_standard_error: Some(1e-12), ..Budget::default() };
    let explanation = sampled(&mut game, 0, target).unwrap();
    for player in 0..16 {
        let expected = weights[[player, 0]] * (row[player] - mean[player]);
        assert!((explanation.values[[player, 0]] - expected).abs() < 1e-12);
    }
    assert!(explanation.standard_error.unwrap().iter().all(|error| *error < 1e-12));
    // The ten pairs without which no target is believed.
    assert_eq!(explanation.evaluations, 2 + 10 * 2 * 15);
}

#[test]
fn interactions_of_two_players_are_exact_from_the_first_pair() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let weights = random_array(&mut rng, 9, 9);
    let background = random_array(&mut rng, 1, 9);
    let row = random_array(&mut rng, 1, 9).into_raw_vec_and_offset().0;
    let mut game =
        ClosureGame::new(row, background, 1, |rows| (rows.dot(&weights) * rows).sum_axis(Axis(1)).insert_axis(Axis(1)))
            .unwrap();
    let expected = exact(&mut game).unwrap();
    let explanation = sampled(&mut game, 0, budget(0)).unwrap();
    assert!(distance(&explanation.values, &expected.values) < 1e-12);
    assert_eq!(explanation.standard_error, None);
}

#[test]
fn a_sample_stops_at_its_target() {
    let problem = Problem::new(6, 14, 3, 2);
    let largest_error =
        |explanation: &Explanation| explanation.standard_error.as_ref().unwrap().iter().copied().fold(0.0, f64::max);
    let pilot = sampled(&mut problem.game(), 0, budget(2000)).unwrap();
    let sample = |target| {
        let budget = Budget { max_evaluations: 1 << 16, target_standard_error: Some(target), deadline: None };
        let explanation = sampled(&mut problem.game(), 1, budget).unwrap();
        assert!(largest_error(&explanation) <= target);
        explanation.evaluations
    };
    let coarse = largest_error(&pilot);
    assert!(sample(coarse) < sample(coarse / 2.0));
}

#[test]
fn a_sample_stops_at_its_budget_or_when_told_but_completes_a_pair() {
    let problem = Problem::new(6, 14, 3, 1);
    let pair = 2 * 13;
    for (max_evaluations, expected) in [(0, 2 + pair), (2 + pair, 2 + pair), (2 + 3 * pair + 5, 2 + 3 * pair)] {
        assert_eq!(sampled(&mut problem.game(), 1, budget(max_evaluations)).unwrap().evaluations, expected);
    }

    let asked = Cell::new(0);
    for patience in [1, 5] {
        asked.set(0);
        let is_due = || {
            asked.set(asked.get() + 1);
            asked.get() == patience
        };
        let told = Budget { deadline: Some(&is_due), ..Budget::default() };
        let explanation = sampled(&mut problem.game(), 1, told).unwrap();
        assert_eq!(explanation.evaluations, 2 + patience * pair);
        assert_eq!(explanation.standard_error.is_some(), patience > 1);
    }
}

#[test]
fn impossible_targets_are_refused() {
    let problem = Problem::new(1, 3, 1, 1);
    for target in [-1.0, f64::NAN, f64::INFINITY] {
        let budget = Budget { target_standard_error: Some(target), ..Budget::default() };
        let error = sampled(&mut problem.game(), 1, budget).unwrap_err();
        assert!(matches!(error, Error::TargetStandardError(_)));
    }
}

#[test]
fn an_output_that_is_not_finite_is_an_error() {
    let mut game = ClosureGame::new(vec![0.0, -1.0], array![[1.0, 1.0]], 1, |rows| {
        rows.map_axis(Axis(1), |x| x[1].ln() / x[0]).insert_axis(Axis(1))
    })
    .unwrap();
    assert!(matches!(sampled(&mut game, 1, Budget::default()), Err(Error::NotFinite { output: 0, .. })));
}

#[test]
fn walks_move_one_player_at_a_time_and_two_at_the_turns() {
    struct Recorder(Vec<Vec<bool>>);

    impl Game for Recorder {
        fn n_players(&self) -> usize {
            7
        }

        fn n_outputs(&self) -> usize {
            1
        }

        fn value(&mut self, coalition: &[bool], out: &mut [f64]) {
            self.0.push(coalition.to_vec());
            out[0] = 0.0;
        }
    }

    let mut game = Recorder(Vec::new());
    sampled(&mut game, 1, budget(2 + 3 * 12)).unwrap();
    let changes: Vec<usize> = game
        .0
        .windows(2)
        .map(|pair| pair[0].iter().zip(&pair[1]).filter(|(before, after)| before != after).count())
        .collect();
    assert_eq!(changes[0], 7, "from nobody to everybody");
    for (step, &n_changed) in changes.iter().enumerate().skip(1) {
        // A pair is six coalitions down and six up; a turn may meet the same coalition again.
        let is_turn = step > 1 && (step - 1) % 6 == 0;
        assert!(if is_turn { n_changed == 2 || n_changed == 0 } else { n_changed == 1 }, "step {step}: {changes:?}");
    }
}

#[test]
fn explain_is_exact_up_to_the_setting() {
    for (n_players, exact_up_to, method) in [
        (12, Settings::default().exact_up_to, Method::Exact),
        (13, Settings::default().exact_up_to, Method::Sampled),
        (5, 4, Method::Sampled),
        (5, 5, Method::Exact),
        (21, usize::MAX, Method::Sampled),
        (0, 0, Method::Exact),
    ] {
        let problem = Problem::new(2, n_players, 1, 1);
        let settings = Settings { exact_up_to, budget: budget(100), ..Settings::default() };
        let explanation = explain(&mut problem.game(), &settings).unwrap();
        assert_eq!(explanation.method, method, "{n_players} players, exact up to {exact_up_to}");
    }
}

#[test]
fn methods_have_their_json_names() {
    assert_eq!(serde_json::to_string(&[Method::Exact, Method::Sampled]).unwrap(), r#"["exact","sampled"]"#);
    assert_eq!(Method::Sampled.to_string(), "sampled");
}
