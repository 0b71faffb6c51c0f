//! Every statistic of a column, for those who decide by another one.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::two_sample::{
    anderson_darling, bins, chi_square, cramer_von_mises, g_test, hellinger, jensen_shannon, ks, psi, total_variation,
    wasserstein,
};

/// What each test and each distance says about one column. Decisions rest on the report's own `statistic` and `effect`.
///
/// A test that the column's kind has not, or whose sides are not known exactly, is absent. Distances between histograms are
/// over [bins of equal width](crate::two_sample::bins) for numbers and over all categories for categories.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Statistics {
    /// Kolmogorov-Smirnov, of numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ks: Option<Outcome>,
    /// Cramér-von Mises, of numbers that both sides hold whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cramer_von_mises: Option<Outcome>,
    /// Anderson-Darling, of numbers that both sides hold whole; its p-value is in [0.001, 0.25].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anderson_darling: Option<Outcome>,
    /// Chi-square homogeneity of all categories as they are, rare ones not pooled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chi_square: Option<Outcome>,
    /// G-test of all categories as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub g_test: Option<Outcome>,
    /// Wasserstein-1 in the column's own unit, of numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wasserstein: Option<f64>,
    /// Wasserstein-1 in standard deviations (ddof 0) of the reference, of numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wasserstein_sigmas: Option<f64>,
    /// Population stability index: over the reference's quantile bins, or over all categories.
    pub psi: f64,
    /// Jensen-Shannon distance in base 2, in [0, 1].
    pub jensen_shannon: f64,
    /// Hellinger distance, in [0, 1].
    pub hellinger: f64,
    /// Total variation distance, in [0, 1].
    pub total_variation: f64,
}

/// A test's outcome.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The statistic.
    pub statistic: f64,
    /// Probability of a statistic at least as large under one common distribution.
    pub p_value: f64,
}

/// One side of a column of numbers.
#[derive(Clone, Debug)]
pub(crate) struct Numbers<'a> {
    /// Values that are not missing.
    pub(crate) n: u64,
    /// All of them in ascending order, or order statistics of them.
    pub(crate) sorted: Cow<'a, [f64]>,
}

impl Numbers<'_> {
    fn is_whole(&self) -> bool {
        self.n == self.sorted.len() as u64
    }
}

impl Statistics {
    /// Of a column of numbers with this standard deviation of the reference.
    pub(crate) fn of_numbers(reference: &Numbers<'_>, current: &Numbers<'_>, reference_std: f64) -> Statistics {
        let (a, b) = (&*reference.sorted, &*current.sorted);
        let (n, m) = (reference.n, current.n);
        let d = ks::statistic(a, b);
        let distance = wasserstein::distance(a, b);
        let quantile_bins = psi::edges(a);
        let edges = bins::sturges(a, b);
        let mut statistics = Statistics {
            ks: Some(Outcome { statistic: d, p_value: ks::p_value(d, n, m) }),
            wasserstein: Some(distance),
            wasserstein_sigmas: Some(wasserstein::in_sigmas(distance, reference_std)),
            psi: psi::from_counts(&psi::histogram(a, &quantile_bins), &psi::histogram(b, &quantile_bins)),
            ..Self::of_counts(&psi::histogram(a, &edges), &psi::histogram(b, &edges))
        };
        if reference.is_whole() && current.is_whole() {
            let t = cramer_von_mises::statistic(a, b);
            let p_value = cramer_von_mises::p_value(t, n, m);
            statistics.cramer_von_mises = Some(Outcome { statistic: t, p_value });
            let a_squared = anderson_darling::statistic(a, b);
            let p_value = anderson_darling::p_value(a_squared);
            statistics.anderson_darling = Some(Outcome { statistic: a_squared, p_value });
        }
        statistics
    }

    /// Of a column of categories with these counts, aligned.
    pub(crate) fn of_categories(reference: &[u64], current: &[u64]) -> Statistics {
        let outcome = |test: chi_square::ChiSquare| Outcome { statistic: test.statistic, p_value: test.p_value };
        Statistics {
            chi_square: Some(outcome(chi_square::homogeneity(reference, current))),
            g_test: Some(outcome(g_test::homogeneity(reference, current))),
            psi: psi::from_counts(reference, current),
            ..Self::of_counts(reference, current)
        }
    }

    /// The distances between two histograms.
    fn of_counts(reference: &[u64], current: &[u64]) -> Statistics {
        Statistics {
            jensen_shannon: jensen_shannon::distance(reference, current),
            hellinger: hellinger::distance(reference, current),
            total_variation: total_variation::distance(reference, current),
            ..Statistics::default()
        }
    }
}
