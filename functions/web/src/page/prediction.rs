//! The form and what it is answered with.

use maud::{Markup, html};
use serde_json::Value;
use spec::{Column, Kind, Spec};

use super::{badge, waterfall};
use crate::form::{Fields, pointer};
use crate::load::Story;
use crate::neighbours::{Explained, Failure, Predicted, Prediction};
use crate::text;

/// What the neighbours said to the form.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) predicted: Result<Predicted, Failure>,
    pub(crate) explained: Result<Explained, Failure>,
}

impl Reply {
    /// Whether a field is wrong.
    pub(crate) fn is_refused(&self) -> bool {
        self.failures().any(|failure| !failure.fields.is_empty())
    }

    /// What is wrong in the place that a JSON pointer names. Both neighbours check alike, so the first that says it counts.
    fn error_at(&self, pointer: &str) -> Option<&str> {
        let mut fields = self.failures().flat_map(|failure| &failure.fields);
        fields.find(|field| field.pointer == pointer).map(|field| field.detail.as_str())
    }

    fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.predicted.as_ref().err().into_iter().chain(self.explained.as_ref().err())
    }
}

/// Said where production moved while the form was answered.
const MOVED: &str = "Production moved between the two answers, so prediction and explanation are of different versions: send \
                     the form again.";

/// The section with the form and, below it, the answer.
pub(super) fn section(story: &Story, fields: &Fields, reply: Option<&Reply>) -> Markup {
    html! {
        section class="card" id="predict" {
            h2 { "Predict and explain" }
            @match story.spec.as_deref().filter(|_| story.production().is_some()) {
                None => p { "There is no form before the first promotion: nothing could answer it." },
                Some(spec) => {
                    (form(&story.name, spec, fields, reply))
                    @if let Some(reply) = reply { (answer(spec, fields, reply)) }
                }
            }
        }
    }
}

fn form(model: &str, spec: &Spec, fields: &Fields, reply: Option<&Reply>) -> Markup {
    let query = fields.query(spec);
    let is_refused = reply.is_some_and(Reply::is_refused);
    html! {
        @if is_refused {
            div class="notice bad" role="alert" {
                strong { "Some fields are wrong; it says so beside them." }
                ul { @for detail in elsewhere(spec, reply) { li { (detail) } } }
            }
        }
        form method="post" action={ "/models/" (model) "/form#predict" } {
            div class="fields" {
                @for (index, (name, column)) in spec.columns.iter().enumerate() {
                    @let error = reply.and_then(|reply| reply.error_at(&pointer(name)));
                    (field(index, name, column, fields.get(name), error))
                }
            }
            div class="actions" {
                button type="submit" { "Predict and explain" }
                @if !query.is_empty() {
                    a href={ "/models/" (model) "?" (query) "#predict" } { "Link to this form as filled" }
                }
            }
        }
    }
}

/// Errors of places that have no field.
fn elsewhere<'a>(spec: &Spec, reply: Option<&'a Reply>) -> Vec<&'a str> {
    let pointers: Vec<String> = spec.columns.keys().map(|name| pointer(name)).collect();
    let fields = reply.into_iter().flat_map(Reply::failures).flat_map(|failure| &failure.fields);
    let mut details: Vec<&str> =
        fields.filter(|field| !pointers.contains(&field.pointer)).map(|field| field.detail.as_str()).collect();
    details.dedup();
    details
}

fn field(index: usize, name: &str, column: &Column, text: &str, error: Option<&str>) -> Markup {
    let id = format!("field-{index}");
    let hint = hint(column);
    let described: Vec<String> = [(hint.is_some(), "hint"), (error.is_some(), "error")]
        .into_iter()
        .filter(|(is_there, _)| *is_there)
        .map(|(_, what)| format!("{id}-{what}"))
        .collect();
    let attributes = Attributes {
        id: &id,
        name,
        described: (!described.is_empty()).then(|| described.join(" ")),
        is_invalid: error.is_some(),
        is_required: !column.nullable,
    };
    html! {
        div class="field" {
            label for=(id) {
                (name)
                @if let Some(unit) = &column.unit { " " span class="unit" { "(" (unit) ")" } }
            }
            (control(&attributes, column, text))
            @if let Some(hint) = hint { div class="hint" id={ (id) "-hint" } { (hint) } }
            @if let Some(error) = error { div class="error" id={ (id) "-error" } { (error) } }
        }
    }
}

/// What every control has, whatever its kind.
struct Attributes<'a> {
    id: &'a str,
    name: &'a str,
    described: Option<String>,
    is_invalid: bool,
    is_required: bool,
}

fn control(attributes: &Attributes<'_>, column: &Column, text: &str) -> Markup {
    let booleans = ["false".to_owned(), "true".to_owned()];
    match column.kind {
        Kind::Boolean => select(attributes, &booleans, text),
        Kind::Category if !column.allowed.is_empty() => select(attributes, &column.allowed, text),
        Kind::Category => input(attributes, "text", None, text),
        Kind::Number => input(attributes, "number", column.range, text),
        // A browser empties a date input whose value is no plain date, and a date-time is right here, too.
        Kind::Time if text.is_empty() || is_date(text) => input(attributes, "date", None, text),
        Kind::Time => input(attributes, "text", None, text),
    }
}

fn input(attributes: &Attributes<'_>, kind: &str, range: Option<(f64, f64)>, text: &str) -> Markup {
    let is_number = kind == "number";
    html! {
        input id=(attributes.id) name=(attributes.name) type=(kind) value=(text)
            min=[range.map(|range| range.0)] max=[range.map(|range| range.1)] step=[is_number.then_some("any")]
            required[attributes.is_required] autocomplete="off"
            aria-invalid=[attributes.is_invalid.then_some("true")] aria-describedby=[attributes.described.as_deref()];
    }
}

fn select(attributes: &Attributes<'_>, levels: &[String], text: &str) -> Markup {
    let is_known = levels.iter().any(|level| level == text);
    html! {
        select id=(attributes.id) name=(attributes.name) required[attributes.is_required]
            aria-invalid=[attributes.is_invalid.then_some("true")] aria-describedby=[attributes.described.as_deref()] {
            option value="" selected[text.is_empty()] { @if attributes.is_required { "choose" } @else { "not known" } }
            @for level in levels { option value=(level) selected[level == text] { (level) } }
            // What a link brought stays to be seen, so that the error beside it can be understood.
            @if !is_known && !text.is_empty() { option value=(text) selected { (text) } }
        }
    }
}

/// Description, range and whether the field may stay empty.
fn hint(column: &Column) -> Option<String> {
    let range = column.range.map(|(low, high)| format!("{} to {}", text::number(low), text::number(high)));
    let may_be_empty = column.nullable.then(|| "may be empty".to_owned());
    let parts: Vec<String> = column.description.clone().into_iter().chain(range).chain(may_be_empty).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn is_date(text: &str) -> bool {
    text.parse::<chrono::NaiveDate>().is_ok()
}

fn answer(spec: &Spec, fields: &Fields, reply: &Reply) -> Markup {
    html! {
        @match (&reply.predicted, reply.predicted.as_ref().ok().and_then(Predicted::first)) {
            (Ok(predicted), Some(prediction)) => {
                div class="answer" { (prediction_box(spec, prediction, &predicted.version)) }
            }
            // Wrong fields have been told beside them.
            (Err(failure), _) => @if failure.fields.is_empty() { (notice(&failure.message)) },
            (Ok(_), None) => { (notice("The predict service answered without a prediction.")) }
        }
        @match (&reply.explained, reply.explained.as_ref().ok().and_then(Explained::first)) {
            (Ok(explained), Some(explanation)) => {
                @if reply.predicted.as_ref().is_ok_and(|predicted| predicted.version != explained.version) {
                    (notice(MOVED))
                }
                (waterfall::section(spec, fields, explanation, predicted_class(reply)))
            }
            (Err(failure), _) => @if failure.fields.is_empty() { (notice(&failure.message)) },
            (Ok(_), None) => { (notice("The explain service answered without an explanation.")) }
        }
    }
}

fn prediction_box(spec: &Spec, prediction: &Prediction, version: &str) -> Markup {
    let target = &spec.target;
    html! {
        h3 { "Prediction" }
        p class="value" {
            small { (target.column) " " }
            @match &prediction.prediction {
                Value::Number(number) => (text::number(number.as_f64().unwrap_or(f64::NAN))),
                Value::String(class) => (class),
                other => (other.to_string()),
            }
            @if let Some(unit) = &target.unit { small { " " (unit) } }
            @if let Some(band) = &prediction.band { " " (badge("plain", band)) }
        }
        @if let Some(probability) = prediction.probability {
            p {
                "Probability of " (target.column) " = " (target.positive.as_deref().unwrap_or_default()) ": "
                strong { (text::percent(probability)) }
            }
        }
        @if let Some(probabilities) = &prediction.probabilities {
            table class="bars" {
                caption { "Probability of each class" }
                thead { tr { th scope="col" { (target.column) } td {} th scope="col" class="n" { "Probability" } } }
                tbody {
                    @for (class, probability) in probabilities {
                        tr {
                            th scope="row" { (class) }
                            @let width = format!("left:0;width:{:.2}%", probability.clamp(0.0, 1.0) * 100.0);
                            td class="wide" { div class="track" aria-hidden="true" { div class="bar" style=(width) {} } }
                            td class="n" { (text::percent(*probability)) }
                        }
                    }
                }
            }
        }
        @let short: String = version.chars().take(12).collect();
        p class="quiet" { "by version " span class="id" title=(version) { (short) } }
    }
}

/// The class that was predicted, if it is one.
fn predicted_class(reply: &Reply) -> Option<&str> {
    reply.predicted.as_ref().ok().and_then(Predicted::first).and_then(|prediction| prediction.prediction.as_str())
}

fn notice(message: &str) -> Markup {
    html! { div class="notice" role="status" style="margin-top:1rem" { (message) } }
}
