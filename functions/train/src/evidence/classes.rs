//! What a classifier's probabilities are worth, and whom it takes for whom.

use model::{CALIBRATION_BINS, Probabilities, calibration_bin};
use serde::{Deserialize, Serialize};
use spec::{ColumnData, Spec, Task};

/// The evidence that only classes have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Classification {
    /// Ten bins of probability: of the positive class, or of the most likely of several classes.
    pub calibration: Vec<CalibrationBin>,
    /// Truths against answers.
    pub confusion: Confusion,
}

/// Rows whose probability lies in one bin.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// Lower end, included.
    pub from: f64,
    /// Upper end, excluded but for 1.
    pub to: f64,
    /// Rows in it.
    pub rows: usize,
    /// Mean probability of its rows; none without rows.
    pub mean_probability: Option<f64>,
    /// Share of its rows that are of the positive class, or whose most likely class is the true one; none without rows.
    pub observed_share: Option<f64>,
}

/// How many rows of each class were called what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Confusion {
    /// Of a binary task: the probability of the positive class from which on a row is called positive. None of several classes.
    pub threshold: Option<f64>,
    /// The classes in the spec's order.
    pub classes: Vec<String>,
    /// Rows by true class, then by the class that they were called. Shape `[n_classes, n_classes]`.
    pub counts: Vec<Vec<u64>>,
}

impl Confusion {
    /// Of the rows that are called `class`, the share that is of it; none where no row is called it.
    pub fn precision(&self, class: usize) -> Option<f64> {
        let called: u64 = self.counts.iter().map(|row| row[class]).sum();
        (called > 0).then(|| self.counts[class][class] as f64 / called as f64)
    }

    /// Of the rows of `class`, the share that is called it; none where no row is of it.
    pub fn recall(&self, class: usize) -> Option<f64> {
        let rows: u64 = self.counts[class].iter().sum();
        (rows > 0).then(|| self.counts[class][class] as f64 / rows as f64)
    }
}

/// Truths and answers of the rows whose target is one of the spec's classes.
pub(super) struct Rows {
    /// Their places in the batch.
    pub(super) places: Vec<usize>,
    /// Their true classes.
    pub(super) truths: Vec<usize>,
    /// What they are called.
    pub(super) called: Vec<usize>,
}

impl Rows {
    pub(super) fn new(spec: &Spec, probabilities: &Probabilities, target: &ColumnData) -> Self {
        let (places, truths): (Vec<usize>, Vec<usize>) =
            classes(spec, target).into_iter().enumerate().filter_map(|(row, class)| Some((row, class?))).unzip();
        Self { called: places.iter().map(|row| probabilities.called[*row]).collect(), places, truths }
    }
}

/// Per row, the index of its true class among the spec's; none where the target is missing or none of them.
pub(super) fn classes(spec: &Spec, target: &ColumnData) -> Vec<Option<usize>> {
    let ColumnData::Categories(target) = target else { return vec![None; target.len()] };
    let class_of: Vec<Option<usize>> =
        target.levels.iter().map(|level| spec.target.classes.iter().position(|class| class == level)).collect();
    target.codes.iter().map(|code| class_of.get(*code as usize).copied().flatten()).collect()
}

/// The evidence of a classification; `threshold` is what rows of a binary task were called by.
///
/// # Shapes
/// `probabilities` are of the rows of `target`.
///
/// # Source
/// The curve: A. Niculescu-Mizil and R. Caruana, "Predicting good probabilities with supervised learning", ICML (2005); of the
/// most likely class: C. Guo et al., "On calibration of modern neural networks", ICML (2017).
pub(super) fn classification(
    spec: &Spec,
    probabilities: &Probabilities,
    target: &ColumnData,
    threshold: f64,
) -> Classification {
    let rows = Rows::new(spec, probabilities, target);
    let likeliest: Vec<usize> = probabilities.most_likely().collect();
    let positive = spec.positive_index();
    let mut bins = [(0_usize, 0.0, 0_usize); CALIBRATION_BINS];
    for (row, truth) in rows.places.iter().zip(&rows.truths) {
        let class = if spec.task == Task::Binary { positive } else { likeliest[*row] };
        let probability = probabilities.values[[*row, class]];
        let (n_rows, sum, n_true) = &mut bins[calibration_bin(probability)];
        *n_rows += 1;
        *sum += probability;
        *n_true += usize::from(*truth == class);
    }
    let width = 1.0 / CALIBRATION_BINS as f64;
    let calibration = bins.iter().enumerate().map(|(bin, (n_rows, sum, n_true))| {
        let of_rows = |sum: f64| (*n_rows > 0).then(|| sum / *n_rows as f64);
        CalibrationBin {
            from: bin as f64 * width,
            to: (bin + 1) as f64 * width,
            rows: *n_rows,
            mean_probability: of_rows(*sum),
            observed_share: of_rows(*n_true as f64),
        }
    });
    let n_classes = spec.target.classes.len();
    let mut counts = vec![vec![0; n_classes]; n_classes];
    for (truth, called) in rows.truths.iter().zip(&rows.called) {
        counts[*truth][*called] += 1;
    }
    Classification {
        calibration: calibration.collect(),
        confusion: Confusion {
            threshold: (spec.task == Task::Binary).then_some(threshold),
            classes: spec.target.classes.clone(),
            counts,
        },
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use spec::Categories;

    use super::*;

    fn spec(target: &str) -> Spec {
        Spec::parse(&format!("name: demo\n{target}\ncolumns: {{x: {{kind: number}}}}\n")).unwrap()
    }

    fn target(levels: &[&str], codes: &[u32]) -> ColumnData {
        let levels = levels.iter().map(|level| (*level).to_owned()).collect();
        ColumnData::Categories(Categories { levels, codes: codes.to_vec() })
    }

    #[test]
    fn two_classes_are_told_by_the_threshold() {
        let spec = spec("task: binary\ntarget: {column: y, classes: ['yes', 'no'], positive: 'yes'}");
        // The batch has its own order of levels; one row has no truth.
        let truth = target(&["no", "yes"], &[0, 1, 1, 0, 1, spec::MISSING_CODE]);
        let p = array![0.05, 0.35, 0.32, 0.38, 0.95, 0.5];
        let probabilities = ndarray::stack![ndarray::Axis(1), p, 1.0 - &p];
        let probabilities = Probabilities { called: vec![1, 0, 1, 0, 0, 0], values: probabilities };
        let evidence = classification(&spec, &probabilities, &truth, 0.35);
        let confusion = &evidence.confusion;
        assert_eq!(
            confusion.counts,
            [[2, 1], [1, 1]],
            "true yes: 0.35 and 0.95 are found; true no: 0.38 is called yes"
        );
        assert_eq!((confusion.precision(0), confusion.recall(0)), (Some(2.0 / 3.0), Some(2.0 / 3.0)));
        assert_eq!((confusion.threshold, confusion.recall(1)), (Some(0.35), Some(0.5)));
        let bin = evidence.calibration[3];
        assert_eq!(bin.rows, 3);
        assert!(
            (bin.mean_probability.unwrap() - 0.35).abs() < 1e-12
                && (bin.observed_share.unwrap() - 2.0 / 3.0).abs() < 1e-12
        );
        assert_eq!(evidence.calibration[5].observed_share, None, "the row without a truth is not counted");
        assert_eq!(evidence.calibration[9].rows, 1);
    }

    #[test]
    fn several_classes_are_counted_as_called_and_judged_by_the_likeliest() {
        let spec = spec("task: multiclass\ntarget: {column: y, classes: [a, b, c]}");
        let values = array![[0.7, 0.2, 0.1], [0.2, 0.75, 0.05], [0.3, 0.3, 0.4]];
        let probabilities = Probabilities { values, called: vec![0, 1, 1] };
        let evidence = classification(&spec, &probabilities, &target(&["a", "b", "c"], &[0, 2, 2]), 0.9);
        assert_eq!(evidence.confusion.counts, [[1, 0, 0], [0, 0, 0], [0, 2, 0]]);
        assert_eq!((evidence.confusion.threshold, evidence.confusion.recall(1)), (None, None));
        assert_eq!(evidence.calibration[7].rows, 2);
        assert_eq!(evidence.calibration[7].observed_share, Some(0.5));
        assert_eq!(
            evidence.calibration[4].observed_share,
            Some(1.0),
            "0.4 for the true class, whatever the row is called"
        );
    }
}
