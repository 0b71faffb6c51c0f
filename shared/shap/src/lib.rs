#![doc = include_str!("../README.md")]

use std::fmt;

use ndarray::Array2;
use serde::{Deserialize, Serialize};

mod error;
mod exact;
mod game;
mod sampled;
mod walk;

pub use error::Error;
pub use exact::{MAX_EXACT_PLAYERS, exact};
pub use game::{ClosureGame, Game};
pub use sampled::{Budget, DEFAULT_MAX_EVALUATIONS, sampled};

/// The most players for which [`explain`] is exact unless told otherwise: 4,096 coalitions.
pub const DEFAULT_EXACT_UP_TO: usize = 12;

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
    /// How many coalition values were computed; each costs one model output per background row in a plain game.
    pub evaluations: u64,
    /// The standard error of each value. Shape `[n_players, n_outputs]`, in the units of the output.
    ///
    /// `None` where the values are exact, and where the sample was stopped after its first pair of permutations, which
    /// gives no measure of spread.
    pub standard_error: Option<Array2<f64>>,
}

/// How Shapley values were computed; `exact` and `sampled` in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// From all coalitions.
    Exact,
    /// From a sample of permutations.
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

/// How [`explain`] chooses and what sampling may cost.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// Games of at most this many players are explained exactly. Default [`DEFAULT_EXACT_UP_TO`]; values above
    /// [`MAX_EXACT_PLAYERS`] mean that limit. 0 samples always, save for a game without players.
    pub exact_up_to: usize,
    /// The seed of the sample. Default 0.
    pub seed: u64,
    /// When sampling stops; an exact explanation never looks at it.
    pub budget: Budget<'a>,
}

impl Default for Settings<'_> {
    fn default() -> Self {
        Self { exact_up_to: DEFAULT_EXACT_UP_TO, seed: 0, budget: Budget::default() }
    }
}

/// Explains a game: exactly where it has at most `settings.exact_up_to` players, by sampling beyond.
///
/// # Errors
///
/// Those of [`exact`] (never [`Error::TooManyPlayers`]) and [`sampled`].
///
/// # Example
///
/// ```
/// use ndarray::{Axis, array};
/// use shap::{ClosureGame, Method, Settings, explain};
///
/// // The product of both columns, against one background row of zeros: each gets half.
/// let mut game = ClosureGame::new(vec![3.0, 4.0], array![[0.0, 0.0]], 1, |rows| {
///     rows.map_axis(Axis(1), |row| row[0] * row[1]).insert_axis(Axis(1))
/// })?;
/// let explanation = explain(&mut game, &Settings::default())?;
/// assert_eq!(explanation.method, Method::Exact);
/// assert_eq!(explanation.values, array![[6.0], [6.0]]);
/// # Ok::<(), shap::Error>(())
/// ```
pub fn explain<G: Game + ?Sized>(game: &mut G, settings: &Settings<'_>) -> Result<Explanation, Error> {
    if game.n_players() <= settings.exact_up_to.min(MAX_EXACT_PLAYERS) {
        exact(game)
    } else {
        sampled(game, settings.seed, settings.budget)
    }
}
