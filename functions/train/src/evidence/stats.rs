//! Small statistics that several parts of the evidence rest on.

/// The quantile at `level` of sorted numbers; none without numbers.
pub(super) fn quantile(sorted: &[f64], level: f64) -> Option<f64> {
    (!sorted.is_empty()).then(|| features::quantile(sorted, level))
}

/// The numbers that are not missing, in rising order.
pub(super) fn sorted(numbers: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = numbers.iter().copied().filter(|number| !number.is_nan()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

/// The arithmetic mean; none without numbers.
pub(super) fn mean(numbers: &[f64]) -> Option<f64> {
    (!numbers.is_empty()).then(|| numbers.iter().sum::<f64>() / numbers.len() as f64)
}

/// The sample standard deviation; none of fewer than two numbers.
pub(super) fn standard_deviation(numbers: &[f64]) -> Option<f64> {
    let mean = mean(numbers).filter(|_| numbers.len() > 1)?;
    let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
    Some((squares / (numbers.len() - 1) as f64).sqrt())
}

/// The standard error of the mean; none of fewer than two numbers.
pub(super) fn standard_error(numbers: &[f64]) -> Option<f64> {
    Some(standard_deviation(numbers)? / (numbers.len() as f64).sqrt())
}

/// Ranks from 1, equal numbers sharing the middle of theirs.
pub(super) fn mid_ranks(numbers: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_unstable_by(|a, b| numbers[*a].total_cmp(&numbers[*b]));
    let mut ranks = vec![0.0; numbers.len()];
    let mut below = 0;
    for equal in order.chunk_by(|a, b| numbers[*a] == numbers[*b]) {
        let rank = below as f64 + (equal.len() as f64 + 1.0) / 2.0;
        equal.iter().for_each(|row| ranks[*row] = rank);
        below += equal.len();
    }
    ranks
}

/// Inner edges that cut sorted numbers into `n_bins` equally full bins; fewer where numbers repeat.
///
/// A number's bin is how many edges lie below it, so that equal numbers share one.
pub(super) fn edges(sorted: &[f64], n_bins: usize) -> Vec<f64> {
    let levels = (1..n_bins).map(|bin| bin as f64 / n_bins as f64);
    let mut edges: Vec<f64> = levels.filter_map(|level| quantile(sorted, level)).collect();
    edges.dedup();
    // An edge with no number above it makes an empty bin.
    edges.retain(|edge| sorted.last().is_some_and(|largest| edge < largest));
    edges
}

/// The bin of a number between these edges.
pub(super) fn bin(edges: &[f64], number: f64) -> usize {
    edges.partition_point(|edge| *edge < number)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected values: numpy 2 (`quantile`, `std(ddof=1)`) and scipy 1 (`rankdata`).
    #[test]
    fn statistics_are_those_of_numpy_and_scipy() {
        let numbers = [4.0, 1.0, 1.0, 10.0, 7.0];
        assert!((quantile(&sorted(&numbers), 0.3).unwrap() - 1.6).abs() < 1e-12);
        assert_eq!(mean(&numbers), Some(4.6));
        assert!((standard_deviation(&numbers).unwrap() - 3.911521443121589).abs() < 1e-12);
        assert!((standard_error(&numbers).unwrap() - 1.7492855684535898).abs() < 1e-12);
        assert_eq!(mid_ranks(&numbers), [3.0, 1.5, 1.5, 5.0, 4.0]);
        assert_eq!((quantile(&[], 0.5), mean(&[]), standard_error(&[1.0])), (None, None, None));
    }

    #[test]
    fn equal_numbers_share_a_bin() {
        let numbers = sorted(&[1.0, 1.0, 1.0, 1.0, 2.0, 3.0, f64::NAN]);
        assert_eq!(numbers.len(), 6);
        let edges = edges(&numbers, 4);
        assert_eq!(edges, [1.0, 1.75]);
        assert_eq!([1.0, 1.5, 2.0, 3.0].map(|number| bin(&edges, number)), [0, 1, 2, 2]);
        assert_eq!(super::edges(&[5.0, 5.0], 4), Vec::<f64>::new());
    }
}
