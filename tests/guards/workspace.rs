//! The members of the workspace, as cargo sees them.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use integration_tests::root;
use serde::Deserialize;

/// A crate of the workspace.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    /// Registries it may be published to; empty for none, absent for any.
    pub(crate) publish: Option<Vec<String>>,
    dependencies: Vec<Dependency>,
}

#[derive(Clone, Debug, Deserialize)]
struct Dependency {
    name: String,
    /// Absent for a normal dependency.
    kind: Option<String>,
    /// Where it lies, if it is ours.
    path: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Member>,
}

impl Member {
    /// The crates of ours that it links.
    pub(crate) fn ours(&self) -> BTreeSet<&str> {
        self.normal().filter(|dependency| dependency.path.is_some()).map(|dependency| &*dependency.name).collect()
    }

    /// The crates of others that it links.
    pub(crate) fn others(&self) -> BTreeSet<&str> {
        self.normal().filter(|dependency| dependency.path.is_none()).map(|dependency| &*dependency.name).collect()
    }

    /// Its folder, relative to the workspace: `shared/spec`.
    pub(crate) fn folder(&self) -> PathBuf {
        let folder = self.manifest_path.parent().expect("a manifest lies in a folder");
        folder.strip_prefix(root()).unwrap_or(folder).to_owned()
    }

    /// Whether it is part of the product, and not a crate of tests or benchmarks.
    pub(crate) fn is_product(&self) -> bool {
        self.folder().starts_with("shared") || self.folder().starts_with("functions")
    }

    fn normal(&self) -> impl Iterator<Item = &Dependency> {
        self.dependencies.iter().filter(|dependency| dependency.kind.is_none())
    }
}

/// All members.
pub(crate) fn members() -> &'static [Member] {
    static MEMBERS: OnceLock<Vec<Member>> = OnceLock::new();
    MEMBERS.get_or_init(|| {
        let text = cargo(&["metadata", "--format-version", "1", "--no-deps", "--locked", "--offline"]);
        let metadata: Metadata = serde_json::from_str(&text).expect("cargo metadata answers JSON");
        metadata.packages
    })
}

/// What a cargo command prints.
pub(crate) fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).args(arguments).current_dir(root()).output().expect("cargo can be run");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {} failed:\n{errors}", arguments.join(" "));
    String::from_utf8(output.stdout).expect("cargo prints UTF-8")
}
