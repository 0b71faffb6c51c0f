//! Contradictions that no single value shows.

mod learning;

use std::collections::HashSet;

use fault::pointer_token;

use crate::derive::Derive;
use crate::document::{Document, suggestion};
use crate::error::SpecError;
use crate::sections::{Kind, Sections, Space, SplitBy, Task, Threshold, Transform};

/// Notes every contradiction of a spec whose single values could be read.
pub(crate) fn check(spec: &Sections, document: &Document, errors: &mut Vec<SpecError>) {
    let mut check = Check { spec, document, errors };
    check.name();
    check.target();
    check.names_are_distinct();
    check.columns();
    check.derive();
    check.time_and_split();
    check.source();
    check.rules();
    check.drift();
    check.train();
    check.promote();
    check.weights();
    check.search();
    check.serve();
}

struct Check<'a> {
    spec: &'a Sections,
    document: &'a Document,
    errors: &'a mut Vec<SpecError>,
}

impl<'a> Check<'a> {
    fn error(&mut self, pointer: impl AsRef<str>, message: impl Into<String>, hint: impl Into<String>) {
        self.errors.push(self.document.error(pointer.as_ref(), message, hint));
    }

    fn raw_names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.spec.columns.keys().map(String::as_str)
    }

    fn name(&mut self) {
        let name = &self.spec.name;
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > 63 || !name.chars().all(fits) {
            let hint = "Use 1 to 63 lower-case letters, digits and dashes";
            self.error("/name", format!("`{name}` cannot be an address"), hint);
        }
    }

    fn target(&mut self) {
        let (task, target) = (self.spec.task, &self.spec.target);
        if task == Task::Regression {
            if !target.classes.is_empty() {
                self.error("/target/classes", "a regression has no classes", "Remove them, or change `task`");
            }
            if target.positive.is_some() {
                self.error("/target/positive", "a regression has no positive class", "Remove it, or change `task`");
            }
            return;
        }
        if target.transform != Transform::Auto {
            self.error("/target/transform", "classes have no logarithm", "Remove it, or use `task: regression`");
        }
        let distinct: HashSet<&String> = target.classes.iter().collect();
        if distinct.len() < target.classes.len() {
            self.error("/target/classes", "a class is named twice", "Name each once");
        }
        match (task, target.classes.len()) {
            (Task::Binary, 2) => {}
            (Task::Binary, n) => {
                self.error("/target", format!("a binary task has 2 classes, not {n}"), "Add `classes: [no, yes]`");
            }
            (_, n) if n < 3 => {
                let hint = "List at least 3, or use `task: binary`";
                self.error("/target", format!("a multiclass task has 3 classes or more, not {n}"), hint);
            }
            _ => {}
        }
        match &target.positive {
            Some(_) if task == Task::Multiclass => {
                self.error("/target/positive", "only a binary task has a positive class", "Remove it");
            }
            Some(positive) if !target.classes.contains(positive) => {
                let hint = suggestion(positive, target.classes.iter().map(String::as_str));
                self.error("/target/positive", format!("`{positive}` is not one of the classes"), hint);
            }
            _ => {}
        }
    }

    fn names_are_distinct(&mut self) {
        let spec = self.spec;
        if spec.columns.is_empty() {
            self.error("/columns", "there is no input column", "Add one entry for each input column");
        }
        if spec.columns.contains_key(&spec.target.column) {
            let pointer = format!("/columns/{}", pointer_token(&spec.target.column));
            self.error(pointer, "the target cannot be an input", "Remove it from `columns`");
        }
        for (index, name) in spec.drop.names().enumerate() {
            let pointer = match &spec.drop {
                crate::Drop::Names(_) => format!("/drop/{index}"),
                crate::Drop::Reasons(_) => format!("/drop/{}", pointer_token(name)),
            };
            if spec.columns.contains_key(name) {
                self.error(
                    pointer,
                    format!("`{name}` is dropped and an input"),
                    "Remove it from `drop` or from `columns`",
                );
            } else if name == spec.target.column {
                self.error(pointer, format!("`{name}` is dropped and the target"), "Remove it from `drop`");
            }
        }
        for name in spec.derive.keys() {
            if spec.columns.contains_key(name) || *name == spec.target.column {
                let pointer = format!("/derive/{}", pointer_token(name));
                self.error(pointer, format!("`{name}` is already a column"), "Give the derived column another name");
            }
        }
    }

    fn columns(&mut self) {
        for (name, column) in &self.spec.columns {
            let pointer = format!("/columns/{}", pointer_token(name));
            if let Some((low, high)) = column.range {
                if column.kind != Kind::Number {
                    self.error(format!("{pointer}/range"), format!("a {} has no range", column.kind), "Remove it");
                } else if low >= high {
                    self.error(format!("{pointer}/range"), "the range is empty", "Write [smallest, largest]");
                }
            }
            if !column.allowed.is_empty() && column.kind != Kind::Category {
                let hint = "Remove it, or use `kind: category`";
                self.error(format!("{pointer}/allowed"), format!("a {} has no list of levels", column.kind), hint);
            }
            let distinct: HashSet<&String> = column.allowed.iter().collect();
            if distinct.len() < column.allowed.len() {
                self.error(format!("{pointer}/allowed"), "a level is named twice", "Name each once");
            }
            if let Some(max_levels) = column.max_levels {
                if column.kind != Kind::Category {
                    let hint = "Remove it, or use `kind: category`";
                    self.error(format!("{pointer}/max_levels"), format!("a {} has no levels", column.kind), hint);
                } else if max_levels == 0 {
                    self.error(format!("{pointer}/max_levels"), "no level would be left", "Write 1 or more");
                }
            }
        }
    }

    fn derive(&mut self) {
        for (index, (name, derive)) in self.spec.derive.iter().enumerate() {
            let pointer = format!("/derive/{}", pointer_token(name));
            for input in derive.inputs() {
                let kind = match self.spec.columns.get(input) {
                    Some(column) => Some(column.kind),
                    None => self.spec.derive.get_index_of(input).filter(|at| *at < index).map(|at| {
                        let (_, derive) = self.spec.derive.get_index(at).unwrap_or((name, derive));
                        derive.kind()
                    }),
                };
                match kind {
                    None => {
                        let known = self.raw_names().chain(self.spec.derive.keys().take(index).map(String::as_str));
                        let hint = suggestion(input, known);
                        self.error(&pointer, format!("`{input}` is not a column that stands above"), hint);
                    }
                    Some(kind) if kind != derive.input_kind() => {
                        let message =
                            format!("`{input}` is a {kind}, and this operation needs a {}", derive.input_kind());
                        self.error(&pointer, message, "Name another column, or change its kind");
                    }
                    Some(_) => {}
                }
            }
            if derive.inputs().is_empty() {
                self.error(&pointer, "no column enters this operation", "Name at least one column");
            }
            if let Derive::Bucket(bucket) = derive
                && (bucket.edges.is_empty() || bucket.edges.windows(2).any(|pair| pair[0] >= pair[1]))
            {
                self.error(
                    format!("{pointer}/bucket/edges"),
                    "the edges do not rise",
                    "Write each edge once, smallest first",
                );
            }
        }
        let derived: HashSet<&str> = self.spec.derive.values().flat_map(Derive::inputs).collect();
        for (name, column) in &self.spec.columns {
            if column.kind == Kind::Time && !derived.contains(name.as_str()) {
                let hint = "Derive year, month or weekday from it, or name it in `time` alone";
                let pointer = format!("/columns/{}", pointer_token(name));
                self.error(pointer, "a time enters the network through derived columns only", hint);
            }
        }
    }

    fn time_and_split(&mut self) {
        let spec = self.spec;
        if let Some(time) = &spec.time {
            let kind = spec.columns.get(time).map(|column| column.kind);
            if *time == spec.target.column {
                self.error("/time", "the target cannot order the rows", "Name another column");
            } else if spec.derive.contains_key(time) {
                self.error("/time", "a derived column cannot order the rows", "Name a column of the source");
            } else if matches!(kind, Some(Kind::Category | Kind::Boolean)) {
                self.error("/time", format!("`{time}` has no order"), "Name a number or time column");
            }
        }
        if !(spec.split.fraction > 0.0 && spec.split.fraction < 1.0) {
            self.error("/split/fraction", "the fraction is not between 0 and 1", "0.2 holds out every fifth row");
        }
        if spec.split.by == SplitBy::Time {
            if spec.time.is_none() {
                self.error("/split/by", "a split by time needs an order of rows", "Add `time: COLUMN`");
            }
            if !spec.split.columns.is_empty() || spec.split.salt.is_some() {
                self.error("/split", "a split by time hashes nothing", "Remove `columns` and `salt`");
            }
        }
        for (index, name) in spec.split.columns.iter().enumerate() {
            if !spec.columns.contains_key(name) && *name != spec.target.column {
                let hint = suggestion(name, self.raw_names().chain([spec.target.column.as_str()]));
                self.error(format!("/split/columns/{index}"), format!("`{name}` is not a column of rows"), hint);
            }
        }
    }

    fn source(&mut self) {
        let Some(source) = &self.spec.source else { return };
        match (&source.http, &source.files) {
            (Some(_), Some(_)) => {
                self.error("/source", "batches come from one place, and there are two", "Keep `http` or `files`");
            }
            (None, None) => self.error("/source", "it is not said where batches come from", "Add `http` or `files`"),
            _ => {}
        }
        if let Some(http) = &source.http {
            if !(http.url.starts_with("http://") || http.url.starts_with("https://")) {
                self.error("/source/http/url", "this is not an HTTP address", "Start with http:// or https://");
            }
            let pattern = http.exhausted.as_ref().and_then(|exhausted| exhausted.pattern.as_ref());
            if let Some(Err(error)) = pattern.map(|pattern| regex::Regex::new(pattern)) {
                let reason = error.to_string().lines().last().unwrap_or_default().to_owned();
                self.error("/source/http/exhausted/match", "this is not a regular expression", reason);
            }
        }
        let mut ours = HashSet::new();
        for (theirs, name) in &source.rename {
            let pointer = format!("/source/rename/{}", pointer_token(theirs));
            if !ours.insert(name) {
                self.error(pointer, format!("two columns are renamed to `{name}`"), "Rename each to a name of its own");
                continue;
            }
            let spec = self.spec;
            let known = spec.columns.contains_key(name)
                || *name == spec.target.column
                || spec.time.as_ref() == Some(name)
                || spec.train.weight.as_ref() == Some(name)
                || spec.drop.names().any(|dropped| dropped == name);
            if !known {
                let hint = suggestion(name, self.raw_names().chain([spec.target.column.as_str()]));
                self.error(pointer, format!("`{name}` is not a column of this spec"), hint);
            }
        }
    }

    fn rules(&mut self) {
        for (index, rule) in self.spec.rules.iter().enumerate() {
            let spec = self.spec;
            let kind = spec.columns.get(&rule.column).map(|column| column.kind);
            let is_target = rule.column == spec.target.column;
            let pointer = format!("/rules/{index}/column");
            if is_target && spec.task != Task::Regression || kind.is_some_and(|kind| kind != Kind::Number) {
                self.error(pointer, format!("`{}` is not a number", rule.column), "Name a number column");
            } else if kind.is_none() && !is_target {
                let hint = suggestion(&rule.column, self.raw_names().chain([spec.target.column.as_str()]));
                self.error(pointer, format!("`{}` is not a column of rows", rule.column), hint);
            }
            if rule.between.0 >= rule.between.1 {
                self.error(format!("/rules/{index}/between"), "the range is empty", "Write [smallest, largest]");
            }
        }
    }

    fn drift(&mut self) {
        for (name, column) in &self.spec.drift.columns {
            let pointer = format!("/drift/columns/{}", pointer_token(name));
            if !self.spec.columns.contains_key(name) && *name != self.spec.target.column {
                let hint = suggestion(name, self.raw_names().chain([self.spec.target.column.as_str()]));
                self.error(&pointer, format!("`{name}` is not a column of rows"), hint);
            }
            if column.effect <= 0.0 {
                self.error(format!("{pointer}/effect"), "every batch would drift", "Write an effect above 0");
            }
        }
    }

    fn serve(&mut self) {
        let (task, serve) = (self.spec.task, &self.spec.serve);
        if !(serve.interval > 0.0 && serve.interval < 1.0) {
            self.error("/serve/interval", "it is not a share of rows", "Write a number between 0 and 1");
        }
        if task == Task::Multiclass && !serve.bands.is_empty() {
            self.error("/serve/bands", "several classes have no single number to band", "Remove them");
        }
        let ends: Vec<f64> = serve.bands.iter().filter_map(|band| band.below).collect();
        let open = serve.bands.iter().position(|band| band.below.is_none());
        if ends.windows(2).any(|pair| pair[0] >= pair[1]) {
            self.error("/serve/bands", "the ends do not rise", "Write the lowest band first");
        }
        if !serve.bands.is_empty() && open != Some(serve.bands.len() - 1) {
            self.error("/serve/bands", "the last band, and only it, is open above", "Leave out its `below`");
        }
        match (task, serve.threshold) {
            (Task::Binary, _) => {}
            (_, threshold) if threshold.is_default() => {}
            (Task::Multiclass, Threshold::Best(_)) => {}
            (Task::Multiclass, _) => {
                self.error("/serve/threshold", "several classes have no single threshold", "Write f1, or remove it");
            }
            (Task::Regression, _) => self.error("/serve/threshold", "a number has no threshold", "Remove it"),
        }
        match serve.threshold {
            Threshold::At(at) if !(at > 0.0 && at < 1.0) => {
                self.error("/serve/threshold", "the threshold is not between 0 and 1", "0.5 calls the likelier class");
            }
            Threshold::Costs { costs } => {
                for (name, cost) in [("false_positive", costs.false_positive), ("false_negative", costs.false_negative)]
                {
                    if cost <= 0.0 {
                        let hint = "Write what it costs, in any unit: only the ratio of both matters";
                        self.error(format!("/serve/threshold/costs/{name}"), "a wrong answer costs something", hint);
                    }
                }
            }
            Threshold::At(_) | Threshold::Best(_) => {}
        }
        let fits = match serve.explain.space {
            Some(Space::Target) => task == Task::Regression,
            Some(Space::Probability | Space::Logit) => task != Task::Regression,
            None => true,
        };
        if !fits {
            let hint = if task == Task::Regression { "Write target" } else { "Write probability or logit" };
            self.error("/serve/explain/space", "this task has no such units", hint);
        }
        if serve.explain.background == 0 {
            self.error(
                "/serve/explain/background",
                "an explanation needs something to compare with",
                "Write 1 or more",
            );
        }
        if serve.explain.deadline_ms == 0 {
            self.error("/serve/explain/deadline_ms", "an explanation needs some time", "Write 1 or more milliseconds");
        }
    }
}
