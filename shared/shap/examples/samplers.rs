//! How exact samplers of Shapley values are for as many evaluations: `cargo run --release -p shap --example samplers`.
//!
//! Random networks whose exact values are known, every sampler with the same numbers of evaluations. The table has the root
//! of the mean squared error over columns, networks and seeds, in units of the largest value:
//!
//! - `one`: antithetic permutations, the same for all background rows;
//! - `own`: antithetic permutations of each background row's own;
//! - `kernel`: KernelSHAP's regression on paired coalitions drawn by the kernel, the same for all rows;
//! - `leverage`: the same regression on pairs drawn by leverage scores, the same for all rows;
//! - `own leverage`: such a regression of each row's own;
//! - `own ordered`: a regression of each row's own on the coalitions of antithetic permutations;
//! - `shap`: `shap::sampled`, the regression on pairs of each size in turn, after two permutations.
//!
//! NaN: too few coalitions for one of the regressions.
//!
//! # Source
//! C. Musco and R. T. Witter, "Provably accurate Shapley value estimation via leverage score sampling" (ICLR 2025); I. Covert
//! and S.-I. Lee, "Improving KernelSHAP" (AISTATS 2021), for pairs.

use std::error::Error;
use std::io::Write;

use ndarray::{Array1, Array2, ArrayView2, Axis};
use rand::seq::{SliceRandom, index};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shap::{Budget, ClosureGame, exact, sampled};

const N_PLAYERS: usize = 12;
const N_BACKGROUND: usize = 16;
const NETWORKS: u64 = 6;
const SEEDS: u64 = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{:>12} {:>10} {:>10} {:>10} {:>10} {:>13} {:>12} {:>10}",
        "evaluations", "one", "own", "kernel", "leverage", "own leverage", "own ordered", "shap"
    )?;
    let networks: Vec<Problem> = (0..NETWORKS).map(Problem::new).collect();
    for rounds in [2, 4, 8, 16, 32] {
        // A pair of permutations for every background row, so many times.
        let evaluations = rounds * 2 * (N_PLAYERS - 1);
        let mut squares = [0.0; 7];
        for network in &networks {
            for seed in 0..SEEDS {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                let budget = Budget { max_evaluations: (evaluations * N_BACKGROUND) as u64, ..Budget::default() };
                let rows: Vec<usize> = (0..N_BACKGROUND).collect();
                let own = rows.iter().map(|row| network.permutations(&[*row], rounds, &mut rng));
                let own = own.fold(Array1::zeros(N_PLAYERS), |sum, values| sum + values);
                let own_leverage = rows.iter().map(|row| network.regression(&[*row], evaluations, true, &mut rng));
                let own_leverage = own_leverage.fold(Array1::zeros(N_PLAYERS), |sum, values| sum + values);
                let own_ordered = rows.iter().map(|row| network.ordered_regression(*row, rounds, &mut rng));
                let own_ordered = own_ordered.fold(Array1::zeros(N_PLAYERS), |sum, values| sum + values);
                let estimates = [
                    network.permutations(&rows, rounds, &mut rng),
                    own / N_BACKGROUND as f64,
                    network.regression(&rows, evaluations, false, &mut rng),
                    network.regression(&rows, evaluations, true, &mut rng),
                    own_leverage / N_BACKGROUND as f64,
                    own_ordered / N_BACKGROUND as f64,
                    sampled(&network.game()?, seed, budget)?.values.column(0).to_owned(),
                ];
                let scale = network.values.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
                for (squares, estimate) in squares.iter_mut().zip(estimates) {
                    *squares += (estimate - &network.values).mapv(|error| (error / scale).powi(2)).sum();
                }
            }
        }
        let errors = squares.map(|sum| (sum / (NETWORKS * SEEDS) as f64 / N_PLAYERS as f64).sqrt());
        let [one, own, kernel, leverage, own_leverage, own_ordered, shap] = errors;
        writeln!(
            out,
            "{:>12} {one:>10.2e} {own:>10.2e} {kernel:>10.2e} {leverage:>10.2e} {own_leverage:>13.2e} \
             {own_ordered:>12.2e} {shap:>10.2e}",
            evaluations * N_BACKGROUND
        )?;
    }
    Ok(())
}

/// A random network, all of its rows' coalition values, and its exact values.
struct Problem {
    row: Vec<f64>,
    background: Array2<f64>,
    layers: [Array2<f64>; 3],
    /// Shape `[n_background, 2^n]`.
    coalitions: Array2<f64>,
    values: Array1<f64>,
}

impl Problem {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut array = |n_rows: usize, n_columns: usize, scale: f64| {
            Array2::from_shape_simple_fn((n_rows, n_columns), || rng.random_range(-scale..scale))
        };
        let row = array(1, N_PLAYERS, 2.0).into_raw_vec_and_offset().0;
        let background = array(N_BACKGROUND, N_PLAYERS, 2.0);
        let layers = [array(N_PLAYERS, 32, 1.0), array(32, 32, 0.5), array(32, 1, 0.6)];
        let (coalitions, values) = (Array2::zeros((0, 0)), Array1::zeros(0));
        let mut problem = Self { row, background, layers, coalitions, values };
        let of_row = |row: usize| {
            let cell = |(mask, player): (usize, usize)| {
                if mask >> player & 1 == 1 { problem.row[player] } else { problem.background[[row, player]] }
            };
            problem.predict(&Array2::from_shape_fn((1 << N_PLAYERS, N_PLAYERS), cell).view())
        };
        let columns: Vec<Array2<f64>> = (0..N_BACKGROUND).map(of_row).collect();
        problem.coalitions =
            Array2::from_shape_fn((N_BACKGROUND, 1 << N_PLAYERS), |(row, mask)| columns[row][[mask, 0]]);
        let explained = problem.game().and_then(|game| exact(&game)).expect("the network is finite");
        problem.values = explained.values.column(0).to_owned();
        problem
    }

    fn predict(&self, rows: &ArrayView2<'_, f64>) -> Array2<f64> {
        let [first, second, head] = &self.layers;
        rows.dot(first).mapv(f64::tanh).dot(second).mapv(f64::tanh).dot(head).mapv(|z| 1.0 / (1.0 + (-2.0 * z).exp()))
    }

    fn game(&self) -> Result<ClosureGame<impl Fn(ArrayView2<'_, f64>) -> Array2<f64> + Sync>, shap::Error> {
        ClosureGame::new(self.row.clone(), self.background.clone(), 1, |rows| self.predict(&rows))
    }

    /// The mean over rows of a coalition's value.
    fn value(&self, rows: &[usize], mask: usize) -> f64 {
        rows.iter().map(|row| self.coalitions[[*row, mask]]).sum::<f64>() / rows.len() as f64
    }

    /// Antithetic permutations of the mean game of these rows.
    fn permutations(&self, rows: &[usize], rounds: usize, rng: &mut ChaCha8Rng) -> Array1<f64> {
        let mut values = Array1::zeros(N_PLAYERS);
        let mut order: Vec<usize> = (0..N_PLAYERS).collect();
        for _ in 0..rounds {
            order.shuffle(rng);
            for _ in 0..2 {
                order.reverse();
                let mut mask = 0;
                for player in &order {
                    let before = self.value(rows, mask);
                    mask |= 1 << player;
                    values[*player] += (self.value(rows, mask) - before) / (2 * rounds) as f64;
                }
            }
        }
        values
    }

    /// The regression on the coalitions of antithetic permutations of one row's game: of each size, as many pairs.
    fn ordered_regression(&self, row: usize, rounds: usize, rng: &mut ChaCha8Rng) -> Array1<f64> {
        let mut order: Vec<usize> = (0..N_PLAYERS).collect();
        let mut masks = Vec::new();
        for _ in 0..rounds {
            order.shuffle(rng);
            masks.extend((1..N_PLAYERS).map(|size| order[..size].iter().fold(0, |mask, player| mask | 1 << player)));
        }
        self.regressed(&[row], &masks, |size| 1.0 / (size * (N_PLAYERS - size)) as f64)
    }

    /// The regression on as many coalitions as `evaluations`, in pairs of opposites, of the mean game of these rows.
    fn regression(&self, rows: &[usize], evaluations: usize, by_leverage: bool, rng: &mut ChaCha8Rng) -> Array1<f64> {
        // A coalition's share of the kernel is 1 / (C(n, s) s (n - s)), its leverage 1 / C(n, s).
        let of_size = |size: usize| if by_leverage { 1.0 } else { 1.0 / (size * (N_PLAYERS - size)) as f64 };
        let total: f64 = (1..N_PLAYERS).map(of_size).sum();
        let mut masks = Vec::new();
        for _ in 0..evaluations / 2 {
            let mut chance = rng.random_range(0.0..total);
            let mut size = 1;
            while chance > of_size(size) && size < N_PLAYERS - 1 {
                chance -= of_size(size);
                size += 1;
            }
            masks.push(index::sample(rng, N_PLAYERS, size).iter().fold(0, |mask, player| mask | 1 << player));
        }
        self.regressed(rows, &masks, |size| if by_leverage { 1.0 / (size * (N_PLAYERS - size)) as f64 } else { 1.0 })
    }

    /// The weighted regression on these coalitions and their opposites.
    fn regressed(&self, rows: &[usize], masks: &[usize], weight: impl Fn(usize) -> f64) -> Array1<f64> {
        let n = N_PLAYERS as f64;
        let full = (1 << N_PLAYERS) - 1;
        let (base, whole) = (self.value(rows, 0), self.value(rows, full) - self.value(rows, 0));
        // Regular in the direction of equal values, in which no centred coalition points.
        let mut normal = Array2::from_elem((N_PLAYERS, N_PLAYERS), 1.0);
        let mut right = Array1::zeros(N_PLAYERS);
        for mask in masks {
            let weight = weight(mask.count_ones() as usize);
            for mask in [*mask, full ^ mask] {
                let share = f64::from(mask.count_ones()) / n;
                let centred: Array1<f64> = (0..N_PLAYERS).map(|p| f64::from(mask as u32 >> p & 1) - share).collect();
                let gain = self.value(rows, mask) - base - share * whole;
                right.scaled_add(weight * gain, &centred);
                let column = centred.view().insert_axis(Axis(1));
                normal.scaled_add(weight, &column.dot(&centred.view().insert_axis(Axis(0))));
            }
        }
        solve(normal, right) + whole / n
    }
}

/// The solution of a regular system of equations, by elimination with pivots.
fn solve(mut left: Array2<f64>, mut right: Array1<f64>) -> Array1<f64> {
    let n = right.len();
    for column in 0..n {
        let largest = |a: &usize, b: &usize| left[[*a, column]].abs().total_cmp(&left[[*b, column]].abs());
        let pivot = (column..n).max_by(largest).unwrap_or(column);
        for k in 0..n {
            left.swap([column, k], [pivot, k]);
        }
        right.swap(column, pivot);
        for row in (0..n).filter(|row| *row != column) {
            let factor = left[[row, column]] / left[[column, column]];
            for k in column..n {
                left[[row, k]] -= factor * left[[column, k]];
            }
            right[row] -= factor * right[column];
        }
    }
    (0..n).map(|k| right[k] / left[[k, k]]).collect()
}
