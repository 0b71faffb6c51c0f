//! The specs that the project ships.

use std::fs;

use integration_tests::root;

#[test]
fn every_spec_parses_and_is_named_as_its_file() {
    let mut names = Vec::new();
    for entry in fs::read_dir(root().join("models")).expect("there is a folder of specs") {
        let path = entry.expect("the folder can be listed").path();
        let file = path.display();
        assert_eq!(path.extension().and_then(|extension| extension.to_str()), Some("yaml"), "{file} is no spec");
        let text = fs::read_to_string(&path).expect("a spec can be read");
        let spec = spec::Spec::parse(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert_eq!(path.file_stem().and_then(|stem| stem.to_str()), Some(&*spec.name), "{file} has another name");
        names.push(spec.name.clone());
    }
    names.sort();
    let systems = ["bank-churn", "car-vision", "plan-rec", "real-estate", "telecom-ai"];
    let missing: Vec<_> = systems.iter().filter(|name| !names.iter().any(|other| other == *name)).collect();
    assert!(missing.is_empty(), "these systems have no spec: {missing:?}");
}
