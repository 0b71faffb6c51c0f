//! Seeded sampling: one independent ChaCha8 stream per purpose and batch.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream of random numbers is for, so that two uses of one seed never share numbers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// The fixed world behind a generator (city names and effects): the same for every seed.
    World = 1,
    /// The rows of one batch.
    Rows = 2,
    /// The drift conditions on one batch; the condition's position is added.
    Drift = 16,
}

/// A source of random numbers with the few distributions that the generators need.
#[derive(Clone, Debug)]
pub(super) struct Draw {
    rng: ChaCha8Rng,
    spare_normal: Option<f64>,
}

impl Draw {
    /// The stream of `seed` for `purpose` (plus `offset`) and `batch`.
    pub(super) fn new(seed: u64, purpose: Purpose, offset: usize, batch: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(((purpose as u64 + offset as u64) << 40) | batch as u64);
        Self { rng, spare_normal: None }
    }

    /// Uniform in `[0, 1)`.
    pub(super) fn uniform(&mut self) -> f64 {
        self.rng.random::<f64>()
    }

    /// Uniform in `[low, high)`.
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Uniform in `0..n`; 0 for `n` = 0.
    pub(super) fn below(&mut self, n: usize) -> usize {
        ((self.uniform() * n as f64) as usize).min(n.saturating_sub(1))
    }

    /// True with `probability`.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// Standard normal, by the polar method of Marsaglia and Bray (1964).
    pub(super) fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare_normal.take() {
            return spare;
        }
        loop {
            let (u, v) = (self.between(-1.0, 1.0), self.between(-1.0, 1.0));
            let s = u * u + v * v;
            if s > 0.0 && s < 1.0 {
                let factor = (-2.0 * s.ln() / s).sqrt();
                self.spare_normal = Some(v * factor);
                return u * factor;
            }
        }
    }

    /// Exponential with mean 1.
    pub(super) fn exponential(&mut self) -> f64 {
        -(1.0 - self.uniform()).ln()
    }

    /// An index drawn by its cumulative weights: positive, rising, any total.
    pub(super) fn index(&mut self, cumulative: &[f64]) -> usize {
        let total = cumulative.last().copied().unwrap_or(0.0);
        let u = self.uniform() * total;
        cumulative.partition_point(|&edge| edge <= u).min(cumulative.len().saturating_sub(1))
    }

    /// One of `items`, uniformly.
    pub(super) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// The first `count` elements of a random permutation of `items` (partial Fisher-Yates), in rising order.
    pub(super) fn choose(&mut self, mut items: Vec<u32>, count: usize) -> Vec<u32> {
        let count = count.min(items.len());
        for i in 0..count {
            let j = i + self.below(items.len() - i);
            items.swap(i, j);
        }
        items.truncate(count);
        items.sort_unstable();
        items
    }
}

/// Running sums of `weights`, for [`Draw::index`].
pub(super) fn cumulative(weights: impl IntoIterator<Item = f64>) -> Vec<f64> {
    weights
        .into_iter()
        .scan(0.0, |total, weight| {
            *total += weight;
            Some(*total)
        })
        .collect()
}

/// The logistic function.
pub(super) fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

/// Rounded to `digits` decimals.
pub(super) fn round(value: f64, digits: i32) -> f64 {
    let unit = 10f64.powi(digits);
    (value * unit).round() / unit
}
