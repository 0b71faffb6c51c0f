//! Cross-validation: how good the models are that a spec's settings lead to, on rows that they have not seen.

use std::sync::Arc;

use features::Encoder;
use indexmap::IndexMap;
use model::Predictor;
use serde::{Deserialize, Serialize};
use spec::{Batch, Metric, Spec};

use crate::Error;
use crate::fit::{Bag, NoKeeper, Rows, fit_bag};

/// A metric over folds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Mean over the folds.
    pub mean: f64,
    /// Standard deviation over the folds (ddof 1) by the root of their number. Folds share train rows, so this is a little
    /// too small. None of a single fold.
    pub standard_error: Option<f64>,
    /// The metric on each fold, in the order of the folds.
    pub folds: Vec<f64>,
}

/// Out-of-fold metrics of a spec's models.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Rows that were used.
    pub rows: usize,
    /// Each metric that the task has and every fold defines.
    pub metrics: IndexMap<Metric, Estimate>,
}

impl Estimate {
    /// Mean and standard error of a metric's values on folds.
    ///
    /// ```
    /// let estimate = train::evaluate::Estimate::of(vec![1.0, 2.0, 3.0]);
    /// assert_eq!((estimate.mean, estimate.standard_error), (2.0, Some((1.0_f64 / 3.0).sqrt())));
    /// ```
    pub fn of(folds: Vec<f64>) -> Self {
        let n = folds.len() as f64;
        let mean = folds.iter().sum::<f64>() / n;
        let squares: f64 = folds.iter().map(|fold| (fold - mean).powi(2)).sum();
        let standard_error = (folds.len() > 1).then(|| (squares / (n - 1.0) / n).sqrt());
        Self { mean, standard_error, folds }
    }
}

/// Fits a model on all rows but a fold's, and measures it there, for each fold. Encoders and readouts are fitted on the
/// train rows only.
///
/// `fold_of` says for each row which fold it is in; folds are named 0, 1, ... and none may be empty. `observer` hears how
/// many folds are done.
///
/// # Errors
/// Those of a fit.
///
/// # Panics
/// When `fold_of` is not as long as the batch: a bug of the caller.
pub fn cross_validate(
    spec: &Arc<Spec>,
    rows: &Batch,
    fold_of: &[usize],
    observer: &mut dyn FnMut(usize),
) -> Result<Evaluation, Error> {
    assert_eq!(fold_of.len(), rows.n_rows(), "each row has its fold");
    let n_folds = fold_of.iter().max().map_or(0, |last| last + 1);
    let mut by_metric: IndexMap<Metric, Vec<f64>> = IndexMap::new();
    for fold in 0..n_folds {
        let (test, train): (Vec<usize>, Vec<usize>) = (0..rows.n_rows()).partition(|row| fold_of[*row] == fold);
        let predictor = fit_predictor(spec, &rows.select(&train))?;
        let test = rows.select(&test);
        if let Some(target) = test.target() {
            for (metric, value) in model::evaluate(spec, &predictor.predict(&test), target) {
                by_metric.entry(metric).or_default().push(value);
            }
        }
        observer(fold + 1);
    }
    by_metric.retain(|_, values| values.len() == n_folds);
    let metrics = by_metric.into_iter().map(|(metric, values)| (metric, Estimate::of(values))).collect();
    Ok(Evaluation { rows: rows.n_rows(), metrics })
}

/// The model that a spec's settings lead to on some rows, without store or job.
///
/// # Errors
/// Those of a fit.
pub fn fit_predictor(spec: &Arc<Spec>, rows: &Batch) -> Result<Predictor, Error> {
    let encoder = Encoder::fit(spec, rows)?;
    let encoded = Rows::of_batch(spec, &encoder, rows)?;
    let bag = Bag { spec, encoder: &encoder, rows: &encoded, over_budget: &|| false };
    let fitted = fit_bag(bag, &NoKeeper)?;
    Ok(Predictor::new(Arc::clone(spec), encoder, &fitted.weights)?)
}
