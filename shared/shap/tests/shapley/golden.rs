//! The example `golden` against brute force in plain loops, on files of many sizes.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

#[path = "../../examples/golden.rs"]
#[expect(dead_code, reason = "a test calls what the example's main function calls")]
mod example;

/// Weights by input, biases and the activation of a layer.
type Layer = (Vec<Vec<f64>>, Vec<f64>, &'static str);

/// A network of a golden file.
struct File {
    n_numbers: usize,
    levels: Vec<usize>,
    /// The columns in the order of rows: numbers first, where this is the identity.
    order: Vec<usize>,
    layers: Vec<Layer>,
    background: Vec<Vec<f64>>,
    rows: Vec<Vec<f64>>,
}

const MEDIAN: f64 = 0.25;

impl File {
    fn new(
        seed: u64,
        n_numbers: usize,
        levels: &[usize],
        layers: &[(usize, &'static str)],
        n_background: usize,
    ) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let n_players = n_numbers + levels.len();
        let mut order: Vec<usize> = (0..n_players).collect();
        order.rotate_left(seed as usize % n_players);
        let row = |rng: &mut ChaCha8Rng| -> Vec<f64> {
            let cell = |column: &usize| match column.checked_sub(n_numbers) {
                Some(category) => f64::from(rng.random_range(0..levels[category] as u32)),
                None if rng.random_bool(0.1) => f64::NAN,
                // Few different numbers, so that rows have some in common.
                None => f64::from(rng.random_range(-4..=4)) / 2.0,
            };
            order.iter().map(cell).collect()
        };
        let background = (0..n_background).map(|_| row(&mut rng)).collect();
        let rows = (0..3).map(|_| row(&mut rng)).collect();
        let mut n_in = n_numbers + levels.iter().sum::<usize>();
        let layers = layers.iter().map(|(n_out, activation)| {
            let mut number = || rng.random_range(-1.0..1.0);
            let weights = (0..n_in).map(|_| (0..*n_out).map(|_| number()).collect()).collect();
            n_in = *n_out;
            (weights, (0..*n_out).map(|_| number()).collect(), *activation)
        });
        let layers = layers.collect();
        Self { n_numbers, levels: levels.to_vec(), order, layers, background, rows }
    }

    fn json(&self) -> Value {
        let name = |column: usize| match column.checked_sub(self.n_numbers) {
            Some(category) => format!("category {category}"),
            None => format!("number {column}"),
        };
        let categories: serde_json::Map<String, Value> =
            (0..self.levels.len()).map(|c| (name(self.n_numbers + c), json!(vec!["level"; self.levels[c]]))).collect();
        let cells = |rows: &[Vec<f64>]| -> Vec<Vec<Option<f64>>> {
            rows.iter().map(|row| row.iter().map(|cell| Some(*cell).filter(|cell| !cell.is_nan())).collect()).collect()
        };
        let layers: Vec<Value> = self.layers.iter().map(|(w, b, a)| json!({"w": w, "b": b, "activation": a})).collect();
        json!({
            "convention": {"feature_order": self.order.iter().map(|column| name(*column)).collect::<Vec<String>>()},
            "model": {
                "type": "mlp",
                "num": (0..self.n_numbers).map(name).collect::<Vec<String>>(),
                "median": vec![MEDIAN; self.n_numbers],
                "mean": (0..self.n_numbers).map(|n| n as f64 / 10.0).collect::<Vec<f64>>(),
                "scale": (0..self.n_numbers).map(|n| 1.0 + n as f64).collect::<Vec<f64>>(),
                "categories": categories,
                "layers": layers,
            },
            "background": cells(&self.background),
            "rows": cells(&self.rows),
        })
    }

    /// The outputs of a row after and before the last activation.
    fn outputs(&self, row: &[f64]) -> [Vec<f64>; 2] {
        let cell = |column: usize| row[self.order.iter().position(|at| *at == column).unwrap()];
        let number = |n: usize| if cell(n).is_nan() { MEDIAN } else { cell(n) };
        let mut values: Vec<f64> =
            (0..self.n_numbers).map(|n| (number(n) - n as f64 / 10.0) / (1.0 + n as f64)).collect();
        for (category, n_levels) in self.levels.iter().enumerate() {
            values.extend((0..*n_levels).map(|level| f64::from(cell(self.n_numbers + category) == level as f64)));
        }
        let mut before = Vec::new();
        for (weights, biases, activation) in &self.layers {
            before = biases.clone();
            for (value, weights) in values.iter().zip(weights) {
                before.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += value * weight);
            }
            let total: f64 = before.iter().map(|z| z.exp()).sum();
            let bent = before.iter().map(|z| match *activation {
                "relu" => z.max(0.0),
                "tanh" => z.tanh(),
                "silu" => z / (1.0 + (-z).exp()),
                "sigmoid" => 1.0 / (1.0 + (-z).exp()),
                "softmax" => z.exp() / total,
                _ => *z,
            });
            values = bent.collect();
        }
        [values, before]
    }

    /// `v(S)` in a space, for each coalition by its bits and each output.
    fn coalition_values(&self, row: &[f64], space: usize) -> Vec<Vec<f64>> {
        let value = |mask: usize| {
            let mut mean: Vec<f64> = Vec::new();
            for background in &self.background {
                let cells = (0..row.len()).map(|player| if mask >> player & 1 == 1 { row } else { background }[player]);
                let outputs = &self.outputs(&cells.collect::<Vec<f64>>())[space];
                mean.resize(outputs.len(), 0.0);
                mean.iter_mut().zip(outputs).for_each(|(sum, value)| *sum += value / self.background.len() as f64);
            }
            mean
        };
        (0..1_usize << row.len()).map(value).collect()
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(numbers) => numbers.iter().map(|number| number.as_f64().unwrap()).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

fn check(file: &File, spaces: &[&str]) {
    let (expected, differences) = example::explain_file(&file.json().to_string()).unwrap();
    assert!(differences.is_empty(), "the file expects nothing");
    assert!(expected.keys().map(String::as_str).eq(spaces.iter().copied()), "{:?}", expected.keys());
    let factorial = |n: usize| (1..=n).map(|i| i as f64).product::<f64>();
    for (space, name) in spaces.iter().enumerate() {
        for (row, explained) in file.rows.iter().zip(expected[*name]["rows"].as_array().unwrap()) {
            let (n, values) = (row.len(), file.coalition_values(row, space));
            for (output, base) in values[0].iter().enumerate() {
                let close = |actual: f64, expected: f64| {
                    assert!((actual - expected).abs() < 1e-12 * expected.abs().max(1.0), "{actual} {expected}");
                };
                close(numbers(&explained["base"])[output], *base);
                close(numbers(&explained["fx"])[output], values[(1 << n) - 1][output]);
                for player in 0..n {
                    let phi = (0..1_usize << n).filter(|mask| mask >> player & 1 == 0).map(|mask| {
                        let size = mask.count_ones() as usize;
                        let weight = factorial(size) * factorial(n - size - 1) / factorial(n);
                        weight * (values[mask | 1 << player][output] - values[mask][output])
                    });
                    close(numbers(&explained["phi"][player])[output], phi.sum());
                }
            }
        }
    }
}

#[test]
fn files_of_any_size_are_explained_as_by_brute_force() {
    let classes = ["probability", "logit"];
    check(&File::new(1, 4, &[3, 2], &[(9, "relu"), (7, "relu"), (1, "sigmoid")], 11), &classes);
    check(&File::new(2, 7, &[], &[(5, "tanh"), (1, "sigmoid")], 5), &classes);
    check(&File::new(3, 0, &[2, 4, 3], &[(6, "relu"), (6, "relu"), (6, "silu"), (1, "identity")], 4), &["target"]);
    check(&File::new(4, 1, &[], &[(1, "sigmoid")], 1), &classes);
    check(&File::new(5, 3, &[2], &[(8, "relu"), (3, "softmax")], 6), &classes);
    check(&File::new(6, 5, &[3, 3, 2], &[(16, "relu"), (1, "identity")], 8), &["target"]);
}

#[test]
fn what_a_file_expects_is_compared() {
    let mut file = File::new(7, 3, &[2], &[(4, "relu"), (1, "sigmoid")], 5).json();
    let (expected, _) = example::explain_file(&file.to_string()).unwrap();
    file["expected"] = Value::Object(expected);
    let phi = &mut file["expected"]["logit"]["rows"][1]["phi"][2];
    *phi = (phi.as_f64().unwrap() + 0.5).into();
    let (_, differences) = example::explain_file(&file.to_string()).unwrap();
    assert_eq!(differences.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["probability", "logit"]);
    assert!(differences[0].1 < 1e-15 && (differences[1].1 - 0.5).abs() < 1e-15, "{differences:?}");
}

#[test]
fn files_that_do_not_fit_are_refused() {
    for (pointer, value, expected) in [
        ("/model/layers/0/activation", json!("step"), "unknown activation step"),
        ("/model/scale", json!([1.0]), "mean and scale"),
        ("/model/layers", json!([]), "no layers"),
        ("/rows/0", json!([1.0]), "row 0 has 1 cells for 4 features"),
        ("/background", json!([]), "no rows"),
        ("/convention/feature_order/0", json!("other"), "is not a feature"),
    ] {
        let mut file = File::new(7, 3, &[2], &[(4, "relu"), (1, "sigmoid")], 5).json();
        *file.pointer_mut(pointer).unwrap() = value;
        let error = example::explain_file(&file.to_string()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error} should say {expected}");
    }
}
