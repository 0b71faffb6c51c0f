use features::Layout;
use serde::{Deserialize, Serialize};
use spec::{Spec, Task};

use crate::Error;

/// Most questions of a tree, so that a damaged file cannot ask for more leaves than there is memory.
const MAX_DEPTH: usize = 16;

/// The shape of a network: everything about it but the numbers.
///
/// Each member's first layer is a sum of addends, one per input (see [`Network`](crate::Network)): a multiple of a vector for
/// a dense input, a point on a piecewise-linear curve for a position, a row of a table for a code. What follows is the
/// member's own [`Body`]. The members' answers are averaged by weight (see [`Predictions`](crate::Predictions)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// Dense features, which enter the first layer as they are.
    pub n_dense: usize,
    /// Bins per curve; a curve of `n` bins bends at `n + 1` edges.
    pub bins: Vec<usize>,
    /// Codes per categorical feature, those for unknown (0) and missing (1) included.
    pub cardinalities: Vec<usize>,
    /// Outputs: one for binary (logit of the positive class) and regression (standardised value), one logit per class for
    /// multiclass.
    pub n_outputs: usize,
    /// The networks that are averaged.
    pub members: Vec<Member>,
}

/// The shape of one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The curves that it reads, rising.
    pub curves: Vec<usize>,
    /// What follows the first layer.
    pub body: Body,
    /// Whether each output also has a sum of its own in the first layer, which nothing bends: a straight path.
    pub straight: bool,
    /// Of a regression: whether its standardised value is that of the target's logarithm.
    pub log: bool,
}

/// What follows the first layer of a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Body {
    /// Hidden layers, each followed by SiLU, the first of them being the first layer; and a linear head.
    Layers {
        /// Their widths.
        widths: Vec<usize>,
    },
    /// Soft oblivious trees: each level of a tree asks one question, whose answer is a sigmoid of twice a sum of the first
    /// layer; a row reaches a leaf by the product of the answers on its way; leaves are weighted and summed.
    ///
    /// # Source
    /// Popov, Morozov, Babenko, "Neural oblivious decision ensembles" (ICLR 2020), with sigmoids.
    Trees {
        /// How many.
        trees: usize,
        /// Questions of each.
        depth: usize,
    },
}

impl Body {
    /// Sums of the first layer that it reads.
    pub fn n_sums(&self) -> usize {
        match self {
            Body::Layers { widths } => widths.first().copied().unwrap_or(0),
            Body::Trees { trees, depth } => trees * depth,
        }
    }

    /// Values that the head reads: the last hidden layer's, or one per leaf.
    pub fn n_last(&self) -> usize {
        match self {
            Body::Layers { widths } => widths.last().copied().unwrap_or(0),
            Body::Trees { trees, depth } => trees << depth,
        }
    }

    /// Names and shapes of its tensors: `layer.L.weight` `[in, out]` and `layer.L.bias` `[out]` for each hidden layer from 1,
    /// and then `head.weight` `[n_last, n_outputs]` and `head.bias` `[n_outputs]`.
    fn tensors(&self, n_outputs: usize) -> Vec<(String, Vec<usize>)> {
        let layers = match self {
            Body::Layers { widths } => widths.windows(2).collect(),
            Body::Trees { .. } => Vec::new(),
        };
        let layers = layers.into_iter().zip(1..).flat_map(|(width, layer)| {
            [(format!("layer.{layer}.weight"), width.to_vec()), (format!("layer.{layer}.bias"), vec![width[1]])]
        });
        let head =
            [("head.weight".to_owned(), vec![self.n_last(), n_outputs]), ("head.bias".to_owned(), vec![n_outputs])];
        layers.chain(head).collect()
    }

    /// Multiply-adds of a row after the first layer.
    fn multiply_adds(&self, n_outputs: usize) -> usize {
        let head = self.n_last() * n_outputs;
        match self {
            Body::Layers { widths } => head + widths.windows(2).map(|pair| pair[0] * pair[1]).sum::<usize>(),
            // Each level multiplies every product so far by the answer and by its opposite.
            Body::Trees { trees, depth } => head + trees * ((2 << depth) - 2),
        }
    }

    fn check(&self) -> Result<(), Error> {
        let usable = match self {
            Body::Layers { widths } => !widths.is_empty() && !widths.contains(&0),
            Body::Trees { trees, depth } => *trees > 0 && (1..=MAX_DEPTH).contains(depth) && *trees <= usize::MAX >> 32,
        };
        if usable { Ok(()) } else { Err(Error::Architecture("a member has no layers, a width of zero, or no trees")) }
    }
}

impl Architecture {
    /// An architecture without members, for encoded features of this layout.
    pub fn new(layout: &Layout, n_outputs: usize) -> Self {
        Self {
            n_dense: layout.n_dense,
            bins: layout.bins.clone(),
            cardinalities: layout.cardinalities.clone(),
            n_outputs,
            members: Vec::new(),
        }
    }

    /// An architecture without members for the rows of a spec.
    pub fn of_spec(spec: &Spec, layout: &Layout) -> Self {
        Self::new(layout, n_outputs(spec))
    }

    /// The same architecture with these members.
    pub fn with(self, members: Vec<Member>) -> Self {
        Self { members, ..self }
    }

    /// Multiply-adds that all members together cost a row after the first layer.
    pub fn multiply_adds(&self) -> usize {
        self.members.iter().map(|member| self.multiply_adds_of(member)).sum()
    }

    /// Multiply-adds that a member costs a row after the first layer.
    pub fn multiply_adds_of(&self, member: &Member) -> usize {
        member.body.multiply_adds(self.n_outputs)
    }

    /// Sums in the first layer of a member.
    pub fn first_width(&self, member: &Member) -> usize {
        member.body.n_sums() + if member.straight { self.n_outputs } else { 0 }
    }

    /// Names and shapes of a member's tensors, `w` being the number of sums in its first layer, the straight ones last:
    /// `first.bias` `[w]`, `first.dense` `[n_dense, w]`, `first.curve.K` `[bins + 1, w]` per curve that it reads,
    /// `first.table.K` `[cardinality, w]` per categorical feature; `layer.L.weight` `[in, out]` and `layer.L.bias` `[out]`
    /// for each hidden layer after the first; and `head.weight` `[in, n_outputs]` and `head.bias` `[n_outputs]`. The leaves
    /// of trees are the inputs of the head: tree after tree, in each those of the last question's yes before its no.
    pub fn member_tensors(&self, member: &Member) -> Vec<(String, Vec<usize>)> {
        let width = self.first_width(member);
        let curves = member.curves.iter().map(|curve| {
            let bins = self.bins.get(*curve).copied().unwrap_or(0);
            (format!("first.curve.{curve}"), vec![bins + 1, width])
        });
        let tables = self.cardinalities.iter().enumerate().map(|(k, n)| (format!("first.table.{k}"), vec![*n, width]));
        let first = [("first.bias".to_owned(), vec![width]), ("first.dense".to_owned(), vec![self.n_dense, width])];
        first.into_iter().chain(curves).chain(tables).chain(member.body.tensors(self.n_outputs)).collect()
    }

    /// Makes sure that no width is zero, and that members read curves that there are.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let fail = |message| Err(Error::Architecture(message));
        if self.bins.iter().chain(&self.cardinalities).any(|width| *width == 0 || *width == usize::MAX) {
            return fail("a number of bins or a cardinality is out of range");
        }
        let no_inputs = self.n_dense == 0 && self.cardinalities.is_empty();
        if self.n_outputs == 0 || self.members.is_empty() || no_inputs {
            return fail("it has no inputs, no outputs or no members");
        }
        for member in &self.members {
            member.body.check()?;
            if !member.curves.is_sorted() || member.curves.last().is_some_and(|last| *last >= self.bins.len()) {
                return fail("a member reads a curve that there is not");
            }
        }
        Ok(())
    }
}

/// Outputs of a network for this task.
pub(crate) fn n_outputs(spec: &Spec) -> usize {
    if spec.task == Task::Multiclass { spec.target.classes.len() } else { 1 }
}
