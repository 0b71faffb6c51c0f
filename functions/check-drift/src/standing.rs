//! The production version, and which rows it has learnt from.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use history::Rows;
use registry::{AliasEntry, Part, Registry};
use serde::Deserialize;
use serving::Served;
use spec::{Batch, Spec, SplitBy};

use crate::Error;

/// The production version with what it has learnt from.
pub(crate) struct Standing {
    pub(crate) served: Served,
    pub(crate) lineage: Lineage,
}

impl Standing {
    /// Opens the production version.
    ///
    /// # Errors
    /// A version that cannot be read.
    pub(crate) async fn open(registry: &Registry, production: &AliasEntry, model: &str) -> Result<Self, Error> {
        let served = serving::open(registry, model, &production.version).await?;
        let lineage = registry.part(model, &production.version, Part::Lineage).await?;
        let lineage = serde_json::from_slice(&lineage)
            .map_err(|source| Error::Lineage { version: production.version.clone(), source })?;
        Ok(Self { served, lineage })
    }

    /// Rows of a batch as the version reads them: by its own spec, whose split says which of them it has not learnt from.
    /// `rows` are the same ones as `spec` reads them.
    ///
    /// # Errors
    /// A batch that cannot be read.
    pub(crate) async fn rows(
        &self,
        registry: &Registry,
        spec: &Spec,
        batch: &str,
        range: Range<usize>,
        rows: &Arc<Rows>,
    ) -> Result<Unlearnt, Error> {
        let rows = if self.served.spec().hash() == spec.hash() {
            rows.clone()
        } else {
            Arc::new(history::rows_in(registry, self.served.spec(), batch, range).await?)
        };
        Ok(Unlearnt { rows, learnt: self.has_learnt(batch) })
    }

    /// Whether a part of a batch does not tell which of its rows the version has not learnt from.
    pub(crate) fn splits_by_whole(&self, batch: &str) -> bool {
        self.has_learnt(batch) && self.served.spec().split.by == SplitBy::Time
    }

    fn has_learnt(&self, batch: &str) -> bool {
        self.lineage.batches.iter().any(|learnt| learnt == batch)
    }
}

/// Rows that a version may have learnt from.
pub(crate) struct Unlearnt {
    rows: Arc<Rows>,
    learnt: bool,
}

impl Unlearnt {
    /// Those that it has not learnt from.
    pub(crate) fn batch(&self) -> Cow<'_, Batch> {
        if self.learnt { Cow::Owned(self.rows.holdout()) } else { Cow::Borrowed(&self.rows.batch) }
    }
}

/// What a version's lineage says that matters here.
#[derive(Deserialize)]
pub(crate) struct Lineage {
    /// The newest batch that it was made for.
    pub(crate) batch: String,
    /// All batches of its window.
    batches: Vec<String>,
    /// None of a version from before there was a choice of remedies.
    fit: Option<Fit>,
}

/// What its network and its readout were fitted on.
#[derive(Deserialize)]
struct Fit {
    batches: Vec<String>,
    weighted: Option<usize>,
    recalibrated: Option<String>,
}

/// An accepted batch, or the one that is checked.
pub(crate) struct Arrived {
    pub(crate) batch: String,
    pub(crate) rows: u64,
}

impl Lineage {
    /// The batches that a version was made for when it was made for a change: those that counted more than the others.
    fn change(&self) -> &[String] {
        let Some(Fit { batches, weighted, recalibrated }) = &self.fit else { return &[] };
        match (weighted, recalibrated) {
            (_, Some(batch)) => std::slice::from_ref(batch),
            (Some(newest), None) => &batches[batches.len() - (*newest).min(batches.len())..],
            (None, None) if batches.len() < self.batches.len() => batches,
            (None, None) => &[],
        }
    }

    /// A version that was made for a change knows it from few rows. Once as many have come since, it is time to learn the change
    /// better, and again at twice as many, at four times as many, and so on: so few trials are in vain.
    pub(crate) fn outgrown(&self, arrived: &[Arrived]) -> Option<String> {
        let change = self.change();
        let learnt: u64 = arrived.iter().filter(|batch| change.contains(&batch.batch)).map(|batch| batch.rows).sum();
        let made_for = arrived.iter().position(|batch| batch.batch == self.batch)?;
        let since: Vec<u64> = arrived[made_for + 1..].iter().map(|batch| batch.rows).collect();
        let (newest, before) = since.split_last()?;
        let times = |rows: u64| rows.checked_div(learnt).and_then(u64::checked_ilog2);
        let (then, now) = (before.iter().sum::<u64>(), before.iter().sum::<u64>() + newest);
        (times(now) > times(then)).then(|| {
            format!(
                "the production version was made for a change that {learnt} rows showed, and {now} rows have come since"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lineage(fit: &str) -> Lineage {
        serde_json::from_str(&format!(r#"{{"batch": "b", "batches": ["a", "b"], "fit": {fit}}}"#)).unwrap()
    }

    #[test]
    fn a_version_made_for_a_change_is_outgrown_by_doubling() {
        let arrived = |rows: &[u64]| -> Vec<Arrived> {
            let names = ["a", "b", "c", "d", "e", "f"].into_iter();
            names.zip(rows).map(|(batch, rows)| Arrived { batch: batch.to_owned(), rows: *rows }).collect()
        };
        let weighted = lineage(r#"{"batches": ["a", "b"], "weighted": 1, "recalibrated": null}"#);
        let recent = lineage(r#"{"batches": ["b"], "weighted": null, "recalibrated": null}"#);
        let recalibrated = lineage(r#"{"batches": ["a"], "weighted": null, "recalibrated": "b"}"#);
        for version in [&weighted, &recent, &recalibrated] {
            let outgrown = |rows: &[u64]| version.outgrown(&arrived(rows)).is_some();
            assert!(!outgrown(&[5_000, 1_000]) && !outgrown(&[5_000, 1_000, 900]));
            assert!(outgrown(&[5_000, 1_000, 1_500]) && outgrown(&[5_000, 1_000, 900, 100]));
            assert!(!outgrown(&[5_000, 1_000, 1_500, 300]) && outgrown(&[5_000, 1_000, 1_500, 300, 300]));
        }
        let all = lineage(r#"{"batches": ["a", "b"], "weighted": null, "recalibrated": null}"#);
        assert_eq!(all.outgrown(&arrived(&[10, 10, 1_000_000])), None);
        assert_eq!(lineage("null").outgrown(&arrived(&[10, 10, 1_000_000])), None);
    }
}
