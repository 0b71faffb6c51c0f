//! Fits one member: AdamW on shuffled batches, a cosine schedule, and the weights of the epoch that validates best.
//!
//! Everything random is drawn on the host from ChaCha8 streams of the seed and the member's index, so members can be fitted
//! in any order, by any number of threads, now or after a restart, and give the same bytes.

use std::ops::ControlFlow;

use burn::module::ParamGroup;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::prelude::*;
use burn::tensor::TensorData;
use burn::tensor::activation::{log_sigmoid, log_softmax};
use fault::{Fault, Kind};
use features::Encoded;
use model::{Architecture, Weights};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use spec::{Metric, Spec, Task};

use crate::network::{Inputs, Network, numbers};

/// Share of the train rows that validates, and never more rows than [`MAX_VALIDATION_ROWS`].
const VALIDATION_SHARE: f64 = 0.15;
/// Enough rows to tell epochs apart; more would only cost time.
const MAX_VALIDATION_ROWS: usize = 50_000;
/// Most epochs, for few rows.
const MAX_EPOCHS: usize = 60;
/// Fewest epochs, for many rows.
const MIN_EPOCHS: usize = 6;
/// Rows that pass through the network in a whole fit, within the bounds on epochs: what a minute of one core can do.
const ROWS_PER_FIT: usize = 16_000_000;
/// Steps that small data get in a whole fit, within the bounds on epochs; on thousands of rows the best epoch lies at 300 to 800.
const MIN_STEPS: usize = 1_200;
/// Epochs without a better validation loss, as a share of all, after which a fit stops.
const PATIENCE_SHARE: f64 = 0.34;
/// Highest learning rate, of networks up to [`FULL_RATE_WIDTH`]; wider ones learn slower in proportion, as Adam's steps
/// change their sums faster.
const LEARNING_RATE: f64 = 1e-2;
const FULL_RATE_WIDTH: f64 = 192.0;
/// Share of the steps in which the learning rate rises.
const WARM_UP_SHARE: f64 = 0.05;
/// Decoupled weight decay of everything but biases, per step in units of the learning rate.
const WEIGHT_DECAY: f32 = 3e-2;
/// Share of hidden values that are dropped, in 256ths: 38 is 15 %.
const DROPOUT_IN_256: u8 = 38;
/// Share of category codes that are replaced by the unknown level, so that it learns what to say of levels never seen.
const UNKNOWN_SHARE: f64 = 0.01;
/// Where the loss of a robust regression turns from squared to absolute, in standard deviations of the target.
const HUBER_DELTA: f32 = 1.0;
/// Rows per step when predicting.
const PREDICT_ROWS: usize = 4096;

/// What is fitted.
#[derive(Clone, Copy)]
pub struct Setup<'a> {
    /// The network's shape; its number of members does not matter here.
    pub architecture: &'a Architecture,
    /// What is minimised.
    pub loss: Loss,
    /// Seed of the whole fit.
    pub seed: u64,
    /// Which member is fitted; each has its own start, order and masks.
    pub member: usize,
    /// Asked before every step: whether the fit has run out of its budget.
    pub over_budget: &'a (dyn Fn() -> bool + Sync),
}

/// What a fit minimises: the mean over rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// `-y ln σ(z) - (1-y) ln σ(-z)`, `y` 1 for the positive class; one output.
    BinaryCrossEntropy,
    /// `-ln softmax(z)[y]`, `y` the class's index; one output per class.
    CrossEntropy,
    /// `(z - y)²`, `y` the standardised target; one output.
    SquaredError,
    /// Squared up to one standard deviation, absolute beyond; one output. For metrics of absolute errors.
    Huber,
}

impl Loss {
    /// The loss for a spec's task and metric.
    pub fn of_spec(spec: &Spec) -> Self {
        match (spec.task, spec.metric()) {
            (Task::Binary, _) => Loss::BinaryCrossEntropy,
            (Task::Multiclass, _) => Loss::CrossEntropy,
            (Task::Regression, Metric::Mae | Metric::MaeLog) => Loss::Huber,
            (Task::Regression, _) => Loss::SquaredError,
        }
    }

    /// The mean loss of outputs `[n_rows, n_outputs]` for targets as [`features::TargetCode::encode`] gives them.
    fn mean(self, outputs: Tensor<2>, targets: &[f32], device: &Device) -> Tensor<1> {
        let n_rows = targets.len();
        if self == Loss::CrossEntropy {
            let classes: Vec<i32> = targets.iter().map(|class| *class as i32).collect();
            let classes = Tensor::<2, Int>::from_data(TensorData::new(classes, [n_rows, 1]), device);
            return log_softmax(outputs, 1).gather(1, classes).mean().neg();
        }
        let targets = Tensor::<2>::from_data(TensorData::new(targets.to_vec(), [n_rows, 1]), device);
        match self {
            Loss::BinaryCrossEntropy => ((targets.neg() + 1.0) * outputs.clone() - log_sigmoid(outputs)).mean(),
            Loss::Huber => {
                let error = (outputs - targets).abs();
                let square = error.clone().clamp_max(HUBER_DELTA);
                (square.clone() * (error - square * 0.5)).mean()
            }
            Loss::SquaredError | Loss::CrossEntropy => {
                let error = outputs - targets;
                (error.clone() * error).mean()
            }
        }
    }
}

/// Rows of one role, encoded, with their targets as [`features::TargetCode::encode`] gives them.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// Inputs.
    pub encoded: &'a Encoded,
    /// Targets. Shape `[n_rows]`, finite.
    pub targets: &'a [f32],
}

/// How far a fit has come, after an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Epochs done, from 1.
    pub epoch: usize,
    /// Epochs planned; early stopping may end before.
    pub epochs: usize,
    /// Mean loss over the epoch's steps, with dropout.
    pub train_loss: f64,
    /// Mean loss of the validation rows after the epoch.
    pub validation_loss: f64,
}

/// A fitted member.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedMember {
    /// Its weights, as a network of one member. [`Weights::join`] makes one network of several; the bytes of this one are
    /// the checkpoint of a fit of several.
    pub weights: Weights,
    /// All epochs.
    pub curve: Vec<Progress>,
    /// The epoch whose weights these are, from 1: the one with the smallest validation loss.
    pub best_epoch: usize,
}

/// Why a member could not be fitted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nothing to learn from, or nothing to validate on.
    #[error("cannot fit a network on {train} train and {validation} validation rows")]
    TooFewRows {
        /// Rows to learn from.
        train: usize,
        /// Rows to validate on.
        validation: usize,
    },
    /// A row has no usable target.
    #[error("the target of row {row} of the train rows is not one that the spec allows")]
    Target {
        /// Its index among the train rows.
        row: usize,
    },
    /// The observer wanted no more.
    #[error("the fit was stopped after epoch {epoch}")]
    Stopped {
        /// The last epoch that was done.
        epoch: usize,
    },
    /// The fit took longer than its budget.
    #[error("the fit ran over its budget in epoch {epoch} of {epochs}")]
    OverBudget {
        /// The epoch it was in.
        epoch: usize,
        /// Epochs planned.
        epochs: usize,
    },
    /// The loss left the finite numbers.
    #[error("the fit diverged in epoch {epoch}")]
    Diverged {
        /// The epoch it was in.
        epoch: usize,
    },
    /// The fitted weights are not usable.
    #[error("the fitted weights are not usable")]
    Weights(#[source] model::Error),
}

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::TooFewRows { .. } | Error::Target { .. } => Kind::Invalid,
            Error::OverBudget { .. } => Kind::Timeout,
            Error::Stopped { .. } => Kind::Unavailable,
            Error::Diverged { .. } | Error::Weights(_) => Kind::Internal,
        }
    }
}

/// Draws the validation rows among `n_rows` train rows: 15 %, at most 50,000. Both parts in rising order; the validation
/// part is second. The same for all members, so that their losses can be compared.
pub fn validation_split(n_rows: usize, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let mut order: Vec<usize> = (0..n_rows).collect();
    order.shuffle(&mut stream(seed, Stream::Split, 0));
    let n_validation = ((n_rows as f64 * VALIDATION_SHARE).round() as usize).min(MAX_VALIDATION_ROWS);
    let mut validation: Vec<usize> = order.drain(..n_validation).collect();
    validation.sort_unstable();
    order.sort_unstable();
    (order, validation)
}

/// Rows per step: small for few rows, which need their steps; large for many, where a step costs least per row.
pub fn batch_size(n_rows: usize) -> usize {
    match n_rows {
        0..3_000 => 64,
        3_000..8_000 => 128,
        8_000..50_000 => 256,
        50_000..200_000 => 512,
        _ => 1024,
    }
}

/// Epochs planned for so many train rows.
pub fn epochs(n_rows: usize) -> usize {
    let n_rows = n_rows.max(1);
    let steps_per_epoch = n_rows.div_ceil(batch_size(n_rows));
    let for_steps = MIN_STEPS.div_ceil(steps_per_epoch).max(16);
    let affordable = (ROWS_PER_FIT / n_rows).max(MIN_EPOCHS);
    for_steps.min(affordable).min(MAX_EPOCHS)
}

/// Fits one member on `train`, and keeps the weights of the epoch with the smallest loss on `validation`.
///
/// AdamW (β 0.9 and 0.98) with a linear warm-up and a cosine to zero; batches of [`batch_size`] in a new order each epoch;
/// 15 % dropout after each hidden layer; one category code in a hundred replaced by the unknown level. The observer hears
/// of every epoch and may stop the fit, which then fails: a fit is never cut short into another result.
///
/// # Errors
/// Any of [`Error`].
pub fn fit(
    setup: &Setup<'_>,
    train: Rows<'_>,
    validation: Rows<'_>,
    observer: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<FittedMember, Error> {
    let (n_train, n_validation) = (train.targets.len(), validation.targets.len());
    if n_train == 0 || n_validation == 0 {
        return Err(Error::TooFewRows { train: n_train, validation: n_validation });
    }
    if let Some(row) = train.targets.iter().chain(validation.targets).position(|target| !target.is_finite()) {
        return Err(Error::Target { row });
    }
    let device = Device::flex();
    let autodiff = device.clone().autodiff();
    let member = setup.member as u64;
    let mut network = Network::new(setup.architecture, &mut stream(setup.seed, Stream::Start, member), &autodiff);
    let adamw =
        |decay| AdamWConfig::new().with_beta_1(0.9).with_beta_2(0.98).with_epsilon(1e-8).with_weight_decay(decay);
    let biases = ParamGroup::from_regex(r"bias$").expect("the pattern is a regular expression");
    let mut optimizer = adamw(WEIGHT_DECAY).init().with_group(biases, adamw(0.0).build(), None);

    let (batch_size, epochs) = (batch_size(n_train), epochs(n_train));
    let n_steps = epochs * n_train.div_ceil(batch_size);
    let widest = setup.architecture.hidden.iter().copied().max().unwrap_or(1) as f64;
    let highest_rate = LEARNING_RATE * (FULL_RATE_WIDTH / widest).min(1.0);
    let patience = ((epochs as f64 * PATIENCE_SHARE) as usize).max(4);
    let mut order: Vec<usize> = (0..n_train).collect();
    let mut shuffles = stream(setup.seed, Stream::Order, member);
    let mut masks = Masks::new(stream(setup.seed, Stream::Masks, member));
    let mut unknowns = stream(setup.seed, Stream::Unknowns, member);
    let mut curve: Vec<Progress> = Vec::with_capacity(epochs);
    let mut best: Option<(usize, f64, Network)> = None;
    let mut step = 0;
    for epoch in 1..=epochs {
        order.shuffle(&mut shuffles);
        let mut loss_sum = 0.0;
        for rows in order.chunks(batch_size) {
            if (setup.over_budget)() {
                return Err(Error::OverBudget { epoch, epochs });
            }
            let unknown = |code| if unknowns.random_bool(UNKNOWN_SHARE) { features::UNKNOWN } else { code };
            let inputs = Inputs::gather(train.encoded, rows, unknown, &autodiff);
            let targets: Vec<f32> = rows.iter().map(|row| train.targets[*row]).collect();
            let mut dropout = |shape| masks.next(shape, &autodiff);
            let outputs = network.forward(inputs, Some(&mut dropout));
            let loss = setup.loss.mean(outputs, &targets, &autodiff);
            loss_sum += f64::from(first(loss.clone())) * rows.len() as f64;
            let gradients = GradientsParams::from_grads(loss.backward(), &network);
            network = optimizer.step(highest_rate * schedule(step, n_steps), network, gradients);
            step += 1;
        }
        let candidate = network.valid();
        let validation_loss = mean_loss(&candidate, setup.loss, validation, &device);
        let train_loss = loss_sum / n_train as f64;
        if !(train_loss.is_finite() && validation_loss.is_finite()) {
            return Err(Error::Diverged { epoch });
        }
        let progress = Progress { epoch, epochs, train_loss, validation_loss };
        curve.push(progress);
        if best.as_ref().is_none_or(|(_, smallest, _)| validation_loss < *smallest) {
            best = Some((epoch, validation_loss, candidate));
        }
        if observer(progress).is_break() {
            return Err(Error::Stopped { epoch });
        }
        if best.as_ref().is_some_and(|(best_epoch, ..)| epoch - best_epoch >= patience) {
            break;
        }
    }
    let (best_epoch, _, network) = best.expect("the first epoch's weights are kept");
    let weights = network.weights(setup.architecture).map_err(Error::Weights)?;
    Ok(FittedMember { weights, curve, best_epoch })
}

/// Mean loss of rows without dropout.
fn mean_loss(network: &Network, loss: Loss, rows: Rows<'_>, device: &Device) -> f64 {
    let all: Vec<usize> = (0..rows.targets.len()).collect();
    let mut sum = 0.0;
    for part in all.chunks(PREDICT_ROWS) {
        let inputs = Inputs::gather(rows.encoded, part, |code| code, device);
        let targets: Vec<f32> = part.iter().map(|row| rows.targets[*row]).collect();
        sum += f64::from(first(loss.mean(network.forward(inputs, None), &targets, device))) * part.len() as f64;
    }
    sum / all.len() as f64
}

fn first(scalar: Tensor<1>) -> f32 {
    numbers(scalar.into_data()).first().copied().unwrap_or(f32::NAN)
}

/// Share of the highest learning rate: rises from nearly nothing, then falls along a cosine to nearly nothing.
fn schedule(step: usize, n_steps: usize) -> f64 {
    let warm_up = (WARM_UP_SHARE * n_steps as f64).max(1.0);
    let step = step as f64 + 0.5;
    let fall = 0.5 * (1.0 + (std::f64::consts::PI * step / n_steps as f64).cos());
    (step / warm_up).min(1.0) * fall
}

/// Dropout masks, made on the host: drawing them on the device would be single-threaded and a third of the step.
struct Masks {
    rng: ChaCha8Rng,
    bytes: Vec<u8>,
}

impl Masks {
    fn new(rng: ChaCha8Rng) -> Self {
        Self { rng, bytes: Vec::new() }
    }

    /// A mask of 0 and `1 / (1 - rate)`.
    fn next(&mut self, shape: [usize; 2], device: &Device) -> Tensor<2> {
        let keep = 256.0 / (256.0 - f32::from(DROPOUT_IN_256));
        self.bytes.resize(shape[0] * shape[1], 0);
        self.rng.fill_bytes(&mut self.bytes);
        let mask = self.bytes.iter().map(|byte| if *byte < DROPOUT_IN_256 { 0.0 } else { keep }).collect::<Vec<f32>>();
        Tensor::from_data(TensorData::new(mask, shape), device)
    }
}

/// The independent streams of random numbers of a fit.
#[derive(Clone, Copy)]
enum Stream {
    Split,
    Start,
    Order,
    Masks,
    Unknowns,
}

/// The stream of one purpose and member.
fn stream(seed: u64, purpose: Stream, member: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(member << 8 | purpose as u64);
    rng
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::tests::{architecture, encoded};

    /// What the target's mean follows: a curve, a product and a category.
    fn signal(encoded: &Encoded, row: usize) -> f32 {
        let dense = encoded.dense.row(row);
        dense[0].sin() + dense[1] * dense[2] + if encoded.codes[[row, 0]] == 2 { 1.5 } else { -0.5 }
    }

    fn targets(encoded: &Encoded, loss: Loss, seed: u64) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let rows = 0..encoded.n_rows();
        rows.map(|row| {
            let (signal, noise) = (signal(encoded, row), rng.random_range(-0.5_f32..0.5));
            match loss {
                Loss::BinaryCrossEntropy => f32::from(u8::from(signal + noise > 0.0)),
                Loss::CrossEntropy => {
                    (f32::from(u8::from(signal + noise > -1.0))) + f32::from(u8::from(signal + noise > 1.0))
                }
                Loss::SquaredError | Loss::Huber => (signal + noise) / 1.8,
            }
        })
        .collect()
    }

    fn fitted(loss: Loss, member: usize, n_rows: usize) -> Result<FittedMember, Error> {
        let architecture = architecture(3, if loss == Loss::CrossEntropy { 3 } else { 1 });
        let (train, validation) = (encoded(n_rows, 3, 1), encoded(n_rows / 4, 3, 2));
        let (train_targets, validation_targets) = (targets(&train, loss, 3), targets(&validation, loss, 4));
        let setup = Setup { architecture: &architecture, loss, seed: 7, member, over_budget: &|| false };
        fit(
            &setup,
            Rows { encoded: &train, targets: &train_targets },
            Rows { encoded: &validation, targets: &validation_targets },
            &mut |_| ControlFlow::Continue(()),
        )
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_at_any_number_of_threads() {
        // Wide enough for products that are shared out among threads.
        let architecture = Architecture { hidden: vec![256, 256], ..architecture(3, 1) };
        let train = encoded(60_000, 3, 1);
        let train_targets = targets(&train, Loss::SquaredError, 3);
        let validation = encoded(500, 3, 2);
        let validation_targets = targets(&validation, Loss::SquaredError, 4);
        let with_threads = |n_threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            // Two epochs are enough to tell: the observer stops there, and the losses are of all weights.
            let mut losses = Vec::new();
            let setup = Setup {
                architecture: &architecture,
                loss: Loss::SquaredError,
                seed: 7,
                member: 0,
                over_budget: &|| false,
            };
            let mut observer = |progress: Progress| {
                losses.push((progress.train_loss.to_bits(), progress.validation_loss.to_bits()));
                if progress.epoch < 2 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            };
            let train = Rows { encoded: &train, targets: &train_targets };
            let validation = Rows { encoded: &validation, targets: &validation_targets };
            let stopped = pool.install(|| fit(&setup, train, validation, &mut observer));
            assert!(matches!(stopped, Err(Error::Stopped { epoch: 2 })));
            losses
        };
        let once = with_threads(1);
        assert_eq!(once, with_threads(1));
        assert_eq!(once, with_threads(2));
    }

    #[test]
    fn members_are_fitted_alike_in_any_order_and_differ() {
        let second = fitted(Loss::BinaryCrossEntropy, 1, 600).unwrap();
        let first = fitted(Loss::BinaryCrossEntropy, 0, 600).unwrap();
        let again = fitted(Loss::BinaryCrossEntropy, 1, 600).unwrap();
        assert_eq!(second.weights.to_bytes().unwrap(), again.weights.to_bytes().unwrap());
        assert_eq!(second.curve, again.curve);
        assert_ne!(first.weights, second.weights);
        assert_eq!(Weights::join(vec![first.weights, second.weights]).unwrap().architecture().members, 2);
    }

    #[test]
    fn each_loss_is_learnt() {
        // Losses of always answering the mean: ln 2, about ln 3, and about the variance of the target.
        for (loss, enough) in [
            (Loss::BinaryCrossEntropy, 0.35),
            (Loss::CrossEntropy, 0.65),
            (Loss::SquaredError, 0.12),
            (Loss::Huber, 0.06),
        ] {
            let fitted = fitted(loss, 0, 4000).unwrap();
            let best = fitted.curve[fitted.best_epoch - 1];
            assert_eq!(best.epoch, fitted.best_epoch);
            assert!(fitted.curve.iter().all(|progress| progress.validation_loss >= best.validation_loss));
            assert!(best.validation_loss < enough, "{loss:?}: {best:?}");
        }
    }

    #[test]
    fn losses_are_what_they_are_called() {
        let device = Device::flex();
        let check = |loss: Loss, outputs: &[f32], n_outputs: usize, targets: &[f32], expected: f32| {
            let data = TensorData::new(outputs.to_vec(), [targets.len(), n_outputs]);
            let mean = first(loss.mean(Tensor::<2>::from_data(data, &device), targets, &device));
            assert!((mean - expected).abs() < 1e-6, "{loss:?}: {mean}");
        };
        check(Loss::BinaryCrossEntropy, &[0.0, 2.0], 1, &[1.0, 0.0], (2.0_f32.ln() + 2.126_928) / 2.0);
        check(Loss::BinaryCrossEntropy, &[80.0], 1, &[0.0], 80.0);
        check(Loss::CrossEntropy, &[0.0, 0.0, 0.0, 2.0, 0.0, 0.0], 3, &[1.0, 0.0], (3.0_f32.ln() + 0.239_545) / 2.0);
        check(Loss::SquaredError, &[1.0, 3.0], 1, &[0.0, 0.0], 5.0);
        check(Loss::Huber, &[0.5, -3.0], 1, &[0.0, 0.0], (0.125 + 2.5) / 2.0);
    }

    #[test]
    fn a_fit_is_never_cut_short_into_a_result() {
        let architecture = architecture(3, 1);
        let rows = encoded(100, 3, 1);
        let targets = targets(&rows, Loss::SquaredError, 1);
        let bad = [&[f32::NAN], &targets[1..]].concat();
        let run = |over_budget: &(dyn Fn() -> bool + Sync), targets: &[f32], stop: bool| {
            let setup =
                Setup { architecture: &architecture, loss: Loss::SquaredError, seed: 7, member: 0, over_budget };
            let rows = Rows { encoded: &rows, targets };
            let flow = if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
            fit(&setup, rows, rows, &mut |_| flow).unwrap_err()
        };
        assert!(matches!(run(&|| true, &targets, false), Error::OverBudget { epoch: 1, .. }));
        assert!(matches!(run(&|| false, &targets, true), Error::Stopped { epoch: 1 }));
        assert!(matches!(run(&|| false, &bad, false), Error::Target { row: 0 }));
        assert!(matches!(run(&|| false, &[], false), Error::TooFewRows { .. }));
    }

    #[test]
    fn the_validation_rows_are_drawn_once() {
        for n_rows in [10, 1_000, 400_000] {
            let (train, validation) = validation_split(n_rows, 3);
            assert_eq!((train.clone(), validation.clone()), validation_split(n_rows, 3));
            assert_eq!(validation.len(), (n_rows * 15).div_ceil(100).min(MAX_VALIDATION_ROWS));
            let mut all = [train, validation].concat();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..n_rows));
        }
        assert_ne!(validation_split(1_000, 3), validation_split(1_000, 4));
    }

    #[test]
    fn the_plan_follows_the_rows() {
        for (n_rows, expected) in [(100, 60), (1_000, 60), (6_800, 23), (100_000, 16), (850_000, 16), (10_000_000, 6)] {
            assert_eq!(epochs(n_rows), expected, "{n_rows} rows");
        }
        let rates: Vec<f64> = (0..1000).map(|step| schedule(step, 1000)).collect();
        assert!(rates.iter().all(|rate| *rate > 0.0 && *rate <= 1.0));
        assert!(rates[0] < 0.02 && rates[999] < 1e-5 && rates[50] > 0.95);
    }
}
