//! One version, opened whole.

use std::sync::Arc;

use model::Predictor;
use registry::{Part, Registry, VersionId};
use spec::{Batch, Spec};
use tokio::sync::OnceCell;

use crate::{Error, background_from_bytes};

/// A version that is ready to answer. It never changes; another version is another `Served`.
#[derive(Debug)]
pub struct Served {
    model: String,
    version: VersionId,
    predictor: Predictor,
    registry: Registry,
    background: OnceCell<Arc<Batch>>,
}

/// Opens a version of a model: reads spec, encoder and weights, compares each with its digest, and makes sure that they
/// fit each other.
///
/// # Errors
/// [`Error::Read`] for a version or part that is missing or damaged; [`Error::Spec`], [`Error::OtherModel`] and
/// [`Error::Predictor`] for parts that do not fit; [`Error::Broke`].
pub async fn open(registry: &Registry, model: &str, version: &VersionId) -> Result<Served, Error> {
    let wanted = [Part::Spec, Part::Encoder, Part::Weights];
    let [spec, encoder, weights] = registry.parts(model, version, wanted).await.map_err(|source| Error::Read {
        model: model.to_owned(),
        version: version.clone(),
        source: Arc::new(source),
    })?;
    let (name, id) = (model.to_owned(), version.clone());
    // Folding a large network takes milliseconds, too long for a thread that answers others.
    let load = tokio::task::spawn_blocking(move || load(&name, &id, &spec, &encoder, &weights));
    let predictor = load.await.map_err(|source| Error::Broke {
        model: model.to_owned(),
        version: version.clone(),
        source: Arc::new(source),
    })??;
    let background = OnceCell::new();
    Ok(Served { model: model.to_owned(), version: version.clone(), predictor, registry: registry.clone(), background })
}

fn load(model: &str, version: &VersionId, spec: &[u8], encoder: &[u8], weights: &[u8]) -> Result<Predictor, Error> {
    let (model, version) = (model.to_owned(), version.clone());
    // A byte that is no UTF-8 becomes a character that no spec has, and is told with its line.
    let spec = match Spec::parse(&String::from_utf8_lossy(spec)) {
        Ok(spec) => Arc::new(spec),
        Err(source) => return Err(Error::Spec { model, version, source: Arc::new(source) }),
    };
    if spec.name != model {
        return Err(Error::OtherModel { model, version, name: spec.name.clone() });
    }
    Predictor::load(spec, encoder, weights).map_err(|source| Error::Predictor {
        model,
        version,
        source: Arc::new(source),
    })
}

impl Served {
    /// Name of the model.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The version's id.
    pub fn version(&self) -> &VersionId {
        &self.version
    }

    /// The spec that the version was trained with.
    pub fn spec(&self) -> &Arc<Spec> {
        self.predictor.spec()
    }

    /// What predicts.
    pub fn predictor(&self) -> &Predictor {
        &self.predictor
    }

    /// The background rows of explanations, read when first asked for.
    ///
    /// # Errors
    /// [`Error::Read`] for a part that is missing or damaged, [`Error::Background`] for other columns than the spec's.
    pub async fn background(&self) -> Result<Arc<Batch>, Error> {
        let read = async || {
            let bytes = self.registry.part(&self.model, &self.version, Part::Background).await;
            let bytes = bytes.map_err(|source| Error::Read {
                model: self.model.clone(),
                version: self.version.clone(),
                source: Arc::new(source),
            })?;
            Ok(Arc::new(background_from_bytes(self.spec(), &bytes)?))
        };
        self.background.get_or_try_init(read).await.cloned()
    }
}
