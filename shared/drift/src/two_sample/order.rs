//! Numbers in ascending order.

/// Below this many values a comparison sort is as fast.
const RADIX_ROWS: usize = 2_048;

/// Bits of a digit: its 2,048 counters stay in the first-level cache, and its places within what a core's address
/// translation holds.
const DIGIT_BITS: u32 = 11;

/// Digits that are sorted by. Values that differ in what is left are rare, and neighbours by then.
const DIGITS: usize = 3;

/// The finite values in ascending order; NaN and infinities are left out.
///
/// Bit patterns are sorted as integers, by their distance to the smallest one: its three leading digits from the least
/// to the most significant, then what still shares all of them. This costs time in proportion to the values, unless almost
/// all of them share those 33 bits, and then it is a comparison sort. A negative zero becomes zero, so that equal numbers are
/// equal bits.
pub fn sorted(values: &[f64]) -> Vec<f64> {
    let mut keys: Vec<u64> = Vec::with_capacity(values.len());
    let (mut least, mut largest) = (u64::MAX, 0);
    for value in values.iter().filter(|value| value.is_finite()) {
        let key = key(*value);
        least = least.min(key);
        largest = largest.max(key);
        keys.push(key);
    }
    if keys.len() < RADIX_ROWS {
        keys.sort_unstable();
    } else {
        keys = radix_sorted(keys, least, largest);
    }
    keys.into_iter().map(value).collect()
}

const SIGN: u64 = 1 << 63;

/// An integer that is ordered as the numbers are.
fn key(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

/// The number of a key.
fn value(key: u64) -> f64 {
    f64::from_bits(if key & SIGN == 0 { !key } else { key & !SIGN })
}

fn radix_sorted(mut keys: Vec<u64>, least: u64, largest: u64) -> Vec<u64> {
    let n_bits = u64::BITS - (largest - least).leading_zeros();
    let shift = n_bits.saturating_sub(DIGIT_BITS * DIGITS as u32);
    let digit =
        |key: u64, digit: u32| ((key - least) >> (shift + digit * DIGIT_BITS)) as usize & ((1 << DIGIT_BITS) - 1);

    let mut counts = [[0_usize; 1 << DIGIT_BITS]; DIGITS];
    for &key in &keys {
        for (place, counts) in counts.iter_mut().enumerate() {
            counts[digit(key, place as u32)] += 1;
        }
    }
    let mut other = vec![0; keys.len()];
    for (place, counts) in counts.iter_mut().enumerate() {
        if counts.contains(&keys.len()) {
            continue;
        }
        let mut start = 0;
        for count in counts.iter_mut() {
            start += std::mem::replace(count, start);
        }
        for &key in &keys {
            let next = &mut counts[digit(key, place as u32)];
            other[*next] = key;
            *next += 1;
        }
        std::mem::swap(&mut keys, &mut other);
    }
    if shift > 0 {
        for alike in keys.chunk_by_mut(|a, b| (a - least) >> shift == (b - least) >> shift) {
            if alike.len() > 1 {
                alike.sort_unstable();
            }
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn signs_are_in_order_and_what_is_not_finite_is_dropped() {
        let values = [3.0, f64::NAN, -0.0, -2.5, f64::INFINITY, 0.0, -1e300, 1e-300, f64::NEG_INFINITY];
        let ascending = sorted(&values);
        assert_eq!(ascending, [-1e300, -2.5, 0.0, 0.0, 1e-300, 3.0]);
        assert!(ascending[2].is_sign_positive());
    }

    #[test]
    fn many_values_are_as_a_comparison_sort_has_them() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let draws: [&mut dyn FnMut(usize) -> f64; 9] = [
            &mut |_| rng.random_range(-1.0..1.0),
            &mut |row| (row % 2) as f64,
            &mut |row| ((row * 7_919) % 1_000) as f64 - 500.0,
            &mut |_| 4.25,
            &mut |row| 1e9 + ((row * 7_919) % 9_973) as f64 * 1e-6,
            // All but one share their leading bits.
            &mut |row| if row == 77 { -1e300 } else { 1e9 + ((row * 7_919) % 9_973) as f64 * 1e-6 },
            &mut |row| ((row as f64).sin() * 700.0).exp() * if row % 3 == 0 { -1.0 } else { 1.0 },
            &mut |row| if row % 5 == 0 { f64::NAN } else { -(row as f64) },
            &mut |row| if row % 2 == 0 { 0.0 } else { -0.0 },
        ];
        for (which, draw) in draws.into_iter().enumerate() {
            let values: Vec<f64> = (0..20_000).map(draw).collect();
            let mut expected: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
            expected.sort_by(f64::total_cmp);
            let ascending = sorted(&values);
            assert_eq!(ascending, expected, "{which}");
            assert!(ascending.iter().all(|value| *value != 0.0 || value.is_sign_positive()), "{which}");
        }
    }
}
