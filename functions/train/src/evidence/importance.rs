//! Which raw columns the answers rest on.

use std::sync::Arc;

use model::{Coalitions, Predictor, evaluate};
use rand::seq::{SliceRandom, index};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use shap::Budget;
use spec::{Batch, ColumnData, Metric, Space, Spec};

use super::stats::{mean, standard_error};
use crate::Error;

/// How often each column is shuffled.
const SHUFFLES: usize = 3;

/// Most rows that are shuffled.
const MAX_SHUFFLED_ROWS: usize = 2_000;

/// Most rows that are predicted for all columns and shuffles together, so that wide tables cost no more than narrow ones.
const MAX_PREDICTED_ROWS: usize = 120_000;

/// Fewest rows that are shuffled, where there are so many.
const MIN_SHUFFLED_ROWS: usize = 200;

/// Most coalitions that are evaluated for all rows together.
const MAX_EVALUATIONS: u64 = 10_000;

/// Most coalitions that are evaluated for one row: exact up to 8 columns, a sample of permutations beyond.
const EVALUATIONS_PER_ROW: u64 = 400;

/// The most columns that are surely explained exactly.
const EXACT_UP_TO: usize = 8;

/// Fewest and most rows that are explained.
const EXPLAINED_ROWS: (usize, usize) = (4, 50);

/// Most background rows that an explained row is compared with.
const MAX_BACKGROUND_ROWS: usize = 32;

/// Which raw columns the answers rest on, by two measures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Importance {
    /// The metric whose loss grows when a column is shuffled.
    pub metric: Metric,
    /// Hold-out rows that were shuffled.
    pub shuffled_rows: usize,
    /// By column, in the spec's order: how much the metric's loss (1 minus it, where higher is better) grows when the column's
    /// cells are dealt to other rows. Near zero or below, where the model does not need it. Empty where the metric is not
    /// defined for these rows.
    pub permutation: Vec<ColumnImportance>,
    /// Units of the Shapley values.
    pub space: Space,
    /// Hold-out rows that were explained.
    pub explained_rows: usize,
    /// By column, in the spec's order: mean absolute Shapley value, over the classes too where there are several.
    pub shap: Vec<ColumnImportance>,
}

/// How much rests on one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnImportance {
    /// The column.
    pub column: String,
    /// The mean: over shuffles, or over explained rows.
    pub value: f64,
    /// Its standard error: over shuffles of the same rows, or over explained rows. None of a single one.
    pub standard_error: Option<f64>,
}

/// Both measures, on seeded samples of the hold-out rows.
///
/// A column that is like another is of little importance by shuffling, as the other stands in for it; its Shapley values share
/// what both are worth. Neither says what would happen if somebody changed a column's values in the world.
///
/// # Source
/// Shuffling: L. Breiman, "Random forests", Machine Learning 45 (2001), for any model: A. Fisher, C. Rudin and F. Dominici,
/// "All models are wrong, but many are useful", JMLR 20 (2019). Mean absolute Shapley values: S. Lundberg et al., "From local
/// explanations to global understanding with explainable AI for trees", Nature Machine Intelligence 2 (2020).
///
/// # Errors
/// [`Error::Model`] and [`Error::Shap`] for rows that cannot be explained.
pub(super) fn importance(
    predictor: &Predictor,
    holdout: &Batch,
    background: &Batch,
    seed: u64,
) -> Result<Importance, Error> {
    let spec: &Arc<Spec> = predictor.spec();
    let n_shuffled = (MAX_PREDICTED_ROWS / (SHUFFLES * spec.columns.len()))
        .clamp(MIN_SHUFFLED_ROWS, MAX_SHUFFLED_ROWS)
        .min(holdout.n_rows());
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let permutation = permutation(predictor, &sample(holdout, n_shuffled, &mut rng), &mut rng);
    let n_explained = explained_rows(spec.columns.len()).min(holdout.n_rows());
    let explained = sample(holdout, n_explained, &mut rng);
    let compared = sample(background, MAX_BACKGROUND_ROWS.min(background.n_rows()), &mut rng);
    Ok(Importance {
        metric: spec.metric(),
        shuffled_rows: n_shuffled,
        permutation,
        space: spec.space(),
        explained_rows: n_explained,
        shap: mean_shap(predictor, &explained, &compared, seed)?,
    })
}

/// A sample of rows without replacement, in their order.
fn sample(batch: &Batch, n_rows: usize, rng: &mut impl Rng) -> Batch {
    let mut rows = index::sample(rng, batch.n_rows(), n_rows).into_vec();
    rows.sort_unstable();
    batch.select(&rows)
}

fn permutation(predictor: &Predictor, rows: &Batch, rng: &mut impl Rng) -> Vec<ColumnImportance> {
    let (spec, metric) = (predictor.spec(), predictor.spec().metric());
    let loss = |rows: &Batch| {
        let value = *evaluate(spec, &predictor.predict(rows), rows.target()?).get(&metric)?;
        Some(if metric.higher_is_better() { 1.0 - value } else { value })
    };
    let Some(whole) = loss(rows) else { return Vec::new() };
    let columns = spec.columns.keys().enumerate().map(|(column, name)| {
        let increases: Vec<f64> =
            (0..SHUFFLES).filter_map(|_| Some(loss(&shuffled(rows, column, rng))? - whole)).collect();
        Some(ColumnImportance {
            column: name.clone(),
            value: mean(&increases)?,
            standard_error: standard_error(&increases),
        })
    });
    columns.flatten().collect()
}

/// The rows with the cells of one column dealt to other rows.
fn shuffled(rows: &Batch, column: usize, rng: &mut impl Rng) -> Batch {
    let mut places: Vec<usize> = (0..rows.n_rows()).collect();
    places.shuffle(rng);
    let mut columns: Vec<ColumnData> = rows.columns().to_vec();
    columns[column] = columns[column].select(&places);
    Batch::new(columns, rows.target().cloned(), rows.time().map(<[f64]>::to_vec), rows.n_rows())
}

/// How many rows are explained of a model of so many columns: as many as [`MAX_EVALUATIONS`] allow, within bounds.
fn explained_rows(n_columns: usize) -> usize {
    let exact = (n_columns <= EXACT_UP_TO).then(|| 1_u64 << n_columns);
    // A sample is of one pair of permutations at least.
    let of_row = exact.unwrap_or_else(|| EVALUATIONS_PER_ROW.max(2 * n_columns as u64));
    ((MAX_EVALUATIONS / of_row) as usize).clamp(EXPLAINED_ROWS.0, EXPLAINED_ROWS.1)
}

fn mean_shap(
    predictor: &Predictor,
    rows: &Batch,
    background: &Batch,
    seed: u64,
) -> Result<Vec<ColumnImportance>, Error> {
    let spec = predictor.spec();
    let mut of_columns: Vec<Vec<f64>> = vec![Vec::with_capacity(rows.n_rows()); spec.columns.len()];
    for row in 0..rows.n_rows() {
        let game = Coalitions::new(predictor, &rows.record(row), background, spec.space())?;
        let evaluations = EVALUATIONS_PER_ROW * background.n_rows() as u64;
        let budget = Budget { exact_evaluations: evaluations, max_evaluations: evaluations, ..Budget::default() };
        let explanation = shap::explain(&game, seed, budget)?;
        for (of_column, values) in of_columns.iter_mut().zip(explanation.values.rows()) {
            of_column.push(values.iter().map(|value| value.abs()).sum::<f64>() / values.len() as f64);
        }
    }
    let columns = spec.columns.keys().zip(&of_columns).map(|(name, values)| {
        Some(ColumnImportance { column: name.clone(), value: mean(values)?, standard_error: standard_error(values) })
    });
    Ok(columns.flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evaluations_are_bounded() {
        // 2^8 = 256 coalitions are 39 rows of 10,000, 400 are 25; a single pair of a wide table costs more.
        assert_eq!([1, 7, 8, 9, 200, 600, 5_000].map(explained_rows), [50, 50, 39, 25, 25, 8, 4]);
    }
}
