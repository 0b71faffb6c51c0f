//! The bag: members that each hold out another part of the rows, a readout fitted on the held-out answers, and members that
//! learn from all rows to serve with it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use features::Encoder;
use model::{Architecture, Predictions, Predictor, Weights, pool};
use ndarray::{Array2, Axis};
use rand::seq::SliceRandom;
use serde::Serialize;
use spec::{Batch, MemberKind, Spec, Task, oldest_first};

use super::blend::{by_log_loss, by_squared_error};
use super::distillation::Guesses;
use super::lesson::{Keeper, Lesson, may_learn_again};
use super::member::{self, FittedMember, Progress, Setup};
use super::random::{Stream, stream};
use super::readout::{class, readout};
use super::recipe::distillation;
use super::rows::Rows;
use super::weights::{teaching, without_class_weights};
use super::{Error, Loss, Plan, Recipe, stack};
use crate::folds::stratified;

/// Parts into which the rows fall; each member holds out one.
const FOLDS: usize = 5;
/// Most rows that a member holds out: enough to tell epochs apart; more would only cost time.
const MAX_HELD_OUT_ROWS: usize = 50_000;
/// Most multiply-adds of a row after the first layer, all members together: what keeps a prediction in microseconds.
const MAX_MULTIPLY_ADDS: usize = 200_000;
/// Fewest members of a kind that learn again, if there are as many: of fewer it matters how they happened to start.
const FEWEST_SERVED: usize = 3;
/// The least that a kind of member must count to be served.
const MIN_SHARE: f64 = 0.05;
/// Epochs on all rows for each epoch to the best one with rows held out, as far as there are as many in the plan: a schedule
/// that ends there has its low rates still to come.
const EPOCHS_TO_SETTLE: f64 = 1.5;

/// What a bag is fitted from.
#[derive(Clone, Copy)]
pub struct Bag<'a> {
    /// Its settings.
    pub spec: &'a Arc<Spec>,
    /// What encoded the rows.
    pub encoder: &'a Encoder,
    /// The rows to learn from.
    pub rows: &'a Rows<'a>,
    /// Asked before every step: whether the fit has run out of its budget.
    pub over_budget: &'a (dyn Fn() -> bool + Sync),
}

/// A fitted bag.
#[derive(Clone, Debug)]
pub struct Fitted {
    /// The members that count, with the readout.
    pub weights: Weights,
    /// The kinds of members that were fitted.
    pub kinds: Vec<FittedKind>,
}

/// The members of one kind.
#[derive(Clone, Debug, Serialize)]
pub struct FittedKind {
    /// Which.
    pub kind: MemberKind,
    /// How much the kind counts, 0 to 1; one that counts for almost nothing is left out.
    pub share: f64,
    /// The members that serve, which have learnt from all rows after those told of here; none where these serve.
    pub refit: Option<Refit>,
    /// The recipe that was followed.
    pub recipe: Recipe,
    /// Mean of the members' best validation losses.
    pub validation_loss: f64,
    /// Per member, the epoch whose weights it has and all its epochs.
    pub members: Vec<MemberCurve>,
}

/// Members of one kind that have learnt from all rows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Refit {
    /// How many.
    pub n_members: usize,
    /// The recipe that was followed.
    pub recipe: Recipe,
}

/// How a member learnt.
#[derive(Clone, Debug, Serialize)]
pub struct MemberCurve {
    /// The epoch whose weights it has, from 1.
    pub best_epoch: usize,
    /// All epochs.
    pub epochs: Vec<Progress>,
}

/// Answers for rows by members that did not learn from them.
struct HeldOut {
    /// Indices into the rows of the fit, rising.
    rows: Vec<usize>,
    /// Their answers before any readout; the mean where several members of a kind held a row out.
    predictions: Predictions,
}

/// Fits an encoder on the rows that teach, and a bag on what it encodes: [`fit_bag`].
///
/// # Errors
/// Any of [`Error`].
pub fn fit_batch(
    spec: &Arc<Spec>,
    batch: &Batch,
    n_members: usize,
    over_budget: &(dyn Fn() -> bool + Sync),
    keeper: &dyn Keeper,
) -> Result<(Encoder, Fitted), Error> {
    let batch = teaching(batch);
    let encoder = Encoder::fit(spec, &batch)?;
    let rows = Rows::of_batch(spec, &encoder, &batch)?;
    let fitted = fit_bag(&Bag { spec, encoder: &encoder, rows: &rows, over_budget }, n_members, keeper)?;
    Ok((encoder, fitted))
}

/// Fits so many members of each kind, those that the keeper has as they are, the others side by side on the cores there
/// are; then the readout on the rows that they have held out: how much each kind counts, and calibration or intervals. The
/// spec's own number is a whole bag; one of each kind is what a trial of a search measures, at a fraction of the cost. The
/// kinds that may serve are those of the whole bag.
///
/// Where the spec lets them, kinds that count then learn once more, from all rows, for as long as the held-out rows say that
/// it is good for them; these members serve, with the readout of the others.
///
/// The parts are drawn once from the seed, so that the same rows, spec and seed give the same bytes in any order and at any
/// number of threads.
///
/// # Errors
/// Any of [`Error`].
pub fn fit_bag(bag: &Bag<'_>, n_members: usize, keeper: &dyn Keeper) -> Result<Fitted, Error> {
    let Bag { spec, encoder, rows, .. } = *bag;
    let architecture = Architecture::of_spec(spec, encoder.layout());
    let folds = folds(rows, spec.train.seed);
    let plans = Plan::of_spec(spec, encoder.layout(), encoder.target(), rows.n_rows() - folds[0].len());
    let learns_again = may_learn_again(&spec.train, rows.n_rows());
    let costs: Vec<usize> = plans.iter().map(|plan| architecture.multiply_adds_of(&plan.member)).collect();
    let n_served = if learns_again { served_of_each(&costs, spec.train.members) } else { spec.train.members };
    let n_serving = n_served.min(n_members);
    let crew = Crew { bag, architecture: &architecture, plans: &plans, folds: &folds, guesses: None, keeper };
    let lessons = first_lessons(&plans, n_members);
    keeper.plan(lessons.len() + if learns_again { plans.len() * n_serving } else { 0 });
    let members = crew.fit(&lessons)?;
    let by_kind: Vec<&[FittedMember]> = members.chunks(n_members).collect();
    let answers = by_kind.iter().map(|members| held_out(bag, &folds, members)).collect::<Result<Vec<_>, _>>()?;
    let costs: Vec<usize> = costs.into_iter().map(|cost| n_served * cost).collect();
    let shares = shares(bag, &answers, &costs);
    let blended = blended(&answers, &shares);
    let targets: Vec<f32> = blended.rows.iter().map(|row| rows.targets[*row]).collect();
    let weights = rows.weights_of(&blended.rows);
    let mut readout = readout(spec, encoder.target(), &blended.predictions, &targets, weights.as_deref());
    let counting: Vec<usize> = (0..plans.len()).filter(|kind| shares[*kind] > 0.0).collect();
    let blend = counting.iter().flat_map(|kind| vec![shares[*kind] / n_serving as f64; n_serving]);
    readout.blend = Some(blend.collect());

    let distillation = distillation(spec);
    let again = match learns_again {
        true => {
            let of_kind = |kind: &usize| (&lessons[kind * n_members..][..n_members], by_kind[*kind]);
            let counting: Vec<_> = counting.iter().map(of_kind).collect();
            second_lessons(&counting, lessons.len(), n_serving, distillation)
        }
        false => Vec::new(),
    };
    keeper.plan(lessons.len() + again.len());
    let refit = |kind| {
        let lesson = again.iter().find(|lesson| lesson.kind == kind)?;
        Some(Refit { n_members: n_serving, recipe: lesson.recipe.clone() })
    };
    let serving: Vec<Weights> = match again.is_empty() {
        true => counting.iter().flat_map(|kind| by_kind[*kind]).map(|member| member.weights.clone()).collect(),
        false => {
            let guesses = (distillation > 0.0).then(|| {
                let calibration = readout.calibration.as_ref();
                Guesses::new(encoder.target(), rows.n_rows(), &blended.rows, &blended.predictions, calibration)
            });
            let crew = Crew { guesses: guesses.as_ref(), ..crew };
            crew.fit(&again)?.into_iter().map(|member| member.weights).collect()
        }
    };
    let weights = Weights::join(serving)?.with_readout(readout)?;
    let kinds = plans.into_iter().zip(&by_kind).zip(&shares).map(|((plan, members), share)| {
        let losses = members.iter().filter_map(|member| member.curve[member.best_epoch - 1].validation_loss);
        let losses: Vec<f64> = losses.collect();
        let curve = |member: &FittedMember| MemberCurve { best_epoch: member.best_epoch, epochs: member.curve.clone() };
        FittedKind {
            kind: plan.kind,
            share: *share,
            refit: refit(plan.kind),
            recipe: plan.recipe,
            validation_loss: losses.iter().sum::<f64>() / losses.len() as f64,
            members: members.iter().map(curve).collect(),
        }
    });
    Ok(Fitted { weights, kinds: kinds.collect() })
}

/// The parts of the rows, each in rising order: drawn from the seed with alike targets or, where rows have a time, five
/// blocks of it, oldest first. A block in between is judged by members that know what came before and after it, as rows of
/// one time are like each other and would else tell of those that are held out; and every row is learnt from by all members
/// but one.
///
/// # Source
/// Blocked cross-validation: D. R. Roberts et al., "Cross-validation strategies for data with temporal, spatial,
/// hierarchical, or phylogenetic structure", Ecography 40 (2017).
fn folds(rows: &Rows, seed: u64) -> Vec<Vec<usize>> {
    let n_rows = rows.n_rows();
    let rng = &mut stream(seed, Stream::Folds, 0);
    let Some(time) = &rows.time else {
        // Of very many rows, five of more parts.
        let n_parts = FOLDS.max(n_rows.div_ceil(MAX_HELD_OUT_ROWS));
        let part_of = stratified(n_rows, |row| rows.targets[row].into(), n_parts, rng);
        return (0..FOLDS).map(|fold| (0..n_rows).filter(|row| part_of[*row] == fold).collect()).collect();
    };
    let mut order: Vec<usize> = (0..n_rows).collect();
    order.shuffle(rng);
    // The sort keeps the drawn order of rows of one time.
    order.sort_by(|a, b| oldest_first(time[*a], time[*b]));
    let block = |fold: usize| {
        let (begin, end) = (fold * n_rows / FOLDS, (fold + 1) * n_rows / FOLDS);
        // Of a long block its newest rows.
        let mut block = order[begin.max(end.saturating_sub(MAX_HELD_OUT_ROWS))..end].to_vec();
        block.sort_unstable();
        block
    };
    (0..FOLDS).map(block).collect()
}

/// The lessons of so many members of each kind that hold out a part, kind by kind.
fn first_lessons(plans: &[Plan], n_members: usize) -> Vec<Lesson> {
    let lesson = |index: usize| {
        let member = index % n_members;
        let Plan { kind, recipe, .. } = &plans[index / n_members];
        Lesson { index, kind: *kind, member, held_out: Some(member % FOLDS), recipe: recipe.clone() }
    };
    (0..plans.len() * n_members).map(lesson).collect()
}

/// The lessons of the kinds that count once more, from all rows, for half as many epochs again as were best with some held
/// out, by the middle of a kind's members, and no more than planned. No row is left to choose an epoch on, so a schedule ends
/// with them. `kinds` are the lessons of those kinds and what came of them, of `n_first` lessons in all; of each kind the
/// first `n_served` learn again.
fn second_lessons(
    kinds: &[(&[Lesson], &[FittedMember])],
    n_first: usize,
    n_served: usize,
    distillation: f64,
) -> Vec<Lesson> {
    let of_kind = |(lessons, members): &(&[Lesson], &[FittedMember])| {
        let mut best: Vec<usize> = members.iter().map(|member| member.best_epoch).collect();
        best.sort_unstable();
        let epochs = (EPOCHS_TO_SETTLE * best[best.len() / 2] as f64).ceil() as usize;
        let again = |first: &Lesson| Lesson {
            index: n_first + first.index,
            held_out: None,
            recipe: Recipe { epochs: epochs.min(first.recipe.epochs), distillation, ..first.recipe.clone() },
            ..first.clone()
        };
        lessons.iter().take(n_served).map(again).collect::<Vec<_>>()
    };
    kinds.iter().flat_map(of_kind).collect()
}

/// How many members of each kind, of so many, learn again to serve: as many as all kinds have within
/// [`MAX_MULTIPLY_ADDS`], whose members cost so much, down to [`FEWEST_SERVED`]. Another kind is worth more than more members
/// of the same, once these have learnt from the same rows.
fn served_of_each(costs: &[usize], n_members: usize) -> usize {
    let affordable = MAX_MULTIPLY_ADDS / costs.iter().sum::<usize>().max(1);
    affordable.max(FEWEST_SERVED).min(n_members)
}

/// Who fits which member, and what all of them need.
#[derive(Clone, Copy)]
struct Crew<'a> {
    bag: &'a Bag<'a>,
    architecture: &'a Architecture,
    plans: &'a [Plan],
    folds: &'a [Vec<usize>],
    guesses: Option<&'a Guesses>,
    keeper: &'a dyn Keeper,
}

impl Crew<'_> {
    /// A member for each lesson, in their order.
    fn fit(self, lessons: &[Lesson]) -> Result<Vec<FittedMember>, Error> {
        let n_threads = std::thread::available_parallelism().map_or(1, usize::from).min(lessons.len());
        let next = Mutex::new(lessons.iter());
        let fitted = Mutex::new(BTreeMap::new());
        std::thread::scope(|scope| {
            for _ in 0..n_threads {
                scope.spawn(|| {
                    loop {
                        let Some(lesson) = lock(&next).next() else { return };
                        let outcome = self.fit_member(lesson);
                        if outcome.is_err() {
                            // The others are of no use without this one.
                            *lock(&next) = [].iter();
                        }
                        lock(&fitted).insert(lesson.index, outcome);
                    }
                });
            }
        });
        fitted.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
    }

    fn fit_member(self, lesson: &Lesson) -> Result<FittedMember, Error> {
        let Crew { bag, plans, folds, keeper, .. } = self;
        if let Some(fitted) = keeper.find(lesson)? {
            return Ok(fitted);
        }
        let plan = plans.iter().find(|plan| plan.kind == lesson.kind).expect("a lesson is of a planned kind");
        let held_out = lesson.held_out.map(|part| folds[part].as_slice());
        let mut is_held_out = vec![false; bag.rows.n_rows()];
        held_out.into_iter().flatten().for_each(|row| is_held_out[*row] = true);
        let learnt = (0..bag.rows.n_rows()).filter(|row| !is_held_out[*row]).collect();
        let setup = Setup {
            architecture: self.architecture,
            member: &plan.member,
            slots: bag.encoder.slots(),
            loss: Loss::of_member(bag.spec, bag.encoder.target(), &plan.member),
            recipe: &lesson.recipe,
            guesses: self.guesses,
            seed: bag.spec.train.seed,
            index: lesson.index,
            over_budget: bag.over_budget,
        };
        let mut hear = |progress| keeper.hear(lesson, progress);
        let mut fitted = member::fit(&setup, bag.rows, learnt, held_out, &mut hear)?;
        if let Some(class_weights) = &bag.rows.class_weights {
            fitted.weights = without_class_weights(&fitted.weights, class_weights)?;
        }
        keeper.keep(lesson, &fitted)?;
        Ok(fitted)
    }
}

/// What the members of a kind say, before any readout, of the rows that they held out.
fn held_out(bag: &Bag<'_>, folds: &[Vec<usize>], members: &[FittedMember]) -> Result<HeldOut, Error> {
    let mut sums: BTreeMap<usize, (f64, Vec<f64>)> = BTreeMap::new();
    for (index, member) in members.iter().enumerate() {
        let rows = &folds[index % folds.len()];
        let predictor = Predictor::new(Arc::clone(bag.spec), bag.encoder.clone(), &member.weights)?;
        let answers = match predictor.predict_encoded(&bag.rows.select(rows)) {
            Predictions::Numbers(numbers) => numbers.into_iter().map(|number| vec![number]).collect(),
            Predictions::Probabilities(probabilities) => {
                probabilities.values.rows().into_iter().map(|row| row.to_vec()).collect::<Vec<_>>()
            }
        };
        for (row, answer) in rows.iter().zip(answers) {
            let (n, sum) = sums.entry(*row).or_insert_with(|| (0.0, vec![0.0; answer.len()]));
            *n += 1.0;
            sum.iter_mut().zip(answer).for_each(|(sum, value)| *sum += value);
        }
    }
    let rows: Vec<usize> = sums.keys().copied().collect();
    let means: Vec<f64> = sums.into_values().flat_map(|(n, sum)| sum.into_iter().map(move |value| value / n)).collect();
    let predictions = match bag.spec.task {
        Task::Regression => Predictions::Numbers(means),
        Task::Binary | Task::Multiclass => {
            let shape = (rows.len(), bag.spec.target.classes.len());
            let means = Array2::from_shape_vec(shape, means).expect("each row has its classes");
            Predictions::Probabilities(means.into())
        }
    };
    Ok(HeldOut { rows, predictions })
}

/// How much each kind counts: as the held-out rows say, of as many kinds as may serve within [`MAX_MULTIPLY_ADDS`]. While
/// they cost more, the kind goes without which the others do best. One of less than [`MIN_SHARE`] is not worth its cost.
fn shares(bag: &Bag<'_>, answers: &[HeldOut], costs: &[usize]) -> Vec<f64> {
    let rows = &answers[0].rows;
    let mut weights = bag.rows.weights_of(rows);
    let code = bag.encoder.target();
    let even = vec![1.0 / answers.len() as f64; answers.len()];
    if bag.rows.log_targets.is_some()
        && let Predictions::Numbers(means) = blended(answers, &even).predictions
    {
        weights = Some(less_for_large(weights.as_deref(), &means));
    }
    let (mut errors, mut probabilities) = (Array2::zeros((rows.len(), answers.len())), Vec::new());
    for (mut errors, of_kind) in errors.columns_mut().into_iter().zip(answers) {
        match &of_kind.predictions {
            Predictions::Numbers(numbers) => {
                for ((out, number), row) in errors.iter_mut().zip(numbers).zip(rows) {
                    *out = code.standardise(*number, code.is_log()) - f64::from(bag.rows.targets[*row]);
                }
            }
            Predictions::Probabilities(of_kind) => probabilities.push(&of_kind.values),
        }
    }
    let truth = match bag.spec.task {
        Task::Regression => Vec::new(),
        Task::Binary | Task::Multiclass => rows.iter().map(|row| class(bag.rows.targets[*row], code)).collect(),
    };
    let stacked = stack::Rows { truth: &truth, weights: weights.as_deref() };
    let blend = |kinds: &[usize]| match bag.spec.task {
        Task::Regression => by_squared_error(&errors.select(Axis(1), kinds), weights.as_deref()),
        Task::Binary | Task::Multiclass => {
            by_log_loss(&kinds.iter().map(|kind| probabilities[*kind]).collect::<Vec<_>>(), &stacked)
        }
    };
    let mut kinds: Vec<usize> = (0..answers.len()).collect();
    while kinds.len() > 1 && kinds.iter().map(|kind| costs[*kind]).sum::<usize>() > MAX_MULTIPLY_ADDS {
        let without = |index: usize| {
            let mut others = kinds.clone();
            others.remove(index);
            let loss = blend(&others).loss;
            (others, loss)
        };
        let best = (0..kinds.len()).map(without).min_by(|a, b| a.1.total_cmp(&b.1));
        let Some((others, _)) = best else { break };
        kinds = others;
    }
    let mut shares = vec![0.0; answers.len()];
    for (kind, share) in kinds.iter().zip(blend(&kinds).shares) {
        shares[*kind] = share;
    }
    let kept: f64 = shares.iter().filter(|share| **share >= MIN_SHARE).sum();
    shares.into_iter().map(|share| if share >= MIN_SHARE { share / kept } else { 0.0 }).collect()
}

/// Weights of rows with positive targets, each also divided by its answer: where spread grows with the target, a few large
/// ones would else say alone how much each kind counts. Answers below a tenth of all count as that.
fn less_for_large(weights: Option<&[f32]>, answers: &[f64]) -> Vec<f32> {
    let mut sorted = answers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let smallest = sorted[sorted.len() / 10].max(f64::MIN_POSITIVE);
    let middle = sorted[sorted.len() / 2].max(smallest);
    let of_row = |row: usize| weights.map_or(1.0, |weights| weights[row]);
    answers.iter().enumerate().map(|(row, answer)| of_row(row) * (middle / answer.max(smallest)) as f32).collect()
}

/// The kinds' answers in their shares.
fn blended(answers: &[HeldOut], shares: &[f64]) -> HeldOut {
    let answers_of_kinds: Vec<(&Predictions, f64)> =
        answers.iter().zip(shares).map(|(answers, share)| (&answers.predictions, *share)).collect();
    HeldOut { rows: answers[0].rows.clone(), predictions: pool(&answers_of_kinds) }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use spec::{BatchBuilder, Kind, Value};

    use super::*;
    use crate::fit::Source;

    fn rows(n_rows: usize, time: Option<Vec<f64>>) -> Rows<'static> {
        let nothing = features::Encoded {
            dense: Array2::zeros((n_rows, 0)),
            positions: Array2::zeros((n_rows, 0)),
            codes: Array2::zeros((n_rows, 0)),
        };
        let targets = vec![0.0; n_rows];
        let inputs = Source::Encoded(nothing);
        Rows { inputs, targets, log_targets: None, weights: None, class_weights: None, time }
    }

    /// Hears which members are fitted, and how many were to be.
    #[derive(Default)]
    struct Heard {
        lessons: Mutex<Vec<Lesson>>,
        planned: Mutex<Vec<usize>>,
    }

    impl Keeper for Heard {
        fn plan(&self, n_lessons: usize) {
            lock(&self.planned).push(n_lessons);
        }

        fn find(&self, _: &Lesson) -> Result<Option<FittedMember>, Error> {
            Ok(None)
        }

        fn keep(&self, lesson: &Lesson, _: &FittedMember) -> Result<(), Error> {
            lock(&self.lessons).push(lesson.clone());
            Ok(())
        }

        fn hear(&self, _: &Lesson, _: Progress) -> ControlFlow<()> {
            ControlFlow::Continue(())
        }
    }

    #[test]
    fn what_serves_learns_from_all_rows() {
        let text = "name: e\ntask: regression\ntarget: {column: y}\ncolumns: {x: {kind: number}}\ntrain: {kinds: [coarse, \
                    trees], members: 2, hidden: 8, bins: 4, epochs: 4, batch_rows: 32";
        let mut rows = BatchBuilder::new([Kind::Number], Some(Kind::Number), false);
        for row in 0..400_usize {
            let x = (row * 37 % 101) as f64;
            rows.push(&[Value::Number(x)], &Value::Number(x + (row % 3) as f64), f64::NAN);
        }
        let batch = rows.finish();
        let fitted = |refit: &str| {
            let spec = Arc::new(Spec::parse(&format!("{text}{refit}}}\n")).unwrap());
            let heard = Heard::default();
            let (_, fitted) = fit_batch(&spec, &batch, 2, &|| false, &heard).unwrap();
            let mut lessons = lock(&heard.lessons).clone();
            lessons.sort_by_key(|lesson| lesson.index);
            let planned = lock(&heard.planned);
            assert!(planned[0] >= planned[1] && planned[1] == lessons.len(), "{planned:?}");
            (fitted, lessons)
        };
        let (once, lessons) = fitted(", refit: false");
        assert_eq!(lessons.iter().map(|lesson| lesson.held_out).collect::<Vec<_>>(), [Some(0), Some(1)].repeat(2));
        assert!(once.kinds.iter().all(|kind| kind.refit.is_none()));
        let (twice, lessons) = fitted("");
        let counting: Vec<MemberKind> =
            twice.kinds.iter().filter(|kind| kind.share > 0.0).map(|kind| kind.kind).collect();
        let again = lessons[4..].iter().map(|lesson| (lesson.kind, lesson.held_out));
        assert!(again.eq(counting.iter().flat_map(|kind| [(*kind, None); 2])), "{lessons:?}");
        for kind in &twice.kinds {
            let mut best = [kind.members[0].best_epoch, kind.members[1].best_epoch];
            best.sort_unstable();
            let epochs = (best[1] + best[1].div_ceil(2)).min(4);
            assert_eq!(
                kind.refit.as_ref().map(|refit| (refit.n_members, refit.recipe.epochs)),
                counting.contains(&kind.kind).then_some((2, epochs)),
                "{best:?}"
            );
        }
        assert_eq!(once.weights.readout(), twice.weights.readout(), "the readout is that of held-out rows");
        assert_ne!(once.weights, twice.weights);
    }

    #[test]
    fn all_kinds_serve_with_fewer_members_of_each_where_they_can() {
        assert_eq!(served_of_each(&[16_000, 3_000], 5), 5);
        assert_eq!(served_of_each(&[16_000, 16_000, 16_000, 3_000], 5), 3);
        assert_eq!(served_of_each(&[50_000, 50_000, 50_000], 5), 3, "kinds go before members get too few");
        assert_eq!(served_of_each(&[50_000, 50_000, 50_000], 2), 2);
    }

    #[test]
    fn large_answers_say_less_of_shares() {
        // Of eleven answers the second smallest is the least that counts; the middle one counts 1.
        let answers = [-3.0, 2.0, 4.0, 4.0, 4.0, 8.0, 8.0, 16.0, 16.0, 16.0, 32.0];
        let expected = [4.0, 4.0, 2.0, 2.0, 2.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.25];
        assert_eq!(less_for_large(None, &answers), expected);
        let weights = less_for_large(Some(&[2.0; 11]), &answers);
        assert!(weights.iter().zip(expected).all(|(weight, of_answer)| *weight == 2.0 * of_answer));
        assert_eq!(less_for_large(None, &[-1.0]), [1.0], "one that is not positive counts as it is");
    }

    #[test]
    fn the_parts_are_drawn_once_and_cover_all_rows() {
        for n_rows in [10, 1_003] {
            let times = (0..n_rows).map(|row| (row * 7 % 13) as f64).collect();
            for rows in [rows(n_rows, None), rows(n_rows, Some(times))] {
                let parts = folds(&rows, 3);
                assert_eq!(parts, folds(&rows, 3));
                assert!(parts.iter().all(|part| part.is_sorted() && part.len().abs_diff(n_rows / 5) <= 1));
                let mut all = parts.concat();
                all.sort_unstable();
                assert!(all.into_iter().eq(0..n_rows));
            }
        }
        assert_ne!(folds(&rows(1_000, None), 3), folds(&rows(1_000, None), 4));
        assert!(folds(&rows(400_000, None), 3).iter().all(|part| part.len() == MAX_HELD_OUT_ROWS));
    }

    #[test]
    fn rows_with_a_time_are_held_out_by_block() {
        let time: Vec<f64> =
            (0..1_000).map(|row| if row == 500 { f64::NAN } else { (row * 617 % 1_000) as f64 }).collect();
        let parts = folds(&rows(1_000, Some(time.clone())), 3);
        assert!(parts[0].contains(&500), "what has no time comes first");
        let ends = |part: &Vec<usize>| {
            let times = part.iter().map(|row| time[*row]).filter(|time| !time.is_nan());
            (times.clone().fold(f64::INFINITY, f64::min), times.fold(f64::NEG_INFINITY, f64::max))
        };
        assert!(parts.windows(2).all(|pair| ends(&pair[0]).1 < ends(&pair[1]).0), "blocks do not overlap");
        let newest = folds(&rows(400_000, Some((0..400_000).map(f64::from).collect())), 3);
        assert_eq!(newest[4], (350_000..400_000).collect::<Vec<_>>(), "of a long block its newest rows");
    }
}
