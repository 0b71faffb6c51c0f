//! The OpenAPI document as one page for people: no script, nothing loaded from elsewhere.

use maud::{DOCTYPE, Markup, html};
use serde_json::Value;

const STYLE: &str = "
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --key: #0a7; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
code, pre { font: 14px/1.4 ui-monospace, monospace; }
pre { background: var(--soft); padding: .75rem; overflow-x: auto; border-radius: .4rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid var(--line); }
section { border-top: 1px solid var(--line); margin-top: 2rem; }
.method { color: var(--key); font-weight: 700; margin-right: .5rem; }
.mark { border: 1px solid var(--line); border-radius: 1rem; padding: 0 .6rem; font-size: .8rem; margin-right: .3rem; }
nav li { list-style: none; } nav ul { padding: 0; }
";

/// The page of an OpenAPI document.
pub(crate) fn page(document: &Value) -> Markup {
    let title = text(document, "/info/title");
    let operations = operations(document);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (maud::PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                p { (text(document, "/info/description")) }
                p { "The same as a document for machines: " a href="/openapi.json" { "openapi.json" } "." }
                nav aria-label="Routes" {
                    ul {
                        @for operation in &operations {
                            li { a href={ "#" (operation.anchor()) } { (operation.heading()) } " " (operation.text("summary")) }
                        }
                    }
                }
                main {
                    @for operation in &operations { (operation.section()) }
                    section {
                        h2 { "Schemas" }
                        @for (name, schema) in entries(document.pointer("/components/schemas")) { (named_schema(name, schema)) }
                    }
                }
            }
        }
    }
}

struct Operation<'a> {
    path: &'a str,
    method: &'a str,
    value: &'a Value,
}

impl Operation<'_> {
    fn anchor(&self) -> String {
        let word = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
        format!("{}{}", self.method, self.path.chars().map(word).collect::<String>())
    }

    fn heading(&self) -> Markup {
        html! { code { span.method { (self.method.to_uppercase()) } (self.path) } }
    }

    fn text(&self, key: &str) -> &str {
        self.value[key].as_str().unwrap_or_default()
    }

    fn section(&self) -> Markup {
        html! {
            section id=(self.anchor()) {
                h2 { (self.heading()) }
                p { strong { (self.text("summary")) } " " (self.text("description")) }
                p {
                    @for (mark, _) in entries(self.value.get("x-ebb")) { span.mark { (mark) } }
                    @if self.value.get("security").is_some() { span.mark { "bearer token, where one is set" } }
                }
                (self.parameters())
                @if let Some(content) = self.value.pointer("/requestBody/content") {
                    h3 { "Request body" }
                    (media(content))
                }
                h3 { "Answers" }
                @for (status, response) in entries(self.value.get("responses")) {
                    p { strong { code { (status) } } " " (text(response, "/description")) }
                    @if let Some(content) = response.get("content") { (media(content)) }
                }
            }
        }
    }

    fn parameters(&self) -> Markup {
        let parameters = self.value["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        html! {
            @if !parameters.is_empty() {
                h3 { "Parameters" }
                table {
                    thead { tr { th { "name" } th { "in" } th { "type" } th { "meaning" } } }
                    tbody {
                        @for parameter in parameters {
                            tr {
                                td { code { (text(parameter, "/name")) } (required(parameter["required"] == true)) }
                                td { (text(parameter, "/in")) }
                                td { (type_of(&parameter["schema"])) }
                                td { (text(parameter, "/description")) (example(parameter)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Every operation; the function's own first, those for operators after them.
fn operations(document: &Value) -> Vec<Operation<'_>> {
    let mut operations: Vec<_> = entries(document.get("paths"))
        .flat_map(|(path, item)| {
            let is_method = |key: &str| matches!(key, "get" | "put" | "post" | "delete" | "patch" | "head" | "options");
            entries(Some(item)).filter(move |(key, _)| is_method(key)).map(move |(method, value)| Operation {
                path,
                method,
                value,
            })
        })
        .collect();
    operations.sort_by_key(|operation| operation.value.pointer("/tags/0") == Some(&Value::from("operations")));
    operations
}

fn media(content: &Value) -> Markup {
    html! {
        @for (media_type, media) in entries(Some(content)) {
            p { code { (media_type) } ": " (type_of(&media["schema"])) }
            @if media["schema"].get("properties").is_some() { (properties(&media["schema"])) }
            (example(media))
            @for (name, shown) in entries(media.get("examples")) {
                p { (name) " " (text(shown, "/summary")) }
                @if let Some(value) = shown.get("value") { (block(value)) }
            }
        }
    }
}

fn named_schema(name: &str, schema: &Value) -> Markup {
    html! {
        h3 id={ "schema-" (name) } { code { (name) } }
        p { (text(schema, "/description")) }
        @if schema.get("properties").is_some() { (properties(schema)) } @else { p { (type_of(schema)) } }
        (example(schema))
    }
}

fn properties(schema: &Value) -> Markup {
    let is_required =
        |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|one| one == name));
    html! {
        table {
            thead { tr { th { "field" } th { "type" } th { "meaning" } } }
            tbody {
                @for (name, property) in entries(schema.get("properties")) {
                    tr {
                        td { code { (name) } (required(is_required(name))) }
                        td { (type_of(property)) }
                        td { (text(property, "/description")) (example(property)) }
                    }
                }
            }
        }
    }
}

/// A schema in a few words: a link to a named one, a list of choices, or its type with its bounds.
fn type_of(schema: &Value) -> Markup {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        return html! { a href={ "#schema-" (name) } { code { (name) } } };
    }
    if let Some(choices) = schema["enum"].as_array() {
        let choices: Vec<_> = choices.iter().map(plain).collect();
        return html! { code { (choices.join(" | ")) } };
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        if let Some(parts) = schema[key].as_array() {
            return html! { @for (part_idx, part) in parts.iter().enumerate() { @if part_idx > 0 { " | " } (type_of(part)) } };
        }
    }
    if let Some(items) = schema.get("items") {
        return html! { "array of " (type_of(items)) (bounds(schema)) };
    }
    let name = match &schema["type"] {
        Value::Array(names) => names.iter().map(plain).collect::<Vec<_>>().join(" | "),
        Value::String(name) => name.clone(),
        _ => "any".to_owned(),
    };
    html! { (name) (bounds(schema)) }
}

fn bounds(schema: &Value) -> Markup {
    const BOUNDS: [&str; 8] =
        ["format", "minimum", "maximum", "minItems", "maxItems", "minLength", "maxLength", "pattern"];
    html! {
        @for key in BOUNDS {
            @if let Some(bound) = schema.get(key) { ", " (key) " " code { (plain(bound)) } }
        }
    }
}

fn required(is_required: bool) -> Markup {
    html! { @if is_required { " (required)" } }
}

fn example(holder: &Value) -> Markup {
    let shown = holder.get("example").or_else(|| holder.get("examples")?.as_array()?.first());
    html! {
        @match shown {
            Some(value) if value.is_object() || value.is_array() => (block(value)),
            Some(value) => { " e.g. " code { (plain(value)) } }
            None => {}
        }
    }
}

fn block(value: &Value) -> Markup {
    html! { pre { code { (serde_json::to_string_pretty(value).unwrap_or_default()) } } }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn entries(object: Option<&Value>) -> impl Iterator<Item = (&str, &Value)> {
    object.and_then(Value::as_object).into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}
