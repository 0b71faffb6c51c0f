//! `ebb evaluate` and `ebb search` on a file: what they print is what they say they do.

use serde_json::Value;

use crate::harness::measured;
use crate::world::World;

/// A small binary table whose rows have a day and a weight; `train` is what the spec says of a fit.
fn table(world: &World, train: &str) -> [String; 2] {
    let text = format!(
        "name: m\ntask: binary\ntarget: {{column: y, classes: [stay, leave]}}\ntime: day\ncolumns: {{x: {{kind: number}}, \
         c: {{kind: category}}, known: {{kind: number}}}}\ntrain: {{kinds: [coarse], members: 1, hidden: 8, bins: 4, epochs: 3, {train}}}\n"
    );
    world.put_spec("m", &text);
    let rows = (0..360).map(|row| {
        let (x, c) = (row * 37 % 101, ["a", "b"][row % 2]);
        let leaves = (x + row * 29 % 40) > 80 && row % 2 == 0;
        format!("{x},{c},{},{row},{},{}\n", u8::from(leaves), 1 + row % 3, ["stay", "leave"][usize::from(leaves)])
    });
    let data = world.folder().join("rows.csv");
    std::fs::write(&data, format!("x,c,known,day,w,y\n{}", rows.collect::<String>())).unwrap();
    [world.models().join("m.yaml"), data].map(|path| path.to_str().unwrap().to_owned())
}

#[tokio::test]
async fn estimates_look_forward_and_tell_of_leaks() {
    let world = World::new();
    let [spec, data] = table(&world, "weight: w, class_weight: balanced, search: {trials: 2}");
    let evaluate = |more: &'static [&'static str]| {
        let arguments = [&["evaluate", &spec, "--data", &data, "--json"], more].concat();
        async move { measured(&arguments).await }
    };
    let (out, said) = evaluate(&["--folds", "2"]).await.unwrap();
    let forward: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(forward["rows"], 360);
    assert_eq!(forward["metrics"]["log_loss"]["folds"].as_array().unwrap().len(), 2);
    assert_eq!(forward["warnings"][0]["column"], "known", "{out}");
    assert!(said.contains("look at `known`: it alone predicts y"), "{said}");
    let (again, _) = evaluate(&["--folds", "2"]).await.unwrap();
    let again: Value = serde_json::from_str(&again).unwrap();
    assert_eq!(again["metrics"], forward["metrics"], "the same spec and rows, searched settings and all");
    let (drawn, _) = evaluate(&["--folds", "2", "--shuffled"]).await.unwrap();
    let drawn: Value = serde_json::from_str(&drawn).unwrap();
    assert_ne!(drawn["metrics"], forward["metrics"]);
}

#[tokio::test]
async fn a_search_answers_every_trial_and_what_a_spec_may_say() {
    let world = World::new();
    let [spec, data] = table(&world, "weight: w");
    let search = ["search", &spec, "--data", &data, "--trials", "4"];
    let (out, said) = measured(&[&search[..], &["--json"]].concat()).await.unwrap();
    let found: Value = serde_json::from_str(&out).unwrap();
    let trials = found["trials"].as_array().unwrap();
    assert_eq!((trials.len(), &found["metric"]), (4, &Value::from("log_loss")), "{out}");
    assert_eq!(trials[0]["folds"].as_array().unwrap().len(), 5);
    assert!(trials[1..].iter().all(|trial| !trial["settings"].as_object().unwrap().is_empty()), "{out}");
    assert!(said.contains("trial 0, fold 1: "), "{said}");
    let (table, _) = measured(&search).await.unwrap();
    let chosen = found["chosen"].as_u64().unwrap();
    let ending = if chosen > 0 { "\ntrain: {" } else { "\n# nothing did better" };
    assert!(table.contains("chosen") && table.contains(ending), "{table}");
    let both = measured(&[&search[..], &["--seconds", "1"]].concat()).await.unwrap_err();
    assert!(both.contains("cannot be used with"), "{both}");
    let none = measured(&search[..4]).await.unwrap_err();
    assert!(none.contains("--trials"), "{none}");
}
