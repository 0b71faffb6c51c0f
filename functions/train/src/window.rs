//! What a job learns from: the rows of its window, and the version that stands.

use std::sync::Arc;

use features::Encoder;
use model::Weights;
use registry::{Part, Registry};
use serde::{Deserialize, Serialize};
use spec::{Batch, Spec};

use crate::Error;
use crate::evidence::BatchRows;
use crate::job::Task;

/// Share of each batch's train rows that a trial of remedies is judged on.
const VALIDATION_SHARE: f64 = 0.25;

/// The rows of a window.
pub(crate) struct Window {
    /// Oldest first; the newest is never missing.
    pub(crate) batches: Vec<BatchParts>,
}

/// The rows of one batch by what they are for.
pub(crate) struct BatchParts {
    pub(crate) id: String,
    pub(crate) train: Batch,
    pub(crate) holdout: Batch,
}

/// What the network of a version was fitted on; part of its lineage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fit {
    /// Batches, oldest first.
    pub(crate) batches: Vec<String>,
    /// How many of the newest count as much as all others together; none where all rows count alike.
    pub(crate) weighted: Option<usize>,
    /// The batch that the readout was fitted on anew afterwards, if it was.
    pub(crate) recalibrated: Option<String>,
}

/// What a lineage says of the rows behind a version.
#[derive(Deserialize)]
struct Lineage {
    batches: Vec<String>,
    /// None of versions from before there was a choice.
    fit: Option<Fit>,
}

/// The version that stands in production.
pub(crate) struct Standing {
    /// None where the spec has changed so that it no longer answers for it.
    pub(crate) network: Option<(Encoder, Weights)>,
    pub(crate) fit: Fit,
}

/// Which of a batch's train rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Share {
    /// All of them.
    Whole,
    /// Those that candidates of a trial learn from.
    Fitted,
    /// Those that candidates are judged on.
    Validation,
}

impl Window {
    pub(crate) async fn load(registry: &Registry, spec: &Arc<Spec>, task: &Task) -> Result<Self, Error> {
        let mut batches = Vec::new();
        for batch in &task.window {
            let rows = history::rows(registry, spec, batch).await?;
            batches.push(BatchParts { id: batch.clone(), train: rows.train(), holdout: rows.holdout() });
        }
        if batches.iter().all(|batch| batch.train.n_rows() == 0) {
            return Err(Error::NoRows { batch: task.batch.clone() });
        }
        Ok(Self { batches })
    }

    /// The newest batch.
    pub(crate) fn newest(&self) -> &BatchParts {
        self.batches.last().expect("a window ends with the batch that it is for")
    }

    /// The batches before the newest.
    pub(crate) fn earlier(&self) -> &[BatchParts] {
        &self.batches[..self.batches.len() - 1]
    }

    /// Hold-out rows of the batches before the newest; none where there are none.
    pub(crate) fn history_holdout(&self) -> Option<Batch> {
        Batch::concat(self.earlier().iter().map(|batch| batch.holdout.clone()).collect())
    }

    /// How many rows each batch gave.
    pub(crate) fn counts(&self) -> Vec<BatchRows> {
        let count = |batch: &BatchParts| BatchRows {
            batch: batch.id.clone(),
            train: batch.train.n_rows(),
            holdout: batch.holdout.n_rows(),
        };
        self.batches.iter().map(count).collect()
    }

    /// A fit of this window on its `newest` batches, all of them by default.
    pub(crate) fn fit(&self, newest: Option<usize>, weighted: Option<usize>) -> Fit {
        let first = self.batches.len() - newest.unwrap_or(self.batches.len()).min(self.batches.len());
        let batches = self.batches[first..].iter().map(|batch| batch.id.clone()).collect();
        Fit { batches, weighted, recalibrated: None }
    }

    /// The rows of a fit, of those of its batches that the window has. None where there is no row.
    ///
    /// Weighted, the newest batches' rows have as much weight together as all the others.
    pub(crate) fn lesson(&self, spec: &Spec, fit: &Fit, share: Share) -> Option<Batch> {
        let of_fit = self.batches.iter().filter(|batch| fit.batches.contains(&batch.id));
        let parts: Vec<Batch> = of_fit.map(|batch| batch.part(spec, share)).collect();
        let n_newest = fit.weighted.map(|newest| {
            let start = parts.len() - newest.min(parts.len());
            parts[start..].iter().map(Batch::n_rows).sum::<usize>()
        });
        let rows = Batch::concat(parts).filter(|rows| rows.n_rows() > 0)?;
        let n_rows = rows.n_rows();
        let Some(n_newest) = n_newest.filter(|newest| *newest > 0 && *newest < n_rows) else { return Some(rows) };
        let mut weights = rows.weight().map_or_else(|| vec![1.0; n_rows], <[f64]>::to_vec);
        let (others, newest) = weights.split_at_mut(n_rows - n_newest);
        for part in [others, newest] {
            let sum: f64 = part.iter().sum();
            if sum > 0.0 {
                part.iter_mut().for_each(|weight| *weight /= sum);
            }
        }
        Some(rows.with_weight(Some(weights)))
    }
}

impl BatchParts {
    /// Some of the train rows, drawn as the hold-out is: by a hash of the same columns, or the last in order of time.
    pub(crate) fn part(&self, spec: &Spec, share: Share) -> Batch {
        if share == Share::Whole {
            return self.train.clone();
        }
        let validation = spec.splitter().again(VALIDATION_SHARE).holdout(&self.train);
        let rows = (0..self.train.n_rows()).filter(|row| validation[*row] == (share == Share::Validation));
        self.train.select(&rows.collect::<Vec<_>>())
    }
}

impl Standing {
    /// Opens the version that was in production when a job was asked for.
    pub(crate) async fn open(registry: &Registry, spec: &Arc<Spec>, task: &Task) -> Result<Option<Self>, Error> {
        let Some(version) = &task.production else { return Ok(None) };
        let wanted = [Part::Encoder, Part::Weights, Part::Lineage];
        let [encoder, weights, lineage] = registry.parts(&spec.name, version, wanted).await?;
        let lineage: Lineage = serde_json::from_slice(&lineage)
            .map_err(|source| Error::Lineage { version: version.to_string(), source })?;
        let fit = lineage.fit.unwrap_or(Fit { batches: lineage.batches, weighted: None, recalibrated: None });
        // Parts that no longer fit the spec are no damage: somebody has changed what a record is.
        let network = Encoder::from_bytes(&encoder).ok().zip(Weights::from_bytes(&weights).ok());
        let network = network
            .filter(|(encoder, weights)| model::Predictor::new(Arc::clone(spec), encoder.clone(), weights).is_ok());
        Ok(Some(Self { network, fit }))
    }
}

#[cfg(test)]
mod tests {
    use spec::{BatchBuilder, Kind, Value};

    use super::*;

    fn spec(split: &str) -> Spec {
        let text = format!(
            "name: m\ntask: regression\ntarget: {{column: y}}\ntime: at\ncolumns: {{x: {{kind: number}}}}\nsplit: {split}\n"
        );
        Spec::parse(&text).unwrap()
    }

    fn batch(number: usize, n_rows: usize) -> BatchParts {
        let rows = |from: usize, n_rows: usize| {
            let mut builder = BatchBuilder::new([Kind::Number], Some(Kind::Number), true);
            for row in from..from + n_rows {
                let at = (1_000 * number + row) as f64;
                builder.push(&[Value::Number(at / 7.0)], &Value::Number(at), at);
            }
            builder.finish()
        };
        BatchParts { id: format!("batch {number}"), train: rows(0, n_rows), holdout: rows(n_rows, 10) }
    }

    fn times(rows: &Batch) -> Vec<f64> {
        rows.time().unwrap().to_vec()
    }

    #[test]
    fn the_newest_batches_weigh_as_much_as_all_before() {
        let window = Window { batches: vec![batch(0, 300), batch(1, 100), batch(2, 50)] };
        let spec = spec("{by: time}");
        for (weighted, newest_rows) in [(1, 50), (2, 150)] {
            let rows = window.lesson(&spec, &window.fit(None, Some(weighted)), Share::Whole).unwrap();
            let weights = rows.weight().unwrap();
            assert_eq!((rows.n_rows(), weights.len()), (450, 450));
            let (old, new) = weights.split_at(450 - newest_rows);
            let sums = [old, new].map(|part| part.iter().sum::<f64>());
            assert!((sums[0] - sums[1]).abs() < 1e-9 * sums[0], "{sums:?}");
        }
        let recent = window.lesson(&spec, &window.fit(Some(2), None), Share::Whole).unwrap();
        assert_eq!((recent.n_rows(), recent.weight()), (150, None));
        // All batches weighed against none is no weighing.
        assert_eq!(window.lesson(&spec, &window.fit(Some(1), Some(1)), Share::Whole).unwrap().weight(), None);
        let elsewhere = Fit { batches: vec!["gone".to_owned()], weighted: None, recalibrated: None };
        assert!(window.lesson(&spec, &elsewhere, Share::Whole).is_none());
    }

    #[test]
    fn validation_rows_are_in_no_lesson() {
        for (split, exact) in [("{by: time}", true), ("{by: hash}", false)] {
            let (spec, batch) = (spec(split), batch(3, 400));
            let [fitted, validation] = [Share::Fitted, Share::Validation].map(|share| times(&batch.part(&spec, share)));
            let mut all = [fitted.clone(), validation.clone()].concat();
            all.sort_unstable_by(f64::total_cmp);
            assert_eq!(all, times(&batch.train), "{split}");
            assert!((60..140).contains(&validation.len()), "a quarter of 400: {}", validation.len());
            if exact {
                assert_eq!((validation.len(), validation[0]), (100, 3_300.0), "the last in order of time");
            }
        }
    }
}
