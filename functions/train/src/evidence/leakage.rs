//! Columns that say too much: each alone against the target, and identifiers.

use std::collections::HashSet;

use page::text;
use rand::seq::index;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use spec::{Batch, ColumnData, Kind, MISSING_CODE, Spec, Task};

use super::classes::classes;
use super::stats::{bin, edges, mean, mid_ranks, sorted};

/// AUC of one column alone from which on it is flagged.
pub const LEAK_AUC: f64 = 0.99;

/// R² of one column alone from which on it is flagged.
pub const LEAK_R2: f64 = 0.98;

/// Share of rows with a level of their own from which on a category is taken for an identifier.
pub const IDENTIFIER_SHARE: f64 = 0.9;

/// Fewest rows, and of classes fewest rows of each, on which anything is said: fewer follow any column by chance.
const MIN_ROWS: usize = 30;
const MIN_CLASS_ROWS: usize = 10;

/// Most rows that a column is judged on. An AUC of 0.99 shows on far fewer.
const MAX_ROWS: usize = 20_000;

/// Bins of a number.
const BINS: usize = 20;

/// How well single columns predict the target, and what follows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Leakage {
    /// Each raw column alone, in the spec's order.
    pub alone: Vec<Alone>,
    /// What a person should look at before the model is trusted. A warning refuses nothing.
    pub warnings: Vec<Warning>,
}

/// How well one column alone predicts the target on train rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alone {
    /// The column.
    pub column: String,
    /// In which units.
    pub measure: AloneMeasure,
    /// Up to 1, which is perfect. An AUC of 0.5 or an R² of 0 or below is of no use.
    pub value: f64,
}

/// A measure of prediction from one column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AloneMeasure {
    /// Area under the ROC curve; of several classes, the mean of each against the others.
    Auc,
    /// Share of the variance of the target's ranks that is explained.
    R2,
}

/// Something that a person should look at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Warning {
    /// The column.
    pub column: String,
    /// What it looks like.
    pub kind: WarningKind,
    /// Why, in a sentence.
    pub reason: String,
}

/// What a column looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WarningKind {
    /// The target, known in another form.
    TargetLeak,
    /// A name or number of the row itself.
    Identifier,
}

/// Every raw column alone, on a seeded sample of the train rows, and every column that looks like an identifier.
///
/// | task | column | value |
/// |---|---|---|
/// | binary | number | the larger of the AUC of its own value, in either direction, and the AUC of its bins' share of positives |
/// | binary | category | AUC of its levels' share of positives |
/// | multiclass | either | as binary, for each class against the others; their unweighted mean |
/// | regression | number | R² of its bins' mean rank of the target |
/// | regression | category | R² of its levels' mean rank of the target |
///
/// Numbers have 20 equally full bins and one for missing cells; a missing number counts as the smallest. Shares and means are
/// out of fold: those of one random half answer for the other, so that levels of few rows do not answer for themselves. The
/// target enters a regression by its ranks, so that a long tail neither hides a leak nor looks like one.
///
/// A column is flagged at an AUC of [`LEAK_AUC`] or an R² of [`LEAK_R2`]. A category is taken for an identifier when it has
/// [`IDENTIFIER_SHARE`] as many levels as rows; a number, when its cells are all different and whole and rise or fall from row
/// to row or lie as densely as a counter's. Fewer than 30 rows say nothing, nor do fewer than 10 of a class.
pub fn leakage(spec: &Spec, train: &Batch, seed: u64) -> Leakage {
    let mut leakage = Leakage::default();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut rows = index::sample(&mut rng, train.n_rows(), train.n_rows().min(MAX_ROWS)).into_vec();
    rows.sort_unstable();
    let halves: Vec<bool> = rows.iter().map(|_| rng.random_bool(0.5)).collect();
    let sampled = train.select(&rows);
    let truth = sampled.target().and_then(|target| Truth::new(spec, target));
    for ((name, column), (cells, all_cells)) in spec.columns.iter().zip(sampled.columns().iter().zip(train.columns())) {
        if let Some((measure, value)) = truth.as_ref().and_then(|truth| truth.predicted_by(cells, &halves)) {
            let (limit, what) = match measure {
                AloneMeasure::Auc => (LEAK_AUC, "an AUC"),
                AloneMeasure::R2 => (LEAK_R2, "an R²"),
            };
            if value >= limit {
                let reason = format!(
                    "it alone predicts {} with {what} of {}: is it known before the target is?",
                    spec.target.column,
                    text::number(value)
                );
                leakage.warnings.push(Warning { column: name.clone(), kind: WarningKind::TargetLeak, reason });
            }
            leakage.alone.push(Alone { column: name.clone(), measure, value });
        }
        if let Some(reason) = identifier(column.kind, all_cells) {
            leakage.warnings.push(Warning { column: name.clone(), kind: WarningKind::Identifier, reason });
        }
    }
    leakage
}

/// The target in the form that a column is held against.
enum Truth {
    /// Of each class that is judged, 1 for its rows and 0 for the others. Shape `[n_judged][n_rows]`.
    Classes(Vec<Vec<f64>>),
    /// Ranks of a number.
    Ranks(Vec<f64>),
}

impl Truth {
    fn new(spec: &Spec, target: &ColumnData) -> Option<Self> {
        if target.len() < MIN_ROWS {
            return None;
        }
        if let ColumnData::Numbers(numbers) = target {
            return Some(Truth::Ranks(mid_ranks(numbers)));
        }
        let classes = classes(spec, target);
        let judged = match spec.task {
            Task::Binary => spec.positive_index()..spec.positive_index() + 1,
            _ => 0..spec.target.classes.len(),
        };
        let of_class =
            |class: usize| -> Vec<f64> { classes.iter().map(|truth| f64::from(*truth == Some(class))).collect() };
        let is_known = |of_class: &Vec<f64>| {
            let n_rows = of_class.iter().sum::<f64>() as usize;
            n_rows >= MIN_CLASS_ROWS && of_class.len() - n_rows >= MIN_CLASS_ROWS
        };
        let judged: Vec<Vec<f64>> = judged.map(of_class).filter(is_known).collect();
        (!judged.is_empty()).then_some(Truth::Classes(judged))
    }

    fn predicted_by(&self, cells: &ColumnData, halves: &[bool]) -> Option<(AloneMeasure, f64)> {
        let codes = Codes::new(cells);
        match self {
            Truth::Ranks(ranks) => Some((AloneMeasure::R2, r2(ranks, &codes.out_of_fold(ranks, halves))?)),
            Truth::Classes(classes) => {
                let of_classes: Vec<f64> = classes
                    .iter()
                    .filter_map(|truth| {
                        let truths: Vec<bool> = truth.iter().map(|truth| *truth == 1.0).collect();
                        let by_code = model::auc(&truths, &codes.out_of_fold(truth, halves))?;
                        let ColumnData::Numbers(numbers) = cells else { return Some(by_code) };
                        let filled: Vec<f64> = numbers
                            .iter()
                            .map(|number| if number.is_nan() { f64::NEG_INFINITY } else { *number })
                            .collect();
                        let by_value = model::auc(&truths, &filled)?;
                        Some(by_code.max(by_value).max(1.0 - by_value))
                    })
                    .collect();
                Some((AloneMeasure::Auc, mean(&of_classes)?))
            }
        }
    }
}

/// A column as levels or bins.
struct Codes {
    codes: Vec<usize>,
    n_codes: usize,
}

impl Codes {
    fn new(cells: &ColumnData) -> Self {
        match cells {
            ColumnData::Numbers(numbers) => {
                let edges = edges(&sorted(numbers), BINS);
                let missing = edges.len() + 1;
                let codes = numbers.iter().map(|number| if number.is_nan() { missing } else { bin(&edges, *number) });
                Self { codes: codes.collect(), n_codes: missing + 1 }
            }
            ColumnData::Categories(categories) => {
                let missing = categories.levels.len();
                let codes =
                    categories.codes.iter().map(|code| if *code == MISSING_CODE { missing } else { *code as usize });
                Self { codes: codes.collect(), n_codes: missing + 1 }
            }
        }
    }

    /// Per row, the mean of `values` over the rows of the other half with its code; over all of that half, where it has none.
    fn out_of_fold(&self, values: &[f64], halves: &[bool]) -> Vec<f64> {
        let mut of_codes = vec![[(0.0, 0.0); 2]; self.n_codes];
        let mut of_halves = [(0.0, 0.0); 2];
        for ((code, value), half) in self.codes.iter().zip(values).zip(halves) {
            for (sum, count) in [&mut of_codes[*code][usize::from(*half)], &mut of_halves[usize::from(*half)]] {
                *sum += value;
                *count += 1.0;
            }
        }
        let mean = |(sum, count): (f64, f64)| if count > 0.0 { Some(sum / count) } else { None };
        let answer = |(code, half): (&usize, &bool)| {
            let other = usize::from(!*half);
            mean(of_codes[*code][other]).or(mean(of_halves[other])).unwrap_or(0.0)
        };
        self.codes.iter().zip(halves).map(answer).collect()
    }
}

/// Share of the variance of `truths` that `answers` explain; none where the truths are all equal.
fn r2(truths: &[f64], answers: &[f64]) -> Option<f64> {
    let middle = mean(truths)?;
    let total: f64 = truths.iter().map(|truth| (truth - middle).powi(2)).sum();
    let unexplained: f64 = truths.iter().zip(answers).map(|(truth, answer)| (truth - answer).powi(2)).sum();
    (total > 0.0).then(|| 1.0 - unexplained / total)
}

/// Why a column looks like a name or number of the row itself.
fn identifier(kind: Kind, cells: &ColumnData) -> Option<String> {
    match cells {
        ColumnData::Categories(categories) if kind == Kind::Category => {
            let n_rows = categories.codes.iter().filter(|code| **code != MISSING_CODE).count();
            let n_levels = categories.counts().iter().filter(|count| **count > 0).count();
            let is_name = n_rows >= MIN_ROWS && n_levels as f64 >= IDENTIFIER_SHARE * n_rows as f64;
            is_name.then(|| {
                format!("{} rows have {} different levels", text::count(n_rows as u64), text::count(n_levels as u64))
            })
        }
        ColumnData::Numbers(numbers) if kind == Kind::Number => {
            let is_whole = numbers.len() >= MIN_ROWS && numbers.iter().all(|number| number.fract() == 0.0);
            // Bits, because zero is the only whole number with two forms, and adding zero makes them one.
            let mut seen = HashSet::new();
            if !is_whole || !numbers.iter().all(|number| seen.insert((number + 0.0).to_bits())) {
                return None;
            }
            let rises = numbers.windows(2).all(|pair| pair[0] < pair[1]);
            let falls = numbers.windows(2).all(|pair| pair[0] > pair[1]);
            let (low, high) = numbers
                .iter()
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), number| (low.min(*number), high.max(*number)));
            let is_dense = high - low < 2.0 * numbers.len() as f64;
            (rises || falls || is_dense).then(|| {
                let order = if rises || falls { "they follow the order of the rows" } else { "they leave few gaps" };
                format!("{} rows have as many different whole numbers, and {order}", text::count(numbers.len() as u64))
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
