//! The weights file: stable bytes, and damage that is refused by name.

use std::collections::BTreeMap;

use crate::common::{TARGETS, parts, random_weights};
use model::{Architecture, Body, Calibration, Decision, Error, Interval, Member, Predictor, Readout, Weights};

type Tensors = BTreeMap<String, Vec<f32>>;

fn layers(widths: Vec<usize>) -> Member {
    Member { curves: vec![0], body: Body::Layers { widths }, straight: false, log: false }
}

fn small() -> Architecture {
    Architecture {
        n_dense: 2,
        bins: vec![3],
        cardinalities: vec![5],
        n_outputs: 1,
        members: vec![layers(vec![4, 4]); 2],
    }
}

fn tensors(weights: &Weights) -> Tensors {
    let names = weights.architecture().member_tensors(&layers(vec![4, 4]));
    let members = (0..weights.architecture().members.len()).flat_map(|member| {
        names
            .iter()
            .map(move |(name, _)| (format!("member.{member}.{name}"), weights.tensor(member, name).unwrap().to_vec()))
    });
    members.collect()
}

#[test]
fn equal_weights_have_equal_bytes() {
    let weights = random_weights(small(), 1);
    let bytes = weights.to_bytes().unwrap();
    assert_eq!(bytes, weights.clone().to_bytes().unwrap());
    let read = Weights::from_bytes(&bytes).unwrap();
    assert_eq!(read, weights);
    assert_eq!(read.to_bytes().unwrap(), bytes);
    let header = String::from_utf8_lossy(&bytes[8..200]);
    assert!(header.starts_with(r#"{"__metadata__":{"network":"{\"architecture\":{\"n_dense\":2,"#), "{header}");
}

#[test]
fn members_are_joined_in_order() {
    let (a, b) = (random_weights(small().with(vec![layers(vec![4, 4])]), 1), random_weights(small(), 2));
    let joined = Weights::join(vec![a.clone(), b.clone()]).unwrap();
    assert_eq!(joined.architecture().members.len(), 3);
    assert_eq!(joined.tensor(0, "layer.1.weight"), a.tensor(0, "layer.1.weight"));
    assert_eq!(joined.tensor(2, "first.table.0"), b.tensor(1, "first.table.0"));
    let other = random_weights(Architecture { n_dense: 1, ..small() }, 3);
    assert!(matches!(Weights::join(vec![a, other]), Err(Error::Members(1))));
    assert!(matches!(Weights::join(vec![]), Err(Error::Architecture(_))));
}

#[test]
fn wrong_tensors_are_refused_by_name() {
    let weights = random_weights(small(), 1);
    let check = |change: &dyn Fn(&mut Tensors), expected: &str| {
        let mut tensors = tensors(&weights);
        change(&mut tensors);
        let error = Weights::new(small(), tensors).unwrap_err().to_string();
        assert!(error.contains(expected), "{error} should say {expected}");
    };
    check(&|t| drop(t.remove("member.1.head.bias")), "`member.1.head.bias` of shape [1] is missing");
    check(&|t| t.get_mut("member.0.first.curve.0").unwrap().truncate(3), "`member.0.first.curve.0` should hold 32-bit");
    check(&|t| t.get_mut("member.0.first.bias").unwrap()[0] = f32::NAN, "`member.0.first.bias` of the weights holds");
    check(
        &|t| drop(t.insert("member.2.first.bias".to_owned(), vec![])),
        "`member.2.first.bias` of the weights has no place",
    );
    for broken in [
        small().with(vec![layers(vec![])]),
        small().with(vec![layers(vec![0])]),
        small().with(vec![Member { body: Body::Trees { trees: 1, depth: 60 }, ..layers(vec![]) }]),
        small().with(vec![Member { curves: vec![1], ..layers(vec![4]) }]),
        small().with(vec![]),
        Architecture { bins: vec![0], ..small() },
        Architecture { n_outputs: 0, ..small() },
    ] {
        assert!(matches!(Weights::new(broken, BTreeMap::new()), Err(Error::Architecture(_))));
    }
    let huge = small().with(vec![layers(vec![usize::MAX, usize::MAX])]);
    assert!(matches!(Weights::new(huge, tensors(&weights)), Err(Error::WrongTensor { .. })));
}

#[test]
fn damaged_files_never_panic() {
    let (spec, encoder, weights) = parts(TARGETS[2]);
    let (encoder, bytes) = (encoder.to_bytes(), weights.to_bytes().unwrap());
    for end in (0..bytes.len()).step_by(97) {
        assert!(Weights::from_bytes(&bytes[..end]).is_err(), "cut at {end}");
    }
    let header = 8 + usize::from_le_bytes(bytes[..8].try_into().unwrap());
    for position in (0..header).chain((header..bytes.len()).step_by(1009)) {
        for bit in [0, 3, 6] {
            let mut damaged = bytes.clone();
            damaged[position] ^= 1 << bit;
            // A flipped bit of a number may pass; nothing may panic, here or in use.
            if position < header {
                let _ = Predictor::load(spec.clone(), &encoder, &damaged);
            } else {
                let _ = Weights::from_bytes(&damaged);
            }
        }
    }
}

#[test]
fn a_file_of_another_architecture_names_the_tensor() {
    let bytes = random_weights(small(), 1).to_bytes().unwrap();
    let text = |from: &str, to: &str| {
        let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        let mut bytes = bytes.clone();
        bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
        Weights::from_bytes(&bytes).unwrap_err().to_string()
    };
    assert!(
        text(r#"n_dense\":2"#, r#"n_dense\":3"#)
            .contains("`member.0.first.dense` should hold 32-bit floats of shape [3, 4]")
    );
    assert!(text(r#"\"bins\":[3]"#, r#"\"bins\":[4]"#).contains("`member.0.first.curve.0` should hold"));
    assert!(text(r#"\"straight\":false"#, r#"\"straight\":true "#).contains("`member.0.first.bias` should hold"));
    assert!(text("network", "networg").contains("no `network`"));
}

#[test]
fn a_calibration_from_before_there_were_bends_is_read() {
    let read: Calibration = serde_json::from_str(r#"{"slope":1.25,"shifts":[-0.1]}"#).unwrap();
    assert_eq!(read, Calibration { slope: 1.25, bend: 0.0, shifts: vec![-0.1] });
}

#[test]
fn a_readout_is_kept_and_must_fit() {
    let weights = random_weights(small(), 1);
    let readout = Readout {
        calibration: Some(Calibration { slope: 1.25, bend: 0.1, shifts: vec![-0.1] }),
        interval: Some(Interval { level: 0.9, cuts: vec![0.0], below: vec![1.0, 2.0], above: vec![1.0, 3.0] }),
        threshold: Some(0.3),
        blend: Some(vec![0.25, 0.75]),
        decision: None,
    };
    let kept = weights.clone().with_readout(readout.clone()).unwrap();
    let read = Weights::from_bytes(&kept.to_bytes().unwrap()).unwrap();
    assert_eq!(read.readout(), &readout);
    assert_eq!(read, kept);
    let calibration =
        |slope, bend, shifts| Readout { calibration: Some(Calibration { slope, bend, shifts }), ..Readout::default() };
    let interval = |cuts, below| Readout {
        interval: Some(Interval { level: 0.9, cuts, below, above: vec![1.0, 1.0] }),
        ..Readout::default()
    };
    for (broken, expected) in [
        (calibration(1.0, 0.0, vec![0.0, 0.0]), "one shift per output"),
        (calibration(0.0, 0.0, vec![0.0]), "above 0"),
        (calibration(1.0, -0.9, vec![0.0]), "above 0 everywhere"),
        (calibration(1.0, f64::INFINITY, vec![0.0]), "not finite"),
        (calibration(1.0, f64::NAN, vec![0.0]), "not finite"),
        (calibration(1.0, 0.0, vec![f64::NAN]), "not finite"),
        (interval(vec![0.0], vec![1.0]), "one reach per category"),
        (interval(vec![0.0], vec![1.0, f64::INFINITY]), "not finite"),
        (Readout { blend: Some(vec![1.0]), ..Readout::default() }, "one share per member"),
        (Readout { blend: Some(vec![0.7, 0.7]), ..Readout::default() }, "the sum 1"),
        (Readout { threshold: Some(1.5), ..Readout::default() }, "not a probability"),
        (Readout { decision: Some(Decision { weights: vec![1.0] }), ..Readout::default() }, "one finite weight"),
    ] {
        let error = weights.clone().with_readout(broken).unwrap_err().to_string();
        assert!(error.contains(expected), "{error} should say {expected}");
    }
}
