use std::cell::RefCell;
use std::ops::Range;

use features::Encoded;

use crate::activation::{leaves, sigmoid_of_twice, silu};
use crate::architecture::{Architecture, Body};
use crate::layer::Layer;
use crate::{Weights, architecture};

/// Rows that go through all layers together, so that their hidden values stay in the cache.
const CHUNK_ROWS: usize = 96;

thread_local! {
    /// Hidden values of the rows in hand, kept between calls so that a prediction allocates none.
    pub(crate) static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch::default());
}

/// A network ready to serve.
///
/// The first layer is never a matrix product, but a sum of one addend per input:
/// `bias + Σ_j x_j dense[j] + Σ_c curve_c(position_c) + Σ_k table_k[code_k]`, where `curve_c` is linear between its edges.
#[derive(Clone, Debug)]
pub struct Network {
    architecture: Architecture,
    members: Vec<Member>,
}

/// One of the networks that are averaged.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// Start of the sums. Shape `[width]`, as all addends; the sums of the straight path are the last.
    pub(crate) bias: Vec<f32>,
    /// Addend of each dense input at value 1. Shape `[n_dense, width]`.
    pub(crate) dense: Vec<f32>,
    /// Addends of each curve at its edges, none for a curve that it does not read. Shapes `[bins + 1, width]`.
    curves: Vec<Option<Vec<f32>>>,
    /// Addends of each categorical feature. Shapes `[cardinality, width]`.
    tables: Vec<Vec<f32>>,
    body: Body,
    /// The layers between the first and the head.
    hidden: Vec<Layer>,
    head: Layer,
}

/// Buffers for the hidden values of some rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch {
    /// The first layer's sums. It starts with `[n_rows, width]`, as the others with what they hold.
    pub(crate) sums: Vec<f32>,
    /// What was computed last.
    values: Vec<f32>,
    next: Vec<f32>,
}

impl Network {
    /// Makes weights ready to serve.
    pub fn new(weights: &Weights) -> Self {
        let architecture = weights.architecture().clone();
        let shapes = architecture.members.iter().enumerate();
        let members = shapes.map(|(member, shape)| Member::new(weights, member, shape)).collect();
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
    /// A row's outputs are the same bits in every batch. A code that a table lacks counts as the unknown level.
    pub fn outputs(&self, encoded: &Encoded) -> Vec<f32> {
        let (n_rows, n_outputs) = (encoded.n_rows(), self.architecture.n_outputs);
        let mut outputs = vec![0.0; self.members.len() * n_rows * n_outputs];
        SCRATCH.with_borrow_mut(|scratch| {
            for (index, member) in self.members.iter().enumerate() {
                for start in (0..n_rows).step_by(CHUNK_ROWS) {
                    let rows = start..n_rows.min(start + CHUNK_ROWS);
                    let offset = (index * n_rows + start) * n_outputs;
                    let out = &mut outputs[offset..offset + rows.len() * n_outputs];
                    member.first(encoded, rows.clone(), scratch);
                    member.rest(rows.len(), scratch, out);
                }
            }
        });
        outputs
    }
}

impl Member {
    fn new(weights: &Weights, member: usize, shape: &architecture::Member) -> Self {
        let architecture = weights.architecture();
        let tensor = |name: &str| weights.known(member, name).to_vec();
        let known = |name: &str| weights.known(member, name);
        let layer = |name: &str| Layer::new(known(&format!("{name}.weight")), known(&format!("{name}.bias")));
        let n_hidden = match &shape.body {
            Body::Layers { widths } => widths.len(),
            Body::Trees { .. } => 1,
        };
        let curve = |curve: usize| shape.curves.contains(&curve).then(|| tensor(&format!("first.curve.{curve}")));
        Self {
            bias: tensor("first.bias"),
            dense: tensor("first.dense"),
            curves: (0..architecture.bins.len()).map(curve).collect(),
            tables: (0..architecture.cardinalities.len()).map(|k| tensor(&format!("first.table.{k}"))).collect(),
            body: shape.body.clone(),
            hidden: (1..n_hidden).map(|index| layer(&format!("layer.{index}"))).collect(),
            head: layer("head"),
        }
    }

    /// The addend of a categorical feature's code; that of the unknown level for a code that the table lacks.
    pub(crate) fn addend(&self, feature: usize, code: u32) -> &[f32] {
        let (width, table) = (self.bias.len(), &self.tables[feature]);
        let start = code as usize * width;
        table.get(start..start + width).unwrap_or(&table[..width])
    }

    /// The addends at the two edges around a position on a curve, each with its share; a position beyond the ends counts as
    /// the end. None for a curve that this member does not read.
    pub(crate) fn on_curve(&self, curve: usize, position: f32) -> Option<[(f32, &[f32]); 2]> {
        let (width, curve) = (self.bias.len(), self.curves[curve].as_ref()?);
        let last_bin = curve.len() / width - 2;
        let bin = (position as usize).min(last_bin);
        let share = (position - bin as f32).clamp(0.0, 1.0);
        let (low, high) = curve[bin * width..(bin + 2) * width].split_at(width);
        Some([(1.0 - share, low), (share, high)])
    }

    /// The first layer's sums, into `scratch.sums`.
    fn first(&self, encoded: &Encoded, rows: Range<usize>, scratch: &mut Scratch) {
        let width = self.bias.len();
        scratch.sums.clear();
        for row in rows {
            scratch.sums.extend_from_slice(&self.bias);
            let start = scratch.sums.len() - width;
            let sum = &mut scratch.sums[start..];
            for (value, addend) in encoded.dense.row(row).iter().zip(self.dense.chunks_exact(width)) {
                if *value != 0.0 {
                    add_scaled(sum, *value, addend);
                }
            }
            for (curve, position) in encoded.positions.row(row).iter().enumerate() {
                let Some([(low_share, low), (high_share, high)]) = self.on_curve(curve, *position) else { continue };
                for ((sum, low), high) in sum.iter_mut().zip(low).zip(high) {
                    *sum += low_share * low + high_share * high;
                }
            }
            for (feature, code) in encoded.codes.row(row).iter().enumerate() {
                for (value, addend) in sum.iter_mut().zip(self.addend(feature, *code)) {
                    *value += addend;
                }
            }
        }
    }

    /// What follows the first layer, on `scratch.sums`, which starts with `[n_rows, width]` and is used up; `out` gets
    /// `[n_rows, n_outputs]`.
    pub(crate) fn rest(&self, n_rows: usize, scratch: &mut Scratch, out: &mut [f32]) {
        let (width, n_sums, n_outputs) = (self.bias.len(), self.body.n_sums(), self.head.bias.len());
        let Scratch { sums, values, next } = scratch;
        for (out, sums) in out.chunks_exact_mut(n_outputs).zip(sums.chunks_exact(width)) {
            out.copy_from_slice(&self.head.bias);
            // Without a straight path there is nothing left to add.
            out.iter_mut().zip(&sums[n_sums..]).for_each(|(out, straight)| *out += straight);
        }
        let mut n_values = n_sums;
        if n_sums == width {
            std::mem::swap(values, sums);
        } else {
            let values = room(values, n_rows * n_sums);
            for (values, sums) in values.chunks_exact_mut(n_sums).zip(sums.chunks_exact(width)) {
                values.copy_from_slice(&sums[..n_sums]);
            }
        }
        match &self.body {
            Body::Layers { .. } => {
                silu(&mut values[..n_rows * n_values]);
                for layer in &self.hidden {
                    let n_next = layer.bias.len();
                    let out = room(next, n_rows * n_next);
                    layer.apply(&values[..n_rows * n_values], out);
                    silu(out);
                    n_values = n_next;
                    std::mem::swap(values, next);
                }
            }
            Body::Trees { depth, .. } => {
                let answers = &mut values[..n_rows * n_values];
                sigmoid_of_twice(answers);
                n_values = (n_values / depth) << depth;
                let shares = room(next, n_rows * n_values);
                for (answers, shares) in answers.chunks_exact(*depth).zip(shares.chunks_exact_mut(1 << depth)) {
                    leaves(answers, shares);
                }
                std::mem::swap(values, next);
            }
        }
        self.head.add(&values[..n_rows * n_values], out);
    }
}

/// The first `len` elements of a buffer, which grows and never shrinks: what it held is not cleared.
pub(crate) fn room(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        buffer.resize(len, 0.0);
    }
    &mut buffer[..len]
}

fn add_scaled(sum: &mut [f32], scale: f32, addend: &[f32]) {
    for (sum, addend) in sum.iter_mut().zip(addend) {
        *sum += scale * addend;
    }
}
