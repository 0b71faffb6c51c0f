use std::fmt;

use ndarray::{Array2, Zip};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::walk::Walk;
use crate::{Error, Explanation, Game, Method};

/// How many coalition values a sample may compute unless told otherwise.
pub const DEFAULT_MAX_EVALUATIONS: u64 = 10_000;

/// Pairs of permutations before the standard error is trusted to stop a sample: from fewer, it is often far too small.
const MIN_PAIRS_FOR_TARGET: u64 = 10;

/// When a sample stops: at the first of these, but never before its first pair of permutations is complete.
#[derive(Clone, Copy)]
pub struct Budget<'a> {
    /// The most coalition values to compute. A sample of `m` pairs takes `2 + 2m (n_players − 1)`.
    pub max_evaluations: u64,
    /// Stop when no value's standard error is above this, in the units of the output. It is looked at from ten pairs on.
    pub target_standard_error: Option<f64>,
    /// Stop when this answers true. It is asked before each pair but the first, so a sample overruns it by at most one
    /// pair; the caller brings the clock.
    pub deadline: Option<&'a dyn Fn() -> bool>,
}

impl Default for Budget<'_> {
    fn default() -> Self {
        Self { max_evaluations: DEFAULT_MAX_EVALUATIONS, target_standard_error: None, deadline: None }
    }
}

impl fmt::Debug for Budget<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("max_evaluations", &self.max_evaluations)
            .field("target_standard_error", &self.target_standard_error)
            .field("deadline", &self.deadline.map(|_| "set"))
            .finish()
    }
}

/// Shapley values estimated from random permutations of the players, in antithetic pairs.
///
/// A permutation `π` gives each player what it adds when the players join in that order:
/// `v({π_1..π_k}) − v({π_1..π_(k−1)})`; its mean over all permutations is the Shapley value. Each `π` is paired with its
/// reverse, which cancels the interactions of two players entirely: a function without interactions of three or more gets
/// its exact values from the first pair.
///
/// The steps of a permutation telescope, so the values sum to `full_value − base_value` up to rounding, however small the
/// sample. The same game, seed and budget without a deadline give the same bits.
///
/// # Shapes
///
/// `values`, `standard_error`: `[n_players, n_outputs]`; `base_value`, `full_value`: `[n_outputs]`.
///
/// The standard error is the sample standard deviation of the pairs' means divided by the square root of their number: 0
/// for up to two players, where the first pair holds all permutations and ends the sample; `None` after a single pair of
/// more players.
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
pub fn sampled<G: Game + ?Sized>(game: &mut G, seed: u64, budget: Budget<'_>) -> Result<Explanation, Error> {
    if let Some(target) = budget.target_standard_error
        && !(target.is_finite() && target >= 0.0)
    {
        return Err(Error::TargetStandardError(target));
    }
    let (n_players, n_outputs) = (game.n_players(), game.n_outputs());
    let mut walk = Walk::new(game);
    let base_value = walk.evaluate()?.to_vec();
    let mut full_value = base_value.clone();
    if n_players > 0 {
        walk.join_all();
        full_value.copy_from_slice(walk.evaluate()?);
    }

    let pair_evaluations = 2 * n_players.saturating_sub(1) as u64;
    let is_complete = n_players <= 2;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut permutation: Vec<usize> = (0..n_players).collect();
    let mut pair = Array2::zeros((n_players, n_outputs));
    let mut estimate = Estimate::new(n_players, n_outputs);
    loop {
        permutation.shuffle(&mut rng);
        walk_pair(&mut walk, &permutation, &base_value, &full_value, &mut pair)?;
        estimate.add(&pair);

        let is_exhausted = walk.evaluations().saturating_add(pair_evaluations) > budget.max_evaluations;
        let is_precise = budget.target_standard_error.is_some_and(|target| estimate.is_within(target));
        if is_complete || is_exhausted || is_precise || budget.deadline.is_some_and(|is_due| is_due()) {
            break;
        }
    }

    let evaluations = walk.evaluations();
    let standard_error =
        if is_complete { Some(Array2::zeros((n_players, n_outputs))) } else { estimate.standard_error() };
    let values = estimate.mean;
    Ok(Explanation { base_value, values, full_value, method: Method::Sampled, evaluations, standard_error })
}

/// Writes to `pair` the mean contribution of each player in a permutation and in its reverse.
///
/// The walk starts and ends with all players in. They first leave in the permutation's order, which read backwards is the
/// reverse permutation, and then join in the same order: all coalitions visited but those at the turns are one player
/// apart, and the values at the turns are known.
fn walk_pair<G: Game + ?Sized>(
    walk: &mut Walk<'_, G>,
    permutation: &[usize],
    base_value: &[f64],
    full_value: &[f64],
    pair: &mut Array2<f64>,
) -> Result<(), Error> {
    pair.fill(0.0);
    let mut previous = full_value.to_vec();
    for (turn, share) in [(base_value, -0.5), (full_value, 0.5)] {
        for (step, &player) in permutation.iter().enumerate() {
            walk.flip(player);
            let value = if step + 1 == permutation.len() { turn } else { walk.evaluate()? };
            for ((sum, previous), value) in pair.row_mut(player).iter_mut().zip(&mut previous).zip(value) {
                *sum += share * (value - *previous);
                *previous = *value;
            }
        }
    }
    Ok(())
}

/// The running mean and spread of the pairs (Welford's update, which does not cancel).
struct Estimate {
    n_pairs: u64,
    mean: Array2<f64>,
    /// Sum of squared deviations from the mean.
    squares: Array2<f64>,
}

impl Estimate {
    fn new(n_players: usize, n_outputs: usize) -> Self {
        let zeros = Array2::zeros((n_players, n_outputs));
        Self { n_pairs: 0, mean: zeros.clone(), squares: zeros }
    }

    fn add(&mut self, pair: &Array2<f64>) {
        self.n_pairs += 1;
        let n_pairs = self.n_pairs as f64;
        Zip::from(&mut self.mean).and(&mut self.squares).and(pair).for_each(|mean, squares, value| {
            let deviation = value - *mean;
            *mean += deviation / n_pairs;
            *squares += deviation * (value - *mean);
        });
    }

    /// The standard error of each mean; unknown from a single pair.
    fn standard_error(&self) -> Option<Array2<f64>> {
        let n_pairs = self.n_pairs as f64;
        (self.n_pairs > 1).then(|| self.squares.mapv(|squares| (squares / (n_pairs * (n_pairs - 1.0))).sqrt()))
    }

    /// Whether there are pairs enough to tell, and no mean has a standard error above `target`.
    fn is_within(&self, target: f64) -> bool {
        let n_pairs = self.n_pairs as f64;
        let largest = self.squares.iter().copied().fold(0.0, f64::max);
        self.n_pairs >= MIN_PAIRS_FOR_TARGET && (largest / (n_pairs * (n_pairs - 1.0))).sqrt() <= target
    }
}
