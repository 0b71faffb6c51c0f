//! Models with random weights for each task, on rows with numbers, missing cells, categories, times and derived columns.

use std::sync::Arc;

use features::Encoder;
use model::{Architecture, Body, Member, Predictor, Weights};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spec::{Batch, BatchBuilder, Kind, Spec, Task, Value};

pub(crate) const TARGETS: [&str; 4] = [
    "task: binary\ntarget: {column: y, classes: [no, maybe], positive: no}",
    "task: multiclass\ntarget: {column: y, classes: [a, b, c, d]}",
    "task: regression\ntarget: {column: y}",
    "task: regression\ntarget: {column: y, transform: log}",
];

pub(crate) fn spec(target: &str) -> Spec {
    Spec::parse(&format!(
        "name: demo
{target}
columns:
  size: {{kind: number, nullable: true}}
  rooms: {{kind: number}}
  city: {{kind: category, nullable: true}}
  new: {{kind: boolean}}
  sold: {{kind: time}}
derive:
  size_per_room: {{ratio: [size, rooms]}}
  shifted: {{difference: [size_per_room, rooms]}}
  region: {{first_word: city}}
  month: {{month: sold}}
  large: {{bucket: {{column: size, edges: [100, 200]}}}}
"
    ))
    .expect("a good spec")
}

pub(crate) fn rows(spec: &Spec, n_rows: usize, seed: u64) -> Batch {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut rows = BatchBuilder::new(spec.columns.values().map(|column| column.kind), Some(spec.target_kind()), false);
    for _ in 0..n_rows {
        let size = if rng.random_bool(0.2) { Value::Missing } else { Value::Number(rng.random_range(20.0..300.0)) };
        let city = ["north lake", "north hill", "south bay", "east end", "west end"];
        let city = if rng.random_bool(0.1) { Value::Missing } else { level(city[rng.random_range(0..5)]) };
        let values = [
            size,
            Value::Number(f64::from(rng.random_range(0..6_u8))),
            city,
            level(if rng.random_bool(0.5) { "true" } else { "false" }),
            Value::Number(f64::from(rng.random_range(0..20_000_u32)) * 86_400.0),
        ];
        let target = match spec.target.classes.as_slice() {
            [] => Value::Number(rng.random_range(1.0..500.0)),
            classes => level(&classes[rng.random_range(0..classes.len())]),
        };
        rows.push(&values, &target, f64::NAN);
    }
    rows.finish()
}

fn level(text: &str) -> Value {
    Value::Level(text.to_owned())
}

/// A member of each kind: layers over all curves with a straight path, layers over one curve, trees.
pub(crate) fn architecture(spec: &Spec, encoder: &Encoder) -> Architecture {
    let (curves, log): (Vec<usize>, _) = ((0..encoder.layout().bins.len()).collect(), encoder.target().is_log());
    let layers = Body::Layers { widths: vec![24, 16] };
    let trees = Body::Trees { trees: 6, depth: 3 };
    Architecture::of_spec(spec, encoder.layout()).with(vec![
        Member { curves: curves.clone(), body: layers.clone(), straight: true, log },
        Member { curves: curves[..1].to_vec(), body: layers, straight: false, log: encoder.target().has_log() },
        Member { curves, body: trees, straight: true, log },
    ])
}

pub(crate) fn random_weights(architecture: Architecture, seed: u64) -> Weights {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut tensors = std::collections::BTreeMap::new();
    for (member, of_member) in architecture.members.iter().enumerate() {
        for (name, shape) in architecture.member_tensors(of_member) {
            let scale = if name.starts_with("first.") { 0.4 } else { (3.0 / shape[0] as f32).sqrt() };
            let values = (0..shape.iter().product()).map(|_| scale * rng.random_range(-1.0_f32..1.0)).collect();
            tensors.insert(format!("member.{member}.{name}"), values);
        }
    }
    Weights::new(architecture, tensors).unwrap()
}

pub(crate) fn parts(target: &str) -> (Arc<Spec>, Encoder, Weights) {
    let spec = spec(target);
    assert_eq!(spec.columns["sold"].kind, Kind::Time);
    let encoder = Encoder::fit(&spec, &rows(&spec, 300, 1)).unwrap();
    let weights = random_weights(architecture(&spec, &encoder), 2);
    assert_eq!(weights.architecture().n_outputs, if spec.task == Task::Multiclass { 4 } else { 1 });
    (Arc::new(spec), encoder, weights)
}

pub(crate) fn predictor(target: &str) -> Predictor {
    let (spec, encoder, weights) = parts(target);
    Predictor::load(spec, &encoder.to_bytes(), &weights.to_bytes().unwrap()).unwrap()
}
