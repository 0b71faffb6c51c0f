//! How well the production version should do on a batch, whether its rows have labels or not.

use drift::{Losses, Outlook, Settings, Values};
use model::{Predictions, from_mean};
use serving::Served;
use spec::{Batch, Metric, Spec};

use crate::live::{entropies, labelled, losses_of};

/// Most rows of either side that are looked at, evenly spread over them.
const ROWS: usize = 20_000;

/// What the version's own probabilities say of these rows, or, for numbers, what its errors on held-out rows say.
///
/// None where there are too few rows, or where they do not fit; it decides nothing, so that is no error.
pub(crate) fn of(
    served: &Served,
    metric: Metric,
    rows: &Batch,
    reference: &Batch,
    settings: &Settings,
) -> Option<Outlook> {
    let (rows, reference) = (thinned(rows), thinned(&labelled(served.spec(), reference)));
    let held_out = losses_of(served, metric, &reference);
    let in_units = |mean| from_mean(metric, mean);
    match served.predictor().predict(&rows) {
        Predictions::Probabilities(probabilities) => {
            Outlook::of_probabilities(metric.name(), &entropies(&probabilities.values), &held_out, settings, in_units)
        }
        Predictions::Numbers(predicted) => {
            let Predictions::Numbers(predicted_then) = served.predictor().predict(&reference) else { return None };
            of_numbers(served.spec(), metric, (&rows, &predicted), (&reference, &predicted_then), &held_out, settings)
        }
    }
}

fn of_numbers(
    spec: &Spec,
    metric: Metric,
    rows: (&Batch, &[f64]),
    reference: (&Batch, &[f64]),
    held_out: &Losses,
    settings: &Settings,
) -> Option<Outlook> {
    let columns = |(batch, predicted)| {
        let mut columns = drift::inputs(spec, batch);
        columns.push((spec.target.column.clone(), Values::Numbers(predicted)));
        columns
    };
    let in_units = |mean| from_mean(metric, mean);
    Outlook::of_inputs(metric.name(), &columns(rows), &columns(reference), held_out, settings, in_units).ok()?
}

fn thinned(rows: &Batch) -> Batch {
    let n_rows = rows.n_rows();
    if n_rows <= ROWS {
        return rows.clone();
    }
    rows.select(&(0..ROWS).map(|row| row * n_rows / ROWS).collect::<Vec<_>>())
}
