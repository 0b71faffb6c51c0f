//! Arrows between our crates: as the README says, and down only.

use std::collections::BTreeMap;

use crate::readme::{self, assert_generated};
use crate::workspace::{Member, members};

/// The README's layers, lowest first.
fn layers() -> Vec<Vec<String>> {
    let text = readme::between("layers");
    let lines = text.lines().filter(|line| !line.starts_with("```") && !line.trim().is_empty());
    // What stands in parentheses explains the layer.
    let names = lines.map(|line| line.split('(').next().unwrap_or_default().split_whitespace());
    let mut layers: Vec<Vec<String>> = names.map(|names| names.map(str::to_owned).collect()).collect();
    layers.reverse();
    layers
}

fn product() -> impl Iterator<Item = &'static Member> {
    members().iter().filter(|member| member.is_product())
}

/// The height of each crate's layer.
fn heights() -> BTreeMap<String, usize> {
    let mut heights = BTreeMap::new();
    for (height, layer) in layers().into_iter().enumerate() {
        for name in layer {
            assert!(
                product().any(|member| member.name == name),
                "the README's layers name `{name}`, which is no crate"
            );
            assert_eq!(heights.insert(name.clone(), height), None, "the README's layers name `{name}` twice");
        }
    }
    for member in product() {
        assert!(heights.contains_key(&member.name), "add `{}` to a layer of the README", member.name);
    }
    heights
}

#[test]
fn the_readme_tells_the_arrows() {
    let heights = heights();
    let mut sorted: Vec<&Member> = product().collect();
    sorted.sort_by_key(|member| (heights[&member.name], &member.name));
    let mut table = String::from("| crate | depends on |\n|---|---|\n");
    for member in sorted {
        let mut ours: Vec<&str> = member.ours().into_iter().collect();
        ours.sort_by_key(|name| (heights[*name], *name));
        let names = if ours.is_empty() { "–".to_owned() } else { ours.join(", ") };
        table.push_str(&format!("| `{}` | {names} |\n", member.name));
    }
    assert_generated("crates", &table);
}

#[test]
fn arrows_only_point_down() {
    let heights = heights();
    for member in product() {
        for dependency in member.ours() {
            let is_down = heights.get(dependency).is_some_and(|height| *height < heights[&member.name]);
            assert!(
                is_down,
                "`{}` depends on `{dependency}`, which stands no lower in the README's layers",
                member.name
            );
        }
    }
}

#[test]
fn functions_know_nothing_of_each_other() {
    let is_function = |name: &str| product().any(|other| other.name == name && other.folder().starts_with("functions"));
    for member in product().filter(|member| member.name != "bundle") {
        let functions: Vec<&str> = member.ours().into_iter().filter(|name| is_function(name)).collect();
        assert!(
            functions.is_empty(),
            "`{}` depends on {functions:?}; only `bundle` puts functions together",
            member.name
        );
    }
}

#[test]
fn nothing_depends_on_tests_and_benchmarks() {
    for member in members() {
        let ours = member.ours();
        let wrong = members().iter().find(|other| !other.is_product() && ours.contains(&*other.name));
        assert!(
            wrong.is_none_or(|_| !member.is_product()),
            "`{}` depends on a crate of tests or benchmarks",
            member.name
        );
    }
}

#[test]
fn a_crate_is_named_as_its_folder() {
    for member in product() {
        assert!(member.folder().ends_with(&member.name), "`{}` lies in {}", member.name, member.folder().display());
    }
}
