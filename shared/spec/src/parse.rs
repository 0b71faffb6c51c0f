//! From the text of a spec file to a [`Spec`] that holds together.

use std::ops::Deref;

use indexmap::IndexMap;
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use crate::check::check;
use crate::derive::Derivations;
use crate::document::{Document, suggestion};
use crate::error::{Error, SpecError};
use crate::sections::{Column, Kind, Metric, Sections, Setting, Space, Task, Train, Transform};
use crate::split::Splitter;

/// A model's spec: read, checked and resolved. One that exists holds together.
///
/// The sections are read through `Deref`: `spec.columns`, `spec.train.seed`.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    sections: Sections,
    text: String,
    hash: String,
    derivations: Derivations,
    open_settings: Vec<Setting>,
}

/// One input of the network: a raw column or a derived one.
#[derive(Clone, Debug, PartialEq)]
pub struct Feature<'a> {
    /// Its name in the spec.
    pub name: &'a str,
    /// Its kind: number, category or boolean.
    pub kind: Kind,
    /// Where its cells come from.
    pub origin: Origin,
    /// Levels with a place of their own; of a category.
    pub max_levels: Option<usize>,
}

/// Where a feature's cells come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The raw column at this index.
    Raw(usize),
    /// The derived column at this index.
    Derived(usize),
}

impl Deref for Spec {
    type Target = Sections;

    fn deref(&self) -> &Sections {
        &self.sections
    }
}

impl Spec {
    /// Reads a spec file.
    ///
    /// # Errors
    /// [`Error::Spec`] with everything that is wrong, each with line, path and hint.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let document = Document::parse(text).map_err(|error| Error::Spec(vec![error]))?;
        let mut errors = Vec::new();
        let sections = decode(&document, &mut errors);
        if let Some(sections) = &sections {
            check(sections, &document, &mut errors);
        }
        errors.sort_by_key(|error| error.line);
        match sections {
            Some(sections) if errors.is_empty() => Ok(Self::new(sections, &document, text)),
            _ => Err(Error::Spec(errors)),
        }
    }

    fn new(mut sections: Sections, document: &Document, text: &str) -> Self {
        if sections.task == Task::Binary && sections.target.positive.is_none() {
            sections.target.positive = sections.target.classes.get(1).cloned();
        }
        let open_settings = open_settings(document, sections.task);
        let mut canonical = serde_json::to_vec(&sections).unwrap_or_default();
        if sections.train.search.is_some() {
            // A default that is said is fixed, and one that is not may be searched: two specs, though they read alike.
            canonical.extend(serde_json::to_vec(&open_settings).unwrap_or_default());
        }
        let hash = hex::encode(Sha256::digest(canonical));
        let derivations = Derivations::resolve(&sections.derive, &sections.columns);
        Self { sections, text: text.to_owned(), hash, derivations, open_settings }
    }

    /// The file's text as it was read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 of what the spec says, in hex: comments, order of sections and white space do not count.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The settings under `train` that the spec does not say and that do something for its task: a search may choose them.
    pub fn open_settings(&self) -> &[Setting] {
        &self.open_settings
    }

    /// This spec with other settings of a fit, for a trial. Text and hash stay those of the file: they name what was asked
    /// for, not what was tried.
    pub fn with_train(&self, train: Train) -> Self {
        let sections = Sections { train, ..self.sections.clone() };
        Self { sections, ..self.clone() }
    }

    /// The derived columns, ready to run.
    pub fn derivations(&self) -> &Derivations {
        &self.derivations
    }

    /// The inputs of the network in their order: raw columns (times aside), then derived ones.
    pub fn features(&self) -> Vec<Feature<'_>> {
        let raw = self.columns.iter().enumerate().filter(|(_, (_, column))| column.kind != Kind::Time).map(
            |(index, (name, column))| Feature {
                name,
                kind: column.kind,
                origin: Origin::Raw(index),
                max_levels: column.max_levels,
            },
        );
        let derived = self.derive.iter().enumerate().map(|(index, (name, derive))| Feature {
            name,
            kind: derive.kind(),
            origin: Origin::Derived(index),
            max_levels: None,
        });
        raw.chain(derived).collect()
    }

    /// What champion and challenger are compared by.
    pub fn metric(&self) -> Metric {
        self.train.metric.unwrap_or(match (self.task, self.target.transform) {
            (Task::Regression, Transform::Log) => Metric::MaeLog,
            (Task::Regression, Transform::Auto | Transform::None) => Metric::Rmse,
            _ => Metric::LogLoss,
        })
    }

    /// Units of explanations when none are asked for.
    pub fn space(&self) -> Space {
        self.serve.explain.space.unwrap_or(if self.task == Task::Regression {
            Space::Target
        } else {
            Space::Probability
        })
    }

    /// Index among the classes of the one whose probability a binary task answers.
    pub fn positive_index(&self) -> usize {
        let positive = self.target.positive.as_ref();
        self.target.classes.iter().position(|class| Some(class) == positive).unwrap_or(1)
    }

    /// The kind of the target column.
    pub fn target_kind(&self) -> Kind {
        if self.task == Task::Regression { Kind::Number } else { Kind::Category }
    }

    /// The band of an answer: of the positive class's probability, or of the predicted number.
    pub fn band(&self, value: f64) -> Option<&str> {
        self.serve
            .bands
            .iter()
            .find(|band| band.below.is_none_or(|below| value < below))
            .map(|band| band.label.as_str())
    }

    /// Decides which rows are hold-out.
    pub fn splitter(&self) -> Splitter {
        Splitter::new(self)
    }

    /// Whether two specs hold out the same rows: only versions with the same split may be compared.
    pub fn same_split(&self, other: &Spec) -> bool {
        let salt = |spec: &Spec| spec.split.salt.clone().unwrap_or_else(|| spec.name.clone());
        let columns = |spec: &Spec| match spec.split.columns.as_slice() {
            [] => spec.columns.keys().cloned().chain([spec.target.column.clone()]).collect(),
            columns => columns.to_vec(),
        };
        self.split.by == other.split.by
            && self.split.fraction == other.split.fraction
            && (self.split.by == crate::SplitBy::Time || (salt(self) == salt(other) && columns(self) == columns(other)))
            && self.time == other.time
    }

    /// JSON Schema of one row of inputs, as OpenAPI shows it.
    pub fn record_schema(&self) -> Json {
        let properties: Map<String, Json> =
            self.columns.iter().map(|(name, column)| (name.clone(), column_schema(column))).collect();
        let required: Vec<&String> =
            self.columns.iter().filter(|(_, column)| !column.nullable).map(|(name, _)| name).collect();
        json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
    }
}

fn column_schema(column: &Column) -> Json {
    let mut schema = Map::new();
    let kind = match column.kind {
        Kind::Number => "number",
        Kind::Boolean => "boolean",
        Kind::Category | Kind::Time => "string",
    };
    schema.insert("type".to_owned(), if column.nullable { json!([kind, "null"]) } else { json!(kind) });
    if let Some((low, high)) = column.range {
        schema.insert("minimum".to_owned(), json!(low));
        schema.insert("maximum".to_owned(), json!(high));
    }
    if !column.allowed.is_empty() {
        let mut allowed: Vec<Json> = column.allowed.iter().map(|level| json!(level)).collect();
        if column.nullable {
            allowed.push(Json::Null);
        }
        schema.insert("enum".to_owned(), Json::Array(allowed));
    }
    if column.kind == Kind::Time {
        schema.insert("format".to_owned(), json!("date-time"));
    }
    let about: Vec<String> = [column.description.clone(), column.unit.as_ref().map(|unit| format!("in {unit}"))]
        .into_iter()
        .flatten()
        .collect();
    if !about.is_empty() {
        schema.insert("description".to_owned(), json!(about.join(", ")));
    }
    Json::Object(schema)
}

/// The settings of a fit that a document does not say and that do something for the task.
pub(crate) fn open_settings(document: &Document, task: Task) -> Vec<Setting> {
    let is_said =
        |setting: &Setting| document.value.pointer(&format!("/train/{setting}")).is_some_and(|said| !said.is_null());
    Setting::ALL.into_iter().filter(|setting| setting.fits(task) && !is_said(setting)).collect()
}

/// JSON Schema of spec files, as a document.
pub fn json_schema() -> Json {
    schemars::schema_for!(Sections).to_value()
}

/// Reads section by section, and column by column, so that one mistake does not hide the next.
fn decode(document: &Document, errors: &mut Vec<SpecError>) -> Option<Sections> {
    const KEYS: [&str; 14] = [
        "name",
        "description",
        "task",
        "target",
        "time",
        "source",
        "columns",
        "derive",
        "drop",
        "rules",
        "split",
        "drift",
        "train",
        "promote",
    ];
    let Json::Object(map) = &document.value else {
        errors.push(document.error("", "a spec is a mapping", "Start with `name: ..`"));
        return None;
    };
    for key in map.keys().filter(|key| !KEYS.contains(&key.as_str()) && *key != "serve") {
        let known = KEYS.into_iter().chain(["serve"]);
        errors.push(document.error(
            &format!("/{}", fault::pointer_token(key)),
            format!("unknown key `{key}`"),
            suggestion(key, known),
        ));
    }
    for (key, hint) in [
        ("name", "Add `name: my-model`"),
        ("task", "Add `task: binary`, `multiclass` or `regression`"),
        ("target", "Add `target: {column: ..}`"),
        ("columns", "Add `columns:` with one entry for each input column"),
    ] {
        if !map.contains_key(key) {
            errors.push(document.error("", format!("`{key}` is missing"), hint));
        }
    }
    let section = Section { document, map };
    let name = section.required("name", errors);
    let description = section.optional("description", errors);
    let task = section.required("task", errors);
    let target = section.required("target", errors);
    let time = section.optional("time", errors);
    let source = section.optional("source", errors);
    let columns = section.entries("columns", errors);
    let derive = section.entries("derive", errors);
    let drop = section.optional("drop", errors);
    let rules = section.optional("rules", errors);
    let split = section.optional("split", errors);
    let drift = section.optional("drift", errors);
    let train = section.optional("train", errors);
    let promote = section.optional("promote", errors);
    let serve = section.optional("serve", errors);
    Some(Sections {
        name: name?,
        description,
        task: task?,
        target: target?,
        time,
        source,
        columns,
        derive,
        drop: drop.unwrap_or_default(),
        rules: rules.unwrap_or_default(),
        split: split.unwrap_or_default(),
        drift: drift.unwrap_or_default(),
        train: train.unwrap_or_default(),
        promote: promote.unwrap_or_default(),
        serve: serve.unwrap_or_default(),
    })
}

struct Section<'a> {
    document: &'a Document,
    map: &'a Map<String, Json>,
}

impl Section<'_> {
    fn required<T: serde::de::DeserializeOwned>(&self, key: &str, errors: &mut Vec<SpecError>) -> Option<T> {
        self.map.get(key).and_then(|value| self.document.decode(value, &format!("/{key}"), errors))
    }

    fn optional<T: serde::de::DeserializeOwned>(&self, key: &str, errors: &mut Vec<SpecError>) -> Option<T> {
        self.required(key, errors)
    }

    fn entries<T: serde::de::DeserializeOwned>(&self, key: &str, errors: &mut Vec<SpecError>) -> IndexMap<String, T> {
        let pointer = format!("/{key}");
        match self.map.get(key) {
            None => IndexMap::new(),
            Some(Json::Object(map)) => map
                .iter()
                .filter_map(|(name, value)| {
                    let pointer = format!("{pointer}/{}", fault::pointer_token(name));
                    Some((name.clone(), self.document.decode(value, &pointer, errors)?))
                })
                .collect(),
            Some(_) => {
                errors.push(self.document.error(&pointer, "this is a mapping of names", "Write `name: {..}` for each"));
                IndexMap::new()
            }
        }
    }
}
