//! The weights file: stable bytes, and damage that is refused by name.

use std::collections::BTreeMap;

use crate::common::{TARGETS, parts, random_weights};
use model::{Architecture, Error, Predictor, Weights};

type Tensors = BTreeMap<String, Vec<f32>>;

fn small() -> Architecture {
    Architecture {
        n_dense: 2,
        cardinalities: vec![5],
        embedding_dims: vec![3],
        hidden: vec![4, 4],
        n_outputs: 1,
        members: 2,
    }
}

fn tensors(weights: &Weights) -> Tensors {
    let names = weights.architecture().member_tensors();
    let members = (0..weights.architecture().members).flat_map(|member| {
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
    assert!(header.starts_with(r#"{"__metadata__":{"architecture":"{\"n_dense\":2,"#), "{header}");
}

#[test]
fn members_are_joined_in_order() {
    let (a, b) = (random_weights(small().of_member(), 1), random_weights(small(), 2));
    let joined = Weights::join(vec![a.clone(), b.clone()]).unwrap();
    assert_eq!(joined.architecture().members, 3);
    assert_eq!(joined.tensor(0, "layer.1.weight"), a.tensor(0, "layer.1.weight"));
    assert_eq!(joined.tensor(2, "embedding.0.weight"), b.tensor(1, "embedding.0.weight"));
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
    check(&|t| drop(t.remove("member.1.layer.2.bias")), "`member.1.layer.2.bias` of shape [1] is missing");
    check(
        &|t| t.get_mut("member.0.layer.0.weight").unwrap().truncate(3),
        "`member.0.layer.0.weight` should hold 32-bit",
    );
    check(
        &|t| t.get_mut("member.0.layer.0.bias").unwrap()[0] = f32::NAN,
        "`member.0.layer.0.bias` of the weights holds",
    );
    check(
        &|t| drop(t.insert("member.2.layer.0.bias".to_owned(), vec![])),
        "`member.2.layer.0.bias` of the weights has no place",
    );
    for broken in [
        Architecture { hidden: vec![], ..small() },
        Architecture { hidden: vec![0], ..small() },
        Architecture { embedding_dims: vec![], ..small() },
        Architecture { members: 0, ..small() },
        Architecture { n_outputs: 0, ..small() },
    ] {
        assert!(matches!(Weights::new(broken, BTreeMap::new()), Err(Error::Architecture(_))));
    }
    let huge = Architecture { hidden: vec![usize::MAX, usize::MAX], members: usize::MAX, ..small() };
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
            .contains("`member.0.layer.0.weight` should hold 32-bit floats of shape [6, 4]")
    );
    assert!(
        text(r#"members\":2"#, r#"members\":3"#).contains("`member.2.embedding.0.weight` of shape [5, 3] is missing")
    );
    assert!(
        text(r#"members\":2"#, r#"members\":1"#).contains("`member.1.embedding.0.weight` of the weights has no place")
    );
    assert!(text("architecture", "architecturo").contains("no `architecture`"));
}
