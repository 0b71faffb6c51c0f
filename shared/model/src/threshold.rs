use spec::Threshold;

/// Where a probability alone decides, when nothing else is known.
const EVEN: f64 = 0.5;

/// The probability of the positive class from which on a row is called positive: `p >= threshold`.
///
/// | choice | the threshold |
/// |---|---|
/// | a number | that number |
/// | `f1` | has the largest `2 TP / (2 TP + FP + FN)` on the given rows; 0.5 where no row is positive |
/// | `costs` | has the smallest `c_FP FP + c_FN FN` on the given rows; `c_FP / (c_FP + c_FN)` where there is no row |
///
/// Between two neighbouring probabilities of the rows every threshold decides alike; of those the middle is taken, with 0 below
/// the smallest and 1 above the largest. Where several such gaps are equally good, the middle one of them is (the lower of two).
/// So the result lies between 0 and 1 and does not depend on the order of the rows.
///
/// The rows should be ones that the model was not fitted on, such as out-of-fold predictions: on its own rows a model looks
/// surer than it is.
///
/// # Shapes
/// `probabilities`, in [0, 1] and never NaN, and `truths`, whether the row is of the positive class: `[n_rows]` each.
///
/// # Panics
/// When the numbers of rows differ: that is a bug of the caller, who has mixed up two sets of rows.
///
/// # Source
/// Z. C. Lipton, C. Elkan and B. Naryanaswamy, "Optimal thresholding of classifiers to maximize F1 measure", ECML (2014); costs:
/// C. Elkan, "The foundations of cost-sensitive learning", IJCAI (2001), whose threshold for exact probabilities is the one
/// given for no rows.
///
/// # Example
/// ```
/// use model::threshold;
/// use spec::{Costs, Threshold, ThresholdScore};
///
/// let (probabilities, truths) = ([0.1, 0.3, 0.4, 0.8], [false, true, false, true]);
/// assert_eq!(threshold(Threshold::At(0.5), &probabilities, &truths), 0.5);
/// // Calling the upper three positive: F1 is 4 / 5. The upper one alone: 2 / 3.
/// assert!((threshold(Threshold::Best(ThresholdScore::F1), &probabilities, &truths) - 0.2).abs() < 1e-12);
/// // A false alarm costs five times a miss: only 0.8 is sure enough.
/// let costs = Costs { false_positive: 5.0, false_negative: 1.0 };
/// assert!((threshold(Threshold::Costs { costs }, &probabilities, &truths) - 0.6).abs() < 1e-12);
/// ```
pub fn threshold(choice: Threshold, probabilities: &[f64], truths: &[bool]) -> f64 {
    assert_eq!(probabilities.len(), truths.len(), "probabilities and truths are of the same rows");
    match choice {
        Threshold::At(threshold) => threshold,
        Threshold::Best(spec::ThresholdScore::F1) => {
            if !truths.contains(&true) {
                return EVEN;
            }
            best(probabilities, truths, |called| {
                2.0 * called.true_positives / (called.true_positives + called.false_positives + called.positives)
            })
        }
        Threshold::Costs { costs } => {
            if truths.is_empty() {
                return costs.false_positive / (costs.false_positive + costs.false_negative);
            }
            best(probabilities, truths, |called| {
                let misses = called.positives - called.true_positives;
                -(costs.false_positive * called.false_positives + costs.false_negative * misses)
            })
        }
    }
}

/// What a threshold does to the rows.
struct Called {
    /// Rows of the positive class.
    positives: f64,
    /// Those of them that are called positive.
    true_positives: f64,
    /// Others that are called positive.
    false_positives: f64,
}

/// The middle of the gap between probabilities in which the score is largest.
fn best(probabilities: &[f64], truths: &[bool], score: impl Fn(&Called) -> f64) -> f64 {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_unstable_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b]));
    let n_positive = truths.iter().filter(|truth| **truth).count();
    let mut called = Called {
        positives: n_positive as f64,
        true_positives: n_positive as f64,
        false_positives: (truths.len() - n_positive) as f64,
    };
    let mut largest = f64::NEG_INFINITY;
    // Lower and upper end of each gap with the largest score, lowest gap first.
    let mut gaps: Vec<(f64, f64)> = Vec::new();
    let mut consider = |called: &Called, low: f64, high: f64| {
        let score = score(called);
        if score > largest {
            largest = score;
            gaps.clear();
        }
        if score == largest {
            gaps.push((low, high));
        }
    };
    let mut low = 0.0;
    for equal in order.chunk_by(|a, b| probabilities[*a] == probabilities[*b]) {
        let high = probabilities[equal[0]];
        consider(&called, low, high);
        let positives = equal.iter().filter(|row| truths[**row]).count();
        called.true_positives -= positives as f64;
        called.false_positives -= (equal.len() - positives) as f64;
        low = high;
    }
    consider(&called, low, 1.0);
    gaps.get(gaps.len().saturating_sub(1) / 2).map_or(EVEN, |(low, high)| (low + high) / 2.0)
}

#[cfg(test)]
mod tests {
    use spec::{Costs, ThresholdScore};

    use super::*;

    const F1: Threshold = Threshold::Best(ThresholdScore::F1);

    fn costs(false_positive: f64, false_negative: f64) -> Threshold {
        Threshold::Costs { costs: Costs { false_positive, false_negative } }
    }

    #[track_caller]
    fn check(choice: Threshold, rows: &[(f64, bool)], expected: f64) {
        let (probabilities, truths): (Vec<f64>, Vec<bool>) = rows.iter().copied().unzip();
        let actual = threshold(choice, &probabilities, &truths);
        assert!((actual - expected).abs() < 1e-12, "{choice:?}: {actual}, not {expected}");
        let (probabilities, truths): (Vec<f64>, Vec<bool>) = rows.iter().rev().copied().unzip();
        assert_eq!(threshold(choice, &probabilities, &truths), actual, "the order of rows does not matter");
    }

    #[test]
    fn the_best_f1_is_found() {
        let rows = [(0.1, false), (0.2, false), (0.3, true), (0.6, false), (0.7, true), (0.9, true)];
        // F1 at the gaps from below: 6/9, 6/8, 6/7, 4/6, 4/5, 2/4, 0.
        check(F1, &rows, 0.25);
        let sure = [(0.2, false), (0.4, false), (0.8, true)];
        check(F1, &sure, 0.6);
        check(F1, &[(0.2, true), (0.4, true)], 0.1);
        check(F1, &[(0.2, false)], 0.5);
        check(F1, &[], 0.5);
    }

    #[test]
    fn dear_misses_lower_the_threshold() {
        let rows = [(0.1, false), (0.2, true), (0.4, false), (0.6, false), (0.8, true)];
        // Cost at the gaps below 0.1, 0.2, 0.4, 0.6, 0.8 and 1, with misses five times as dear: 3, 2, 7, 6, 5, 10.
        check(costs(1.0, 5.0), &rows, 0.15);
        // With false alarms five times as dear: 15, 10, 11, 6, 1, 2.
        check(costs(5.0, 1.0), &rows, 0.7);
        check(costs(1.0, 3.0), &[], 0.25);
        // Nothing is worth an alarm.
        check(costs(5.0, 1.0), &[(0.5, false), (0.6, true), (0.6, false), (0.6, false)], 0.8);
    }

    #[test]
    fn ties_go_to_the_middle() {
        let rows = [(0.1, false), (0.2, true), (0.3, false), (0.4, true)];
        // Costs at the gaps from below: 2, 1, 2, 1, 2. Of two, the lower.
        check(costs(1.0, 1.0), &rows, 0.15);
        let more = [rows.as_slice(), &[(0.5, false), (0.6, true)]].concat();
        // 3, 2, 3, 2, 3, 2, 3. Of three, the middle one.
        check(costs(1.0, 1.0), &more, 0.35);
        // Equal probabilities cannot be told apart: all or none, and none costs as much.
        check(costs(1.0, 1.0), &[(0.5, true), (0.5, false)], 0.25);
        assert_eq!(threshold(Threshold::At(0.3), &[0.9], &[true]), 0.3);
    }
}
