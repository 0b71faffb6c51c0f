//! Sources stay short and finished.

use std::fs;
use std::path::{Path, PathBuf};

use integration_tests::{files, root};

/// Most lines of a file, its tests aside.
const MAX_LINES: usize = 500;
/// Most lines of a `main.rs`.
const MAX_MAIN_LINES: usize = 30;

/// All Rust sources but these guards, which name what they forbid.
fn sources() -> Vec<PathBuf> {
    let all = files(&root()).into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    all.filter(|path| !path.starts_with(root().join("tests/guards"))).collect()
}

fn is_test(path: &Path) -> bool {
    let inside = path.strip_prefix(root()).unwrap_or(path);
    path.ends_with("tests.rs")
        || inside.components().any(|part| part.as_os_str() == "tests" || part.as_os_str() == "benches")
}

/// The lines of a source up to its module of tests.
pub(crate) fn without_tests(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().collect();
    let is_end = |pair: &[&str]| pair[0].trim() == "#[cfg(test)]" && pair[1].starts_with("mod ");
    let end = lines.windows(2).position(is_end).unwrap_or(lines.len());
    lines[..end].to_vec()
}

/// The code of a source: without its module of tests, without comments on lines of their own.
pub(crate) fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let lines = without_tests(&text).into_iter().filter(|line| !line.trim_start().starts_with("//"));
    lines.map(|line| format!("{line}\n")).collect()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

#[test]
fn files_are_short() {
    let mut long = Vec::new();
    for path in sources().iter().filter(|path| !is_test(path)) {
        let text = fs::read_to_string(path).expect("sources can be read");
        let n_lines = without_tests(&text).len();
        let limit = if path.ends_with("src/main.rs") { MAX_MAIN_LINES } else { MAX_LINES };
        if n_lines > limit {
            long.push(format!("{}: {n_lines} lines where {limit} are allowed", shown(path)));
        }
    }
    assert!(long.is_empty(), "split these:\n{}", long.join("\n"));
}

#[test]
fn nothing_is_left_open() {
    let mut open = Vec::new();
    for path in sources() {
        let text = fs::read_to_string(&path).expect("sources can be read");
        for (number, line) in text.lines().enumerate() {
            if let Some(mark) = ["todo!(", "unimplemented!(", "#[ignore"].into_iter().find(|mark| line.contains(mark)) {
                open.push(format!("{}:{}: {mark}", shown(&path), number + 1));
            }
        }
    }
    assert!(open.is_empty(), "finish these:\n{}", open.join("\n"));
}

#[test]
fn tests_are_told_from_sources() {
    assert_eq!(without_tests("a\n#[cfg(test)]\nmod tests {\nb\n}\n"), ["a"]);
    assert_eq!(without_tests("a\n#[cfg(test)]\nuse b;\nc"), ["a", "#[cfg(test)]", "use b;", "c"]);
    assert!(is_test(&root().join("shared/spec/tests/rows.rs")) && is_test(&root().join("a/src/new/tests.rs")));
    assert!(!is_test(&root().join("shared/spec/src/lib.rs")));
}
