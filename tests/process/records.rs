//! What a store holds, by its documented layout.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::world::World;

/// The records of one model.
pub(crate) struct Records {
    folder: PathBuf,
}

impl Records {
    pub(crate) fn of(world: &World, model: &str) -> Self {
        Self { folder: world.store().join("models").join(model) }
    }

    /// The entries of an append-only sequence, in order.
    pub(crate) fn sequence(&self, name: &str) -> Vec<Value> {
        files(&self.folder.join(name))
            .into_iter()
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())
            .collect()
    }

    /// How a turn ended, if it did.
    pub(crate) fn outcome(&self, turn: u64) -> Option<Value> {
        let text = std::fs::read(self.folder.join(format!("outcomes/{turn:08}.json"))).ok()?;
        let record: Value = serde_json::from_slice(&text).unwrap();
        Some(record["outcome"].clone())
    }

    /// The versions that served, in order.
    pub(crate) fn production(&self) -> Vec<String> {
        texts(&self.sequence("production"), "version")
    }

    /// The digests of landed batches, in the order of their numbers.
    pub(crate) fn landed(&self) -> Vec<String> {
        let mut landings = self.sequence("landings");
        landings.sort_by_key(|landing| landing["batch_number"].as_u64());
        texts(&landings, "sha256")
    }

    /// The events of a kind.
    pub(crate) fn events(&self, kind: &str) -> Vec<Value> {
        self.sequence("events").into_iter().filter(|event| event["kind"] == kind).collect()
    }

    /// The file of a version's part.
    pub(crate) fn part(&self, version: &str, part: &str) -> PathBuf {
        self.folder.join("versions").join(version).join(part)
    }

    /// The published versions.
    pub(crate) fn versions(&self) -> Vec<String> {
        let manifests = files(&self.folder.join("versions")).into_iter().filter(|path| path.ends_with("manifest.json"));
        manifests.map(|path| path.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned()).collect()
    }

    /// The text of a batch's quarantine file.
    pub(crate) fn quarantined(&self, batch: &str) -> String {
        std::fs::read_to_string(self.folder.join("batches").join(batch).join("quarantine.ndjson")).unwrap()
    }

    /// Every line of the prediction log.
    pub(crate) fn predictions(&self) -> Vec<Value> {
        let mut lines = Vec::new();
        for path in files(&self.folder.join("predictions")) {
            let text = zstd::decode_all(std::fs::File::open(path).unwrap()).unwrap();
            let values = serde_json::Deserializer::from_slice(&text).into_iter::<Value>();
            lines.extend(values.map(Result::unwrap));
        }
        lines
    }

    /// Writes an entry at the end of a sequence, as another process would.
    pub(crate) fn append(&self, name: &str, entry: &Value) {
        let number = self.sequence(name).len() + 1;
        std::fs::write(self.folder.join(name).join(format!("{number:08}.json")), entry.to_string()).unwrap();
    }
}

/// A member of all entries, as text.
pub(crate) fn texts(entries: &[Value], member: &str) -> Vec<String> {
    entries.iter().map(|entry| entry[member].as_str().unwrap().to_owned()).collect()
}

/// Objects in a store, without those of leases, which come and go by the clock.
pub(crate) fn n_objects(world: &World) -> usize {
    let leases = world.store().join("leases");
    files(&world.store()).iter().filter(|path| !path.starts_with(&leases)).count()
}

/// All whole files below a folder, sorted. Files that vanish meanwhile are left out.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(path),
                // A file with a number sign is one that is being written.
                Ok(_) if !name.to_string_lossy().contains('#') => found.push(path),
                _ => {}
            }
        }
    }
    found.sort();
    found
}

/// Waits until something holds, looking every few milliseconds, for as long as `limit`.
pub(crate) async fn until(limit: Duration, mut holds: impl AsyncFnMut() -> bool) -> bool {
    let look = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(limit, look).await.is_ok()
}
