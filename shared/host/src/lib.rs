#![doc = include_str!("../README.md")]

mod answers;
mod specs;

use std::sync::Arc;

use registry::Registry;
use service::Config;
use spec::Spec;
use storage::Store;

pub use answers::RememberedAnswers;
pub use specs::Specs;

/// Why a function cannot start, or a model cannot be worked on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store cannot be opened or used.
    #[error(transparent)]
    Storage(#[from] storage::Error),
    /// No spec has this name.
    #[error("there is no model `{model}`; {hint}")]
    UnknownModel {
        /// The name that was asked for.
        model: String,
        /// The models there are.
        hint: String,
    },
    /// The spec's file says something wrong.
    #[error("the spec file `{file}` cannot be used")]
    Spec {
        /// Name of the file, without its folder.
        file: String,
        /// What is wrong in it.
        #[source]
        source: spec::Error,
    },
    /// Two files name the same model.
    #[error("the model `{model}` has two spec files, `{first}` and `{second}`; keep one")]
    TwoSpecs {
        /// The model.
        model: String,
        /// One file.
        first: String,
        /// The other file.
        second: String,
    },
    /// The folder of specs cannot be read.
    #[error("failed to read the folder of specs")]
    Folder(#[source] std::io::Error),
}

impl fault::Fault for Error {
    fn kind(&self) -> fault::Kind {
        match self {
            Error::Storage(error) => error.kind(),
            Error::UnknownModel { .. } => fault::Kind::NotFound,
            Error::Spec { .. } | Error::TwoSpecs { .. } => fault::Kind::Conflict,
            Error::Folder(_) => fault::Kind::Internal,
        }
    }

    fn fields(&self) -> Vec<fault::FieldError> {
        match self {
            Error::Spec { source, .. } => source.fields(),
            _ => Vec::new(),
        }
    }
}

/// Settings, registry and specs of one process. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Host {
    config: Arc<Config>,
    registry: Registry,
    specs: Arc<Specs>,
    store_options: Arc<Vec<(String, String)>>,
}

impl Host {
    /// Opens the configured store and folder of specs. `store_options` are what an S3 store needs
    /// ([`Config::store_options`]).
    ///
    /// # Errors
    /// [`Error::Storage`] when the store cannot be opened.
    pub fn open(config: &Config, store_options: Vec<(String, String)>) -> Result<Self, Error> {
        let store = Store::open(&config.store, store_options.iter().cloned())?;
        Ok(Self { store_options: Arc::new(store_options), ..Self::over(config, store) })
    }

    /// A host over a store that is already open, such as one in memory.
    pub fn over(config: &Config, store: Store) -> Self {
        Self {
            config: Arc::new(config.clone()),
            registry: Registry::new(store),
            specs: Arc::new(Specs::in_folder(config.models.clone())),
            store_options: Arc::default(),
        }
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The specs.
    pub fn specs(&self) -> &Specs {
        &self.specs
    }

    /// The spec of a model, as its file says now.
    ///
    /// # Errors
    /// [`Error::UnknownModel`] and what is wrong with the file.
    pub async fn spec(&self, model: &str) -> Result<Arc<Spec>, Error> {
        self.specs.get(model).await
    }

    /// Another store, such as a source's folder, opened with the same options as our own.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn open_store(&self, location: &str) -> Result<Store, Error> {
        Ok(Store::open(location, self.store_options.iter().cloned())?)
    }

    /// Answers remembered by `Idempotency-Key`.
    pub fn answers(&self) -> RememberedAnswers {
        RememberedAnswers::new(self.registry.clone())
    }

    /// Name of this process as a holder of leases: unique, and of use to a person who reads it.
    pub fn owner(&self, function: &str) -> String {
        format!("{function}@{}", std::process::id())
    }
}
