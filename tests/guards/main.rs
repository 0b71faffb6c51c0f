//! What the workspace promises about itself, looked at: dependencies, words, sizes, and the README that tells of them.
//!
//! Texts that can be made are made: `EBB_WRITE_GENERATED=1 cargo test --release -p integration-tests --test guards`
//! writes them into the README.

mod dependencies;
mod manifests;
mod models;
mod predict_tree;
mod readme;
mod sources;
mod used;
mod words;
mod workspace;
