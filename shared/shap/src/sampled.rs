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
/// estimated from random coalitions, in pairs of opposites.
///
/// Where the budget has eight rounds of `d − 1` pairs for every background row, and `d` is at most 40, the values are those of a regression on the
/// pairs, drawn by their leverage: in every round each size once. Its error is a quarter to a third smaller than that of
/// permutations of as many evaluations. A smaller budget, more columns, or a deadline in the first rounds leave permutations.
///
/// A permutation `π` gives each player what it adds when the players join in that order:
/// `v({π_1..π_k}) − v({π_1..π_(k−1)})`; its mean over all permutations is the Shapley value. Each `π` is paired with its
/// reverse, which cancels the interactions of two players entirely: a function without interactions of three or more gets
/// its exact values from the first pair.
///
/// A regression keeps its pairs: `d + 8` bytes an evaluation and output, at most.
///
/// Every background row has coalitions of its own. For as many evaluations, one permutation for all rows would see
/// `n_background` times fewer orders; the errors of rows that are drawn apart average out.
///
/// The steps of a permutation telescope, and the regression is bound to it, so the values sum to `full_value − base_value` up to rounding, however small the
/// sample. The same game, seed and budget without a deadline give the same bits.
///
/// # Shapes
///
/// `values`, `standard_error`: `[n_players, n_outputs]`; `base_value`, `full_value`: `[n_outputs]`.
///
/// The standard error is that of a stratified sample: the variances of the rows' means, added, by the square of the number
/// of rows; those of a regression hold without equal spread. After a single pair of permutations for each row it is estimated from the spread over the rows, which is larger. It is `None`
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
/// "Sampling permutations for Shapley value estimation", JMLR 23 (2022), for antithetic pairs; C. Musco and R. T. Witter,
/// "Provably accurate Shapley value estimation via leverage score sampling", ICLR (2025), for the regression.
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
    let round_evaluations: u64 = rows.iter().map(|row| Round::n_rows_of(game.players(*row).len()) as u64).sum();
    let n_rounds = budget.max_evaluations.saturating_sub(evaluations) / round_evaluations.max(1);
    let is_small = |row: &usize| (3..=MAX_REGRESSION_PLAYERS).contains(&game.players(*row).len());
    let has_regression = n_rounds >= MIN_ROUNDS && rows.iter().all(is_small);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let is_due = || budget.is_due();
    let mut next_fit = FITTED_ROUNDS;
    for n_done in 0.. {
        if rows.is_empty() {
            break;
        }
        // A deadline that ends a round early leaves any rows as well as the first ones out.
        let mut order = rows.clone();
        order.shuffle(&mut rng);
        let is_ordered = !has_regression || n_done < ORDERED_ROUNDS;
        let mut jobs = order
            .into_iter()
            .map(|background| Round::draw(background, game.players(background).len(), is_ordered, &mut rng));
        let reduce = |round: &Round, outputs: &[f64]| {
            let values = round.order.as_ref().map(|order| round.values(game, order, outputs));
            (values, if has_regression { round.halves(game, outputs) } else { Vec::new() })
        };
        let keep = |round: Round, (values, halves): (Option<Array2<f64>>, Vec<f64>)| {
            if let Some(values) = values {
                tally.add_sample(round.background, &values);
            }
            if has_regression {
                tally.add_pairs(game, round.background, &round.members, &halves, round.order.is_none());
            }
        };
        let fill = |round: &Round, mixed: &mut Mixed| round.fill(game.players(round.background), mixed);
        let walked = for_each_job(game, &mut jobs, fill, reduce, keep, &is_due)?;
        evaluations += walked.evaluations;

        let is_last = !walked.is_whole
            || evaluations.saturating_add(round_evaluations) > budget.max_evaluations
            || budget.is_due();
        let mut is_precise = false;
        if let Some(target) = budget.target_standard_error
            && !is_last
        {
            if has_regression && n_done + 1 == next_fit {
                tally.fit(game);
                // Solving again after every round would cost more than it saves.
                next_fit += next_fit / 4;
            }
            is_precise = tally.is_within(target);
        }
        if is_last || is_precise {
            break;
        }
    }
    if has_regression {
        tally.fit(game);
    }
    Ok(tally.explanation(game, evaluations))
}

/// Rounds that a budget must have for a regression to be worth its while.
const MIN_ROUNDS: u64 = 8;

/// Most columns of a regression. It takes the square of them for each pair: beyond, more than the pair's evaluations do, and
/// all of it after the deadline.
const MAX_REGRESSION_PLAYERS: usize = 40;

/// Rounds of permutations before a regression, which has no answer from so few: their spread tells an error early.
const ORDERED_ROUNDS: usize = 2;

/// A first look at the regression.
const FITTED_ROUNDS: usize = 5;

/// Pairs of opposite coalitions of a background row's game, the first of each of size 1 to `d - 1`.
struct Round {
    background: usize,
    /// The order whose beginnings the coalitions are; none for coalitions that are drawn apart. Positions among the row's
    /// players.
    order: Option<Vec<usize>>,
    /// Shape `[n_pairs, d]`, by the positions of the row's players.
    members: Vec<bool>,
    /// `d - 1`.
    n_pairs: usize,
}

impl Round {
    fn n_rows_of(n_players: usize) -> usize {
        2 * n_players.saturating_sub(1)
    }

    fn draw(background: usize, n_players: usize, is_ordered: bool, rng: &mut ChaCha8Rng) -> Self {
        let mut members = vec![false; n_players.saturating_sub(1) * n_players];
        let mut order: Vec<usize> = (0..n_players).collect();
        if is_ordered {
            order.shuffle(rng);
        }
        for (size, members) in (1..).zip(members.chunks_exact_mut(n_players.max(1))) {
            let drawn = if is_ordered { &order[..size] } else { &*order.partial_shuffle(rng, size).0 };
            drawn.iter().for_each(|player| members[*player] = true);
        }
        Self { background, order: is_ordered.then_some(order), members, n_pairs: n_players.saturating_sub(1) }
    }

    /// Each coalition and its opposite.
    fn fill(&self, players: &[usize], mixed: &mut Mixed) {
        for members in self.members.chunks_exact(players.len().max(1)) {
            for of_pair in [true, false] {
                let row = mixed.push(self.background);
                for (player, member) in players.iter().zip(members) {
                    row[*player] = *member == of_pair;
                }
            }
        }
    }

    /// The mean contribution of each player in the permutation and its reverse, from the outputs at the rows of
    /// [`Round::fill`].
    fn values<G: Game + ?Sized>(&self, game: &G, order: &[usize], outputs: &[f64]) -> Array2<f64> {
        let n_outputs = game.n_outputs();
        let (full, bases, players) = (game.full_value(), game.base_values(), game.players(self.background));
        let base = bases.row(self.background);
        let mut values = Array2::zeros((game.n_players(), n_outputs));
        let at = |k: usize, output: usize| -> (f64, f64) {
            if k == 0 {
                (base[output], full[output])
            } else if k == order.len() {
                (full[output], base[output])
            } else {
                let pair = &outputs[2 * (k - 1) * n_outputs..2 * k * n_outputs];
                (pair[output], pair[n_outputs + output])
            }
        };
        for (k, position) in order.iter().enumerate() {
            for output in 0..n_outputs {
                let ((first, last), (first_with, last_without)) = (at(k, output), at(k + 1, output));
                values[[players[*position], output]] = 0.5 * (first_with - first) + 0.5 * (last - last_without);
            }
        }
        values
    }

    /// Half of what the outputs of each pair differ by, less what equal values would make of it. Shape `[d - 1, n_outputs]`.
    fn halves<G: Game + ?Sized>(&self, game: &G, outputs: &[f64]) -> Vec<f64> {
        let n_players = game.players(self.background).len();
        let (full, bases) = (game.full_value(), game.base_values());
        let pairs = outputs.chunks_exact(2 * game.n_outputs()).enumerate();
        let of_pair = |(pair, outputs): (usize, &[f64])| {
            let (own, opposite) = outputs.split_at(game.n_outputs());
            let share = (pair + 1) as f64 / n_players as f64;
            let halves = own.iter().zip(opposite).enumerate().map(|(output, (own, opposite))| {
                0.5 * (own - opposite) - (share - 0.5) * (full[output] - bases[[self.background, output]])
            });
            halves.collect::<Vec<f64>>()
        };
        pairs.flat_map(of_pair).collect()
    }
}

impl Rows for Round {
    fn n_rows(&self) -> usize {
        2 * self.n_pairs
    }
}
