use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The independent streams of random numbers of a fit.
#[derive(Clone, Copy)]
pub(crate) enum Stream {
    Folds,
    Start,
    Order,
    Masks,
    Unknowns,
    Search,
}

/// The stream of one purpose and member, or trial of a search: the same whenever and on whatever thread it is asked for.
pub(crate) fn stream(seed: u64, purpose: Stream, member: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream((member as u64) << 8 | purpose as u64);
    rng
}

/// Normal numbers of mean 0 and standard deviation `scale` (Box and Muller, 1958).
pub(crate) fn normals(rng: &mut impl Rng, n: usize, scale: f32) -> Vec<f32> {
    let mut normal = || {
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
        (radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()) as f32
    };
    (0..n).map(|_| scale * normal()).collect()
}
