//! What has changed in a spec since the production version was trained, as far as its reference is concerned.

use spec::Spec;

/// One sentence for each column, kind or target that differs; empty when a batch of the spec `now` can be compared with a
/// reference of the spec `then`.
pub(crate) fn spec_changes(then: &Spec, now: &Spec) -> Vec<String> {
    let mut changes = Vec::new();
    for (name, column) in &now.columns {
        match then.columns.get(name) {
            None => changes.push(format!("column `{name}` was added")),
            Some(before) if before.kind != column.kind => {
                changes.push(format!("column `{name}` was a {} and is a {}", before.kind, column.kind));
            }
            Some(_) => {}
        }
    }
    let gone = then.columns.keys().filter(|name| !now.columns.contains_key(*name));
    changes.extend(gone.map(|name| format!("column `{name}` was taken out")));
    if then.target.column != now.target.column {
        changes.push(format!("the target was `{}` and is `{}`", then.target.column, now.target.column));
    }
    if then.task != now.task {
        changes.push("the task is another".to_owned());
    } else if then.target.classes != now.target.classes {
        changes.push("the classes of the target are others".to_owned());
    }
    let since = |change: String| format!("the spec has changed since the production version was trained: {change}");
    changes.into_iter().map(since).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(target: &str, columns: &str) -> Spec {
        Spec::parse(&format!("name: demo\n{target}\ncolumns: {{{columns}}}\n")).unwrap()
    }

    #[test]
    fn changes_are_told_one_by_one() {
        let then = spec("task: regression\ntarget: {column: y}", "a: {kind: number}, b: {kind: number}");
        let same = spec("task: regression\ntarget: {column: y, unit: USD}", "b: {kind: number}, a: {kind: number}");
        assert!(spec_changes(&then, &same).is_empty(), "order and units are no change");
        let now = spec("task: binary\ntarget: {column: z, classes: [n, p]}", "b: {kind: category}, c: {kind: number}");
        let told: Vec<String> = spec_changes(&then, &now)
            .into_iter()
            .map(|change| change.rsplit_once(": ").unwrap().1.to_owned())
            .collect();
        assert_eq!(
            told,
            [
                "column `b` was a number and is a category",
                "column `c` was added",
                "column `a` was taken out",
                "the target was `y` and is `z`",
                "the task is another",
            ]
        );
    }
}
