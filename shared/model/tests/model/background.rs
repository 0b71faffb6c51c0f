//! The background stands for all rows better than a plain sample does.

use crate::common::{TARGETS, predictor, rows};
use model::{Predictions, background_rows};
use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

fn mean(predictions: &Predictions) -> f64 {
    match predictions {
        Predictions::Numbers(numbers) => numbers.iter().sum::<f64>() / numbers.len() as f64,
        Predictions::Probabilities(rows) => rows.values.column(0).mean().unwrap(),
    }
}

#[test]
fn the_mean_answer_is_that_of_all_rows() {
    for target in [TARGETS[0], TARGETS[2], TARGETS[3]] {
        let predictor = predictor(target);
        let batch = rows(predictor.spec(), 3_000, 5);
        let all = mean(&predictor.predict(&batch));
        let squares = |chosen: &dyn Fn(u64) -> Vec<usize>| -> f64 {
            let error = |seed| (mean(&predictor.predict(&batch.select(&chosen(seed)))) - all).powi(2);
            (0..20).map(error).sum()
        };
        let stratified = squares(&|seed| background_rows(&predictor, &batch, 50, seed));
        let plain = squares(&|seed| index::sample(&mut ChaCha8Rng::seed_from_u64(seed), 3_000, 50).into_vec());
        assert!(stratified < 0.3 * plain, "{target}: {stratified} {plain}");
    }
}

#[test]
fn rows_are_chosen_once_each_and_alike_again() {
    for target in TARGETS {
        let predictor = predictor(target);
        let batch = rows(predictor.spec(), 170, 5);
        for n_rows in [1, 60, 170, 1_000] {
            let chosen = background_rows(&predictor, &batch, n_rows, 7);
            assert_eq!(chosen.len(), n_rows.min(170));
            assert!(chosen.windows(2).all(|pair| pair[0] < pair[1]) && chosen.iter().all(|row| *row < 170));
            assert_eq!(chosen, background_rows(&predictor, &batch, n_rows, 7));
        }
        assert!(background_rows(&predictor, &batch.select(&[]), 5, 7).is_empty());
    }
}
