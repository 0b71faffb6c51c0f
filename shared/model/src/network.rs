use std::cell::RefCell;
use std::ops::Range;

use features::Encoded;
use ndarray::linalg::general_mat_mul;
use ndarray::{ArrayView2, ArrayViewMut2};

use crate::{Architecture, Weights};

/// Rows from which a matrix product beats the row-by-row pass.
const FEWEST_ROWS_FOR_PRODUCT: usize = 8;
/// Rows that go through all layers together, so that their hidden values stay in the cache.
pub(crate) const CHUNK_ROWS: usize = 256;

thread_local! {
    /// Hidden values of the rows in hand, kept between calls so that a prediction allocates none.
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::default());
}

/// A network ready to serve: [`Weights`] with each embedding multiplied into the first layer.
///
/// The first layer is a sum of addends, one per dense input and one per categorical feature:
/// `bias + Σ_j x_j dense[j] + Σ_k table_k[code_k]`.
#[derive(Clone, Debug)]
pub struct Network {
    architecture: Architecture,
    members: Vec<Member>,
}

/// One of the networks that are averaged.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// Start of the sum. Shape `[width]`, as all addends.
    pub(crate) bias: Vec<f32>,
    /// Addend of each dense input at value 1. Shape `[n_dense, width]`.
    pub(crate) dense: Vec<f32>,
    /// Addends of each categorical feature. Shapes `[cardinality, width]`.
    pub(crate) tables: Vec<Vec<f32>>,
    /// The layers after the first, the head last.
    layers: Vec<Layer>,
}

#[derive(Clone, Debug)]
struct Layer {
    /// Shape `[n_in, n_out]`.
    weight: Vec<f32>,
    bias: Vec<f32>,
}

/// Buffers for the hidden values of some rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch {
    /// The layer that was computed last. Shape `[n_rows, width]`.
    pub(crate) values: Vec<f32>,
    next: Vec<f32>,
}

impl Network {
    /// Folds the weights. Costs `Σ_k cardinality_k dim_k width` multiply-adds a member.
    pub fn new(weights: &Weights) -> Self {
        let architecture = weights.architecture().clone();
        let members = (0..architecture.members).map(|member| Member::new(weights, member)).collect();
        Self { architecture, members }
    }

    /// The shape of the network.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    pub(crate) fn members(&self) -> &[Member] {
        &self.members
    }

    /// The heads' outputs before any response. Shape `[members, n_rows, n_outputs]`, row-major.
    ///
    /// A row's outputs are the same in every batch of fewer than 8 rows, and the same in every larger one; between the two
    /// they differ by the rounding of 32-bit sums. A code that a table lacks counts as the unknown level.
    pub fn outputs(&self, encoded: &Encoded) -> Vec<f32> {
        let (n_rows, n_outputs) = (encoded.n_rows(), self.architecture.n_outputs);
        let mut outputs = vec![0.0; self.members.len() * n_rows * n_outputs];
        let by_product = n_rows >= FEWEST_ROWS_FOR_PRODUCT;
        SCRATCH.with_borrow_mut(|scratch| {
            for (index, member) in self.members.iter().enumerate() {
                for start in (0..n_rows).step_by(CHUNK_ROWS) {
                    let rows = start..n_rows.min(start + CHUNK_ROWS);
                    let offset = (index * n_rows + start) * n_outputs;
                    let out = &mut outputs[offset..offset + rows.len() * n_outputs];
                    member.first(encoded, rows.clone(), scratch);
                    member.rest(rows.len(), by_product, scratch, out);
                }
            }
        });
        outputs
    }
}

impl Member {
    fn new(weights: &Weights, member: usize) -> Self {
        let architecture = weights.architecture();
        let first = weights.known(member, "layer.0.weight");
        let width = architecture.hidden[0];
        let (dense, mut blocks) = first.split_at(architecture.n_dense * width);
        let mut tables = Vec::with_capacity(architecture.cardinalities.len());
        for (index, dim) in architecture.embedding_dims.iter().enumerate() {
            let (block, rest) = blocks.split_at(dim * width);
            blocks = rest;
            let embedding = weights.known(member, &format!("embedding.{index}.weight"));
            let mut table = vec![0.0; embedding.len() / dim * width];
            for (row, vector) in table.chunks_exact_mut(width).zip(embedding.chunks_exact(*dim)) {
                for (value, addend) in vector.iter().zip(block.chunks_exact(width)) {
                    add_scaled(row, *value, addend);
                }
            }
            tables.push(table);
        }
        let layers = (1..=architecture.hidden.len()).map(|layer| Layer {
            weight: weights.known(member, &format!("layer.{layer}.weight")).to_vec(),
            bias: weights.known(member, &format!("layer.{layer}.bias")).to_vec(),
        });
        Self {
            bias: weights.known(member, "layer.0.bias").to_vec(),
            dense: dense.to_vec(),
            tables,
            layers: layers.collect(),
        }
    }

    /// The addend of a categorical feature's code; that of the unknown level for a code that the table lacks.
    pub(crate) fn addend(&self, feature: usize, code: u32) -> &[f32] {
        let (width, table) = (self.bias.len(), &self.tables[feature]);
        let start = code as usize * width;
        table.get(start..start + width).unwrap_or(&table[..width])
    }

    /// The first layer with its ReLU, into `scratch.values`.
    fn first(&self, encoded: &Encoded, rows: Range<usize>, scratch: &mut Scratch) {
        let width = self.bias.len();
        scratch.values.clear();
        for row in rows {
            scratch.values.extend_from_slice(&self.bias);
            let start = scratch.values.len() - width;
            let sum = &mut scratch.values[start..];
            for (value, addend) in encoded.dense.row(row).iter().zip(self.dense.chunks_exact(width)) {
                if *value != 0.0 {
                    add_scaled(sum, *value, addend);
                }
            }
            for (feature, code) in encoded.codes.row(row).iter().enumerate() {
                for (value, addend) in sum.iter_mut().zip(self.addend(feature, *code)) {
                    *value += addend;
                }
            }
            relu(sum);
        }
    }

    /// The layers after the first on `scratch.values`, which holds `[n_rows, width]`; `out` gets `[n_rows, n_outputs]`.
    pub(crate) fn rest(&self, n_rows: usize, by_product: bool, scratch: &mut Scratch, out: &mut [f32]) {
        let (head, hidden) = self.layers.split_last().expect("every network has a head");
        for layer in hidden {
            scratch.next.resize(n_rows * layer.bias.len(), 0.0);
            layer.apply(&scratch.values, n_rows, by_product, &mut scratch.next);
            relu(&mut scratch.next);
            std::mem::swap(&mut scratch.values, &mut scratch.next);
        }
        head.apply(&scratch.values, n_rows, by_product, out);
    }
}

impl Layer {
    /// `out = input weight + bias`, for `input` of `[n_rows, n_in]`.
    fn apply(&self, input: &[f32], n_rows: usize, by_product: bool, out: &mut [f32]) {
        let n_out = self.bias.len();
        let n_in = self.weight.len() / n_out;
        for row in out.chunks_exact_mut(n_out) {
            row.copy_from_slice(&self.bias);
        }
        let views = (
            ArrayView2::from_shape((n_rows, n_in), input),
            ArrayView2::from_shape((n_in, n_out), &self.weight),
            ArrayViewMut2::from_shape((n_rows, n_out), &mut *out),
        );
        if let (true, (Ok(input), Ok(weight), Ok(mut out))) = (by_product, views) {
            return general_mat_mul(1.0, &input, &weight, 1.0, &mut out);
        }
        for (input, out) in input.chunks_exact(n_in).zip(out.chunks_exact_mut(n_out)) {
            for (value, weight) in input.iter().zip(self.weight.chunks_exact(n_out)) {
                // ReLU leaves about half of the values at zero.
                if *value != 0.0 {
                    add_scaled(out, *value, weight);
                }
            }
        }
    }
}

fn add_scaled(sum: &mut [f32], scale: f32, addend: &[f32]) {
    for (sum, addend) in sum.iter_mut().zip(addend) {
        *sum += scale * addend;
    }
}

/// The activation after each hidden layer.
pub(crate) fn relu(values: &mut [f32]) {
    for value in values {
        *value = value.max(0.0);
    }
}
