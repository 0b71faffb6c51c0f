//! A column of categories.

use std::cmp::Reverse;

use indexmap::IndexMap;

use super::{Draft, all_on_one_side};
use crate::two_sample::chi_square;
use crate::{Category, Distribution, EffectMeasure, LISTED_CATEGORIES, Statistics, Test, null};

/// Categories shown by name in a plot; the rest is one bar.
const PLOTTED: usize = 11;

/// Compares counts by category; `current` may name a category more than once.
pub(super) fn draft<'a>(
    reference: &'a IndexMap<String, u64>,
    current: impl Iterator<Item = (&'a str, u64)>,
    floor: f64,
) -> Draft {
    let sides = Sides::align(reference, current);
    let (n, m) = (sides.reference.iter().sum(), sides.current.iter().sum());

    let (pooled_reference, pooled_current) = chi_square::pool_rare(&sides.reference, &sides.current);
    let test = chi_square::homogeneity(&pooled_reference, &pooled_current);
    let statistics = Statistics::of_categories(&sides.reference, &sides.current);
    let n_categories = sides.names.len();
    Draft {
        test: Test::ChiSquare,
        statistic: test.statistic,
        p_value: test.p_value,
        effect: statistics.jensen_shannon,
        effect_measure: EffectMeasure::JensenShannon,
        threshold: floor.max(null::jensen_shannon_quantile(&sides.reference, &sides.current)),
        statistics,
        new_categories: one_sided(&sides.names, &sides.current, &sides.reference, m, n),
        vanished_categories: one_sided(&sides.names, &sides.reference, &sides.current, n, m),
        n_categories,
        out_of_range: None,
        n_current: m,
        distribution: sides.distribution(n, m),
    }
}

/// Counts of both sides over the union of their categories, aligned.
struct Sides<'a> {
    names: Vec<&'a str>,
    reference: Vec<u64>,
    current: Vec<u64>,
}

impl<'a> Sides<'a> {
    fn align(reference: &'a IndexMap<String, u64>, current: impl Iterator<Item = (&'a str, u64)>) -> Self {
        let mut union: IndexMap<&'a str, (u64, u64)> =
            reference.iter().map(|(name, &count)| (name.as_str(), (count, 0))).collect();
        for (level, count) in current.filter(|&(_, count)| count > 0) {
            union.entry(level).or_default().1 += count;
        }
        // By name: an order that tells which side a category comes from would let equally rare new categories be pooled
        // with each other, and the test would take chance for drift.
        union.sort_unstable_keys();
        let mut sides = Sides { names: Vec::new(), reference: Vec::new(), current: Vec::new() };
        for (name, (count_reference, count_current)) in union {
            sides.names.push(name);
            sides.reference.push(count_reference);
            sides.current.push(count_current);
        }
        sides
    }

    /// The largest categories on either side, then `other`.
    fn distribution(&self, n: u64, m: u64) -> Distribution {
        let share = |count: u64, total: u64| count as f64 / total.max(1) as f64;
        let shares = |idx: usize| (share(self.reference[idx], n), share(self.current[idx], m));
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        order.sort_by(|&a, &b| {
            let largest = |idx: usize| shares(idx).0.max(shares(idx).1);
            largest(b).total_cmp(&largest(a))
        });
        let mut distribution = Distribution::default();
        // One category too many is shown by its name rather than as `other`.
        let shown = if order.len() == PLOTTED + 1 { PLOTTED + 1 } else { PLOTTED };
        let mut other = (0.0, 0.0);
        for (rank, &idx) in order.iter().enumerate() {
            let (share_reference, share_current) = shares(idx);
            if rank < shown {
                distribution.bins.push(self.names[idx].to_string());
                distribution.reference.push(share_reference);
                distribution.current.push(share_current);
            } else {
                other = (other.0 + share_reference, other.1 + share_current);
            }
        }
        if order.len() > shown {
            distribution.bins.push(format!("{} others", order.len() - shown));
            distribution.reference.push(other.0);
            distribution.current.push(other.1);
        }
        distribution
    }
}

/// The categories that `here` has and `there` lacks, largest first. Whether they matter is decided later, when the number
/// of columns is known.
fn one_sided(names: &[&str], here: &[u64], there: &[u64], n_here: u64, n_there: u64) -> Vec<Category> {
    // A side without any value lacks nothing: that is a matter of the missing rate.
    if n_there == 0 {
        return Vec::new();
    }
    let mut found: Vec<usize> = (0..names.len()).filter(|&idx| here[idx] > 0 && there[idx] == 0).collect();
    found.sort_by_key(|&idx| Reverse(here[idx]));
    found.truncate(LISTED_CATEGORIES);
    let category = |&idx: &usize| Category {
        category: names[idx].to_string(),
        share: here[idx] as f64 / n_here as f64,
        p_value: all_on_one_side(here[idx], n_here, n_there),
        drifted: false,
    };
    found.iter().map(category).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(&str, u64)]) -> IndexMap<String, u64> {
        pairs.iter().map(|&(name, count)| (name.to_string(), count)).collect()
    }

    fn names(categories: &[Category]) -> Vec<&str> {
        categories.iter().map(|category| category.category.as_str()).collect()
    }

    fn draft_of(reference: &[(&str, u64)], current: &[(&str, u64)]) -> Draft {
        draft(&counts(reference), current.iter().copied(), 0.1)
    }

    #[test]
    fn new_and_vanished_categories_are_listed_with_their_chance() {
        let draft = draft_of(&[("a", 90), ("b", 10)], &[("a", 95), ("c", 5)]);
        assert_eq!(names(&draft.new_categories), ["c"]);
        assert_eq!(names(&draft.vanished_categories), ["b"]);
        assert_eq!(draft.vanished_categories[0].share, 0.1);
        // scipy 1.17.1 hypergeom.pmf(10, 200, 10, 100) and hypergeom.pmf(5, 200, 5, 100)
        assert!((draft.vanished_categories[0].p_value / 0.0007710260627178504 - 1.0).abs() < 1e-6);
        assert!((draft.new_categories[0].p_value / 0.029691605234293292 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_side_without_values_lacks_no_category() {
        let draft = draft_of(&[("a", 90), ("b", 10)], &[]);
        assert!(draft.vanished_categories.is_empty());
        assert_eq!((draft.p_value, draft.effect, draft.threshold), (1.0, 0.0, 0.1));
    }

    #[test]
    fn a_plot_shows_the_largest_and_the_rest() {
        let names: Vec<String> = (0..30).map(|i| format!("c{i}")).collect();
        let reference: Vec<(&str, u64)> = names.iter().zip(1..).map(|(name, count)| (name.as_str(), count)).collect();
        let picture = draft_of(&reference, &[("c0", 3)]).distribution;
        assert_eq!(picture.bins.len(), PLOTTED + 1);
        assert_eq!(picture.bins[0], "c0");
        assert_eq!(picture.bins[PLOTTED], "19 others");
        assert!((picture.reference.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!((picture.current.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
}
