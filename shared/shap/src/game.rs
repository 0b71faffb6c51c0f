use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use crate::Error;

/// A model's output to be explained at one row against background rows: a cooperative game whose players are the columns.
///
/// ```text
/// v(S) = mean over background rows b of  f(the explained row's cells in S, b's cells elsewhere)
/// ```
///
/// Shapley values are linear in the game, so those of `v` are the means of those of the rows' own games
/// `v_b(S) = f(the explained row's cells in S, b's cells elsewhere)`. A column in which `b` equals the explained row changes
/// nothing in `v_b`: it is worth 0 there and need not play. That is what the explainers build on: they ask for the outputs
/// at rows that are mixed of the explained and one background row, in blocks, from several threads.
pub trait Game: Sync {
    /// The players, and `f` at both ends of every background row's game.
    fn ends(&self) -> &Ends;

    /// Writes `f` at each mixed row.
    ///
    /// # Shapes
    ///
    /// `out`: `[mixed.len(), n_outputs]`, row-major, every element overwritten. An output that cannot be computed is written
    /// as NaN, which the explainers answer with [`Error::NotFinite`].
    fn outputs(&self, mixed: &Mixed, out: &mut [f64]);

    /// How many players there are; for a model, its raw columns.
    fn n_players(&self) -> usize {
        self.ends().n_players
    }

    /// How many outputs a row has; for a model of several classes, one per class.
    fn n_outputs(&self) -> usize {
        self.ends().full_value.len()
    }

    /// How many background rows there are, at least 1.
    fn n_background(&self) -> usize {
        self.ends().base_values.nrows()
    }

    /// The players whose cell in this background row is not the explained row's, in rising order.
    fn players(&self, background: usize) -> &[usize] {
        &self.ends().players[background]
    }

    /// `f` at the explained row. Shape `[n_outputs]`.
    fn full_value(&self) -> ArrayView1<'_, f64> {
        self.ends().full_value.view()
    }

    /// `f` at each background row. Shape `[n_background, n_outputs]`.
    fn base_values(&self) -> ArrayView2<'_, f64> {
        self.ends().base_values.view()
    }
}

/// What a game knows before any mixed row is computed.
#[derive(Clone, Debug, PartialEq)]
pub struct Ends {
    n_players: usize,
    players: Vec<Vec<usize>>,
    full_value: Array1<f64>,
    base_values: Array2<f64>,
}

impl Ends {
    /// Of `n_players` players, where `is_same(player, background)` tells whether a background row's cell is the explained
    /// row's.
    ///
    /// # Shapes
    ///
    /// `full_value`, `f` at the explained row: `[n_outputs]`; `base_values`, `f` at each background row:
    /// `[n_background, n_outputs]`.
    pub fn new(
        n_players: usize,
        full_value: Array1<f64>,
        base_values: Array2<f64>,
        is_same: impl Fn(usize, usize) -> bool,
    ) -> Self {
        let of_row = |background| (0..n_players).filter(|player| !is_same(*player, background)).collect();
        let players = (0..base_values.nrows()).map(of_row).collect();
        Self { n_players, players, full_value, base_values }
    }
}

/// Rows that are mixed of the explained row and a background row each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mixed {
    n_players: usize,
    background: Vec<usize>,
    /// Shape `[len, n_players]`.
    members: Vec<bool>,
}

impl Mixed {
    /// No rows yet.
    pub fn new(n_players: usize) -> Self {
        Self { n_players, ..Self::default() }
    }

    /// Adds a row of this background row's cells, and gives its coalition, nobody yet, to be filled in.
    pub fn push(&mut self, background: usize) -> &mut [bool] {
        self.push_rows(background, 1)
    }

    /// Adds as many rows of this background row's cells, and gives their coalitions, nobody yet, one after the other.
    pub fn push_rows(&mut self, background: usize, n_rows: usize) -> &mut [bool] {
        self.background.resize(self.background.len() + n_rows, background);
        let start = self.members.len();
        self.members.resize(start + n_rows * self.n_players, false);
        &mut self.members[start..]
    }

    /// How many players a coalition tells of.
    pub fn n_players(&self) -> usize {
        self.n_players
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.background.len()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.background.is_empty()
    }

    /// Each row's background row and its coalition: true for the players whose cell is the explained row's.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = (usize, &[bool])> {
        let coalition = |row: usize| &self.members[row * self.n_players..(row + 1) * self.n_players];
        self.background.iter().enumerate().map(move |(row, background)| (*background, coalition(row)))
    }
}

/// The game of any function of rows.
///
/// It is for general models and as the plain reference that faster games are compared with.
#[derive(Clone, Debug)]
pub struct ClosureGame<F> {
    row: Vec<f64>,
    background: Array2<f64>,
    ends: Ends,
    f: F,
}

impl<F> ClosureGame<F>
where
    F: Fn(ArrayView2<'_, f64>) -> Array2<f64> + Sync,
{
    /// The game that explains `f` at `row` against `background`.
    ///
    /// `f` is called here on the row and on the background; an answer of another shape later is taken for NaN. Rows may
    /// hold NaN where `f` reads it as missing.
    ///
    /// # Shapes
    ///
    /// `row`: `[n_players]`; `background`: `[n_background, n_players]`; `f`: from `[n, n_players]` to `[n, n_outputs]`.
    ///
    /// # Errors
    ///
    /// [`Error::EmptyBackground`], [`Error::RowLength`] and [`Error::OutputShape`].
    pub fn new(row: Vec<f64>, background: Array2<f64>, n_outputs: usize, f: F) -> Result<Self, Error> {
        let [n_background, n_players] = [background.nrows(), background.ncols()];
        if n_background == 0 {
            return Err(Error::EmptyBackground);
        }
        if row.len() != n_players {
            return Err(Error::RowLength { row: row.len(), background: n_players });
        }
        let called = |rows: ArrayView2<'_, f64>| {
            let (expected, output) = ([rows.nrows(), n_outputs], f(rows));
            let actual = [output.nrows(), output.ncols()];
            if actual == expected { Ok(output) } else { Err(Error::OutputShape { expected, actual }) }
        };
        let base_values = called(background.view())?;
        let full_value = called(ArrayView1::from(&row).insert_axis(ndarray::Axis(0)))?;
        // By bits, so that a missing cell is the same as another.
        let is_same = |player: usize, b: usize| row[player].to_bits() == background[[b, player]].to_bits();
        let ends = Ends::new(n_players, full_value.row(0).to_owned(), base_values, is_same);
        Ok(Self { row, background, ends, f })
    }
}

impl<F> Game for ClosureGame<F>
where
    F: Fn(ArrayView2<'_, f64>) -> Array2<f64> + Sync,
{
    fn ends(&self) -> &Ends {
        &self.ends
    }

    fn outputs(&self, mixed: &Mixed, out: &mut [f64]) {
        let mut cells = Array2::zeros((mixed.len(), self.n_players()));
        for ((background, coalition), mut row) in mixed.rows().zip(cells.rows_mut()) {
            for (player, cell) in row.iter_mut().enumerate() {
                *cell = if coalition[player] { self.row[player] } else { self.background[[background, player]] };
            }
        }
        let output = (self.f)(cells.view());
        if output.dim() == (mixed.len(), self.n_outputs()) {
            out.iter_mut().zip(&output).for_each(|(out, value)| *out = *value);
        } else {
            out.fill(f64::NAN);
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Axis, array};

    use super::*;

    #[test]
    fn cells_that_are_equal_do_not_play() {
        let background = array![[1.0, 2.0, f64::NAN], [3.0, 5.0, 7.0]];
        let sum = |rows: ArrayView2<'_, f64>| {
            rows.map_axis(Axis(1), |row| row.iter().filter(|x| !x.is_nan()).sum::<f64>()).insert_axis(Axis(1))
        };
        let game = ClosureGame::new(vec![1.0, 5.0, f64::NAN], background, 1, sum).unwrap();
        assert_eq!([game.players(0), game.players(1)], [&[1][..], &[0, 2]]);
        let mut mixed = Mixed::new(3);
        mixed.push(0)[1] = true;
        mixed.push(1).copy_from_slice(&[true, false, false]);
        let mut out = [0.0; 2];
        game.outputs(&mixed, &mut out);
        assert_eq!(out, [6.0, 13.0]);
        assert_eq!((game.full_value()[0], game.base_values().column(0).to_vec()), (6.0, vec![3.0, 15.0]));
    }

    #[test]
    fn wrong_shapes_are_refused() {
        let refused = |row: Vec<f64>, background: Array2<f64>, n_outputs| {
            ClosureGame::new(row, background, n_outputs, |rows| rows.to_owned()).map(|_| ()).unwrap_err()
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
        let narrow = |rows: ArrayView2<'_, f64>| Array2::zeros((rows.nrows(), if rows.nrows() == 3 { 2 } else { 1 }));
        let game = ClosureGame::new(vec![1.0], array![[0.0], [2.0]], 1, narrow).unwrap();
        let mut mixed = Mixed::new(1);
        (0..3).for_each(|_| _ = mixed.push(0));
        let mut out = [0.0; 3];
        game.outputs(&mixed, &mut out);
        assert!(out.iter().all(|value| value.is_nan()));
    }
}
