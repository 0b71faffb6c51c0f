//! Whether a model answers newer labelled rows worse than it did on rows held out when it was made.
//!
//! Behaviour can change without a trace in the inputs; then only labels tell. What is compared is not the loss itself, which
//! moves with the mix of rows even when the model is as good as ever, but each row's loss less what the model itself expects
//! of that row (of a classification, the entropy of its probabilities): where the probabilities are honest that excess has
//! the mean 0 in any mix of rows.
//!
//! # Formula
//! With the excesses `d` of the live rows and `e` of the held-out ones, `excess = mean(d) - mean(e)`, its standard error
//! `s = sqrt(var(d) / n + var(e) / m)`, and `expected = mean(loss) - excess`. The model has decayed when
//! the metric's increase is more than `floor` of its expected value and `excess - c(n) s > 0`, where
//!
//! `c(n) = sqrt(2 (n rho^2 + 1) / (n rho^2) ln(1 + sqrt(n rho^2 + 1) / (2 alpha)))`,
//!
//! `rho^2 = (-2 ln alpha + ln(-2 ln alpha) + 1) / 500`, so that it is tightest near 500 rows: the bound of an asymptotic
//! confidence sequence, which holds at all `n` at once. So a sample that grows, such as feedback, may be looked at again and
//! again, and the chance of ever raising a false alarm on it stays below `alpha`.
//!
//! # Source
//! I. Waudby-Smith, D. Arbour, R. Sinha, E. H. Kennedy and A. Ramdas, "Time-uniform central limit theory and asymptotic
//! confidence sequences", Annals of Statistics 52 (2024): the one-sided sequence and the choice of `rho`.

use serde::{Deserialize, Serialize};

use crate::Settings;
use crate::reasons::figure;

/// Fewest rows on either side; below, the bound rests on a central limit that is not yet there.
pub const MIN_LABELLED_ROWS: usize = 50;

/// Smallest relative increase of the loss that matters.
const DECAY_FLOOR: f64 = 0.1;

/// At how many rows the bound is tightest.
const TIGHTEST_ROWS: f64 = 500.0;

/// Losses of a model on labelled rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Losses {
    /// Per row, smaller is better.
    pub actual: Vec<f64>,
    /// Per row, what the model itself expects; all 0 where it says nothing of that.
    pub expected: Vec<f64>,
}

/// What a comparison needs of [`Losses`]. Those of parts of the rows add up to those of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LossSums {
    /// Rows.
    pub rows: usize,
    /// Mean loss, 0 of no rows.
    pub mean: f64,
    /// Mean of what the losses are above what was expected of them.
    pub excess: f64,
    /// Sum of the squared deviations from that mean.
    pub squares: f64,
}

/// How a model does on newer labelled rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decay {
    /// Where the rows come from, such as `the batch`.
    pub source: String,
    /// The metric whose row losses were compared.
    pub metric: String,
    /// Labelled rows.
    pub rows: usize,
    /// Held-out rows of the batch that the model was made for.
    pub reference_rows: usize,
    /// The metric on the labelled rows.
    pub live: f64,
    /// What it should be, by the model's own word and the held-out rows.
    pub expected: f64,
    /// Relative increase of the metric over the expected one.
    pub effect: f64,
    /// Relative increases up to this do not matter.
    pub threshold: f64,
    /// Lower bound of the relative increase.
    pub effect_at_least: f64,
    /// Whether effect and bound say that it has decayed.
    pub decayed: bool,
}

impl Decay {
    /// Compares live rows with held-out ones. `in_units` turns a mean loss into the metric's units, larger ones into larger
    /// ones. None with fewer than
    /// [`MIN_LABELLED_ROWS`] rows on either side, and where a loss is not finite.
    ///
    /// ```
    /// use drift::{Decay, Losses, Settings};
    /// let losses = |share: usize| {
    ///     let actual = (0..1000).map(|row| f64::from(u8::from(row % 10 < share))).collect();
    ///     Losses { actual, expected: vec![0.0; 1000] }.sums()
    /// };
    /// let of = |share| Decay::of("the batch", "error rate", losses(share), losses(2), &Settings::default(), |mean| mean);
    /// assert!(!of(2).unwrap().decayed);
    /// let worse = of(5).unwrap();
    /// assert!(worse.decayed && (worse.effect - 1.5).abs() < 1e-9 && (0.9..1.5).contains(&worse.effect_at_least));
    /// ```
    pub fn of(
        source: &str,
        metric: &str,
        live: LossSums,
        reference: LossSums,
        settings: &Settings,
        in_units: impl Fn(f64) -> f64,
    ) -> Option<Self> {
        let (n, m) = (live.rows, reference.rows);
        if n.min(m) < MIN_LABELLED_ROWS {
            return None;
        }
        let (mean, excess) = (live.mean, live.excess - reference.excess);
        let expected = mean - excess;
        let squared_error = live.variance() / n as f64 + reference.variance() / m as f64;
        let bound = excess - bound_factor(n, settings.alpha) * squared_error.sqrt();
        let (usual, threshold) = (in_units(expected.max(0.0)), settings.decay_floor());
        // A loss that should be nothing and is something has grown almost without bound.
        let relative = |increase: f64| {
            let increase = in_units((expected + increase).max(0.0)) - usual;
            if increase == 0.0 { 0.0 } else { increase / usual.max(f64::MIN_POSITIVE) }
        };
        (mean.is_finite() && bound.is_finite()).then(|| Self {
            source: source.to_owned(),
            metric: metric.to_owned(),
            rows: n,
            reference_rows: m,
            live: in_units(mean),
            expected: usual,
            effect: relative(excess),
            threshold,
            effect_at_least: relative(bound),
            decayed: relative(excess) > threshold && bound > 0.0,
        })
    }

    /// Why the model should be made anew; none where it has not decayed.
    pub fn reason(&self) -> Option<String> {
        let Self { source, metric, rows, live, expected, effect, threshold, effect_at_least, .. } = self;
        let percent = |share: &f64| format!("{} %", figure(100.0 * share));
        self.decayed.then(|| {
            format!(
                "live performance decayed: {metric} {} -> {} on {rows} labelled rows of {source} ({} worse, surely {}; more \
                 than {} matters)",
                figure(*expected),
                figure(*live),
                percent(effect),
                percent(effect_at_least),
                percent(threshold)
            )
        })
    }
}

impl Losses {
    /// What a comparison needs of them.
    ///
    /// # Shapes
    /// `actual` and `expected` are of the same rows.
    pub fn sums(&self) -> LossSums {
        sums(&self.actual, || self.actual.iter().zip(&self.expected).map(|(actual, expected)| actual - expected))
    }
}

fn sums<I: Iterator<Item = f64>>(losses: &[f64], excesses: impl Fn() -> I) -> LossSums {
    let rows = losses.len();
    let of_rows = |sum: f64| if rows == 0 { 0.0 } else { sum / rows as f64 };
    let excess = of_rows(excesses().sum());
    let squares = excesses().map(|other| (other - excess).powi(2)).sum();
    LossSums { rows, mean: of_rows(losses.iter().sum()), excess, squares }
}

impl LossSums {
    /// Of losses of which nothing was expected.
    pub(crate) fn of(losses: &[f64]) -> Self {
        sums(losses, || losses.iter().copied())
    }

    /// The sums of the rows of both.
    ///
    /// # Source
    /// Chan, Golub, LeVeque (1983), doi:10.1080/00031305.1983.10483115.
    pub fn merge(self, other: Self) -> Self {
        let rows = self.rows + other.rows;
        if rows == 0 {
            return self;
        }
        let share = other.rows as f64 / rows as f64;
        let difference = other.excess - self.excess;
        Self {
            rows,
            mean: self.mean + (other.mean - self.mean) * share,
            excess: self.excess + difference * share,
            squares: self.squares + other.squares + difference * difference * self.rows as f64 * share,
        }
    }

    /// Standard error of the mean of what the losses are above what was expected; NaN of one row or none.
    pub(crate) fn standard_error(&self) -> f64 {
        (self.variance() / self.rows as f64).sqrt()
    }

    /// Variance of what the losses are above what was expected; NaN of one row or none.
    pub(crate) fn variance(&self) -> f64 {
        self.squares / (self.rows as f64 - 1.0)
    }
}

impl Settings {
    /// Smallest relative increase of the loss that counts as decay.
    pub fn decay_floor(&self) -> f64 {
        DECAY_FLOOR * self.preset.factor()
    }
}

/// How many standard errors below the mean the bound lies.
fn bound_factor(n: usize, alpha: f64) -> f64 {
    let twice_log = -2.0 * alpha.ln();
    let scaled = n as f64 * (twice_log + twice_log.ln() + 1.0) / TIGHTEST_ROWS;
    (2.0 * (scaled + 1.0) / scaled * (1.0 + (scaled + 1.0).sqrt() / (2.0 * alpha)).ln()).sqrt()
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Log-losses of rows whose class is drawn with probability `truth(p)`, where the model says `p`.
    fn draw(rng: &mut ChaCha8Rng, n: usize, truth: impl Fn(f64) -> f64) -> Losses {
        let mut losses = Losses::default();
        for _ in 0..n {
            let p: f64 = rng.random_range(0.01..0.6);
            let is_positive = rng.random_bool(truth(p));
            losses.actual.push(if is_positive { -p.ln() } else { -(1.0 - p).ln() });
            losses.expected.push(-p * p.ln() - (1.0 - p) * (1.0 - p).ln());
        }
        losses
    }

    fn decay(live: &Losses, reference: &Losses) -> Decay {
        Decay::of("the batch", "log_loss", live.sums(), reference.sums(), &Settings::default(), |mean| mean).unwrap()
    }

    #[test]
    fn an_honest_model_is_left_alone_however_often_one_looks() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut alarms = 0;
        for _ in 0..400 {
            let (reference, all) = (draw(&mut rng, 1_000, |p| p), draw(&mut rng, 3_000, |p| p));
            let mut looks = (50..=3_000)
                .step_by(50)
                .map(|n| Losses { actual: all.actual[..n].to_vec(), expected: all.expected[..n].to_vec() });
            // The bound alone: without the floor of the effect.
            alarms += i32::from(looks.any(|live| decay(&live, &reference).effect_at_least > 0.0));
        }
        assert!(alarms <= 8, "{alarms} of 400, where 1 % is promised");
    }

    #[test]
    fn a_change_of_behaviour_is_found_and_a_change_of_mix_is_not() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let reference = draw(&mut rng, 300, |p| p);
        let turned = decay(&draw(&mut rng, 600, |p| 0.4 + 0.5 * p), &reference);
        assert!(turned.decayed && turned.reason().unwrap().starts_with("live performance decayed: log_loss 0."));
        let mut harder = Losses::default();
        let drawn = draw(&mut rng, 6_000, |p| p);
        for (actual, expected) in drawn.actual.iter().zip(&drawn.expected).filter(|(_, expected)| **expected > 0.6) {
            harder.actual.push(*actual);
            harder.expected.push(*expected);
        }
        let mixed = decay(&harder, &reference);
        assert!(!mixed.decayed && mixed.reason().is_none() && mixed.live > 0.6, "{mixed:?}");
    }

    #[test]
    fn too_few_rows_and_broken_losses_say_nothing() {
        let of = |n: usize, loss: f64| Losses { actual: vec![loss; n], expected: vec![0.0; n] }.sums();
        let decay = |live: LossSums| Decay::of("feedback", "rmse", live, of(80, 1.0), &Settings::default(), f64::sqrt);
        assert_eq!(decay(of(49, 9.0)), None);
        assert_eq!(decay(of(60, f64::INFINITY)), None);
        let four = decay(of(60, 16.0)).unwrap();
        assert_eq!((four.live, four.expected, four.decayed), (4.0, 1.0, true));
    }

    #[test]
    fn sums_of_parts_are_those_of_all() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let all = draw(&mut rng, 1_000, |p| p);
        let part = |from: usize, to: usize| {
            Losses { actual: all.actual[from..to].to_vec(), expected: all.expected[from..to].to_vec() }.sums()
        };
        let merged = part(0, 10).merge(part(10, 10)).merge(part(10, 700)).merge(part(700, 1_000));
        let (whole, close) = (all.sums(), |a: f64, b: f64| (a - b).abs() <= 1e-12 * b.abs().max(1.0));
        assert_eq!(merged.rows, whole.rows);
        assert!(close(merged.mean, whole.mean) && close(merged.excess, whole.excess), "{merged:?}, {whole:?}");
        assert!(close(merged.squares, whole.squares), "{merged:?}, {whole:?}");
        assert_eq!(Losses::default().sums().merge(whole), whole);
    }

    #[test]
    fn the_bound_is_wider_than_that_of_a_single_look() {
        let factors = [50, 500, 5_000, 1_000_000].map(|n| bound_factor(n, 0.01));
        assert!(factors.iter().all(|factor| (3.3..5.0).contains(factor)), "{factors:?}");
        assert!(factors[1] < factors[0] && factors[1] < factors[3]);
    }
}
