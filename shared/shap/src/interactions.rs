use ndarray::Array3;

use crate::exact::weighted_sums;
use crate::tally::check_ends;
use crate::{Budget, Error, Game};

/// Exact Shapley interaction values: what each pair of players adds together beyond what its members add apart, half to
/// each, and on the diagonal what is left of a player's own value.
///
/// ```text
/// Φ_ij = mean over b of  Σ_{S ⊆ D∖{i,j}} s! (d−s−2)! / (2 (d−1)!) (v_b(S∪{i,j}) − v_b(S∪{i}) − v_b(S∪{j}) + v_b(S))
/// Φ_ii = phi_i − Σ_{j≠i} Φ_ij
/// ```
///
/// with `D`, `d`, `v_b` and `phi` as in [`exact`](crate::exact). The matrix is symmetric, its rows sum to the Shapley values,
/// and all of it to the prediction less the base value.
///
/// # Shapes
///
/// The result: `[n_players, n_players, n_outputs]`, in the units of the output.
///
/// There is nothing where the budget does not allow exact values, or its deadline passes.
///
/// # Errors
///
/// Those of [`exact`](crate::exact), but for too many players.
///
/// # Source
///
/// K. Fujimoto, I. Kojadinovic and J.-L. Marichal, "Axiomatic characterizations of probabilistic and cardinal-probabilistic
/// interaction indices", Games and Economic Behavior 55 (2006), halved as in S. Lundberg et al., "From local explanations to
/// global understanding with explainable AI for trees", Nature Machine Intelligence 2 (2020).
pub fn interactions<G: Game + ?Sized>(game: &G, budget: Budget<'_>) -> Result<Option<Array3<f64>>, Error> {
    check_ends(game)?;
    if !budget.allows_exact(game) {
        return Ok(None);
    }
    let rows: Vec<usize> = (0..game.n_background()).collect();
    let (n_players, n_outputs) = (game.n_players(), game.n_outputs());
    let mut sums: Array3<f64> = Array3::zeros((n_players, n_players, n_outputs));
    // Of a pair, the lower player's row has what belongs to both; the diagonal has the Shapley values.
    let add = |n: usize, coalition: usize, gains: &[f64], sums: &mut [f64]| {
        let size = coalition.count_ones() as usize;
        for (cell, sums) in sums.chunks_exact_mut(n_outputs).enumerate() {
            let (i, j) = (cell / n, cell % n);
            let share = match (i.cmp(&j), coalition >> i & 1, coalition >> j & 1) {
                (std::cmp::Ordering::Greater, ..) => continue,
                (std::cmp::Ordering::Equal, 1, _) => weight(n, size - 1, 1),
                (std::cmp::Ordering::Equal, ..) => -weight(n, size, 1),
                (_, 1, 1) => 0.5 * weight(n, size - 2, 2),
                (_, 0, 0) => 0.5 * weight(n, size, 2),
                _ => -0.5 * weight(n, size - 1, 2),
            };
            sums.iter_mut().zip(gains).for_each(|(sum, gain)| *sum += share * gain);
        }
    };
    let is_due = || budget.is_due();
    let walked = weighted_sums(
        game,
        &rows,
        &is_due,
        |n| n * n,
        add,
        |row, of_row| {
            let players = game.players(row);
            for (cell, of_cell) in of_row.chunks_exact(n_outputs).enumerate() {
                let (i, j) = (players[cell / players.len()], players[cell % players.len()]);
                for (output, value) in of_cell.iter().enumerate() {
                    sums[[i, j, output]] += value;
                }
            }
        },
    )?;
    if !walked.is_whole {
        return Ok(None);
    }
    sums /= game.n_background() as f64;
    for output in 0..n_outputs {
        for i in 0..n_players {
            for j in 0..i {
                sums[[i, j, output]] = sums[[j, i, output]];
            }
        }
        for i in 0..n_players {
            let others: f64 = (0..n_players).filter(|j| *j != i).map(|j| sums[[i, j, output]]).sum();
            sums[[i, i, output]] -= others;
        }
    }
    Ok(Some(sums))
}

/// `s! (n−s−k)! / (n−k+1)!`: the weight of a coalition of size `s` that `k` given players may join.
fn weight(n: usize, s: usize, k: usize) -> f64 {
    // Π_{i=1..s} i / (n−k+1−s+i), times 1 / (n−k+1−s) for the factor that is left.
    let rest = n - k - s + 1;
    (1..=s).fold(1.0 / rest as f64, |product, i| product * i as f64 / (rest + i) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_factorials() {
        let factorial = |n: usize| (1..=n).map(|i| i as f64).product::<f64>();
        for n in 2..12 {
            for k in 1..=2 {
                for s in 0..=n - k {
                    let expected = factorial(s) * factorial(n - s - k) / factorial(n - k + 1);
                    assert!((weight(n, s, k) - expected).abs() < 1e-15 * expected.max(1.0), "{n} {s} {k}");
                }
            }
        }
    }
}
