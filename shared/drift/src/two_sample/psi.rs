//! Population stability index.

use super::{quantile, share_pairs};

/// Bins of a number column.
pub const BINS: usize = 10;

/// Shares below this count as this, so that an empty bin costs a finite amount.
pub const FLOOR: f64 = 1e-4;

/// Population stability index of two histograms: `sum over bins of (c - r) * ln(c / r)`, with the shares `r` of the
/// reference and `c` of the current rows floored at [`FLOOR`] and not renormalised.
///
/// In [0, about 18]; 0 for equal shares. With no drift it averages `(bins - 1) * (1/n + 1/m)`, so a fixed cut-off of 0.1
/// alarms on every second batch of 300 rows.
///
/// # Shapes
/// Both are counts, `[n_bins]`, of the same length. A side without rows gives 0.
///
/// # NaN policy
/// Missing values are not counted.
///
/// # Source
/// Siddiqi (2006), Credit Risk Scorecards; natural logarithm.
///
/// ```
/// let psi = drift::two_sample::psi::from_counts(&[143, 57], &[117, 83]);
/// assert!((psi - 0.07493980460514588).abs() < 1e-9); // numpy 2.4.6
/// ```
pub fn from_counts(reference: &[u64], current: &[u64]) -> f64 {
    let mut psi = 0.0;
    for (share_reference, share_current) in share_pairs(reference, current) {
        let (share_reference, share_current) = (share_reference.max(FLOOR), share_current.max(FLOOR));
        psi += (share_current - share_reference) * (share_current / share_reference).ln();
    }
    psi
}

/// The inner edges of the reference's [`BINS`] quantile bins: numpy's linear quantiles at 0, 0.1, .. 1, duplicates
/// merged, the two outer ones left open.
///
/// # Shapes
/// `reference` is ascending, without NaN. The result has at most `BINS - 1` edges, ascending: none for a constant or
/// mostly constant column, which is then one bin.
///
/// ```
/// let reference: Vec<f64> = (0..100).map(|i| f64::from(i * i)).collect();
/// assert_eq!(drift::two_sample::psi::edges(&reference)[4], 2450.5); // numpy 2.4.6 quantile(0.5)
/// ```
pub fn edges(reference: &[f64]) -> Vec<f64> {
    if reference.is_empty() {
        return Vec::new();
    }
    // `i * 0.1` and not `i / 10`: the levels of numpy.linspace, bit for bit.
    let mut edges: Vec<f64> = (0..BINS).map(|i| quantile(reference, i as f64 * (1.0 / BINS as f64))).collect();
    edges.push(reference[reference.len() - 1]);
    edges.dedup();
    edges.pop();
    edges.split_off(edges.len().min(1))
}

/// How many values fall into each bin `[edge, next edge)`; the first and the last bin are open.
///
/// # Shapes
/// `sorted` is ascending, without NaN; `edges` is ascending, `[n_bins - 1]`; the result is `[n_bins]`.
pub fn histogram(sorted: &[f64], edges: &[f64]) -> Vec<u64> {
    let mut counts = Vec::with_capacity(edges.len() + 1);
    let mut start = 0;
    for &edge in edges {
        let end = start + sorted[start..].partition_point(|&value| value < edge);
        counts.push((end - start) as u64);
        start = end;
    }
    counts.push((sorted.len() - start) as u64);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_and_constant_quantiles() {
        assert!(edges(&[]).is_empty());
        assert!(edges(&[1.0; 20]).is_empty());
        // Nine in ten are zero, so only the last two quantiles differ, and both are outer edges.
        let mostly_zero: Vec<f64> = (0..100).map(|i| f64::from(u8::from(i >= 95))).collect();
        assert!(edges(&mostly_zero).is_empty());
    }

    #[test]
    fn a_value_on_an_edge_belongs_to_the_bin_above() {
        assert_eq!(histogram(&[0.0, 1.0, 1.0, 2.0, 3.0], &[1.0, 2.0]), [1, 2, 2]);
        assert_eq!(histogram(&[], &[1.0]), [0, 0]);
    }
}
