//! How well a model should do on rows whose labels are not known, beside how it does on held-out ones.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use crate::performance::{Estimate, LossModel};
use crate::reasons::{figure, percent};
use crate::{Error, LossSums, Losses, MIN_LABELLED_ROWS, Settings, Values};

/// A model's expected performance on rows without labels.
///
/// It follows the inputs to where the model is known to be weaker, and cannot see that behaviour has changed; for that there
/// is [`crate::Decay`]. So it is a warning and decides nothing: where it is right, inputs have moved, and that is a reason
/// by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outlook {
    /// The metric whose row losses are looked at.
    pub metric: String,
    /// Rows of the batch that it rests on.
    pub rows: usize,
    /// Held-out rows with labels that it rests on.
    pub reference_rows: usize,
    /// The metric to be expected.
    pub expected: f64,
    /// The metric on the held-out rows.
    pub reference: f64,
    /// Relative increase of the metric.
    pub effect: f64,
    /// Relative increases up to this do not matter: that of [`Settings::decay_floor`].
    pub threshold: f64,
    /// Lower bound of the relative increase, which it exceeds but for a share `alpha` of all batches.
    pub effect_at_least: f64,
    /// Whether effect and bound both say that it will do worse.
    pub worse: bool,
}

impl Outlook {
    /// Of a classifier, from what its probabilities expect of their own loss: its mean over the rows, and above it what the
    /// losses of the held-out rows are above theirs. None below [`MIN_LABELLED_ROWS`] rows on a side.
    ///
    /// # Shapes
    /// `expected` is `[n_rows]`, in the unit of the losses; `reference` are the losses of held-out rows with labels.
    /// `in_units` turns a mean loss into the metric's units, larger ones into larger ones.
    ///
    /// # Source
    /// Confidence-based performance estimation, as [`crate::performance::expected_classification`].
    pub fn of_probabilities(
        metric: &str,
        expected: &[f64],
        reference: &Losses,
        settings: &Settings,
        in_units: impl Fn(f64) -> f64,
    ) -> Option<Self> {
        let (usual, now) = (LossSums::of(&reference.expected), LossSums::of(expected));
        let mean = LossSums::of(&reference.actual).mean;
        let estimate = Estimate { value: mean + now.mean - usual.mean, standard_error: now.standard_error() };
        let then = Estimate { value: mean, standard_error: usual.standard_error() };
        Self::judged(metric, (now.rows, estimate), (usual.rows, then), settings, in_units)
    }

    /// Of a model of numbers, from what the inputs say of the size of its errors. None with too few held-out rows to learn
    /// that from.
    ///
    /// # Shapes
    /// `columns` are the inputs of the rows, and best the prediction, too; `reference_columns` those of the held-out rows,
    /// the same in the same order, all as long as `reference`.
    ///
    /// # Errors
    /// As [`LossModel::fit`] and [`LossModel::estimate`].
    pub fn of_inputs(
        metric: &str,
        columns: &[(String, Values<'_>)],
        reference_columns: &[(String, Values<'_>)],
        reference: &Losses,
        settings: &Settings,
        in_units: impl Fn(f64) -> f64,
    ) -> Result<Option<Self>, Error> {
        let losses = match LossModel::fit(reference_columns, &reference.actual) {
            Err(Error::TooFewRows { .. }) => return Ok(None),
            losses => losses?,
        };
        let sums = LossSums::of(&reference.actual);
        let then = (sums.rows, Estimate { value: sums.mean, standard_error: sums.standard_error() });
        let rows = columns.first().map_or(0, |(_, values)| values.len());
        Ok(Self::judged(metric, (rows, losses.estimate(columns)?), then, settings, in_units))
    }

    fn judged(
        metric: &str,
        (rows, now): (usize, Estimate),
        (reference_rows, then): (usize, Estimate),
        settings: &Settings,
        in_units: impl Fn(f64) -> f64,
    ) -> Option<Self> {
        if rows.min(reference_rows) < MIN_LABELLED_ROWS {
            return None;
        }
        let standard_error = now.standard_error.hypot(then.standard_error);
        let bound = now.value - Normal::standard().inverse_cdf(1.0 - settings.alpha) * standard_error;
        let (expected, reference) = (in_units(now.value.max(0.0)), in_units(then.value));
        let relative = |figure: f64| (figure - reference) / reference.max(f64::MIN_POSITIVE);
        let (effect, effect_at_least) = (relative(expected), relative(in_units(bound.max(0.0))));
        let threshold = settings.decay_floor();
        let worse = effect > threshold && bound > then.value;
        let metric = metric.to_owned();
        let all = Self { metric, rows, reference_rows, expected, reference, effect, threshold, effect_at_least, worse };
        [all.effect, all.effect_at_least].iter().all(|figure| figure.is_finite()).then_some(all)
    }

    /// What to tell people; none unless it will do worse.
    pub fn warning(&self) -> Option<String> {
        let Self { metric, rows, reference, expected, effect, effect_at_least, .. } = self;
        self.worse.then(|| {
            format!(
                "the production version should do worse on these rows: {metric} {} -> {} by what is known of its errors, on \
                 {rows} rows ({} worse, at least {}); labels would tell",
                figure(*reference),
                figure(*expected),
                percent(*effect),
                percent(*effect_at_least)
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Errors of a model of numbers whose spread is `1 + 2 x`, at `x` drawn from `[0, width)`.
    fn errors(rng: &mut ChaCha8Rng, n: usize, width: f64) -> (Vec<f64>, Losses) {
        let x: Vec<f64> = (0..n).map(|_| rng.random_range(0.0..width)).collect();
        let normal = |rng: &mut ChaCha8Rng| (0..12).map(|_| rng.random_range(-0.5..0.5)).sum::<f64>();
        let actual = x.iter().map(|x| ((1.0 + 2.0 * x) * normal(rng)).powi(2)).collect();
        (x, Losses { actual, expected: vec![0.0; n] })
    }

    fn of_numbers(rng: &mut ChaCha8Rng, (m, n): (usize, usize), (then, now): (f64, f64)) -> Outlook {
        let ((before, losses), (x, _)) = (errors(rng, m, then), errors(rng, n, now));
        let columns = |x| [("x".to_string(), Values::Numbers(x))];
        let settings = Settings::default();
        Outlook::of_inputs("rmse", &columns(&x), &columns(&before), &losses, &settings, f64::sqrt).unwrap().unwrap()
    }

    /// Probabilities, what they expect of their loss, and losses whose labels follow them.
    fn of_classes(rng: &mut ChaCha8Rng, (m, n): (usize, usize), (then, now): (f64, f64)) -> Outlook {
        let mut draw = |n: usize, largest: f64| {
            let mut losses = Losses::default();
            for _ in 0..n {
                let p: f64 = rng.random_range(0.01..largest);
                losses.actual.push(if rng.random_bool(p) { -p.ln() } else { -(1.0 - p).ln() });
                losses.expected.push(-p * p.ln() - (1.0 - p) * (1.0 - p).ln());
            }
            losses
        };
        let (reference, live) = (draw(m, then), draw(n, now));
        Outlook::of_probabilities("log_loss", &live.expected, &reference, &Settings::default(), |mean| mean).unwrap()
    }

    #[test]
    fn rows_like_those_before_warn_in_few_batches() {
        for sizes in [(100, 500), (400, 2_000), (2_000, 500)] {
            let mut rng = ChaCha8Rng::seed_from_u64(sizes.0 as u64);
            let warned = |of: &mut dyn FnMut() -> Outlook| (0..200).filter(|_| of().worse).count();
            let numbers = warned(&mut || of_numbers(&mut rng, sizes, (1.0, 1.0)));
            let classes = warned(&mut || of_classes(&mut rng, sizes, (0.5, 0.5)));
            assert!(numbers <= 6 && classes <= 6, "{numbers} and {classes} of 200 at {sizes:?}");
        }
    }

    #[test]
    fn rows_that_are_harder_warn() {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        for _ in 0..20 {
            // Most of the later rows lie where errors are large, and none beyond what was seen.
            let numbers = {
                let ((before, losses), (x, _)) = (errors(&mut rng, 1_000, 1.0), errors(&mut rng, 1_000, 0.3));
                let x: Vec<f64> = x.iter().map(|x| x + 0.7).collect();
                let columns = |x| [("x".to_string(), Values::Numbers(x))];
                let settings = Settings::default();
                Outlook::of_inputs("rmse", &columns(&x), &columns(&before), &losses, &settings, f64::sqrt)
            };
            let numbers = numbers.unwrap().unwrap();
            assert!(numbers.worse && (0.1..0.6).contains(&numbers.effect), "{numbers:?}");
            assert!(
                numbers.warning().unwrap().starts_with("the production version should do worse on these rows: rmse")
            );
            let classes = of_classes(&mut rng, (1_000, 1_000), (0.2, 0.5));
            assert!(classes.worse && classes.effect_at_least > 0.2, "{classes:?}");
            assert!(!of_classes(&mut rng, (1_000, 1_000), (0.5, 0.2)).worse);
        }
    }

    #[test]
    fn too_few_rows_say_nothing() {
        let few = Losses { actual: vec![1.0; 60], expected: vec![0.5; 60] };
        let x = vec![0.0; 60];
        let columns = [("x".to_string(), Values::Numbers(&x))];
        let settings = Settings::default();
        assert_eq!(Outlook::of_inputs("rmse", &columns, &columns, &few, &settings, f64::sqrt).unwrap(), None);
        assert_eq!(Outlook::of_probabilities("log_loss", &[0.1; 49], &few, &settings, |mean| mean), None);
        let calm = Outlook::of_probabilities("log_loss", &[0.5; 60], &few, &settings, |mean| mean).unwrap();
        assert_eq!((calm.expected, calm.worse, calm.warning()), (1.0, false, None));
    }
}
