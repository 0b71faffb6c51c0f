//! One member of the network as it is trained: the same mathematics as `model` serves, on burn's tensors.

use std::collections::BTreeMap;

use burn::module::Param;
use burn::nn::Linear;
use burn::prelude::*;
use burn::tensor::TensorData;
use burn::tensor::activation::silu;
use model::{Architecture, Body, Member, Weights};
use rand_chacha::ChaCha8Rng;

use super::bend::n_values;
use super::first::Folded;
use super::inputs::{EMBEDDING_DIM, Inputs};
use super::random::normals;

/// Scale of the head's start, relative to He's: a network that starts near zero starts at the mean of all answers.
const HEAD_SCALE: f32 = 0.3;

/// One member from what its first layer's sums have become on.
#[derive(Module, Debug)]
pub(super) struct Network {
    /// The hidden layers and, last, the head.
    layers: Vec<Linear>,
}

impl Network {
    /// A network that has learnt nothing: He's normal start but for all biases, which are zero; all drawn from `rng`.
    pub(super) fn new(architecture: &Architecture, member: &Member, rng: &mut ChaCha8Rng, device: &Device) -> Self {
        let he = |n: usize| (2.0 / n.max(1) as f32).sqrt();
        let mut shapes = Vec::new();
        if let Body::Layers { widths } = &member.body {
            shapes.extend(widths.windows(2).map(|pair| ([pair[0], pair[1]], he(pair[0]))));
        }
        let n_last = member.body.n_last();
        shapes.push(([n_last, architecture.n_outputs], HEAD_SCALE * he(n_last)));
        let layer = |([n_in, n_out], scale): ([usize; 2], f32)| {
            linear(normals(rng, n_in * n_out, scale), [n_in, n_out], device)
        };
        Self { layers: shapes.into_iter().map(layer).collect() }
    }

    /// The head's outputs, shape `[n_rows, n_outputs]`, for what the first layer's sums have become, shape
    /// `[n_rows, n_values + n_straight]`. `dropout` gives a mask of the shape it is asked for, to multiply the values after each
    /// further hidden layer with; none when predicting.
    pub(super) fn forward(
        &self,
        member: &Member,
        bent: Tensor<2>,
        mut dropout: Option<&mut dyn FnMut([usize; 2]) -> Tensor<2>>,
    ) -> Tensor<2> {
        let n_values = n_values(member);
        let [_, width] = bent.dims();
        let straight = member.straight.then(|| bent.clone().narrow(1, n_values, width - n_values));
        let mut values = if member.straight { bent.narrow(1, 0, n_values) } else { bent };
        let (head, hidden) = self.layers.split_last().expect("every network has a head");
        for layer in hidden {
            values = silu(layer.forward(values));
            if let Some(dropout) = &mut dropout {
                let mask = dropout(values.dims());
                values = values * mask;
            }
        }
        let outputs = head.forward(values);
        match straight {
            Some(straight) => outputs + straight,
            None => outputs,
        }
    }

    /// The weights of this member, with its first layer, as `model` serves them.
    ///
    /// # Errors
    /// [`model::Error`] when a weight is not finite.
    pub(super) fn weights(
        &self,
        architecture: &Architecture,
        member: &Member,
        inputs: &Inputs,
        first: &Folded,
    ) -> Result<Weights, model::Error> {
        let width = first.bias.len();
        let mut tensors = BTreeMap::new();
        let mut put = |name: String, values: Vec<f32>| drop(tensors.insert(format!("member.0.{name}"), values));
        let mut addends = first.addends.as_slice();
        let mut take = |n: usize| {
            let (taken, rest) = addends.split_at(n * width);
            addends = rest;
            taken.to_vec()
        };
        put("first.bias".to_owned(), first.bias.clone());
        put("first.dense".to_owned(), take(inputs.n_dense));
        for (index, bins) in &inputs.curves {
            put(format!("first.curve.{index}"), take(bins + 1));
        }
        for (index, cardinality) in inputs.one_hot() {
            put(format!("first.table.{index}"), take(cardinality));
        }
        // Embeddings are multiplied out to tables.
        for (((index, _), embedding), addends) in inputs.embedded().zip(&first.embeddings).zip(first.of_embeddings()) {
            let mut table = Vec::new();
            for vector in embedding.chunks_exact(EMBEDDING_DIM) {
                let mut sums = vec![0.0; width];
                for (value, addend) in vector.iter().zip(addends.chunks_exact(width)) {
                    sums.iter_mut().zip(addend).for_each(|(sum, addend)| *sum += value * addend);
                }
                table.extend(sums);
            }
            put(format!("first.table.{index}"), table);
        }
        for (index, layer) in self.layers.iter().enumerate() {
            let name = match index + 1 {
                last if last == self.layers.len() => "head".to_owned(),
                index => format!("layer.{index}"),
            };
            put(format!("{name}.weight"), numbers(layer.weight.val().into_data()));
            if let Some(bias) = &layer.bias {
                put(format!("{name}.bias"), numbers(bias.val().into_data()));
            }
        }
        Weights::new(architecture.clone().with(vec![member.clone()]), tensors)
    }
}

fn matrix(values: Vec<f32>, shape: [usize; 2], device: &Device) -> Param<Tensor<2>> {
    Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), device))
}

/// A linear layer whose biases are zero.
fn linear(weights: Vec<f32>, shape: [usize; 2], device: &Device) -> Linear {
    Linear {
        weight: matrix(weights, shape, device),
        bias: Some(Param::from_tensor(Tensor::from_data(TensorData::new(vec![0.0_f32; shape[1]], [shape[1]]), device))),
    }
}

/// The 32-bit floats of a tensor, row-major. One of another type gives none, which the check of [`Weights`] refuses.
pub(crate) fn numbers(data: TensorData) -> Vec<f32> {
    data.try_into_vec::<f32>().unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::ops::Range;

    use features::{Encoded, FeatureSlot, Slot};
    use model::Network as Serving;
    use ndarray::Array2;
    use rand::{RngExt, SeedableRng};

    use super::*;
    use crate::fit::bend::{Bent, n_masks};
    use crate::fit::first::{FirstLayer, Form, Pace};
    use crate::fit::inputs::Gathered;

    /// One is one-hot, one is embedded.
    const CARDINALITIES: [usize; 2] = [6, 80];
    const BINS: [usize; 2] = [5, 1];

    pub(crate) fn architecture(n_dense: usize, n_outputs: usize) -> Architecture {
        let layout = features::Layout {
            n_dense,
            bins: BINS.to_vec(),
            fine: vec![false; 2],
            cardinalities: CARDINALITIES.to_vec(),
        };
        Architecture::new(&layout, n_outputs)
    }

    /// One number with both curves and, if there are others, the rest of the dense inputs; two categories.
    pub(crate) fn slots(n_dense: usize) -> Vec<FeatureSlot> {
        let number = Slot::Number { start: 0, len: n_dense, first_curve: 0, n_curves: 2 };
        let slots = [number, Slot::Code { index: 0 }, Slot::Code { index: 1 }];
        let slots = slots.into_iter().enumerate();
        slots.map(|(index, slot)| FeatureSlot { name: format!("f{index}"), slot, sources: vec![index] }).collect()
    }

    pub(crate) fn member(width: usize) -> Member {
        Member { curves: vec![0, 1], body: Body::Layers { widths: vec![width; 2] }, straight: true, log: false }
    }

    pub(crate) fn encoded(n_rows: usize, n_dense: usize, seed: u64) -> Encoded {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let dense = Array2::from_shape_simple_fn((n_rows, n_dense), || rng.random_range(-2.0_f32..2.0));
        let positions =
            Array2::from_shape_fn((n_rows, BINS.len()), |(_, curve)| rng.random_range(0.0..=BINS[curve] as f32));
        let codes = Array2::from_shape_fn((n_rows, CARDINALITIES.len()), |(_, feature)| {
            rng.random_range(2..CARDINALITIES[feature] as u32)
        });
        Encoded { dense, positions, codes }
    }

    /// A member of random weights, its bins, straight path, scales and gates too. One of four outputs has gates, and sums that
    /// read a feature each.
    fn trained(
        architecture: &Architecture,
        member: &Member,
        inputs: &Inputs,
        device: &Device,
    ) -> (FirstLayer, Network) {
        let mut rng = ChaCha8Rng::seed_from_u64(architecture.n_outputs as u64);
        let (n_sums, width) = (member.body.n_sums(), architecture.first_width(member));
        let gated = architecture.n_outputs == 4;
        let form = Form { n_sums, width, gated, max_features: gated.then_some(1) };
        let mut first = FirstLayer::new(inputs, form, &mut rng);
        first.scatter(&mut rng);
        let mut network = Network::new(architecture, member, &mut rng, device);
        for layer in &mut network.layers {
            let shape = layer.weight.dims();
            layer.weight = matrix(normals(&mut rng, shape[0] * shape[1], 0.3), shape, device);
        }
        (first, network)
    }

    /// Members of all shapes, with the networks that they belong to.
    fn shapes() -> impl Iterator<Item = (Architecture, Member, Inputs)> {
        let trees = Body::Trees { trees: 9, depth: 3 };
        let members = [
            member(32),
            Member { straight: false, ..member(24) },
            Member { body: Body::Layers { widths: vec![16] }, curves: vec![], ..member(0) },
            Member { body: trees.clone(), ..member(0) },
            Member { body: trees, curves: vec![1], straight: false, log: false },
        ];
        let all =
            [(5, 1), (5, 4), (0, 1)].into_iter().flat_map(move |shape| members.clone().map(|member| (shape, member)));
        all.map(|((n_dense, n_outputs), member)| {
            let architecture = architecture(n_dense, n_outputs);
            let inputs = Inputs::new(&architecture, &member, &slots(n_dense));
            (architecture, member, inputs)
        })
    }

    fn gathered(inputs: &Inputs, rows: &Encoded, range: Range<usize>) -> Gathered {
        inputs.gather(rows, &range.collect::<Vec<usize>>(), |code| code)
    }

    fn bent(folded: &Folded, member: &Member, rows: &Gathered, mask: Option<Vec<f32>>) -> Bent {
        Bent::new(member, &folded.sums(rows), folded.bias.len(), mask)
    }

    fn tensor(bent: &Bent, n_rows: usize, device: &Device) -> Tensor<2> {
        Tensor::from_data(TensorData::new(bent.values.clone(), [n_rows, bent.values.len() / n_rows]), device)
    }

    #[test]
    fn the_serving_pass_equals_the_training_pass() {
        let device = Device::flex();
        for (architecture, member, inputs) in shapes() {
            let (first, network) = trained(&architecture, &member, &inputs, &device);
            let first = first.folded();
            let served = Serving::new(&network.weights(&architecture, &member, &inputs, &first).unwrap());
            for n_rows in [1, 7, 300] {
                let rows = encoded(n_rows, architecture.n_dense, 5);
                let bent = bent(&first, &member, &gathered(&inputs, &rows, 0..n_rows), None);
                let trained = numbers(network.forward(&member, tensor(&bent, n_rows, &device), None).into_data());
                let served = served.outputs(&rows);
                assert_eq!(trained.len(), n_rows * architecture.n_outputs);
                for (trained, served) in trained.iter().zip(&served) {
                    assert!((trained - served).abs() <= 1e-5 * trained.abs().max(1.0), "{trained} {served}");
                }
            }
        }
    }

    #[test]
    fn the_first_layer_goes_down_its_gradient() {
        let device = Device::flex().autodiff();
        for (architecture, member, inputs) in shapes() {
            let (mut first, network) = trained(&architecture, &member, &inputs, &device);
            let rows = gathered(&inputs, &encoded(40, architecture.n_dense, 6), 0..40);
            let mask: Vec<f32> = (0..40 * n_masks(&member)).map(|unit| [0.0, 1.5, 1.5][unit % 3]).collect();
            let loss = |folded: &Folded| {
                let bent = bent(folded, &member, &rows, Some(mask.clone()));
                let values = tensor(&bent, 40, &device).require_grad();
                (bent, values.clone(), network.forward(&member, values, None).powf_scalar(2.0).mean())
            };
            let folded = first.folded();
            let (bent, values, before) = loss(&folded);
            let of_values = numbers(values.grad(&before.backward()).unwrap().into_data());
            let of_sums = bent.gradient(&member, &of_values, folded.bias.len());
            // Of each number alone, the change of the loss must be what its gradient says.
            for (name, slope, moved) in first.probes(&folded, &rows, &of_sums) {
                let [down, up] = moved.map(|moved| numbers(loss(&moved).2.into_data())[0]);
                let change = (up - down) / (2.0 * FirstLayer::PROBE);
                let close = (change - slope).abs() <= 0.02 * slope.abs().max(change.abs()) + 5e-3;
                assert!(close, "{name}: {change} instead of {slope}");
            }
            // And a small step makes it smaller.
            let pace = Pace { rate: 1e-4, decay: 0.0, sparsity: 0.0 };
            first.step(&folded, &rows, &of_sums, pace);
            assert!(numbers(loss(&first.folded()).2.into_data())[0] < numbers(before.into_data())[0]);
        }
    }

    #[test]
    fn a_new_network_has_no_bends() {
        let (architecture, member) = (architecture(3, 1), member(32));
        let inputs = Inputs::new(&architecture, &member, &slots(3));
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let form = Form { n_sums: 32, width: 33, gated: false, max_features: None };
        let first = FirstLayer::new(&inputs, form, &mut rng).folded();
        let network = Network::new(&architecture, &member, &mut rng, &Device::flex());
        let weights = network.weights(&architecture, &member, &inputs, &first).unwrap();
        assert!(weights.tensor(0, "first.curve.0").unwrap().iter().all(|value| *value == 0.0));
        let dense = weights.tensor(0, "first.dense").unwrap();
        let (sums, straight): (Vec<_>, Vec<_>) = dense.iter().enumerate().partition(|(index, _)| index % 33 < 32);
        assert!(sums.iter().all(|(_, value)| **value != 0.0) && straight.iter().all(|(_, value)| **value == 0.0));
    }
}
