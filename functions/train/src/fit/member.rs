//! Fits one member: AdamW on shuffled batches, a cosine schedule, and the weights of the epoch that validates best.
//!
//! Everything random is drawn on the host from ChaCha8 streams of the seed and the member's index, so members can be fitted
//! in any order, by any number of threads, now or after a restart, and give the same bytes.

use std::ops::ControlFlow;

use burn::module::ParamGroup;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::prelude::*;
use burn::tensor::TensorData;
use features::FeatureSlot;
use model::{Architecture, Member, Weights};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::adamw::{BETA_1, BETA_2, EPSILON};
use super::bend::{Bent, n_masks};
use super::calibrate::calibrated_log_loss;
use super::device::device;
use super::distillation::Guesses;
use super::first::{FirstLayer, Folded, Form, Pace};
use super::inputs::Inputs;
use super::network::{Network, numbers};
use super::random::{Stream, stream};
use super::rows::Rows;
use super::{Error, Loss, Recipe};

/// Share of the steps in which the learning rate rises.
const WARM_UP_SHARE: f64 = 0.05;
/// Share of category codes that are replaced by the unknown level, so that it learns what to say of levels never seen.
const UNKNOWN_SHARE: f64 = 0.01;
/// Steps whose rows are made ready together.
const BATCHES_TOGETHER: usize = 64;
/// Rows per step when predicting.
const PREDICT_ROWS: usize = 4096;

/// What is fitted.
#[derive(Clone, Copy)]
pub struct Setup<'a> {
    /// What members read and answer; the members that it names do not matter here.
    pub architecture: &'a Architecture,
    /// The shape of this one.
    pub member: &'a Member,
    /// The features that its inputs belong to.
    pub slots: &'a [FeatureSlot],
    /// What is minimised.
    pub loss: Loss,
    /// How.
    pub recipe: &'a Recipe,
    /// Seed of the whole fit.
    pub seed: u64,
    /// Which member is fitted; each has its own start, order and masks.
    pub index: usize,
    /// What others say of the rows, for a member that learns that too.
    pub guesses: Option<&'a Guesses>,
    /// Asked before every step: whether the fit has run out of its budget.
    pub over_budget: &'a (dyn Fn() -> bool + Sync),
}

/// How far a fit has come, after an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Epochs done, from 1.
    pub epoch: usize,
    /// Epochs planned.
    pub epochs: usize,
    /// Mean loss over the epoch's steps, with dropout and label smoothing.
    pub train_loss: f64,
    /// Mean loss of the validation rows after the epoch, without either; of a classification, with the slope and
    /// shifts that fit them best. None where no rows validate.
    pub validation_loss: Option<f64>,
}

/// A fitted member.
#[derive(Clone, Debug, PartialEq)]
pub struct FittedMember {
    /// Its weights, as a network of one member. [`Weights::join`] makes one network of several; the bytes of this one are
    /// the checkpoint of a fit of several.
    pub weights: Weights,
    /// All epochs.
    pub curve: Vec<Progress>,
    /// The epoch whose weights these are, from 1: the one with the smallest validation loss, or the last where no rows
    /// validate.
    pub best_epoch: usize,
}

/// Fits one member on the rows at `order`, and keeps the weights of the epoch with the smallest loss on the rows at
/// `validation`; without any, those of the last epoch.
///
/// AdamW with a linear warm-up and a cosine to zero; batches in a new order each epoch; dropout after each hidden layer;
/// one category code in a hundred replaced by the unknown level. The observer hears of every epoch and may stop the fit,
/// which then fails: a fit is never cut short into another result.
///
/// # Errors
/// Any of [`Error`].
pub fn fit(
    setup: &Setup<'_>,
    rows: &Rows<'_>,
    mut order: Vec<usize>,
    validation: Option<&[usize]>,
    observer: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<FittedMember, Error> {
    let n_train = order.len();
    if n_train == 0 || validation.is_some_and(<[usize]>::is_empty) {
        return Err(Error::TooFewRows { train: n_train, validation: validation.map_or(0, <[usize]>::len) });
    }
    if let Some(row) = rows.targets(setup.member.log).iter().position(|target| !target.is_finite()) {
        return Err(Error::Target { row });
    }
    let Recipe { epochs, batch_rows, learning_rate, weight_decay: decay, sparsity, max_features, .. } = *setup.recipe;
    let smoothing = setup.recipe.label_smoothing as f32;
    let device = device();
    let autodiff = device.clone().autodiff();
    let inputs = Inputs::new(setup.architecture, setup.member, setup.slots);
    let mut starts = stream(setup.seed, Stream::Start, setup.index);
    let width = setup.architecture.first_width(setup.member);
    let form = Form { n_sums: setup.member.body.n_sums(), width, gated: sparsity > 0.0, max_features };
    let mut first_layer = FirstLayer::new(&inputs, form, &mut starts);
    let mut network = Network::new(setup.architecture, setup.member, &mut starts, &autodiff);
    let adamw = |decay| {
        AdamWConfig::new().with_beta_1(BETA_1).with_beta_2(BETA_2).with_epsilon(EPSILON).with_weight_decay(decay)
    };
    let biases = ParamGroup::from_regex(r"bias$").expect("the pattern is a regular expression");
    let mut optimizer = adamw(decay as f32).init().with_group(biases, adamw(0.0).build(), None);

    let n_steps = epochs * n_train.div_ceil(batch_rows);
    let mut shuffles = stream(setup.seed, Stream::Order, setup.index);
    let mut masks = Masks::new(setup.recipe.dropout, stream(setup.seed, Stream::Masks, setup.index));
    let mut unknowns = stream(setup.seed, Stream::Unknowns, setup.index);
    let mut curve: Vec<Progress> = Vec::with_capacity(epochs);
    let mut best: Option<(usize, Option<f64>, (Folded, Network))> = None;
    let mut step = 0;
    for epoch in 1..=epochs {
        order.shuffle(&mut shuffles);
        let mut loss_sum = 0.0;
        for together in order.chunks(batch_rows * BATCHES_TOGETHER) {
            let part = rows.part(together);
            for (batch, places) in together.chunks(batch_rows).zip(part.places.chunks(batch_rows)) {
                if (setup.over_budget)() {
                    return Err(Error::OverBudget { epoch, epochs });
                }
                let unknown = |code| if unknowns.random_bool(UNKNOWN_SHARE) { features::UNKNOWN } else { code };
                let gathered = inputs.gather(&part.encoded, places, unknown);
                let soften = |targets: &mut [f32]| {
                    if let Some(guesses) = setup.guesses {
                        guesses.soften(batch, setup.member.log, setup.recipe.distillation as f32, targets);
                    }
                };
                let (targets, weights) = rows.lesson(batch, setup.member.log, setup.architecture.n_outputs, soften);
                let folded = first_layer.folded();
                let mask = masks.next(batch.len() * n_masks(setup.member));
                let mut bent = Bent::new(setup.member, &folded.sums(&gathered), width, Some(mask));
                let values = tensor(std::mem::take(&mut bent.values), batch.len(), &autodiff).require_grad();
                let mut dropout = |shape: [usize; 2]| tensor(masks.next(shape[0] * shape[1]), shape[0], &autodiff);
                let outputs = network.forward(setup.member, values.clone(), Some(&mut dropout));
                let loss = setup.loss.mean(outputs, &targets, weights.as_deref(), smoothing, &autodiff);
                loss_sum += f64::from(first(loss.clone())) * batch.len() as f64;
                let gradients = loss.backward();
                let of_values = values.grad(&gradients).map_or_else(Vec::new, |gradient| numbers(gradient.into_data()));
                let of_sums = bent.gradient(setup.member, &of_values, width);
                let rate = learning_rate * schedule(step, n_steps);
                let gradients = GradientsParams::from_grads(gradients, &network);
                network = optimizer.step(rate, network, gradients);
                first_layer.step(&folded, &gathered, &of_sums, Pace { rate, decay, sparsity });
                step += 1;
            }
        }
        let (folded, learnt) = (first_layer.folded(), network.valid());
        let validation_loss =
            validation.map(|chosen| mean_loss((&folded, &learnt), &inputs, setup, rows, chosen, &device));
        let train_loss = loss_sum / n_train as f64;
        if !(train_loss.is_finite() && validation_loss.is_none_or(f64::is_finite)) {
            return Err(Error::Diverged { epoch });
        }
        let progress = Progress { epoch, epochs, train_loss, validation_loss };
        curve.push(progress);
        // Where no rows validate, the later epoch is the better one.
        let is_better = |smallest: Option<f64>| validation.is_none() || validation_loss < smallest;
        if best.as_ref().is_none_or(|(_, smallest, _)| is_better(*smallest)) {
            best = Some((epoch, validation_loss, (folded, learnt)));
        }
        if observer(progress).is_break() {
            return Err(Error::Stopped { epoch });
        }
    }
    let Some((best_epoch, _, (folded, network))) = best else {
        return Err(Error::TooFewRows { train: n_train, validation: validation.map_or(0, <[usize]>::len) });
    };
    let weights = network.weights(setup.architecture, setup.member, &inputs, &folded)?;
    Ok(FittedMember { weights, curve, best_epoch })
}

/// Mean loss of rows without dropout and label smoothing; of a classification, with the slope and shifts that fit these rows
/// best: smoothing makes a network timid, which is mended after the fit and must not count against an epoch.
fn mean_loss(
    (folded, network): (&Folded, &Network),
    inputs: &Inputs,
    setup: &Setup<'_>,
    rows: &Rows<'_>,
    chosen: &[usize],
    device: &Device,
) -> f64 {
    let mut outputs = Vec::with_capacity(chosen.len() * setup.architecture.n_outputs);
    for chosen in chosen.chunks(PREDICT_ROWS) {
        let part = rows.part(chosen);
        let gathered = inputs.gather(&part.encoded, &part.places, |code| code);
        let bent = Bent::new(setup.member, &folded.sums(&gathered), folded.bias.len(), None);
        let values = tensor(bent.values, chosen.len(), device);
        outputs.extend(numbers(network.forward(setup.member, values, None).into_data()));
    }
    let targets: Vec<f32> = chosen.iter().map(|row| rows.targets(setup.member.log)[*row]).collect();
    let weights = rows.weights_of(chosen);
    match setup.loss {
        Loss::BinaryCrossEntropy | Loss::CrossEntropy => {
            calibrated_log_loss(&outputs, setup.architecture.n_outputs, &targets, weights.as_deref())
        }
        Loss::SquaredError | Loss::Huber | Loss::Gamma { .. } => {
            let shape = [chosen.len(), 1];
            let outputs = Tensor::<2>::from_data(TensorData::new(outputs, shape), device);
            f64::from(first(setup.loss.mean(outputs, &targets, weights.as_deref(), 0.0, device)))
        }
    }
}

/// Numbers of `n_rows` rows as a tensor.
fn tensor(numbers: Vec<f32>, n_rows: usize, device: &Device) -> Tensor<2> {
    let shape = [n_rows, numbers.len() / n_rows.max(1)];
    Tensor::from_data(TensorData::new(numbers, shape), device)
}

fn first(scalar: Tensor<1>) -> f32 {
    numbers(scalar.into_data()).first().copied().unwrap_or(f32::NAN)
}

/// Share of the highest learning rate: rises from nearly nothing, then falls along a cosine to nearly nothing.
fn schedule(step: usize, n_steps: usize) -> f64 {
    let warm_up = (WARM_UP_SHARE * n_steps as f64).max(1.0);
    let (step, n_steps) = (step as f64 + 0.5, n_steps as f64);
    if step < warm_up {
        return step / warm_up;
    }
    0.5 * (1.0 + (std::f64::consts::PI * (step - warm_up) / (n_steps - warm_up)).cos())
}

/// Dropout masks, made on the host: drawing them on the device would be single-threaded and a third of the step.
struct Masks {
    rng: ChaCha8Rng,
    /// Values of which one in 256 is dropped for each.
    dropped_in_256: u8,
    bytes: Vec<u8>,
}

impl Masks {
    fn new(rate: f64, rng: ChaCha8Rng) -> Self {
        Self { rng, dropped_in_256: (rate * 256.0).round() as u8, bytes: Vec::new() }
    }

    /// `n` numbers that are 0 or `1 / (1 - rate)`.
    fn next(&mut self, n: usize) -> Vec<f32> {
        let keep = 256.0 / (256.0 - f32::from(self.dropped_in_256));
        self.bytes.resize(n, 0);
        self.rng.fill_bytes(&mut self.bytes);
        self.bytes.iter().map(|byte| if *byte < self.dropped_in_256 { 0.0 } else { keep }).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use features::Encoded;
    use rand::SeedableRng;

    use super::*;
    use crate::fit::network::tests::{architecture, encoded, member, slots};
    use crate::fit::rows::Source;

    /// Those of the three dense inputs that every test has.
    static SLOTS: LazyLock<Vec<FeatureSlot>> = LazyLock::new(|| slots(3));

    fn recipe() -> Recipe {
        Recipe {
            epochs: 20,
            batch_rows: 64,
            learning_rate: 1e-2,
            weight_decay: 3e-2,
            dropout: 0.1,
            label_smoothing: 0.0,
            sparsity: 0.0,
            max_features: None,
            distillation: 0.0,
        }
    }

    /// What the target's mean follows: a curve, a product and a category.
    fn signal(encoded: &Encoded, row: usize) -> f32 {
        let dense = encoded.dense.row(row);
        dense[0].sin() + dense[1] * dense[2] + if encoded.codes[[row, 0]] == 2 { 1.5 } else { -0.5 }
    }

    /// Rows for a loss; the last fifth validates.
    fn rows(loss: Loss, n_rows: usize) -> (Rows<'static>, Vec<usize>, Vec<usize>) {
        let encoded = encoded(n_rows, 3, 1);
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let targets = (0..n_rows).map(|row| {
            let (signal, noise) = (signal(&encoded, row), rng.random_range(-0.5_f32..0.5));
            match loss {
                Loss::BinaryCrossEntropy => f32::from(u8::from(signal + noise > 0.0)),
                Loss::CrossEntropy => {
                    (f32::from(u8::from(signal + noise > -1.0))) + f32::from(u8::from(signal + noise > 1.0))
                }
                Loss::SquaredError | Loss::Huber | Loss::Gamma { .. } => (signal + noise) / 1.8,
            }
        });
        let targets = targets.collect();
        let train = n_rows * 4 / 5;
        let inputs = Source::Encoded(encoded);
        let rows = Rows { inputs, targets, log_targets: None, weights: None, class_weights: None, time: None };
        (rows, (0..train).collect(), (train..n_rows).collect())
    }

    /// What a test fits, unless it says otherwise: the first member, by its squared error, without a budget.
    fn setup<'a>(architecture: &'a Architecture, member: &'a Member, recipe: &'a Recipe) -> Setup<'a> {
        Setup {
            architecture,
            member,
            slots: &SLOTS,
            loss: Loss::SquaredError,
            recipe,
            guesses: None,
            seed: 7,
            index: 0,
            over_budget: &|| false,
        }
    }

    fn fitted(loss: Loss, index: usize, n_rows: usize) -> Result<FittedMember, Error> {
        let architecture = architecture(3, if loss == Loss::CrossEntropy { 3 } else { 1 });
        let (rows, train, validation) = rows(loss, n_rows);
        let (recipe, member) = (recipe(), member(32));
        let setup = Setup { loss, index, ..setup(&architecture, &member, &recipe) };
        fit(&setup, &rows, train, Some(&validation), &mut |_| ControlFlow::Continue(()))
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_at_any_number_of_threads() {
        // Wide enough for products that are shared out among threads.
        let (architecture, member) = (architecture(3, 1), member(256));
        let (rows, train, validation) = rows(Loss::SquaredError, 20_000);
        let recipe = Recipe { batch_rows: 1024, ..recipe() };
        let with_threads = |n_threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
            // Two epochs are enough to tell: the observer stops there, and the losses are of all weights.
            let mut losses = Vec::new();
            let setup = setup(&architecture, &member, &recipe);
            let mut observer = |progress: Progress| {
                losses.push((progress.train_loss.to_bits(), progress.validation_loss.map(f64::to_bits)));
                if progress.epoch < 2 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            };
            let stopped = pool.install(|| fit(&setup, &rows, train.clone(), Some(&validation), &mut observer));
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
        assert_eq!(Weights::join(vec![first.weights, second.weights]).unwrap().architecture().members.len(), 2);
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
            assert!(best.validation_loss.unwrap() < enough, "{loss:?}: {best:?}");
        }
    }

    #[test]
    fn the_last_epoch_is_kept_where_no_rows_validate() {
        let (architecture, member, recipe) = (architecture(3, 1), member(16), Recipe { epochs: 3, ..recipe() });
        let (rows, train, _) = rows(Loss::SquaredError, 300);
        let setup = setup(&architecture, &member, &recipe);
        let fitted = fit(&setup, &rows, train, None, &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!((fitted.best_epoch, fitted.curve.len()), (3, 3));
        assert!(fitted.curve.iter().all(|progress| progress.validation_loss.is_none()));
    }

    #[test]
    fn a_fit_is_never_cut_short_into_a_result() {
        let (architecture, member) = (architecture(3, 1), member(32));
        let (rows, train, validation) = rows(Loss::SquaredError, 100);
        let bad = Rows { targets: [&[f32::NAN], &rows.targets[1..]].concat(), ..rows.clone() };
        let recipe = recipe();
        let run = |over_budget: &(dyn Fn() -> bool + Sync), rows: &Rows<'_>, train: &[usize], stop: bool| {
            let setup = Setup { over_budget, ..setup(&architecture, &member, &recipe) };
            let flow = if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
            fit(&setup, rows, train.to_vec(), Some(&validation), &mut |_| flow).unwrap_err()
        };
        assert!(matches!(run(&|| true, &rows, &train, false), Error::OverBudget { epoch: 1, .. }));
        assert!(matches!(run(&|| false, &rows, &train, true), Error::Stopped { epoch: 1 }));
        assert!(matches!(run(&|| false, &bad, &train, false), Error::Target { row: 0 }));
        assert!(matches!(run(&|| false, &rows, &[], false), Error::TooFewRows { .. }));
    }

    #[test]
    fn the_rate_rises_and_falls() {
        let rates: Vec<f64> = (0..1000).map(|step| schedule(step, 1000)).collect();
        assert!(rates.iter().all(|rate| *rate > 0.0 && *rate <= 1.0));
        assert!(rates[0] < 0.02 && rates[999] < 1e-5 && rates[50] > 0.99);
    }
}
