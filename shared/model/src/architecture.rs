use features::Layout;
use serde::{Deserialize, Serialize};
use spec::{Spec, Task};

use crate::Error;

/// Widest embedding of a category.
const MAX_EMBEDDING_DIM: usize = 16;

/// The shape of a network: everything about it but the numbers.
///
/// Each member reads the same inputs: the dense features as they are, then one embedding per categorical feature, side by
/// side. Then come the hidden layers, each linear and followed by ReLU, and a linear head. Members are averaged after their
/// response (see [`Predictions`](crate::Predictions)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// Dense features, which enter the first layer as they are.
    pub n_dense: usize,
    /// Codes per categorical feature, those for unknown (0) and missing (1) included.
    pub cardinalities: Vec<usize>,
    /// Width of the embedding per categorical feature; as long as `cardinalities`.
    pub embedding_dims: Vec<usize>,
    /// Widths of the hidden layers, first to last.
    pub hidden: Vec<usize>,
    /// Outputs of the head: one for binary (logit of the positive class) and regression (standardised value), one logit
    /// per class for multiclass.
    pub n_outputs: usize,
    /// Networks that are averaged.
    pub members: usize,
}

impl Architecture {
    /// The architecture for encoded features of this layout, with embeddings of `ceil(1.6 n^0.56)` dimensions, at most 16,
    /// for a categorical feature of `n` codes (the rule of thumb that fast.ai ships).
    pub fn new(layout: &Layout, hidden: Vec<usize>, n_outputs: usize, members: usize) -> Self {
        let dim = |codes: &usize| ((1.6 * (*codes as f64).powf(0.56)).ceil() as usize).clamp(1, MAX_EMBEDDING_DIM);
        Self {
            n_dense: layout.n_dense,
            cardinalities: layout.cardinalities.clone(),
            embedding_dims: layout.cardinalities.iter().map(dim).collect(),
            hidden,
            n_outputs,
            members,
        }
    }

    /// The architecture that a spec asks for: two hidden layers of `train.hidden`, `train.members` members.
    pub fn of_spec(spec: &Spec, layout: &Layout) -> Self {
        Self::new(layout, vec![spec.train.hidden; 2], n_outputs(spec), spec.train.members)
    }

    /// The same network with one member: what a member is fitted as.
    pub fn of_member(&self) -> Self {
        Self { members: 1, ..self.clone() }
    }

    /// Inputs of the first layer: dense features and the widths of all embeddings.
    pub fn n_inputs(&self) -> usize {
        self.embedding_dims.iter().fold(self.n_dense, |sum, dim| sum.saturating_add(*dim))
    }

    /// Widths from the inputs to the outputs: layer `l` leads from `widths[l]` to `widths[l + 1]`.
    pub fn widths(&self) -> Vec<usize> {
        [self.n_inputs()].into_iter().chain(self.hidden.iter().copied()).chain([self.n_outputs]).collect()
    }

    /// Names and shapes of one member's tensors: `embedding.K.weight` `[cardinality, dim]` for each categorical feature,
    /// `layer.L.weight` `[in, out]` and `layer.L.bias` `[out]` for each hidden layer and, last, the head.
    pub fn member_tensors(&self) -> Vec<(String, Vec<usize>)> {
        let embeddings = self.cardinalities.iter().zip(&self.embedding_dims).enumerate();
        let embeddings = embeddings.map(|(index, (n, dim))| (format!("embedding.{index}.weight"), vec![*n, *dim]));
        let widths = self.widths();
        let layers = widths.windows(2).enumerate().flat_map(|(index, width)| {
            [
                (format!("layer.{index}.weight"), vec![width[0], width[1]]),
                (format!("layer.{index}.bias"), vec![width[1]]),
            ]
        });
        embeddings.chain(layers).collect()
    }

    /// Makes sure that no width is zero and that each category has its embedding.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let fail = |message| Err(Error::Architecture(message));
        if self.cardinalities.len() != self.embedding_dims.len() {
            return fail("it does not name one embedding per categorical feature");
        }
        if self.cardinalities.iter().chain(&self.embedding_dims).chain(&self.hidden).any(|width| *width == 0) {
            return fail("a cardinality or a width is zero");
        }
        if self.hidden.is_empty() {
            return fail("it has no hidden layer");
        }
        if self.n_outputs == 0 || self.members == 0 || self.n_inputs() == 0 {
            return fail("it has no inputs, no outputs or no members");
        }
        Ok(())
    }
}

/// Outputs of a network for this task.
pub(crate) fn n_outputs(spec: &Spec) -> usize {
    if spec.task == Task::Multiclass { spec.target.classes.len() } else { 1 }
}
