#![doc = include_str!("../README.md")]

use std::ops::Range;
use std::sync::Arc;

use registry::{BatchState, BatchStatus, Registry};
use spec::{Batch, Spec, Window};

/// Name of the file that holds a batch's good rows.
pub const ROWS_FILE: &str = "rows.parquet";

/// Name of the file that holds a batch's quarantined rows.
pub const QUARANTINE_FILE: &str = "quarantine.ndjson";

/// Why a batch's rows cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The registry failed.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// The stored rows cannot be read with this spec.
    #[error("the rows of batch {batch} of {model} cannot be read with the spec as it is now")]
    Rows {
        /// The model.
        model: String,
        /// The batch.
        batch: String,
        /// What does not fit.
        #[source]
        source: dataset::Error,
    },
    /// No batch has this id.
    #[error("the model {model} has no batch {batch}")]
    UnknownBatch {
        /// The model.
        model: String,
        /// The batch that was asked for.
        batch: String,
    },
    /// The batch has no good rows to work on.
    #[error("the batch {batch} of {model} is in quarantine: {reasons}")]
    Quarantined {
        /// The model.
        model: String,
        /// The batch.
        batch: String,
        /// Why.
        reasons: String,
    },
    /// Nobody has decided about the batch.
    #[error("the batch {batch} of {model} was not checked; call /check-drift first")]
    Unchecked {
        /// The model.
        model: String,
        /// The batch.
        batch: String,
    },
    /// The reader stopped before its end.
    #[error("failed to read the rows of batch {batch}")]
    Reader {
        /// The batch.
        batch: String,
        /// The task's own error.
        #[source]
        source: tokio::task::JoinError,
    },
}

impl fault::Fault for Error {
    fn kind(&self) -> fault::Kind {
        match self {
            Error::Registry(error) => error.kind(),
            Error::UnknownBatch { .. } => fault::Kind::NotFound,
            Error::Rows { .. } | Error::Quarantined { .. } | Error::Unchecked { .. } => fault::Kind::Conflict,
            Error::Reader { .. } => fault::Kind::Internal,
        }
    }
}

/// The rows of one batch, with which of them are hold-out.
#[derive(Clone, Debug)]
pub struct Rows {
    /// All good rows.
    pub batch: Batch,
    /// Per row, whether it is hold-out.
    pub holdout: Vec<bool>,
}

impl Rows {
    /// The rows that versions may be trained on.
    pub fn train(&self) -> Batch {
        self.side(false)
    }

    /// The rows that versions are judged on.
    pub fn holdout(&self) -> Batch {
        self.side(true)
    }

    fn side(&self, holdout: bool) -> Batch {
        let rows: Vec<usize> = (0..self.batch.n_rows()).filter(|row| self.holdout[*row] == holdout).collect();
        self.batch.select(&rows)
    }
}

/// Finds a batch by its id.
///
/// # Errors
/// [`Error::UnknownBatch`], [`Error::Registry`].
pub async fn find(registry: &Registry, model: &str, batch: &str) -> Result<BatchState, Error> {
    let states = registry.batches(model).await?;
    states
        .into_iter()
        .find(|state| state.landing.batch == batch)
        .ok_or_else(|| Error::UnknownBatch { model: model.to_owned(), batch: batch.to_owned() })
}

/// The rows of one batch.
///
/// # Errors
/// [`Error::Rows`] when the spec's columns are no longer those of the stored rows, [`Error::Registry`].
pub async fn rows(registry: &Registry, spec: &Arc<Spec>, batch: &str) -> Result<Rows, Error> {
    rows_in(registry, spec, batch, 0..usize::MAX).await
}

/// The rows of one batch with these numbers, from 0, as far as it has them. Others are not held in memory.
///
/// Where the spec splits by time, which rows are hold-out follows from all rows of a batch, and these are split as if they
/// were all.
///
/// # Errors
/// As [`rows`].
pub async fn rows_in(registry: &Registry, spec: &Arc<Spec>, batch: &str, rows: Range<usize>) -> Result<Rows, Error> {
    let bytes = registry.get_batch_file(&spec.name, batch, ROWS_FILE).await?;
    let (reader_spec, name) = (spec.clone(), batch.to_owned());
    let read = tokio::task::spawn_blocking(move || {
        let batch = dataset::read_parquet_rows(&reader_spec, bytes, rows)?;
        let holdout = reader_spec.splitter().holdout(&batch);
        Ok(Rows { batch, holdout })
    });
    read.await.map_err(|source| Error::Reader { batch: name, source })?.map_err(|source| Error::Rows {
        model: spec.name.clone(),
        batch: batch.to_owned(),
        source,
    })
}

/// Why a batch is in quarantine; none for one that may be learnt from.
///
/// A batch whose bytes could not be read stays in quarantine; one that a check put there may be released by hand.
pub fn quarantine_reasons(state: &BatchState) -> Option<Vec<String>> {
    match (&state.manifest, &state.check) {
        (None, _) => Some(vec!["it was not read yet; call /ingest again".to_owned()]),
        (Some(manifest), _) if manifest.status == BatchStatus::Quarantined => Some(manifest.reasons.clone()),
        (_, Some(check)) if check.decision == "quarantine" && state.release.is_none() => Some(check.reasons.clone()),
        _ => None,
    }
}

/// The ids of the batches that a challenger for `newest` learns from, oldest first, `newest` last.
///
/// # Errors
/// [`Error::UnknownBatch`]; [`Error::Quarantined`] when `newest` itself is; [`Error::Unchecked`] before its check.
pub async fn window(registry: &Registry, spec: &Spec, newest: &str) -> Result<Vec<String>, Error> {
    let states = registry.batches(&spec.name).await?;
    let position = states
        .iter()
        .position(|state| state.landing.batch == newest)
        .ok_or_else(|| Error::UnknownBatch { model: spec.name.clone(), batch: newest.to_owned() })?;
    if let Some(reasons) = quarantine_reasons(&states[position]) {
        return Err(Error::Quarantined {
            model: spec.name.clone(),
            batch: newest.to_owned(),
            reasons: reasons.join("; "),
        });
    }
    if !states[position].accepted() {
        return Err(Error::Unchecked { model: spec.name.clone(), batch: newest.to_owned() });
    }
    let earlier = states[..position].iter().filter(|state| state.accepted() && spec.train.window != Window::Batch);
    Ok(earlier.map(|state| state.landing.batch.clone()).chain([newest.to_owned()]).collect())
}
