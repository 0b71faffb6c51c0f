use ndarray::{Array2, ArrayView2, Axis};

use crate::Error;

/// A cooperative game: players, and the value of each coalition of them.
///
/// Explainers walk the coalitions so that successive ones differ in one player wherever possible (a Gray code when exact;
/// when sampled, up to two players where a walk turns round). So an implementation may keep the previous coalition with
/// whatever it computed for it, compare the new one, and apply only the difference. It must not rely on the order: any
/// coalition may follow any other, and the value depends on nothing but the coalition.
pub trait Game {
    /// How many players there are; for a model, its raw columns.
    fn n_players(&self) -> usize;

    /// How many outputs each coalition's value has; for a model of several classes, one per class.
    fn n_outputs(&self) -> usize;

    /// Writes `v(S)`: the mean over the background of the model's output where the players in `coalition` take the
    /// explained row's values and the others the background row's.
    ///
    /// # Shapes
    ///
    /// `coalition`: `[n_players]`, true for the members; `out`: `[n_outputs]`, every element overwritten. A value that
    /// cannot be computed is written as NaN, which the explainers answer with [`Error::NotFinite`].
    fn value(&mut self, coalition: &[bool], out: &mut [f64]);
}

/// The game of any function of rows, computed by brute force: each coalition calls the function on the whole background.
///
/// It is for general models and as the plain reference that faster games are compared with.
#[derive(Clone, Debug)]
pub struct ClosureGame<F> {
    row: Vec<f64>,
    background: Array2<f64>,
    n_outputs: usize,
    f: F,
    /// The coalition that `mixed` stands for.
    coalition: Vec<bool>,
    /// The background with the members' columns set to the explained row's values.
    mixed: Array2<f64>,
}

impl<F> ClosureGame<F>
where
    F: FnMut(ArrayView2<'_, f64>) -> Array2<f64>,
{
    /// The game that explains `f` at `row` against `background`.
    ///
    /// `f` is called once here, on the background, to check the shape of its answers; an answer of another shape later is
    /// taken for NaN. Rows may hold NaN where `f` reads it as missing.
    ///
    /// # Shapes
    ///
    /// `row`: `[n_players]`; `background`: `[n_background, n_players]`; `f`: from `[n_background, n_players]` to
    /// `[n_background, n_outputs]`.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyBackground`], [`Error::RowLength`] and [`Error::OutputShape`].
    pub fn new(row: Vec<f64>, background: Array2<f64>, n_outputs: usize, mut f: F) -> Result<Self, Error> {
        let [n_background, n_players] = [background.nrows(), background.ncols()];
        if n_background == 0 {
            return Err(Error::EmptyBackground);
        }
        if row.len() != n_players {
            return Err(Error::RowLength { row: row.len(), background: n_players });
        }
        let output = f(background.view());
        if output.dim() != (n_background, n_outputs) {
            let actual = [output.nrows(), output.ncols()];
            return Err(Error::OutputShape { expected: [n_background, n_outputs], actual });
        }
        let mixed = background.clone();
        Ok(Self { row, background, n_outputs, f, coalition: vec![false; n_players], mixed })
    }
}

impl<F> Game for ClosureGame<F>
where
    F: FnMut(ArrayView2<'_, f64>) -> Array2<f64>,
{
    fn n_players(&self) -> usize {
        self.row.len()
    }

    fn n_outputs(&self) -> usize {
        self.n_outputs
    }

    fn value(&mut self, coalition: &[bool], out: &mut [f64]) {
        for (player, &member) in coalition.iter().enumerate() {
            if self.coalition[player] == member {
                continue;
            }
            self.coalition[player] = member;
            let mut column = self.mixed.column_mut(player);
            if member {
                column.fill(self.row[player]);
            } else {
                column.assign(&self.background.column(player));
            }
        }
        let output = (self.f)(self.mixed.view());
        if output.dim() != (self.background.nrows(), self.n_outputs) {
            out.fill(f64::NAN);
            return;
        }
        let n_background = self.background.nrows() as f64;
        for (mean, column) in out.iter_mut().zip(output.axis_iter(Axis(1))) {
            *mean = column.sum() / n_background;
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn values_do_not_depend_on_the_order_of_coalitions() {
        let new = || {
            let background = array![[1.0, 2.0, f64::NAN], [3.0, 5.0, 7.0]];
            ClosureGame::new(vec![10.0, 20.0, 30.0], background, 2, |rows| {
                let sum = rows.map_axis(Axis(1), |row| row.iter().filter(|x| !x.is_nan()).sum::<f64>());
                let first = rows.column(0).to_owned();
                ndarray::stack![Axis(1), sum, first]
            })
            .unwrap()
        };
        let mut kept = new();
        for mask in [0b000_u32, 0b111, 0b010, 0b101, 0b101, 0b000, 0b001] {
            let coalition: Vec<bool> = (0..3).map(|player| mask >> player & 1 == 1).collect();
            let (mut from_kept, mut from_fresh) = ([0.0; 2], [0.0; 2]);
            kept.value(&coalition, &mut from_kept);
            new().value(&coalition, &mut from_fresh);
            assert_eq!(from_kept, from_fresh, "coalition {mask:03b}");
        }
        let mut out = [0.0; 2];
        kept.value(&[false, true, false], &mut out);
        assert_eq!(out, [(1.0 + 20.0 + 3.0 + 20.0 + 7.0) / 2.0, 2.0]);
    }

    #[test]
    fn wrong_shapes_are_refused() {
        let identity = |rows: ArrayView2<'_, f64>| rows.to_owned();
        let refused = |row: Vec<f64>, background: Array2<f64>, n_outputs| {
            ClosureGame::new(row, background, n_outputs, identity).map(|_| ()).unwrap_err()
        };
        assert_eq!(refused(vec![1.0], Array2::zeros((0, 1)), 1), Error::EmptyBackground);
        assert_eq!(refused(vec![1.0], Array2::zeros((2, 3)), 3), Error::RowLength { row: 1, background: 3 });
        assert_eq!(
            refused(vec![1.0], Array2::zeros((2, 1)), 2),
            Error::OutputShape { expected: [2, 2], actual: [2, 1] }
        );
    }

    #[test]
    fn a_shape_that_changes_later_is_not_a_number() {
        let mut calls = 0;
        let mut game = ClosureGame::new(vec![1.0], array![[0.0]], 1, move |rows| {
            calls += 1;
            Array2::zeros((rows.nrows(), calls))
        })
        .unwrap();
        let mut out = [0.0];
        game.value(&[true], &mut out);
        assert!(out[0].is_nan());
    }
}
