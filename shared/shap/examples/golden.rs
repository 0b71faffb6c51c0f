//! Explains the network of a golden file exactly and prints the file's `expected` part as computed here.
//!
//! `cargo run --release -p shap --example golden -- FILE`. Standard output is JSON; where the file has an `expected` part,
//! the largest absolute differences go to standard error and more than `TOLERANCE` is a failure.

use std::error::Error;
use std::io::Write;

use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shap::{ClosureGame, exact};

/// The most by which a value may differ from the file's, in the units of the space.
const TOLERANCE: f64 = 1e-6;

#[derive(Deserialize)]
struct Golden {
    convention: Convention,
    model: Mlp,
    /// Null stands for a missing value. Shape `[n_background, n_players]`.
    background: Vec<Vec<Option<f64>>>,
    /// Shape `[n_rows, n_players]`.
    rows: Vec<Vec<Option<f64>>>,
    #[serde(default)]
    expected: Map<String, Value>,
}

#[derive(Deserialize)]
struct Convention {
    feature_order: Vec<String>,
}

/// A network over standardised numbers followed by one-hot categories.
#[derive(Deserialize)]
struct Mlp {
    num: Vec<String>,
    #[serde(default)]
    median: Vec<f64>,
    mean: Vec<f64>,
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
    base: f64,
    fx: f64,
    phi: Vec<f64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: golden FILE")?;
    let golden: Golden = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let network = Network::new(&golden.model, &golden.convention.feature_order)?;
    let n_players = golden.convention.feature_order.len();
    let background = matrix(&golden.background, n_players)?;

    let spaces = network.spaces();
    let mut computed: Vec<Space> = spaces.iter().map(|_| Space { rows: Vec::new() }).collect();
    for row in matrix(&golden.rows, n_players)?.rows() {
        let mut game = ClosureGame::new(row.to_vec(), background.clone(), spaces.len(), |rows| network.outputs(&rows))?;
        let explanation = exact(&mut game)?;
        for (output, space) in computed.iter_mut().enumerate() {
            space.rows.push(Explained {
                base: explanation.base_value[output],
                fx: explanation.full_value[output],
                phi: explanation.values.column(output).to_vec(),
            });
        }
    }

    let mut largest: f64 = 0.0;
    let mut expected = Map::new();
    for (name, space) in spaces.iter().zip(computed) {
        if let Some(golden) = golden.expected.get(*name) {
            let difference = difference(&space, &serde_json::from_value(golden.clone())?)?;
            writeln!(std::io::stderr(), "{name}: largest absolute difference {difference:e}")?;
            largest = largest.max(difference);
        }
        expected.insert((*name).to_owned(), serde_json::to_value(space)?);
    }
    writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(&expected)?)?;
    if largest > TOLERANCE { Err(format!("{largest:e} is more than {TOLERANCE:e}").into()) } else { Ok(()) }
}

/// A network ready to run on raw rows, `[n_rows, n_players]` with NaN for missing.
struct Network {
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
    Sigmoid,
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
            let activation = match layer.activation.as_str() {
                "relu" => Activation::Relu,
                "sigmoid" => Activation::Sigmoid,
                "identity" | "linear" | "none" => Activation::Identity,
                other => return Err(format!("unknown activation {other}").into()),
            };
            layers.push((weights, Array1::from(layer.b.clone()), activation));
            n_in = n_out;
        }
        if n_in != 1 {
            return Err(format!("expected one output, got {n_in}").into());
        }
        Ok(Self { numbers, categories, layers })
    }

    /// The names of the outputs.
    fn spaces(&self) -> &'static [&'static str] {
        match self.layers.last() {
            Some((_, _, Activation::Sigmoid)) => &["probability", "logit"],
            _ => &["target"],
        }
    }

    /// The network's output in each space, `[n_rows, n_spaces]`.
    fn outputs(&self, rows: &ArrayView2<'_, f64>) -> Array2<f64> {
        let mut hidden = self.encode(rows);
        let mut before = hidden.clone();
        for (weights, biases, activation) in &self.layers {
            before = hidden.dot(weights) + biases;
            hidden = before.mapv(|z| match activation {
                Activation::Identity => z,
                Activation::Relu => z.max(0.0),
                Activation::Sigmoid => 1.0 / (1.0 + (-z).exp()),
            });
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
}

/// Rows as `[n_rows, n_columns]`, null as NaN.
fn matrix(rows: &[Vec<Option<f64>>], n_columns: usize) -> Result<Array2<f64>, Box<dyn Error>> {
    let numbers = rows.iter().flatten().map(|number| number.unwrap_or(f64::NAN)).collect();
    Ok(Array2::from_shape_vec((rows.len(), n_columns), numbers)?)
}

/// The largest absolute difference of any number of two spaces; NaN counts as infinitely far.
fn difference(computed: &Space, expected: &Space) -> Result<f64, Box<dyn Error>> {
    if computed.rows.len() != expected.rows.len() {
        return Err(format!("expected {} rows, got {}", expected.rows.len(), computed.rows.len()).into());
    }
    let mut largest: f64 = 0.0;
    for (computed, expected) in computed.rows.iter().zip(&expected.rows) {
        if computed.phi.len() != expected.phi.len() {
            return Err(format!("expected {} values, got {}", expected.phi.len(), computed.phi.len()).into());
        }
        let own = computed.phi.iter().chain([&computed.base, &computed.fx]);
        for (own, golden) in own.zip(expected.phi.iter().chain([&expected.base, &expected.fx])) {
            let difference = (own - golden).abs();
            largest = if difference.is_nan() { f64::INFINITY } else { largest.max(difference) };
        }
    }
    Ok(largest)
}
