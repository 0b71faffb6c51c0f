//! Explains the network of a golden file exactly and prints the file's `expected` part as computed here.
//!
//! `cargo run --release -p shap --example golden -- FILE`. Standard output is JSON; where the file has an `expected` part,
//! the largest absolute differences go to standard error and more than `TOLERANCE` is a failure.

use std::error::Error;
use std::io::Write;

use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate, s};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shap::{ClosureGame, exact};

/// The most by which a value may differ from the file's, in the units of the space.
const TOLERANCE: f64 = 1e-6;

#[derive(Deserialize)]
struct Golden {
    #[serde(default)]
    convention: Convention,
    model: Mlp,
    /// Null stands for a missing value. Shape `[n_background, n_players]`.
    background: Vec<Vec<Option<f64>>>,
    /// Shape `[n_rows, n_players]`.
    rows: Vec<Vec<Option<f64>>>,
    #[serde(default)]
    expected: Map<String, Value>,
}

#[derive(Default, Deserialize)]
struct Convention {
    /// The players. Default: the numbers and then the categories of the model.
    feature_order: Option<Vec<String>>,
}

/// A network over standardised numbers followed by one-hot categories.
#[derive(Deserialize)]
struct Mlp {
    #[serde(default)]
    num: Vec<String>,
    #[serde(default)]
    median: Vec<f64>,
    #[serde(default)]
    mean: Vec<f64>,
    #[serde(default)]
    scale: Vec<f64>,
    #[serde(default)]
    categories: Map<String, Value>,
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
struct Layer {
    w: Vec<Vec<f64>>,
    b: Vec<f64>,
    activation: String,
}

/// One space of the `expected` part.
#[derive(Serialize, Deserialize)]
struct Space {
    rows: Vec<Explained>,
}

#[derive(Serialize, Deserialize)]
struct Explained {
    base: Numbers,
    fx: Numbers,
    /// By player.
    phi: Vec<Numbers>,
}

/// A number of the only output, or one for each output.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Numbers {
    One(f64),
    Many(Vec<f64>),
}

impl Numbers {
    fn new(numbers: &[f64]) -> Self {
        if let [number] = numbers { Numbers::One(*number) } else { Numbers::Many(numbers.to_vec()) }
    }

    fn as_slice(&self) -> &[f64] {
        match self {
            Numbers::One(number) => std::slice::from_ref(number),
            Numbers::Many(numbers) => numbers,
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: golden FILE")?;
    let (expected, differences) = explain_file(&std::fs::read_to_string(path)?)?;
    writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(&expected)?)?;
    let mut largest: f64 = 0.0;
    for (name, difference) in differences {
        writeln!(std::io::stderr(), "{name}: largest absolute difference {difference:e}")?;
        largest = largest.max(difference);
    }
    if largest > TOLERANCE { Err(format!("{largest:e} is more than {TOLERANCE:e}").into()) } else { Ok(()) }
}

/// The `expected` part of a file as computed here, and how far each space is from the file's own.
type Computed = (Map<String, Value>, Vec<(&'static str, f64)>);

/// Explains the rows of a file.
pub(crate) fn explain_file(text: &str) -> Result<Computed, Box<dyn Error>> {
    let golden: Golden = serde_json::from_str(text)?;
    let features = golden.convention.feature_order.as_deref();
    let network = Network::new(&golden.model, &features.map_or_else(|| golden.model.features(), <[String]>::to_vec))?;
    let background = network.matrix(&golden.background)?;
    let rows = network.matrix(&golden.rows)?;

    let spaces = network.spaces();
    let n_outputs = network.n_outputs();
    let mut computed: Vec<Space> = spaces.iter().map(|_| Space { rows: Vec::new() }).collect();
    for row in rows.rows() {
        let outputs = |rows: ArrayView2<'_, f64>| network.outputs(&rows);
        let game = ClosureGame::new(row.to_vec(), background.clone(), spaces.len() * n_outputs, outputs)?;
        let explanation = exact(&game)?;
        for (first, space) in (0..).step_by(n_outputs).zip(&mut computed) {
            let of_space = first..first + n_outputs;
            let values = explanation.values.slice(s![.., of_space.clone()]);
            space.rows.push(Explained {
                base: Numbers::new(&explanation.base_value[of_space.clone()]),
                fx: Numbers::new(&explanation.full_value[of_space]),
                phi: values.rows().into_iter().map(|values| Numbers::new(&values.to_vec())).collect(),
            });
        }
    }

    let mut differences = Vec::new();
    let mut expected = Map::new();
    for (name, space) in spaces.iter().zip(computed) {
        if let Some(golden) = golden.expected.get(*name) {
            differences.push((*name, difference(&space, &serde_json::from_value(golden.clone())?)?));
        }
        expected.insert((*name).to_owned(), serde_json::to_value(space)?);
    }
    Ok((expected, differences))
}

impl Mlp {
    fn features(&self) -> Vec<String> {
        self.num.iter().chain(self.categories.keys()).cloned().collect()
    }
}

/// A network ready to run on raw rows, `[n_rows, n_players]` with NaN for missing.
struct Network {
    n_players: usize,
    /// Column, replacement for missing, mean and scale of each number.
    numbers: Vec<(usize, f64, f64, f64)>,
    /// Column and number of levels of each category.
    categories: Vec<(usize, usize)>,
    /// Weights `[n_in, n_out]`, biases `[n_out]`.
    layers: Vec<(Array2<f64>, Array1<f64>, Activation)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Activation {
    Identity,
    Relu,
    Tanh,
    Silu,
    Sigmoid,
    Softmax,
}

impl Activation {
    fn new(name: &str) -> Result<Self, String> {
        Ok(match name {
            "relu" => Activation::Relu,
            "tanh" => Activation::Tanh,
            "silu" | "swish" => Activation::Silu,
            "sigmoid" | "logistic" => Activation::Sigmoid,
            "softmax" => Activation::Softmax,
            "identity" | "linear" | "none" => Activation::Identity,
            other => return Err(format!("unknown activation {other}")),
        })
    }

    fn apply(self, sums: &Array2<f64>) -> Array2<f64> {
        let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
        match self {
            Activation::Identity => sums.clone(),
            Activation::Relu => sums.mapv(|z| z.max(0.0)),
            Activation::Tanh => sums.mapv(f64::tanh),
            Activation::Silu => sums.mapv(|z| z * sigmoid(z)),
            Activation::Sigmoid => sums.mapv(sigmoid),
            Activation::Softmax => {
                let mut shares = sums.clone();
                for mut row in shares.rows_mut() {
                    let largest = row.fold(f64::NEG_INFINITY, |largest, z| largest.max(*z));
                    row.mapv_inplace(|z| (z - largest).exp());
                    row /= row.sum();
                }
                shares
            }
        }
    }
}

impl Network {
    fn new(mlp: &Mlp, feature_order: &[String]) -> Result<Self, Box<dyn Error>> {
        let column = |name: &str| {
            feature_order.iter().position(|feature| feature == name).ok_or_else(|| format!("{name} is not a feature"))
        };
        if mlp.mean.len() != mlp.num.len() || mlp.scale.len() != mlp.num.len() {
            return Err("mean and scale need one number per numeric feature".into());
        }
        let mut numbers = Vec::new();
        for (index, name) in mlp.num.iter().enumerate() {
            let median = mlp.median.get(index).copied().unwrap_or(f64::NAN);
            numbers.push((column(name)?, median, mlp.mean[index], mlp.scale[index]));
        }
        let mut categories = Vec::new();
        for (name, levels) in &mlp.categories {
            categories.push((column(name)?, levels.as_array().ok_or("categories are lists of levels")?.len()));
        }
        let mut layers = Vec::new();
        let mut n_in = numbers.len() + categories.iter().map(|(_, n_levels)| n_levels).sum::<usize>();
        for layer in &mlp.layers {
            let n_out = layer.b.len();
            let weights = Array2::from_shape_vec((n_in, n_out), layer.w.concat())?;
            layers.push((weights, Array1::from(layer.b.clone()), Activation::new(&layer.activation)?));
            n_in = n_out;
        }
        if layers.is_empty() {
            return Err("the model has no layers".into());
        }
        Ok(Self { n_players: feature_order.len(), numbers, categories, layers })
    }

    /// The outputs of each space.
    fn n_outputs(&self) -> usize {
        self.layers.last().map_or(0, |(_, biases, _)| biases.len())
    }

    /// The names of the spaces.
    fn spaces(&self) -> &'static [&'static str] {
        match self.layers.last() {
            Some((_, _, Activation::Sigmoid | Activation::Softmax)) => &["probability", "logit"],
            _ => &["target"],
        }
    }

    /// The network's outputs in each space, `[n_rows, n_spaces * n_outputs]`.
    fn outputs(&self, rows: &ArrayView2<'_, f64>) -> Array2<f64> {
        let mut hidden = self.encode(rows);
        let mut before = hidden.clone();
        for (weights, biases, activation) in &self.layers {
            before = hidden.dot(weights) + biases;
            hidden = activation.apply(&before);
        }
        if self.spaces().len() == 1 { hidden } else { concatenate![Axis(1), hidden, before] }
    }

    /// Standardised numbers, then the categories' one-hot blocks; a level outside its block is all zeros.
    fn encode(&self, rows: &ArrayView2<'_, f64>) -> Array2<f64> {
        let mut encoded = Array2::zeros((rows.nrows(), self.layers[0].0.nrows()));
        for (row, mut inputs) in rows.rows().into_iter().zip(encoded.rows_mut()) {
            for (input, &(column, median, mean, scale)) in inputs.iter_mut().zip(&self.numbers) {
                let number = if row[column].is_nan() { median } else { row[column] };
                *input = (number - mean) / scale;
            }
            let mut offset = self.numbers.len();
            for &(column, n_levels) in &self.categories {
                for level in 0..n_levels {
                    inputs[offset + level] = f64::from(row[column] == level as f64);
                }
                offset += n_levels;
            }
        }
        encoded
    }

    /// Rows as `[n_rows, n_players]`, null as NaN.
    fn matrix(&self, rows: &[Vec<Option<f64>>]) -> Result<Array2<f64>, Box<dyn Error>> {
        if let Some(row) = rows.iter().position(|row| row.len() != self.n_players) {
            return Err(format!("row {row} has {} cells for {} features", rows[row].len(), self.n_players).into());
        }
        let numbers = rows.iter().flatten().map(|number| number.unwrap_or(f64::NAN)).collect();
        Ok(Array2::from_shape_vec((rows.len(), self.n_players), numbers)?)
    }
}

/// The largest absolute difference of any number of two spaces; NaN counts as infinitely far.
fn difference(computed: &Space, expected: &Space) -> Result<f64, Box<dyn Error>> {
    let flat = |space: &Space| -> Vec<f64> {
        let rows = space.rows.iter().flat_map(|row| row.phi.iter().chain([&row.base, &row.fx]));
        rows.flat_map(Numbers::as_slice).copied().collect()
    };
    let (computed, expected) = (flat(computed), flat(expected));
    if computed.len() != expected.len() {
        return Err(format!("expected {} numbers, got {}", expected.len(), computed.len()).into());
    }
    let differences = computed.iter().zip(&expected).map(|(own, golden)| (own - golden).abs());
    Ok(differences.fold(0.0, |largest: f64, d| if d.is_nan() { f64::INFINITY } else { largest.max(d) }))
}
