//! What bends the sums of a layer, written so that the compiler computes many values at once.

use std::f32::consts::{LN_2, LOG2_E};

/// Adding and subtracting it rounds a number of magnitude below 2^22 to the nearest integer.
const ROUNDER: f32 = 12_582_912.0;
/// Exponents of two beyond this would leave the finite numbers.
const MAX_EXPONENT: f32 = 126.0;
/// SiLU of anything below is less than 1e-36.
const LEAST: f32 = -90.0;

/// `x -> x / (1 + e^-x)` on every value, to about 1e-7 of it.
///
/// # Source
/// Elfwing, Uchibe, Doya, "Sigmoid-weighted linear units" (2017).
pub fn silu(values: &mut [f32]) {
    for value in values {
        // Below this the answer is zero to any precision; without the bound a huge negative sum would not be.
        *value = value.max(LEAST) / (1.0 + exp(-*value));
    }
}

/// [`silu`] of every value, and in `slopes`, of the same shape, its derivative there.
pub fn silu_with_slopes(values: &mut [f32], slopes: &mut [f32]) {
    for (value, slope) in values.iter_mut().zip(slopes) {
        let (x, share) = (value.max(LEAST), 1.0 / (1.0 + exp(-*value)));
        *value = x * share;
        *slope = share * (1.0 + x * (1.0 - share));
    }
}

/// `x -> 1 / (1 + e^-2x)` on every value, to about 1e-7.
pub fn sigmoid_of_twice(values: &mut [f32]) {
    for value in values {
        *value = 1.0 / (1.0 + exp(-2.0 * *value));
    }
}

/// The share with which a row reaches each leaf of a tree: products of the answers and their opposites, the last question's
/// yes before its no. `shares` has `2^answers` places.
pub fn leaves(answers: &[f32], shares: &mut [f32]) {
    shares[0] = 1.0;
    for (question, answer) in answers.iter().enumerate() {
        let (yes, no) = shares[..2 << question].split_at_mut(1 << question);
        for (yes, no) in yes.iter_mut().zip(no) {
            *no = *yes * (1.0 - answer);
            *yes *= answer;
        }
    }
}

/// `e^x`, to about 1e-7 of it, between `2^-126` and `2^126`: `2^n` by its bits, times the Taylor series of the rest, which
/// lies within half a power of two.
fn exp(x: f32) -> f32 {
    let exponent = (x * LOG2_E).clamp(-MAX_EXPONENT, MAX_EXPONENT);
    let whole = (exponent + ROUNDER) - ROUNDER;
    let rest = (exponent - whole) * LN_2;
    let series = 1.0
        + rest * (1.0 + rest * (0.5 + rest * (1.0 / 6.0 + rest * (1.0 / 24.0 + rest * (1.0 / 120.0 + rest / 720.0)))));
    f32::from_bits(((whole as i32 + 127) << 23) as u32) * series
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sigmoids_are_sigmoids() {
        for step in -4000..=4000 {
            let x = step as f32 * 0.02;
            let mut value = [x];
            sigmoid_of_twice(&mut value);
            let expected = 1.0 / (1.0 + (-2.0 * f64::from(x)).exp());
            assert!((f64::from(value[0]) - expected).abs() < 2e-7, "{x}: {expected}, not {}", value[0]);
        }
    }

    #[test]
    fn slopes_are_those_of_silu() {
        for step in -400..=400 {
            let x = step as f32 * 0.05;
            let (mut values, mut slopes) = ([x], [0.0]);
            silu_with_slopes(&mut values, &mut slopes);
            let mut alone = [x];
            silu(&mut alone);
            assert!((values[0] - alone[0]).abs() <= 1e-6 * alone[0].abs().max(0.1), "{x}");
            let silu = |x: f64| x / (1.0 + (-x).exp());
            let expected = (silu(f64::from(x) + 1e-5) - silu(f64::from(x) - 1e-5)) / 2e-5;
            assert!((f64::from(slopes[0]) - expected).abs() < 1e-5, "{x}: {expected}, not {}", slopes[0]);
        }
    }

    #[test]
    fn it_is_silu_everywhere() {
        let check = |x: f32| {
            let mut value = [x];
            silu(&mut value);
            let expected = f64::from(x) / (1.0 + (-f64::from(x)).exp());
            let error = (f64::from(value[0]) - expected).abs();
            assert!(error <= 6e-7 * expected.abs().max(0.1), "silu({x}) is {expected}, not {}", value[0]);
        };
        (-4000..=4000).for_each(|step| check(step as f32 * 0.02));
        [0.0, -0.0, 1e-30, 300.0, 1e30, f32::MAX, -300.0, -1e30, f32::MIN].into_iter().for_each(check);
    }
}
