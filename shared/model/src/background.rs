use rand::seq::index;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spec::{Batch, Task};

use crate::{Predictions, Predictor};

/// Rows that are predicted for each row of the background.
const CANDIDATES_PER_ROW: usize = 50;

/// Which rows stand for all of them in explanations: `n_rows` of the batch, or all where it has fewer, in rising order.
///
/// A stratified sample by what the model answers: seeded candidates are sorted by their prediction (several classes: by the
/// most likely class and then its probability), cut into `n_rows` strata of one size, and one row is drawn of each. So the
/// base value, the mean answer over the background, has next to no error of sampling, and every kind of answer has its share;
/// within strata the rows are as random as in a plain sample. The same arguments give the same rows.
///
/// # Source
/// W. G. Cochran, "Sampling techniques" (3rd ed., 1977), chapter 5, for proportional strata by a variable that goes with
/// what is estimated. Medoids of clusters, the other usual choice, need weights to stand for the mean over all rows, and
/// Shapley values against them have no plain reading.
pub fn background_rows(predictor: &Predictor, batch: &Batch, n_rows: usize, seed: u64) -> Vec<usize> {
    let n_rows = n_rows.min(batch.n_rows());
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let n_candidates = n_rows.saturating_mul(CANDIDATES_PER_ROW).min(batch.n_rows());
    let mut candidates = index::sample(&mut rng, batch.n_rows(), n_candidates).into_vec();
    candidates.sort_unstable();
    let keys = keys(predictor, &predictor.predict(&batch.select(&candidates)));
    let mut order: Vec<usize> = (0..n_candidates).collect();
    order.sort_by(|left, right| {
        let ((left_class, left), (right_class, right)) = (keys[*left], keys[*right]);
        left_class.cmp(&right_class).then(left.total_cmp(&right))
    });
    let stratum = |index: usize| index * n_candidates / n_rows;
    let drawn = (0..n_rows).map(|index| candidates[order[rng.random_range(stratum(index)..stratum(index + 1))]]);
    let mut rows: Vec<usize> = drawn.collect();
    rows.sort_unstable();
    rows
}

/// What rows are sorted by.
fn keys(predictor: &Predictor, predictions: &Predictions) -> Vec<(usize, f64)> {
    match predictions {
        Predictions::Numbers(numbers) => numbers.iter().map(|number| (0, *number)).collect(),
        Predictions::Probabilities(rows) if predictor.spec().task == Task::Binary => {
            rows.values.column(predictor.spec().positive_index()).iter().map(|probability| (0, *probability)).collect()
        }
        Predictions::Probabilities(rows) => {
            rows.most_likely().enumerate().map(|(row, class)| (class, rows.values[[row, class]])).collect()
        }
    }
}
