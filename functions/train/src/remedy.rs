//! Which way to make a challenger: a trial on the newest rows.
//!
//! When the world changes, the right answer is not always another fit on everything. Where only the classes' rates have
//! moved, the standing network is right and its calibration wrong; where behaviour has changed, old rows teach the wrong
//! thing; where nothing lasting has happened, old rows are what keeps a model from learning a passing mood. Which of these
//! it is shows in how each candidate answers labelled rows of the newest batch that it has not learnt from.
//!
//! | remedy | what it makes |
//! |---|---|
//! | `recalibrate` | the standing network with a calibration fitted on the newest batch; of classes only |
//! | `all` | a fit on the whole window, all rows alike |
//! | `weighted` | a fit on the whole window in which the newest batches count as much as all others together |
//! | `recent` | a fit on the newest batches alone |
//!
//! For the last two, "newest" is tried as 1, 2 and 4 batches, because a change may be older than the newest batch.
//!
//! # The trial
//! A whole fit of each candidate would cost several times what the winner does. So candidates are fitted in a lighter way
//! (two members of the first kind in the spec), and the standing version takes part with a fit of the same sort on its own
//! batches; each candidate is compared with that one, so what the lighter way costs falls out. A quarter of every batch's train
//! rows is left out of all these fits (`Share::Validation`). The winner is the one with the smallest loss on the newest
//! batch's part among those whose loss on the earlier batches' part grows by no more than `promote.max_history_regression`.
//! A recent window forgets what may be needed again, so it must beat what keeps all rows by more than `MARGIN` standard errors of
//! the paired difference. Recalibration changes least, and it is made from a network that has proved itself. Whether it surely helps is measured on
//! all train rows of the newest batch, each by a calibration that was fitted without it, as no network has learnt from them;
//! where it does, another fit must beat it by as much. Hold-out rows take no part.
//!
//! # Source
//! Preferring the simpler of two that a standard error cannot tell apart: L. Breiman et al., "Classification and regression
//! trees" (1984), §3.4.3.

use std::cmp::Ordering;

use features::Encoder;
use model::{Predictor, Weights, evaluate, row_losses};
use page::text;
use serde::{Deserialize, Serialize};
use spec::{Batch, Metric, RemedyKind, Spec, Task, Train};
use std::sync::Arc;

use crate::Error;
use crate::evaluate::Estimate;
use crate::fit::{Keeper, fit_batch, recalibrate};
use crate::window::{Fit, Share, Standing, Window};

/// How many of the newest batches are tried as "the newest".
const NEWEST: [usize; 3] = [1, 2, 4];
/// Fewest train rows of a recent window: with less, the noise of a fit hides what the rows say.
const MIN_RECENT_ROWS: usize = 500;
/// Fewest rows to judge candidates on.
const MIN_VALIDATION_ROWS: usize = 50;
/// How many standard errors of a paired difference are sure enough: about 95 %.
const MARGIN: f64 = 2.0;
/// Members of a candidate.
const TRIAL_MEMBERS: usize = 2;

/// A way to make a challenger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remedy {
    /// Which.
    pub kind: RemedyKind,
    /// How many batches are the newest; of `weighted` and `recent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<usize>,
}

impl Remedy {
    /// The whole window, all rows alike.
    pub(crate) const ALL: Self = Self { kind: RemedyKind::All, newest: None };

    /// What a network made in this way learns from.
    pub(crate) fn fit(self, window: &Window) -> Fit {
        match self.kind {
            RemedyKind::Weighted => window.fit(None, self.newest),
            RemedyKind::Recent => window.fit(self.newest, None),
            RemedyKind::All | RemedyKind::Recalibrate => window.fit(None, None),
        }
    }

    /// In words, as the subject of a sentence.
    pub(crate) fn words(self) -> String {
        let batches = match self.newest {
            Some(1) | None => "batch".to_owned(),
            Some(newest) => format!("{newest} batches"),
        };
        match self.kind {
            RemedyKind::Recalibrate => "the standing version with a new calibration".to_owned(),
            RemedyKind::All => "a fit on all history".to_owned(),
            RemedyKind::Weighted => format!("a fit in which the newest {batches} count as much as all before"),
            RemedyKind::Recent => format!("a fit on the newest {batches} alone"),
        }
    }
}

/// What was tried, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// What candidates were compared by.
    pub metric: Metric,
    /// Train rows of the newest batch that no candidate learnt from.
    pub validation_rows: usize,
    /// Train rows of earlier batches that no candidate learnt from.
    pub history_rows: usize,
    /// The largest relative increase of the loss on the latter that is allowed; none where the spec has no such rule.
    pub allowed: Option<f64>,
    /// The metric of the standing version's batches, fitted as the candidates are, on the newest rows.
    pub standing: f64,
    /// The candidates, in the order in which they were tried.
    pub candidates: Vec<Candidate>,
    /// The one that the version was made by.
    pub winner: Remedy,
    /// The same in a sentence.
    pub reason: String,
}

/// One way that was tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Which.
    pub remedy: Remedy,
    /// Its metric on the newest rows.
    pub value: f64,
    /// How much smaller its loss there is than the standing version's, per row and in the units of the rows' losses; none
    /// for metrics that are no mean over rows.
    pub gain: Option<f64>,
    /// Standard error of that paired difference.
    pub standard_error: Option<f64>,
    /// By how much its loss on the earlier rows is larger than the standing version's, as a share of that; none where there
    /// is no such row.
    pub history_increase: Option<f64>,
    /// Whether that is allowed.
    pub keeps_history: bool,
}

/// What a trial is run with.
pub(crate) struct Trying<'a> {
    pub(crate) spec: &'a Arc<Spec>,
    pub(crate) window: &'a Window,
    pub(crate) standing: &'a Standing,
    /// Hears of the fits, and may end them.
    pub(crate) keeper: &'a dyn Keeper,
    pub(crate) over_budget: &'a (dyn Fn() -> bool + Sync),
    /// Hears which candidate is next, and how many there are.
    pub(crate) next: &'a dyn Fn(usize, usize, String),
}

/// A candidate's network.
struct Light {
    encoder: Encoder,
    weights: Weights,
}

/// How a candidate answers the rows that it is judged on.
struct Judged {
    remedy: Remedy,
    value: f64,
    /// Per newest row; none for metrics that are no mean over rows.
    losses: Option<Vec<f64>>,
    /// The metric on the earlier rows.
    history: Option<f64>,
}

/// The rows that candidates are judged on.
struct Exam {
    newest: Batch,
    history: Option<Batch>,
}

/// The remedies that can be tried. One alone needs no trial.
pub(crate) fn remedies(spec: &Spec, window: &Window, standing: Option<&Standing>) -> Vec<Remedy> {
    let n_batches = window.batches.len();
    let mut all = Vec::new();
    for kind in &spec.train.remedies {
        let one = Remedy { kind: *kind, newest: None };
        match kind {
            RemedyKind::Recalibrate => {
                let can = spec.task != Task::Regression && standing.is_some_and(|standing| standing.network.is_some());
                all.extend(can.then_some(one));
            }
            RemedyKind::All => all.push(one),
            RemedyKind::Weighted | RemedyKind::Recent => {
                let rows = |newest: usize| -> usize {
                    window.batches[n_batches - newest..].iter().map(|batch| batch.train.n_rows()).sum()
                };
                let enough = |newest: &usize| *kind == RemedyKind::Weighted || rows(*newest) >= MIN_RECENT_ROWS;
                let newest = NEWEST.into_iter().filter(|newest| *newest < n_batches).filter(enough);
                all.extend(newest.map(|newest| Remedy { newest: Some(newest), ..one }));
            }
        }
    }
    all
}

impl Trying<'_> {
    /// Tries the remedies. None where there are too few rows to judge them on, or none of the standing version's own.
    pub(crate) fn run(&self, remedies: &[Remedy]) -> Result<Option<Trial>, Error> {
        let earlier = self.window.earlier().iter().map(|batch| batch.part(self.spec, Share::Validation)).collect();
        let exam = Exam {
            newest: self.window.newest().part(self.spec, Share::Validation),
            history: Batch::concat(earlier).filter(|rows| rows.n_rows() > 0),
        };
        if exam.newest.n_rows() < MIN_VALIDATION_ROWS {
            return Ok(None);
        }
        let n_fits = remedies.len() + 1;
        (self.next)(0, n_fits, "the standing version's own batches".to_owned());
        let Some(base) = self.light(&self.standing.fit)? else { return Ok(None) };
        let Some(standing) = self.judge(Remedy::ALL, &base, &exam)? else { return Ok(None) };
        let mut candidates = Vec::new();
        for (index, remedy) in remedies.iter().enumerate() {
            (self.next)(index + 1, n_fits, remedy.words());
            let light = match remedy.kind {
                RemedyKind::Recalibrate => Some(self.recalibrated(&base, &self.window.newest().id)?),
                _ => self.light(&remedy.fit(self.window))?,
            };
            if let Some(light) = light {
                candidates.extend(self.judge(*remedy, &light, &exam)?);
            }
        }
        let helps = self.recalibration_helps(&base)?;
        Ok(decide(self.spec, &standing, &candidates, &exam, helps))
    }

    /// Whether a calibration on the newest batch surely makes the standing version better there.
    fn recalibration_helps(&self, base: &Light) -> Result<bool, Error> {
        let (newest, fit) = (self.window.newest(), &self.standing.fit);
        let is_learnt = fit.batches.contains(&newest.id) || fit.recalibrated.as_ref() == Some(&newest.id);
        if self.spec.task == Task::Regression || is_learnt {
            return Ok(false);
        }
        let parts = [Share::Fitted, Share::Validation].map(|share| newest.part(self.spec, share));
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for (learnt, judged) in [(&parts[0], &parts[1]), (&parts[1], &parts[0])] {
            let weights = recalibrate(self.spec, &base.encoder, &base.weights, learnt)?;
            let exam = Exam { newest: judged.clone(), history: None };
            let recalibrated = Light { encoder: base.encoder.clone(), weights };
            let losses =
                |light| Ok::<_, Error>(self.judge(Remedy::ALL, light, &exam)?.and_then(|judged| judged.losses));
            let (Some(of_base), Some(of_recalibrated)) = (losses(base)?, losses(&recalibrated)?) else {
                return Ok(false);
            };
            before.extend(of_base);
            after.extend(of_recalibrated);
        }
        Ok(difference(&before, &after).is_some_and(|(gain, standard_error)| gain > MARGIN * standard_error))
    }

    /// A light fit; none without a row to fit on.
    fn light(&self, fit: &Fit) -> Result<Option<Light>, Error> {
        let Some(rows) = self.window.lesson(self.spec, fit, Share::Fitted) else { return Ok(None) };
        let train = &self.spec.train;
        let members = train.members.min(TRIAL_MEMBERS);
        let spec = Arc::new(self.spec.with_train(Train {
            kinds: vec![train.kinds[0]],
            members,
            refit: false,
            ..train.clone()
        }));
        let (encoder, fitted) = fit_batch(&spec, &rows, members, self.over_budget, self.keeper)?;
        let light = Light { encoder, weights: fitted.weights };
        match &fit.recalibrated {
            Some(batch) if self.window.batches.iter().any(|of_window| of_window.id == *batch) => {
                Ok(Some(self.recalibrated(&light, batch)?))
            }
            _ => Ok(Some(light)),
        }
    }

    /// The same network with a calibration fitted on a batch of the window.
    fn recalibrated(&self, light: &Light, batch: &str) -> Result<Light, Error> {
        let batch = self.window.batches.iter().find(|of_window| of_window.id == batch);
        let rows = batch.unwrap_or_else(|| self.window.newest()).part(self.spec, Share::Fitted);
        let weights = recalibrate(self.spec, &light.encoder, &light.weights, &rows)?;
        Ok(Light { encoder: light.encoder.clone(), weights })
    }

    /// None where the metric is not defined on the newest rows.
    fn judge(&self, remedy: Remedy, light: &Light, exam: &Exam) -> Result<Option<Judged>, Error> {
        let (spec, metric) = (self.spec, self.spec.metric());
        let predictor = Predictor::new(Arc::clone(spec), light.encoder.clone(), &light.weights)?;
        let value = |rows: &Batch| Some(*evaluate(spec, &predictor.predict(rows), rows.target()?).get(&metric)?);
        let Some(on_newest) = value(&exam.newest) else { return Ok(None) };
        let target = exam.newest.target();
        let losses = target.and_then(|target| row_losses(spec, metric, &predictor.predict(&exam.newest), target));
        Ok(Some(Judged { remedy, value: on_newest, losses, history: exam.history.as_ref().and_then(value) }))
    }
}

/// Names the winner; none without a candidate.
fn decide(spec: &Spec, standing: &Judged, judged: &[Judged], exam: &Exam, recalibration_helps: bool) -> Option<Trial> {
    let (metric, allowed) = (spec.metric(), spec.promote.max_history_regression.limit());
    let candidates: Vec<Candidate> = judged
        .iter()
        .map(|candidate| {
            let gained = gain(standing, candidate);
            let increase = standing.history.zip(candidate.history);
            let increase = increase.map(|(before, after)| metric.relative_increase(before, after));
            Candidate {
                remedy: candidate.remedy,
                value: candidate.value,
                gain: gained.map(|(gain, _)| gain),
                standard_error: gained.map(|(_, standard_error)| standard_error),
                history_increase: increase,
                keeps_history: increase.zip(allowed).is_none_or(|(increase, allowed)| increase <= allowed),
            }
        })
        .collect();
    let winner = winner(metric, judged, &candidates, recalibration_helps)?;
    let reason = reason(metric, standing, &candidates, winner, exam.newest.n_rows());
    Some(Trial {
        metric,
        validation_rows: exam.newest.n_rows(),
        history_rows: exam.history.as_ref().map_or(0, Batch::n_rows),
        allowed,
        standing: standing.value,
        candidates,
        winner,
        reason,
    })
}

fn winner(metric: Metric, judged: &[Judged], candidates: &[Candidate], recalibration_helps: bool) -> Option<Remedy> {
    let kept: Vec<&Judged> = judged
        .iter()
        .zip(candidates)
        .filter(|(_, candidate)| candidate.keeps_history)
        .map(|(judged, _)| judged)
        .collect();
    let by_loss = |a: &&Judged, b: &&Judged| metric.loss(a.value).total_cmp(&metric.loss(b.value));
    let Some(best) = kept.iter().copied().min_by(by_loss) else {
        // All forget too much: the one that forgets least may still be let through by hand.
        let increase = |candidate: &&Candidate| candidate.history_increase.unwrap_or_default();
        return Some(candidates.iter().min_by(|a, b| increase(a).total_cmp(&increase(b)))?.remedy);
    };
    // What forgets all rows but the newest must surely be better than what keeps them: they may be needed again next season.
    let keeping = kept.iter().copied().filter(|judged| !matches!(judged.remedy.kind, RemedyKind::Recent));
    let keeping = keeping.filter(|judged| judged.remedy.kind != RemedyKind::Recalibrate).min_by(by_loss);
    let is_unsure = |keeping: &&Judged| {
        let is_recent = best.remedy.kind == RemedyKind::Recent;
        is_recent && gain(keeping, best).is_some_and(|(gain, standard_error)| gain <= MARGIN * standard_error)
    };
    let best = keeping.filter(is_unsure).unwrap_or(best);
    let recalibrated = kept.iter().copied().find(|judged| judged.remedy.kind == RemedyKind::Recalibrate);
    let is_enough = |recalibrated: &&Judged| match gain(recalibrated, best) {
        Some((gain, standard_error)) => recalibration_helps && gain <= MARGIN * standard_error,
        None => by_loss(recalibrated, &best) != Ordering::Greater,
    };
    Some(recalibrated.filter(is_enough).unwrap_or(best).remedy)
}

/// How much smaller the loss of `b` is than that of `a`; none for metrics that are no mean over rows.
fn gain(a: &Judged, b: &Judged) -> Option<(f64, f64)> {
    difference(a.losses.as_ref()?, b.losses.as_ref()?)
}

/// The mean of the paired difference `a - b` and its standard error; none of a single row.
fn difference(a: &[f64], b: &[f64]) -> Option<(f64, f64)> {
    let Estimate { mean, standard_error, .. } = Estimate::of(a.iter().zip(b).map(|(a, b)| a - b).collect());
    standard_error.map(|standard_error| (mean, standard_error))
}

fn reason(metric: Metric, standing: &Judged, candidates: &[Candidate], winner: Remedy, n_rows: usize) -> String {
    let told = candidates.iter().map(|candidate| {
        let mut words = format!("{} for {}", text::number(candidate.value), candidate.remedy.words());
        if candidate.remedy == winner {
            words.push_str(", which was made");
        } else if let (false, Some(increase)) = (candidate.keeps_history, candidate.history_increase) {
            words.push_str(&format!(", which loses {} on history", text::percent(increase)));
        }
        words
    });
    let told: Vec<String> = told.collect();
    format!(
        "{} on {} train rows of the newest batch that no candidate learnt from: {}; {} for the standing version. Candidates \
         were fitted in a lighter way.",
        metric.label(),
        text::count(n_rows as u64),
        told.join("; "),
        text::number(standing.value)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers with these losses on the newest rows and this metric on the earlier ones.
    fn judged(kind: RemedyKind, losses: &[f64], history: f64) -> Judged {
        let value = losses.iter().sum::<f64>() / losses.len() as f64;
        let remedy = Remedy { kind, newest: None };
        Judged { remedy, value, losses: Some(losses.to_vec()), history: Some(history) }
    }

    fn trial(max_history_regression: &str, judged: &[Judged]) -> Trial {
        trial_where(true, max_history_regression, judged)
    }

    fn trial_where(recalibration_helps: bool, max_history_regression: &str, judged: &[Judged]) -> Trial {
        let text = format!(
            "name: m\ntask: binary\ntarget: {{column: y, classes: [a, b]}}\ncolumns: {{x: {{kind: number}}}}\n\
             promote: {{max_history_regression: {max_history_regression}}}\n"
        );
        let rows = || Batch::new(Vec::new(), None, None, 4);
        let exam = Exam { newest: rows(), history: Some(rows()) };
        let standing = self::judged(RemedyKind::All, &[1.0, 1.0, 1.0, 1.0], 1.0);
        decide(&Spec::parse(&text).unwrap(), &standing, judged, &exam, recalibration_helps).unwrap()
    }

    #[test]
    fn the_smallest_loss_wins_among_those_that_keep_history() {
        let all = judged(RemedyKind::All, &[0.9, 0.8, 0.9, 0.8], 1.02);
        let recent = judged(RemedyKind::Recent, &[0.4, 0.5, 0.4, 0.5], 1.5);
        let candidates = [all, recent];
        let strict = trial("0.10", &candidates);
        assert_eq!(strict.winner.kind, RemedyKind::All);
        assert_eq!(strict.candidates[1].history_increase, Some(0.5));
        assert!(strict.candidates[0].keeps_history && !strict.candidates[1].keeps_history);
        assert!(strict.reason.contains("which loses 50 % on history"), "{}", strict.reason);
        assert_eq!(trial("off", &candidates).winner.kind, RemedyKind::Recent);
        // Where all forget too much, the one that forgets least.
        assert_eq!(trial("0.01", &candidates).winner.kind, RemedyKind::All);
    }

    #[test]
    fn another_fit_must_surely_beat_recalibration() {
        let recalibrated = || judged(RemedyKind::Recalibrate, &[0.5, 0.7, 0.5, 0.7], 1.0);
        let hardly = || judged(RemedyKind::Weighted, &[0.2, 0.9, 0.2, 0.9], 1.0);
        assert_eq!(trial("0.10", &[recalibrated(), hardly()]).winner.kind, RemedyKind::Recalibrate);
        let where_it_does_nothing = trial_where(false, "0.10", &[recalibrated(), hardly()]);
        assert_eq!(where_it_does_nothing.winner.kind, RemedyKind::Weighted);
        let clearly = judged(RemedyKind::Weighted, &[0.4, 0.61, 0.4, 0.61], 1.0);
        let trial = trial("0.10", &[recalibrated(), clearly]);
        assert_eq!(trial.winner.kind, RemedyKind::Weighted);
        assert!((trial.candidates[1].gain.unwrap() - 0.495).abs() < 1e-12);
    }

    #[test]
    fn what_forgets_must_surely_beat_what_does_not() {
        let all = || judged(RemedyKind::All, &[0.5, 0.7, 0.5, 0.7], 1.0);
        let hardly = judged(RemedyKind::Recent, &[0.2, 0.9, 0.2, 0.9], 1.0);
        assert_eq!(trial("0.10", &[all(), hardly]).winner.kind, RemedyKind::All);
        let clearly = judged(RemedyKind::Recent, &[0.4, 0.61, 0.4, 0.61], 1.0);
        assert_eq!(trial("0.10", &[all(), clearly]).winner.kind, RemedyKind::Recent);
    }

    #[test]
    fn metrics_that_are_no_mean_are_compared_as_they_are() {
        let without = |kind, value| Judged { losses: None, value, ..judged(kind, &[0.0], 1.0) };
        let (recalibrated, all) = (without(RemedyKind::Recalibrate, 0.7), without(RemedyKind::All, 0.7));
        assert_eq!(trial("off", &[all, recalibrated]).winner.kind, RemedyKind::Recalibrate);
        let better = [without(RemedyKind::Recalibrate, 0.7), without(RemedyKind::All, 0.6)];
        let trial = trial("off", &better);
        assert_eq!((trial.winner.kind, trial.candidates[0].gain), (RemedyKind::All, None));
    }
}
