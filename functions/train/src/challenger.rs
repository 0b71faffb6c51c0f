//! From a window of batches to a published version.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use drift::Profile;
use features::Encoder;
use indexmap::IndexMap;
use model::{Predictor, Weights, background_rows, evaluate as score};
use registry::{Part, Registry, VersionId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use spec::{Batch, ClassWeight, ColumnData, Metric, RemedyKind, Spec};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::Error;
use crate::evidence::{Coverage, Curve, Evidence, Facts, Inputs, coverage, data_card, model_card};
use crate::fit::{
    self, Fitted, FittedKind, FittedMember, KeepNothing, Keeper, Lesson, Progress, Refit, fit_batch, recalibrate,
};
use crate::job::Task;
use crate::remedy::{Remedy, Trial, Trying, remedies};
use crate::search::{Measured, Search, TrialKeeper};
use crate::window::{Fit, Share, Standing, Window};

/// Share of a job at which the trial of remedies has ended.
const TRIED: f64 = 0.2;

/// Share of a job that reading and encoding takes as well, before the first epoch.
const PREPARED: f64 = 0.25;

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
    let window = Window::load(registry, &spec, task).await?;
    let standing = Standing::open(registry, &spec, task).await?;
    let fitter = Fitter {
        registry: registry.clone(),
        runtime: Handle::current(),
        job: job.to_owned(),
        spec: Arc::clone(&spec),
        interrupted: Box::new(interrupted),
        steps,
        began: Instant::now(),
        members: Mutex::default(),
    };
    let fitted = tokio::task::spawn_blocking(move || fitter.challenger(&window, standing.as_ref()))
        .await
        .map_err(|source| Error::Broken { job: job.to_owned(), source })??;
    let lineage = json!({
        "batch": task.batch,
        "batches": task.window,
        "fit": fitted.fit,
        "spec_hash": task.spec_hash,
        "seed": spec.train.seed,
        "champion": task.production,
        "job": job,
    });
    let version: VersionId =
        registry.publish(&task.model, fitted.parts, Bytes::from(lineage.to_string().into_bytes())).await?;
    Ok(json!({
        "version": version,
        "metrics": fitted.metrics,
        "production": task.production,
        "trial": fitted.trial,
    }))
}

/// What is published.
struct Challenger {
    parts: Vec<(Part, Bytes)>,
    metrics: Metrics,
    /// What its network was fitted on.
    fit: Fit,
    /// None where there was no choice of remedies.
    trial: Option<Trial>,
}

/// A network that was made, before it is measured.
struct Made {
    encoder: Encoder,
    weights: Weights,
    /// The kinds that were fitted; none of a recalibrated network.
    kinds: Vec<FittedKind>,
    /// None where the spec asks for none, and of a recalibrated network.
    search: Option<Search>,
    fit: Fit,
    /// The rows that it learnt from last: all of its fit's, or those of its calibration.
    learnt: Batch,
}

/// The part `metrics.json`.
#[derive(Serialize)]
struct Metrics {
    holdout: Holdout,
    rows: RowCounts,
    #[serde(skip_serializing_if = "Option::is_none")]
    search: Option<Searched>,
    kinds: Vec<FittedKind>,
}

/// What a search came to.
#[derive(Serialize)]
struct Searched {
    /// Trials that it completed; a search of so many finds the same, however the number came about.
    trials: usize,
    /// The one whose settings were followed; 0 are the defaults.
    chosen: usize,
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
    members: Mutex<Members>,
}

/// How far the members of a fit are.
#[derive(Default)]
struct Members {
    /// How many there will be.
    planned: usize,
    /// By the number of its lesson, how far each is that was begun, 0 to 1.
    shares: BTreeMap<usize, f64>,
}

/// A member as a checkpoint keeps it, beside its weights.
#[derive(Serialize, Deserialize)]
struct Checkpoint {
    lesson: Lesson,
    best_epoch: usize,
    curve: Vec<Progress>,
}

impl Fitter {
    fn challenger(&self, window: &Window, standing: Option<&Standing>) -> Result<Challenger, Error> {
        let spec = &self.spec;
        let (remedy, trial) = self.choose(window, standing)?;
        let Made { encoder, weights, kinds, search, fit, learnt } = match (remedy.kind, standing) {
            (RemedyKind::Recalibrate, Some(Standing { network: Some((encoder, weights)), fit, .. })) => {
                let newest = window.newest();
                self.step(FITTED, format!("calibrating the standing version on {} rows", newest.train.n_rows()));
                let weights = recalibrate(spec, encoder, weights, &newest.train)?;
                let fit = Fit { recalibrated: Some(newest.id.clone()), ..fit.clone() };
                Made {
                    encoder: encoder.clone(),
                    weights,
                    kinds: Vec::new(),
                    search: None,
                    fit,
                    learnt: newest.train.clone(),
                }
            }
            _ => self.fit(window, remedy)?,
        };

        self.step(FITTED, "measuring on the hold-out".to_owned());
        let weights_bytes = weights.to_bytes()?;
        let encoder_bytes = encoder.to_bytes();
        let predictor = Predictor::new(Arc::clone(spec), encoder, &weights)?;
        let history_holdout = window.history_holdout();
        let metrics = Metrics {
            holdout: Holdout {
                new: evaluate(&predictor, &window.newest().holdout),
                history: history_holdout.as_ref().map(|batch| evaluate(&predictor, batch)),
            },
            rows: RowCounts {
                train: learnt.n_rows(),
                new_holdout: window.newest().holdout.n_rows(),
                history_holdout: history_holdout.as_ref().map_or(0, Batch::n_rows),
            },
            search: search.as_ref().map(|search| Searched { trials: search.trials.len(), chosen: search.chosen }),
            kinds,
        };
        let metrics_bytes = serde_json::to_vec_pretty(&metrics).expect("metrics are finite numbers under text keys");
        let background = self.background(&predictor, &learnt);
        let mut parts = vec![
            (Part::Spec, Bytes::from(spec.text().to_owned())),
            (Part::Encoder, Bytes::from(encoder_bytes)),
            (Part::Weights, Bytes::from(weights_bytes)),
            (Part::Reference, Bytes::from(self.reference(&learnt).write())),
            (Part::Background, Bytes::from(serving::background_to_bytes(spec, &background))),
            (Part::Metrics, Bytes::from(metrics_bytes)),
        ];
        parts.extend(search.as_ref().map(|search| (Part::Search, Bytes::from(search.to_bytes()))));
        let holdout = history_holdout.into_iter().chain([window.newest().holdout.clone()]);
        let facts = Facts {
            threshold: predictor.readout().threshold.unwrap_or(0.5),
            batches: window.counts(),
            recipe: self.recipe(&predictor, &metrics.kinds, &fit),
            search,
            trial: trial.clone(),
            interval: None,
        };
        let holdout = Batch::concat(holdout.collect()).expect("the newest batch has its hold-out, be it empty");
        parts.extend(self.evidence(&predictor, &learnt, &holdout, &background, &metrics.kinds, facts)?);
        Ok(Challenger { parts, metrics, fit, trial })
    }

    /// The remedy to make a challenger by, with the trial that says so where there was a choice.
    fn choose(&self, window: &Window, standing: Option<&Standing>) -> Result<(Remedy, Option<Trial>), Error> {
        let (spec, remedies) = (&self.spec, remedies(&self.spec, window, standing));
        // A first version has nothing to be tried against; the first in the spec that can be made is made.
        let first = remedies.iter().copied().find(|remedy| remedy.kind != RemedyKind::Recalibrate);
        let first = first.unwrap_or(Remedy::ALL);
        let (Some(standing), [_, _, ..], [_, ..]) = (standing, remedies.as_slice(), window.earlier()) else {
            return Ok((first, None));
        };
        let over_budget = || self.began.elapsed() > self.budget();
        let next = |index: usize, n_fits: usize, what: String| {
            self.step(TRIED * index as f64 / n_fits as f64, format!("trial {} of {n_fits}: {what}", index + 1));
        };
        // Light fits are drawn again in the same way, so none is a checkpoint.
        let keeper = KeepNothing(|| self.go_on());
        let trying = Trying { spec, window, standing, keeper: &keeper, over_budget: &over_budget, next: &next };
        let trial = trying.run(&remedies)?;
        Ok((trial.as_ref().map_or(first, |trial| trial.winner), trial))
    }

    /// A whole fit, after a search where the spec asks for one.
    fn fit(&self, window: &Window, remedy: Remedy) -> Result<Made, Error> {
        let (spec, fit) = (&self.spec, remedy.fit(window));
        let learnt = window.lesson(spec, &fit, Share::Whole);
        let learnt = learnt.ok_or_else(|| Error::NoRows { batch: window.newest().id.clone() })?;
        let search = Search::of(spec, &learnt, self)?;
        let settled = search.as_ref().map_or_else(|| Arc::clone(spec), |search| search.settled(spec));
        let began = Instant::now();
        self.step(TRIED, format!("encoding {} train rows", learnt.n_rows()));
        let (over_budget, n_members) = (|| began.elapsed() > self.budget(), settled.train.members);
        let (encoder, Fitted { weights, kinds }) = fit_batch(&settled, &learnt, n_members, &over_budget, self)?;
        Ok(Made { encoder, weights, kinds, search, fit, learnt })
    }

    /// How long a fit, or all of a trial's, may take.
    fn budget(&self) -> Duration {
        Duration::from_secs(self.spec.train.budget_s)
    }

    /// How the network was fitted, as it is told to people.
    fn recipe(&self, predictor: &Predictor, kinds: &[FittedKind], fit: &Fit) -> IndexMap<String, String> {
        let train = &self.spec.train;
        let mut recipe = vec![("seed".to_owned(), train.seed.to_string())];
        let newest = |newest: usize| format!("{newest} of {}, as much as all before", fit.batches.len());
        recipe.extend(fit.weighted.map(|weighted| ("batches that count more".to_owned(), newest(weighted))));
        recipe.extend(fit.recalibrated.iter().map(|batch| ("calibrated anew on".to_owned(), batch.clone())));
        let of_serving = |Refit { n_members, recipe }: &Refit| {
            let distilled = match recipe.distillation {
                0.0 => String::new(),
                share => format!(", {:.0} % of what a row teaches by what the others say of it", 100.0 * share),
            };
            format!("; those that serve, {n_members} networks, {} epochs on all rows{distilled}", recipe.epochs)
        };
        for FittedKind { kind, share, refit, recipe: fit, .. } in kinds {
            let text = format!(
                "{} networks, {:.0} % of the answer: {} epochs of {} rows a step, learning rate {}, weight decay {}, dropout \
                 {}, label smoothing {}{}{}",
                train.members,
                100.0 * share,
                fit.epochs,
                fit.batch_rows,
                fit.learning_rate,
                fit.weight_decay,
                fit.dropout,
                fit.label_smoothing,
                fit.max_features.map_or_else(String::new, |most| format!(", {most} features a question")),
                refit.as_ref().map_or_else(String::new, of_serving)
            );
            recipe.push((kind.to_string(), text));
        }
        recipe.extend(train.weight.iter().map(|column| ("weight of a row".to_owned(), column.clone())));
        if let Some(class_weight) = &train.class_weight {
            let text = match class_weight {
                ClassWeight::Balanced(_) => "all classes alike".to_owned(),
                ClassWeight::Of(of_classes) => {
                    let weights = of_classes.iter().map(|(class, weight)| format!("{class} {weight}"));
                    weights.collect::<Vec<_>>().join(", ")
                }
            };
            let text = format!("{text} while learning; probabilities are those of the data");
            recipe.push(("weight of a class".to_owned(), text));
        }
        recipe.extend(predictor.readout().decision.iter().map(|decision| {
            let weights = self.spec.target.classes.iter().zip(&decision.weights);
            let weights: Vec<String> = weights.map(|(class, weight)| format!("{class} {weight:.3}")).collect();
            ("weight of a class's probability in what a row is called".to_owned(), weights.join(", "))
        }));
        let cost = predictor.network().architecture().multiply_adds();
        recipe.push(("multiply-adds a row after the first layer".to_owned(), cost.to_string()));
        recipe.into_iter().collect()
    }

    /// The optional parts of the version: what was measured on it, and its cards.
    fn evidence(
        &self,
        predictor: &Predictor,
        train: &Batch,
        holdout: &Batch,
        background: &Batch,
        kinds: &[FittedKind],
        facts: Facts,
    ) -> Result<Vec<(Part, Bytes)>, Error> {
        let curves = kinds.iter().flat_map(|kind| {
            kind.members.iter().enumerate().map(|(member, curve)| Curve {
                name: format!("{} {}", kind.kind, member + 1),
                best_epoch: curve.best_epoch,
                train_loss: curve.epochs.iter().map(|epoch| epoch.train_loss).collect(),
                validation_loss: curve.epochs.iter().filter_map(|epoch| epoch.validation_loss).collect(),
            })
        });
        let curves: Vec<Curve> = curves.collect();
        let facts = Facts { interval: coverage_of(predictor, holdout), ..facts };
        let evidence = Evidence::of(&Inputs { predictor, train, holdout, background, curves: &curves, facts: &facts })?;
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

    fn share(&self, lesson: &Lesson, share: f64, message: String) {
        let mut members = self.members();
        members.shares.insert(lesson.index, share);
        let mean = members.shares.values().sum::<f64>() / members.planned as f64;
        self.step(PREPARED + (FITTED - PREPARED) * mean, message);
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self, fraction: f64, message: String) {
        self.steps.send_replace((fraction, message));
    }

    fn go_on(&self) -> ControlFlow<()> {
        if (self.interrupted)() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Members are checkpoints of the job.
impl Keeper for Fitter {
    fn plan(&self, n_lessons: usize) {
        self.members().planned = n_lessons;
    }

    fn find(&self, lesson: &Lesson) -> Result<Option<FittedMember>, fit::Error> {
        let (weights, about) = checkpoint_names(lesson);
        let read = async {
            Ok::<_, registry::Error>((
                self.registry.checkpoint(&self.job, &weights).await?,
                self.registry.checkpoint(&self.job, &about).await?,
            ))
        };
        let (Some(weights), Some(about)) = self.runtime.block_on(read)? else { return Ok(None) };
        // A damaged checkpoint costs a fit, not the job.
        let fitted = Weights::from_bytes(&weights).ok().zip(serde_json::from_slice::<Checkpoint>(&about).ok());
        let Some((weights, Checkpoint { lesson: fitted, best_epoch, curve })) = fitted else { return Ok(None) };
        // An Ebb of other defaults may have begun the job.
        if fitted != *lesson {
            return Ok(None);
        }
        self.share(lesson, 1.0, format!("{lesson} was fitted before"));
        Ok(Some(FittedMember { weights, curve, best_epoch }))
    }

    fn keep(&self, lesson: &Lesson, fitted: &FittedMember) -> Result<(), fit::Error> {
        let (weights, about) = checkpoint_names(lesson);
        let bytes = fitted.weights.to_bytes()?;
        let (best_epoch, curve) = (fitted.best_epoch, fitted.curve.clone());
        let checkpoint = Checkpoint { lesson: lesson.clone(), best_epoch, curve };
        let line = serde_json::to_vec(&checkpoint).expect("a lesson and its curve are finite numbers");
        let write = async {
            self.registry.put_checkpoint(&self.job, &weights, bytes).await?;
            self.registry.put_checkpoint(&self.job, &about, line).await
        };
        Ok(self.runtime.block_on(write)?)
    }

    fn hear(&self, lesson: &Lesson, progress: Progress) -> ControlFlow<()> {
        let Progress { epoch, epochs, train_loss, validation_loss } = progress;
        let (loss, of_which) = validation_loss.map_or((train_loss, "train"), |loss| (loss, "validation"));
        let message = format!("{lesson}, epoch {epoch} of {epochs}: {of_which} loss {loss:.4}");
        self.share(lesson, epoch as f64 / epochs as f64, message);
        self.go_on()
    }
}

/// Measured trials are checkpoints of the job, too.
impl TrialKeeper for Fitter {
    fn find(&self, trial: usize, fold: usize) -> Result<Option<Measured>, Error> {
        let name = trial_name(trial, fold);
        let read = self.registry.checkpoint(&self.job, &name);
        // A damaged checkpoint costs a fit, not the job.
        Ok(self.runtime.block_on(read)?.and_then(|measured| serde_json::from_slice(&measured).ok()))
    }

    fn keep(&self, trial: usize, fold: usize, measured: &Measured) -> Result<(), Error> {
        let line = serde_json::to_vec(measured).expect("a measurement is a finite number or text");
        Ok(self.runtime.block_on(self.registry.put_checkpoint(&self.job, &trial_name(trial, fold), line))?)
    }

    fn hear(&self, trial: usize, fold: usize) -> ControlFlow<()> {
        self.step(TRIED, format!("searching for settings: trial {trial}, fold {}", fold + 1));
        self.go_on()
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

fn checkpoint_names(Lesson { index, .. }: &Lesson) -> (String, String) {
    (format!("member-{index}.safetensors"), format!("member-{index}.json"))
}

fn trial_name(trial: usize, fold: usize) -> String {
    format!("trial-{trial}-fold-{fold}.json")
}

fn evaluate(predictor: &Predictor, rows: &Batch) -> IndexMap<Metric, f64> {
    match rows.target() {
        Some(target) => score(predictor.spec(), &predictor.predict(rows), target),
        None => IndexMap::new(),
    }
}
