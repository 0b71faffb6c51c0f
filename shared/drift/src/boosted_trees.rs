//! Small gradient-boosted trees over the columns of a table.
//!
//! What tells two sets of rows apart, or where a model errs, is mostly an interaction of two or three columns; these trees
//! see that in a second on ten thousand rows. They judge data and are never served.
//!
//! Friedman (2001), doi:10.1214/aos/1013203451, with histograms and second-order steps as in Chen, Guestrin (2016),
//! doi:10.1145/2939672.2939785.

use std::collections::HashMap;

use rayon::prelude::*;

use crate::Values;
use crate::two_sample::{quantile, sorted};

/// Most bins of a column, the one for missing values included.
const BINS: usize = 64;
const ROUNDS: usize = 60;
const DEPTH: usize = 3;
const LEARNING_RATE: f64 = 0.1;
/// Keeps leaves of few rows near zero.
const RIDGE: f64 = 10.0;

/// How cells become bins: learnt once, then used on other rows of the same columns.
#[derive(Clone, Debug)]
pub(crate) struct Binning {
    columns: Vec<ColumnBins>,
}

#[derive(Clone, Debug)]
enum ColumnBins {
    /// Bin 0 is missing, bin `i + 1` starts at the `i`-th edge.
    Numbers(Vec<f64>),
    /// Bin 0 is missing, bin 1 every level without a bin of its own.
    Categories(HashMap<String, u8>),
}

impl Binning {
    /// Bins of equal counts for numbers, and one for each of the most frequent levels of categories.
    pub(crate) fn of(columns: &[Values<'_>]) -> Binning {
        let bins = columns.par_iter().map(|values| match values {
            Values::Numbers(values) => {
                let sorted = sorted(values);
                let mut edges: Vec<f64> = Vec::new();
                if !sorted.is_empty() {
                    edges.push(f64::NEG_INFINITY);
                    edges.extend((1..BINS - 1).map(|i| quantile(&sorted, i as f64 / (BINS - 1) as f64)));
                    edges.dedup();
                }
                ColumnBins::Numbers(edges)
            }
            Values::Categories { levels, codes } => {
                let counts = crate::profile::tally(levels.len(), codes);
                let mut by_level: HashMap<&str, u64> = HashMap::new();
                for (level, count) in levels.iter().zip(counts).filter(|&(_, count)| count > 0) {
                    *by_level.entry(level).or_default() += count;
                }
                let mut order: Vec<(&str, u64)> = by_level.into_iter().collect();
                order.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
                let own = order.iter().take(BINS - 2).zip(2_u8..).map(|(&(level, _), bin)| (level.to_owned(), bin));
                ColumnBins::Categories(own.collect())
            }
        });
        Binning { columns: bins.collect() }
    }

    /// The rows of columns of the same kinds, in the same order.
    pub(crate) fn bin(&self, columns: &[Values<'_>]) -> Binned {
        let bins = self.columns.par_iter().zip(columns).map(|(bins, values)| match (bins, values) {
            (ColumnBins::Numbers(edges), Values::Numbers(values)) => {
                let bin = |value: f64| edges.partition_point(|&edge| edge <= value) as u8;
                values.iter().map(|&value| if value.is_finite() { bin(value) } else { 0 }).collect()
            }
            (ColumnBins::Categories(own), Values::Categories { levels, codes }) => {
                let of_level: Vec<u8> = levels.iter().map(|level| own.get(level).copied().unwrap_or(1)).collect();
                codes.iter().map(|&code| of_level.get(code as usize).copied().unwrap_or(0)).collect()
            }
            // A column that changed its kind has no value here.
            (_, values) => vec![0; values.len()],
        });
        Binned { columns: bins.collect(), is_ordered: self.is_ordered() }
    }

    fn is_ordered(&self) -> Vec<bool> {
        self.columns.iter().map(|bins| matches!(bins, ColumnBins::Numbers(_))).collect()
    }
}

/// Rows as bins, by column.
#[derive(Clone, Debug)]
pub(crate) struct Binned {
    /// `[n_columns][n_rows]`.
    pub(crate) columns: Vec<Vec<u8>>,
    /// Whether neighbouring bins are neighbours: so of numbers, not of categories.
    is_ordered: Vec<bool>,
}

impl Binned {
    /// The rows at `rows`, in that order.
    pub(crate) fn select(&self, rows: &[usize]) -> Binned {
        let column = |bins: &Vec<u8>| rows.iter().map(|&row| bins[row]).collect();
        Binned { columns: self.columns.iter().map(column).collect(), is_ordered: self.is_ordered.clone() }
    }

    /// These rows, then those of the same columns.
    pub(crate) fn concat(mut self, more: &Binned) -> Binned {
        for (bins, more) in self.columns.iter_mut().zip(&more.columns) {
            bins.extend_from_slice(more);
        }
        self
    }
}

/// What is learnt: a number by squares, or the log odds of a label of 0 or 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loss {
    Squares,
    LogOdds,
}

/// The learnt function: a constant and trees.
#[derive(Clone, Debug)]
pub(crate) struct Trees {
    base: f64,
    trees: Vec<Tree>,
}

/// A tree whose node `i` has the children `2 i + 1` and `2 i + 2`.
#[derive(Clone, Debug)]
struct Tree {
    splits: [Option<Split>; (1 << DEPTH) - 1],
    /// What a row that ends here is given, `[nodes and leaves]`.
    values: [f64; (1 << (DEPTH + 1)) - 1],
}

/// Rows whose bin is in the set go left.
#[derive(Clone, Copy, Debug)]
struct Split {
    column: usize,
    left: u64,
    gain: f64,
}

impl Split {
    fn goes_left(&self, bin: u8) -> bool {
        self.left >> bin & 1 == 1
    }
}

impl Trees {
    /// Learns from the rows at `rows`, whose targets are `targets[row]`.
    pub(crate) fn fit(data: &Binned, rows: &[u32], targets: &[f64], loss: Loss) -> Trees {
        let n = rows.len().max(1) as f64;
        let mean = rows.iter().map(|&row| targets[row as usize]).sum::<f64>() / n;
        let base = match loss {
            Loss::Squares => mean,
            Loss::LogOdds => (mean.clamp(1e-6, 1.0 - 1e-6) / (1.0 - mean.clamp(1e-6, 1.0 - 1e-6))).ln(),
        };
        let mut model = Trees { base, trees: Vec::with_capacity(ROUNDS) };
        let mut outputs = vec![base; rows.len()];
        let mut slopes = vec![(0.0, 0.0); rows.len()];
        for _ in 0..ROUNDS {
            for ((slope, &output), &row) in slopes.iter_mut().zip(&outputs).zip(rows) {
                let target = targets[row as usize];
                *slope = match loss {
                    Loss::Squares => (target - output, 1.0),
                    Loss::LogOdds => {
                        let probability = 1.0 / (1.0 + (-output).exp());
                        (target - probability, probability * (1.0 - probability))
                    }
                };
            }
            let tree = Tree::grow(data, rows, &slopes);
            for (output, &row) in outputs.iter_mut().zip(rows) {
                *output += tree.value(data, row);
            }
            model.trees.push(tree);
        }
        model
    }

    /// The number, or the log odds, of one row.
    pub(crate) fn output(&self, data: &Binned, row: u32) -> f64 {
        self.base + self.trees.iter().map(|tree| tree.value(data, row)).sum::<f64>()
    }
}

impl Tree {
    fn grow(data: &Binned, rows: &[u32], slopes: &[(f64, f64)]) -> Tree {
        let mut tree = Tree { splits: [None; (1 << DEPTH) - 1], values: [0.0; (1 << (DEPTH + 1)) - 1] };
        let mut members: Vec<Vec<u32>> = vec![(0..rows.len() as u32).collect()];
        for depth in 0..=DEPTH {
            let first = (1 << depth) - 1;
            let mut next = Vec::new();
            for (idx, members) in members.iter().enumerate() {
                let node = first + idx;
                let total = members.iter().fold((0.0, 0.0), |sum, &member| {
                    let slope = slopes[member as usize];
                    (sum.0 + slope.0, sum.1 + slope.1)
                });
                tree.values[node] = LEARNING_RATE * total.0 / (total.1 + RIDGE);
                if depth == DEPTH {
                    continue;
                }
                let split = best_split(data, rows, slopes, members, total);
                tree.splits[node] = split;
                let goes_left = |&member: &u32| {
                    split.is_some_and(|split| {
                        split.goes_left(data.columns[split.column][rows[member as usize] as usize])
                    })
                };
                let (left, right) = match split {
                    Some(_) => members.iter().copied().partition(goes_left),
                    None => (Vec::new(), Vec::new()),
                };
                next.extend([left, right]);
            }
            members = next;
        }
        tree
    }

    fn value(&self, data: &Binned, row: u32) -> f64 {
        let mut node = 0;
        while let Some(Some(split)) = self.splits.get(node) {
            let goes_left = split.goes_left(data.columns[split.column][row as usize]);
            node = 2 * node + if goes_left { 1 } else { 2 };
        }
        self.values[node]
    }
}

/// The split of some rows that explains most, if any does.
fn best_split(data: &Binned, rows: &[u32], slopes: &[(f64, f64)], members: &[u32], total: (f64, f64)) -> Option<Split> {
    let score = |slope: (f64, f64)| slope.0 * slope.0 / (slope.1 + RIDGE);
    let best_of_column = |(column, bins): (usize, &Vec<u8>)| {
        let mut sums = [(0.0, 0.0); BINS];
        for &member in members {
            let (sum, slope) = (&mut sums[bins[rows[member as usize] as usize] as usize], slopes[member as usize]);
            *sum = (sum.0 + slope.0, sum.1 + slope.1);
        }
        let mut order: Vec<usize> = (0..BINS).filter(|&bin| sums[bin].1 > 0.0).collect();
        if !data.is_ordered[column] {
            // Fisher (1958), doi:10.1080/01621459.1958.10501479: some cut of this order is the best of all subsets.
            let slope = |bin: usize| sums[bin].0 / (sums[bin].1 + RIDGE);
            order.sort_by(|&a, &b| slope(a).total_cmp(&slope(b)));
        }
        let (mut best, mut left, mut below) = (None::<Split>, 0_u64, (0.0, 0.0));
        for &bin in order.iter().take(order.len().saturating_sub(1)) {
            left |= 1 << bin;
            below = (below.0 + sums[bin].0, below.1 + sums[bin].1);
            let above = (total.0 - below.0, total.1 - below.1);
            let gain = score(below) + score(above) - score(total);
            if gain > best.map_or(1e-9, |best| best.gain) {
                best = Some(Split { column, left, gain });
            }
        }
        best
    };
    let candidates: Vec<Option<Split>> = data.columns.par_iter().enumerate().map(best_of_column).collect();
    // The first column of equal ones, whatever the number of threads.
    candidates.into_iter().flatten().reduce(|best, split| if split.gain > best.gain { split } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interaction_of_a_number_and_a_category_is_learnt() {
        let n = 4_000;
        let number: Vec<f64> = (0..n).map(|i| f64::from(i * 7919 % n) / f64::from(n)).collect();
        let levels: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
        let codes: Vec<u32> = (0..n as u32).map(|i| i % 3).collect();
        let target: Vec<f64> = number
            .iter()
            .zip(&codes)
            .map(|(x, code)| if *code == 1 { 2.0 * f64::from(u8::from(*x > 0.5)) } else { 1.0 })
            .collect();
        let columns = [Values::Numbers(&number), Values::Categories { levels: &levels, codes: &codes }];
        let binning = Binning::of(&columns);
        let data = binning.bin(&columns);
        let rows: Vec<u32> = (0..n as u32).collect();
        let model = Trees::fit(&data, &rows, &target, Loss::Squares);
        let error: f64 = rows.iter().map(|&row| (model.output(&data, row) - target[row as usize]).powi(2)).sum::<f64>()
            / f64::from(n);
        assert!(error < 0.01, "{error}");
        // What was never seen and what is missing have bins.
        let unseen = ["z".to_string()];
        let other = [Values::Numbers(&[f64::NAN]), Values::Categories { levels: &unseen, codes: &[0] }];
        assert_eq!(binning.bin(&other).columns, [[0], [1]]);
    }

    #[test]
    fn log_odds_are_those_of_the_labels() {
        let x: Vec<f64> = (0..1_000).map(|i| f64::from(i % 2)).collect();
        // One in ten, and six in ten.
        let labels: Vec<f64> =
            (0..1_000).map(|i| f64::from(u8::from((i / 2) % 10 < if i % 2 == 0 { 1 } else { 6 }))).collect();
        let columns = [Values::Numbers(&x)];
        let data = Binning::of(&columns).bin(&columns);
        let rows: Vec<u32> = (0..1_000).collect();
        let model = Trees::fit(&data, &rows, &labels, Loss::LogOdds);
        for (row, share) in [(0, 0.1_f64), (1, 0.6)] {
            let odds = model.output(&data, row);
            assert!((1.0 / (1.0 + (-odds).exp()) - share).abs() < 0.03, "{odds}");
        }
    }
}
