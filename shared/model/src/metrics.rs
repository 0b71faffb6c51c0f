use indexmap::IndexMap;
use spec::{ColumnData, Metric, Spec, Task};

use crate::Predictions;

/// How many bins of equal width [`calibration_bin`] sorts probabilities into.
pub const CALIBRATION_BINS: usize = 10;

/// The bin of a probability: `min(floor(10 p), 9)`, so that each bin has its lower end and the last has both.
///
/// ```
/// assert_eq!([0.0, 0.05, 0.1, 0.95, 1.0].map(model::calibration_bin), [0, 0, 1, 9, 9]);
/// ```
pub fn calibration_bin(probability: f64) -> usize {
    ((probability * CALIBRATION_BINS as f64) as usize).min(CALIBRATION_BINS - 1)
}

/// Every metric that the task has, by the definitions below, most telling first.
///
/// | metric | formula | range | left out when |
/// |---|---|---|---|
/// | `log_loss` | `-mean ln p(true class)`, in nats | 0 to 20.8 | |
/// | `auc` | `(R - n₊(n₊+1)/2) / (n₊ n₋)`, `R` the positives' sum of mid-ranks | 0 to 1 | a class has no row |
/// | `pr_auc` | average precision: `Σ (Rₙ - Rₙ₋₁) Pₙ` over falling scores, precision `P` and recall `R` | 0 to 1 | no row is positive |
/// | `brier` | binary: `mean (p₊ - y)²`; several classes: `mean Σₖ (pₖ - yₖ)²`, `y` 1 or 0 | 0 to 1; 0 to 2 | |
/// | `ece` | `Σ_bins abs(Σ (c - h)) / n`, see below | 0 to 1 | |
/// | `accuracy` | share of rows that are called their true class | 0 to 1 | |
/// | `f1` | `2 TP / (2 TP + FP + FN)` of the positive class, as called | 0 to 1 | nothing is or is called positive |
/// | `macro_f1` | unweighted mean of each class's F1 | 0 to 1 | |
/// | `rmse` | `sqrt(mean (ŷ-y)²)`, in target units | 0 and up | |
/// | `mae` | `mean abs(ŷ-y)`, in target units | 0 and up | |
/// | `mae_log` | `mean abs(ln ŷ - ln y)` | 0 and up | a number or a prediction is not above 0 |
/// | `r2` | `1 - Σ(ŷ-y)² / Σ(y-ȳ)²` | up to 1 | all numbers are equal |
///
/// `ece` is over [`CALIBRATION_BINS`] bins of equal width of `c`. Of a binary task, `c` is the probability of the positive class
/// and `h` whether the row is of it; of several classes, `c` is the probability of the most likely class and `h` whether it is
/// the true one. `macro_f1` is over the classes that occur, truly or as predictions. Every metric is left out without rows. Rows whose
/// target is missing or, for classes, none of the spec's are not counted: they have no truth to compare with.
///
/// # Shapes
/// `predictions` and `target` have the same number of rows, in the same order. Predictions of another task than the spec's
/// have no metrics.
///
/// # Panics
/// When the numbers of rows differ: that is a bug of the caller, who has mixed up two sets of rows.
///
/// # Source
/// The definitions of scikit-learn 1.9.1 (`log_loss`, `roc_auc_score`, `average_precision_score`, `brier_score_loss`, `accuracy_score`, `f1_score`, `root_mean_squared_error`,
/// `mean_absolute_error`, `r2_score`), which gave the values below. AUC by ranks: J. A. Hanley and B. J. McNeil, "The meaning
/// and use of the area under a ROC curve", Radiology 143 (1982). `brier`: G. W. Brier, "Verification of forecasts expressed in
/// terms of probability", Monthly Weather Review 78 (1950). `ece`: M. P. Naeini, G. F. Cooper and M. Hauskrecht, "Obtaining well
/// calibrated probabilities using Bayesian binning", AAAI (2015); of the most likely class: C. Guo et al., "On calibration of
/// modern neural networks", ICML (2017).
///
/// # Example
/// ```
/// use model::{Predictions, evaluate};
/// use ndarray::array;
/// use spec::{Categories, ColumnData, Metric, Spec};
///
/// let spec = Spec::parse("
/// name: churn
/// task: binary
/// target: {column: exited, classes: ['no', 'yes'], positive: 'yes'}
/// columns: {age: {kind: number}}
/// ")?;
/// let p = array![0.1, 0.4, 0.35, 0.8, 0.4, 0.7];
/// let predictions = Predictions::Probabilities(ndarray::stack![ndarray::Axis(1), 1.0 - &p, p].into());
/// let target = Categories { levels: vec!["no".into(), "yes".into()], codes: vec![0, 0, 1, 1, 1, 0] };
/// let metrics = evaluate(&spec, &predictions, &ColumnData::Categories(target));
/// for (metric, expected) in [
///     (Metric::LogLoss, 0.6682358919061325),
///     (Metric::Auc, 0.6111111111111112),
///     (Metric::PrAuc, 0.7),
///     (Metric::Brier, 0.24708333333333332),
///     (Metric::Ece, 0.3083333333333333),
///     (Metric::Accuracy, 0.5),
///     (Metric::F1, 0.4),
/// ] {
///     assert!((metrics[&metric] - expected).abs() < 1e-8, "{metric}: {}", metrics[&metric]);
/// }
/// # Ok::<(), spec::Error>(())
/// ```
pub fn evaluate(spec: &Spec, predictions: &Predictions, target: &ColumnData) -> IndexMap<Metric, f64> {
    let metrics = Metric::of(spec.task).into_iter();
    match Rows::new(spec, predictions, target) {
        Some(rows) => metrics.filter_map(|metric| Some((metric, rows.metric(metric)?))).collect(),
        None => IndexMap::new(),
    }
}

/// Per row, the loss whose mean is the metric, up to [`from_mean`]; for the metrics that are such means.
///
/// `log_loss`: `-ln p(true class)`. `brier`: squared error of the probabilities. `accuracy`: 0 where right, 1 where wrong.
/// `rmse`: squared error. `mae`, `mae_log`:
/// absolute error. None for the others, and where the metric is not defined. Smaller is always better, which is what a
/// paired comparison of two models resamples.
///
/// # Shapes
/// As [`evaluate`]; the losses are those of the rows that have a truth, in order.
///
/// # Panics
/// As [`evaluate`].
pub fn row_losses(spec: &Spec, metric: Metric, predictions: &Predictions, target: &ColumnData) -> Option<Vec<f64>> {
    Rows::new(spec, predictions, target)?.losses(metric)
}

/// The metric of a mean of [`row_losses`]: its root for `rmse`, 1 minus it for `accuracy`, itself for the others.
///
/// ```
/// assert_eq!(model::from_mean(spec::Metric::Rmse, 9.0), 3.0);
/// assert_eq!(model::from_mean(spec::Metric::Accuracy, 0.25), 0.75);
/// assert_eq!(model::from_mean(spec::Metric::LogLoss, 0.5), 0.5);
/// ```
pub fn from_mean(metric: Metric, mean: f64) -> f64 {
    match metric {
        Metric::Rmse => mean.sqrt(),
        Metric::Accuracy => 1.0 - mean,
        _ => mean,
    }
}

/// Truths and answers of the rows that have a truth.
enum Rows {
    Numbers {
        truth: Vec<f64>,
        predicted: Vec<f64>,
    },
    Classes {
        truth: Vec<usize>,
        /// The class that the row is called.
        predicted: Vec<usize>,
        /// The most likely class.
        likeliest: Vec<usize>,
        /// Probability of the true class.
        of_truth: Vec<f64>,
        /// Probability of the positive class.
        of_positive: Vec<f64>,
        /// Probability of the most likely class.
        of_likeliest: Vec<f64>,
        /// Squared error of the probabilities: of the positive class, or summed over several classes.
        squared: Vec<f64>,
        n_classes: usize,
        positive: usize,
        task: Task,
    },
}

impl Rows {
    fn new(spec: &Spec, predictions: &Predictions, target: &ColumnData) -> Option<Self> {
        assert_eq!(predictions.n_rows(), target.len(), "predictions and target are of the same rows");
        match (predictions, target) {
            (Predictions::Numbers(predicted), ColumnData::Numbers(truth)) => {
                let (truth, predicted): (Vec<f64>, Vec<f64>) =
                    truth.iter().zip(predicted).filter(|(truth, _)| !truth.is_nan()).unzip();
                (!truth.is_empty()).then_some(Rows::Numbers { truth, predicted })
            }
            (Predictions::Probabilities(probabilities), ColumnData::Categories(target)) => {
                let classes = &spec.target.classes;
                if probabilities.values.ncols() != classes.len() {
                    return None;
                }
                let class_of: Vec<Option<usize>> =
                    target.levels.iter().map(|level| classes.iter().position(|class| class == level)).collect();
                let (mut truth, mut predicted, mut of_truth, mut of_positive) = (vec![], vec![], vec![], vec![]);
                let (mut likeliest, mut of_likeliest, mut squared) = (vec![], vec![], vec![]);
                let positive = spec.positive_index();
                let rows = probabilities.values.rows().into_iter().zip(&probabilities.called);
                for (((row, class), most_likely), code) in rows.zip(probabilities.most_likely()).zip(&target.codes) {
                    let Some(Some(true_class)) = class_of.get(*code as usize) else { continue };
                    truth.push(*true_class);
                    predicted.push(*class);
                    likeliest.push(most_likely);
                    of_truth.push(row[*true_class]);
                    of_positive.push(row[positive]);
                    of_likeliest.push(row[most_likely]);
                    let error = |class: usize| (row[class] - f64::from(u8::from(class == *true_class))).powi(2);
                    squared.push(match spec.task {
                        Task::Binary => error(positive),
                        _ => (0..row.len()).map(error).sum(),
                    });
                }
                let n_classes = classes.len();
                (!truth.is_empty()).then_some(Rows::Classes {
                    truth,
                    predicted,
                    likeliest,
                    of_truth,
                    of_positive,
                    of_likeliest,
                    squared,
                    n_classes,
                    positive,
                    task: spec.task,
                })
            }
            _ => None,
        }
    }

    fn metric(&self, metric: Metric) -> Option<f64> {
        if let Some(losses) = self.losses(metric) {
            return Some(from_mean(metric, losses.iter().sum::<f64>() / losses.len() as f64));
        }
        match (self, metric) {
            (Rows::Numbers { truth, predicted }, Metric::R2) => r2(truth, predicted),
            (Rows::Classes { truth, of_positive, positive, .. }, Metric::Auc) => {
                auc(&are_of(*positive, truth), of_positive)
            }
            (Rows::Classes { truth, of_positive, positive, .. }, Metric::PrAuc) => {
                average_precision(&are_of(*positive, truth), of_positive)
            }
            (Rows::Classes { truth, of_positive, positive, task: Task::Binary, .. }, Metric::Ece) => {
                Some(calibration_error(of_positive, &are_of(*positive, truth)))
            }
            (Rows::Classes { truth, likeliest, of_likeliest, .. }, Metric::Ece) => {
                let right: Vec<bool> =
                    truth.iter().zip(likeliest).map(|(truth, likeliest)| truth == likeliest).collect();
                Some(calibration_error(of_likeliest, &right))
            }
            (Rows::Classes { truth, predicted, positive, .. }, Metric::F1) => f1(truth, predicted, *positive),
            (Rows::Classes { truth, predicted, n_classes, .. }, Metric::MacroF1) => {
                let by_class: Vec<f64> = (0..*n_classes).filter_map(|class| f1(truth, predicted, class)).collect();
                (!by_class.is_empty()).then(|| by_class.iter().sum::<f64>() / by_class.len() as f64)
            }
            _ => None,
        }
    }

    fn losses(&self, metric: Metric) -> Option<Vec<f64>> {
        match (self, metric) {
            (Rows::Numbers { truth, predicted }, _) => {
                let rows = truth.iter().zip(predicted);
                match metric {
                    Metric::Rmse => Some(rows.map(|(truth, predicted)| (predicted - truth).powi(2)).collect()),
                    Metric::Mae => Some(rows.map(|(truth, predicted)| (predicted - truth).abs()).collect()),
                    Metric::MaeLog if rows.clone().all(|(truth, predicted)| *truth > 0.0 && *predicted > 0.0) => {
                        Some(rows.map(|(truth, predicted)| (predicted.ln() - truth.ln()).abs()).collect())
                    }
                    _ => None,
                }
            }
            (Rows::Classes { of_truth, .. }, Metric::LogLoss) => Some(of_truth.iter().map(|p| -p.ln()).collect()),
            (Rows::Classes { squared, .. }, Metric::Brier) => Some(squared.clone()),
            (Rows::Classes { truth, predicted, .. }, Metric::Accuracy) => {
                let rows = truth.iter().zip(predicted);
                Some(rows.map(|(truth, predicted)| f64::from(u8::from(truth != predicted))).collect())
            }
            _ => None,
        }
    }
}

/// Per row, whether its class is `class`.
fn are_of(class: usize, truth: &[usize]) -> Vec<bool> {
    truth.iter().map(|truth| *truth == class).collect()
}

fn r2(truth: &[f64], predicted: &[f64]) -> Option<f64> {
    let mean = truth.iter().sum::<f64>() / truth.len() as f64;
    let total: f64 = truth.iter().map(|truth| (truth - mean).powi(2)).sum();
    let unexplained: f64 = truth.iter().zip(predicted).map(|(truth, predicted)| (predicted - truth).powi(2)).sum();
    (total > 0.0).then(|| 1.0 - unexplained / total)
}

/// F1 of one class; none when no row is of it and none is called it.
fn f1(truth: &[usize], predicted: &[usize], class: usize) -> Option<f64> {
    let (mut both, mut either) = (0_u64, 0_u64);
    for (truth, predicted) in truth.iter().zip(predicted) {
        both += u64::from(*truth == class && *predicted == class);
        either += u64::from(*truth == class) + u64::from(*predicted == class);
    }
    (either > 0).then(|| 2.0 * both as f64 / either as f64)
}

/// Area under the ROC curve: the chance that a positive scores above a negative, half for equal scores. None where there is
/// no positive or no negative.
///
/// # Shapes
/// `truth`, whether the row is positive, and `scores`, never NaN: `[n_rows]` each.
///
/// # Source
/// As [`evaluate`].
///
/// ```
/// assert_eq!(model::auc(&[false, true, true], &[0.1, 0.1, 0.9]), Some(0.75));
/// assert_eq!(model::auc(&[true], &[0.5]), None);
/// ```
pub fn auc(truth: &[bool], scores: &[f64]) -> Option<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let n_positive = truth.iter().filter(|positive| **positive).count() as f64;
    let n_negative = truth.len() as f64 - n_positive;
    let mut rank_sum = 0.0;
    let mut below = 0;
    for equal in order.chunk_by(|a, b| scores[*a] == scores[*b]) {
        let mid_rank = below as f64 + (equal.len() as f64 + 1.0) / 2.0;
        rank_sum += mid_rank * equal.iter().filter(|row| truth[**row]).count() as f64;
        below += equal.len();
    }
    let pairs = n_positive * n_negative;
    (pairs > 0.0).then(|| (rank_sum - n_positive * (n_positive + 1.0) / 2.0) / pairs)
}

/// Average precision: over falling scores, each threshold's precision, weighted by the recall that it adds.
fn average_precision(truth: &[bool], scores: &[f64]) -> Option<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    let (mut n_above, mut n_found, mut sum) = (0, 0, 0.0);
    for equal in order.chunk_by(|a, b| scores[*a] == scores[*b]) {
        let found = equal.iter().filter(|row| truth[**row]).count();
        n_above += equal.len();
        n_found += found;
        sum += found as f64 * n_found as f64 / n_above as f64;
    }
    (n_found > 0).then(|| sum / n_found as f64)
}

/// Expected calibration error: how far the probabilities of each bin are from the share that came true, over all rows.
fn calibration_error(probabilities: &[f64], came_true: &[bool]) -> f64 {
    let mut excess = [0.0; CALIBRATION_BINS];
    for (probability, came_true) in probabilities.iter().zip(came_true) {
        excess[calibration_bin(*probability)] += probability - f64::from(u8::from(*came_true));
    }
    excess.iter().map(|excess: &f64| excess.abs()).sum::<f64>() / probabilities.len() as f64
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use spec::Categories;

    use super::*;

    fn spec(task: &str, target: &str) -> Spec {
        Spec::parse(&format!("name: demo\ntask: {task}\ntarget: {target}\ncolumns: {{x: {{kind: number}}}}\n")).unwrap()
    }

    #[track_caller]
    fn check(metrics: &IndexMap<Metric, f64>, expected: &[(Metric, f64)]) {
        assert_eq!(metrics.keys().copied().collect::<Vec<_>>(), expected.iter().map(|(m, _)| *m).collect::<Vec<_>>());
        for (metric, expected) in expected {
            assert!((metrics[metric] - expected).abs() < 1e-12, "{metric}: {}", metrics[metric]);
        }
    }

    fn classes(levels: &[&str], codes: Vec<u32>) -> ColumnData {
        ColumnData::Categories(Categories { levels: levels.iter().map(|level| (*level).to_owned()).collect(), codes })
    }

    // Expected values: scikit-learn 1.9.1.
    #[test]
    fn several_classes() {
        let spec = spec("multiclass", "{column: y, classes: [a, b, c]}");
        let predictions = Predictions::Probabilities(
            array![
                [0.7, 0.2, 0.1],
                [0.2, 0.5, 0.3],
                [0.1, 0.3, 0.6],
                [0.5, 0.2, 0.3],
                [0.3, 0.3, 0.4],
                [0.6, 0.3, 0.1],
                [0.2, 0.2, 0.6]
            ]
            .into(),
        );
        // The batch has its own order of levels.
        let target = classes(&["c", "a", "b"], vec![1, 2, 0, 0, 2, 1, 0]);
        check(
            &evaluate(&spec, &predictions, &target),
            &[
                (Metric::LogLoss, 0.7128920863497888),
                (Metric::Brier, 0.4),
                (Metric::Ece, 0.2714285714285714),
                (Metric::Accuracy, 0.7142857142857143),
                (Metric::MacroF1, 0.7111111111111111),
            ],
        );
    }

    #[test]
    fn numbers() {
        let spec = spec("regression", "{column: y}");
        let predictions = Predictions::Numbers(vec![2.5, 5.0, 4.0, 8.0, 9.5, 1.0]);
        let target = ColumnData::Numbers(vec![3.0, 5.0, 2.5, 7.0, 10.0, f64::NAN]);
        check(
            &evaluate(&spec, &predictions, &target),
            &[
                (Metric::Rmse, 0.8660254037844386),
                (Metric::Mae, 0.7),
                (Metric::MaeLog, 0.16742997461035264),
                (Metric::R2, 0.9013157894736842),
            ],
        );
    }

    #[test]
    fn what_is_not_defined_is_left_out() {
        let regression = spec("regression", "{column: y}");
        let metrics =
            evaluate(&regression, &Predictions::Numbers(vec![1.0, 2.0]), &ColumnData::Numbers(vec![0.0, 0.0]));
        assert_eq!(metrics.keys().copied().collect::<Vec<_>>(), [Metric::Rmse, Metric::Mae]);
        let binary = spec("binary", "{column: y, classes: [a, b]}");
        let certain = Predictions::Probabilities(array![[0.9, 0.1], [0.8, 0.2]].into());
        let metrics = evaluate(&binary, &certain, &classes(&["a"], vec![0, 0]));
        let defined = [Metric::LogLoss, Metric::Brier, Metric::Ece, Metric::Accuracy];
        assert_eq!(metrics.keys().copied().collect::<Vec<_>>(), defined);
        assert!(evaluate(&binary, &certain, &classes(&["z"], vec![0, 0])).is_empty());
        assert!(evaluate(&regression, &Predictions::Numbers(vec![]), &ColumnData::Numbers(vec![])).is_empty());
        assert!(evaluate(&regression, &certain, &ColumnData::Numbers(vec![0.0, 0.0])).is_empty());
    }

    #[test]
    fn means_of_row_losses_are_the_metrics() {
        let spec = spec("binary", "{column: y, classes: [a, b]}");
        let predictions = Predictions::Probabilities(array![[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]].into());
        let target = classes(&["a", "b"], vec![0, 1, 1]);
        let metrics = evaluate(&spec, &predictions, &target);
        for metric in [Metric::LogLoss, Metric::Brier, Metric::Accuracy] {
            let losses = row_losses(&spec, metric, &predictions, &target).unwrap();
            assert_eq!(losses.len(), 3);
            assert_eq!(metrics[&metric], from_mean(metric, losses.iter().sum::<f64>() / 3.0));
        }
        assert_eq!(row_losses(&spec, Metric::Auc, &predictions, &target), None);
    }
}
