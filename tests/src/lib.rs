//! What the tests that look at the whole workspace share.
//!
//! The tests themselves stand beside this file: `guards` holds what the workspace promises about itself.

use std::path::{Path, PathBuf};

/// The folder of the workspace.
pub fn root() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("this crate stands in the workspace's folder").to_owned()
}

/// Every file below `folder`, sorted, without build outputs, stores and what Git keeps.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    const SKIPPED: [&str; 4] = ["target", ".git", ".ebb", "node_modules"];
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries.filter_map(Result::ok) {
            let skipped = entry.file_name().to_str().is_some_and(|name| SKIPPED.contains(&name));
            match entry.file_type() {
                _ if skipped => {}
                Ok(kind) if kind.is_dir() => waiting.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    found
}
