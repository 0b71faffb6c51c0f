//! Reading from the registry and the specs what the pages show.

use std::collections::BTreeSet;
use std::sync::Arc;

use fault::chain;
use host::Host;
use registry::{AliasEntry, BatchState, DecisionRecord, Event, Manifest, Part, Registry, VersionId};
use serde_json::Value;
use spec::{Spec, Task};

use crate::Error;

/// Every model, and every spec file that cannot be used.
#[derive(Debug)]
pub(crate) struct Overview {
    pub(crate) models: Vec<Summary>,
    /// Name of a file and what is wrong in it.
    pub(crate) broken: Vec<(String, String)>,
}

/// A model in a few words.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) name: String,
    pub(crate) task: Option<Task>,
    pub(crate) production: Option<AliasEntry>,
    pub(crate) metrics: Metrics,
    pub(crate) last_batch: Option<BatchState>,
}

/// Everything that one model's page shows.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) name: String,
    /// The production version's spec; without one, that of the model's file.
    pub(crate) spec: Option<Arc<Spec>>,
    /// Why the model's spec file cannot be used, if it cannot.
    pub(crate) spec_error: Option<String>,
    /// Moves of production, oldest first.
    pub(crate) moves: Vec<AliasEntry>,
    pub(crate) metrics: Metrics,
    /// In the order of arrival.
    pub(crate) batches: Vec<BatchState>,
    /// Newest first.
    pub(crate) decisions: Vec<DecisionRecord>,
    /// Oldest first.
    pub(crate) events: Vec<Event>,
    /// Versions that have cards.
    pub(crate) with_cards: BTreeSet<VersionId>,
}

/// Metrics of a version on the newest hold-out when it was trained, what it is judged by first.
pub(crate) type Metrics = Vec<(String, f64)>;

impl Story {
    /// What serves now.
    pub(crate) fn production(&self) -> Option<&AliasEntry> {
        self.moves.last()
    }
}

/// Reads the list of models.
pub(crate) async fn overview(host: &Host) -> Result<Overview, Error> {
    let specs = host.specs().all().await?;
    let mut names: BTreeSet<String> = host.registry().models().await?.into_iter().collect();
    names.extend(specs.iter().map(|spec| spec.name.clone()));
    let mut models = Vec::with_capacity(names.len());
    for name in names {
        let spec = specs.iter().find(|spec| spec.name == name).cloned();
        models.push(summary(host.registry(), name, spec).await?);
    }
    Ok(Overview { models, broken: host.specs().broken().await? })
}

async fn summary(registry: &Registry, name: String, spec: Option<Arc<Spec>>) -> Result<Summary, Error> {
    let (production, landings) = tokio::try_join!(registry.production(&name), registry.landings(&name))?;
    let last_batch = match landings.last() {
        Some(landing) => registry.batch(&name, &landing.batch).await?,
        None => None,
    };
    let (served, metrics) = match &production {
        Some(entry) => version(registry, &name, &entry.version).await,
        None => (None, Metrics::new()),
    };
    let task = served.or(spec).map(|spec| spec.task);
    Ok(Summary { name, task, production, metrics, last_batch })
}

/// Reads everything about one model.
///
/// # Errors
/// [`host::Error::UnknownModel`] when neither a spec nor the registry knows it.
pub(crate) async fn story(host: &Host, model: &str) -> Result<Story, Error> {
    let is_known = host.registry().models().await?.iter().any(|known| known == model);
    let (file_spec, spec_error) = match host.spec(model).await {
        Ok(spec) => (Some(spec), None),
        Err(host::Error::UnknownModel { .. }) if is_known => (None, Some("no spec file names this model".to_owned())),
        Err(error @ (host::Error::Spec { .. } | host::Error::TwoSpecs { .. })) => (None, Some(chain(&error))),
        Err(error) => return Err(error.into()),
    };
    let mut story = Story {
        name: model.to_owned(),
        spec: file_spec,
        spec_error,
        moves: Vec::new(),
        metrics: Metrics::new(),
        batches: Vec::new(),
        decisions: Vec::new(),
        events: Vec::new(),
        with_cards: BTreeSet::new(),
    };
    // A file's stem may be no name that the registry could hold, and then it holds nothing of it.
    if is_known {
        let registry = host.registry();
        (story.moves, story.batches, story.decisions, story.events) = tokio::try_join!(
            registry.alias_history(model),
            registry.batches(model),
            registry.decisions(model),
            registry.events(model),
        )?;
        story.with_cards = with_cards(registry, model).await;
        if let Some(entry) = story.moves.last() {
            let (served, metrics) = version(registry, model, &entry.version).await;
            story.spec = served.or(story.spec);
            story.metrics = metrics;
        }
    }
    Ok(story)
}

/// Versions that have both cards as pages. A page without links is better than none, so a failure is only logged.
async fn with_cards(registry: &Registry, model: &str) -> BTreeSet<VersionId> {
    match registry.versions(model).await {
        Ok(manifests) => {
            let has = |manifest: &Manifest| {
                [Part::ModelCardPage, Part::DataCardPage].iter().all(|part| manifest.parts.contains_key(part))
            };
            manifests.into_iter().filter(has).map(|manifest| manifest.version).collect()
        }
        Err(error) => {
            tracing::warn!(model, error = chain(&error), "the versions cannot be listed");
            BTreeSet::new()
        }
    }
}

/// A card of a version as the page that was stored with it.
///
/// # Errors
/// [`registry::Error::VersionNotFound`] and [`registry::Error::PartNotFound`] where there is none.
pub(crate) async fn card(registry: &Registry, model: &str, version: &str, part: Part) -> Result<String, Error> {
    let page = registry.part(model, &version.parse()?, part).await?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// Spec and metrics of a version. A page with a gap is better than none, so a part that cannot be read is only logged.
async fn version(registry: &Registry, model: &str, version: &VersionId) -> (Option<Arc<Spec>>, Metrics) {
    let [spec, metrics] = match registry.parts(model, version, [Part::Spec, Part::Metrics]).await {
        Ok(parts) => parts,
        Err(error) => {
            tracing::warn!(model, version = %version, error = chain(&error), "a version cannot be read");
            return (None, Metrics::new());
        }
    };
    let spec = Spec::parse(&String::from_utf8_lossy(&spec)).map(Arc::new);
    if let Err(error) = &spec {
        tracing::warn!(model, version = %version, error = chain(error), "the spec of a version cannot be read");
    }
    let spec = spec.ok();
    let metrics = serde_json::from_slice(&metrics).unwrap_or(Value::Null);
    let metrics = on_new_rows(&metrics, spec.as_deref());
    (spec, metrics)
}

/// The metrics under `holdout.new`; none where there are none.
fn on_new_rows(metrics: &Value, spec: Option<&Spec>) -> Metrics {
    let Some(Value::Object(metrics)) = metrics.pointer("/holdout/new") else { return Metrics::new() };
    let judged_by = spec.map(|spec| spec.metric().name());
    let mut metrics: Metrics =
        metrics.iter().filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).collect();
    metrics.sort_by_key(|(name, _)| Some(name.as_str()) != judged_by);
    metrics
}
