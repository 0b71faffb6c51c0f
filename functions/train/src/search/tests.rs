//! Searches of small models: what is tried, what is chosen, and that it comes out the same again.

use std::collections::BTreeMap;
use std::sync::Mutex;

use spec::{BatchBuilder, Kind, Setting, Value};

use super::*;

/// A small binary task with one kind of networks; `search` and more stand under `train`.
fn spec(train: &str) -> Arc<Spec> {
    let text = format!(
        "name: s\ntask: binary\ntarget: {{column: y, classes: [low, high]}}\ncolumns: {{x: {{kind: number}}, z: {{kind: \
         number}}}}\ntrain: {{kinds: [coarse], members: 2, bins: 16, {train}}}\n"
    );
    Arc::new(Spec::parse(&text).unwrap())
}

fn rows(n_rows: usize) -> Batch {
    let mut builder = BatchBuilder::new([Kind::Number; 2], Some(Kind::Category), false);
    for row in 0..n_rows {
        let (x, z) = ((row * 37 % 101) as f64 / 10.0, (row * 53 % 97) as f64 / 10.0);
        let noise = (row * 29 % 31) as f64 / 10.0;
        let label = if x * x / 10.0 + z + noise > 8.5 { "high" } else { "low" };
        builder.push(&[Value::Number(x), Value::Number(z)], &Value::Level(label.to_owned()), f64::NAN);
    }
    builder.finish()
}

/// What was measured, by trial and fold, and after how many new ones to stop.
#[derive(Default)]
struct Kept {
    measured: Mutex<BTreeMap<(usize, usize), Measured>>,
    ends_at: Option<usize>,
}

impl TrialKeeper for Kept {
    fn find(&self, trial: usize, fold: usize) -> Result<Option<Measured>, Error> {
        Ok(self.measured.lock().unwrap().get(&(trial, fold)).cloned())
    }

    fn keep(&self, trial: usize, fold: usize, measured: &Measured) -> Result<(), Error> {
        let before = self.measured.lock().unwrap().insert((trial, fold), measured.clone());
        assert_eq!(before, None, "nothing is measured twice");
        Ok(())
    }

    fn hear(&self, _: usize, _: usize) -> ControlFlow<()> {
        let ends = self.ends_at.is_some_and(|at| self.measured.lock().unwrap().len() >= at);
        if ends { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

#[test]
fn a_trial_changes_only_what_the_spec_leaves_open() {
    let spec = spec("hidden: 16, dropout: 0.1, search: {trials: 9}");
    let mut changed = std::collections::HashSet::new();
    for trial in 1..200 {
        let settings = Settings::draw(&spec, 1_000, 1_000, trial);
        assert_eq!(settings, Settings::draw(&spec, 1_000, 1_000, trial));
        assert_ne!(settings, Settings::default());
        changed.extend(settings.entries().into_iter().map(|(setting, _)| setting));
        // What is drawn is what a spec may say.
        let entries: Vec<String> = settings.entries().iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let written = format!("members: 2, {}", entries.join(", "));
        let text = spec.text().replace("members: 2, bins: 16, hidden: 16, dropout: 0.1", &written);
        let read = Spec::parse(&text.replace(", search: {trials: 9}", "")).unwrap();
        let over = settings.over(&spec.train);
        assert_eq!(settings.over(&read.train).learning_rate, over.learning_rate);
        assert_eq!((over.hidden, over.dropout, over.bins, &over.kinds), (16, Some(0.1), 16, &spec.train.kinds));
        assert!(over.weight_decay.is_none_or(|decay| (0.003..=0.5).contains(&decay)));
        assert!(over.epochs.is_none_or(|epochs| (1..=120).contains(&epochs)));
    }
    let open = [Setting::Epochs, Setting::LearningRate, Setting::WeightDecay, Setting::LabelSmoothing];
    assert_eq!(changed, open.into());
    let of_sample = (1..50).map(|trial| Settings::draw(&spec, 1_000, 500, trial));
    assert!(of_sample.clone().all(|settings| settings.epochs.is_none() && settings != Settings::default()));
}

/// A run whose trials have these figures, by fold.
fn run<'a>(spec: &'a Arc<Spec>, rows: &Batch, figures: &[&[f64]]) -> Run<'a> {
    let mut run = Run::new(spec, rows, &NoTrialKeeper);
    for folds in figures {
        run.begin(Settings::default());
        run.trials.last_mut().unwrap().folds = folds.to_vec();
    }
    run
}

#[test]
fn the_best_third_climbs() {
    let (spec, rows) = (spec("search: {trials: 9}"), rows(50));
    let all: &[f64] = &[0.5; 5];
    let next = |figures: &[&[f64]], least| run(&spec, &rows, figures).next_to_climb(least);
    assert_eq!(next(&[all, &[0.1], &[0.2]], 0), None, "of two trials none is the best third");
    assert_eq!(next(&[all, &[0.1], &[0.2]], 1), Some((1, 1)), "unless nothing else comes");
    assert_eq!(next(&[all, &[0.3], &[0.2], &[0.4]], 0), Some((2, 1)));
    assert_eq!(next(&[all, &[0.3], &[0.2, 0.9], &[0.4]], 0), None, "it has climbed");
    assert_eq!(next(&[all, &[0.3], &[0.2, 0.9], &[0.4]], 1), Some((2, 2)), "and climbs on when nothing else comes");
    // Three on the second rung: the best of their means climbs first, before one from below.
    let figures: &[&[f64]] =
        &[all, &[0.3, 0.3], &[0.2, 0.9], &[0.4, 0.1], &[0.6], &[0.7], &[0.7], &[0.7], &[0.1], &[0.8]];
    assert_eq!(next(figures, 0), Some((3, 2)));
    let mut failed = run(&spec, &rows, &[all, &[0.1], &[0.2], &[0.3], &[0.4]]);
    failed.trials[1].state = TrialState::Failed;
    assert_eq!(failed.next_to_climb(0), Some((2, 1)));
}

#[test]
fn another_trial_is_chosen_only_for_a_better_mean() {
    let (spec, rows) = (spec("search: {trials: 9}"), rows(50));
    let chosen = |figures: &[&[f64]]| {
        let found = run(&spec, &rows, figures).finish();
        (found.chosen, found.difference)
    };
    let default: &[f64] = &[0.5, 0.5, 0.5, 0.5, 0.5];
    assert_eq!(chosen(&[default, default, &[0.1, 0.1]]), (0, None), "equal, and not measured on all folds");
    let (trial, difference) = chosen(&[default, &[0.6, 0.4, 0.4, 0.4, 0.4], &[0.4, 0.6, 0.4, 0.5, 0.4]]);
    let difference = difference.unwrap();
    assert_eq!(trial, 1);
    assert!((difference.mean + 0.06).abs() < 1e-12 && (difference.standard_error.unwrap() - 0.04).abs() < 1e-12);
}

#[test]
fn seconds_find_what_as_many_trials_find() {
    let rows = rows(240);
    let by_seconds = Search::of(&spec("epochs: 4, hidden: 8, search: {seconds: 1}"), &rows, &NoTrialKeeper);
    let by_seconds = by_seconds.unwrap().unwrap();
    let n_trials = by_seconds.trials.len();
    let counted = spec(&format!("epochs: 4, hidden: 8, search: {{trials: {n_trials}}}"));
    let by_trials = Search::of(&counted, &rows, &NoTrialKeeper).unwrap().unwrap();
    assert_eq!(by_trials.to_bytes(), by_seconds.to_bytes());
    assert_eq!(by_trials.settled(&counted).train.hidden, 8);
}

#[test]
fn an_interrupted_search_goes_on_where_it_was() {
    let (spec, rows) = (spec("epochs: 3, hidden: 8, search: {trials: 4}"), rows(200));
    let undisturbed = Search::of(&spec, &rows, &NoTrialKeeper).unwrap().unwrap();
    assert_eq!(undisturbed.trials.len(), 4);
    assert_eq!((undisturbed.rungs.as_slice(), undisturbed.rows), ([1, 2, 5].as_slice(), 200));
    let counts: Vec<usize> = undisturbed.trials.iter().map(|trial| trial.folds.len()).collect();
    let mut climbed = counts[1..].to_vec();
    climbed.sort_unstable();
    assert_eq!((counts[0], climbed), (5, vec![1, 1, 5]), "{undisturbed:?}");
    let mut kept = Kept::default();
    for ends_at in [2, 6, 9] {
        kept.ends_at = Some(ends_at);
        let stopped = Search::of(&spec, &rows, &kept).unwrap_err();
        assert!(stopped.may_pass(), "{stopped}");
        assert_eq!(kept.measured.lock().unwrap().len(), ends_at);
    }
    kept.ends_at = None;
    let resumed = Search::of(&spec, &rows, &kept).unwrap().unwrap();
    assert_eq!(resumed, undisturbed);
    // A search by seconds counts those of before the interruption.
    let spent: f64 = kept.measured.lock().unwrap().values().map(|measured| measured.seconds).sum();
    assert!(spent > 0.0);
    kept.measured.lock().unwrap().get_mut(&(0, 0)).unwrap().seconds = 1e9;
    let over = self::spec("epochs: 3, hidden: 8, search: {seconds: 9}");
    assert_eq!(Search::of(&over, &rows, &kept).unwrap().unwrap().trials.len(), 1, "only the defaults");
}

#[test]
fn settings_that_diverge_are_failed_trials_and_no_error() {
    let (spec, rows) = (spec("epochs: 2, hidden: 8, search: {trials: 3}"), rows(120));
    let kept = Kept::default();
    let bad = Measured { value: Err("the fit diverged".to_owned()), seconds: 0.1 };
    kept.measured.lock().unwrap().insert((2, 0), bad);
    let found = Search::of(&spec, &rows, &kept).unwrap().unwrap();
    assert_eq!((found.trials[2].state, found.trials[2].mean), (TrialState::Failed, None));
    assert_eq!(found.trials[1].state, TrialState::Completed, "the one that is left is held against the defaults");
    let undefined = Measured { value: Err("fold 1 of 5 of the train rows has no `log_loss`".to_owned()), seconds: 0.1 };
    kept.measured.lock().unwrap().insert((0, 0), undefined);
    let error = Search::of(&spec, &rows, &kept).unwrap_err().to_string();
    assert!(error.contains("log_loss") && error.contains("fold 1 of 5"), "{error}");
}
