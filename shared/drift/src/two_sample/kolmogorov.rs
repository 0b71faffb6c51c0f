//! The law of the one-sample two-sided Kolmogorov-Smirnov statistic for finite n.
//!
//! No single formula is both exact and cheap everywhere, so the plane of (n, d) is divided as Simard and L'Ecuyer (2011,
//! doi:10.18637/jss.v039.i11) recommend: Durbin's matrix where it is small, twice the one-sided law in the tail, where both
//! sides at once are impossible or negligible, and the expansion of Pelz and Good between them.

use std::f64::consts::PI;

use ndarray::Array2;
use statrs::function::gamma::ln_gamma;

/// Up to this n the matrix is small for every `d` at which it is needed.
const SMALL_N: u64 = 140;

/// `P(D_n >= d)`, in [0, 1].
pub(super) fn two_sided_sf(n: u64, d: f64) -> f64 {
    if d >= 1.0 {
        return 0.0;
    }
    let n_float = n as f64;
    let z_squared = n_float * d * d;
    let z = z_squared.sqrt();
    // Below 0.2 the distribution function is under 1e-12.
    if d <= 0.0 || n_float * d <= 0.5 || (n > SMALL_N && z < 0.2) {
        return 1.0;
    }
    let tail_from = if n <= SMALL_N { 4.0 } else { 2.2 };
    if d >= 0.5 || z_squared >= tail_from {
        return (2.0 * one_sided_sf(n, d)).min(1.0);
    }
    let matrix_is_small = n <= SMALL_N || (n <= 100_000 && n_float * d.powf(1.5) <= 1.4);
    let cdf = if matrix_is_small { durbin_cdf(n, d) } else { pelz_good_cdf(n_float, z) };
    (1.0 - cdf).clamp(0.0, 1.0)
}

/// `P(D_n+ >= d)` of the one-sided statistic: `d * sum over j of C(n, j) (d + j/n)^(j-1) (1 - d - j/n)^(n-j)` for
/// `j <= n (1 - d)`. Birnbaum, Tingey (1951), doi:10.1214/aoms/1177729550.
///
/// Each term is a binomial probability times `d / (d + j/n)`, taken in Loader's saddle-point form, which neither overflows
/// nor cancels. For large n the terms are a smooth function that is flat to all orders at both ends, so that every
/// (n / `NODES`)-th term gives the sum to full precision.
fn one_sided_sf(n: u64, d: f64) -> f64 {
    const NODES: u64 = 4096;
    let n_float = n as f64;
    // Beyond this the probability is below the smallest double.
    if n_float * d * d > 370.0 {
        return 0.0;
    }
    let step = if n > 2 * NODES { n_float / NODES as f64 } else { 1.0 };
    let last = n_float * (1.0 - d);
    let shift = n_float * d;
    let log_scale = stirling_error(n_float);
    // The term of j = 0.
    let mut sum = if step > 1.0 { 0.0 } else { (n_float * (-d).ln_1p()).exp() };
    let mut node: f64 = 1.0;
    loop {
        let j = node * step;
        if j >= last {
            break;
        }
        let rest = n_float - j;
        let deviance = -j * (shift / j).ln_1p() - rest * (-shift / rest).ln_1p();
        let log_factor = log_scale - stirling_error(j) - stirling_error(rest) - deviance;
        let probability = log_factor.exp() * (n_float / (2.0 * PI * j * rest)).sqrt();
        sum += step * probability * shift / (shift + j);
        node += 1.0;
    }
    sum.min(1.0)
}

/// `ln(x!)` less Stirling's `ln(sqrt(2 pi x) (x/e)^x)`.
fn stirling_error(x: f64) -> f64 {
    if x < 16.0 {
        return ln_gamma(x + 1.0) - (0.5 * (2.0 * PI * x).ln() + x * x.ln() - x);
    }
    let inverse_square = 1.0 / (x * x);
    let series = 1.0 / 1260.0 - inverse_square / 1680.0;
    (1.0 / 12.0 - inverse_square * (1.0 / 360.0 - inverse_square * series)) / x
}

/// `P(D_n < d)` by Durbin's matrix: the middle element of `n!/n^n H^n`, with a matrix `H` of order `2k - 1` for
/// `d = (k - h)/n`. Marsaglia, Tsang, Wang (2003), doi:10.18637/jss.v008.i18.
fn durbin_cdf(n: u64, d: f64) -> f64 {
    let shift = n as f64 * d;
    let k = shift.floor() as usize + 1;
    let h = k as f64 - shift;
    let order = 2 * k - 1;

    let mut inverse_factorial = vec![1.0; order + 1];
    for i in 1..=order {
        inverse_factorial[i] = inverse_factorial[i - 1] / i as f64;
    }
    let border = |i: usize| (1.0 - h.powi(i as i32 + 1)) * inverse_factorial[i + 1];
    let corner = 1.0 - 2.0 * h.powi(order as i32) + (2.0 * h - 1.0).max(0.0).powi(order as i32);
    let matrix = Array2::from_shape_fn((order, order), |(row, column)| {
        if column == 0 && row == order - 1 {
            corner * inverse_factorial[order]
        } else if column == 0 {
            border(row)
        } else if row == order - 1 {
            border(order - 1 - column)
        } else if row + 1 >= column {
            inverse_factorial[row + 1 - column]
        } else {
            0.0
        }
    });

    let (power, log_scale) = scaled_power(matrix, n);
    let middle = power[[k - 1, k - 1]];
    if middle <= 0.0 {
        return 0.0;
    }
    let n_float = n as f64;
    (middle.ln() + log_scale + ln_gamma(n_float + 1.0) - n_float * n_float.ln()).exp().min(1.0)
}

/// `(P, s)` with `matrix^exponent = P * e^s`, by repeated squaring, rescaled so that nothing overflows.
fn scaled_power(matrix: Array2<f64>, exponent: u64) -> (Array2<f64>, f64) {
    let order = matrix.nrows();
    let mut power = Array2::eye(order);
    let mut power_scale = 0.0;
    let mut base = matrix;
    let mut base_scale = 0.0;
    let mut left = exponent;
    while left > 0 {
        if left & 1 == 1 {
            power = power.dot(&base);
            power_scale += base_scale + normalise(&mut power);
        }
        left >>= 1;
        if left > 0 {
            base = base.dot(&base);
            base_scale = 2.0 * base_scale + normalise(&mut base);
        }
    }
    (power, power_scale)
}

/// Divides by the largest element and returns its logarithm.
fn normalise(matrix: &mut Array2<f64>) -> f64 {
    let largest = matrix.iter().fold(0.0_f64, |largest, &value| largest.max(value));
    if largest == 0.0 {
        return 0.0;
    }
    *matrix /= largest;
    largest.ln()
}

/// `P(D_n < z / sqrt(n))` up to terms of order `n^-2`: Pelz, Good (1976), doi:10.1111/j.2517-6161.1976.tb01578.x, in the
/// form with theta functions that converges fast for small z.
fn pelz_good_cdf(n: f64, z: f64) -> f64 {
    let z2 = z * z;
    let z4 = z2 * z2;
    let z6 = z4 * z2;
    let pi2 = PI * PI;
    let mut sums = [0.0; 4];
    let mut integer_sums = [0.0; 2];
    for k in 1..=64 {
        let odd_square = f64::from((2 * k - 1) * (2 * k - 1));
        let weight = (-odd_square * pi2 / (8.0 * z2)).exp();
        if weight < 1e-18 {
            break;
        }
        // Powers of (pi m / 2)^2 for the odd numbers m.
        let a = pi2 * odd_square / 4.0;
        sums[0] += weight;
        sums[1] += weight * (a - z2);
        sums[2] += weight * (6.0 * z6 + 2.0 * z4 + (2.0 * z4 - 5.0 * z2) * a + (1.0 - 2.0 * z2) * a * a);
        sums[3] += weight
            * (-30.0 * z6 - 90.0 * z4 * z4
                + (135.0 * z4 - 96.0 * z6) * a
                + (212.0 * z4 - 60.0 * z2) * a * a
                + (5.0 - 30.0 * z2) * a * a * a);

        let square = f64::from(k * k);
        let integer_weight = square * (-square * pi2 / (2.0 * z2)).exp();
        integer_sums[0] += integer_weight;
        integer_sums[1] += integer_weight * (3.0 * z2 - pi2 * square);
    }
    let root = (2.0 * PI).sqrt();
    let k0 = root / z * sums[0];
    let k1 = root / (6.0 * z4) * sums[1];
    let k2 = root * (sums[2] / (72.0 * z6 * z) - pi2 / (36.0 * z2 * z) * integer_sums[0]);
    let k3 = root * (sums[3] / (6480.0 * z6 * z4) + pi2 / (216.0 * z6) * integer_sums[1]);
    k0 + k1 / n.sqrt() + k2 / n + k3 / (n * n.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_scipy_in_every_region() {
        // scipy 1.17.1 kstwo.sf(d, n)
        let cases = [
            (1, 0.7, 0.6000000000000001),
            (3, 0.5196152, 0.2891337458866319),
            (3, 0.6928203, 0.057970564765435585),
            (10, 0.1106797, 0.9981917374507765),
            (10, 0.1897367, 0.8007674665923922),
            (10, 0.3478505, 0.13840887632240817),
            (10, 0.5375872, 0.003136788876781628),
            (10, 0.6957011, 2.3027606883618038e-05),
            (140, 0.0253546, 0.999973645796721),
            (140, 0.0676123, 0.5220848077987609),
            (140, 0.1352247, 0.010777994139946108),
            (140, 0.1681857, 0.0006249367570589739),
            (140, 0.2112886, 5.807972097410823e-06),
            (141, 0.0378968, 0.9828406027176323),
            (141, 0.0757937, 0.3740035926894816),
            (141, 0.122112, 0.027298626985657215),
            (141, 0.1263228, 0.020234587324329773),
            (141, 0.2526456, 2.0282400658321813e-08),
            (1000, 0.0079057, 0.9999999433368475),
            (1000, 0.0158114, 0.960561363981941),
            (1000, 0.0316228, 0.2644084608105619),
            (1000, 0.0468017, 0.024233200915711017),
            (1000, 0.0632456, 0.000639757274530882),
            (1000, 0.1264911, 2.089684700009664e-14),
            (9000, 0.0031623, 0.9999891737732736),
            (9000, 0.0126491, 0.11130461136763747),
            (9000, 0.0158114, 0.021981809239525807),
            (9000, 0.0632456, 9.690936729605013e-32),
            (50000, 0.0017889, 0.9971153746393192),
            (50000, 0.0044721, 0.26921050147717795),
            (50000, 0.0076026, 0.006146192283912811),
            (50000, 0.0223607, 3.7798506446342085e-22),
            (50000, 0.067082, 4.510870065233856e-196),
            (500000, 0.0007071, 0.9637975364715725),
            (500000, 0.0018385, 0.06800316113935845),
            (500000, 0.0024042, 0.00616641209923663),
            (500000, 0.0056569, 2.5214552712957654e-14),
            (500000, 0.0141421, 2.7205344111501343e-87),
        ];
        for (n, d, expected) in cases {
            let value = two_sided_sf(n, d);
            assert!((value / expected - 1.0).abs() < 1e-6, "n {n}, d {d}: {value} is not {expected}");
        }
    }
}
