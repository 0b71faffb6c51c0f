//! A profile of rows, and a comparison of rows with the profile that a version stores, from columns in memory.
//!
//! `drift/compare.py` has the same work beside scipy and Evidently.

use criterion::{Criterion, criterion_group, criterion_main};
use drift::{Profile, Settings, Values};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Fifteen number columns and five categories of 2, 3, 5, 10 and 50 levels.
struct Columns {
    numbers: Vec<Vec<f64>>,
    categories: Vec<(Vec<String>, Vec<u32>)>,
}

impl Columns {
    fn new(n_rows: usize, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // The mean of twelve uniform numbers, less its own, is near enough to normal for a benchmark.
        let mut normal = || (0..12).map(|_| rng.random_range(-0.5..0.5)).sum::<f64>();
        let numbers = (0..15).map(|_| (0..n_rows).map(|_| normal()).collect()).collect();
        let categories = [2_u32, 3, 5, 10, 50].map(|n_levels| {
            let levels = (0..n_levels).map(|level| format!("level {level}")).collect();
            (levels, (0..n_rows).map(|_| rng.random_range(0..n_levels)).collect())
        });
        Self { numbers, categories: categories.into() }
    }

    fn values(&self) -> Vec<(String, Values<'_>)> {
        let numbers = self.numbers.iter().map(|numbers| Values::Numbers(numbers));
        let categories = self.categories.iter().map(|(levels, codes)| Values::Categories { levels, codes });
        numbers.chain(categories).enumerate().map(|(index, values)| (format!("column {index}"), values)).collect()
    }
}

fn compare(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("drift");
    group.sample_size(10);
    for n_rows in [10_000, 100_000, 1_000_000] {
        let (reference, current) = (Columns::new(n_rows, 1), Columns::new(n_rows, 2));
        group.bench_function(format!("profile {n_rows} x 20"), |bencher| {
            bencher.iter(|| Profile::of(reference.values().into_iter(), None));
        });
        let profile = Profile::of(reference.values().into_iter(), None);
        let (values, settings) = (current.values(), Settings::default());
        group.bench_function(format!("compare {n_rows} x 20"), |bencher| {
            bencher.iter(|| drift::compare(&profile, &values, None, &settings));
        });
    }
    group.finish();
}

criterion_group!(benches, compare);
criterion_main!(benches);
