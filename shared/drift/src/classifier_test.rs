//! Whether a classifier can tell the rows of two tables apart: drift of all columns together.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use crate::boosted_trees::{Binned, Binning, Loss, Trees};
use crate::reasons::{figure, probability};
use crate::{Error, Settings, Values};

/// Most rows of either side that are used, drawn with the seed.
pub const CLASSIFIER_ROWS: usize = 10_000;

/// Fewest rows of either side: each fold has 20 of them.
pub const CLASSIFIER_MIN_ROWS: usize = 100;

const FOLDS: usize = 5;

/// What the classifier two-sample test says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassifierTest {
    /// Area under the ROC curve of rows that the classifier did not learn from, mean over the folds: 0.5 when it cannot tell
    /// the sides apart, 1 when it always can.
    pub auc: f64,
    /// Standard error of `auc` under one common distribution.
    pub standard_error: f64,
    /// Probability of an area at least as large under one common distribution.
    pub p_value: f64,
    /// Columns by how much of the area is lost when a column is dealt out anew among the rows, largest first: what moved,
    /// alone or together with others.
    pub importances: Vec<(String, f64)>,
}

impl ClassifierTest {
    /// Why the tables as wholes have drifted, if they have: the p-value is at most `settings.alpha` and the area at least 0.55
    /// (by preset: halfway to 0.5, or twice as far from it). Asked beside the columns, it is one more alarm of that level.
    pub fn reason(&self, settings: &Settings) -> Option<String> {
        const AUC_FLOOR: f64 = 0.05;
        if self.p_value > settings.alpha || self.auc < 0.5 + AUC_FLOOR * settings.preset.factor() {
            return None;
        }
        let telling: Vec<String> = self
            .importances
            .iter()
            .filter(|(_, lost)| *lost > 0.0)
            .take(3)
            .map(|(name, _)| format!("`{name}`"))
            .collect();
        Some(format!(
            "all columns together: a classifier tells current rows from reference rows with an AUC of {} (p-value {}), most by \
             {}",
            figure(self.auc),
            probability(self.p_value),
            if telling.is_empty() { "no single column".to_string() } else { telling.join(", ") }
        ))
    }
}

/// The classifier two-sample test: boosted trees learn to tell current rows from reference rows on four fifths of both and
/// are judged on the last fifth, five times in turn.
///
/// It sees what no column shows by itself, such as two columns that change places. The area's standard error is that of
/// Mann and Whitney's statistic, fold by fold, since scores of rows that were not learnt from carry no trace of their side
/// under the null hypothesis.
///
/// # Shapes
/// Both sides have the same columns in the same order; all columns of a side are of one length, at least
/// [`CLASSIFIER_MIN_ROWS`].
///
/// # NaN policy
/// A missing value is a value of its own.
///
/// # Errors
/// [`Error::MissingColumn`] and [`Error::UnknownColumn`] when the sides have not the same columns,
/// [`Error::UnequalLengths`], [`Error::TooFewRows`].
///
/// # Source
/// Lopez-Paz, Oquab (2017), arXiv:1610.06545; Mann, Whitney (1947), doi:10.1214/aoms/1177730491.
pub fn classifier_test(
    reference: &[(String, Values<'_>)],
    current: &[(String, Values<'_>)],
    seed: u64,
) -> Result<ClassifierTest, Error> {
    check(reference, current)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (n, m) = (n_rows(reference), n_rows(current));
    let (reference_values, current_values) = (values(reference), values(current));
    // Bins are of the reference: under the null hypothesis those of both would be the same.
    let binning = Binning::of(&reference_values);
    let sides = [(binning.bin(&reference_values), n), (binning.bin(&current_values), m)];
    let mut data = Table { binned: None, labels: Vec::new(), folds: Vec::new() };
    for (label, (binned, n_rows)) in sides.into_iter().enumerate() {
        data.add(label as f64, &binned, n_rows, &mut rng);
    }
    let Table { binned: Some(binned), labels, folds } = data else { unreachable!("both sides have rows") };

    let mut auc = 0.0;
    let mut variance = 0.0;
    let mut lost = vec![0.0; reference.len()];
    for fold in 0..FOLDS {
        let rows = |is_test: bool| -> Vec<u32> {
            (0..labels.len() as u32).filter(|&row| (folds[row as usize] == fold) == is_test).collect()
        };
        let (learn, test) = (rows(false), rows(true));
        let model = Trees::fit(&binned, &learn, &labels, Loss::LogOdds);
        let area = |data: &Binned, rows: &[u32]| {
            let scores: Vec<(f64, bool)> =
                test.iter().zip(rows).map(|(&row, &at)| (model.output(data, at), labels[row as usize] > 0.5)).collect();
            area_under_curve(scores)
        };
        let in_place = area(&binned, &test);
        auc += in_place / FOLDS as f64;
        let n_current = test.iter().filter(|&&row| labels[row as usize] > 0.5).count() as f64;
        let n_reference = test.len() as f64 - n_current;
        variance += (n_current + n_reference + 1.0) / (12.0 * n_current * n_reference) / (FOLDS * FOLDS) as f64;

        let mut scratch = binned.clone();
        for (column, lost) in lost.iter_mut().enumerate() {
            let mut shuffled = test.clone();
            shuffled.shuffle(&mut rng);
            for (&row, &other) in test.iter().zip(&shuffled) {
                scratch.columns[column][row as usize] = binned.columns[column][other as usize];
            }
            *lost += (in_place - area(&scratch, &test)) / FOLDS as f64;
            for &row in &test {
                scratch.columns[column][row as usize] = binned.columns[column][row as usize];
            }
        }
    }
    let standard_error = variance.sqrt();
    let p_value = Normal::standard().sf((auc - 0.5) / standard_error);
    let mut importances: Vec<(String, f64)> = reference.iter().map(|(name, _)| name.clone()).zip(lost).collect();
    importances.sort_by(|a, b| b.1.total_cmp(&a.1));
    Ok(ClassifierTest { auc, standard_error, p_value, importances })
}

fn values<'a>(side: &[(String, Values<'a>)]) -> Vec<Values<'a>> {
    side.iter().map(|(_, values)| *values).collect()
}

fn n_rows(side: &[(String, Values<'_>)]) -> usize {
    side.first().map_or(0, |(_, values)| values.len())
}

fn check(reference: &[(String, Values<'_>)], current: &[(String, Values<'_>)]) -> Result<(), Error> {
    for (idx, (name, values)) in reference.iter().enumerate() {
        if current.get(idx).is_none_or(|(other, _)| other != name) {
            return Err(Error::MissingColumn { column: name.clone() });
        }
        let (kind, other) = (values.kind(), current[idx].1.kind());
        if kind != other {
            return Err(Error::KindMismatch { column: name.clone(), reference: kind, current: other });
        }
    }
    if let Some((column, _)) = current.get(reference.len()) {
        return Err(Error::UnknownColumn { column: column.clone() });
    }
    for side in [reference, current] {
        let (rows, least) = (n_rows(side), CLASSIFIER_MIN_ROWS);
        if let Some((column, values)) = side.iter().find(|(_, values)| values.len() != rows) {
            return Err(Error::UnequalLengths { column: column.clone(), rows: values.len(), expected: rows });
        }
        if rows < least {
            return Err(Error::TooFewRows { rows, least });
        }
    }
    Ok(())
}

/// The rows of both sides that are used.
struct Table {
    binned: Option<Binned>,
    labels: Vec<f64>,
    folds: Vec<usize>,
}

impl Table {
    /// Draws rows of one side and deals them to the folds.
    fn add(&mut self, label: f64, binned: &Binned, n_rows: usize, rng: &mut ChaCha8Rng) {
        let mut drawn: Vec<usize> = (0..n_rows).collect();
        drawn.shuffle(rng);
        drawn.truncate(CLASSIFIER_ROWS);
        let rows = binned.select(&drawn);
        self.binned = Some(match self.binned.take() {
            None => rows,
            Some(before) => before.concat(&rows),
        });
        self.labels.extend(std::iter::repeat_n(label, drawn.len()));
        self.folds.extend((0..drawn.len()).map(|idx| idx % FOLDS));
    }
}

/// The share of pairs of a current and a reference row in which the current one has the higher score; ties count half.
fn area_under_curve(mut scores: Vec<(f64, bool)>) -> f64 {
    scores.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut reference_below, mut pairs, mut n_current) = (0.0, 0.0, 0.0);
    for tied in scores.chunk_by(|a, b| a.0 == b.0) {
        let current = tied.iter().filter(|(_, is_current)| *is_current).count() as f64;
        let reference = tied.len() as f64 - current;
        pairs += current * (reference_below + reference / 2.0);
        reference_below += reference;
        n_current += current;
    }
    if reference_below * n_current == 0.0 { 0.5 } else { pairs / (reference_below * n_current) }
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    /// Two numbers that are equal but for noise, or, `apart`, that have nothing to do with each other; and a category.
    fn table(seed: u64, n: usize, apart: bool) -> (Vec<f64>, Vec<f64>, Vec<u32>) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let x: Vec<f64> = (0..n).map(|_| rng.random::<f64>()).collect();
        let y = x.iter().map(|x| if apart { rng.random::<f64>() } else { *x }).collect();
        let codes = (0..n).map(|_| rng.random_range(0..3)).collect();
        (x, y, codes)
    }

    fn named<'a>(levels: &'a [String], (x, y, codes): &'a (Vec<f64>, Vec<f64>, Vec<u32>)) -> Vec<(String, Values<'a>)> {
        let values = [Values::Numbers(x), Values::Numbers(y), Values::Categories { levels, codes }];
        ["x", "y", "c"].map(String::from).into_iter().zip(values).collect()
    }

    fn test(before: (usize, bool), now: (usize, bool), seed: u64) -> ClassifierTest {
        let levels: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
        let (a, b) = (table(2 * seed, before.0, before.1), table(2 * seed + 1, now.0, now.1));
        classifier_test(&named(&levels, &a), &named(&levels, &b), seed).unwrap()
    }

    #[test]
    fn what_only_two_columns_show_together_is_seen_and_named() {
        let found = test((600, false), (500, true), 1);
        assert!(found.auc > 0.8 && found.p_value < 1e-6, "{found:?}");
        let names: Vec<&str> = found.importances.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names[2], "c", "{found:?}");
        assert!(found.importances[1].1 > 0.1);
        let reason = found.reason(&Settings::default()).unwrap();
        assert!(
            reason.starts_with("all columns together: a classifier tells") && reason.contains("most by `"),
            "{reason}"
        );
        assert_eq!(ClassifierTest { auc: 0.54, ..found }.reason(&Settings::default()), None, "too little to matter");
    }

    #[test]
    fn without_drift_it_seldom_alarms() {
        let p_values: Vec<f64> = (0..60).map(|seed| test((250, false), (200, false), seed).p_value).collect();
        let alarms = p_values.iter().filter(|&&p| p <= 0.05).count();
        assert!(alarms <= 9, "{alarms} of 60 at a level of 5 %: {p_values:?}");
        let below_half = p_values.iter().filter(|&&p| p <= 0.5).count();
        assert!((15..=45).contains(&below_half), "{below_half}");
    }

    #[test]
    fn the_same_seed_gives_the_same_and_bad_tables_are_refused() {
        assert_eq!(test((300, false), (300, false), 3), test((300, false), (300, false), 3));
        let x = vec![0.0; 200];
        let of = |name: &str, n: usize| vec![(name.to_string(), Values::Numbers(&x[..n]))];
        for (reference, current) in [(of("x", 200), of("y", 200)), (of("x", 200), of("x", 50)), (of("x", 200), vec![])]
        {
            assert!(classifier_test(&reference, &current, 1).is_err());
        }
    }

    #[test]
    fn the_area_counts_ties_half() {
        assert_eq!(area_under_curve(vec![(0.1, false), (0.4, true), (0.4, false), (0.9, true)]), 0.875);
        assert_eq!(area_under_curve(vec![(0.4, true)]), 0.5);
    }
}
