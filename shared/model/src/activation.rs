//! What bends the sums of a layer, many values at once.

use std::f32::consts::{LN_2, LOG2_E};

use pulp::{Arch, Simd, WithSimd};

/// Adding it rounds a number of magnitude below 2^22 to the nearest integer, which then stands in the lowest bits;
/// subtracting it gives that integer.
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
    Arch::new().dispatch(Silu(values));
}

/// [`silu`] of every value, and in `slopes`, of the same shape, its derivative there.
pub fn silu_with_slopes(values: &mut [f32], slopes: &mut [f32]) {
    Arch::new().dispatch(SiluWithSlopes { values, slopes });
}

/// `x -> 1 / (1 + e^-2x)` on every value, to about 1e-7.
pub fn sigmoid_of_twice(values: &mut [f32]) {
    Arch::new().dispatch(SigmoidOfTwice(values));
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

struct Silu<'a>(&'a mut [f32]);

impl WithSimd for Silu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (least, one) = (simd.splat_f32s(LEAST), simd.splat_f32s(1.0));
        for_each(
            simd,
            self.0,
            #[inline(always)]
            |x| {
                // Below this the answer is zero to any precision; without the bound a huge negative sum would not be.
                let bounded = simd.max_f32s(x, least);
                simd.div_f32s(bounded, simd.add_f32s(one, exp(simd, simd.neg_f32s(x))))
            },
        );
    }
}

struct SiluWithSlopes<'a> {
    values: &'a mut [f32],
    slopes: &'a mut [f32],
}

impl WithSimd for SiluWithSlopes<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (values, last_values) = S::as_mut_simd_f32s(self.values);
        let (slopes, last_slopes) = S::as_mut_simd_f32s(self.slopes);
        for (value, slope) in values.iter_mut().zip(slopes) {
            (*value, *slope) = silu_and_slope(simd, *value);
        }
        let (value, slope) = silu_and_slope(simd, simd.partial_load_f32s(last_values));
        simd.partial_store_f32s(last_values, value);
        simd.partial_store_f32s(last_slopes, slope);
    }
}

#[inline(always)]
fn silu_and_slope<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
    let (least, one) = (simd.splat_f32s(LEAST), simd.splat_f32s(1.0));
    let bounded = simd.max_f32s(x, least);
    let share = simd.div_f32s(one, simd.add_f32s(one, exp(simd, simd.neg_f32s(x))));
    let rest = simd.mul_f32s(bounded, simd.sub_f32s(one, share));
    (simd.mul_f32s(bounded, share), simd.mul_f32s(share, simd.add_f32s(one, rest)))
}

struct SigmoidOfTwice<'a>(&'a mut [f32]);

impl WithSimd for SigmoidOfTwice<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (twice, one) = (simd.splat_f32s(-2.0), simd.splat_f32s(1.0));
        for_each(
            simd,
            self.0,
            #[inline(always)]
            |x| simd.div_f32s(one, simd.add_f32s(one, exp(simd, simd.mul_f32s(twice, x)))),
        );
    }
}

#[inline(always)]
fn for_each<S: Simd>(simd: S, values: &mut [f32], bend: impl Fn(S::f32s) -> S::f32s) {
    let (vectors, rest) = S::as_mut_simd_f32s(values);
    for vector in vectors {
        *vector = bend(*vector);
    }
    let bent = bend(simd.partial_load_f32s(rest));
    simd.partial_store_f32s(rest, bent);
}

// Closures that call vector instructions are marked to be inlined: compiled by themselves, they are not for a processor that
// has these instructions, and every one of them becomes a call.

/// `e^x`, to about 1e-7 of it, between `2^-126` and `2^126`: `2^n` by its bits, times the Taylor series of the rest, which
/// lies within half a power of two.
#[inline(always)]
fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let all = |value| simd.splat_f32s(value);
    let exponent = simd.mul_f32s(x, all(LOG2_E));
    let exponent = simd.min_f32s(simd.max_f32s(exponent, all(-MAX_EXPONENT)), all(MAX_EXPONENT));
    let rounded = simd.add_f32s(exponent, all(ROUNDER));
    let whole = simd.sub_f32s(rounded, all(ROUNDER));
    let rest = simd.mul_f32s(simd.sub_f32s(exponent, whole), all(LN_2));
    let mut series = all(1.0 / 720.0);
    for factor in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        series = simd.mul_add_e_f32s(series, rest, all(factor));
    }
    // The rounder's own bits are shifted out.
    let power = simd.add_u32s(simd.transmute_u32s_f32s(rounded), simd.splat_u32s(127));
    let power = simd.wrapping_dyn_shl_u32s(power, simd.splat_u32s(23));
    simd.mul_f32s(simd.transmute_f32s_u32s(power), series)
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
