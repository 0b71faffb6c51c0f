//! One member of the network as it is trained: the same mathematics as `model` serves, on burn's tensors.

use std::collections::BTreeMap;

use burn::module::Param;
use burn::nn::{Embedding, Linear};
use burn::prelude::*;
use burn::tensor::TensorData;
use burn::tensor::activation::relu;
use features::Encoded;
use model::{Architecture, Weights};
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;

/// Scale of the head's start, relative to He's: a network that starts near zero starts at the mean of all answers.
const HEAD_SCALE: f32 = 0.1;
/// Embeddings start at this standard deviation, so that a category starts about as loud as a number.
const EMBEDDING_SCALE: f32 = 0.5;

/// One member on burn: embeddings beside the dense inputs, linear layers with ReLU, a linear head.
#[derive(Module, Debug)]
pub struct Network {
    embeddings: Vec<Embedding>,
    /// The hidden layers and, last, the head.
    layers: Vec<Linear>,
}

/// Rows as tensors.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// Shape `[n_rows, n_dense]`; none without dense inputs.
    dense: Option<Tensor<2>>,
    /// Per categorical feature, shape `[n_rows]`.
    codes: Vec<Tensor<1, Int>>,
}

impl Inputs {
    /// Gathers `rows` of `encoded`. `recode` may replace each code, in order of feature, then row.
    pub fn gather(encoded: &Encoded, rows: &[usize], mut recode: impl FnMut(u32) -> u32, device: &Device) -> Self {
        let n_dense = encoded.dense.ncols();
        let dense = (n_dense > 0).then(|| {
            let mut values: Vec<f32> = Vec::with_capacity(rows.len() * n_dense);
            for row in rows {
                values.extend(encoded.dense.row(*row));
            }
            Tensor::from_data(TensorData::new(values, [rows.len(), n_dense]), device)
        });
        let columns = encoded.codes.columns().into_iter();
        let codes = columns.map(|column| {
            let codes: Vec<i32> = rows.iter().map(|row| recode(column[*row]) as i32).collect();
            Tensor::from_data(TensorData::new(codes, [rows.len()]), device)
        });
        Self { dense, codes: codes.collect() }
    }
}

impl Network {
    /// A network that has learnt nothing: He's normal start for the layers, biases at zero, all drawn from `rng`.
    pub fn new(architecture: &Architecture, rng: &mut ChaCha8Rng, device: &Device) -> Self {
        let widths = architecture.widths();
        let n_layers = widths.len() - 1;
        let tensors = architecture.member_tensors().into_iter().map(|(name, shape)| {
            let layer = name.strip_prefix("layer.").and_then(|name| name.strip_suffix(".weight"));
            let scale = match layer.map(|layer| layer == (n_layers - 1).to_string()) {
                Some(true) => HEAD_SCALE * (2.0 / shape[0] as f32).sqrt(),
                Some(false) => (2.0 / shape[0] as f32).sqrt(),
                None if name.starts_with("embedding.") => EMBEDDING_SCALE,
                None => 0.0,
            };
            let values: Vec<f32> = (0..shape.iter().product()).map(|_| scale * normal(rng)).collect();
            (name, values)
        });
        let tensors: BTreeMap<String, Vec<f32>> = tensors.collect();
        Self::from_values(architecture, |name| tensors[name].clone(), device)
    }

    /// A member of weights that were trained before.
    pub fn from_weights(weights: &Weights, member: usize, device: &Device) -> Self {
        let values = |name: &str| weights.tensor(member, name).unwrap_or_default().to_vec();
        Self::from_values(weights.architecture(), values, device)
    }

    fn from_values(architecture: &Architecture, values: impl Fn(&str) -> Vec<f32>, device: &Device) -> Self {
        let matrix = |name: &str, shape: [usize; 2]| {
            Param::from_tensor(Tensor::<2>::from_data(TensorData::new(values(name), shape), device))
        };
        let vector = |name: &str, width: usize| {
            Param::from_tensor(Tensor::<1>::from_data(TensorData::new(values(name), [width]), device))
        };
        let embeddings = architecture.cardinalities.iter().zip(&architecture.embedding_dims).enumerate();
        let embeddings = embeddings.map(|(index, (codes, dim))| Embedding {
            weight: matrix(&format!("embedding.{index}.weight"), [*codes, *dim]),
        });
        let widths = architecture.widths();
        let layers = widths.windows(2).enumerate().map(|(index, width)| Linear {
            weight: matrix(&format!("layer.{index}.weight"), [width[0], width[1]]),
            bias: Some(vector(&format!("layer.{index}.bias"), width[1])),
        });
        Self { embeddings: embeddings.collect(), layers: layers.collect() }
    }

    /// The head's outputs, shape `[n_rows, n_outputs]`. `dropout` gives a mask of the shape it is asked for, to multiply the
    /// values after each hidden layer with; none when predicting.
    pub fn forward(&self, inputs: Inputs, mut dropout: Option<&mut dyn FnMut([usize; 2]) -> Tensor<2>>) -> Tensor<2> {
        let embedded =
            self.embeddings.iter().zip(inputs.codes).map(|(embedding, codes)| embedding.weight.val().select(0, codes));
        let mut parts: Vec<Tensor<2>> = inputs.dense.into_iter().chain(embedded).collect();
        let mut values = if parts.len() == 1 { parts.remove(0) } else { Tensor::cat(parts, 1) };
        let (head, hidden) = self.layers.split_last().expect("every network has a head");
        for layer in hidden {
            values = relu(layer.forward(values));
            if let Some(dropout) = &mut dropout {
                let mask = dropout(values.dims());
                values = values * mask;
            }
        }
        head.forward(values)
    }

    /// The weights of this member, by the names of [`Architecture::member_tensors`].
    ///
    /// # Errors
    /// [`model::Error`] when a weight is not finite.
    pub fn weights(&self, architecture: &Architecture) -> Result<Weights, model::Error> {
        let mut tensors = BTreeMap::new();
        for (index, embedding) in self.embeddings.iter().enumerate() {
            tensors.insert(format!("member.0.embedding.{index}.weight"), numbers(embedding.weight.val().into_data()));
        }
        for (index, layer) in self.layers.iter().enumerate() {
            tensors.insert(format!("member.0.layer.{index}.weight"), numbers(layer.weight.val().into_data()));
            if let Some(bias) = &layer.bias {
                tensors.insert(format!("member.0.layer.{index}.bias"), numbers(bias.val().into_data()));
            }
        }
        Weights::new(architecture.of_member(), tensors)
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
    use model::Network as Serving;
    use ndarray::Array2;
    use rand::SeedableRng;

    use super::*;

    const CARDINALITIES: [usize; 2] = [6, 4];

    pub(crate) fn architecture(n_dense: usize, n_outputs: usize) -> Architecture {
        let layout = features::Layout { n_dense, cardinalities: CARDINALITIES.to_vec() };
        Architecture::new(&layout, vec![32, 32], n_outputs, 1)
    }

    pub(crate) fn encoded(n_rows: usize, n_dense: usize, seed: u64) -> Encoded {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let dense = Array2::from_shape_simple_fn((n_rows, n_dense), || rng.random_range(-2.0_f32..2.0));
        let codes = Array2::from_shape_fn((n_rows, CARDINALITIES.len()), |(_, feature)| {
            rng.random_range(2..CARDINALITIES[feature] as u32)
        });
        Encoded { dense, codes }
    }

    #[test]
    fn the_serving_pass_equals_the_training_pass() {
        let device = Device::flex();
        for (n_dense, n_outputs) in [(5, 1), (5, 4), (0, 1)] {
            let architecture = architecture(n_dense, n_outputs);
            let mut rng = ChaCha8Rng::seed_from_u64(n_outputs as u64);
            let weights = Network::new(&architecture, &mut rng, &device).weights(&architecture).unwrap();
            // A trained head is ten times as steep as a new one.
            let tensors = architecture.member_tensors().into_iter().map(|(name, _)| {
                let scale = if name == "layer.2.weight" { 10.0 } else { 1.0 };
                let values = weights.tensor(0, &name).unwrap().iter().map(|value| value * scale + 0.01).collect();
                (format!("member.0.{name}"), values)
            });
            let weights = Weights::new(architecture.clone(), tensors.collect()).unwrap();
            let network = Network::from_weights(&weights, 0, &device);
            assert_eq!(network.weights(&architecture).unwrap(), weights);
            for n_rows in [1, 7, 300] {
                let rows = encoded(n_rows, n_dense, 5);
                let all: Vec<usize> = (0..n_rows).collect();
                let inputs = Inputs::gather(&rows, &all, |code| code, &device);
                let trained = numbers(network.forward(inputs, None).into_data());
                let served = Serving::new(&weights).outputs(&rows);
                assert_eq!(trained.len(), n_rows * n_outputs);
                for (trained, served) in trained.iter().zip(&served) {
                    assert!((trained - served).abs() <= 1e-5 * trained.abs().max(1.0), "{trained} {served}");
                }
            }
        }
    }
}
