use rand::SeedableRng;
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
