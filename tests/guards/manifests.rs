//! Versions, lints and settings stand once, in the root.

use std::fs;

use integration_tests::root;

use crate::workspace::members;

#[test]
fn members_take_their_settings_from_the_workspace() {
    for member in members() {
        let manifest = fs::read_to_string(&member.manifest_path).expect("a manifest can be read");
        for line in ["version", "edition", "rust-version", "license", "publish"]
            .map(|key| format!("\n{key}.workspace = true\n"))
        {
            assert!(manifest.contains(&line), "`{}` lacks `{}`", member.name, line.trim());
        }
        assert!(manifest.contains("\n[lints]\nworkspace = true\n"), "`{}` lacks the workspace's lints", member.name);
        assert_eq!(member.publish.as_deref(), Some(&[][..]), "`{}` could be published", member.name);
    }
}

#[test]
fn members_take_their_versions_from_the_workspace() {
    for member in members() {
        let manifest = fs::read_to_string(&member.manifest_path).expect("a manifest can be read");
        let mut in_dependencies = false;
        for line in manifest.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if line.starts_with('[') {
                in_dependencies = line.ends_with("dependencies]");
                let own_table = line.contains("dependencies.");
                assert!(!own_table, "`{}`: write {line} as one line with `workspace = true`", member.name);
                continue;
            }
            let is_ours = line.contains("{ workspace = true") || line.contains(".workspace = true");
            assert!(!in_dependencies || is_ours, "`{}`: `{line}` lacks `workspace = true`", member.name);
        }
    }
}

#[test]
fn a_crates_readme_is_its_documentation() {
    for member in members().iter().filter(|member| member.is_product()) {
        let folder = root().join(member.folder());
        let code = fs::read_to_string(folder.join("src/lib.rs")).expect("every crate has a library");
        let included = code.starts_with("#![doc = include_str!(\"../README.md\")]");
        assert!(included, "`{}`: src/lib.rs does not begin with its README", member.name);
        let readme = fs::read_to_string(folder.join("README.md")).unwrap_or_default();
        let title = format!("# {}\n", member.name);
        assert!(readme.starts_with(&title), "`{}`: README.md does not begin with its name", member.name);
    }
}
