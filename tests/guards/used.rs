//! Whether what is declared is used.

use integration_tests::{files, root};

use crate::sources::code;
use crate::workspace::{Member, members};

/// The crates that the project is built on.
const FOUNDATIONS: [&str; 11] = [
    "lambda_http",
    "axum",
    "tokio",
    "burn",
    "ndarray",
    "statrs",
    "serde",
    "object_store",
    "tracing",
    "opentelemetry-otlp",
    "once_cell",
];

/// A member's code without tests and comments.
fn code_of(member: &Member) -> String {
    let sources = files(&root().join(member.folder()).join("src"));
    let sources = sources.iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    sources.filter(|path| !path.ends_with("tests.rs")).map(|path| code(path)).collect()
}

/// Whether code names a crate: `name::`, `name;` or `name as`, and not as a part of another path.
fn names(code: &str, package: &str) -> bool {
    let name = package.replace('-', "_");
    code.match_indices(&name).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + name.len()..]);
        let starts = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.')
            && (!before.ends_with("::") || before.ends_with(" ::"));
        starts && ["::", ";", " as "].iter().any(|next| after.starts_with(next))
    })
}

#[test]
fn the_foundations_are_used() {
    for package in FOUNDATIONS {
        let mut users = members().iter().filter(|member| member.is_product() && member.others().contains(package));
        assert!(users.any(|member| names(&code_of(member), package)), "no crate depends on `{package}` and uses it");
    }
}

#[test]
fn every_dependency_is_used() {
    let mut unused = Vec::new();
    for member in members().iter().filter(|member| member.is_product()) {
        let code = code_of(member);
        let dependencies = member.ours().into_iter().chain(member.others());
        unused.extend(dependencies.filter(|name| !names(&code, name)).map(|name| format!("{} -> {name}", member.name)));
    }
    assert!(unused.is_empty(), "declared as normal dependencies and not named in src/:\n{}", unused.join("\n"));
}

#[test]
fn names_are_told_from_parts_of_names() {
    for code in ["use burn::nn;", "pub use burn;", "let a: ::burn::Tensor", "burn::run()", "use burn as b;"] {
        assert!(names(code, "burn"), "{code}");
    }
    for code in ["use crate::burn::nn;", "sideburn::nn", "burns::nn", "state.burn::<f64>()", "let burn = 1"] {
        assert!(!names(code, "burn"), "{code}");
    }
    assert!(names("opentelemetry_otlp::SpanExporter", "opentelemetry-otlp"));
}
