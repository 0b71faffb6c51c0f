//! No file names the machine that it was written on, or how the work was arranged.

use std::fs;
use std::path::Path;

use integration_tests::{files, root};

use crate::sources::without_tests;

/// Folders of one machine; tests may name them as examples.
const MACHINE_PATHS: [&str; 4] = ["/root/", "/home/", "/work/", "/tmp/"];
/// Hosts of package registries: which one is used is a machine's own setting.
const REGISTRIES: [&str; 6] =
    ["crates.io", "pypi.org", "registry.npmjs.org", "proxy.golang.org", "repo.maven.apache.org", "deb.debian.org"];
/// Words of the people who build this, which tell its readers nothing.
const ARRANGEMENTS: [&str; 11] = [
    "issue A",
    "issue B",
    "issue C",
    "issue D",
    "issue E",
    "issue F",
    "issue G",
    "later issue",
    "helper",
    "subagent",
    "DEVELOPERS",
];

/// Every text of the project but the lock file, which is cargo's, and this one.
fn texts() -> Vec<(String, String)> {
    let own = Path::new(file!()).file_name();
    let paths = files(&root()).into_iter().filter(|path| path.file_name() != own && !path.ends_with("Cargo.lock"));
    let texts = paths.filter_map(|path| {
        let text = String::from_utf8(fs::read(&path).ok()?).ok()?;
        Some((path.strip_prefix(root()).unwrap_or(&path).display().to_string(), text))
    });
    texts.collect()
}

/// Whether a line has a word, and not only as a part of another.
fn has(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + word.len()..]);
        !before.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric)
    })
}

fn assert_none(found: &[String], what: &str) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

#[test]
fn no_file_names_a_machines_folder() {
    let mut found = Vec::new();
    for (path, text) in texts() {
        if path.contains("tests/") || path.ends_with("tests.rs") {
            continue;
        }
        for line in without_tests(&text) {
            if MACHINE_PATHS.iter().any(|folder| line.contains(folder)) {
                found.push(format!("{path}: {}", line.trim()));
            }
        }
    }
    assert_none(&found, "these lines name a folder of one machine");
}

#[test]
fn no_file_names_a_registry() {
    let mut found = Vec::new();
    for (path, text) in texts() {
        let lines = text.lines().filter(|line| REGISTRIES.iter().any(|host| line.contains(host)));
        found.extend(lines.map(|line| format!("{path}: {}", line.trim())));
    }
    assert_none(&found, "these lines name a package registry");
}

#[test]
fn no_file_tells_how_the_work_was_arranged() {
    let mut found = Vec::new();
    for (path, text) in texts() {
        for (number, line) in text.lines().enumerate() {
            let words = ARRANGEMENTS.iter().filter(|word| has(line, word));
            found.extend(words.map(|word| format!("{path}:{}: {word}", number + 1)));
        }
    }
    assert_none(&found, "these words tell nothing to a reader");
}

#[test]
fn words_are_told_from_parts_of_words() {
    assert!(has("an issue A here", "issue A") && !has("issue Assess", "issue A") && !has("a tissue A", "issue A"));
}
