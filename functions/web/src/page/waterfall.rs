//! An explanation as a waterfall: from the base value, column by column, to the prediction.

use maud::{Markup, html};
use spec::{Space, Spec, Task};

use crate::form::Fields;
use crate::neighbours::{Explanation, Output};
use crate::text;

/// The explanation of what was predicted and, of several classes, of the others behind a fold.
pub(super) fn section(spec: &Spec, fields: &Fields, explanation: &Explanation, predicted: Option<&str>) -> Markup {
    let classes = explanation.classes.iter().flatten();
    let (first, others): (Vec<_>, Vec<_>) = classes.partition(|(class, _)| Some(class.as_str()) == predicted);
    html! {
        div class="answer" {
            h3 { "Why" }
            @if let Some(output) = &explanation.one {
                (waterfall(spec, fields, spec.target.positive.as_deref(), output))
            }
            @for (class, output) in first { (waterfall(spec, fields, Some(class), output)) }
            @for (class, output) in others {
                details { summary { "Why not " (class) } (waterfall(spec, fields, Some(class), output)) }
            }
            p class="quiet" { (method(explanation)) }
        }
    }
}

fn method(explanation: &Explanation) -> String {
    let coalitions = format!("{} coalitions", text::count(explanation.evaluations));
    match explanation.method.as_str() {
        "exact" => {
            format!("Shapley values, exact ({coalitions}). The base value is the mean answer over the background rows.")
        }
        "sampled" => format!(
            "Shapley values, sampled ({coalitions}), each with its standard error where there is one. The base value is the \
             mean answer over the background rows."
        ),
        other => format!("Shapley values, {other} ({coalitions})."),
    }
}

fn waterfall(spec: &Spec, fields: &Fields, class: Option<&str>, output: &Output) -> Markup {
    let mut values: Vec<(&str, f64)> = output.values.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    values.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    let sum: f64 = values.iter().map(|(_, value)| value).sum();
    let scale = Scale::around(output, &values);
    let mut position = output.base_value;
    let mut rows = Vec::with_capacity(values.len());
    for (name, value) in values {
        rows.push((name, value, scale.bar(position, position + value)));
        position += value;
    }
    let base = scale.percent(output.base_value);
    html! {
        table class="bars" {
            caption { "What each column adds, in " (units(spec, class)) }
            thead { tr { th scope="col" { "Column and its value" } td {} th scope="col" class="n" { "Contribution" } } }
            tbody {
                tr {
                    th scope="row" { "Base value" }
                    td class="wide" { (track(&base, None)) }
                    td class="n" { (text::number(output.base_value)) }
                }
                @for (name, value, bar) in &rows {
                    tr {
                        th scope="row" { (name) " " span class="given" { "= " (given(spec, fields, name)) } }
                        @let class = direction(*value);
                        td class="wide" { (track(&base, Some((class, bar)))) }
                        td class="n" { (text::signed(*value)) (standard_error(output, name)) }
                    }
                }
                tr class="total" {
                    th scope="row" { "Prediction" }
                    td class="wide" { (track(&base, Some(("bar", &scale.bar(output.base_value, output.prediction))))) }
                    td class="n" { (text::number(output.prediction)) }
                }
            }
        }
        p class="quiet" {
            (text::number(output.base_value)) " base value, " (text::signed(sum)) " contributions, "
            (text::number(output.base_value + sum)) " in sum."
        }
    }
}

/// The class of a bar: which way it moves the answer.
fn direction(value: f64) -> &'static str {
    match value {
        value if value < 0.0 => "bar down",
        value if value > 0.0 => "bar up",
        _ => "bar",
    }
}

/// One bar on its track; the figure beside it says the same to a reader who does not see it.
fn track(base: &str, bar: Option<(&str, &str)>) -> Markup {
    html! {
        div class="track" aria-hidden="true" {
            @if let Some((class, style)) = bar { div class=(class) style=(style) {} }
            div class="base" style={ "left:" (base) "%" } {}
        }
    }
}

fn standard_error(output: &Output, column: &str) -> Markup {
    let error = output.standard_error.as_ref().and_then(|errors| errors.get(column));
    html! { @if let Some(error) = error { span class="quiet" { " ± " (text::number(*error)) } } }
}

/// What stands in the column's field, with its unit.
fn given(spec: &Spec, fields: &Fields, column: &str) -> String {
    let unit = spec.columns.get(column).and_then(|column| column.unit.as_deref());
    match (fields.get(column).trim(), unit) {
        ("", _) => "not known".to_owned(),
        (text, Some(unit)) => format!("{text} {unit}"),
        (text, None) => text.to_owned(),
    }
}

fn units(spec: &Spec, class: Option<&str>) -> String {
    let column = &spec.target.column;
    let of_class = || format!("{column} = {}", class.unwrap_or_default());
    match spec.space() {
        Space::Target => spec.target.unit.clone().unwrap_or_else(|| format!("units of {column}")),
        Space::Probability => format!("probability of {}", of_class()),
        Space::Logit if spec.task == Task::Multiclass => format!("log probability of {}", of_class()),
        Space::Logit => format!("log-odds of {}", of_class()),
    }
}

/// Places values on a track, 0 to 100 %.
struct Scale {
    low: f64,
    span: f64,
}

impl Scale {
    /// Wide enough for every position between base value and prediction, with a little room on either side.
    fn around(output: &Output, values: &[(&str, f64)]) -> Self {
        let mut position = output.base_value;
        let mut positions = vec![output.base_value, output.prediction];
        for (_, value) in values {
            position += value;
            positions.push(position);
        }
        let low = positions.iter().copied().fold(f64::INFINITY, f64::min);
        let high = positions.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let room = (high - low) * 0.03;
        Self { low: low - room, span: high - low + 2.0 * room }
    }

    fn percent(&self, value: f64) -> String {
        let share = if self.span > 0.0 { (value - self.low) / self.span } else { 0.5 };
        format!("{:.2}", share * 100.0)
    }

    /// The style of a bar from one value to another.
    fn bar(&self, from: f64, to: f64) -> String {
        let width = if self.span > 0.0 { (to - from).abs() / self.span * 100.0 } else { 0.0 };
        format!("left:{}%;width:{width:.2}%", self.percent(from.min(to)))
    }
}
