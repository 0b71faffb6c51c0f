#![doc = include_str!("../README.md")]

use std::fmt;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

mod blocks;
mod error;
mod exact;
mod game;
mod interactions;
mod regression;
mod sampled;
mod tally;

pub use error::Error;
pub use exact::{MAX_EXACT_PLAYERS, exact};
pub use game::{ClosureGame, Ends, Game, Mixed};
pub use interactions::interactions;
pub use sampled::{Budget, DEFAULT_EXACT_EVALUATIONS, DEFAULT_MAX_EVALUATIONS, sampled};

/// The Shapley values of one game: what each player adds to the base value, for each output.
///
/// `base_value[o] + values.column(o).sum() = full_value[o]` up to rounding, whatever the method.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// `v(∅)`, the mean output over the background. Shape `[n_outputs]`, in the units of the output.
    pub base_value: Vec<f64>,
    /// The Shapley values. Shape `[n_players, n_outputs]`, in the units of the output.
    pub values: Array2<f64>,
    /// `v(N)`, the model's output for the explained row. Shape `[n_outputs]`, in the units of the output.
    pub full_value: Vec<f64>,
    /// How the values were computed.
    pub method: Method,
    /// At how many mixed rows the model's output was computed, those of the explained and the background rows aside.
    pub evaluations: u64,
    /// The standard error of each value. Shape `[n_players, n_outputs]`, in the units of the output.
    ///
    /// `None` where the values are exact, and where a sample is of a single background row and a single pair of
    /// permutations, which give no measure of spread.
    pub standard_error: Option<Array2<f64>>,
}

/// How Shapley values were computed; `exact` and `sampled` in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// From all coalitions.
    Exact,
    /// At least partly from a sample of coalitions.
    Sampled,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Method::Exact => "exact",
            Method::Sampled => "sampled",
        })
    }
}

/// Explains a game: exactly where the budget allows all coalitions, else by sampling what is too dear.
///
/// A deadline that passes on the way leaves the best estimate so far: rows of the background that are done are exact, the
/// others get the first pair of permutations that [`sampled`] gives every row.
///
/// # Errors
///
/// Those of [`sampled`].
///
/// # Example
///
/// ```
/// use ndarray::{Axis, array};
/// use shap::{Budget, ClosureGame, Method, explain};
///
/// // The product of both columns, against one background row of zeros: each gets half.
/// let game = ClosureGame::new(vec![3.0, 4.0], array![[0.0, 0.0]], 1, |rows| {
///     rows.map_axis(Axis(1), |row| row[0] * row[1]).insert_axis(Axis(1))
/// })?;
/// let explanation = explain(&game, 0, Budget::default())?;
/// assert_eq!(explanation.method, Method::Exact);
/// assert_eq!(explanation.values, array![[6.0], [6.0]]);
/// # Ok::<(), shap::Error>(())
/// ```
pub fn explain<G: Game + ?Sized>(game: &G, seed: u64, budget: Budget<'_>) -> Result<Explanation, Error> {
    if budget.allows_exact(game) {
        let rows: Vec<usize> = (0..game.n_background()).collect();
        sampled::explain_rows(game, &rows, seed, budget)
    } else {
        sampled(game, seed, budget)
    }
}
