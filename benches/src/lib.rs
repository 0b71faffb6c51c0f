#![doc = include_str!("../README.md")]

use std::collections::BTreeMap;
use std::sync::Arc;

use features::Encoder;
use model::{Architecture, Body, Member, Predictor, Weights};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value as Json, json};
use spec::{Batch, BatchBuilder, Kind, Spec, Value};

/// Eight numbers and two categories of a bank's customers, with a network of 256 and 256.
const SPEC: &str = "name: bench
task: binary
target: {column: exited, classes: [stays, leaves]}
columns:
  credit_score: {kind: number}
  age: {kind: number}
  tenure: {kind: number}
  balance: {kind: number}
  products: {kind: number}
  has_card: {kind: number}
  is_active: {kind: number}
  salary: {kind: number}
  geography: {kind: category}
  gender: {kind: category}
";

/// Levels of the two categories.
const LEVELS: [&[&str]; 2] = [&["France", "Germany", "Spain"], &["Female", "Male"]];

/// The bench's spec.
pub fn spec() -> Arc<Spec> {
    Arc::new(Spec::parse(SPEC).expect("the bench's spec is a good one"))
}

/// Seeded rows of the bench's spec, with as many values in common as customers of a bank have: only the amounts of
/// money are all different.
pub fn rows(spec: &Spec, n_rows: usize, seed: u64) -> Batch {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let kinds: Vec<Kind> = spec.columns.values().map(|column| column.kind).collect();
    let mut builder = BatchBuilder::new(kinds, Some(Kind::Category), false);
    for _ in 0..n_rows {
        let mut chance = |share: f64| rng.random_range(0.0..1.0) < share;
        let (card, active, has_balance) = (chance(0.7), chance(0.5), chance(0.64));
        let numbers = [
            f64::from(rng.random_range(350..=850)),
            f64::from(rng.random_range(18..=80)),
            f64::from(rng.random_range(0..=10)),
            if has_balance { rng.random_range(3e4..2e5) } else { 0.0 },
            [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0, 3.0][rng.random_range(0..8)],
            f64::from(u8::from(card)),
            f64::from(u8::from(active)),
            rng.random_range(1e3..2e5),
        ];
        let numbers: Vec<Value> = numbers.into_iter().map(Value::Number).collect();
        let levels = LEVELS.map(|levels| Value::Level(levels[rng.random_range(0..levels.len())].to_owned()));
        let target = Value::Level(["stays", "leaves"][rng.random_range(0..2)].to_owned());
        builder.push(&[numbers, levels.to_vec()].concat(), &target, f64::NAN);
    }
    builder.finish()
}

/// A predictor with seeded random weights.
pub fn predictor(spec: &Arc<Spec>) -> Predictor {
    let encoder = Encoder::fit(spec, &rows(spec, 1000, 1)).expect("there are rows");
    let weights = weights(spec, &encoder);
    Predictor::new(Arc::clone(spec), encoder, &weights).expect("encoder and weights fit the spec")
}

/// The weights of [`predictor`], for rows that its encoder encodes.
pub fn weights(spec: &Spec, encoder: &Encoder) -> Weights {
    let body = Body::Layers { widths: vec![256, 256] };
    let member = Member { curves: Vec::new(), body, straight: false, log: false };
    let architecture = Architecture::of_spec(spec, encoder.layout()).with(vec![member]);
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut tensors = BTreeMap::new();
    for (member, of_member) in architecture.members.iter().enumerate() {
        for (name, shape) in architecture.member_tensors(of_member) {
            let n_values = shape.iter().product::<usize>();
            let scale = 1.0 / (shape[0] as f32).sqrt();
            let values = (0..n_values).map(|_| rng.random_range(-scale..scale)).collect();
            tensors.insert(format!("member.{member}.{name}"), values);
        }
    }
    Weights::new(architecture, tensors).expect("the tensors are those of the architecture")
}

/// A row of the bench's spec as a caller sends it.
pub fn request_row(spec: &Spec) -> Json {
    let row = rows(spec, 1, 3).record(0);
    let cell = |value: &Value| match value {
        Value::Missing => Json::Null,
        Value::Number(number) => json!(number),
        Value::Level(level) => json!(level),
    };
    spec.columns.keys().cloned().zip(row.values().iter().map(cell)).collect::<serde_json::Map<_, _>>().into()
}
