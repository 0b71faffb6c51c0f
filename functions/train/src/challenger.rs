//! From a window of batches to a published version.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use drift::Profile;
use features::Encoder;
use indexmap::IndexMap;
use model::{Predictor, Weights, background_rows, evaluate as score};
use registry::{Part, Registry, VersionId};
use serde::Serialize;
use serde_json::{Value, json};
use spec::{Batch, ColumnData, Metric, Spec};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::Error;
use crate::evidence::{BatchRows, Coverage, Curve, Evidence, Facts, Inputs, coverage, data_card, model_card};
use crate::fit::{self, Bag, FittedKind, FittedMember, Keeper, Progress, Rows, fit_bag};
use crate::job::Task;

/// Share of a job that reading and encoding takes, before the first epoch.
const PREPARED: f64 = 0.1;

/// Share of a job at which the fit has ended.
const FITTED: f64 = 0.95;

/// What is told about a job: the share that is done, and what is being done.
type Steps = watch::Sender<(f64, String)>;

/// Fits the job's challenger and publishes it. Finished members are taken from the job's checkpoints.
///
/// The result is what `GET /train/{job}/result` answers: the version and its metrics.
pub(crate) async fn make_challenger(
    registry: &Registry,
    job: &str,
    task: &Task,
    interrupted: impl Fn() -> bool + Send + Sync + 'static,
    steps: Steps,
) -> Result<Value, Error> {
    let spec =
        Arc::new(Spec::parse(&task.spec).map_err(|source| host::Error::Spec { file: "job".to_owned(), source })?);
    let rows = Window::load(registry, &spec, task).await?;
    let fitter = Fitter {
        registry: registry.clone(),
        runtime: Handle::current(),
        job: job.to_owned(),
        spec: Arc::clone(&spec),
        interrupted: Box::new(interrupted),
        steps,
        began: Instant::now(),
        shares: Mutex::new(vec![0.0; spec.train.kinds.len() * spec.train.members]),
    };
    let fitted = tokio::task::spawn_blocking(move || fitter.challenger(&rows))
        .await
        .map_err(|source| Error::Broken { job: job.to_owned(), source })??;
    let lineage = json!({
        "batch": task.batch,
        "batches": task.window,
        "spec_hash": task.spec_hash,
        "seed": spec.train.seed,
        "champion": task.production,
        "job": job,
    });
    let version: VersionId =
        registry.publish(&task.model, fitted.parts, Bytes::from(lineage.to_string().into_bytes())).await?;
    Ok(json!({"version": version, "metrics": fitted.metrics, "production": task.production}))
}

/// The rows of a window by what they are for.
struct Window {
    /// Rows by batch, for the evidence.
    batches: Vec<BatchRows>,
    train: Batch,
    new_holdout: Batch,
    history_holdout: Option<Batch>,
}

impl Window {
    async fn load(registry: &Registry, spec: &Arc<Spec>, task: &Task) -> Result<Self, Error> {
        let (mut batches, mut train, mut holdouts) = (Vec::new(), Vec::new(), Vec::new());
        for batch in &task.window {
            let rows = history::rows(registry, spec, batch).await?;
            train.push(rows.train());
            holdouts.push(rows.holdout());
            let n_rows = |rows: &[Batch]| rows.last().map_or(0, Batch::n_rows);
            batches.push(BatchRows { batch: batch.clone(), train: n_rows(&train), holdout: n_rows(&holdouts) });
        }
        let no_rows = || Error::NoRows { batch: task.batch.clone() };
        let new_holdout = holdouts.pop().ok_or_else(no_rows)?;
        let train = Batch::concat(train).filter(|train| train.n_rows() > 0).ok_or_else(no_rows)?;
        Ok(Self { batches, train, new_holdout, history_holdout: Batch::concat(holdouts) })
    }
}

/// What is published.
struct Challenger {
    parts: Vec<(Part, Bytes)>,
    metrics: Metrics,
}

/// The part `metrics.json`.
#[derive(Serialize)]
struct Metrics {
    holdout: Holdout,
    rows: RowCounts,
    kinds: Vec<FittedKind>,
}

/// Metrics on rows that nothing was fitted on.
#[derive(Serialize)]
struct Holdout {
    /// Of the newest batch.
    new: IndexMap<Metric, f64>,
    /// Of the earlier batches of the window.
    history: Option<IndexMap<Metric, f64>>,
}

#[derive(Serialize)]
struct RowCounts {
    train: usize,
    new_holdout: usize,
    history_holdout: usize,
}

/// Fits on the threads of this process, and may be told to stop.
struct Fitter {
    registry: Registry,
    runtime: Handle,
    job: String,
    spec: Arc<Spec>,
    interrupted: Box<dyn Fn() -> bool + Send + Sync>,
    steps: Steps,
    began: Instant,
    /// How far each member is, 0 to 1.
    shares: Mutex<Vec<f64>>,
}

/// A member as a checkpoint keeps it.
type Checkpoint = (usize, Vec<Progress>);

impl Fitter {
    fn challenger(&self, rows: &Window) -> Result<Challenger, Error> {
        let spec = &self.spec;
        self.step(0.02, format!("encoding {} train rows", rows.train.n_rows()));
        let encoder = Encoder::fit(spec, &rows.train)?;
        let train = Rows::of_batch(spec, &encoder, &rows.train)?;
        let budget = Duration::from_secs(spec.train.budget_s);
        let over_budget = || self.began.elapsed() > budget;
        let bag = Bag { spec, encoder: &encoder, rows: &train, over_budget: &over_budget };
        let fitted = fit_bag(bag, self)?;

        self.step(FITTED, "measuring on the hold-out".to_owned());
        let weights_bytes = fitted.weights.to_bytes()?;
        let encoder_bytes = encoder.to_bytes();
        let predictor = Predictor::new(Arc::clone(spec), encoder, &fitted.weights)?;
        let metrics = Metrics {
            holdout: Holdout {
                new: evaluate(&predictor, &rows.new_holdout),
                history: rows.history_holdout.as_ref().map(|batch| evaluate(&predictor, batch)),
            },
            rows: RowCounts {
                train: train.n_rows(),
                new_holdout: rows.new_holdout.n_rows(),
                history_holdout: rows.history_holdout.as_ref().map_or(0, Batch::n_rows),
            },
            kinds: fitted.kinds,
        };
        let metrics_bytes = serde_json::to_vec_pretty(&metrics).expect("metrics are finite numbers under text keys");
        let background = self.background(&predictor, &rows.train);
        let mut parts = vec![
            (Part::Spec, Bytes::from(spec.text().to_owned())),
            (Part::Encoder, Bytes::from(encoder_bytes)),
            (Part::Weights, Bytes::from(weights_bytes)),
            (Part::Reference, Bytes::from(self.reference(&rows.train).write())),
            (Part::Background, Bytes::from(serving::background_to_bytes(spec, &background))),
            (Part::Metrics, Bytes::from(metrics_bytes)),
        ];
        parts.extend(self.evidence(&predictor, rows, &background, &metrics)?);
        Ok(Challenger { parts, metrics })
    }

    /// The optional parts of the version: what was measured on it, and its cards.
    fn evidence(
        &self,
        predictor: &Predictor,
        rows: &Window,
        background: &Batch,
        metrics: &Metrics,
    ) -> Result<Vec<(Part, Bytes)>, Error> {
        let history = rows.history_holdout.clone().into_iter();
        let holdout = Batch::concat(history.chain([rows.new_holdout.clone()]).collect());
        let kinds = &metrics.kinds;
        let curves = kinds.iter().flat_map(|kind| {
            kind.members.iter().enumerate().map(|(member, curve)| Curve {
                name: format!("{} {}", kind.kind, member + 1),
                best_epoch: curve.best_epoch,
                train_loss: curve.epochs.iter().map(|epoch| epoch.train_loss).collect(),
                validation_loss: curve.epochs.iter().map(|epoch| epoch.validation_loss).collect(),
            })
        });
        let curves: Vec<Curve> = curves.collect();
        let train = &self.spec.train;
        let mut recipe = vec![("seed".to_owned(), train.seed.to_string())];
        for FittedKind { kind, share, recipe: fit, .. } in kinds {
            let text = format!(
                "{} networks, {:.0} % of the answer: {} epochs of {} rows a step, learning rate {}, weight decay {}, dropout \
                 {}, label smoothing {}",
                train.members,
                100.0 * share,
                fit.epochs,
                fit.batch_rows,
                fit.learning_rate,
                fit.weight_decay,
                fit.dropout,
                fit.label_smoothing
            );
            recipe.push((kind.to_string(), text));
        }
        recipe.push((
            "multiply-adds a row after the first layer".to_owned(),
            predictor.network().architecture().multiply_adds().to_string(),
        ));
        let holdout = holdout.as_ref().unwrap_or(&rows.new_holdout);
        let facts = Facts {
            threshold: predictor.readout().threshold.unwrap_or(0.5),
            interval: coverage_of(predictor, holdout),
            batches: rows.batches.clone(),
            recipe: recipe.into_iter().collect(),
            ..Facts::default()
        };
        let evidence = Evidence::of(&Inputs {
            predictor,
            train: &rows.train,
            holdout,
            background,
            curves: &curves,
            facts: &facts,
        })?;
        let (model, data) = (model_card(&self.spec, &evidence), data_card(&self.spec, &evidence));
        Ok(vec![
            (Part::Evidence, Bytes::from(evidence.to_bytes())),
            (Part::ModelCard, Bytes::from(model.markdown())),
            (Part::ModelCardPage, Bytes::from(model.html())),
            (Part::DataCard, Bytes::from(data.markdown())),
            (Part::DataCardPage, Bytes::from(data.html())),
        ])
    }

    /// The drift reference: a profile of the inputs and the target of the train rows.
    fn reference(&self, rows: &Batch) -> Profile {
        Profile::of(drift::inputs(&self.spec, rows).into_iter(), drift::target(&self.spec, rows))
    }

    /// Train rows that explanations are made against, in their order.
    fn background(&self, predictor: &Predictor, rows: &Batch) -> Batch {
        let (n_rows, seed) = (self.spec.serve.explain.background, self.spec.train.seed);
        rows.select(&background_rows(predictor, rows, n_rows, seed))
    }

    fn share(&self, member: usize, share: f64, message: String) {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        shares[member] = share;
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        self.step(PREPARED + (FITTED - PREPARED) * mean, message);
    }

    fn step(&self, fraction: f64, message: String) {
        self.steps.send_replace((fraction, message));
    }
}

/// Members are checkpoints of the job.
impl Keeper for Fitter {
    fn find(&self, member: usize) -> Result<Option<FittedMember>, fit::Error> {
        let (weights, about) = checkpoint_names(member);
        let read = async {
            Ok::<_, registry::Error>((
                self.registry.checkpoint(&self.job, &weights).await?,
                self.registry.checkpoint(&self.job, &about).await?,
            ))
        };
        let (Some(weights), Some(about)) = self.runtime.block_on(read)? else { return Ok(None) };
        // A damaged checkpoint costs a fit, not the job.
        let fitted = Weights::from_bytes(&weights).ok().zip(serde_json::from_slice::<Checkpoint>(&about).ok());
        let Some((weights, (best_epoch, curve))) = fitted else { return Ok(None) };
        self.share(member, 1.0, format!("member {} was fitted before", member + 1));
        Ok(Some(FittedMember { weights, curve, best_epoch }))
    }

    fn keep(&self, member: usize, fitted: &FittedMember) -> Result<(), fit::Error> {
        let (weights, about) = checkpoint_names(member);
        let bytes = fitted.weights.to_bytes()?;
        let checkpoint: Checkpoint = (fitted.best_epoch, fitted.curve.clone());
        let line = serde_json::to_vec(&checkpoint).expect("a curve is finite numbers");
        let write = async {
            self.registry.put_checkpoint(&self.job, &weights, bytes).await?;
            self.registry.put_checkpoint(&self.job, &about, line).await
        };
        Ok(self.runtime.block_on(write)?)
    }

    fn hear(&self, member: usize, members: usize, progress: Progress) -> ControlFlow<()> {
        let message = format!(
            "member {} of {members}, epoch {} of {}: validation loss {:.4}",
            member + 1,
            progress.epoch,
            progress.epochs,
            progress.validation_loss
        );
        self.share(member, progress.epoch as f64 / progress.epochs as f64, message);
        if (self.interrupted)() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// What becomes of a regression's intervals on rows that nothing was fitted on.
fn coverage_of(predictor: &Predictor, rows: &Batch) -> Option<Coverage> {
    let level = predictor.readout().interval.as_ref()?.level;
    let Some(ColumnData::Numbers(truths)) = rows.target() else { return None };
    let (lower, upper): (Vec<f64>, Vec<f64>) =
        predictor.intervals(&predictor.predict(rows))?.into_iter().map(|[lower, upper]| (lower, upper)).unzip();
    coverage(level, &lower, &upper, truths)
}

fn checkpoint_names(member: usize) -> (String, String) {
    (format!("member-{member}.safetensors"), format!("member-{member}.json"))
}

fn evaluate(predictor: &Predictor, rows: &Batch) -> IndexMap<Metric, f64> {
    match rows.target() {
        Some(target) => score(predictor.spec(), &predictor.predict(rows), target),
        None => IndexMap::new(),
    }
}
