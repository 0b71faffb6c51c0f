//! The values of the background rows' own games, put together.

use ndarray::{Array2, Axis, Zip};

use crate::regression::{Fit, Pairs, fit_all};
use crate::{Error, Explanation, Game, Method};

/// Running means and spreads of each background row's values.
pub(crate) struct Tally {
    rows: Vec<Option<OfRow>>,
    /// What regressions are made of, by background row.
    pairs: Vec<Option<Pairs>>,
    n_players: usize,
    n_outputs: usize,
}

/// The values of one background row's game.
enum OfRow {
    Exact(Array2<f64>),
    Sampled(Estimate),
    /// Of a regression, for all players.
    Fitted(Fit),
}

/// The running mean and spread of samples (Welford's update, which does not cancel).
struct Estimate {
    n_samples: u64,
    mean: Array2<f64>,
    /// Sum of squared deviations from the mean.
    squares: Array2<f64>,
}

impl Tally {
    pub(crate) fn new<G: Game + ?Sized>(game: &G) -> Self {
        let (n_players, n_outputs) = (game.n_players(), game.n_outputs());
        let n_background = game.n_background();
        let (rows, pairs) = ((0..n_background).map(|_| None).collect(), (0..n_background).map(|_| None).collect());
        Self { rows, pairs, n_players, n_outputs }
    }

    /// The exact values of a row, shape `[n_players, n_outputs]`.
    pub(crate) fn add_exact(&mut self, row: usize, values: &Array2<f64>) {
        self.rows[row] = Some(OfRow::Exact(values.clone()));
    }

    /// One sample of a row's values: the mean of a pair of permutations.
    pub(crate) fn add_sample(&mut self, row: usize, values: &Array2<f64>) {
        match &mut self.rows[row] {
            Some(OfRow::Sampled(estimate)) => estimate.add(values),
            Some(OfRow::Exact(_) | OfRow::Fitted(_)) => {}
            none => {
                let squares = Array2::zeros(values.dim());
                *none = Some(OfRow::Sampled(Estimate { n_samples: 1, mean: values.clone(), squares }));
            }
        }
    }

    /// Pairs of opposite coalitions of a row's players, and the halves of what they differ by; drawn apart, or of one
    /// permutation.
    pub(crate) fn add_pairs<G: Game + ?Sized>(
        &mut self,
        game: &G,
        row: usize,
        members: &[bool],
        halves: &[f64],
        are_apart: bool,
    ) {
        let pairs = &mut self.pairs[row];
        pairs
            .get_or_insert_with(|| Pairs::new(game.players(row).len(), self.n_outputs))
            .add(members, halves, are_apart);
    }

    /// Puts regressions in the place of what permutations say, for all rows or, while one has too few pairs, for none.
    pub(crate) fn fit<G: Game + ?Sized>(&mut self, game: &G) {
        let sampled = (0..self.rows.len()).filter(|row| !matches!(self.rows[*row], Some(OfRow::Exact(_))));
        let gain = |row: usize| (&game.full_value() - &game.base_values().row(row)).to_vec();
        let of_row = |row: usize| {
            let pairs = self.pairs[row].as_ref().filter(|pairs| pairs.n_rounds() >= LEAST_ROUNDS)?;
            Some((row, (pairs, gain(row))))
        };
        let Some((rows, pairs)) = sampled.map(of_row).collect::<Option<(Vec<usize>, Vec<_>)>>() else { return };
        let Some(fits) = fit_all(&pairs) else { return };
        for (row, of_players) in rows.into_iter().zip(fits) {
            let nothing = Array2::zeros((self.n_players, self.n_outputs));
            let mut fit = Fit { values: nothing.clone(), variance: nothing };
            for (position, player) in game.players(row).iter().enumerate() {
                fit.values.row_mut(*player).assign(&of_players.values.row(position));
                fit.variance.row_mut(*player).assign(&of_players.variance.row(position));
            }
            self.rows[row] = Some(OfRow::Fitted(fit));
        }
    }

    /// Rows without exact values, in order.
    pub(crate) fn rows_without_exact(&self) -> Vec<usize> {
        let is_exact = |row: &Option<OfRow>| matches!(row, Some(OfRow::Exact(_)));
        (0..self.rows.len()).filter(|row| !is_exact(&self.rows[*row])).collect()
    }

    /// Whether there are samples enough to judge their spread by, and no value's standard error is above `target`.
    pub(crate) fn is_within(&self, target: f64) -> bool {
        let freedom: u64 = self.sampled().map(|estimate| estimate.n_samples - 1).sum();
        let is_fitted = self.rows.iter().flatten().any(|row| matches!(row, OfRow::Fitted(_)));
        (is_fitted || freedom >= MIN_FREEDOM)
            && self.standard_error().is_some_and(|error| error.iter().all(|e| *e <= target))
    }

    /// The explanation of the game as far as it is known.
    pub(crate) fn explanation<G: Game + ?Sized>(&self, game: &G, evaluations: u64) -> Explanation {
        let bases = game.base_values();
        let n_background = bases.nrows() as f64;
        let base_value: Vec<f64> = bases.axis_iter(Axis(1)).map(|column| column.sum() / n_background).collect();
        let full_value = game.full_value().to_vec();
        let mut values: Array2<f64> = Array2::zeros((self.n_players, self.n_outputs));
        let mut n_known = 0.0;
        for of_row in self.rows.iter().flatten() {
            values += of_row.mean();
            n_known += 1.0;
        }
        let is_whole = n_known == n_background;
        if n_known > 0.0 {
            values /= n_known;
        }
        let is_exact = self.rows.iter().all(|row| matches!(row, Some(OfRow::Exact(_))));
        if !is_whole && self.n_players > 0 {
            // Rows that were not reached have, on average, the values of those that were. What then lacks to the
            // prediction is known exactly, and shared by all.
            for (output, mut column) in values.axis_iter_mut(Axis(1)).enumerate() {
                let lacking = full_value[output] - base_value[output] - column.sum();
                column += lacking / self.n_players as f64;
            }
        }
        let standard_error = if is_exact { None } else { self.standard_error() };
        let method = if is_exact { Method::Exact } else { Method::Sampled };
        Explanation { base_value, values, full_value, method, evaluations, standard_error }
    }

    fn sampled(&self) -> impl Iterator<Item = &Estimate> {
        self.rows.iter().filter_map(|row| match row {
            Some(OfRow::Sampled(estimate)) => Some(estimate),
            _ => None,
        })
    }

    /// The standard error of each mean value; unknown from a single sample.
    fn standard_error(&self) -> Option<Array2<f64>> {
        let n_background = self.rows.len() as f64;
        let n_known = self.rows.iter().flatten().count() as f64;
        let freedom: u64 = self.sampled().map(|estimate| estimate.n_samples - 1).sum();
        if freedom == 0 && self.sampled().next().is_some() {
            // From one sample each, the spread within the rows is not known. The spread over the rows holds it and more.
            return Some((self.spread_over_rows()? / n_known).mapv(f64::sqrt));
        }
        let mut variance: Array2<f64> = Array2::zeros((self.n_players, self.n_outputs));
        if n_known < n_background {
            variance += &(self.spread_over_rows()? * (1.0 / n_known - 1.0 / n_background));
        }
        for of_row in self.rows.iter().flatten() {
            if let OfRow::Fitted(fit) = of_row {
                variance.scaled_add(1.0 / (n_known * n_known), &fit.variance);
            }
        }
        // A row of one sample is taken to spread as the others do.
        let mut pooled: Array2<f64> = Array2::zeros(variance.dim());
        self.sampled().for_each(|estimate| pooled += &estimate.squares);
        for estimate in self.sampled() {
            let n_samples = estimate.n_samples as f64;
            let (squares, freedom) =
                if estimate.n_samples > 1 { (&estimate.squares, n_samples - 1.0) } else { (&pooled, freedom as f64) };
            let scale = 1.0 / (n_samples * freedom * n_known * n_known);
            Zip::from(&mut variance).and(squares).for_each(|sum, squares| *sum += scale * squares);
        }
        Some(variance.mapv(f64::sqrt))
    }

    /// The sample variance of the known rows' values; none from a single row.
    fn spread_over_rows(&self) -> Option<Array2<f64>> {
        let mut over_rows: Option<Estimate> = None;
        for of_row in self.rows.iter().flatten() {
            match &mut over_rows {
                Some(estimate) => estimate.add(of_row.mean()),
                none => {
                    let mean = of_row.mean().clone();
                    *none = Some(Estimate { n_samples: 1, squares: Array2::zeros(mean.dim()), mean });
                }
            }
        }
        let over_rows = over_rows.filter(|estimate| estimate.n_samples > 1)?;
        Some(over_rows.squares / (over_rows.n_samples - 1) as f64)
    }
}

/// Rounds of pairs from which a regression is better than permutations.
const LEAST_ROUNDS: usize = 5;

/// Samples beyond the first of each row before a standard error is trusted to stop a sample: from fewer, it is often far
/// too small.
const MIN_FREEDOM: u64 = 10;

impl OfRow {
    fn mean(&self) -> &Array2<f64> {
        match self {
            OfRow::Exact(values) => values,
            OfRow::Sampled(estimate) => &estimate.mean,
            OfRow::Fitted(fit) => &fit.values,
        }
    }
}

impl Estimate {
    fn add(&mut self, sample: &Array2<f64>) {
        self.n_samples += 1;
        let n_samples = self.n_samples as f64;
        Zip::from(&mut self.mean).and(&mut self.squares).and(sample).for_each(|mean, squares, value| {
            let deviation = value - *mean;
            *mean += deviation / n_samples;
            *squares += deviation * (value - *mean);
        });
    }
}

/// Makes sure that the outputs at the explained row and at the background rows are finite.
pub(crate) fn check_ends<G: Game + ?Sized>(game: &G) -> Result<(), Error> {
    for (background, values) in game.base_values().rows().into_iter().enumerate() {
        if let Some(output) = values.iter().position(|value| !value.is_finite()) {
            return Err(Error::NotFinite { output, background, players: Vec::new() });
        }
    }
    match game.full_value().iter().position(|value| !value.is_finite()) {
        Some(output) => Err(Error::NotFinite { output, background: 0, players: (0..game.n_players()).collect() }),
        None => Ok(()),
    }
}
