//! What becomes of the first layer's sums: units that bend them, or trees that ask them.

use model::activation::{leaves, sigmoid_of_twice, silu_with_slopes};
use model::{Body, Member};

/// The first layer's values, and what the way back to its sums needs.
#[derive(Clone, Debug)]
pub(super) struct Bent {
    /// Per row the units' values or the trees' leaves, then the sums of the straight path as they are. Shape
    /// `[n_rows, n_values + n_straight]`.
    pub(super) values: Vec<f32>,
    /// The units' slopes, masks in them, or the answers of the trees' questions. Shape `[n_rows, n_sums]`.
    inside: Vec<f32>,
    /// What each tree's leaves were multiplied with. Shape `[n_rows, trees]`; none without dropout.
    mask: Option<Vec<f32>>,
}

/// How many values of a row come from the sums that are bent: one a unit or leaf.
pub(super) fn n_values(member: &Member) -> usize {
    match member.body {
        Body::Layers { .. } => member.body.n_sums(),
        Body::Trees { trees, depth } => trees << depth,
    }
}

/// How many masks of a row dropout needs here: one a unit or tree.
pub(super) fn n_masks(member: &Member) -> usize {
    match member.body {
        Body::Layers { .. } => member.body.n_sums(),
        Body::Trees { trees, .. } => trees,
    }
}

impl Bent {
    /// Bends sums of shape `[n_rows, width]`. `mask` has what each unit or tree is multiplied with, shape
    /// `[n_rows, n_masks]`; none when predicting.
    pub(super) fn new(member: &Member, sums: &[f32], width: usize, mask: Option<Vec<f32>>) -> Self {
        let n_sums = member.body.n_sums();
        let n_rows = sums.len() / width;
        let mut values = Vec::with_capacity(n_rows * (n_values(member) + width - n_sums));
        let mut inside = Vec::with_capacity(n_rows * n_sums);
        for (row, sums) in sums.chunks_exact(width).enumerate() {
            let (bent, straight) = sums.split_at(n_sums);
            let mask = mask.as_ref().map(|mask| &mask[row * n_masks(member)..][..n_masks(member)]);
            let (start, start_inside) = (values.len(), inside.len());
            match member.body {
                Body::Layers { .. } => {
                    values.extend_from_slice(bent);
                    inside.resize(start_inside + n_sums, 0.0);
                    let (values, slopes) = (&mut values[start..], &mut inside[start_inside..]);
                    silu_with_slopes(values, slopes);
                    if let Some(mask) = mask {
                        values.iter_mut().zip(mask).for_each(|(value, mask)| *value *= mask);
                        slopes.iter_mut().zip(mask).for_each(|(slope, mask)| *slope *= mask);
                    }
                }
                Body::Trees { depth, .. } => {
                    inside.extend_from_slice(bent);
                    let answers = &mut inside[start_inside..];
                    sigmoid_of_twice(answers);
                    values.resize(start + n_values(member), 0.0);
                    let trees = answers.chunks_exact(depth).zip(values[start..].chunks_exact_mut(1 << depth));
                    trees.for_each(|(answers, shares)| leaves(answers, shares));
                    for (leaves, mask) in values[start..].chunks_exact_mut(1 << depth).zip(mask.into_iter().flatten()) {
                        leaves.iter_mut().for_each(|leaf| *leaf *= mask);
                    }
                }
            }
            values.extend_from_slice(straight);
        }
        Self { values, inside, mask: mask.filter(|_| matches!(member.body, Body::Trees { .. })) }
    }

    /// The gradient by the sums, shape `[n_rows, width]`, from that by the values.
    pub(super) fn gradient(&self, member: &Member, of_values: &[f32], width: usize) -> Vec<f32> {
        let (n_sums, n_values) = (member.body.n_sums(), n_values(member));
        let n_rows = self.inside.len() / n_sums.max(1);
        let mut of_sums = vec![0.0; n_rows * width];
        let mut scratch = Scratch::default();
        let rows = of_sums.chunks_exact_mut(width).zip(of_values.chunks_exact(n_values + width - n_sums));
        for (row, (of_sums, of_values)) in rows.enumerate() {
            let inside = &self.inside[row * n_sums..][..n_sums];
            let (of_bent, of_straight) = of_sums.split_at_mut(n_sums);
            let (of_values, straight) = of_values.split_at(n_values);
            of_straight.copy_from_slice(straight);
            match member.body {
                Body::Layers { .. } => {
                    let slopes = inside.iter().zip(of_values);
                    of_bent.iter_mut().zip(slopes).for_each(|(out, (slope, value))| *out = slope * value);
                }
                Body::Trees { trees, depth } => {
                    let questions = of_bent.chunks_exact_mut(depth).zip(inside.chunks_exact(depth));
                    let leaves = of_values.chunks_exact(1 << depth);
                    for (tree, ((of_sums, answers), of_leaves)) in questions.zip(leaves).enumerate() {
                        let mask = self.mask.as_ref().map_or(1.0, |mask| mask[row * trees + tree]);
                        scratch.questions(answers, of_leaves, mask, of_sums);
                    }
                }
            }
        }
        of_sums
    }
}

/// Buffers of one tree.
#[derive(Default)]
struct Scratch {
    /// The shares that reach each node: the root's, then those before each question. Shape `[2^depth]`.
    reached: Vec<f32>,
    /// The gradient by the nodes' shares. Shape `[2^depth]`.
    of_nodes: Vec<f32>,
}

impl Scratch {
    /// The gradient by a tree's sums from that by its leaves times `mask`: the last question's answer parted each of the nodes
    /// before it in two, which are joined again, and so on up to the root.
    fn questions(&mut self, answers: &[f32], of_leaves: &[f32], mask: f32, of_sums: &mut [f32]) {
        let Self { reached, of_nodes } = self;
        reached.resize(of_leaves.len(), 0.0);
        reached[0] = 1.0;
        for (question, answer) in answers[..answers.len() - 1].iter().enumerate() {
            let n_nodes = 1 << question;
            let (before, after) = reached[n_nodes - 1..].split_at_mut(n_nodes);
            let (yes, no) = after[..2 * n_nodes].split_at_mut(n_nodes);
            for ((yes, no), before) in yes.iter_mut().zip(no).zip(before) {
                *yes = *before * answer;
                *no = *before * (1.0 - answer);
            }
        }
        of_nodes.clear();
        of_nodes.extend(of_leaves.iter().map(|leaf| leaf * mask));
        for (question, answer) in answers.iter().enumerate().rev() {
            let n_nodes = 1 << question;
            let (yes, no) = of_nodes[..2 * n_nodes].split_at_mut(n_nodes);
            let mut of_answer = 0.0;
            for ((yes, no), reached) in yes.iter_mut().zip(no).zip(&reached[n_nodes - 1..]) {
                of_answer += reached * (*yes - *no);
                *yes = answer * *yes + (1.0 - answer) * *no;
            }
            of_sums[question] = of_answer * 2.0 * answer * (1.0 - answer);
        }
    }
}
