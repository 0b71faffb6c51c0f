//! One member of the network as it is trained: the same mathematics as `model` serves, on burn's tensors.

use std::collections::BTreeMap;

use burn::module::Param;
use burn::nn::Linear;
use burn::prelude::*;
use burn::tensor::TensorData;
use burn::tensor::activation::{sigmoid, silu};
use model::{Architecture, Body, Member, Weights};
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

use super::inputs::{EMBEDDING_DIM, Gathered, Inputs};

/// How much faster the scales of the inputs learn than the weights: they are kept divided by it.
const SCALE_SPEED: f32 = 6.0;
/// Scale of the head's start, relative to He's: a network that starts near zero starts at the mean of all answers.
const HEAD_SCALE: f32 = 0.3;
/// Embeddings start at this standard deviation.
const EMBEDDING_SCALE: f32 = 0.5;

/// One member on burn.
///
/// A row enters as one wide vector: its dense inputs; per curve one input a bin, which says how far the row has come
/// through it, 0 to 1; one input a code for each small category; the embeddings of the large ones. Each input has a learnt
/// scale. The weights of the bins start at zero, so that a curve begins as no more than the dense input says and bends only
/// where the data ask for it.
#[derive(Module, Debug)]
pub struct Network {
    /// Shape `[n_inputs]`.
    scales: Param<Tensor<1>>,
    /// One more scale a feature, for all of its inputs; none without gates. Shape `[n_features]`.
    gates: Option<Param<Tensor<1>>>,
    /// Per large category, shape `[cardinality, EMBEDDING_DIM]`.
    embeddings: Vec<Param<Tensor<2>>>,
    /// The first layer, the other hidden layers and, last, the head.
    layers: Vec<Linear>,
}

impl Network {
    /// A network that has learnt nothing: He's normal start but for the bins' weights, the straight path and all biases,
    /// which are zero; all drawn from `rng`.
    pub fn new(
        architecture: &Architecture,
        member: &Member,
        inputs: &Inputs,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Self {
        let (n_inputs, width, n_sums) = (inputs.n_inputs(), architecture.first_width(member), member.body.n_sums());
        let mut normals = |n: usize, scale: f32| -> Vec<f32> { (0..n).map(|_| scale * normal(rng)).collect() };
        let he = |n: usize| (2.0 / n.max(1) as f32).sqrt();
        let mut first = normals(n_inputs * width, he(n_inputs - inputs.n_bins()));
        for (input, weights) in first.chunks_exact_mut(width).enumerate() {
            weights[if inputs.is_bin(input) { 0 } else { n_sums }..].fill(0.0);
        }
        let mut layers = vec![linear(first, [n_inputs, width], device)];
        if let Body::Layers { widths } = &member.body {
            for pair in widths.windows(2) {
                layers.push(linear(normals(pair[0] * pair[1], he(pair[0])), [pair[0], pair[1]], device));
            }
        }
        let (n_last, n_outputs) = (member.body.n_last(), architecture.n_outputs);
        layers.push(linear(normals(n_last * n_outputs, HEAD_SCALE * he(n_last)), [n_last, n_outputs], device));
        let embedded = inputs.cardinalities.iter().filter(|cardinality| !Inputs::is_one_hot(**cardinality));
        let embeddings = embedded.map(|cardinality| {
            matrix(normals(cardinality * EMBEDDING_DIM, EMBEDDING_SCALE), [*cardinality, EMBEDDING_DIM], device)
        });
        let embeddings = embeddings.collect();
        let ones =
            |n: usize| Param::from_tensor(Tensor::from_data(TensorData::new(vec![1.0 / SCALE_SPEED; n], [n]), device));
        let n_features = inputs.features.as_ref().and_then(|features| features.iter().max());
        Self { scales: ones(n_inputs), gates: n_features.map(|last| ones(*last as usize + 1)), embeddings, layers }
    }

    /// The head's outputs, shape `[n_rows, n_outputs]`. `dropout` gives a mask of the shape it is asked for, to multiply the
    /// values after each hidden layer, or whole trees, with; none when predicting.
    pub fn forward(
        &self,
        member: &Member,
        rows: Gathered,
        mut dropout: Option<&mut dyn FnMut([usize; 2]) -> Tensor<2>>,
    ) -> Tensor<2> {
        let embedded = self.embeddings.iter().zip(rows.codes).map(|(table, codes)| table.val().select(0, codes));
        let mut parts: Vec<Tensor<2>> = rows.host.into_iter().chain(embedded).collect();
        let inputs = if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(parts, 1) };
        // Scaling the weights costs less than scaling the rows, and spares the gradient of the rows.
        let mut sums = inputs.matmul(self.first_weights(rows.features));
        if let Some(bias) = &self.layers[0].bias {
            sums = sums + bias.val().unsqueeze();
        }
        let n_sums = member.body.n_sums();
        let [n_rows, width] = sums.dims();
        let straight = member.straight.then(|| sums.clone().narrow(1, n_sums, width - n_sums));
        let sums = if member.straight { sums.narrow(1, 0, n_sums) } else { sums };
        let mut dropped = |values: Tensor<2>, shape: [usize; 2]| match &mut dropout {
            Some(dropout) => values * dropout(shape),
            None => values,
        };
        let (head, hidden) = self.layers[1..].split_last().expect("every network has a head");
        let last = match &member.body {
            Body::Layers { .. } => {
                let mut values = dropped(silu(sums), [n_rows, n_sums]);
                for layer in hidden {
                    values = silu(layer.forward(values));
                    let shape = values.dims();
                    values = dropped(values, shape);
                }
                values
            }
            Body::Trees { trees, depth } => {
                let answers = sigmoid(sums * 2.0).reshape([n_rows * trees, *depth]);
                let mut leaves = answers.clone().narrow(1, 0, 1);
                leaves = Tensor::cat(vec![leaves.clone(), leaves.neg() + 1.0], 1);
                for question in 1..*depth {
                    let answer = answers.clone().narrow(1, question, 1);
                    leaves = Tensor::cat(vec![leaves.clone() * answer.clone(), leaves * (answer.neg() + 1.0)], 1);
                }
                dropped(leaves, [n_rows * trees, 1]).reshape([n_rows, trees << depth])
            }
        };
        let outputs = head.forward(last);
        match straight {
            Some(straight) => outputs + straight,
            None => outputs,
        }
    }

    /// This network moved by a share of the way towards another.
    pub fn towards(&self, other: &Self, share: f32) -> Self {
        fn moved<const D: usize>(from: &Param<Tensor<D>>, to: &Param<Tensor<D>>, share: f32) -> Param<Tensor<D>> {
            Param::from_tensor(from.val() * (1.0 - share) + to.val() * share)
        }
        let layers = self.layers.iter().zip(&other.layers).map(|(from, to)| Linear {
            weight: moved(&from.weight, &to.weight, share),
            bias: from.bias.as_ref().zip(to.bias.as_ref()).map(|(from, to)| moved(from, to, share)),
        });
        let embeddings = self.embeddings.iter().zip(&other.embeddings);
        Self {
            scales: moved(&self.scales, &other.scales, share),
            gates: self.gates.as_ref().zip(other.gates.as_ref()).map(|(from, to)| moved(from, to, share)),
            layers: layers.collect(),
            embeddings: embeddings.map(|(from, to)| moved(from, to, share)).collect(),
        }
    }

    /// The first layer's weights with the scales of inputs and features in them. Shape `[n_inputs, width]`.
    fn first_weights(&self, features: Option<Tensor<1, Int>>) -> Tensor<2> {
        let mut scales = self.scales.val() * SCALE_SPEED;
        if let (Some(gates), Some(features)) = (&self.gates, features) {
            scales = scales * gates.val().select(0, features) * SCALE_SPEED;
        }
        self.layers[0].weight.val() * scales.unsqueeze_dim(1)
    }

    /// Sum of the gates' magnitudes: what is added to the loss, so that features of no use are shut out. None without gates.
    ///
    /// # Source
    /// R. Tibshirani, "Regression shrinkage and selection via the lasso" (1996), on one scale a feature.
    pub fn openness(&self) -> Option<Tensor<1>> {
        self.gates.as_ref().map(|gates| gates.val().abs().sum() * SCALE_SPEED)
    }

    /// The weights of this member as `model` serves them: scales multiplied in, bins summed up to curves, embeddings
    /// multiplied out to tables.
    ///
    /// # Errors
    /// [`model::Error`] when a weight is not finite.
    pub fn weights(
        &self,
        architecture: &Architecture,
        member: &Member,
        inputs: &Inputs,
    ) -> Result<Weights, model::Error> {
        let width = architecture.first_width(member);
        let features = inputs.features(&self.scales.device());
        let first = numbers(self.first_weights(features).into_data());
        let mut rows = first.chunks_exact(width);
        let mut tensors = BTreeMap::new();
        let mut put = |name: String, values: Vec<f32>| drop(tensors.insert(format!("member.0.{name}"), values));
        put("first.dense".to_owned(), rows.by_ref().take(inputs.n_dense).flatten().copied().collect());
        for (index, bins) in &inputs.curves {
            let mut edge = vec![0.0; width];
            let mut curve = edge.clone();
            for weights in rows.by_ref().take(*bins) {
                edge.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += weight);
                curve.extend_from_slice(&edge);
            }
            put(format!("first.curve.{index}"), curve);
        }
        let tables = inputs.cardinalities.iter().enumerate();
        for (index, cardinality) in tables.clone().filter(|(_, cardinality)| Inputs::is_one_hot(**cardinality)) {
            put(format!("first.table.{index}"), rows.by_ref().take(*cardinality).flatten().copied().collect());
        }
        let embedded = tables.filter(|(_, cardinality)| !Inputs::is_one_hot(**cardinality));
        for ((index, _), embedding) in embedded.zip(&self.embeddings) {
            let block: Vec<&[f32]> = rows.by_ref().take(EMBEDDING_DIM).collect();
            let mut table = Vec::new();
            for vector in numbers(embedding.val().into_data()).chunks_exact(EMBEDDING_DIM) {
                let mut addend = vec![0.0; width];
                for (value, weights) in vector.iter().zip(&block) {
                    addend.iter_mut().zip(*weights).for_each(|(sum, weight)| *sum += value * weight);
                }
                table.extend(addend);
            }
            put(format!("first.table.{index}"), table);
        }
        for (index, layer) in self.layers.iter().enumerate() {
            let name = match index {
                0 => "first".to_owned(),
                _ if index + 1 == self.layers.len() => "head".to_owned(),
                _ => format!("layer.{index}"),
            };
            if index > 0 {
                put(format!("{name}.weight"), numbers(layer.weight.val().into_data()));
            }
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

/// A standard normal number (Box and Muller, 1958).
fn normal(rng: &mut impl Rng) -> f32 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    (radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()) as f32
}

#[cfg(test)]
pub(crate) mod tests {
    use features::{Encoded, FeatureSlot, Slot};
    use model::Network as Serving;
    use ndarray::Array2;
    use rand::SeedableRng;

    use super::*;

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
    fn slots(n_dense: usize) -> Vec<FeatureSlot> {
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

    /// A network of random weights, its bins, straight path and scales too.
    fn trained(architecture: &Architecture, member: &Member, inputs: &Inputs, device: &Device) -> Network {
        let mut rng = ChaCha8Rng::seed_from_u64(architecture.n_outputs as u64);
        let mut network = Network::new(architecture, member, inputs, &mut rng, device);
        let mut scales = |n: usize| {
            let scales: Vec<f32> = (0..n).map(|_| rng.random_range(0.05_f32..0.4)).collect();
            Param::from_tensor(Tensor::from_data(TensorData::new(scales, [n]), device))
        };
        network.scales = scales(network.scales.dims()[0]);
        network.gates = network.gates.map(|gates| scales(gates.dims()[0]));
        for layer in &mut network.layers {
            let shape = layer.weight.dims();
            let values: Vec<f32> = (0..shape[0] * shape[1]).map(|_| 0.3 * normal(&mut rng)).collect();
            layer.weight = matrix(values, shape, device);
        }
        network
    }

    #[test]
    fn the_serving_pass_equals_the_training_pass() {
        let device = Device::flex();
        let trees = Body::Trees { trees: 9, depth: 3 };
        for (n_dense, n_outputs) in [(5, 1), (5, 4), (0, 1)] {
            for member in [
                member(32),
                Member { straight: false, ..member(24) },
                Member { body: Body::Layers { widths: vec![16] }, curves: vec![], ..member(0) },
                Member { body: trees.clone(), ..member(0) },
                Member { body: trees.clone(), curves: vec![1], straight: false, log: false },
            ] {
                let architecture = architecture(n_dense, n_outputs);
                let plain = Inputs::new(&architecture, &member);
                let inputs = if n_outputs == 4 { plain.gated(&slots(n_dense)) } else { plain };
                let network = trained(&architecture, &member, &inputs, &device);
                let served = Serving::new(&network.weights(&architecture, &member, &inputs).unwrap());
                for n_rows in [1, 7, 300] {
                    let rows = encoded(n_rows, n_dense, 5);
                    let all: Vec<usize> = (0..n_rows).collect();
                    let gathered = inputs.gather(&rows, &all, |code| code, &device);
                    let trained = numbers(network.forward(&member, gathered, None).into_data());
                    let served = served.outputs(&rows);
                    assert_eq!(trained.len(), n_rows * n_outputs);
                    for (trained, served) in trained.iter().zip(&served) {
                        assert!((trained - served).abs() <= 1e-5 * trained.abs().max(1.0), "{trained} {served}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_new_network_has_no_bends() {
        let (architecture, member) = (architecture(3, 1), member(32));
        let inputs = Inputs::new(&architecture, &member);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let network = Network::new(&architecture, &member, &inputs, &mut rng, &Device::flex());
        let weights = network.weights(&architecture, &member, &inputs).unwrap();
        assert!(weights.tensor(0, "first.curve.0").unwrap().iter().all(|value| *value == 0.0));
        let dense = weights.tensor(0, "first.dense").unwrap();
        let (sums, straight): (Vec<_>, Vec<_>) = dense.iter().enumerate().partition(|(index, _)| index % 33 < 32);
        assert!(sums.iter().all(|(_, value)| **value != 0.0) && straight.iter().all(|(_, value)| **value == 0.0));
    }

    #[test]
    fn towards_is_a_weighted_mean() {
        let (architecture, member, device) = (architecture(3, 1), member(8), Device::flex());
        let inputs = Inputs::new(&architecture, &member).gated(&slots(3));
        let new = Network::new(&architecture, &member, &inputs, &mut ChaCha8Rng::seed_from_u64(1), &device);
        let trained = trained(&architecture, &member, &inputs, &device);
        assert_eq!(numbers(new.openness().unwrap().into_data()), [3.0], "as many as there are features, all open");
        let moved = numbers(new.towards(&trained, 0.25).scales.val().into_data());
        let expected: Vec<f32> = numbers(new.scales.val().into_data())
            .iter()
            .zip(numbers(trained.scales.val().into_data()))
            .map(|(from, to)| 0.75 * from + 0.25 * to)
            .collect();
        assert_eq!(moved, expected);
    }
}
