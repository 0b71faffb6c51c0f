//! Phone usage: `calls`, `minutes`, `messages`, `mb_used`, and `is_ultra` in about three rows of ten.
//!
//! Minutes are calls times a personal call length. The logit of `is_ultra` rises once data, minutes or messages pass what
//! the smaller plan includes, and a little for those who hardly call (data-only users). The best reachable AUC and
//! log-loss are those of the true probabilities: see [`GENERATOR`].

use super::super::draw::{Draw, round, sigmoid};
use super::super::rows::Table;
use super::{Generator, floats, ints};

/// The generator with its best reachable scores.
pub(super) const GENERATOR: Generator =
    Generator { target: "is_ultra", classes: &["0", "1"], best: &[("auc", 0.860), ("log_loss", 0.406)], rows };

struct User {
    calls: f64,
    minutes: f64,
    messages: f64,
    mb_used: f64,
    is_ultra: bool,
}

fn user(draw: &mut Draw) -> User {
    let calls = (63.0 + 33.0 * draw.normal()).round().clamp(0.0, 244.0);
    let minutes = round((calls * (6.95 + 0.6 * draw.normal())).max(0.0), 2);
    let messages = (38.0 + 36.0 * draw.normal()).round().clamp(0.0, 224.0);
    let mb_used = round((17_200.0 + 7_550.0 * draw.normal()).clamp(0.0, 49_800.0), 2);
    let mut user = User { calls, minutes, messages, mb_used, is_ultra: false };
    user.is_ultra = draw.chance(probability(&user));
    user
}

/// The probability of the Ultra plan.
fn probability(user: &User) -> f64 {
    let over = |value: f64, limit: f64, unit: f64| ((value - limit) / unit).max(0.0);
    sigmoid(
        -2.75
            + 1.15 * over(user.mb_used, 19_500.0, 3_500.0)
            + 1.0 * over(user.minutes, 560.0, 90.0)
            + 1.05 * over(user.messages, 62.0, 15.0)
            + 0.9 * over(-user.minutes, -200.0, 90.0),
    )
}

fn rows(draw: &mut Draw, _first: usize, n_rows: usize) -> Table {
    let rows: Vec<User> = (0..n_rows).map(|_| user(draw)).collect();
    Table::new(vec![
        floats("calls", &rows, |r| r.calls),
        floats("minutes", &rows, |r| r.minutes),
        floats("messages", &rows, |r| r.messages),
        floats("mb_used", &rows, |r| r.mb_used),
        ints("is_ultra", &rows, |r| i64::from(r.is_ultra)),
    ])
}

#[cfg(test)]
mod tests {
    use super::super::tests::check_binary;
    use super::*;

    #[test]
    fn the_stated_scores_are_those_of_the_true_probabilities() {
        check_binary(&GENERATOR, (0.25, 0.36), |draw| probability(&user(draw)));
    }
}
