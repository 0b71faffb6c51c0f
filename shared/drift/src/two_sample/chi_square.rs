//! Chi-square test of homogeneity, for categories.

use statrs::distribution::{ChiSquared, ContinuousCDF};

/// The outcome of a chi-square test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChiSquare {
    /// Pearson's statistic, 0 or more.
    pub statistic: f64,
    /// Degrees of freedom: categories with any row, less one.
    pub dof: usize,
    /// Probability of a statistic at least as large under one common distribution.
    pub p_value: f64,
}

impl ChiSquare {
    /// The outcome with the p-value of the chi-square law.
    pub(super) fn new(statistic: f64, dof: usize) -> Self {
        // Only zero degrees of freedom are refused: one category on both sides is always homogeneous.
        let p_value = ChiSquared::new(dof as f64).map_or(1.0, |law| law.sf(statistic));
        Self { statistic, dof, p_value: p_value.clamp(0.0, 1.0) }
    }
}

/// Fewest rows that a cell of the pooled table should expect (Cochran's rule).
pub const MIN_EXPECTED: f64 = 5.0;

/// Pearson's chi-square test of homogeneity of the `2 x k` table, without Yates' correction:
/// `sum over sides and categories of (observed - expected)^2 / expected`, `k - 1` degrees of freedom. Categories that
/// neither side has are left out.
///
/// Homogeneity, not goodness of fit: the reference is a sample too. Taking its shares for the truth doubles the statistic
/// at equal sizes, and alarms on every fourth batch without drift.
///
/// # Shapes
/// Both are counts, `[n_categories]`, aligned; a shorter one is taken to end in zeros. A side without rows, or fewer than
/// two categories, gives statistic 0 and p-value 1.
///
/// # NaN policy
/// Missing values are not counted.
///
/// # Source
/// Pearson (1900), doi:10.1080/14786440009463897; equals scipy 1.17.1 `chi2_contingency(correction=False)`.
///
/// ```
/// let test = drift::two_sample::chi_square::homogeneity(&[143, 57], &[117, 83]);
/// assert!((test.statistic - 7.428571428571429).abs() < 1e-9); // scipy 1.17.1
/// assert!((test.p_value / 0.0064196285414337044 - 1.0).abs() < 1e-6);
/// ```
pub fn homogeneity(reference: &[u64], current: &[u64]) -> ChiSquare {
    let (statistic, dof) = cells(reference, current, |observed, total, n_side, n_both| {
        let expected = total * n_side / n_both;
        (observed - expected).powi(2) / expected
    });
    ChiSquare::new(statistic, dof)
}

/// The sum of a term over the cells of the `2 x k` table, and its degrees of freedom: categories with any row, less one. Of a
/// cell the term gets the rows, those of its category on both sides, those of its side, and all.
///
/// A side without rows gives 0 and 0.
pub(super) fn cells(reference: &[u64], current: &[u64], term: impl Fn(f64, f64, f64, f64) -> f64) -> (f64, usize) {
    let n_reference = reference.iter().sum::<u64>() as f64;
    let n_current = current.iter().sum::<u64>() as f64;
    if n_reference == 0.0 || n_current == 0.0 {
        return (0.0, 0);
    }
    let n_both = n_reference + n_current;
    let mut sum = 0.0;
    let mut n_categories: usize = 0;
    for (a, b) in aligned(reference, current).filter(|&(a, b)| a + b > 0) {
        let total = (a + b) as f64;
        sum += term(a as f64, total, n_reference, n_both) + term(b as f64, total, n_current, n_both);
        n_categories += 1;
    }
    (sum, n_categories.saturating_sub(1))
}

/// The same counts with rare categories pooled, so that each cell expects at least [`MIN_EXPECTED`] rows.
///
/// Categories are taken from the most to the least frequent over both sides together and joined until the smaller side
/// expects enough; what is left at the end joins the last cell. The order depends on the totals alone, which the null
/// hypothesis leaves free, so the test keeps its level. Rare categories go into several cells rather than into one, so
/// that a batch full of one rare category is still seen.
///
/// # Shapes
/// As [`homogeneity`]; the result has at most as many cells. Equal totals stay in the order given, which must not tell
/// which side a category comes from: by name, say, never with the new categories last.
///
/// ```
/// use drift::two_sample::chi_square::pool_rare;
/// assert_eq!(pool_rare(&[50, 40, 3, 2, 1], &[45, 35, 2, 3, 2]), (vec![50, 40, 6], vec![45, 35, 7]));
/// ```
pub fn pool_rare(reference: &[u64], current: &[u64]) -> (Vec<u64>, Vec<u64>) {
    let n_reference = reference.iter().sum::<u64>() as f64;
    let n_current = current.iter().sum::<u64>() as f64;
    let smaller_share = n_reference.min(n_current) / (n_reference + n_current);

    let mut cells: Vec<(u64, u64)> = aligned(reference, current).filter(|&(a, b)| a + b > 0).collect();
    cells.sort_by_key(|&(a, b)| std::cmp::Reverse(a + b));

    let mut pooled: Vec<(u64, u64)> = Vec::with_capacity(cells.len());
    let mut open: (u64, u64) = (0, 0);
    for (a, b) in cells {
        open = (open.0 + a, open.1 + b);
        if (open.0 + open.1) as f64 * smaller_share >= MIN_EXPECTED {
            pooled.push(open);
            open = (0, 0);
        }
    }
    match pooled.last_mut() {
        Some(last) => *last = (last.0 + open.0, last.1 + open.1),
        None => pooled.push(open),
    }
    pooled.into_iter().unzip()
}

/// Pairs of counts; the shorter side ends in zeros.
pub(super) fn aligned<'a>(reference: &'a [u64], current: &'a [u64]) -> impl Iterator<Item = (u64, u64)> + 'a {
    let count = |counts: &[u64], idx: usize| counts.get(idx).copied().unwrap_or(0);
    (0..reference.len().max(current.len())).map(move |idx| (count(reference, idx), count(current, idx)))
}

/// The test of a `2 x 2` table with Yates' correction, which keeps the level where counts are small: every difference
/// between observed and expected counts is brought half a row nearer to 0, but not across it.
///
/// # Shapes
/// Both are the counts of the same two categories. A side or a category without rows gives statistic 0 and p-value 1.
///
/// # Source
/// Yates (1934), doi:10.2307/2983604; equals scipy 1.17.1 `chi2_contingency(correction=True)`.
///
/// ```
/// let test = drift::two_sample::chi_square::yates([143, 57], [117, 83]);
/// assert!((test.statistic - 6.868131868131869).abs() < 1e-9); // scipy 1.17.1
/// assert!((test.p_value / 0.008774633060101168 - 1.0).abs() < 1e-6);
/// ```
pub fn yates(reference: [u64; 2], current: [u64; 2]) -> ChiSquare {
    let [[a, c], [b, d]] = [reference, current].map(|side| side.map(|count| count as f64));
    let margins = (a + b) * (c + d) * (a + c) * (b + d);
    if margins == 0.0 {
        return ChiSquare::new(0.0, 0);
    }
    let n_both = a + b + c + d;
    let difference = ((a * d - b * c).abs() - n_both / 2.0).max(0.0);
    ChiSquare::new(n_both * difference * difference / margins, 1)
}

/// p-value of two proportions of these totals, by [`yates`].
pub(crate) fn two_proportions(hits: (u64, u64), totals: (u64, u64)) -> f64 {
    yates([hits.0, totals.0 - hits.0], [hits.1, totals.1 - hits.1]).p_value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homogeneity_equals_scipy() {
        // scipy 1.17.1 chi2_contingency(correction=False)
        let ten =
            homogeneity(&[189, 190, 149, 95, 101, 77, 96, 55, 35, 13], &[190, 162, 137, 116, 116, 93, 73, 57, 42, 14]);
        assert!((ten.statistic - 11.20549633285764).abs() < 1e-9);
        assert!((ten.p_value / 0.2618858571190011 - 1.0).abs() < 1e-6);
        let new = homogeneity(&[46, 33, 21, 0], &[41, 23, 16, 5]);
        assert!((new.statistic - 6.575760045397468).abs() < 1e-9);
        assert_eq!(new.dof, 3);
    }

    #[test]
    fn yates_equals_scipy() {
        // scipy 1.17.1 chi2_contingency([[143, 57], [117, 83]], correction=True)
        let p_value = two_proportions((57, 83), (200, 200));
        assert!((p_value / 0.008774633060101168 - 1.0).abs() < 1e-6, "{p_value}");
        assert_eq!(two_proportions((0, 0), (100, 10)), 1.0);
        // A difference of less than half a row is none.
        assert_eq!(yates([5, 5], [6, 5]).statistic, 0.0);
    }

    #[test]
    fn degenerate_tables_are_homogeneous() {
        for (reference, current) in [(vec![], vec![]), (vec![5], vec![9]), (vec![5, 5], vec![0, 0])] {
            assert_eq!(homogeneity(&reference, &current).p_value, 1.0);
        }
    }

    #[test]
    fn a_batch_of_one_rare_category_is_seen() {
        let reference = vec![500; 200];
        let mut current = vec![0; 200];
        current[17] = 300;
        let (reference, current) = pool_rare(&reference, &current);
        assert!(homogeneity(&reference, &current).p_value < 1e-12);
    }
}
