//! Exact values against the definition and the axioms.

use ndarray::{Array2, Axis, array};
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use shap::{ClosureGame, Error, Method, exact};

use crate::problem::{Problem, distance, random_array};

/// The largest games whose orders can all be walked.
#[test]
fn nine_and_ten_players_equal_the_definition() {
    for (seed, n_players, n_background) in [(1, 9, 3), (2, 9, 1), (3, 10, 2), (4, 10, 1)] {
        let problem = Problem::new(seed, n_players, n_background, 2);
        let expected = problem.values_by_definition();
        let scale = expected.iter().fold(1.0_f64, |largest, value| largest.max(value.abs()));
        let explanation = exact(&problem.game()).unwrap();
        assert!(distance(&explanation.values, &expected) < 1e-10 * scale, "{n_players} players");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn equals_the_definition(seed: u64, n_players in 1_usize..=8, n_background in 1_usize..=5, n_outputs in 1_usize..=3) {
        let problem = Problem::new(seed, n_players, n_background, n_outputs);
        let explanation = exact(&problem.game()).unwrap();
        let expected = problem.values_by_definition();
        // The product of all columns reaches hundreds, and its rounding with it.
        let scale = expected.iter().fold(1.0_f64, |largest, value| largest.max(value.abs()));
        prop_assert!(distance(&explanation.values, &expected) < 1e-11 * scale);

        let coalition_values = problem.coalition_values();
        let base_value = Array2::from_shape_vec((1, n_outputs), explanation.base_value.clone()).unwrap();
        let full_value = Array2::from_shape_vec((1, n_outputs), explanation.full_value.clone()).unwrap();
        prop_assert!(distance(&base_value, &coalition_values.slice(ndarray::s![..1, ..]).to_owned()) < 1e-12);
        prop_assert!(distance(&full_value, &coalition_values.slice(ndarray::s![-1.., ..]).to_owned()) < 1e-12);
        prop_assert_eq!(explanation.evaluations, n_background as u64 * ((1_u64 << n_players) - 2));
        prop_assert_eq!(explanation.method, Method::Exact);
        prop_assert_eq!(explanation.standard_error, None);
    }

    #[test]
    fn values_sum_to_the_prediction_minus_the_base(seed: u64, n_players in 0_usize..=12, n_outputs in 1_usize..=3) {
        let explanation = exact(&Problem::new(seed, n_players, 3, n_outputs).game()).unwrap();
        for (output, values) in explanation.values.axis_iter(Axis(1)).enumerate() {
            let total = explanation.base_value[output] + values.sum();
            let full_value = explanation.full_value[output];
            prop_assert!((total - full_value).abs() <= 1e-12 * full_value.abs().max(1.0), "{} {}", total, full_value);
        }
    }

    #[test]
    fn a_player_that_changes_nothing_gets_nothing(seed: u64, player in 0_usize..7) {
        let mut problem = Problem::new(seed, 7, 4, 2);
        problem.ignore(player);
        let explanation = exact(&problem.game()).unwrap();
        prop_assert!(explanation.values.row(player).iter().all(|value| value.abs() < 1e-12));
    }

    #[test]
    fn interchangeable_players_get_the_same(seed: u64) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut background = random_array(&mut rng, 4, 5);
        let twin = background.column(1).to_owned();
        background.column_mut(3).assign(&twin);
        let mut row = random_array(&mut rng, 1, 5).into_raw_vec_and_offset().0;
        row[3] = row[1];
        let game = ClosureGame::new(row, background, 1, |rows| {
            rows.map_axis(Axis(1), |x| (x[1] * x[3] + x[0]).tanh() * (x[1] + x[3] - x[2] * x[4])).insert_axis(Axis(1))
        })
        .unwrap();
        let values = exact(&game).unwrap().values;
        prop_assert!((values[[1, 0]] - values[[3, 0]]).abs() < 1e-12);
    }

    #[test]
    fn linear_models_have_a_closed_form(seed: u64, n_players in 1_usize..=10, n_outputs in 1_usize..=3) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let weights = random_array(&mut rng, n_players, n_outputs);
        let background = random_array(&mut rng, 6, n_players);
        let row = random_array(&mut rng, 1, n_players);
        let offset = &row.row(0) - &background.mean_axis(Axis(0)).unwrap();
        let expected = &weights * &offset.insert_axis(Axis(1));
        let row = row.into_raw_vec_and_offset().0;
        let game = ClosureGame::new(row, background, n_outputs, |rows| rows.dot(&weights) + 1000.0).unwrap();
        prop_assert!(distance(&exact(&game).unwrap().values, &expected) < 1e-10);
    }
}

#[test]
fn one_player_gets_the_whole_difference() {
    let game = ClosureGame::new(vec![3.0], array![[1.0], [2.0]], 1, |rows| rows.mapv(|x| x * x)).unwrap();
    let explanation = exact(&game).unwrap();
    assert_eq!(explanation.base_value, [2.5]);
    assert_eq!(explanation.values, array![[6.5]]);
    assert_eq!(explanation.full_value, [9.0]);
    assert_eq!(explanation.evaluations, 0, "both coalitions are known");
}

#[test]
fn no_player_leaves_the_base() {
    let background = Array2::zeros((4, 0));
    let game = ClosureGame::new(Vec::new(), background, 2, |rows| Array2::from_elem((rows.nrows(), 2), 0.25)).unwrap();
    let explanation = exact(&game).unwrap();
    assert_eq!(explanation.base_value, [0.25, 0.25]);
    assert_eq!(explanation.full_value, [0.25, 0.25]);
    assert_eq!(explanation.values.dim(), (0, 2));
    assert_eq!(explanation.evaluations, 0);
}

#[test]
fn an_output_that_is_not_finite_is_an_error() {
    let background = array![[1.0, 1.0, 1.0]];
    let game = ClosureGame::new(vec![0.0, 2.0, -1.0], background, 1, |rows| {
        rows.map_axis(Axis(1), |x| if x[0] == 0.0 { (x[2] + x[1] - 1.0).sqrt() } else { 1.0 }).insert_axis(Axis(1))
    })
    .unwrap();
    let error = exact(&game).unwrap_err();
    assert_eq!(error, Error::NotFinite { output: 0, background: 0, players: vec![0, 2] });
    assert!(error.to_string().starts_with("model output 0 is not finite"));
    let ends = [(vec![-1.0], array![[1.0]], vec![0]), (vec![1.0], array![[1.0], [-1.0]], vec![])];
    for (row, background, players) in ends {
        let game = ClosureGame::new(row, background, 1, |rows| rows.mapv(f64::sqrt)).unwrap();
        assert!(matches!(exact(&game).unwrap_err(), Error::NotFinite { players: named, .. } if named == players));
    }
}

/// Rounds cells, so that rows have many of them in common.
fn rounded(seed: u64, n_players: usize, n_background: usize) -> (Vec<f64>, Array2<f64>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let cells = random_array(&mut rng, n_background + 1, n_players).mapv(|cell| cell.round() + 0.0);
    (cells.row(0).to_vec(), cells.slice(ndarray::s![1.., ..]).to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Only the columns in which a background row differs play, and it shows in nothing but the number of evaluations.
    #[test]
    fn equal_cells_change_no_value(seed: u64, n_players in 1_usize..=7, n_background in 1_usize..=6) {
        let mut problem = Problem::new(seed, n_players, n_background, 2);
        (problem.row, problem.background) = rounded(seed, n_players, n_background);
        let explanation = exact(&problem.game()).unwrap();
        let expected = problem.values_by_definition();
        // The product of all columns reaches hundreds, and its rounding with it.
        let scale = expected.iter().fold(1.0_f64, |largest, value| largest.max(value.abs()));
        prop_assert!(distance(&explanation.values, &expected) < 1e-11 * scale);
        let differing = problem.background.rows().into_iter().map(|b| {
            b.iter().zip(&problem.row).filter(|(b, x)| b != x).count() as u32
        });
        let expected: u64 = differing.map(|d| 2_u64.pow(d).saturating_sub(2)).sum();
        prop_assert_eq!(explanation.evaluations, expected);
    }
}

#[test]
fn too_many_players_are_refused() {
    let row = vec![1.0; 22];
    let mut background = Array2::zeros((2, 22));
    background.row_mut(1).fill(1.0);
    let game =
        |background| ClosureGame::new(row.clone(), background, 1, |rows| rows.sum_axis(Axis(1)).insert_axis(Axis(1)));
    assert_eq!(exact(&game(background.clone()).unwrap()).unwrap_err(), Error::TooManyPlayers { n_players: 22 });
    background.slice_mut(ndarray::s![0, ..15]).fill(1.0);
    let values = exact(&game(background).unwrap()).unwrap().values;
    assert!(values[[14, 0]] == 0.0 && (values[[15, 0]] - 0.5).abs() < 1e-14, "{values}");
}

#[test]
fn many_threads_give_the_same_bits() {
    let problem = Problem::new(3, 11, 7, 2);
    let with = |n_threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| exact(&problem.game()).unwrap())
    };
    assert_eq!(with(1), with(5));
}
