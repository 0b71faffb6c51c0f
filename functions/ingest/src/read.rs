//! From landed bytes to stored rows.

use std::sync::Arc;

use dataset::Read;
use history::{QUARANTINE_FILE, ROWS_FILE};
use host::Host;
use registry::{BatchManifest, BatchState, BatchStatus, Landing, Registry};
use serde_json::json;
use spec::{Batch, Spec};

use crate::Error;
use crate::routes::Released;
use crate::source::format_of;

/// Reads a landed batch and stores its rows, unless that was done before.
///
/// A batch whose bytes cannot be read, or of which no row is good, is put in quarantine as a whole.
pub(crate) async fn read_landing(
    registry: &Registry,
    spec: &Arc<Spec>,
    landing: &Landing,
) -> Result<BatchManifest, Error> {
    if let Some(manifest) = registry.batch_manifest(&spec.name, &landing.batch).await? {
        return Ok(manifest);
    }
    let manifest = read(registry, spec, landing).await?;
    // The manifest comes last: a batch is there whole or not at all.
    Ok(registry.put_batch(&spec.name, manifest).await?)
}

/// Reads a landed batch, stores its rows, and says what it holds.
async fn read(registry: &Registry, spec: &Arc<Spec>, landing: &Landing) -> Result<BatchManifest, Error> {
    let raw = registry.raw(&spec.name, &landing.sha256).await?;
    let (reader_spec, format) = (spec.clone(), format_of(&landing.media_type));
    let read = tokio::task::spawn_blocking(move || dataset::read(&reader_spec, raw, format))
        .await
        .map_err(|source| Error::Reader { batch: landing.batch.clone(), source })?;
    match read {
        Ok(read) => store(registry, spec, landing, read).await,
        Err(error) => {
            let malformed = !matches!(error, dataset::Error::Schema { .. });
            Ok(manifest(registry, spec, landing, 0, 0, vec![error.to_string()], malformed))
        }
    }
}

async fn store(registry: &Registry, spec: &Arc<Spec>, landing: &Landing, read: Read) -> Result<BatchManifest, Error> {
    let (model, batch) = (&spec.name, &landing.batch);
    let (rows, quarantined) = (read.batch.n_rows() as u64, read.quarantined.len() as u64);
    if quarantined > 0 {
        let lines = dataset::quarantine_ndjson(&read.quarantined);
        registry.put_batch_file(model, batch, QUARANTINE_FILE, lines).await?;
    }
    let mut reasons = Vec::new();
    if rows == 0 {
        let first = read.quarantined.first().and_then(|row| row.reasons.first());
        let example = first.map(|reason| format!(", such as {reason}")).unwrap_or_default();
        reasons.push(match quarantined {
            0 => "it has no rows".to_owned(),
            n => format!("none of its {n} rows is good{example}"),
        });
    } else {
        let bytes = to_parquet(spec, landing, read.batch).await?;
        registry.put_batch_file(model, batch, ROWS_FILE, bytes).await?;
    }
    Ok(manifest(registry, spec, landing, rows, quarantined, reasons, false))
}

async fn to_parquet(spec: &Arc<Spec>, landing: &Landing, batch: Batch) -> Result<bytes::Bytes, Error> {
    let spec = spec.clone();
    tokio::task::spawn_blocking(move || dataset::write_parquet(&spec, &batch))
        .await
        .map_err(|source| Error::Reader { batch: landing.batch.clone(), source })?
        .map_err(|source| Error::Store { batch: landing.batch.clone(), source })
}

fn manifest(
    registry: &Registry,
    spec: &Spec,
    landing: &Landing,
    rows: u64,
    quarantined: u64,
    reasons: Vec<String>,
    malformed: bool,
) -> BatchManifest {
    BatchManifest {
        batch: landing.batch.clone(),
        sequence: landing.sequence,
        batch_number: landing.batch_number,
        sha256: landing.sha256.clone(),
        rows,
        quarantined,
        status: if reasons.is_empty() { BatchStatus::Landed } else { BatchStatus::Quarantined },
        reasons,
        columns: json!({"spec": spec.hash(), "malformed": malformed}),
        stored_at: registry.now(),
    }
}

/// Whether the bytes themselves were damaged, as opposed to rows that do not fit.
pub(crate) fn is_malformed(manifest: &BatchManifest) -> bool {
    manifest.columns["malformed"] == json!(true)
}

/// Releases a batch from quarantine by hand. One whose columns did not fit is read again first, if the spec was mended.
pub(crate) async fn release(host: &Host, batch: &str, reason: &str) -> Result<Released, Error> {
    let registry = host.registry();
    let mut found: Option<(String, BatchState)> = None;
    for model in registry.models().await? {
        let Some(state) = registry.batch(&model, batch).await? else { continue };
        // Models that share a source share its batches; the one in quarantine is meant.
        let is_meant = state.release.is_none() && history::quarantine_reasons(&state).is_some();
        if is_meant || found.is_none() {
            found = Some((model, state));
        }
        if is_meant {
            break;
        }
    }
    let batch = batch.to_owned();
    let Some((model, mut state)) = found else { return Err(Error::UnknownBatch { batch }) };
    if let Some(manifest) = state.manifest.as_ref().filter(|manifest| manifest.status == BatchStatus::Quarantined) {
        let spec = host.spec(&model).await?;
        if manifest.columns["spec"] != json!(spec.hash()) {
            let manifest = read_again(registry, &spec, &state.landing).await?;
            registry.replace_batch(&model, &manifest).await?;
            state.manifest = Some(manifest);
        }
    }
    if state.release.is_none() {
        match (history::quarantine_reasons(&state), &state.manifest) {
            (Some(reasons), Some(manifest)) if manifest.status == BatchStatus::Quarantined => {
                return Err(Error::Unreadable { batch, reasons: reasons.join("; ") });
            }
            (None, Some(manifest)) if manifest.columns["reread"] != json!(true) => {
                return Err(Error::NotQuarantined { batch });
            }
            _ => {}
        }
        let detail = format!("batch {batch} was released from quarantine: {reason}");
        registry.record_event(&model, "release", &detail, json!({"batch": batch})).await?;
    }
    let release = registry.release_batch(&model, &batch, reason).await?;
    Ok(Released { model, batch, reason: release.reason })
}

async fn read_again(registry: &Registry, spec: &Arc<Spec>, landing: &Landing) -> Result<BatchManifest, Error> {
    let mut manifest = read(registry, spec, landing).await?;
    manifest.columns["reread"] = json!(true);
    Ok(manifest)
}
