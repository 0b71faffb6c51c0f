//! What the smallest function links.

use std::collections::BTreeSet;

use crate::workspace::cargo;

/// Crates that `predict` must not link, and families of crates by the beginning of their names.
const UNWANTED: [&str; 9] =
    ["dataset", "drift", "history", "ingest", "train", "promote", "check-drift", "csv", "parquet"];
const UNWANTED_FAMILIES: [&str; 6] = ["arrow", "burn", "cubecl", "parquet", "mlflow", "tantivy"];

#[test]
fn predict_links_no_training_and_no_parquet() {
    let tree = cargo(&["tree", "-p", "predict", "-e", "normal", "--locked", "--offline", "--prefix", "none"]);
    let linked: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(linked.contains("model"), "the tree cannot be read:\n{tree}");
    let is_unwanted =
        |name: &&str| UNWANTED.contains(name) || UNWANTED_FAMILIES.iter().any(|family| name.starts_with(family));
    let unwanted: Vec<&str> = linked.into_iter().filter(is_unwanted).collect();
    assert!(unwanted.is_empty(), "predict links {unwanted:?}: see `cargo tree -p predict -e normal -i NAME`");
}
