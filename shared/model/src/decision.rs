use ndarray::{Array2, ArrayView1};
use serde::{Deserialize, Serialize};

use crate::response::most_likely;

/// Rounds over all classes at most; a handful is enough.
const MAX_ROUNDS: usize = 20;
/// The least that a round must gain for another one.
const TOLERANCE: f64 = 1e-9;

/// Which of several classes a row is called: the one with the largest `weights[k] p_k`, the first of equals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Decision {
    /// Above 0, the largest is 1. Shape `[n_classes]`.
    pub weights: Vec<f64>,
}

impl Decision {
    /// The decision with the largest expected macro F1 on rows with these probabilities, shape `[n_rows, n_classes]`, which are
    /// taken to be honest; none where the most likely class does as well.
    ///
    /// The expected F1 of class `k` is taken as `2 Σ_called p_k / (n_called + Σ p_k)`, with the first sum over the rows that are
    /// called `k` and the second over all. The weight of one class after the other is set to what is best beside the others',
    /// among all that call some row in another way, until nothing is gained. Rare classes are then called more often: a hit is
    /// a larger share of their F1.
    ///
    /// Probabilities rather than truths are counted because a rare class has few rows: what is fitted to their truths is mostly
    /// their noise.
    ///
    /// # Source
    /// H. Narasimhan, H. G. Ramaswamy, A. Saha and S. Agarwal, "Consistent multiclass algorithms for complex performance
    /// measures", ICML (2015), on plug-in decisions; two classes: Z. C. Lipton, C. Elkan and B. Naryanaswamy, "Optimal thresholding of
    /// classifiers to maximize F1 measure", ECML (2014).
    ///
    /// # Example
    /// ```
    /// // One of these rows is expected to be of the rare class: called by what is most likely, it would never be found.
    /// let probabilities = ndarray::array![[0.6, 0.4], [0.6, 0.4], [0.9, 0.1], [0.9, 0.1]];
    /// let decision = model::Decision::of_macro_f1(&probabilities).unwrap();
    /// assert_eq!(decision.call(&probabilities), [1, 1, 0, 0]);
    /// ```
    pub fn of_macro_f1(probabilities: &Array2<f64>) -> Option<Self> {
        let n_classes = probabilities.ncols();
        let mut decision = Self { weights: vec![1.0; n_classes] };
        let plain = Expected::of(probabilities, &decision.call(probabilities)).macro_f1();
        let mut score = plain;
        for _ in 0..MAX_ROUNDS {
            let before = score;
            for class in 0..n_classes {
                if let Some((weight, found)) = decision.best_weight(probabilities, class).filter(|best| best.1 > score)
                {
                    (decision.weights[class], score) = (weight, found);
                }
            }
            if score <= before + TOLERANCE {
                break;
            }
        }
        let largest = decision.weights.iter().copied().fold(0.0, f64::max);
        decision.weights.iter_mut().for_each(|weight| *weight /= largest);
        (score > plain + TOLERANCE).then_some(decision)
    }

    /// The weight of a class that is best beside the others', and the expected macro F1 with it. None without a row.
    ///
    /// A row is called the class from the weight on at which it draws level with the best of the others. Between two such
    /// weights all calls stay, and of such a gap the geometric middle is taken.
    fn best_weight(&self, probabilities: &Array2<f64>, class: usize) -> Option<(f64, f64)> {
        let mut without = self.clone();
        without.weights[class] = 0.0;
        let others = without.call(probabilities);
        let mut rows: Vec<(f64, usize)> = others
            .iter()
            .enumerate()
            .map(|(row, other)| {
                let p = &probabilities.row(row);
                (self.weights[*other] * p[*other] / p[class].max(f64::MIN_POSITIVE), row)
            })
            .filter(|(level, row)| level.is_finite() && *level > 0.0 && others[*row] != class)
            .collect();
        rows.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let mut expected = Expected::of(probabilities, &others);
        let mut best: Option<(f64, f64)> = None;
        let mut done = 0;
        for level in rows.chunk_by(|a, b| a.0 == b.0) {
            for (_, row) in level {
                expected.call_instead(&probabilities.row(*row), others[*row], class);
            }
            done += level.len();
            let (low, high) = (level[0].0, rows.get(done).map_or(4.0 * level[0].0, |next| next.0));
            let score = expected.macro_f1();
            if best.is_none_or(|(_, largest)| score > largest) {
                best = Some(((low * high).sqrt(), score));
            }
        }
        best
    }

    /// The class that each row is called, by probabilities of shape `[n_rows, n_classes]`.
    pub fn call(&self, probabilities: &Array2<f64>) -> Vec<usize> {
        let weighted = probabilities * &ArrayView1::from(&self.weights);
        weighted.rows().into_iter().map(|row| most_likely(&row)).collect()
    }

    /// Whether it is one of so many classes.
    pub(crate) fn fits(&self, n_classes: usize) -> bool {
        self.weights.len() == n_classes && self.weights.iter().all(|weight| weight.is_finite() && *weight > 0.0)
    }
}

/// What is to be expected of some calls.
struct Expected {
    /// Rows that are called their true class, by class.
    right: Vec<f64>,
    /// Rows that are called a class and rows that are of it, both counted.
    either: Vec<f64>,
}

impl Expected {
    fn of(probabilities: &Array2<f64>, called: &[usize]) -> Self {
        let mut right = vec![0.0; probabilities.ncols()];
        let mut either: Vec<f64> = probabilities.columns().into_iter().map(|column| column.sum()).collect();
        for (row, class) in probabilities.rows().into_iter().zip(called) {
            right[*class] += row[*class];
            either[*class] += 1.0;
        }
        Self { right, either }
    }

    fn call_instead(&mut self, probabilities: &ArrayView1<'_, f64>, before: usize, now: usize) {
        self.right[before] -= probabilities[before];
        self.either[before] -= 1.0;
        self.right[now] += probabilities[now];
        self.either[now] += 1.0;
    }

    fn macro_f1(&self) -> f64 {
        let of_classes = self.right.iter().zip(&self.either).filter(|(_, either)| **either > 0.0);
        of_classes.map(|(right, either)| 2.0 * right / either).sum::<f64>() / self.right.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Honest probabilities of a common, a less common and a rare class, and classes that were drawn by them.
    fn drawn(n_rows: usize, seed: u64) -> (Array2<f64>, Vec<usize>) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut probabilities = Array2::zeros((n_rows, 3));
        let mut truth = Vec::with_capacity(n_rows);
        for mut row in probabilities.rows_mut() {
            let (a, b): (f64, f64) = (rng.random_range(-2.0..2.0), rng.random_range(-2.0..2.0));
            let exps = [(2.0 + a).exp(), (0.5 + b).exp(), (-0.5 - a).exp()];
            let sum: f64 = exps.iter().sum();
            row.iter_mut().zip(exps).for_each(|(p, exp)| *p = exp / sum);
            let at: f64 = rng.random_range(0.0..1.0);
            truth.push(usize::from(at >= row[0]) + usize::from(at >= row[0] + row[1]));
        }
        (probabilities, truth)
    }

    fn macro_f1(truth: &[usize], called: &[usize]) -> f64 {
        let mut counts = [[0.0; 3]; 3];
        truth.iter().zip(called).for_each(|(truth, called)| counts[*truth][*called] += 1.0);
        let f1 = |class: usize| {
            let either: f64 = (0..3).map(|other| counts[class][other] + counts[other][class]).sum();
            2.0 * counts[class][class] / either
        };
        (0..3).map(f1).sum::<f64>() / 3.0
    }

    #[test]
    fn rare_classes_are_found_more_often_on_rows_that_it_was_not_made_on() {
        let decision = Decision::of_macro_f1(&drawn(3_000, 1).0).unwrap();
        let (probabilities, truth) = drawn(100_000, 2);
        let (plain, best) = (Decision { weights: vec![1.0; 3] }.call(&probabilities), decision.call(&probabilities));
        let gain = macro_f1(&truth, &best) - macro_f1(&truth, &plain);
        assert!(gain > 0.01, "{gain}");
        let rare = |called: &[usize]| called.iter().filter(|class| **class == 2).count();
        assert!(rare(&best) > rare(&plain));
        // No other weights do better by much, be they chosen by the truths themselves.
        for factor in [0.5, 0.7, 1.4, 2.0] {
            for class in 0..3 {
                let mut other = decision.clone();
                other.weights[class] *= factor;
                let other = macro_f1(&truth, &other.call(&probabilities));
                assert!(other < macro_f1(&truth, &best) + 2e-3, "class {class} by {factor}: {other}");
            }
        }
    }

    #[test]
    fn where_nothing_can_be_gained_there_is_no_decision() {
        assert_eq!(Decision::of_macro_f1(&ndarray::array![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), None);
        assert_eq!(Decision::of_macro_f1(&Array2::zeros((0, 3))), None);
        assert_eq!(Decision::of_macro_f1(&ndarray::array![[0.5, 0.5]]), None);
    }
}
