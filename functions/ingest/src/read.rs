//! From landed bytes to stored rows.

use std::sync::Arc;

use dataset::Read;
use history::{QUARANTINE_FILE, ROWS_FILE};
use registry::{BatchManifest, BatchStatus, Landing, Registry};
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
    let model = &spec.name;
    if let Some(manifest) = registry.batch_manifest(model, &landing.batch).await? {
        return Ok(manifest);
    }
    let raw = registry.raw(model, &landing.sha256).await?;
    let (reader_spec, format) = (spec.clone(), format_of(&landing.media_type));
    let read = tokio::task::spawn_blocking(move || dataset::read(&reader_spec, &raw, format))
        .await
        .map_err(|source| Error::Reader { batch: landing.batch.clone(), source })?;
    match read {
        Ok(read) => store(registry, spec, landing, read).await,
        Err(error) => {
            let malformed = !matches!(error, dataset::Error::Schema { .. });
            let manifest = manifest(registry, spec, landing, 0, 0, vec![error.to_string()], malformed);
            Ok(registry.put_batch(model, manifest).await?)
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
        reasons.push(format!("none of its {quarantined} rows is good{example}"));
    } else {
        let bytes = to_parquet(spec, landing, read.batch).await?;
        registry.put_batch_file(model, batch, ROWS_FILE, bytes).await?;
    }
    // The manifest comes last: a batch is there whole or not at all.
    Ok(registry.put_batch(model, manifest(registry, spec, landing, rows, quarantined, reasons, false)).await?)
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

/// Releases a batch that a check put in quarantine.
pub(crate) async fn release(registry: &Registry, batch: &str, reason: &str) -> Result<Released, Error> {
    for model in registry.models().await? {
        let Some(state) = registry.batch(&model, batch).await? else { continue };
        let batch = batch.to_owned();
        match (history::quarantine_reasons(&state), &state.manifest, &state.release) {
            (_, _, Some(_)) => {}
            (None, ..) => return Err(Error::NotQuarantined { batch }),
            (Some(reasons), Some(manifest), _) if manifest.status == BatchStatus::Landed => {
                tracing::info!(model, batch, reasons = reasons.join("; "), "released from quarantine");
            }
            (Some(reasons), ..) => return Err(Error::Unreadable { batch, reasons: reasons.join("; ") }),
        }
        let release = registry.release_batch(&model, &batch, reason).await?;
        if state.release.is_none() {
            let detail = format!("batch {batch} was released from quarantine: {reason}");
            registry.record_event(&model, "release", &detail, json!({"batch": batch})).await?;
        }
        return Ok(Released { model, batch, reason: release.reason });
    }
    Err(Error::UnknownBatch { batch: batch.to_owned() })
}
