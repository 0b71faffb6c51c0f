//! The folder of specs, read again when a file changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use spec::Spec;

use crate::Error;

/// The specs in a folder, by model. Files end in `.yaml` or `.yml`.
#[derive(Debug)]
pub struct Specs {
    folder: PathBuf,
    read: Mutex<BTreeMap<PathBuf, File>>,
}

#[derive(Clone, Debug)]
struct File {
    stamp: Stamp,
    outcome: Result<Arc<Spec>, spec_error::Shared>,
}

/// What changes when a file does.
type Stamp = (Option<SystemTime>, u64);

impl Specs {
    /// The specs in `folder`. It is read when they are first asked for.
    pub fn in_folder(folder: PathBuf) -> Self {
        Self { folder, read: Mutex::default() }
    }

    /// The spec of `model`.
    ///
    /// # Errors
    /// [`Error::UnknownModel`] with the models there are; what is wrong with the model's own file. A mistake in another
    /// model's file is no error here.
    pub async fn get(&self, model: &str) -> Result<Arc<Spec>, Error> {
        let files = self.refresh().await?;
        let mut found: Option<(String, Arc<Spec>)> = None;
        let mut known = Vec::new();
        let mut broken = Vec::new();
        for (path, file) in files {
            let name = file_name(&path);
            match file.outcome {
                Ok(spec) if spec.name == model => match found {
                    Some((first, _)) => return Err(Error::TwoSpecs { model: model.to_owned(), first, second: name }),
                    None => found = Some((name, spec)),
                },
                Ok(spec) => known.push(spec.name.clone()),
                Err(error) if stem(&path) == model => return Err(Error::Spec { file: name, source: error.to_error() }),
                Err(_) => broken.push(name),
            }
        }
        let Some((_, spec)) = found else {
            let mut hint = match known.as_slice() {
                [] => "no spec file names one".to_owned(),
                names => format!("there is {}", names.join(", ")),
            };
            if !broken.is_empty() {
                hint.push_str(&format!("; cannot be used: {}", broken.join(", ")));
            }
            return Err(Error::UnknownModel { model: model.to_owned(), hint });
        };
        Ok(spec)
    }

    /// Every spec that can be used, by name of its model.
    ///
    /// # Errors
    /// [`Error::Folder`].
    pub async fn all(&self) -> Result<Vec<Arc<Spec>>, Error> {
        let files = self.refresh().await?;
        let mut specs: Vec<Arc<Spec>> = files.into_values().filter_map(|file| file.outcome.ok()).collect();
        specs.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(specs)
    }

    /// Every spec file that cannot be used, with what is wrong in it.
    ///
    /// # Errors
    /// [`Error::Folder`].
    pub async fn broken(&self) -> Result<Vec<(String, String)>, Error> {
        let files = self.refresh().await?;
        Ok(files
            .into_iter()
            .filter_map(|(path, file)| Some((file_name(&path), file.outcome.err()?.to_error().to_string())))
            .collect())
    }

    async fn refresh(&self) -> Result<BTreeMap<PathBuf, File>, Error> {
        let known = self.read.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let folder = self.folder.clone();
        let read = tokio::task::spawn_blocking(move || read_folder(&folder, &known))
            .await
            .map_err(|error| Error::Folder(std::io::Error::other(error)))?
            .map_err(Error::Folder)?;
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = read.clone();
        Ok(read)
    }
}

fn read_folder(folder: &Path, known: &BTreeMap<PathBuf, File>) -> std::io::Result<BTreeMap<PathBuf, File>> {
    let mut files = BTreeMap::new();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        // A process that only serves has no use for specs and may have no folder of them.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(files),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        if !path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            continue;
        }
        let metadata = entry.metadata()?;
        let stamp = (metadata.modified().ok(), metadata.len());
        let file = match known.get(&path) {
            Some(file) if file.stamp == stamp => file.clone(),
            _ => {
                let text = std::fs::read_to_string(&path)?;
                File { stamp, outcome: Spec::parse(&text).map(Arc::new).map_err(spec_error::Shared::new) }
            }
        };
        files.insert(path, file);
    }
    Ok(files)
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

mod spec_error {
    /// What is wrong with a file, kept while the file stays as it is.
    #[derive(Clone, Debug)]
    pub(super) struct Shared(Vec<spec::SpecError>);

    impl Shared {
        pub(super) fn new(error: spec::Error) -> Self {
            let spec::Error::Spec(errors) = error;
            Self(errors)
        }

        pub(super) fn to_error(&self) -> spec::Error {
            spec::Error::Spec(self.0.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "name: NAME\ntask: regression\ntarget: {column: y}\ncolumns: {x: {kind: number}}\n";

    #[tokio::test]
    async fn specs_follow_their_files() {
        let folder = tempfile::tempdir().unwrap();
        let specs = Specs::in_folder(folder.path().to_owned());
        assert!(matches!(specs.get("a").await, Err(Error::UnknownModel { .. })));
        std::fs::write(folder.path().join("a.yaml"), GOOD.replace("NAME", "a")).unwrap();
        std::fs::write(folder.path().join("b.yaml"), "name: b").unwrap();
        assert_eq!(specs.get("a").await.unwrap().name, "a");
        assert!(matches!(specs.get("b").await, Err(Error::Spec { .. })));
        let said = specs.get("c").await.unwrap_err().to_string();
        assert_eq!(said, "there is no model `c`; there is a; cannot be used: b.yaml");
        std::fs::write(folder.path().join("b.yaml"), GOOD.replace("NAME", "a")).unwrap();
        assert!(matches!(specs.get("a").await, Err(Error::TwoSpecs { .. })));
    }
}
