use std::fmt;

use ndarray::Array2;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::blocks::{Rows, for_each_job};
use crate::exact::{evaluations_of_row, exact_rows};
use crate::tally::{Tally, check_ends};
use crate::{Error, Explanation, Game, Mixed};

/// How many outputs exact values may take unless told otherwise: those of 13 columns that all differ from 100 background
/// rows.
pub const DEFAULT_EXACT_EVALUATIONS: u64 = 1_000_000;

/// How many outputs a sample may take unless told otherwise.
pub const DEFAULT_MAX_EVALUATIONS: u64 = 200_000;

/// When an explanation stops, at the first of these.
#[derive(Clone, Copy)]
pub struct Budget<'a> {
    /// [`explain`](crate::explain) is exact where that takes at most so many outputs, those at the explained and the
    /// background rows aside: `2^d − 2` for each background row that differs in `d` columns.
    pub exact_evaluations: u64,
    /// The most outputs to compute for a sample. A pair of permutations for each background row is computed in any case:
    /// `2 (d − 1)` for a row that differs in `d` columns.
    pub max_evaluations: u64,
    /// Sampled: stop when no value's standard error is above this, in the units of the output.
    pub target_standard_error: Option<f64>,
    /// Stop when this answers true. It is asked after every few thousand evaluations; the caller brings the clock.
    pub deadline: Option<&'a dyn Fn() -> bool>,
}

impl Default for Budget<'_> {
    fn default() -> Self {
        Self {
            exact_evaluations: DEFAULT_EXACT_EVALUATIONS,
            max_evaluations: DEFAULT_MAX_EVALUATIONS,
            target_standard_error: None,
            deadline: None,
        }
    }
}

impl fmt::Debug for Budget<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("exact_evaluations", &self.exact_evaluations)
            .field("max_evaluations", &self.max_evaluations)
            .field("target_standard_error", &self.target_standard_error)
            .field("deadline", &self.deadline.map(|_| "set"))
            .finish()
    }
}

impl Budget<'_> {
    pub(crate) fn is_due(&self) -> bool {
        self.deadline.is_some_and(|is_due| is_due())
    }

    /// Whether all background rows' games together can be explained exactly.
    pub(crate) fn allows_exact<G: Game + ?Sized>(&self, game: &G) -> bool {
        let mut rows = (0..game.n_background()).map(|row| evaluations_of_row(game.players(row).len()));
        let total = rows.try_fold(0, |total: u64, of_row| total.checked_add(of_row?));
        total.is_some_and(|total| total <= self.exact_evaluations)
    }
}

/// Shapley values from as few evaluations as they take: background rows that differ in few columns exactly, the others
/// estimated from random permutations in antithetic pairs.
///
/// A permutation `π` gives each player what it adds when the players join in that order:
/// `v({π_1..π_k}) − v({π_1..π_(k−1)})`; its mean over all permutations is the Shapley value. Each `π` is paired with its
/// reverse, which cancels the interactions of two players entirely: a function without interactions of three or more gets
/// its exact values from the first pair.
///
/// Every background row has permutations of its own. For as many evaluations, one permutation for all rows would see
/// `n_background` times fewer orders; the errors of rows that are drawn apart average out.
///
/// The steps of a permutation telescope, so the values sum to `full_value − base_value` up to rounding, however small the
/// sample. The same game, seed and budget without a deadline give the same bits.
///
/// # Shapes
///
/// `values`, `standard_error`: `[n_players, n_outputs]`; `base_value`, `full_value`: `[n_outputs]`.
///
/// The standard error is that of a stratified sample: the variances of the rows' means, added, by the square of the number
/// of rows. After a single pair for each row it is estimated from the spread over the rows, which is larger. It is `None`
/// from a single pair altogether.
///
/// A deadline may leave background rows without any pair: they count as those that were reached, and the standard error
/// says so.
///
/// # Errors
///
/// [`Error::TargetStandardError`] for a target that is negative or not finite; [`Error::NotFinite`] where the game answers
/// with NaN or infinity.
///
/// # Source
///
/// E. Štrumbelj and I. Kononenko, "Explaining prediction models and individual predictions with feature contributions",
/// Knowledge and Information Systems 41 (2014), for permutation sampling; R. Mitchell, J. Cooper, E. Frank and G. Holmes,
/// "Sampling permutations for Shapley value estimation", JMLR 23 (2022), for antithetic pairs.
pub fn sampled<G: Game + ?Sized>(game: &G, seed: u64, budget: Budget<'_>) -> Result<Explanation, Error> {
    let share = budget.max_evaluations / game.n_background() as u64;
    let is_cheap = |row: &usize| {
        let n_players = game.players(*row).len();
        // Two players have two orders, so a pair of permutations is all there is.
        n_players <= 2 || evaluations_of_row(n_players).is_some_and(|of_row| of_row <= share)
    };
    let exact: Vec<usize> = (0..game.n_background()).filter(is_cheap).collect();
    explain_rows(game, &exact, seed, budget)
}

/// Explains `exact` background rows exactly, as far as the deadline allows, and samples the others.
pub(crate) fn explain_rows<G: Game + ?Sized>(
    game: &G,
    exact: &[usize],
    seed: u64,
    budget: Budget<'_>,
) -> Result<Explanation, Error> {
    if let Some(target) = budget.target_standard_error
        && !(target.is_finite() && target >= 0.0)
    {
        return Err(Error::TargetStandardError(target));
    }
    check_ends(game)?;
    let mut tally = Tally::new(game);
    let walked = exact_rows(game, exact, &|| budget.is_due(), |row, values| tally.add_exact(row, values))?;
    let mut evaluations = walked.evaluations;
    let rows = tally.rows_without_exact();
    let pair_evaluations: u64 = rows.iter().map(|row| Pair::n_rows(game.players(*row).len()) as u64).sum();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let is_due = || budget.is_due();
    while !rows.is_empty() {
        // A deadline that ends a round early leaves any rows as well as the first ones out.
        let mut order = rows.clone();
        order.shuffle(&mut rng);
        let mut jobs = order.into_iter().map(|background| {
            let mut order = game.players(background).to_vec();
            order.shuffle(&mut rng);
            Pair { background, order }
        });
        let values_of = |pair: &Pair, outputs: &[f64]| pair.values(game, outputs);
        let keep = |pair: Pair, values: Array2<f64>| tally.add_sample(pair.background, &values);
        let walked = for_each_job(game, &mut jobs, |pair, mixed| pair.fill(mixed), values_of, keep, &is_due)?;
        evaluations += walked.evaluations;

        let is_exhausted = evaluations.saturating_add(pair_evaluations) > budget.max_evaluations;
        let is_precise = budget.target_standard_error.is_some_and(|target| tally.is_within(target));
        if !walked.is_whole || is_exhausted || is_precise || budget.is_due() {
            break;
        }
    }
    Ok(tally.explanation(game, evaluations))
}

/// A permutation of a background row's players, and its reverse.
struct Pair {
    background: usize,
    order: Vec<usize>,
}

impl Pair {
    fn n_rows(n_players: usize) -> usize {
        2 * n_players.saturating_sub(1)
    }

    /// The coalitions of the first `k` of the order, and those of all but the first `k`, for each `k` in between.
    fn fill(&self, mixed: &mut Mixed) {
        for k in 1..self.order.len() {
            for joined in [&self.order[..k], &self.order[k..]] {
                let members = mixed.push(self.background);
                joined.iter().for_each(|player| members[*player] = true);
            }
        }
    }

    /// The mean contribution of each player in both permutations, from the outputs at the rows of [`Pair::fill`].
    fn values<G: Game + ?Sized>(&self, game: &G, outputs: &[f64]) -> Array2<f64> {
        let n_outputs = game.n_outputs();
        let (full, bases) = (game.full_value(), game.base_values());
        let base = bases.row(self.background);
        let mut values = Array2::zeros((game.n_players(), n_outputs));
        let at = |k: usize, output: usize| -> (f64, f64) {
            if k == 0 {
                (base[output], full[output])
            } else if k == self.order.len() {
                (full[output], base[output])
            } else {
                let pair = &outputs[2 * (k - 1) * n_outputs..2 * k * n_outputs];
                (pair[output], pair[n_outputs + output])
            }
        };
        for (k, player) in self.order.iter().enumerate() {
            for output in 0..n_outputs {
                let ((first, last), (first_with, last_without)) = (at(k, output), at(k + 1, output));
                values[[*player, output]] = 0.5 * (first_with - first) + 0.5 * (last - last_without);
            }
        }
        values
    }
}

impl Rows for Pair {
    fn n_rows(&self) -> usize {
        Self::n_rows(self.order.len())
    }
}
