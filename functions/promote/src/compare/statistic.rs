//! The difference of a metric between two models, as a function of how often each row was drawn.
//!
//! What costs time is done once; then one resample costs one pass over the rows at most.

use std::collections::HashMap;

use model::{Predictions, row_losses};
use spec::{ColumnData, Metric, Spec};

/// A paired statistic over units of rows.
///
/// Rows are dealt to units in the given order: the row at place `k` belongs to unit `k % n_units`.
pub(super) trait Statistic: Send + Sync {
    /// The improvement of the challenger where unit `u` was drawn `counts[u]` times; none where it is not defined.
    fn improvement(&self, counts: &[u32]) -> Option<f64>;
}

/// The statistic of a metric; none where the metric is not defined for one of the two models, and for `ece`, by which no
/// versions are compared.
///
/// `deal` gives, for the number of rows that have a truth, their order and the number of units.
pub(super) fn of(
    spec: &Spec,
    metric: Metric,
    champion: &Predictions,
    challenger: &Predictions,
    target: &ColumnData,
    deal: impl FnOnce(usize) -> (Vec<u32>, usize),
) -> Option<(Box<dyn Statistic>, usize)> {
    if let (Some(champion), Some(challenger)) =
        (row_losses(spec, metric, champion, target), row_losses(spec, metric, challenger, target))
    {
        let (order, n_units) = deal(champion.len());
        let sums = if metric == Metric::Rmse {
            Sums::new(
                &order,
                n_units,
                |row| [1.0, champion[row], challenger[row], 0.0, 0.0],
                |[n, a, b, ..]| Some((a / n).sqrt() - (b / n).sqrt()),
            )
        } else {
            // Of accuracy, too: its row loss is 1 where wrong.
            let difference = |row: usize| champion[row] - challenger[row];
            Sums::new(&order, n_units, |row| [1.0, difference(row), 0.0, 0.0, 0.0], |[n, sum, ..]| Some(sum / n))
        };
        return Some((Box::new(sums), n_units));
    }
    match metric {
        Metric::R2 => r2(champion, challenger, target, deal),
        Metric::Auc | Metric::PrAuc | Metric::F1 | Metric::MacroF1 => {
            let rows = Classified::new(spec, champion, challenger, target)?;
            let (order, n_units) = deal(rows.truth.len());
            let ranks = |area| Ranks::new(&rows, spec.positive_index(), &order, n_units, area);
            let statistic: Box<dyn Statistic> = if metric == Metric::Auc {
                Box::new(ranks(auc))
            } else if metric == Metric::PrAuc {
                Box::new(ranks(average_precision))
            } else {
                let classes = match metric {
                    Metric::F1 => spec.positive_index()..spec.positive_index() + 1,
                    _ => 0..spec.target.classes.len(),
                };
                Box::new(Confusion::new(&rows, classes, &order))
            };
            Some((statistic, n_units))
        }
        _ => None,
    }
}

/// How many sums a row contributes to at most.
const WIDTH: usize = 5;

/// A function of sums over rows: summed per unit once, so that a resample costs one pass over the units.
struct Sums {
    units: Vec<[f64; WIDTH]>,
    finish: fn([f64; WIDTH]) -> Option<f64>,
}

impl Sums {
    fn new(
        order: &[u32],
        n_units: usize,
        of_row: impl Fn(usize) -> [f64; WIDTH],
        finish: fn([f64; WIDTH]) -> Option<f64>,
    ) -> Self {
        let mut units = vec![[0.0; WIDTH]; n_units];
        for (place, row) in order.iter().enumerate() {
            for (sum, term) in units[place % n_units].iter_mut().zip(of_row(*row as usize)) {
                *sum += term;
            }
        }
        Self { units, finish }
    }
}

impl Statistic for Sums {
    fn improvement(&self, counts: &[u32]) -> Option<f64> {
        let mut sums = [0.0; WIDTH];
        for (unit, count) in self.units.iter().zip(counts) {
            for (sum, term) in sums.iter_mut().zip(unit) {
                *sum += f64::from(*count) * term;
            }
        }
        (self.finish)(sums).filter(|value| value.is_finite())
    }
}

fn r2(
    champion: &Predictions,
    challenger: &Predictions,
    target: &ColumnData,
    deal: impl FnOnce(usize) -> (Vec<u32>, usize),
) -> Option<(Box<dyn Statistic>, usize)> {
    let (Predictions::Numbers(champion), Predictions::Numbers(challenger), ColumnData::Numbers(truth)) =
        (champion, challenger, target)
    else {
        return None;
    };
    let rows: Vec<usize> = (0..truth.len()).filter(|row| !truth[*row].is_nan()).collect();
    // Centred, so that the variance is no difference of large numbers.
    let mean = rows.iter().map(|row| truth[*row]).sum::<f64>() / rows.len() as f64;
    let (order, n_units) = deal(rows.len());
    let of_row = |place: usize| {
        let (row, y) = (rows[place], truth[rows[place]]);
        [1.0, (champion[row] - y).powi(2), (challenger[row] - y).powi(2), y - mean, (y - mean).powi(2)]
    };
    let sums = Sums::new(&order, n_units, of_row, |[n, a, b, y, yy]| {
        let total = yy - y * y / n;
        (total > 0.0).then(|| (a - b) / total)
    });
    Some((Box::new(sums), n_units))
}

/// The rows of a classification that have a truth.
struct Classified {
    truth: Vec<usize>,
    /// The class that each row is called, by model.
    predicted: [Vec<usize>; 2],
    /// Probability of the positive class, by model.
    scores: [Vec<f64>; 2],
}

impl Classified {
    fn new(spec: &Spec, champion: &Predictions, challenger: &Predictions, target: &ColumnData) -> Option<Self> {
        let (Predictions::Probabilities(a), Predictions::Probabilities(b), ColumnData::Categories(target)) =
            (champion, challenger, target)
        else {
            return None;
        };
        let classes = &spec.target.classes;
        let class_of: Vec<Option<usize>> =
            target.levels.iter().map(|level| classes.iter().position(|class| class == level)).collect();
        let truth = target.codes.iter().map(|code| class_of.get(*code as usize).copied().flatten());
        let (rows, truth): (Vec<usize>, Vec<usize>) =
            truth.enumerate().filter_map(|(row, class)| Some((row, class?))).unzip();
        let positive = spec.positive_index();
        let score = |of: &dyn Fn(usize) -> f64| rows.iter().map(|row| of(*row)).collect::<Vec<f64>>();
        Some(Self {
            predicted: [&a.called, &b.called].map(|called| rows.iter().map(|row| called[*row]).collect()),
            scores: [score(&|row| a.values[[row, positive]]), score(&|row| b.values[[row, positive]])],
            truth,
        })
    }
}

/// F1: rows that agree in truth and both answers are one cell, and a resample counts cells.
struct Confusion {
    /// Truth and the two answers of each cell.
    cells: Vec<(usize, [usize; 2])>,
    /// Cell of each row, in the order of dealing.
    cell_of: Vec<u32>,
    /// Whose F1 is averaged.
    classes: std::ops::Range<usize>,
}

impl Confusion {
    fn new(rows: &Classified, classes: std::ops::Range<usize>, order: &[u32]) -> Self {
        let (mut index, mut cells) = (HashMap::new(), Vec::new());
        let cell_of = order.iter().map(|row| {
            let row = *row as usize;
            let cell = (rows.truth[row], [rows.predicted[0][row], rows.predicted[1][row]]);
            *index.entry(cell).or_insert_with(|| {
                cells.push(cell);
                cells.len() as u32 - 1
            })
        });
        let cell_of = cell_of.collect();
        Self { cells, cell_of, classes }
    }

    /// The unweighted mean of the classes' F1 of one model, over the classes that occur.
    fn mean_f1(&self, counts: &[u64], model: usize) -> Option<f64> {
        let n_classes = self.classes.len();
        let (mut both, mut either) = (vec![0_u64; n_classes], vec![0_u64; n_classes]);
        for ((truth, predicted), count) in self.cells.iter().zip(counts) {
            let predicted = predicted[model];
            if let Some(class) = self.place(*truth) {
                either[class] += count;
                both[class] += if *truth == predicted { *count } else { 0 };
            }
            if let Some(class) = self.place(predicted) {
                either[class] += count;
            }
        }
        let f1 = both.iter().zip(&either).filter(|(_, either)| **either > 0);
        let f1: Vec<f64> = f1.map(|(both, either)| 2.0 * *both as f64 / *either as f64).collect();
        (!f1.is_empty()).then(|| f1.iter().sum::<f64>() / f1.len() as f64)
    }

    fn place(&self, class: usize) -> Option<usize> {
        self.classes.contains(&class).then(|| class - self.classes.start)
    }
}

impl Statistic for Confusion {
    fn improvement(&self, counts: &[u32]) -> Option<f64> {
        let mut of_cells = vec![0_u64; self.cells.len()];
        for rows in self.cell_of.chunks(counts.len()) {
            for (cell, count) in rows.iter().zip(counts) {
                of_cells[*cell as usize] += u64::from(*count);
            }
        }
        Some(self.mean_f1(&of_cells, 1)? - self.mean_f1(&of_cells, 0)?)
    }
}

/// The area under a curve over scores: rows sorted once by each model's score, then weighted by how often they were drawn.
struct Ranks {
    /// By model, rows in order of score, packed: unit, whether positive, whether the last of equal scores.
    sorted: [Vec<u32>; 2],
    /// The area by the rows of one model, and how often each unit was drawn.
    area: Area,
}

type Area = fn(&[u32], &[u32]) -> Option<f64>;

impl Ranks {
    fn new(rows: &Classified, positive: usize, order: &[u32], n_units: usize, area: Area) -> Self {
        let mut unit_of = vec![0_u32; order.len()];
        for (place, row) in order.iter().enumerate() {
            unit_of[*row as usize] = (place % n_units) as u32;
        }
        let sorted = rows.scores.each_ref().map(|scores| {
            let mut by_score: Vec<usize> = (0..scores.len()).collect();
            by_score.sort_unstable_by(|a, b| scores[*a].total_cmp(&scores[*b]));
            let is_last = |place: usize| match by_score.get(place + 1) {
                Some(next) => scores[*next] != scores[by_score[place]],
                None => true,
            };
            let pack = |(place, row): (usize, &usize)| {
                unit_of[*row] << 2 | u32::from(rows.truth[*row] == positive) << 1 | u32::from(is_last(place))
            };
            by_score.iter().enumerate().map(pack).collect()
        });
        Self { sorted, area }
    }
}

/// Positives and negatives of each score, by how often they were drawn, lowest score first.
fn scores<'a>(sorted: &'a [u32], counts: &'a [u32]) -> impl DoubleEndedIterator<Item = [u64; 2]> + 'a {
    // The row before the first of a score is the last of another.
    sorted.chunk_by(|before, _| before & 1 == 0).map(|equal| {
        let mut drawn = [0; 2];
        for packed in equal {
            let negative = usize::from(packed >> 1 & 1 == 0);
            drawn[negative] += u64::from(counts[(packed >> 2) as usize]);
        }
        drawn
    })
}

/// Area under the ROC curve.
fn auc(sorted: &[u32], counts: &[u32]) -> Option<f64> {
    // Twice the number of pairs in the right order, equal scores counting half.
    let (mut ordered, mut n_positive, mut negatives_below) = (0.0, 0_u64, 0_u64);
    for [positives, negatives] in scores(sorted, counts) {
        ordered += positives as f64 * (2 * negatives_below + negatives) as f64;
        n_positive += positives;
        negatives_below += negatives;
    }
    let pairs = n_positive as f64 * negatives_below as f64;
    (pairs > 0.0).then(|| ordered / (2.0 * pairs))
}

/// Average precision: over falling scores, each one's precision, weighted by the recall that it adds.
fn average_precision(sorted: &[u32], counts: &[u32]) -> Option<f64> {
    let (mut n_positive, mut n_rows, mut sum) = (0_u64, 0_u64, 0.0);
    for [positives, negatives] in scores(sorted, counts).rev() {
        n_positive += positives;
        n_rows += positives + negatives;
        // A score that was not drawn before any other has no rows above it either.
        sum += positives as f64 * n_positive as f64 / n_rows.max(1) as f64;
    }
    (n_positive > 0).then(|| sum / n_positive as f64)
}

impl Statistic for Ranks {
    fn improvement(&self, counts: &[u32]) -> Option<f64> {
        Some((self.area)(&self.sorted[1], counts)? - (self.area)(&self.sorted[0], counts)?)
    }
}
