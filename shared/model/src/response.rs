use features::TargetCode;
use ndarray::{Array2, ArrayView1, Axis};
use spec::{Space, Task};

use crate::{Architecture, Calibration, Decision, Error, Interval, Readout};

/// What each probability is lifted by, so that all lie strictly between 0 and 1: `p -> (1 - K e) p + e` for `K` classes.
///
/// They still sum to 1, keep their order, and no log-loss of a row is above 20.8.
pub const PROBABILITY_FLOOR: f64 = 1e-9;

/// What a model answers for some rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Predictions {
    /// Of a regression: one finite number per row, in target units.
    Numbers(Vec<f64>),
    /// Of a classification, also a binary one.
    Probabilities(Probabilities),
}

/// What a classifier answers for some rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Probabilities {
    /// Shape `[n_rows, n_classes]`, classes in the spec's order, each strictly between 0 and 1, each row summing to 1.
    pub values: Array2<f64>,
    /// The class that each row is called. Shape `[n_rows]`, indices into the classes.
    pub called: Vec<usize>,
}

/// Each row is called its most likely class, the first of equals.
impl From<Array2<f64>> for Probabilities {
    fn from(values: Array2<f64>) -> Self {
        let called = values.rows().into_iter().map(|row| most_likely(&row)).collect();
        Self { values, called }
    }
}

impl Probabilities {
    /// The most likely class of each row, the first of equals, whatever it is called.
    pub fn most_likely(&self) -> impl Iterator<Item = usize> {
        self.values.rows().into_iter().map(|row| most_likely(&row))
    }
}

impl Predictions {
    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        match self {
            Predictions::Numbers(numbers) => numbers.len(),
            Predictions::Probabilities(probabilities) => probabilities.called.len(),
        }
    }

    /// Adds those of more rows.
    ///
    /// # Panics
    /// When they are of another task or other classes: one model answers alike.
    pub(crate) fn extend(&mut self, more: Predictions) {
        match (self, more) {
            (Predictions::Numbers(numbers), Predictions::Numbers(more)) => numbers.extend(more),
            (Predictions::Probabilities(all), Predictions::Probabilities(more)) => {
                all.values.append(Axis(0), more.values.view()).expect("the classes are the same");
                all.called.extend(more.called);
            }
            _ => unreachable!("predictions of one model are of one task"),
        }
    }

    /// The predictions of the rows at `rows`, in that order.
    pub fn select(&self, rows: &[usize]) -> Self {
        match self {
            Predictions::Numbers(numbers) => Predictions::Numbers(rows.iter().map(|row| numbers[*row]).collect()),
            Predictions::Probabilities(Probabilities { values, called }) => Predictions::Probabilities(Probabilities {
                values: values.select(Axis(0), rows),
                called: rows.iter().map(|row| called[*row]).collect(),
            }),
        }
    }
}

pub(crate) fn most_likely(probabilities: &ArrayView1<'_, f64>) -> usize {
    let mut best = 0;
    for (class, probability) in probabilities.iter().enumerate() {
        if *probability > probabilities[best] {
            best = class;
        }
    }
    best
}

/// From the heads' outputs to answers, in double precision: the members' mean by the readout's blend, then its calibration.
///
/// Binary: `sigmoid(Σ_m w_m z_m)`, calibrated. Multiclass: `softmax(Σ_m w_m ln softmax(z_m))`, calibrated. Regression:
/// `Σ_m w_m decode_m(z_m)`, each member on its own scale.
///
/// Classes are pooled by logarithms because a mean of probabilities is less certain than its members, and so less certain
/// than the calibration, which is fitted on single members, takes it to be.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    target: TargetCode,
    task: Task,
    n_outputs: usize,
    /// Per member, how much it counts and whether it learnt the target's logarithm.
    members: Vec<(f64, bool)>,
    calibration: Option<Calibration>,
    calls: Calls,
}

/// How a row comes by the class that it is called.
#[derive(Clone, Debug)]
enum Calls {
    /// The most likely one.
    MostLikely,
    /// The positive one of two from this probability on.
    Positive { from: f64, positive: usize },
    /// As was decided for several classes.
    Decided(Decision),
}

impl Calls {
    fn of(&self, probabilities: Array2<f64>) -> Probabilities {
        let called = match self {
            Calls::MostLikely => return probabilities.into(),
            Calls::Positive { from, positive } => {
                let of_positive = probabilities.column(*positive);
                of_positive.iter().map(|p| if p >= from { *positive } else { 1 - positive }).collect()
            }
            Calls::Decided(decision) => decision.call(&probabilities),
        };
        Probabilities { values: probabilities, called }
    }
}

impl Response {
    pub(crate) fn new(target: &TargetCode, task: Task, architecture: &Architecture, readout: &Readout) -> Self {
        let n_outputs = architecture.n_outputs;
        let even = 1.0 / architecture.members.len() as f64;
        let shares = (0..).map(|member| readout.blend.as_ref().map_or(even, |blend| blend[member]));
        let members = shares.zip(&architecture.members).map(|(share, member)| (share, member.log)).collect();
        let calibration = readout.calibration.clone();
        let calls = match (readout.threshold, &readout.decision, target) {
            (Some(from), _, TargetCode::Classes { positive, .. }) => Calls::Positive { from, positive: *positive },
            (_, Some(decision), _) => Calls::Decided(decision.clone()),
            _ => Calls::MostLikely,
        };
        Self { target: target.clone(), task, n_outputs, members, calibration, calls }
    }

    /// All rows' predictions from outputs of shape `[members, n_rows, n_outputs]`.
    pub(crate) fn predictions(&self, outputs: &[f32], n_rows: usize) -> Predictions {
        let mut logs = vec![0.0; self.n_outputs];
        let TargetCode::Classes { labels, positive } = &self.target else {
            let mut number = [0.0];
            return Predictions::Numbers(
                (0..n_rows)
                    .map(|row| {
                        self.answer(outputs, n_rows, row, &mut logs, &mut number);
                        number[0]
                    })
                    .collect(),
            );
        };
        let (n_classes, positive) = (labels.len(), *positive);
        let mut probabilities = Array2::zeros((n_rows, n_classes));
        let mut answer = vec![0.0; self.n_outputs];
        for (row, mut classes) in probabilities.rows_mut().into_iter().enumerate() {
            self.answer(outputs, n_rows, row, &mut logs, &mut answer);
            if self.task == Task::Binary {
                classes.fill(1.0 - answer[0]);
                classes[positive] = answer[0];
            } else {
                classes.iter_mut().zip(&answer).for_each(|(class, probability)| *class = *probability);
            }
        }
        Predictions::Probabilities(self.calls.of(probabilities))
    }

    /// One row's answer from outputs of shape `[members, n_rows, n_outputs]`: the positive class's probability, each
    /// class's, or the number in target units. Shape `[n_outputs]`, as `logs`, which is room to work in.
    pub(crate) fn answer(&self, outputs: &[f32], n_rows: usize, row: usize, logs: &mut [f64], answer: &mut [f64]) {
        let width = self.n_outputs;
        let outputs = outputs.chunks_exact(n_rows * width).map(|member| &member[row * width..(row + 1) * width]);
        answer.fill(0.0);
        for (outputs, (share, log)) in outputs.zip(&self.members) {
            match self.task {
                Task::Binary => answer[0] += share * f64::from(outputs[0]),
                Task::Multiclass => {
                    log_softmax(outputs, logs);
                    answer.iter_mut().zip(&*logs).for_each(|(sum, log)| *sum += share * log);
                }
                Task::Regression => answer[0] += share * self.target.decode(f64::from(outputs[0]), *log),
            }
        }
        match self.task {
            Task::Binary => {
                answer[0] = lift(sigmoid(answer[0]), 2);
                if let Some(calibration) = &self.calibration {
                    answer[0] = lift(calibration.of_binary(answer[0]), 2);
                }
            }
            Task::Multiclass => {
                softmax(answer);
                answer.iter_mut().for_each(|probability| *probability = lift(*probability, width));
                if let Some(calibration) = &self.calibration {
                    calibration.of_classes(answer);
                    answer.iter_mut().for_each(|probability| *probability = lift(*probability, width));
                }
            }
            Task::Regression => answer[0] = self.target.bounded(answer[0]),
        }
    }

    /// Turns an answer into the units of an explanation.
    pub(crate) fn in_space(space: Space, task: Task, answer: &mut [f64]) {
        match (space, task) {
            (Space::Logit, Task::Binary) => answer[0] = (answer[0] / (1.0 - answer[0])).ln(),
            (Space::Logit, _) => answer.iter_mut().for_each(|probability| *probability = probability.ln()),
            (Space::Probability | Space::Target, _) => {}
        }
    }
}

impl Calibration {
    /// Corrects probabilities of shape `[n_rows, n_classes]`, each strictly between 0 and 1; `positive` is the class whose probability a binary network
    /// answers, none for several classes.
    pub fn calibrate(&self, probabilities: &Array2<f64>, positive: Option<usize>) -> Array2<f64> {
        let mut calibrated = probabilities.clone();
        for mut row in calibrated.rows_mut() {
            match positive {
                Some(positive) => {
                    let probability = lift(self.of_binary(row[positive]), 2);
                    row.fill(1.0 - probability);
                    row[positive] = probability;
                }
                None => {
                    let mut classes = row.to_vec();
                    self.of_classes(&mut classes);
                    row.iter_mut().zip(classes).for_each(|(out, p)| *out = lift(p, self.shifts.len()));
                }
            }
        }
        calibrated
    }

    fn of_binary(&self, probability: f64) -> f64 {
        let log_odds = (probability / (1.0 - probability)).ln();
        sigmoid(self.slope * log_odds + self.bend * Self::bent(probability) + self.shifts[0])
    }

    fn of_classes(&self, probabilities: &mut [f64]) {
        for (probability, shift) in probabilities.iter_mut().zip(&self.shifts) {
            *probability = self.slope * probability.ln() + self.bend * Self::bent(*probability) / 2.0 + shift;
        }
        softmax(probabilities);
    }
}

/// Prediction intervals around answers in target units.
pub(crate) fn intervals(target: &TargetCode, interval: &Interval, numbers: &[f64]) -> Vec<[f64; 2]> {
    let log = target.is_log();
    let around = |number: &f64| interval.around(target.standardise(*number, log)).map(|end| target.decode(end, log));
    numbers.iter().map(around).collect()
}

/// Makes sure that a task has explanations in these units.
pub(crate) fn check_space(task: Task, space: Space) -> Result<(), Error> {
    let fits = (task == Task::Regression) == (space == Space::Target);
    if fits { Ok(()) } else { Err(Error::Space { task, space }) }
}

fn lift(probability: f64, n_classes: usize) -> f64 {
    (1.0 - n_classes as f64 * PROBABILITY_FLOOR) * probability + PROBABILITY_FLOOR
}

fn sigmoid(logit: f64) -> f64 {
    1.0 / (1.0 + (-logit).exp())
}

/// Turns logits into probabilities.
fn softmax(values: &mut [f64]) {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    values.iter_mut().for_each(|value| *value = (*value - largest).exp());
    let sum: f64 = values.iter().sum();
    values.iter_mut().for_each(|value| *value /= sum);
}

fn log_softmax(logits: &[f32], logs: &mut [f64]) {
    let largest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits.iter().map(|logit| (f64::from(*logit) - largest).exp()).sum();
    for (log, logit) in logs.iter_mut().zip(logits) {
        *log = f64::from(*logit) - largest - sum.ln();
    }
}

/// The mean of several models' answers, in these shares: of numbers as they are, of probabilities by their logarithms, as the
/// members of one network are averaged.
///
/// # Shapes
/// All answers are of the same rows, and there is at least one; as many shares, with the sum 1.
///
/// # Panics
/// When there are none, or answers of different tasks: a bug of the caller.
pub fn pool(answers: &[(&Predictions, f64)]) -> Predictions {
    match answers.first().expect("there is something to pool").0 {
        Predictions::Numbers(first) => {
            let mut mean = vec![0.0; first.len()];
            for (answer, share) in answers {
                let Predictions::Numbers(numbers) = answer else { panic!("numbers are pooled with numbers") };
                mean.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += share * number);
            }
            Predictions::Numbers(mean)
        }
        Predictions::Probabilities(first) => {
            let mut pooled = Array2::zeros(first.values.dim());
            for (answer, share) in answers {
                let Predictions::Probabilities(rows) = answer else {
                    panic!("probabilities are pooled with their like")
                };
                pooled.zip_mut_with(&rows.values, |sum: &mut f64, p| *sum += share * p.ln());
            }
            for mut row in pooled.rows_mut() {
                let mut logits = row.to_vec();
                softmax(&mut logits);
                row.iter_mut().zip(logits).for_each(|(out, p)| *out = lift(p, first.values.ncols()));
            }
            Predictions::Probabilities(pooled.into())
        }
    }
}
