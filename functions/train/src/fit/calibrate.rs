//! Slope, bend and shifts that make probabilities honest, and intervals that hold their share of rows: both fitted on answers for
//! rows that the answering member did not learn from.

use model::{Calibration, Interval, PROBABILITY_FLOOR};
use ndarray::Array2;

use super::stack::{Rows, Stack, Term, fit};

/// Slopes outside are the work of too few rows.
const SLOPES: [f64; 2] = [0.05, 20.0];
/// Fewest rows of a category of intervals, and most categories.
const MIN_CATEGORY_ROWS: usize = 200;
const MAX_CATEGORIES: usize = 5;

/// Probabilities and what came true.
#[derive(Clone, Copy)]
struct Said<'a> {
    /// Shape `[n_rows, n_classes]`, strictly between 0 and 1.
    probabilities: &'a Array2<f64>,
    /// The classes that came true.
    truth: &'a [usize],
    /// How much each row counts; none where all count alike.
    weights: Option<&'a [f32]>,
    /// The class whose probability a binary network answers; none for several classes.
    positive: Option<usize>,
}

impl Said<'_> {
    /// The best slope and shifts, without a bend.
    fn straight(self) -> Option<Calibration> {
        let straight = self.fitted(&[self.slope()])?;
        Some(Calibration { slope: straight.slope.clamp(SLOPES[0], SLOPES[1]), ..straight })
    }

    /// The best slope, bend and shifts. None where the curve is somewhere steeper or flatter than [`SLOPES`], or falls.
    fn bent(self) -> Option<Calibration> {
        let values = self.probabilities.mapv(|probability| Calibration::bent(probability) / 2.0);
        let bend = Term { values, start: 0.0, floor: f64::NEG_INFINITY };
        let found = self.fitted(&[self.slope(), bend])?;
        found.slopes().iter().all(|slope| (SLOPES[0]..=SLOPES[1]).contains(slope)).then_some(found)
    }

    fn slope(self) -> Term {
        Term { values: self.probabilities.mapv(f64::ln), start: 1.0, floor: 0.0 }
    }

    /// The slope, the shifts and, of a second term, the bend with the smallest log-loss.
    fn fitted(self, terms: &[Term]) -> Option<Calibration> {
        let Self { truth, weights, positive, .. } = self;
        let base = positive.map_or(0, |positive| 1 - positive);
        let Stack { slopes, shifts, .. } = fit(terms, &Rows { truth, weights }, base)?;
        let shifts = match positive {
            Some(positive) => vec![shifts[positive]],
            None => shifts,
        };
        Some(Calibration { slope: slopes[0], bend: slopes.get(1).copied().unwrap_or_default(), shifts })
    }
}

/// The slope, the bend and the shifts with the smallest log-loss, for probabilities of shape `[n_rows, n_classes]` and the true
/// classes; `weights` say how much each row counts. `positive` is the class whose probability a binary network answers, none
/// for several classes. There is no bend where the curve would somewhere be too steep, too flat or fall. None when there is
/// nothing to fit on.
pub(crate) fn calibrate(
    probabilities: &Array2<f64>,
    truth: &[usize],
    weights: Option<&[f32]>,
    positive: Option<usize>,
) -> Option<Calibration> {
    let said = Said { probabilities, truth, weights, positive };
    said.bent().or_else(|| said.straight())
}

/// The mean log-loss, weighted by `weights`, of logits `[n_rows, n_outputs]` after the slope and shifts that are best for them:
/// what they would be worth if nothing else were wrong. A bend as well would praise them for what these rows happen to say.
/// Targets as [`features::TargetCode::encode`] gives them.
pub(crate) fn calibrated_log_loss(logits: &[f32], n_outputs: usize, targets: &[f32], weights: Option<&[f32]>) -> f64 {
    if !logits.iter().all(|logit| logit.is_finite()) {
        return f64::NAN;
    }
    let n_rows = targets.len();
    // A calibration has no answer for 0 and 1, and nothing beyond these limits is ever served.
    let strictly_inside = |p: f64| p.clamp(PROBABILITY_FLOOR, 1.0 - PROBABILITY_FLOOR);
    let probabilities = match n_outputs {
        1 => Array2::from_shape_fn((n_rows, 2), |(row, class)| {
            let logit = f64::from(logits[row]) * if class == 1 { 1.0 } else { -1.0 };
            strictly_inside(1.0 / (1.0 + (-logit).exp()))
        }),
        _ => {
            let mut probabilities =
                Array2::from_shape_fn((n_rows, n_outputs), |(row, class)| f64::from(logits[row * n_outputs + class]));
            for mut row in probabilities.rows_mut() {
                let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                row.mapv_inplace(|logit| (logit - largest).exp());
                let sum = row.sum();
                row.mapv_inplace(|p| strictly_inside(p / sum));
            }
            probabilities
        }
    };
    let truth: Vec<usize> = targets.iter().map(|target| *target as usize).collect();
    let positive = (n_outputs == 1).then_some(1);
    let calibrated = match (Said { probabilities: &probabilities, truth: &truth, weights, positive }).straight() {
        Some(calibration) => calibration.calibrate(&probabilities, positive),
        None => probabilities,
    };
    let weight = |row: usize| weights.map_or(1.0, |weights| f64::from(weights[row]));
    let losses = truth.iter().enumerate().map(|(row, class)| -weight(row) * calibrated[[row, *class]].ln());
    losses.sum::<f64>() / (0..n_rows).map(weight).sum::<f64>()
}

/// Intervals that hold `level` of the rows, for standardised answers and truths: as far below and above the answer as
/// `(1 - level) / 2` of the rows lie beyond on either side, by up to five categories of equally many answers. None without
/// rows.
pub(crate) fn intervals(answers: &[f64], truth: &[f32], level: f64) -> Option<Interval> {
    let mut rows: Vec<(f64, f64)> =
        answers.iter().zip(truth).map(|(answer, truth)| (*answer, f64::from(*truth))).collect();
    rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let n_categories = (rows.len() / MIN_CATEGORY_ROWS).clamp(1, MAX_CATEGORIES);
    let mut cuts: Vec<f64> = (1..n_categories).map(|cut| rows[cut * rows.len() / n_categories].0).collect();
    cuts.dedup();
    let (mut below, mut above) = (Vec::new(), Vec::new());
    for category in 0..=cuts.len() {
        let inside = rows.iter().filter(|(answer, _)| cuts.partition_point(|cut| cut <= answer) == category);
        let errors: Vec<f64> = inside.map(|(answer, truth)| truth - answer).collect();
        above.push(reach(errors.iter().copied(), level)?);
        below.push(reach(errors.iter().map(|error| -error), level)?);
    }
    Some(Interval { level, cuts, below, above })
}

/// The error that at most `(1 - level) / 2` of the rows, and of one row more, exceed.
fn reach(errors: impl Iterator<Item = f64>, level: f64) -> Option<f64> {
    let mut errors: Vec<f64> = errors.collect();
    errors.sort_unstable_by(f64::total_cmp);
    let rank = ((errors.len() + 1) as f64 * (1.0 + level) / 2.0).ceil() as usize;
    errors.get(rank.min(errors.len()).checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// What a row of an expectation counts for, so that the pull of few rows cannot be seen.
    const MANY: f32 = 100.0;

    /// Rows on which only the first of two classes, then only the second, comes true, each with the weight of its chance by
    /// `honest` calibration of what is said: what very many draws would give, without their noise.
    fn expected(honest: &Calibration, logits: &[f64]) -> (Array2<f64>, Vec<usize>, Vec<f32>) {
        let said = Array2::from_shape_fn((2 * logits.len(), 2), |(row, class)| {
            1.0 / (1.0 + (logits[row / 2] * if class == 1 { -1.0 } else { 1.0 }).exp())
        });
        let truth: Vec<usize> = (0..said.nrows()).map(|row| row % 2).collect();
        let chances = honest.calibrate(&said, Some(1));
        let weights = truth.iter().enumerate().map(|(row, class)| MANY * chances[[row, *class]] as f32).collect();
        (said, truth, weights)
    }

    fn grid(most: f64) -> Vec<f64> {
        (0..20_000).map(|step| most * (f64::from(step) / 10_000.0 - 1.0)).collect()
    }

    fn apart(a: &Calibration, b: &Calibration) -> f64 {
        let shifts = a.shifts.iter().zip(&b.shifts).map(|(a, b)| (a - b).abs());
        shifts.fold((a.slope - b.slope).abs().max((a.bend - b.bend).abs()), f64::max)
    }

    #[test]
    fn a_known_distortion_is_undone() {
        let honest = Calibration { slope: 2.0, bend: 0.0, shifts: vec![0.5] };
        let (said, truth, weights) = expected(&honest, &grid(1.5));
        let found = calibrate(&said, &truth, Some(&weights), Some(1)).unwrap();
        assert!(apart(&found, &honest) < 0.02, "{found:?}");
        // Of the other class the shift is the opposite.
        let other = calibrate(&said, &truth, Some(&weights), Some(0)).unwrap();
        let opposite = Calibration { shifts: vec![-found.shifts[0]], ..found };
        assert!(apart(&other, &opposite) < 1e-3, "{other:?}");
    }

    #[test]
    fn sure_answers_have_a_slope_of_their_own() {
        for (slope, bend) in [(0.8, 0.6), (1.5, -0.9)] {
            let honest = Calibration { slope, bend, shifts: vec![-0.3] };
            let (said, truth, weights) = expected(&honest, &grid(5.0));
            let found = calibrate(&said, &truth, Some(&weights), Some(1)).unwrap();
            assert!(apart(&found, &honest) < 0.02, "{found:?}");
            // As two classes it is the same, and probabilities keep their order.
            let both = calibrate(&said, &truth, Some(&weights), None).unwrap();
            let as_classes = Calibration { shifts: vec![0.0, found.shifts[0]], ..found };
            assert!(apart(&both, &as_classes) < 1e-3, "{both:?}");
            let (one, two) = (as_classes.calibrate(&said, None), found_alone(&as_classes).calibrate(&said, Some(1)));
            assert!(one.iter().zip(&two).all(|(one, two)| (one - two).abs() < 1e-9));
            assert!(one.column(1).iter().is_sorted_by(|a, b| a <= b));
        }
    }

    /// The calibration of two classes, whose first is not shifted, for the second one's probability alone.
    fn found_alone(classes: &Calibration) -> Calibration {
        Calibration { shifts: vec![classes.shifts[1]], ..*classes }
    }

    #[test]
    fn of_several_classes_each_is_bent_by_its_own_log_odds() {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let honest = Calibration { slope: 0.9, bend: 0.5, shifts: vec![0.0, 0.3, -0.2] };
        let mut said = Array2::from_shape_simple_fn((5_000, 3), || rng.random_range(-3.0_f64..3.0).exp());
        said.rows_mut().into_iter().for_each(|mut row| row /= row.sum());
        let chances = honest.calibrate(&said, None);
        let thrice = Array2::from_shape_fn((15_000, 3), |(row, class)| said[[row / 3, class]]);
        let truth: Vec<usize> = (0..15_000).map(|row| row % 3).collect();
        let weights: Vec<f32> = (0..15_000).map(|row| MANY * chances[[row / 3, row % 3]] as f32).collect();
        let found = calibrate(&thrice, &truth, Some(&weights), None).unwrap();
        assert!(apart(&found, &honest) < 0.02, "{found:?}");
    }

    #[test]
    fn a_bend_that_would_turn_the_order_round_is_left_out() {
        // Sure answers are wrong as often as right, those in between are right.
        let said = Array2::from_shape_fn((4_000, 2), |(row, class)| {
            let logit = [-6.0, -1.0, 1.0, 6.0][row % 4] * if class == 1 { -1.0 } else { 1.0 };
            1.0 / (1.0 + f64::exp(logit))
        });
        let truth: Vec<usize> = (0..4_000).map(|row| [row / 4 % 2, 0, 1, row / 4 % 2][row % 4]).collect();
        let found = calibrate(&said, &truth, None, Some(1)).unwrap();
        assert!(found.bend == 0.0 && found.slope < 0.5, "{found:?}");
    }

    #[test]
    fn few_or_separable_rows_do_not_bend_it_far() {
        let said = ndarray::array![[0.4, 0.6], [0.6, 0.4]];
        let calibration = calibrate(&said, &[1, 0], None, Some(1)).unwrap();
        assert!(calibration.slope > 1.0 && calibration.slope < 1.5, "{calibration:?}");
        assert!(calibration.bend.abs() < 0.1, "{calibration:?}");
        assert_eq!(calibrate(&Array2::zeros((0, 2)), &[], None, Some(1)), None);
        let certain = Array2::from_shape_fn((1000, 2), |(row, class)| if row % 2 == class { 0.9 } else { 0.1 });
        let truth: Vec<usize> = (0..1000).map(|row| row % 2).collect();
        let calibration = calibrate(&certain, &truth, None, Some(1)).unwrap();
        assert!(calibration.slope < 10.0 && calibration.bend.abs() < 10.0, "{calibration:?}");
    }

    #[test]
    fn a_timid_network_is_worth_what_it_knows() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let logits: Vec<f32> = (0..5000).map(|_| rng.random_range(-3.0..3.0)).collect();
        let targets: Vec<f32> = logits
            .iter()
            .map(|logit| f32::from(u8::from(rng.random_bool(1.0 / (1.0 + (-f64::from(*logit)).exp())))))
            .collect();
        let timid: Vec<f32> = logits.iter().map(|logit| logit / 3.0 - 1.0).collect();
        let (honest, timid) =
            (calibrated_log_loss(&logits, 1, &targets, None), calibrated_log_loss(&timid, 1, &targets, None));
        assert!((honest - timid).abs() < 1e-3 && honest < 0.5, "{honest} {timid}");
        // The same as two outputs of which only the difference counts.
        let two: Vec<f32> = logits.iter().flat_map(|logit| [0.5, logit + 0.5]).collect();
        assert!((calibrated_log_loss(&two, 2, &targets, None) - honest).abs() < 1e-3);
        assert!(calibrated_log_loss(&[f32::NAN], 1, &[1.0], None).is_nan());
    }

    #[test]
    fn weights_count_rows() {
        let said = ndarray::array![[0.4, 0.6], [0.6, 0.4], [0.3, 0.7], [0.3, 0.7]];
        let repeated = calibrate(&said, &[1, 0, 0, 0], None, Some(1)).unwrap();
        let weighted =
            calibrate(&said.slice(ndarray::s![..3, ..]).to_owned(), &[1, 0, 0], Some(&[1.0, 1.0, 2.0]), Some(1))
                .unwrap();
        assert!(apart(&repeated, &weighted) < 1e-9, "{repeated:?} {weighted:?}");
    }

    #[test]
    fn intervals_hold_their_share_where_errors_grow() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut draw = |n: usize| -> (Vec<f64>, Vec<f32>) {
            (0..n)
                .map(|_| {
                    let answer: f64 = rng.random_range(0.0..4.0);
                    (answer, (answer + answer * rng.random_range(-1.0..1.0)) as f32)
                })
                .unzip()
        };
        let (answers, truth) = draw(4000);
        let interval = intervals(&answers, &truth, 0.9).unwrap();
        assert_eq!(interval.below.len(), 5);
        assert!(interval.above.is_sorted() && interval.below.is_sorted(), "{interval:?}");
        let (answers, truth) = draw(20_000);
        let held = answers.iter().zip(&truth).filter(|(answer, truth)| {
            let category = interval.cuts.partition_point(|cut| cut <= answer);
            let error = f64::from(**truth) - **answer;
            -interval.below[category] <= error && error <= interval.above[category]
        });
        let share = held.count() as f64 / 20_000.0;
        assert!((share - 0.9).abs() < 0.02, "{share}");
    }

    #[test]
    fn few_rows_have_one_wide_interval() {
        let interval = intervals(&[1.0, 2.0, 3.0], &[1.5, 2.0, 2.0], 0.9).unwrap();
        assert_eq!(interval, Interval { level: 0.9, cuts: vec![], below: vec![1.0], above: vec![0.5] });
        assert_eq!(intervals(&[], &[], 0.9), None);
    }
}
