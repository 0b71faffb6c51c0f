//! Folds: which rows a model is fitted on, and which it is then measured on.

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spec::{Batch, ColumnData, oldest_first};

/// One fold of a cross-validation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// Rows to fit on, rising.
    pub train: Vec<usize>,
    /// Rows to measure on, rising.
    pub test: Vec<usize>,
}

impl Fold {
    /// Folds of rows for an estimate that is honest about their order: [`Fold::forward`] where they have a time,
    /// [`Fold::stratified`] where they have none.
    pub fn of(rows: &Batch, n_folds: usize, seed: u64) -> Vec<Self> {
        let forward = rows.time().map(|time| Self::forward(time, n_folds)).filter(|folds| !folds.is_empty());
        forward.unwrap_or_else(|| Self::stratified(rows, n_folds, seed))
    }

    /// Folds drawn from a seed, with alike targets: each row is measured on once. Fewer where there are fewer rows.
    pub fn stratified(rows: &Batch, n_folds: usize, seed: u64) -> Vec<Self> {
        let n_rows = rows.n_rows();
        let n_folds = n_folds.min(n_rows);
        let rng = &mut ChaCha8Rng::seed_from_u64(seed);
        Self::assigned(&match rows.target() {
            Some(ColumnData::Numbers(numbers)) => stratified(n_rows, |row| numbers[row], n_folds, rng),
            Some(ColumnData::Categories(classes)) => stratified(n_rows, |row| classes.codes[row].into(), n_folds, rng),
            None => stratified(n_rows, |_| 0.0, n_folds, rng),
        })
    }

    /// Folds in which a model always learns from the past and is measured on what comes next.
    ///
    /// The rows in order of time are cut into `n_folds + 1` parts of equal size; fold `i` is fitted on the first `i + 1`
    /// parts and measured on the next one, so rows of the first part are never measured on. Rows of one time stay on one
    /// side of a cut, which is moved behind them: there are fewer folds where there are few different times, and none where
    /// there is only one. Rows without a time come first.
    ///
    /// # Source
    /// Forward chaining, or evaluation on a rolling origin: L. J. Tashman, "Out-of-sample tests of forecasting accuracy",
    /// International Journal of Forecasting 16 (2000); as `TimeSeriesSplit` of scikit-learn 1.9.1, but for rows of one time.
    pub fn forward(time: &[f64], n_folds: usize) -> Vec<Self> {
        let n_rows = time.len();
        let by_time = |a: usize, b: usize| oldest_first(time[a], time[b]);
        let mut order: Vec<usize> = (0..n_rows).collect();
        order.sort_by(|a, b| by_time(*a, *b));
        let behind = |cut: usize| {
            let same = order[cut..].iter().take_while(|row| cut > 0 && by_time(**row, order[cut - 1]).is_eq());
            cut + same.count()
        };
        let mut cuts: Vec<usize> = (1..=n_folds).map(|part| behind(part * n_rows / (n_folds + 1))).collect();
        cuts.push(n_rows);
        cuts.dedup();
        let rising = |rows: &[usize]| {
            let mut rows = rows.to_vec();
            rows.sort_unstable();
            rows
        };
        let pairs = cuts.windows(2).filter(|pair| pair[0] > 0);
        pairs.map(|pair| Self { train: rising(&order[..pair[0]]), test: rising(&order[pair[0]..pair[1]]) }).collect()
    }

    /// Folds by name: row `r` is measured on in fold `fold_of[r]` and fitted on in all others. Folds are named 0, 1, ...
    pub fn assigned(fold_of: &[usize]) -> Vec<Self> {
        let n_folds = fold_of.iter().max().map_or(0, |last| last + 1);
        let fold = |fold: usize| {
            let (test, train) = (0..fold_of.len()).partition(|row| fold_of[*row] == fold);
            Self { train, test }
        };
        (0..n_folds).map(fold).collect()
    }
}

/// The part, of `n_parts`, that each row falls into. Of as many rows with neighbouring targets each part gets one, drawn, so
/// that all parts are of one size, with the same share of each class or of small and large numbers, give or take a row.
///
/// # Source
/// Stratified cross-validation: R. Kohavi, "A study of cross-validation and bootstrap for accuracy estimation and model
/// selection", IJCAI (1995); by sorted numbers: X. Zeng and T. Martinez, "Distribution-balanced stratified cross-validation for
/// accuracy estimation", Journal of Experimental & Theoretical Artificial Intelligence 12 (2000), without its distances.
pub(crate) fn stratified(
    n_rows: usize,
    target: impl Fn(usize) -> f64,
    n_parts: usize,
    rng: &mut impl Rng,
) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n_rows).collect();
    order.shuffle(rng);
    // The sort keeps the drawn order of rows with one target.
    order.sort_by(|a, b| target(*a).total_cmp(&target(*b)));
    let mut parts: Vec<usize> = (0..n_parts).collect();
    let mut part_of = vec![0; n_rows];
    for neighbours in order.chunks(n_parts.max(1)) {
        parts.shuffle(rng);
        neighbours.iter().zip(&parts).for_each(|(row, part)| part_of[*row] = *part);
    }
    part_of
}

#[cfg(test)]
mod tests {
    use spec::{BatchBuilder, Kind, Value};

    use super::*;

    fn rows(n_rows: u32) -> Batch {
        let mut rows = BatchBuilder::new([], Some(Kind::Number), false);
        (0..n_rows).for_each(|row| rows.push(&[], &Value::Number(f64::from(row * 37 % 101)), f64::NAN));
        rows.finish()
    }

    #[test]
    fn each_row_is_measured_on_once() {
        let folds = Fold::stratified(&rows(103), 5, 7);
        assert_eq!(folds, Fold::stratified(&rows(103), 5, 7));
        assert_ne!(folds, Fold::stratified(&rows(103), 5, 8));
        let mut tested: Vec<usize> = folds.iter().flat_map(|fold| fold.test.clone()).collect();
        tested.sort_unstable();
        assert!(tested.into_iter().eq(0..103));
        for fold in &folds {
            assert_eq!(fold.train.len() + fold.test.len(), 103);
            assert!(fold.test.len().abs_diff(20) <= 1 && !fold.train.iter().any(|row| fold.test.contains(row)));
        }
        assert_eq!(Fold::stratified(&rows(3), 5, 7).len(), 3);
        assert_eq!(Fold::stratified(&rows(0), 5, 7), []);
    }

    #[test]
    fn all_parts_have_alike_targets() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        // One row in twenty is of the rare class.
        let classes: Vec<f64> = (0..1_000).map(|row| f64::from(row % 20 == 3)).collect();
        let part_of = stratified(1_000, |row| classes[row], 5, &mut rng);
        let rare = |part| (0..1_000).filter(|row| part_of[*row] == part && classes[*row] == 1.0).count();
        assert!((0..5).all(|part| rare(part) == 10), "{:?}", (0..5).map(rare).collect::<Vec<_>>());
        // Few are a hundred times as large as the others.
        let numbers: Vec<f64> = (0..1_000).map(|row| 1.01_f64.powi(row)).collect();
        let part_of = stratified(1_000, |row| numbers[row], 5, &mut rng);
        let mean = |part| (0..1_000).filter(|row| part_of[*row] == part).map(|row| numbers[row]).sum::<f64>() / 200.0;
        let means: Vec<f64> = (0..5).map(mean).collect();
        let (least, most) = (means.iter().copied().fold(f64::MAX, f64::min), means.iter().copied().fold(0.0, f64::max));
        assert!(most / least < 1.02, "{means:?}");
    }

    #[test]
    fn the_future_is_never_learnt_from() {
        let time: Vec<f64> = (0..600).map(|row| ((row * 7) % 600) as f64).collect();
        let folds = Fold::forward(&time, 5);
        assert_eq!(folds.iter().map(|fold| fold.train.len()).collect::<Vec<_>>(), [100, 200, 300, 400, 500]);
        for fold in &folds {
            assert_eq!(fold.test.len(), 100);
            let last = fold.train.iter().map(|row| time[*row]).fold(f64::NEG_INFINITY, f64::max);
            assert!(fold.test.iter().all(|row| time[*row] > last));
            assert!(fold.train.is_sorted() && fold.test.is_sorted());
        }
    }

    #[test]
    fn rows_of_one_time_stay_together() {
        let years: Vec<f64> = (0..90).map(|row| 2015.0 + f64::from(row / 30)).collect();
        let folds = Fold::forward(&years, 5);
        let sizes: Vec<(usize, usize)> = folds.iter().map(|fold| (fold.train.len(), fold.test.len())).collect();
        assert_eq!(sizes, [(30, 30), (60, 30)], "three years have two futures");
        assert_eq!(Fold::forward(&[1.0; 9], 5), [], "one time has no order");
        assert_eq!(Fold::forward(&[f64::NAN, 1.0], 5), [Fold { train: vec![0], test: vec![1] }]);
        assert_eq!(Fold::forward(&[], 5), []);
        let rows = Batch::new(vec![], None, Some(vec![1.0; 9]), 9);
        assert_eq!(Fold::of(&rows, 3, 7), Fold::stratified(&rows, 3, 7));
    }
}
