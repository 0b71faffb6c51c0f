//! Batches drawn with a seed.

use drift::Values;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Twenty columns of every shape that a table has: 14 of numbers, 6 of categories.
pub(crate) struct Batch {
    pub(crate) numbers: Vec<Vec<f64>>,
    pub(crate) levels: Vec<Vec<String>>,
    pub(crate) codes: Vec<Vec<u32>>,
}

/// How a batch of `n` rows differs from the reference: the first number column moves by so many standard deviations.
pub(crate) fn batch(seed: u64, n: usize, shift: f64) -> Batch {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut numbers = Vec::new();
    for column in 0..14 {
        let moved = if column == 0 { shift } else { 0.0 };
        let value = |rng: &mut ChaCha8Rng| match column % 7 {
            0 | 1 => normal(rng) + moved,
            2 => normal(rng).exp(),
            3 => rng.random::<f64>(),
            // Ties, two values, and a column with 5 % missing.
            4 => (normal(rng) * 2.0).round(),
            5 => f64::from(u8::from(rng.random::<f64>() < 0.1)),
            _ => {
                if rng.random::<f64>() < 0.05 {
                    f64::NAN
                } else {
                    normal(rng).powi(3)
                }
            }
        };
        numbers.push((0..n).map(|_| value(&mut rng)).collect());
    }
    let (mut levels, mut codes) = (Vec::new(), Vec::new());
    for n_levels in [2_u32, 3, 5, 10, 50, 200] {
        levels.push((0..n_levels).map(|level| format!("v{level}")).collect());
        // Squared, so that low codes are frequent and high codes rare.
        let code = |rng: &mut ChaCha8Rng| (rng.random::<f64>().powi(2) * f64::from(n_levels)) as u32;
        codes.push((0..n).map(|_| code(&mut rng)).collect());
    }
    Batch { numbers, levels, codes }
}

impl Batch {
    /// The columns by name.
    pub(crate) fn columns(&self) -> Vec<(String, Values<'_>)> {
        let numbers = self.numbers.iter().enumerate().map(|(idx, values)| (format!("x{idx}"), Values::Numbers(values)));
        let categories = self.levels.iter().zip(&self.codes).enumerate();
        let categories =
            categories.map(|(idx, (levels, codes))| (format!("c{idx}"), Values::Categories { levels, codes }));
        numbers.chain(categories).collect()
    }
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}
