//! From a batch's id to a decision on record.

use std::sync::Arc;

use drift::{Decision, Profile, report as pages};
use host::Host;
use registry::{AliasEntry, BatchManifest, BatchState, BatchStatus, Check, Part, Registry, Segment, VersionId};
use serde_json::Value;
use service::Progress;
use spec::Spec;

use crate::comparison::{Against, Checked, Circumstances, Evidence, Judged, judge, median, settings};
use crate::live::{self, Live, OfBatch};
use crate::logged::Logged;
use crate::spec_change::spec_changes;
use crate::standing::{Arrived, Standing};
use crate::{CheckRequest, Error, parts};

/// Name of the report in the batch's folder.
pub const REPORT_FILE: &str = "drift.html";

/// Checks a batch, or finds the check that was made under the same key. The answer is the body on record.
///
/// Without an idempotency key the check is keyed by what it rests on, so that asking again changes nothing, and asking
/// after production, the spec or a release has changed decides anew.
pub(crate) async fn check(
    host: &Host,
    request: &CheckRequest,
    key: Option<&str>,
    progress: &Progress,
) -> Result<Value, Error> {
    let spec = host.spec(&request.model).await?;
    let registry = host.registry();
    let states = registry.batches(&spec.name).await?;
    let (position, state, manifest) = find(&states, &request.model, &request.batch)?;
    let production = registry.production(&spec.name).await?;
    let before = states[..position].iter().filter(|state| state.accepted());
    let arrived = before
        .clone()
        .chain([state])
        .filter_map(|state| Some(Arrived { batch: state.landing.batch.clone(), rows: state.manifest.as_ref()?.rows }));
    let arrived = arrived.collect();
    let circumstances = Circumstances {
        rows: manifest.rows,
        median_accepted_rows: median(before.filter_map(|state| Some(state.manifest.as_ref()?.rows)).collect()),
        released: state.release.as_ref().map(|release| release.reason.clone()),
    };
    let key = match key {
        Some(key) => key.to_owned(),
        None => {
            let feedback = registry.feedback_segments(&spec.name).await?;
            content_key(&spec, request, production.as_ref(), &circumstances, &feedback)
        }
    };
    let checks = registry.checks(&spec.name, &request.batch).await?;
    if let Some(made) = checks.into_iter().find(|check| check.key == key) {
        return Ok(made.report);
    }
    let parts = &request.parts;
    let case = Case { registry, spec: &spec, manifest, parts, production, circumstances, arrived };
    let (checked, page) = case.compare(progress).await?;
    // The page comes first: a check on record always has its report.
    registry.put_batch_file(&spec.name, &request.batch, REPORT_FILE, page).await?;
    let made = case.record(&checked, key.clone()).await?;
    count(&checked);
    tracing::info!(model = spec.name, batch = request.batch, decision = made.decision, "checked");
    Ok(made.report)
}

/// The latest report about a batch.
pub(crate) async fn report(host: &Host, model: &str, batch: &str) -> Result<Vec<u8>, Error> {
    let page = host.registry().find_batch_file(model, batch, REPORT_FILE).await?;
    page.map(Vec::from).ok_or_else(|| Error::NoReport { model: model.to_owned(), batch: batch.to_owned() })
}

/// A batch that was read, among those of its model.
pub(crate) fn find<'a>(
    states: &'a [BatchState],
    model: &str,
    batch: &str,
) -> Result<(usize, &'a BatchState, &'a BatchManifest), Error> {
    let (model, batch) = (model.to_owned(), batch.to_owned());
    let Some(position) = states.iter().position(|state| state.landing.batch == batch) else {
        return Err(history::Error::UnknownBatch { model, batch }.into());
    };
    match &states[position].manifest {
        Some(manifest) => Ok((position, &states[position], manifest)),
        None => Err(Error::NotRead { model, batch }),
    }
}

/// The spec that a version was trained with.
pub(crate) async fn version_spec(registry: &Registry, spec: &Spec, version: &VersionId) -> Result<Spec, Error> {
    parse_spec(version, &registry.part(&spec.name, version, Part::Spec).await?)
}

fn parse_spec(version: &VersionId, text: &[u8]) -> Result<Spec, Error> {
    Spec::parse(&String::from_utf8_lossy(text)).map_err(|source| Error::Spec { version: version.clone(), source })
}

fn content_key(
    spec: &Spec,
    request: &CheckRequest,
    production: Option<&AliasEntry>,
    circumstances: &Circumstances,
    feedback: &[Segment],
) -> String {
    let feedback: Vec<&str> = feedback.iter().map(|segment| segment.name.as_str()).collect();
    let batch = &request.batch;
    let mut about = format!(
        "{batch}\n{}\n{}\n{:?}\n{:?}\n{}",
        production.map_or("none", |entry| entry.version.as_str()),
        spec.hash(),
        circumstances.median_accepted_rows,
        circumstances.released,
        feedback.join("\n"),
    );
    for part in &request.parts {
        about += &format!("\n{part}");
    }
    format!("check-{}", registry::sha256(about.as_bytes()))
}

/// A batch, and what it is to be compared with.
struct Case<'a> {
    registry: &'a Registry,
    spec: &'a Arc<Spec>,
    manifest: &'a BatchManifest,
    /// The ids of its parts; none where the batch itself is read.
    parts: &'a [String],
    production: Option<AliasEntry>,
    circumstances: Circumstances,
    /// The accepted batches before this one, and this one.
    arrived: Vec<Arrived>,
}

impl Case<'_> {
    /// The answer and its page.
    async fn compare(&self, progress: &Progress) -> Result<(Checked, String), Error> {
        if self.manifest.status == BatchStatus::Quarantined {
            let judged = Judged::new(Decision::Quarantine, self.manifest.reasons.clone());
            let page = judged.page(&self.meta(None));
            return Ok((self.checked(judged, Live::default(), None), page));
        }
        let against = self.against().await?;
        let (evidence, live) = self.evidence(&against, progress).await?;
        let logged = match &self.production {
            Some(production) => Logged::read(self.registry, self.spec, &production.version).await?,
            None => None,
        };
        progress.send(format!("comparing {} rows with the reference", self.circumstances.rows), Some(0.4));
        let reference_rows = match &against {
            Against::Reference(profile) => Some(profile.n_rows),
            _ => None,
        };
        let (spec, meta) = (self.spec.clone(), self.meta(reference_rows));
        let circumstances = self.circumstances.clone();
        let judging = move || {
            let judged = judge(&spec, evidence, &against, &circumstances, &live)?;
            let page = judged.page(&meta);
            Ok((judged, live, page))
        };
        let judged: Result<_, drift::Error> = tokio::task::spawn_blocking(judging).await?;
        let (judged, live, page) =
            judged.map_err(|source| Error::Comparison { batch: self.manifest.batch.clone(), source })?;
        Ok((self.checked(judged, live, logged), page))
    }

    /// The batch, read whole or put together from its parts, and how the production version does on it.
    async fn evidence(&self, against: &Against, progress: &Progress) -> Result<(Evidence, Live), Error> {
        let (registry, batch) = (self.registry, self.manifest.batch.as_str());
        let version = self.production.as_ref().map(|entry| &entry.version);
        let evidence = if self.parts.is_empty() {
            progress.send(format!("reading batch {batch}"), Some(0.1));
            Evidence::Rows(Arc::new(history::rows(registry, self.spec, batch).await?))
        } else {
            progress.send(format!("reading {} parts of batch {batch}", self.parts.len()), Some(0.1));
            Evidence::Parts(Box::new(parts::merge(registry, self.spec, self.manifest, version, self.parts).await?))
        };
        let (Against::Reference(_), Some(production)) = (against, &self.production) else {
            return Ok((evidence, Live::default()));
        };
        progress.send("measuring the production version on labelled rows", Some(0.2));
        let standing = Standing::open(registry, production, &self.spec.name).await?;
        let of_batch = match &evidence {
            Evidence::Rows(rows) => {
                OfBatch::Rows(standing.rows(registry, self.spec, batch, 0..usize::MAX, rows).await?)
            }
            Evidence::Parts(merged) => OfBatch::Sums(merged.losses),
        };
        let settings = settings(self.spec);
        let live = live::judge(registry, production, standing, of_batch, &self.arrived, &settings).await?;
        Ok((evidence, live))
    }

    /// The reference of the production version, or why there is none.
    async fn against(&self) -> Result<Against, Error> {
        let Some(AliasEntry { version, .. }) = &self.production else { return Ok(Against::Nothing) };
        let [spec, reference] = self.registry.parts(&self.spec.name, version, [Part::Spec, Part::Reference]).await?;
        let then = parse_spec(version, &spec)?;
        let changes = spec_changes(&then, self.spec);
        if !changes.is_empty() {
            return Ok(Against::OtherSpec(changes));
        }
        let profile =
            Profile::read(&reference).map_err(|source| Error::Reference { version: version.clone(), source })?;
        Ok(Against::Reference(Box::new(profile)))
    }

    fn checked(&self, judged: Judged, live: Live, logged: Option<Logged>) -> Checked {
        let Judged { decision, reasons, warnings, columns } = judged;
        let (model, batch) = (self.spec.name.clone(), self.manifest.batch.clone());
        let report_url = format!("/check-drift/{model}/{batch}/report");
        let production = self.production.as_ref().map(|entry| entry.version.to_string());
        Checked {
            model,
            batch,
            decision,
            production,
            reasons,
            warnings,
            columns,
            live: live.decays,
            outlook: live.outlook,
            logged,
            report_url,
        }
    }

    fn meta(&self, reference_rows: Option<u64>) -> pages::Meta {
        pages::Meta {
            subject: pages::Subject::Batch {
                model: self.spec.name.clone(),
                batch: self.manifest.batch.clone(),
                version: self.production.as_ref().map(|entry| entry.version.to_string()),
            },
            rows: self.circumstances.rows,
            reference_rows,
            checked_at: Some(self.registry.now().format("%Y-%m-%d %H:%M UTC").to_string()),
        }
    }

    async fn record(&self, checked: &Checked, key: String) -> Result<Check, Error> {
        let check = Check {
            batch: checked.batch.clone(),
            decision: name(checked.decision).to_owned(),
            reasons: checked.reasons.clone(),
            production: self.production.as_ref().map(|entry| entry.version.clone()),
            report: serde_json::to_value(checked).map_err(Error::Report)?,
            at: self.registry.now(),
            key,
        };
        Ok(self.registry.record_check(&self.spec.name, check).await?)
    }
}

/// The word for a decision.
fn name(decision: Decision) -> &'static str {
    match decision {
        Decision::Bootstrap => "bootstrap",
        Decision::Train => "train",
        Decision::Skip => "skip",
        Decision::Quarantine => "quarantine",
    }
}

/// Counts a decision and shows how far each column has moved. The labels are those of specs, so there are few.
fn count(checked: &Checked) {
    let labels = [("model", checked.model.clone()), ("decision", name(checked.decision).to_owned())];
    metrics::counter!("drift_decisions_total", &labels).increment(1);
    for report in &checked.columns {
        let labels = [("model", checked.model.clone()), ("column", report.column.clone())];
        metrics::gauge!("drift_effect", &labels).set(report.effect);
        metrics::gauge!("drift_threshold", &labels).set(report.threshold);
    }
}
