use ndarray::{Array2, Axis};

use crate::walk::Walk;
use crate::{Error, Explanation, Game, Method};

/// The most players that [`exact`] takes: about a million coalitions, many minutes for a network by brute force.
///
/// [`explain`](crate::explain) stops being exact at [`DEFAULT_EXACT_UP_TO`](crate::DEFAULT_EXACT_UP_TO), where the answer
/// is still a matter of milliseconds to seconds.
pub const MAX_EXACT_PLAYERS: usize = 20;

/// Exact Shapley values, from all `2^n` coalitions.
///
/// ```text
/// phi_i = Σ_{S ⊆ N∖{i}} w(|S|) (v(S ∪ {i}) − v(S)),   w(s) = s! (n−s−1)! / n!
/// ```
///
/// Each coalition is computed once, in Gray-code order, and added at once to the sums of all players, so memory does not
/// grow with the number of coalitions: `v(S)` counts with `w(|S|−1)` for its members and with `−w(|S|)` for the others.
///
/// # Shapes
///
/// `values`: `[n_players, n_outputs]`; `base_value`, `full_value`: `[n_outputs]`. A game without players has no values,
/// and its `full_value` is its `base_value`.
///
/// # Errors
///
/// [`Error::TooManyPlayers`] above [`MAX_EXACT_PLAYERS`], before anything is computed; [`Error::NotFinite`] where the game
/// answers with NaN or infinity.
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
/// let mut game = ClosureGame::new(vec![3.0, 1.0, 2.0], background, 1, |rows| rows.dot(&weights))?;
/// let explanation = exact(&mut game)?;
/// for (value, expected) in explanation.values.column(0).iter().zip([2.0 * 2.0, -1.0 * -1.0, 0.5 * 0.0]) {
///     assert!((value - expected).abs() < 1e-12);
/// }
/// assert_eq!(explanation.base_value, [1.0]);
/// assert_eq!(explanation.full_value, [6.0]);
/// assert_eq!(explanation.evaluations, 8);
/// # Ok::<(), shap::Error>(())
/// ```
pub fn exact<G: Game + ?Sized>(game: &mut G) -> Result<Explanation, Error> {
    let (n_players, n_outputs) = (game.n_players(), game.n_outputs());
    if n_players > MAX_EXACT_PLAYERS {
        return Err(Error::TooManyPlayers { n_players });
    }
    let weights = weights(n_players);
    let mut walk = Walk::new(game);
    let base_value = walk.evaluate()?.to_vec();
    let mut full_value = base_value.clone();
    let mut values = Array2::zeros((n_players, n_outputs));
    let mut gain = vec![0.0; n_outputs];

    for step in 1_usize..1 << n_players {
        walk.flip(step.trailing_zeros() as usize);
        let size = walk.size();
        let value = walk.evaluate()?;
        if size == n_players {
            full_value.copy_from_slice(value);
        }
        // A constant cancels out of every Shapley value; taking the base out first keeps its rounding out as well. It
        // also makes the empty coalition's share zero, so the walk starts after it.
        for ((gain, value), base) in gain.iter_mut().zip(value).zip(&base_value) {
            *gain = value - base;
        }
        let joined = weights[size - 1];
        // No player is absent from the coalition of all.
        let absent = weights.get(size).copied().unwrap_or(0.0);
        for (mut sums, &member) in values.axis_iter_mut(Axis(0)).zip(walk.coalition()) {
            let weight = if member { joined } else { -absent };
            for (sum, gain) in sums.iter_mut().zip(&gain) {
                *sum += weight * gain;
            }
        }
    }

    let evaluations = walk.evaluations();
    Ok(Explanation { base_value, values, full_value, method: Method::Exact, evaluations, standard_error: None })
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

#[cfg(test)]
mod tests {
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

    /// Remembers the coalitions it was asked for.
    struct Recorder {
        n_players: usize,
        asked: Vec<Vec<bool>>,
    }

    impl Game for Recorder {
        fn n_players(&self) -> usize {
            self.n_players
        }

        fn n_outputs(&self) -> usize {
            1
        }

        fn value(&mut self, coalition: &[bool], out: &mut [f64]) {
            self.asked.push(coalition.to_vec());
            out[0] = 0.0;
        }
    }

    #[test]
    fn every_coalition_is_asked_once_and_neighbours_differ_in_one_player() {
        let mut game = Recorder { n_players: 6, asked: Vec::new() };
        assert_eq!(exact(&mut game).unwrap().evaluations, 64);
        for pair in game.asked.windows(2) {
            assert_eq!(pair[0].iter().zip(&pair[1]).filter(|(before, after)| before != after).count(), 1);
        }
        game.asked.sort();
        game.asked.dedup();
        assert_eq!(game.asked.len(), 64);
    }

    #[test]
    fn too_many_players_are_refused_before_anything_is_computed() {
        let mut game = Recorder { n_players: MAX_EXACT_PLAYERS + 1, asked: Vec::new() };
        assert_eq!(exact(&mut game).unwrap_err(), Error::TooManyPlayers { n_players: 21 });
        assert!(game.asked.is_empty());
    }
}
