//! The serving pass against the plain definition, and against itself in other batches.

use crate::common::{TARGETS, architecture, parts, predictor, random_weights, rows, spec};
use features::{Encoded, Encoder};
use model::{Architecture, Body, Error, Network, Predictions, Predictor, Weights};
use std::sync::Arc;

/// One row through one member, written from the definition in double precision.
fn plain(weights: &Weights, member: usize, encoded: &Encoded, row: usize) -> Vec<f64> {
    let tensor = |name: &str| weights.tensor(member, name).unwrap();
    let architecture = weights.architecture();
    let sigmoid = |sum: f64| 1.0 / (1.0 + (-sum).exp());
    let shape = &architecture.members[member];
    let mut values: Vec<f64> = tensor("first.bias").iter().map(|value| f64::from(*value)).collect();
    let width = values.len();
    let mut add = |share: f64, tensor: &[f32], row: usize| {
        let addend = &tensor[row * width..(row + 1) * width];
        values.iter_mut().zip(addend).for_each(|(sum, addend)| *sum += share * f64::from(*addend));
    };
    for (input, value) in encoded.dense.row(row).iter().enumerate() {
        add(f64::from(*value), tensor("first.dense"), input);
    }
    for index in &shape.curves {
        let position = f64::from(encoded.positions[[row, *index]]);
        for edge in 0..=architecture.bins[*index] {
            let share = (1.0 - (position - edge as f64).abs()).max(0.0);
            add(share, tensor(&format!("first.curve.{index}")), edge);
        }
    }
    for index in 0..architecture.cardinalities.len() {
        add(1.0, tensor(&format!("first.table.{index}")), encoded.codes[[row, index]] as usize);
    }
    let straight = values.split_off(shape.body.n_sums());
    let linear = |values: &[f64], name: &str| -> Vec<f64> {
        let (weight, bias) = (tensor(&format!("{name}.weight")), tensor(&format!("{name}.bias")));
        let sum = |out: usize| {
            let products = values.iter().enumerate().map(|(i, value)| value * f64::from(weight[i * bias.len() + out]));
            products.sum::<f64>() + f64::from(bias[out])
        };
        (0..bias.len()).map(sum).collect()
    };
    let silu = |values: &[f64]| values.iter().map(|sum| sum * sigmoid(*sum)).collect::<Vec<f64>>();
    let last = match &shape.body {
        Body::Layers { widths } => {
            (1..widths.len()).fold(silu(&values), |values, layer| silu(&linear(&values, &format!("layer.{layer}"))))
        }
        Body::Trees { trees, depth } => {
            let answers: Vec<f64> = values.iter().map(|sum| sigmoid(2.0 * sum)).collect();
            let leaves = (0..*trees).flat_map(|tree| (0..1_usize << depth).map(move |leaf| (tree, leaf)));
            // The bits of a leaf's number say no to the questions, the first in the lowest.
            let reached = |(tree, leaf): (usize, usize)| {
                let answer = |question: usize| answers[tree * depth + question];
                let share =
                    |question| if leaf >> question & 1 == 1 { 1.0 - answer(question) } else { answer(question) };
                (0..*depth).map(share).product::<f64>()
            };
            leaves.map(reached).collect()
        }
    };
    let outputs = linear(&last, "head");
    outputs.iter().enumerate().map(|(output, sum)| sum + straight.get(output).copied().unwrap_or(0.0)).collect()
}

#[test]
fn the_pass_is_the_definition() {
    for target in TARGETS {
        let (spec, encoder, weights) = parts(target);
        for n_rows in [1, 7, 8, 600] {
            let encoded = encoder.encode(&spec, &rows(&spec, n_rows, 3));
            let outputs = Network::new(&weights).outputs(&encoded);
            let mut outputs = outputs.iter();
            for member in 0..3 {
                for row in 0..n_rows {
                    for expected in plain(&weights, member, &encoded, row) {
                        let output = f64::from(*outputs.next().unwrap());
                        assert!((output - expected).abs() <= 1e-5 * expected.abs().max(1.0), "{output} {expected}");
                    }
                }
            }
        }
    }
}

fn numbers(predictions: &Predictions) -> Vec<f64> {
    match predictions {
        Predictions::Numbers(numbers) => numbers.clone(),
        Predictions::Probabilities(probabilities) => probabilities.values.iter().copied().collect(),
    }
}

#[test]
fn a_row_is_answered_alike_in_every_batch() {
    for target in TARGETS {
        let predictor = predictor(target);
        let batch = rows(predictor.spec(), 700, 4);
        let all = numbers(&predictor.predict(&batch));
        assert_eq!(all, numbers(&predictor.predict(&batch)), "the same rows give the same bits");
        let per_row = all.len() / 700;
        for row in (0..700).step_by(13) {
            let alone = numbers(&predictor.predict_records(&[batch.record(row)]));
            let three = [batch.record(0), batch.record(row), batch.record(1)];
            let of_three = numbers(&predictor.predict_records(&three));
            assert_eq!(alone, of_three[per_row..2 * per_row]);
            assert_eq!(alone, all[row * per_row..(row + 1) * per_row], "the same bits in every batch");
        }
    }
}

#[test]
fn probabilities_lie_strictly_inside_and_sum_to_one() {
    for target in &TARGETS[..2] {
        let (spec, encoder, weights) = parts(target);
        let architecture = weights.architecture().clone();
        // Heads a thousand times as steep: every row is certain.
        let mut tensors = std::collections::BTreeMap::new();
        for (member, shape) in architecture.members.iter().enumerate() {
            for (name, _) in architecture.member_tensors(shape) {
                let scale = if name == "head.weight" { 1000.0 } else { 1.0 };
                let values = weights.tensor(member, &name).unwrap().iter().map(|value| value * scale).collect();
                tensors.insert(format!("member.{member}.{name}"), values);
            }
        }
        let steep = Weights::new(architecture, tensors).unwrap();
        let predictor = Predictor::new(spec, encoder, &steep).unwrap();
        let Predictions::Probabilities(probabilities) = predictor.predict(&rows(predictor.spec(), 200, 5)) else {
            panic!("a classification answers probabilities")
        };
        let probabilities = probabilities.values;
        assert_eq!(probabilities.dim(), (200, predictor.spec().target.classes.len()));
        assert!(probabilities.iter().all(|p| *p > 0.0 && *p < 1.0));
        assert!(probabilities.rows().into_iter().all(|row| (row.sum() - 1.0).abs() < 1e-12));
    }
}

#[test]
fn parts_of_other_versions_are_refused() {
    let (spec, encoder, weights) = parts(TARGETS[2]);
    let (encoder, weights) = (encoder.to_bytes(), weights.to_bytes().unwrap());
    let refused = |spec: &Arc<spec::Spec>, encoder: &[u8], weights: &[u8]| {
        let error = Predictor::load(Arc::clone(spec), encoder, weights).unwrap_err();
        fault::chain(&error)
    };
    let (binary, of_binary, weights_of_binary) = parts(TARGETS[0]);
    let multiclass = Arc::new(crate::common::spec(TARGETS[1]));
    let log = Arc::new(crate::common::spec(TARGETS[3]));
    let renamed = Arc::new(spec::Spec::parse(&spec.text().replace("rooms", "doors")).unwrap());
    let swapped =
        spec.text().replace("shifted: {difference: [size_per_room, rooms]}", "shifted: {difference: [rooms, 2]}");
    let swapped = Arc::new(spec::Spec::parse(&swapped).unwrap());
    let other_positive =
        Arc::new(spec::Spec::parse(&binary.text().replace("positive: no", "positive: maybe")).unwrap());
    let narrow = random_weights(Architecture { n_dense: 2, ..parts(TARGETS[2]).2.architecture().clone() }, 1);
    for (error, expected) in [
        (refused(&binary, &encoder, &weights), "target is a number"),
        (refused(&spec, &of_binary.to_bytes(), &weights), "target is a class"),
        (refused(&log, &encoder, &weights), "another scale"),
        (
            refused(&multiclass, &of_binary.to_bytes(), &weights_of_binary.to_bytes().unwrap()),
            "classes are not the spec's",
        ),
        (refused(&other_positive, &of_binary.to_bytes(), &weights_of_binary.to_bytes().unwrap()), "classes are not"),
        (refused(&renamed, &encoder, &weights), "doors"),
        (refused(&swapped, &encoder, &weights), "`shifted` is made of other columns"),
        (refused(&spec, &encoder, &narrow.to_bytes().unwrap()), "reads 2 dense inputs"),
        (refused(&spec, b"{", &weights), "encoder"),
        (refused(&spec, &encoder, &weights[..100]), "safetensors"),
    ] {
        assert!(error.contains(expected), "{error} should say {expected}");
    }
}

#[test]
fn no_rows_have_no_answers() {
    let predictor = predictor(TARGETS[1]);
    assert_eq!(predictor.predict_records(&[]).n_rows(), 0);
}

#[test]
fn levels_never_seen_are_answered() {
    let spec = Arc::new(spec(TARGETS[2]));
    let encoder = Encoder::fit(&spec, &rows(&spec, 50, 1)).unwrap();
    let weights = random_weights(architecture(&spec, &encoder), 1);
    let predictor = Predictor::new(spec, encoder, &weights).unwrap();
    let row = serde_json::json!({"rooms": 2, "city": "atlantis", "new": true, "sold": "2020-01-01"});
    let record = predictor.spec().record(&row).unwrap();
    let Predictions::Numbers(numbers) = predictor.predict_records(&[record]) else { panic!("a regression") };
    assert!(numbers[0].is_finite());
    let error: Error = Predictor::load(Arc::clone(predictor.spec()), b"", b"").unwrap_err();
    assert!(matches!(error, Error::Encoder(_)));
}
