//! How much to trust several answers about classes at once: slopes on the logarithms of their probabilities and a shift a
//! class, fitted on rows that the answering members did not learn from.

use ndarray::{Array2, ArrayView1};

/// Newton steps; the loss is convex and a handful is enough.
const MAX_STEPS: usize = 50;
/// Rows that speak for slopes as they start and no shifts, so that few rows cannot move them far.
const PRIOR_ROWS: f64 = 3.0;
/// The largest change of a parameter at which the steps end.
const TOLERANCE: f64 = 1e-10;

/// `p'_k = softmax_k(Σ_m slopes[m] ln p_mk + shifts[k])` for the answers `p_m`, or of other terms than their logarithms.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stack {
    /// One per term; of an answer, from 0. Shape `[n_terms]`.
    pub(crate) slopes: Vec<f64>,
    /// One per class; that of one class is 0. Shape `[n_classes]`.
    pub(crate) shifts: Vec<f64>,
    /// Log-loss with these, summed over the weighted rows.
    pub(crate) loss: f64,
}

/// The rows that a stack is fitted on.
pub(crate) struct Rows<'a> {
    /// Their classes.
    pub(crate) truth: &'a [usize],
    /// How much each counts; none where all count alike.
    pub(crate) weights: Option<&'a [f32]>,
}

impl Rows<'_> {
    fn weight(&self, row: usize) -> f64 {
        self.weights.map_or(1.0, |weights| f64::from(weights[row]))
    }
}

/// What a slope multiplies: a number per class of each row.
pub(crate) struct Term {
    /// Shape `[n_rows, n_classes]`.
    pub(crate) values: Array2<f64>,
    /// Where the slope starts, and what it is weakly pulled towards.
    pub(crate) start: f64,
    /// The least that the slope may be.
    pub(crate) floor: f64,
}

/// The slopes, from 0, and the shifts with the smallest log-loss, for answers of shape `[n_rows, n_classes]`: [`fit`] of their
/// logarithms, pulled towards their plain mean.
///
/// # Source
/// D. Wolpert, "Stacked generalization" (1992); slopes from 0: L. Breiman, "Stacked regressions" (1996).
pub(crate) fn stack(answers: &[&Array2<f64>], rows: &Rows<'_>, base: usize) -> Option<Stack> {
    let start = 1.0 / answers.len() as f64;
    let term = |answer: &&Array2<f64>| Term { values: answer.mapv(f64::ln), start, floor: 0.0 };
    fit(&answers.iter().map(term).collect::<Vec<_>>(), rows, base)
}

/// The slopes and the shifts with the smallest log-loss of `softmax_k(Σ_m slopes[m] terms[m]_k + shifts[k])`. `base` is the
/// class that is not shifted: any one, as only differences count. Newton's method with step halving on a convex loss; slopes
/// that the loss would like below their floor stay there. A weak pull towards the start, and no shifts, keeps it defined where a
/// class is missing, classes are separable or terms are alike. None without terms or rows, or where the loss is not a number.
///
/// # Source
/// The projected steps: D. Bertsekas, "Projected Newton methods for optimization problems with simple constraints" (1982).
pub(crate) fn fit(terms: &[Term], rows: &Rows<'_>, base: usize) -> Option<Stack> {
    let n_terms = terms.len();
    let n_classes = terms.first()?.values.ncols();
    if rows.truth.is_empty() {
        return None;
    }
    // Slopes, then shifts.
    let starts: Vec<f64> = terms.iter().map(|term| term.start).chain(vec![0.0; n_classes]).collect();
    let floors: Vec<f64> = terms.iter().map(|term| term.floor).chain(vec![f64::NEG_INFINITY; n_classes]).collect();
    let problem = Problem { terms, rows, starts: &starts };
    let mut parameters = starts.clone();
    let (mut value, mut loss) = problem.value(&parameters);
    for _ in 0..MAX_STEPS {
        let (gradient, hessian) = problem.derivatives(&parameters);
        let is_free = |parameter: &usize| {
            let inside = parameters[*parameter] > floors[*parameter] || gradient[*parameter] < 0.0;
            inside && *parameter != n_terms + base
        };
        let free: Vec<usize> = (0..parameters.len()).filter(is_free).collect();
        let pick = |values: &[f64]| free.iter().map(|parameter| values[*parameter]).collect::<Vec<f64>>();
        let step = solve(free.iter().map(|parameter| pick(&hessian[*parameter])).collect(), pick(&gradient))?;
        let mut scale = 1.0;
        let improved = loop {
            let mut moved = parameters.clone();
            for (parameter, change) in free.iter().zip(&step) {
                moved[*parameter] -= scale * change;
            }
            moved.iter_mut().zip(&floors).for_each(|(parameter, floor)| *parameter = parameter.max(*floor));
            let (next, next_loss) = problem.value(&moved);
            if next <= value {
                break Some((moved, next, next_loss));
            }
            scale /= 2.0;
            if scale < 1e-6 {
                break None;
            }
        };
        let Some((moved, next, next_loss)) = improved else { break };
        let largest = moved.iter().zip(&parameters).map(|(to, from)| (to - from).abs()).fold(0.0, f64::max);
        (parameters, value, loss) = (moved, next, next_loss);
        if largest < TOLERANCE {
            break;
        }
    }
    let shifts = parameters.split_off(n_terms);
    (value.is_finite()).then_some(Stack { slopes: parameters, shifts, loss })
}

struct Problem<'a> {
    terms: &'a [Term],
    rows: &'a Rows<'a>,
    /// What parameters are pulled towards.
    starts: &'a [f64],
}

impl Problem<'_> {
    /// Log-loss with the pull, and without.
    fn value(&self, parameters: &[f64]) -> (f64, f64) {
        let mut loss = 0.0;
        let mut probabilities = vec![0.0; self.n_classes()];
        for (row, class) in self.rows.truth.iter().enumerate() {
            self.answer(row, parameters, &mut probabilities);
            loss -= self.rows.weight(row) * probabilities[*class].max(f64::MIN_POSITIVE).ln();
        }
        let pull = self.pulls(parameters).map(|distance| distance * distance).sum::<f64>();
        (loss + 0.5 * PRIOR_ROWS * pull, loss)
    }

    fn n_classes(&self) -> usize {
        self.terms[0].values.ncols()
    }

    /// How far each parameter is from where it is pulled.
    fn pulls(&self, parameters: &[f64]) -> impl Iterator<Item = f64> {
        parameters.iter().zip(self.starts).map(|(parameter, start)| parameter - start)
    }

    /// What the stack says of a row.
    fn answer(&self, row: usize, parameters: &[f64], out: &mut [f64]) {
        let (slopes, shifts) = parameters.split_at(self.terms.len());
        out.copy_from_slice(shifts);
        for (slope, term) in slopes.iter().zip(self.terms) {
            out.iter_mut().zip(term.values.row(row)).for_each(|(out, value)| *out += slope * value);
        }
        let largest = out.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        out.iter_mut().for_each(|value| *value = (*value - largest).exp());
        let sum: f64 = out.iter().sum();
        out.iter_mut().for_each(|value| *value /= sum);
    }

    /// Gradient and Hessian of the log-loss and the pull.
    fn derivatives(&self, parameters: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
        let (n_terms, n_classes) = (self.terms.len(), self.n_classes());
        let mut gradient: Vec<f64> = self.pulls(parameters).map(|distance| PRIOR_ROWS * distance).collect();
        let mut hessian = vec![vec![0.0; parameters.len()]; parameters.len()];
        (0..parameters.len()).for_each(|parameter| hessian[parameter][parameter] = PRIOR_ROWS);
        let mut p = vec![0.0; n_classes];
        let mut means = vec![0.0; n_terms];
        for (row, class) in self.rows.truth.iter().enumerate() {
            self.answer(row, parameters, &mut p);
            let weight = self.rows.weight(row);
            let of_row: Vec<ArrayView1<'_, f64>> = self.terms.iter().map(|term| term.values.row(row)).collect();
            for (mean, values) in means.iter_mut().zip(&of_row) {
                *mean = p.iter().zip(values).map(|(p, value)| p * value).sum();
            }
            for (m, (values_m, mean)) in of_row.iter().zip(&means).enumerate() {
                gradient[m] += weight * (mean - values_m[*class]);
                for (n, values_n) in of_row.iter().enumerate().take(m + 1) {
                    let product: f64 = p.iter().zip(values_m).zip(values_n).map(|((p, a), b)| p * a * b).sum();
                    hessian[m][n] += weight * (product - mean * means[n]);
                }
                for (k, p) in p.iter().enumerate() {
                    hessian[n_terms + k][m] += weight * p * (values_m[k] - mean);
                }
            }
            for k in 0..n_classes {
                gradient[n_terms + k] += weight * (p[k] - f64::from(u8::from(k == *class)));
                for j in 0..=k {
                    hessian[n_terms + k][n_terms + j] += weight * p[k] * (f64::from(u8::from(j == k)) - p[j]);
                }
            }
        }
        for row in 1..hessian.len() {
            let (above, below) = hessian.split_at_mut(row);
            above.iter_mut().zip(&below[0]).for_each(|(above, value)| above[row] = *value);
        }
        (gradient, hessian)
    }
}

/// Solves `matrix x = vector` for a symmetric positive definite matrix by Cholesky's factors. None when it is not one.
fn solve(mut matrix: Vec<Vec<f64>>, mut vector: Vec<f64>) -> Option<Vec<f64>> {
    let n = vector.len();
    for column in 0..n {
        for row in column..n {
            let product: f64 = (0..column).map(|k| matrix[row][k] * matrix[column][k]).sum();
            let rest = matrix[row][column] - product;
            matrix[row][column] = match row > column {
                true => rest / matrix[column][column],
                false if rest > 0.0 => rest.sqrt(),
                false => return None,
            };
        }
    }
    for row in 0..n {
        let product: f64 = (0..row).map(|k| matrix[row][k] * vector[k]).sum();
        vector[row] = (vector[row] - product) / matrix[row][row];
    }
    for row in (0..n).rev() {
        let product: f64 = (row + 1..n).map(|k| matrix[k][row] * vector[k]).sum();
        vector[row] = (vector[row] - product) / matrix[row][row];
    }
    Some(vector)
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// Rows whose honest logit is the sum of what two answers see of it; a third sees nothing.
    fn drawn(n_rows: usize) -> ([Array2<f64>; 3], Vec<usize>) {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut answers = [(); 3].map(|()| Array2::zeros((n_rows, 2)));
        let mut truth = Vec::new();
        for row in 0..n_rows {
            let seen: Vec<f64> = (0..3).map(|_| rng.random_range(-2.0..2.0)).collect();
            truth.push(usize::from(rng.random_bool(1.0 / (1.0 + (-(seen[0] + 0.5 * seen[1])).exp()))));
            for (answer, logit) in answers.iter_mut().zip(seen) {
                let p = 1.0 / (1.0 + (-logit).exp());
                answer[[row, 1]] = p;
                answer[[row, 0]] = 1.0 - p;
            }
        }
        (answers, truth)
    }

    #[test]
    fn each_answer_counts_as_much_as_it_knows() {
        let (answers, truth) = drawn(40_000);
        let rows = Rows { truth: &truth, weights: None };
        let Stack { slopes, shifts, loss } = stack(&answers.each_ref(), &rows, 0).unwrap();
        assert!((slopes[0] - 1.0).abs() < 0.05 && (slopes[1] - 0.5).abs() < 0.05, "{slopes:?}");
        assert!(slopes[2] < 0.03 && shifts[0] == 0.0 && shifts[1].abs() < 0.05, "{slopes:?} {shifts:?}");
        let alone = stack(&[&answers[0]], &rows, 0).unwrap();
        assert!(loss < alone.loss);
        // One that says the opposite of what it sees is not trusted backwards.
        let turned = Array2::from_shape_fn((truth.len(), 2), |(row, class)| answers[1][[row, 1 - class]]);
        let with_turned = stack(&[&answers[0], &turned], &rows, 0).unwrap();
        assert!(with_turned.slopes[1] == 0.0 && (with_turned.slopes[0] - alone.slopes[0]).abs() < 1e-2);
    }

    #[test]
    fn like_answers_count_alike_and_few_rows_say_little() {
        let (answers, truth) = drawn(500);
        let rows = Rows { truth: &truth, weights: None };
        let twice = stack(&[&answers[0], &answers[0]], &rows, 0).unwrap();
        assert!((twice.slopes[0] - twice.slopes[1]).abs() < 1e-9, "{twice:?}");
        let few = stack(&answers.each_ref(), &Rows { truth: &truth[..2], weights: None }, 0).unwrap();
        assert!(few.slopes.iter().all(|slope| (slope - 1.0 / 3.0).abs() < 0.5), "{few:?}");
        assert_eq!(stack(&answers.each_ref(), &Rows { truth: &[], weights: None }, 0), None);
    }
}
