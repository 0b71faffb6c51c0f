//! Contradictions in what a fit, a promotion and a search are to do.

use fault::pointer_token;

use super::Check;
use crate::document::suggestion;
use crate::parse::open_settings;
use crate::sections::{ClassWeight, Metric, RemedyKind, Task};

impl Check<'_> {
    pub(super) fn train(&mut self) {
        let (task, train) = (self.spec.task, &self.spec.train);
        if let Some(metric) = train.metric
            && !(metric.fits(task) && metric.compares_versions())
        {
            let comparing = Metric::of(task).into_iter().filter(|metric| metric.compares_versions());
            let hint = suggestion(metric.name(), comparing.map(Metric::name));
            self.error("/train/metric", format!("`{metric}` does not compare versions of this task"), hint);
        }
        if !(1..=64).contains(&train.members) {
            self.error("/train/members", "the bag is of no sensible size", "Write 1 to 64");
        }
        if !(1..=4096).contains(&train.hidden) {
            self.error("/train/hidden", "the layer is of no sensible width", "Write 1 to 4096");
        }
        if !(1..=1024).contains(&train.bins) {
            self.error("/train/bins", "the curve is of no sensible detail", "Write 1 to 1024");
        }
        if train.epochs.is_some_and(|epochs| !(1..=10_000).contains(&epochs)) {
            self.error("/train/epochs", "no fit has so many epochs", "Write 1 to 10000");
        }
        if train.batch_rows.is_some_and(|rows| !(1..=65_536).contains(&rows)) {
            self.error("/train/batch_rows", "the step is of no sensible size", "Write 1 to 65536");
        }
        if !(train.learning_rate > 0.0 && train.learning_rate.is_finite()) {
            self.error("/train/learning_rate", "nothing is learnt at this rate", "Write a number above 0");
        }
        if train.weight_decay.is_some_and(|decay| !(decay >= 0.0 && decay.is_finite())) {
            self.error("/train/weight_decay", "weights cannot decay like this", "Write a number from 0");
        }
        if train.kinds.is_empty() || (1..train.kinds.len()).any(|end| train.kinds[..end].contains(&train.kinds[end])) {
            self.error("/train/kinds", "no kind of member is there, or one twice", "Name at least one, each once");
        }
        let remedies = &train.remedies;
        if remedies.is_empty() || (1..remedies.len()).any(|end| remedies[..end].contains(&remedies[end])) {
            let hint = "Name recalibrate, all, weighted or recent, each once";
            self.error("/train/remedies", "no remedy is there, or one twice", hint);
        }
        if remedies.as_slice() == [RemedyKind::Recalibrate] {
            let hint = "Add all, weighted or recent: the first version has nothing to calibrate";
            self.error("/train/remedies", "no network is ever fitted", hint);
        }
        let shares = [
            ("/train/distillation", train.distillation),
            ("/train/dropout", train.dropout),
            ("/train/label_smoothing", train.label_smoothing),
        ];
        for (pointer, share) in shares {
            if share.is_some_and(|share| !(0.0..1.0).contains(&share)) {
                self.error(pointer, "it is not a share that leaves anything", "Write a number from 0 and below 1");
            }
        }
        if train.budget_s == 0 {
            self.error("/train/budget_s", "no fit ends in no time", "Write a number of seconds");
        }
    }

    pub(super) fn promote(&mut self) {
        let (task, promote) = (self.spec.task, &self.spec.promote);
        for metric in promote.floors.keys().filter(|metric| !metric.fits(task)) {
            let hint = suggestion(metric.name(), Metric::of(task).into_iter().map(Metric::name));
            self.error(format!("/promote/floors/{metric}"), format!("this task has no `{metric}`"), hint);
        }
        if promote.max_history_regression.limit().is_some_and(|limit| limit < 0.0) {
            let hint = "0.10 allows a tenth; off allows everything";
            self.error("/promote/max_history_regression", "the allowed increase is below zero", hint);
        }
        if !(0.0..1.0).contains(&promote.min_gain) {
            self.error(
                "/promote/min_gain",
                "it is not a share of the loss",
                "0.01 asks for a hundredth; 0 for any gain",
            );
        }
        if !(promote.confidence > 0.5 && promote.confidence < 1.0) {
            self.error("/promote/confidence", "the confidence is not between 0.5 and 1", "0.95 is usual");
        }
    }

    pub(super) fn weights(&mut self) {
        let spec = self.spec;
        if let Some(weight) = &spec.train.weight {
            let is = |what: &str| format!("`{weight}` is {what}, and says how much rows count");
            let elsewhere = if *weight == spec.target.column {
                Some(is("the target"))
            } else if spec.columns.contains_key(weight) {
                Some(is("an input"))
            } else if spec.derive.contains_key(weight) {
                Some(is("a derived column"))
            } else if spec.time.as_ref() == Some(weight) {
                Some(is("the order of rows"))
            } else if spec.drop.names().any(|dropped| dropped == weight) {
                Some(is("dropped"))
            } else {
                None
            };
            if let Some(message) = elsewhere {
                self.error("/train/weight", message, "Name a number column of the source that is nothing else");
            }
        }
        let Some(class_weight) = &spec.train.class_weight else { return };
        if spec.task == Task::Regression {
            self.error("/train/class_weight", "a regression has no classes", "Remove it, or use `weight: COLUMN`");
            return;
        }
        let ClassWeight::Of(weights) = class_weight else { return };
        for (class, weight) in weights {
            let pointer = format!("/train/class_weight/{}", pointer_token(class));
            if !spec.target.classes.contains(class) {
                let hint = suggestion(class, spec.target.classes.iter().map(String::as_str));
                self.error(pointer, format!("`{class}` is not one of the classes"), hint);
            } else if !(*weight > 0.0 && weight.is_finite()) {
                let hint = "Write a number above 0; a class that should not be learnt is no class";
                self.error(pointer, "nothing would be learnt of this class", hint);
            }
        }
    }

    pub(super) fn search(&mut self) {
        let Some(search) = self.spec.train.search else { return };
        match (search.trials, search.seconds) {
            (Some(trials), None) if !(1..=10_000).contains(&trials) => {
                self.error("/train/search/trials", "no search tries so many settings", "Write 1 to 10000");
            }
            (None, Some(0)) => self.error("/train/search/seconds", "nothing is found in no time", "Write 1 or more"),
            (Some(_), None) | (None, Some(_)) => {}
            (Some(_), Some(_)) => {
                self.error("/train/search", "it has two ends", "Keep `trials`, or keep `seconds`");
            }
            (None, None) => {
                self.error("/train/search", "it has no end", "Write {trials: 20} or {seconds: 600}");
            }
        }
        if open_settings(self.document, self.spec.task).is_empty() {
            let hint = "Remove `search`, or leave a setting such as `hidden` or `dropout` out";
            self.error("/train/search", "the spec says every setting: there is none to search", hint);
        }
    }
}
