//! The README says what is so.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use clap::{Args, CommandFactory};
use integration_tests::{files, root};

/// Set to write generated texts instead of comparing them.
const WRITE: &str = "EBB_WRITE_GENERATED";

/// Tests run side by side and may write the same file.
static README: Mutex<()> = Mutex::new(());

fn path() -> PathBuf {
    root().join("README.md")
}

fn text() -> String {
    fs::read_to_string(path()).expect("there is a README")
}

/// What stands between the README's markers of this name.
pub(crate) fn between(name: &str) -> String {
    let _guard = README.lock().unwrap_or_else(PoisonError::into_inner);
    let text = text();
    let (from, to) = range(&text, name);
    text[from..to].to_owned()
}

fn range(text: &str, name: &str) -> (usize, usize) {
    let (begin, end) = (format!("<!-- {name}:begin -->\n"), format!("<!-- {name}:end -->"));
    let from = text.find(&begin).unwrap_or_else(|| panic!("the README lacks {begin}")) + begin.len();
    let to = text[from..].find(&end).unwrap_or_else(|| panic!("the README lacks {end}")) + from;
    (from, to)
}

/// Compares a generated text with the README's, or writes it there.
pub(crate) fn assert_generated(name: &str, generated: &str) {
    let generated = format!("\n{}\n\n", generated.trim());
    if std::env::var_os(WRITE).is_some() {
        let _guard = README.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = text();
        let (from, to) = range(&text, name);
        text.replace_range(from..to, &generated);
        fs::write(path(), text).expect("the README can be written");
        return;
    }
    let committed = between(name);
    let hint = "run the guards once with EBB_WRITE_GENERATED=1 and commit README.md";
    assert!(committed == generated, "the README's part `{name}` is out of date; {hint}. It should be:\n{generated}");
}

/// The variables of a function's own settings, as lines of a table, that are not among `shared`.
fn own_variables<A: Args>(function: &str, shared: &str) -> Vec<(String, String)> {
    let variable = |line: &str| line.split('|').nth(1).unwrap_or_default().trim().to_owned();
    let known: BTreeSet<String> = shared.lines().map(variable).collect();
    let table = service::config::table_of::<A>();
    let lines = table.lines().skip(2).filter(|line| !known.contains(&variable(line)));
    lines.map(|line| (line.to_owned(), function.to_owned())).collect()
}

#[test]
fn the_readme_tells_the_settings() {
    let shared = service::config::table();
    let own = [
        own_variables::<predict::Config>("predict", &shared),
        own_variables::<explain::Config>("explain", &shared),
        own_variables::<web::Config>("web", &shared),
        own_variables::<bundle::run::Args>("ebb run", &shared),
        own_variables::<bundle::up::Args>("ebb up", &shared),
        own_variables::<bundle::demo::Args>("ebb demo", &shared),
    ];
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for (line, function) in own.into_iter().flatten() {
        match lines.iter_mut().find(|(known, _)| *known == line) {
            Some((_, functions)) => functions.push(function),
            None => lines.push((line, vec![function])),
        }
    }
    let own: String =
        lines.iter().map(|(line, functions)| format!("{line} `{}` |\n", functions.join("`, `"))).collect();
    let generated = format!(
        "Every function and `ebb up`:\n\n{shared}\nSome of them:\n\n| variable | default | effect | read by |\n\
         |---|---|---|---|\n{own}"
    );
    assert_generated("env", &generated);
}

#[test]
fn the_readme_names_commands_that_there_are() {
    let command = bundle::Cli::command();
    let known: BTreeSet<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    let text = text();
    for name in &known {
        assert!(text.contains(&format!("ebb {name}")), "the README does not tell of `ebb {name}`");
    }
    for (at, _) in text.match_indices("`ebb ") {
        let word: String = text[at + 5..].chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        assert!(known.contains(&*word), "the README tells of `ebb {word}`, which there is not");
    }
}

#[test]
fn links_lead_somewhere() {
    let docs = files(&root()).into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut broken = Vec::new();
    for path in docs {
        let text = fs::read_to_string(&path).expect("a document can be read");
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split([')', '#', ' ']).next().unwrap_or_default();
            let is_address = target.is_empty() || target.contains("://") || target.contains("::");
            let folder = path.parent().unwrap_or(Path::new(""));
            if !is_address && !folder.join(target).exists() {
                broken.push(format!("{}: {target}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "these links lead nowhere:\n{}", broken.join("\n"));
}

#[cfg(unix)]
#[test]
fn ci_can_be_run() {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(root().join(".ci/run")).expect("there is .ci/run").permissions().mode();
    assert!(mode & 0o111 != 0, ".ci/run is not executable");
}
