//! The readout: fitted on answers for rows that the answering network did not learn from, with the network or after it.

use std::sync::Arc;

use features::{Encoder, TargetCode};
use model::{Decision, Predictions, Predictor, Readout, Weights, threshold};
use spec::{Batch, Spec, Task, Threshold, ThresholdScore};

use super::calibrate::{calibrate, intervals};
use super::{Error, Rows, teaching};

/// The same network with a readout fitted on other rows, which it has not learnt from: the calibration, the threshold and
/// the intervals are those of these rows, and how much each member counts stays. The order of rows by a binary probability
/// stays, too, so its AUC does.
///
/// Where only the rates of the classes have moved, this is the prior correction, with a slope and a bend beside the shift
/// for what the move does to certainty.
///
/// # Errors
/// [`Error::Weights`] for weights that do not fit the spec and the encoder, [`Error::Features`] for rows without a target.
///
/// # Source
/// M. Saerens, P. Latinne and C. Decaestecker, "Adjusting the outputs of a classifier to new a priori probabilities", Neural
/// Computation 14 (2002), for known rates; slope, bend and shift as in [`model::Calibration`].
pub fn recalibrate(spec: &Arc<Spec>, encoder: &Encoder, weights: &Weights, rows: &Batch) -> Result<Weights, Error> {
    let bare = Readout { blend: weights.readout().blend.clone(), ..Readout::default() };
    let weights = weights.clone().with_readout(bare.clone())?;
    let predictor = Predictor::new(Arc::clone(spec), encoder.clone(), &weights)?;
    let rows = teaching(rows);
    let rows = Rows::of_batch(spec, encoder, &rows)?;
    let all: Vec<usize> = (0..rows.n_rows()).collect();
    let predictions = predictor.predict_encoded(&rows.part(&all).encoded);
    let fitted = readout(spec, encoder.target(), &predictions, &rows.targets, rows.weights.as_deref());
    Ok(weights.with_readout(Readout { blend: bare.blend, ..fitted })?)
}

/// Fits all of a readout but its blend on answers without one; `targets` and `weights` as in [`Rows`].
pub(super) fn readout(
    spec: &Spec,
    code: &TargetCode,
    predictions: &Predictions,
    targets: &[f32],
    weights: Option<&[f32]>,
) -> Readout {
    match predictions {
        Predictions::Numbers(numbers) => {
            let answers: Vec<f64> = numbers.iter().map(|number| code.standardise(*number, code.is_log())).collect();
            Readout { interval: intervals(&answers, targets, spec.serve.interval), ..Readout::default() }
        }
        Predictions::Probabilities(probabilities) => {
            let probabilities = &probabilities.values;
            let positive = (spec.task == Task::Binary).then(|| spec.positive_index());
            let truth: Vec<usize> = targets.iter().map(|target| class(*target, code)).collect();
            let calibration = calibrate(probabilities, &truth, weights, positive);
            let served = calibration.as_ref().map(|calibration| calibration.calibrate(probabilities, positive));
            let served = served.as_ref().unwrap_or(probabilities);
            let readout = match (positive, spec.serve.threshold) {
                (_, choice) if choice.is_default() => Readout::default(),
                (Some(of_class), choice) => {
                    let truths: Vec<bool> = truth.iter().map(|class| *class == of_class).collect();
                    let threshold = threshold(choice, &served.column(of_class).to_vec(), &truths);
                    Readout { threshold: Some(threshold), ..Readout::default() }
                }
                (None, Threshold::Best(ThresholdScore::F1)) => {
                    Readout { decision: Decision::of_macro_f1(served), ..Readout::default() }
                }
                (None, Threshold::At(_) | Threshold::Costs { .. }) => Readout::default(),
            };
            Readout { calibration, ..readout }
        }
    }
}

/// The class of a coded target, as an index into the spec's classes.
pub(super) fn class(target: f32, code: &TargetCode) -> usize {
    match code {
        TargetCode::Classes { labels, positive } if labels.len() == 2 => {
            if target > 0.5 {
                *positive
            } else {
                1 - positive
            }
        }
        _ => target as usize,
    }
}

#[cfg(test)]
mod tests {
    use model::evaluate;
    use spec::{BatchBuilder, Kind, Metric, Value};

    use super::*;
    use crate::evaluate::fit_predictor;
    use crate::fit::{KEEP_NOTHING, fit_batch};

    /// Rows of which those with a large `x` are mostly high; of the low ones every `keep`-th is kept.
    fn rows(n_rows: usize, keep: usize) -> Batch {
        let mut builder = BatchBuilder::new([Kind::Number], Some(Kind::Category), false);
        let mut lows = 0;
        for row in 0..n_rows {
            let x = (row * 37 % 101) as f64 / 100.0;
            let is_high = (row * 7_919 % 1_009) as f64 / 1_009.0 < x;
            lows += usize::from(!is_high);
            if is_high || lows % keep == 0 {
                let level = if is_high { "high" } else { "low" };
                builder.push(&[Value::Number(x)], &Value::Level(level.to_owned()), f64::NAN);
            }
        }
        builder.finish()
    }

    #[test]
    fn rare_ones_of_several_classes_are_called_where_that_makes_macro_f1_better() {
        let spec = |threshold: &str| {
            let text = "name: m\ntask: multiclass\ntarget: {column: y, classes: [common, other, rare]}\ncolumns: {x: {kind: \
                        number}}\ntrain: {kinds: [coarse], members: 2, hidden: 8}\nserve: {threshold: ";
            Arc::new(Spec::parse(&format!("{text}{threshold}}}\n")).unwrap())
        };
        let mut builder = BatchBuilder::new([Kind::Number], Some(Kind::Category), false);
        for row in 0..3_000_usize {
            let x = (row * 37 % 101) as f64 / 100.0;
            let draw = (row * 7_919 % 1_009) as f64 / 1_009.0;
            // The rare class is likelier the larger `x` is, and never the likeliest.
            let class = if draw < 0.4 * x { "rare" } else { ["common", "other"][usize::from(draw > 0.9)] };
            builder.push(&[Value::Number(x)], &Value::Level(class.to_owned()), f64::NAN);
        }
        let rows = builder.finish();
        let metrics = |spec: &Arc<Spec>| {
            let predictor = fit_predictor(spec, &rows).unwrap();
            (predictor.readout().decision.clone(), evaluate(spec, &predictor.predict(&rows), rows.target().unwrap()))
        };
        let (none, plain) = metrics(&spec("0.5"));
        let (decision, best) = metrics(&spec("f1"));
        let weights = decision.unwrap().weights;
        assert!(none.is_none() && weights[2] > weights[0], "{weights:?}");
        assert!(best[&Metric::MacroF1] > plain[&Metric::MacroF1] + 0.05, "{plain:?} {best:?}");
        assert_eq!(best[&Metric::LogLoss], plain[&Metric::LogLoss]);
    }

    #[test]
    fn a_new_readout_mends_rates_and_keeps_the_order() {
        let text = "name: m\ntask: binary\ntarget: {column: y, classes: [low, high]}\ncolumns: {x: {kind: number}}\n\
                    train: {kinds: [coarse], members: 2, hidden: 8}\nserve: {threshold: f1}\n";
        let spec = Arc::new(Spec::parse(text).unwrap());
        let history = rows(1_500, 1);
        let (encoder, fitted) = fit_batch(&spec, &history, 2, &|| false, &KEEP_NOTHING).unwrap();
        let standing = fitted.weights;
        let shifted = rows(3_000, 6);
        let mended = recalibrate(&spec, &encoder, &standing, &shifted).unwrap();
        assert_eq!(mended.readout().blend, standing.readout().blend);
        assert_ne!(mended.readout().threshold, standing.readout().threshold);
        let metrics = |weights: &Weights| {
            let predictor = Predictor::new(Arc::clone(&spec), encoder.clone(), weights).unwrap();
            evaluate(&spec, &predictor.predict(&shifted), shifted.target().unwrap())
        };
        let (before, after) = (metrics(&standing), metrics(&mended));
        assert!(after[&Metric::LogLoss] < before[&Metric::LogLoss] - 0.05, "{before:?} {after:?}");
        assert!((after[&Metric::Auc] - before[&Metric::Auc]).abs() < 1e-12);
        // It is as good as a fit that knew the rates.
        let anew = fit_predictor(&spec, &shifted).unwrap();
        let anew = evaluate(&spec, &anew.predict(&shifted), shifted.target().unwrap());
        assert!(after[&Metric::LogLoss] < anew[&Metric::LogLoss] + 0.01, "{anew:?} {after:?}");
    }
}
