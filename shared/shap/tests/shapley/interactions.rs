//! Interaction values against their definition and the values that they split up.

use ndarray::{Array2, ArrayView2, Axis, array};
use proptest::prelude::*;
use shap::{Budget, ClosureGame, exact, interactions};

use crate::problem::Problem;

fn factorial(n: usize) -> f64 {
    (1..=n).map(|i| i as f64).product()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn pairs_equal_the_definition(seed: u64, n_players in 2_usize..=6, n_background in 1_usize..=4, same in 0_usize..=2) {
        let mut problem = Problem::new(seed, n_players, n_background, 2);
        for player in 0..same {
            // A column that one background row has in common with the explained row does not play there.
            problem.background[[0, player]] = problem.row[player];
        }
        let pairs = interactions(&problem.game(), Budget::default()).unwrap().unwrap();
        let values = problem.coalition_values();
        for i in 0..n_players {
            for j in (0..n_players).filter(|j| *j != i) {
                for output in 0..2 {
                    let v = |mask: usize| values[[mask, output]];
                    let without = (0..1_usize << n_players).filter(|mask| mask & (1 << i | 1 << j) == 0);
                    let expected: f64 = without.map(|mask| {
                        let size = mask.count_ones() as usize;
                        let weight = factorial(size) * factorial(n_players - size - 2) / (2.0 * factorial(n_players - 1));
                        weight * (v(mask | 1 << i | 1 << j) - v(mask | 1 << i) - v(mask | 1 << j) + v(mask))
                    }).sum();
                    prop_assert!((pairs[[i, j, output]] - expected).abs() < 1e-11);
                }
            }
        }
        let own = exact(&problem.game()).unwrap().values;
        let sums: Array2<f64> = pairs.sum_axis(Axis(1));
        prop_assert!((sums - own).iter().all(|difference| difference.abs() < 1e-11));
    }
}

#[test]
fn a_product_interacts_and_a_sum_does_not() {
    let f = |rows: ArrayView2<'_, f64>| rows.map_axis(Axis(1), |x| x[0] * x[1] + x[2]).insert_axis(Axis(1));
    let game = ClosureGame::new(vec![3.0, 4.0, 5.0], array![[0.0, 0.0, 0.0]], 1, f).unwrap();
    let pairs = interactions(&game, Budget::default()).unwrap().unwrap();
    let tight = Budget { exact_evaluations: 5, ..Budget::default() };
    assert_eq!(interactions(&game, tight).unwrap(), None);
    let expected = array![[0.0, 6.0, 0.0], [6.0, 0.0, 0.0], [0.0, 0.0, 5.0]];
    assert!((&pairs.index_axis(Axis(2), 0) - &expected).iter().all(|difference: &f64| difference.abs() < 1e-14));
}
