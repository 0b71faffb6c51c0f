use std::ops::Range;

use ndarray::Array2;

use crate::blocks::{BLOCK_ROWS, Rows, Walked, for_each_job};
use crate::tally::{Tally, check_ends};
use crate::{Error, Explanation, Game, Mixed};

/// The most columns in which a background row may differ from the explained row for [`exact`]: about a million coalitions
/// for each such row.
pub const MAX_EXACT_PLAYERS: usize = 20;

/// Exact Shapley values, from all coalitions.
///
/// ```text
/// phi_i = mean over b of  Σ_{S ⊆ D∖{i}} w(|S|) (v_b(S ∪ {i}) − v_b(S)),   w(s) = s! (d−s−1)! / d!
/// ```
///
/// where `D`, of size `d`, are the columns in which the explained row differs from the background row `b`: the others are
/// worth nothing in `v_b`, and a game without them has the same values. So a background row costs `2^d − 2` evaluations,
/// the empty and the full coalition being known, where the plain definition needs `2^n` for every row.
///
/// Each output is added at once to the sums of all players, so memory does not grow with the number of coalitions:
/// `v_b(S)` counts with `w(|S|−1)` for its members and with `−w(|S|)` for the others.
///
/// # Shapes
///
/// `values`: `[n_players, n_outputs]`; `base_value`, `full_value`: `[n_outputs]`. A game without players has no values,
/// and its `full_value` is its `base_value`.
///
/// # Errors
///
/// [`Error::TooManyPlayers`] where a background row differs in more than [`MAX_EXACT_PLAYERS`] columns, before anything is
/// computed; [`Error::NotFinite`] where the game answers with NaN or infinity.
///
/// # Source
///
/// L. S. Shapley, "A value for n-person games", Contributions to the Theory of Games II (1953); as explanations of a model
/// with an interventional `v`: S. Lundberg and S.-I. Lee, "A unified approach to interpreting model predictions", NeurIPS
/// (2017). Reference implementation: `shap.ExactExplainer` with an independent masker, shap 0.54.1.
///
/// # Example
///
/// The values of a linear model are `w_i (x_i − mean of background column i)`:
///
/// ```
/// use ndarray::array;
/// use shap::{ClosureGame, exact};
///
/// let weights = array![[2.0], [-1.0], [0.5]];
/// let background = array![[0.0, 1.0, 4.0], [2.0, 3.0, 0.0]]; // Column means 1, 2, 2.
/// let game = ClosureGame::new(vec![3.0, 1.0, 2.0], background, 1, |rows| rows.dot(&weights))?;
/// let explanation = exact(&game)?;
/// for (value, expected) in explanation.values.column(0).iter().zip([2.0 * 2.0, -1.0 * -1.0, 0.5 * 0.0]) {
///     assert!((value - expected).abs() < 1e-12);
/// }
/// assert_eq!(explanation.base_value, [1.0]);
/// assert_eq!(explanation.full_value, [6.0]);
/// // The second column of the first row is as in the explained row: 2^2 + 2^3, less the known ends.
/// assert_eq!(explanation.evaluations, 2 + 6);
/// # Ok::<(), shap::Error>(())
/// ```
pub fn exact<G: Game + ?Sized>(game: &G) -> Result<Explanation, Error> {
    check_ends(game)?;
    let rows: Vec<usize> = (0..game.n_background()).collect();
    check_exact(game, &rows)?;
    let mut tally = Tally::new(game);
    let walked = exact_rows(game, &rows, &|| false, |row, values| tally.add_exact(row, values))?;
    Ok(tally.explanation(game, walked.evaluations))
}

/// How many evaluations the exact values of one background row's game take; none where there are too many players.
pub(crate) fn evaluations_of_row(n_players: usize) -> Option<u64> {
    (n_players <= MAX_EXACT_PLAYERS).then(|| (1_u64 << n_players).saturating_sub(2))
}

/// Makes sure that exact values can be computed for these background rows.
pub(crate) fn check_exact<G: Game + ?Sized>(game: &G, rows: &[usize]) -> Result<(), Error> {
    let most = rows.iter().map(|row| game.players(*row).len()).max().unwrap_or(0);
    if most > MAX_EXACT_PLAYERS { Err(Error::TooManyPlayers { n_players: most }) } else { Ok(()) }
}

/// The exact values of these background rows' own games, each of shape `[n_players, n_outputs]`, in order, until `is_due`.
pub(crate) fn exact_rows<G: Game + ?Sized>(
    game: &G,
    rows: &[usize],
    is_due: &dyn Fn() -> bool,
    mut keep: impl FnMut(usize, &Array2<f64>),
) -> Result<Walked, Error> {
    let shares: Vec<Vec<[f64; 2]>> = (0..=MAX_EXACT_PLAYERS).map(shares).collect();
    let n_outputs = game.n_outputs();
    let add = |n_players: usize, coalition: usize, gains: &[f64], sums: &mut [f64]| {
        let shares = shares[n_players][coalition.count_ones() as usize];
        for (player, sums) in sums.chunks_exact_mut(n_outputs).enumerate() {
            let share = shares[coalition >> player & 1];
            sums.iter_mut().zip(gains).for_each(|(sum, gain)| *sum += share * gain);
        }
    };
    let mut values = Array2::zeros((game.n_players(), n_outputs));
    let walked = weighted_sums(
        game,
        rows,
        is_due,
        |n_players| n_players,
        add,
        |row, sums| {
            values.fill(0.0);
            for (player, sums) in game.players(row).iter().zip(sums.chunks_exact(n_outputs)) {
                values.row_mut(*player).iter_mut().zip(sums).for_each(|(value, sum)| *value = *sum);
            }
            keep(row, &values);
        },
    )?;
    Ok(walked)
}

/// Sums over all coalitions of each background row's own game: `add` adds a coalition's gain over the empty one, for each
/// output, to sums of shape `[width(d), n_outputs]`, `d` being the number of the row's players. Whole rows are handed on, in
/// order.
pub(crate) fn weighted_sums<G: Game + ?Sized>(
    game: &G,
    rows: &[usize],
    is_due: &dyn Fn() -> bool,
    width: impl Fn(usize) -> usize + Sync,
    add: impl Fn(usize, usize, &[f64], &mut [f64]) + Sync,
    mut keep: impl FnMut(usize, &[f64]),
) -> Result<Walked, Error> {
    let (n_outputs, bases) = (game.n_outputs(), game.base_values());
    let gains = |background: usize, values: &[f64], gains: &mut [f64]| {
        // A constant cancels out of every value; taking the base out first keeps its rounding out as well. It also makes
        // the empty coalition's share zero, so it is left out.
        gains.iter_mut().zip(values).zip(bases.row(background)).for_each(|((gain, value), base)| *gain = value - base);
    };
    let full = game.full_value().to_vec();
    let mut sums: Vec<f64> = Vec::new();
    let mut jobs = rows.iter().flat_map(|row| spans(*row, game.players(*row).len()));
    for_each_job(
        game,
        &mut jobs,
        |span, mixed| span.fill(game.players(span.background), mixed),
        |span, outputs| {
            let n_players = game.players(span.background).len();
            let mut sums = vec![0.0; width(n_players) * n_outputs];
            let mut gain = vec![0.0; n_outputs];
            for (coalition, values) in span.coalitions.clone().zip(outputs.chunks_exact(n_outputs)) {
                gains(span.background, values, &mut gain);
                add(n_players, coalition, &gain, &mut sums);
            }
            if span.is_last && n_players > 0 {
                gains(span.background, &full, &mut gain);
                add(n_players, (1 << n_players) - 1, &gain, &mut sums);
            }
            sums
        },
        |span, of_span| {
            if sums.is_empty() {
                sums = of_span;
            } else {
                sums.iter_mut().zip(of_span).for_each(|(sum, of_span)| *sum += of_span);
            }
            if span.is_last {
                keep(span.background, &sums);
                sums.clear();
            }
        },
        is_due,
    )
}

/// Some of the coalitions of a background row, by their bits over its players.
struct Span {
    background: usize,
    coalitions: Range<usize>,
    is_last: bool,
}

/// All coalitions but the empty and the full one.
fn spans(background: usize, n_players: usize) -> impl Iterator<Item = Span> {
    let end = (1_usize << n_players).saturating_sub(1).max(1);
    let starts = (1..end.max(2)).step_by(BLOCK_ROWS);
    starts.map(move |start| {
        let stop = end.min(start + BLOCK_ROWS);
        Span { background, coalitions: start..stop, is_last: stop == end }
    })
}

impl Span {
    fn fill(&self, players: &[usize], mixed: &mut Mixed) {
        if players.is_empty() {
            return;
        }
        let (n_players, rows) = (mixed.n_players(), mixed.push_rows(self.background, self.coalitions.len()));
        for (coalition, members) in self.coalitions.clone().zip(rows.chunks_exact_mut(n_players)) {
            for (bit, player) in players.iter().enumerate() {
                members[*player] = coalition >> bit & 1 == 1;
            }
        }
    }
}

impl Rows for Span {
    fn n_rows(&self) -> usize {
        self.coalitions.len()
    }
}

/// `w(s) = s! (n−s−1)! / n!` for `s` from 0 to `n − 1`: the chance that in a random order, exactly the `s` players of one
/// given set come before a given player.
fn weights(n_players: usize) -> Vec<f64> {
    let mut weight = 1.0 / n_players as f64;
    (0..n_players)
        .map(|size| {
            if size > 0 {
                weight *= size as f64 / (n_players - size) as f64;
            }
            weight
        })
        .collect()
}

/// With what a coalition of each size, from 0 to `n_players`, counts for a player who is not in it, and for one who is.
fn shares(n_players: usize) -> Vec<[f64; 2]> {
    let weights = weights(n_players);
    let before = |size: usize| size.checked_sub(1).map_or(0.0, |size| weights[size]);
    (0..=n_players).map(|size| [-weights.get(size).unwrap_or(&0.0), before(size)]).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn weights_of_all_coalitions_without_a_player_sum_to_one() {
        assert_eq!(weights(3), [1.0 / 3.0, 1.0 / 6.0, 1.0 / 3.0]);
        for n_players in 1..=MAX_EXACT_PLAYERS {
            let mut coalitions = 1.0;
            let mut total = 0.0;
            for (size, weight) in weights(n_players).into_iter().enumerate() {
                total += coalitions * weight;
                coalitions *= (n_players - 1 - size) as f64 / (size + 1) as f64;
            }
            assert!((total - 1.0).abs() < 1e-14, "{n_players} players: {total}");
        }
    }

    #[test]
    fn spans_hold_every_coalition_but_the_ends_once() {
        for n_players in 0..=10 {
            let spans: Vec<Span> = spans(3, n_players).collect();
            assert!(spans.iter().rev().skip(1).all(|span| !span.is_last) && spans.last().is_some_and(|s| s.is_last));
            let seen: Vec<usize> = spans.into_iter().flat_map(|span| span.coalitions).collect();
            assert_eq!(Some(seen.len() as u64), evaluations_of_row(n_players), "{n_players} players");
            assert_eq!(seen.iter().collect::<HashSet<_>>().len(), seen.len());
            assert!(seen.iter().all(|coalition| (1..(1 << n_players) - 1).contains(coalition)));
        }
    }
}
