//! Random functions to explain, and their Shapley values by definition.

use ndarray::{Array1, Array2, ArrayView2, Axis};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shap::ClosureGame;

/// Uniform in −2 to 2.
pub(crate) fn random_array(rng: &mut ChaCha8Rng, n_rows: usize, n_columns: usize) -> Array2<f64> {
    Array2::from_shape_simple_fn((n_rows, n_columns), || rng.random_range(-2.0..2.0))
}

/// A random function with interactions of every order, the row it is explained at and the background.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) row: Vec<f64>,
    pub(crate) background: Array2<f64>,
    hidden: Array2<f64>,
    output: Array2<f64>,
    ignored: Option<usize>,
    /// How much the product of all columns counts.
    product: f64,
}

impl Problem {
    pub(crate) fn new(seed: u64, n_players: usize, n_background: usize, n_outputs: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Self {
            row: random_array(&mut rng, 1, n_players).into_raw_vec_and_offset().0,
            background: random_array(&mut rng, n_background, n_players),
            hidden: random_array(&mut rng, n_players, 6),
            output: random_array(&mut rng, 6, n_outputs),
            ignored: None,
            product: 1.0,
        }
    }

    /// The function: a small network plus the product of all columns. Shape `[n_rows, n_outputs]`.
    pub(crate) fn predict(&self, rows: &ArrayView2<'_, f64>) -> Array2<f64> {
        let product = rows.map_axis(Axis(1), |row| {
            let seen = row.iter().enumerate().filter(|(player, _)| Some(*player) != self.ignored);
            seen.map(|(_, x)| x.sin() + 1.2).product::<f64>()
        });
        rows.dot(&self.hidden).mapv(f64::tanh).dot(&self.output) + self.product * product.insert_axis(Axis(1))
    }

    pub(crate) fn n_outputs(&self) -> usize {
        self.output.ncols()
    }

    /// Without the product, which is so heavy-tailed that a small sample cannot tell its own spread.
    pub(crate) fn calm(self) -> Self {
        Self { product: 0.0, ..self }
    }

    /// Makes the function blind to `player`.
    pub(crate) fn ignore(&mut self, player: usize) {
        self.hidden.row_mut(player).fill(0.0);
        self.ignored = Some(player);
    }

    pub(crate) fn game(&self) -> ClosureGame<impl Fn(ArrayView2<'_, f64>) -> Array2<f64> + Sync> {
        ClosureGame::new(self.row.clone(), self.background.clone(), self.n_outputs(), |rows| self.predict(&rows))
            .unwrap()
    }

    /// `v(S)` by its definition, one background row at a time, for every `S` as a bit mask. Shape `[2^n, n_outputs]`.
    pub(crate) fn coalition_values(&self) -> Array2<f64> {
        let n_players = self.row.len();
        let mut values = Array2::zeros((1 << n_players, self.n_outputs()));
        for (mask, mut value) in values.axis_iter_mut(Axis(0)).enumerate() {
            for background in self.background.rows() {
                let pick = |player: usize| if mask >> player & 1 == 1 { self.row[player] } else { background[player] };
                let row: Array1<f64> = (0..n_players).map(pick).collect();
                value += &self.predict(&row.view().insert_axis(Axis(0))).row(0);
            }
            value /= self.background.nrows() as f64;
        }
        values
    }

    /// Shapley values by their definition: the mean contribution over all `n!` orders of the players.
    pub(crate) fn values_by_definition(&self) -> Array2<f64> {
        let n_players = self.row.len();
        let coalition_values = self.coalition_values();
        let mut values = Array2::zeros((n_players, self.n_outputs()));
        let mut n_orders = 0.0;
        let mut order: Vec<usize> = (0..n_players).collect();
        for_each_order(&mut order, 0, &mut |order| {
            n_orders += 1.0;
            let mut mask = 0;
            for &player in order {
                let with = mask | 1 << player;
                for output in 0..self.n_outputs() {
                    values[[player, output]] += coalition_values[[with, output]] - coalition_values[[mask, output]];
                }
                mask = with;
            }
        });
        values / n_orders
    }
}

fn for_each_order(order: &mut Vec<usize>, fixed: usize, visit: &mut impl FnMut(&[usize])) {
    if fixed == order.len() {
        return visit(order);
    }
    for next in fixed..order.len() {
        order.swap(fixed, next);
        for_each_order(order, fixed + 1, visit);
        order.swap(fixed, next);
    }
}

/// The largest absolute difference of two arrays of one shape.
pub(crate) fn distance(left: &Array2<f64>, right: &Array2<f64>) -> f64 {
    assert_eq!(left.dim(), right.dim());
    (left - right).iter().fold(0.0, |largest, difference| difference.abs().max(largest))
}
