use features::{Layout, TargetCode};
use model::{Body, Member};
use serde::{Deserialize, Serialize};
use spec::{MemberKind, Spec, Task};

/// Steps that small data get in a whole fit: with these settings the best weights come within them.
const MIN_STEPS: usize = 400;
/// Fewest epochs where rows are few, more for numbers, which take longer to be learnt; and where rows are so many that one
/// epoch has all the steps that are needed.
const FEW_ROWS_EPOCHS: usize = 16;
const FEW_ROWS_REGRESSION_EPOCHS: usize = 28;
const MANY_ROWS_EPOCHS: usize = 1;
/// Most epochs, for very few rows.
const MAX_EPOCHS: usize = 60;
/// Rows that pass through a member in a whole fit, within the bounds on epochs: about a minute of one core.
const ROWS_PER_FIT: usize = 4_000_000;
/// Questions of a tree.
const TREE_DEPTH: usize = 4;
/// Questions of a narrow tree: each says less, so there are more.
const NARROW_TREE_DEPTH: usize = 6;
/// Fewest features that a narrow question asks.
const FEWEST_ASKED: usize = 2;
/// Most trees of a member, times its outputs: of many classes there are fewer, as each leaf answers for each.
const MAX_TREE_OUTPUTS: usize = 256;

/// What an open gate costs a sparse member.
const SPARSITY: f64 = 0.01;

/// How a member is fitted, settled for a number of rows: what the spec says, or what serves most data well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Epochs planned.
    pub epochs: usize,
    /// Rows per step.
    pub batch_rows: usize,
    /// Highest learning rate of the schedule.
    pub learning_rate: f64,
    /// Decoupled weight decay per step, in units of the learning rate.
    pub weight_decay: f64,
    /// Share of hidden values, or of trees, that are dropped.
    pub dropout: f64,
    /// Share of each class's certainty that is spread evenly over all classes.
    pub label_smoothing: f64,
    /// How much an open gate costs: the penalty on the sum of one scale a feature; 0 has no gates.
    pub sparsity: f64,
    /// Features that each unit or question reads, drawn for each alone; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_features: Option<usize>,
    /// Share of what a row teaches that is not its own target but what members that held it out say of it.
    pub distillation: f64,
}

/// A kind of member: its shape and how it is fitted.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Its name in the spec.
    pub kind: MemberKind,
    /// Its shape.
    pub member: Member,
    /// How it is fitted.
    pub recipe: Recipe,
}

impl Plan {
    /// The plans of a spec, by kind, for members that learn from `n_rows` rows.
    ///
    /// The kinds err in different ways, which is what makes their mean better than each: coarse curves are smooth, fine ones
    /// find single values, trees find corners, narrow ones ask as greedy trees do and so err as those do; of a regression, fine
    /// layers and trees learn the target's logarithm where it has one.
    pub fn of_spec(spec: &Spec, layout: &Layout, target: &TargetCode, n_rows: usize) -> Vec<Self> {
        spec.train.kinds.iter().map(|kind| Self::new(*kind, spec, layout, target, n_rows)).collect()
    }

    fn new(kind: MemberKind, spec: &Spec, layout: &Layout, target: &TargetCode, n_rows: usize) -> Self {
        let train = &spec.train;
        let is_regression = spec.task == Task::Regression;
        let n_outputs = target.n_outputs();
        let is_fine = matches!(kind, MemberKind::Fine | MemberKind::FineTrees);
        let curves = 0..layout.bins.len();
        let curves = curves.filter(|curve| is_fine || !layout.fine[*curve]).collect();
        let trees = |trees: usize, depth: usize| Body::Trees {
            trees: trees.clamp(1, (MAX_TREE_OUTPUTS / n_outputs).max(1)),
            depth,
        };
        let body = match kind {
            MemberKind::Coarse | MemberKind::Sparse | MemberKind::Fine => {
                Body::Layers { widths: vec![train.hidden; 2] }
            }
            MemberKind::Trees | MemberKind::FineTrees => trees(train.hidden / 2, TREE_DEPTH),
            MemberKind::NarrowTrees => trees(3 * train.hidden / 8, NARROW_TREE_DEPTH),
        };
        let log = target.is_log() || (is_fine && target.has_log());
        let (weight_decay, label_smoothing) = if kind == MemberKind::Coarse { (0.03, 0.1) } else { (0.1, 0.03) };
        let dropout = match kind {
            _ if is_regression => 0.15,
            MemberKind::Fine => 0.4,
            _ => 0.3,
        };
        let (batch_rows, epochs) = batches(spec, n_rows);
        let recipe = Recipe {
            epochs: train.epochs.unwrap_or(epochs),
            batch_rows,
            learning_rate: train.learning_rate,
            weight_decay: train.weight_decay.unwrap_or(weight_decay),
            dropout: train.dropout.unwrap_or(dropout),
            label_smoothing: train.label_smoothing.unwrap_or(label_smoothing),
            sparsity: if kind == MemberKind::Sparse { SPARSITY } else { 0.0 },
            max_features: if kind == MemberKind::NarrowTrees { asked_features(spec.features().len()) } else { None },
            distillation: 0.0,
        };
        Self { kind, member: Member { curves, body, straight: is_regression, log }, recipe }
    }
}

/// Rows per step, and the epochs that go with them by default, of members that learn from `n_rows` rows.
pub(crate) fn batches(spec: &Spec, n_rows: usize) -> (usize, usize) {
    let is_regression = spec.task == Task::Regression;
    let batch_rows = spec.train.batch_rows.unwrap_or_else(|| batch_rows(n_rows, is_regression));
    (batch_rows, epochs(n_rows, batch_rows, is_regression))
}

/// How much of what the members that serve learn of a row is what others say of it: as the spec has it. Else of two classes
/// some, as one of two says little of a chance in between; of numbers and of several classes nothing, as it does good only
/// where there is much noise, and harm where there is little.
pub(super) fn distillation(spec: &Spec) -> f64 {
    spec.train.distillation.unwrap_or(if spec.task == Task::Binary { 0.3 } else { 0.0 })
}

/// How many of so many features a narrow question asks: half their square root, so that many features of no use do not leave it
/// with nothing to ask. None where that is all of them.
fn asked_features(n_features: usize) -> Option<usize> {
    let asked = ((n_features as f64).sqrt() / 2.0).round() as usize;
    Some(asked.max(FEWEST_ASKED)).filter(|asked| *asked < n_features)
}

/// Rows per step: small for few rows, which need their steps; large for many, where a step costs least per row. A
/// regression, whose errors say more than a class's, gets half.
fn batch_rows(n_rows: usize, is_regression: bool) -> usize {
    let rows = match n_rows {
        0..1_000 => 64,
        1_000..2_000 => 128,
        2_000..50_000 => 256,
        50_000..200_000 => 512,
        _ => 1024,
    };
    if is_regression { rows / 2 } else { rows }
}

/// Epochs for so many rows: enough steps, and no more rows than a member has time for.
fn epochs(n_rows: usize, batch_rows: usize, is_regression: bool) -> usize {
    let n_rows = n_rows.max(1);
    let fewest = if is_regression { FEW_ROWS_REGRESSION_EPOCHS } else { FEW_ROWS_EPOCHS };
    let for_steps = MIN_STEPS.div_ceil(n_rows.div_ceil(batch_rows)).max(fewest);
    let affordable = (ROWS_PER_FIT / n_rows).max(MANY_ROWS_EPOCHS);
    for_steps.min(affordable).min(MAX_EPOCHS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_follows_the_rows() {
        for (n_rows, expected) in
            [(100, 60), (2_000, 50), (2_570, 37), (6_400, 16), (80_000, 16), (1_000_000, 4), (10_000_000, 1)]
        {
            assert_eq!(epochs(n_rows, batch_rows(n_rows, false), false), expected, "{n_rows} rows");
        }
        for (n_rows, expected) in [(100, 60), (1_875, 28), (80_000, 28), (1_000_000, 4)] {
            assert_eq!(epochs(n_rows, batch_rows(n_rows, true), true), expected, "{n_rows} rows");
        }
    }

    #[test]
    fn narrow_questions_ask_few_features() {
        for (n_features, expected) in [(4, 2), (24, 2), (25, 3), (73, 4), (400, 10)] {
            assert_eq!(asked_features(n_features), Some(expected), "{n_features} features");
        }
        assert_eq!([asked_features(1), asked_features(2)], [None; 2], "there are no others");
        let plans = plans("binary\ntarget: {column: y, classes: [a, b]}", "{}");
        let narrow: Vec<_> = plans.iter().filter_map(|plan| Some((plan.kind, plan.recipe.max_features?))).collect();
        assert_eq!(narrow, [(MemberKind::NarrowTrees, 2)]);
    }

    fn plans(task: &str, train: &str) -> Vec<Plan> {
        let columns = "{x: {kind: number}, u: {kind: number}, v: {kind: number}}";
        let text = format!("name: demo\ntask: {task}\ncolumns: {columns}\ntrain: {train}\n");
        let spec = Spec::parse(&text).unwrap();
        let layout = Layout { n_dense: 1, bins: vec![16, 200], fine: vec![false, true], cardinalities: vec![] };
        let standard = features::Standard { mean: 0.0, scale: 1.0 };
        let target = match spec.task {
            Task::Regression => TargetCode::Number { plain: Some(standard), log: Some(standard) },
            _ => TargetCode::Classes { labels: spec.target.classes.clone(), positive: 1 },
        };
        Plan::of_spec(&spec, &layout, &target, 8_000)
    }

    #[test]
    fn kinds_see_and_learn_different_things() {
        let plans = plans("regression\ntarget: {column: y}", "{}");
        let seen: Vec<_> = plans.iter().map(|plan| (plan.member.curves.len(), plan.member.log)).collect();
        assert_eq!(seen, [(1, false), (1, false), (2, true), (1, false), (2, true), (1, false)]);
        assert!(plans.iter().all(|plan| plan.member.straight));
    }

    #[test]
    fn what_serves_stays_affordable() {
        for (task, classes, n_outputs) in [("binary", "[a, b]", 1), ("multiclass", "[a, b, c, d]", 4)] {
            let plans = plans(&format!("{task}\ntarget: {{column: y, classes: {classes}}}"), "{}");
            let layout = Layout { n_dense: 1, bins: vec![16, 200], fine: vec![false, true], cardinalities: vec![] };
            // The bag leaves kinds out until this holds; two kinds of layers and one of trees always have their place.
            let served = [0, 2, 3].into_iter().flat_map(|kind: usize| vec![plans[kind].member.clone(); 5]).collect();
            let cost = model::Architecture::new(&layout, n_outputs).with(served).multiply_adds();
            assert!(cost <= 200_000, "{cost}");
        }
    }

    #[test]
    fn the_spec_has_the_last_word() {
        let train = "{kinds: [trees], epochs: 3, batch_rows: 32, learning_rate: 0.1, weight_decay: 0, dropout: 0.5, \
                     label_smoothing: 0.2, hidden: 8}";
        let plans = plans("binary\ntarget: {column: y, classes: [a, b]}", train);
        let [plan] = plans.as_slice() else { panic!("one kind") };
        let expected = Recipe {
            epochs: 3,
            batch_rows: 32,
            learning_rate: 0.1,
            weight_decay: 0.0,
            dropout: 0.5,
            label_smoothing: 0.2,
            sparsity: 0.0,
            max_features: None,
            distillation: 0.0,
        };
        assert_eq!(plan.recipe, expected);
        assert_eq!(plan.member.body, Body::Trees { trees: 4, depth: 4 });
    }
}
