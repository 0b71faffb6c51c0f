//! Whether a model has become worse, judged from labels as they come in.

use serde::{Deserialize, Serialize};

/// The running mean of losses with a confidence sequence: an interval for each number of labels, all of which hold the true
/// mean at once with the stated confidence. So one may look after every label and stop when the interval says so; a
/// confidence interval for a fixed number would alarm sooner or later by looking often enough.
///
/// # Source
/// Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas (2024), doi:10.1214/24-AOS2408: the asymptotic confidence sequence by
/// Robbins' normal mixture, `mean ± s sqrt((t r² + 1) / (t² r²) * ln((t r² + 1) / alpha²))` after `t` losses of standard
/// deviation `s`, with `r` chosen so that it is narrowest at [`LossSequence::BEST_AT`] losses.
///
/// ```
/// let mut losses = drift::LossSequence::default();
/// (0..500).for_each(|i| losses.push(f64::from(i % 5)));
/// let (low, high) = losses.interval(0.05).unwrap();
/// assert!(low < 2.0 && 2.0 < high && high - low < 0.6);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LossSequence {
    n: u64,
    mean: f64,
    /// Sum of squared deviations from the mean.
    squares: f64,
}

impl LossSequence {
    /// The number of losses at which the interval is as narrow as a sequence's can be.
    pub const BEST_AT: f64 = 1_000.0;

    /// Fewest losses for an interval: their standard deviation is taken from themselves.
    pub const MIN_LOSSES: u64 = 50;

    /// Adds a loss. One that is not finite is left out.
    pub fn push(&mut self, loss: f64) {
        if !loss.is_finite() {
            return;
        }
        self.n += 1;
        let before = loss - self.mean;
        self.mean += before / self.n as f64;
        self.squares += before * (loss - self.mean);
    }

    /// How many losses.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// Their mean; 0 without any.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The interval at a level `alpha` in (0, 1); `None` before [`LossSequence::MIN_LOSSES`].
    pub fn interval(&self, alpha: f64) -> Option<(f64, f64)> {
        if self.n < Self::MIN_LOSSES {
            return None;
        }
        let n = self.n as f64;
        let log = -2.0 * alpha.ln();
        let rate = (log + (log + 1.0).ln()) / Self::BEST_AT;
        let spread = (self.squares / n).sqrt();
        let width = spread * ((n * rate + 1.0) / (n * n * rate) * ((n * rate + 1.0) / (alpha * alpha)).ln()).sqrt();
        Some((self.mean - width, self.mean + width))
    }

    /// Whether the mean loss is beyond `limit` for sure: so the lower end of the interval says.
    pub fn exceeds(&self, limit: f64, alpha: f64) -> bool {
        self.interval(alpha).is_some_and(|(low, _)| low > limit)
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// The number of losses after which a limit of 0.25 is exceeded, looking after each of 4,000.
    fn first_alarm(rng: &mut ChaCha8Rng, mean: f64) -> Option<u64> {
        let mut losses = LossSequence::default();
        (0..4_000).find_map(|_| {
            // Skewed, as losses are: an exponential law.
            losses.push(-mean * (1.0 - rng.random::<f64>()).ln());
            losses.exceeds(0.25, 0.05).then(|| losses.n())
        })
    }

    #[test]
    fn looking_at_every_label_alarms_no_more_often_than_stated() {
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let alarms = (0..400).filter(|_| first_alarm(&mut rng, 0.25).is_some()).count();
        assert!(alarms <= 400 * 5 / 100, "{alarms} of 400");
    }

    #[test]
    fn a_loss_that_doubled_is_found_within_hundreds_of_labels() {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        for _ in 0..50 {
            assert!(first_alarm(&mut rng, 0.5).is_some_and(|n| n < 400));
        }
    }

    #[test]
    fn few_labels_say_nothing() {
        let mut losses = LossSequence::default();
        (0..49).for_each(|_| losses.push(9.0));
        losses.push(f64::NAN);
        assert_eq!((losses.n(), losses.mean(), losses.interval(0.05)), (49, 9.0, None));
    }
}
