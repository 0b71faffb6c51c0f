//! Spec files: what is read, what is refused, and how it is said.

use spec::{Balanced, ClassWeight, Costs, Kind, Metric, Origin, Setting, Spec, Threshold, ThresholdScore};

const CAR_VISION: &str = r#"
name: car-vision
task: regression
target: {column: price, unit: USD, transform: log}
time: model_date
source:
  http: {url: "http://localhost:8000/data?group_number=1&day=Tuesday", restart: "/restart_data_generation?group_number=1", exhausted: {status: 400, match: "(?i)recolect"}, timeout_s: 300}
  rename: {price_USD: price}
columns:
  model:        {kind: category, max_levels: 200}
  model_year:   {kind: number, unit: year, range: [1950, 2030]}
  odometer:     {kind: number, unit: mi, range: [0, 1e6], nullable: true, sensitive: false}
  condition:    {kind: category, allowed: [new, like new, excellent, good, fair, salvage]}
  is_4wd:       {kind: boolean}
derive:
  vehicle_age:  {difference: [2026, model_year]}
  brand:        {first_word: model}
  use:          {ratio: [odometer, vehicle_age]}
drop: [vin, listing_url]
rules: [{column: price, between: [1000, 500000]}]
split: {by: hash, columns: [model, model_year, odometer, price], salt: car-vision, fraction: 0.2}
drift: {preset: default, min_rows: 500, columns: {odometer: {effect: 0.15}}}
train: {window: auto, seed: 7, budget_s: 600, metric: mae_log}
promote: {floors: {r2: 0.5}, max_history_regression: 0.10, confidence: 0.95}
serve: {bands: [{below: 5000, label: low}, {below: 20000, label: medium}, {label: high}], explain: {background: 100, space: target}}
"#;

/// The errors of a spec, one a line.
fn errors(text: &str) -> String {
    let spec::Error::Spec(errors) = Spec::parse(text).expect_err("this spec is wrong");
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_section_is_read() {
    let spec = Spec::parse(CAR_VISION).unwrap();
    assert_eq!(spec.columns["odometer"].range, Some((0.0, 1e6)));
    assert_eq!(spec.metric(), Metric::MaeLog);
    assert_eq!(spec.band(5000.0), Some("medium"));
    let features: Vec<_> = spec.features().iter().map(|feature| (feature.name.to_owned(), feature.kind)).collect();
    assert_eq!(features[5], ("vehicle_age".to_owned(), Kind::Number));
    assert_eq!(spec.features()[6].origin, Origin::Derived(1));
    assert_eq!(spec.derivations().sources(2), [1, 2], "a ratio over a derived column reaches its raw columns");
}

#[test]
fn the_hash_follows_meaning_not_layout() {
    let spec = Spec::parse(CAR_VISION).unwrap();
    let commented = Spec::parse(&format!("# a comment\n{CAR_VISION}")).unwrap();
    let reseeded = Spec::parse(&CAR_VISION.replace("seed: 7", "seed: 8")).unwrap();
    assert_eq!(spec.hash(), commented.hash());
    assert_ne!(spec.hash(), reseeded.hash());
    assert!(spec.same_split(&reseeded), "the training seed does not move the hold-out");
    assert!(!spec.same_split(&Spec::parse(&CAR_VISION.replace("salt: car-vision", "salt: b")).unwrap()));
}

#[test]
fn history_regression_may_be_off() {
    let off = CAR_VISION.replace("max_history_regression: 0.10", "max_history_regression: off");
    assert_eq!(Spec::parse(&off).unwrap().promote.max_history_regression.limit(), None);
}

#[test]
fn a_threshold_is_a_number_a_score_or_costs() {
    let spec = |threshold: &str| {
        format!(
            "name: a\ntask: binary\ntarget: {{column: y, classes: [b, c]}}\ncolumns: {{x: {{kind: number}}}}\n{threshold}"
        )
    };
    let read = |threshold: &str| Spec::parse(&spec(threshold)).unwrap().serve.threshold;
    assert_eq!(read(""), Threshold::At(0.5));
    assert_eq!(read("serve: {threshold: 0.3}"), Threshold::At(0.3));
    assert_eq!(read("serve: {threshold: f1}"), Threshold::Best(ThresholdScore::F1));
    let costs = Costs { false_positive: 1.0, false_negative: 5.0 };
    let text = "serve: {threshold: {costs: {false_positive: 1, false_negative: 5}}}";
    assert_eq!(read(text), Threshold::Costs { costs });
    let hash = |threshold: &str| Spec::parse(&spec(threshold)).unwrap().hash().to_owned();
    assert_eq!(hash(""), hash("serve: {threshold: 0.5}"), "what is said anyway changes nothing");
    assert_ne!(hash(""), hash("serve: {threshold: f1}"));
    insta::assert_snapshot!(
        [
            "serve: {threshold: f2}",
            "serve: {threshold: {costs: {false_positive: 1}}}",
            "serve: {threshold: {costs: {false_positive: 1, false_negative: 2, other: 3}}}",
            "serve: {threshold: 1}",
            "serve: {threshold: {costs: {false_positive: 0, false_negative: -1}}}",
        ]
        .map(|threshold| errors(&spec(threshold)))
        .join("\n"),
        @r"
    line 5, serve.threshold: this value is of no kind that fits here. Write a probability such as 0.5, or f1, or {costs: {false_positive: 1, false_negative: 5}}
    line 5, serve.threshold: this value is of no kind that fits here. Write a probability such as 0.5, or f1, or {costs: {false_positive: 1, false_negative: 5}}
    line 5, serve.threshold: this value is of no kind that fits here. Write a probability such as 0.5, or f1, or {costs: {false_positive: 1, false_negative: 5}}
    line 5, serve.threshold: the threshold is not between 0 and 1. 0.5 calls the likelier class
    line 5, serve.threshold.costs.false_positive: a wrong answer costs something. Write what it costs, in any unit: only the ratio of both matters
    line 5, serve.threshold.costs.false_negative: a wrong answer costs something. Write what it costs, in any unit: only the ratio of both matters
    "
    );
    let regression = CAR_VISION.replace("serve: {", "serve: {threshold: f1, ");
    assert!(errors(&regression).contains("a number has no threshold. Remove it"), "{}", errors(&regression));
    let several = |threshold: &str| {
        format!(
            "name: c\ntask: multiclass\ntarget: {{column: y, classes: [a, b, c]}}\ncolumns: {{x: {{kind: number}}}}\nserve: \
             {{threshold: {threshold}}}\n"
        )
    };
    assert!(errors(&several("0.3")).contains("several classes have no single threshold. Write f1, or remove it"));
    assert!(Spec::parse(&several("f1")).is_ok());
}

const CHURN: &str = "
name: churn
task: binary
target: {column: y, classes: [stay, leave]}
time: day
columns: {x: {kind: number}}
drop: [id]
";

#[test]
fn weights_of_rows_and_classes_are_read() {
    let spec = |train: &str| Spec::parse(&format!("{CHURN}train: {train}\n")).unwrap();
    assert_eq!(spec("{weight: w}").train.weight.as_deref(), Some("w"));
    assert_eq!(spec("{class_weight: balanced}").train.class_weight, Some(ClassWeight::Balanced(Balanced::Balanced)));
    let Some(ClassWeight::Of(weights)) = spec("{class_weight: {leave: 5}}").train.class_weight.clone() else {
        panic!()
    };
    assert_eq!(weights["leave"], 5.0);
    assert_eq!(spec("{class_weight: null, weight: null}").hash(), spec("{}").hash());
    let found = spec("{weight: w}").record(&serde_json::json!({"x": 1, "w": 2})).unwrap_err().to_string();
    insta::assert_snapshot!(found, @"the row does not fit the spec: /w: this is the weight of rows that are learnt from: leave it out");
    insta::assert_snapshot!(
        ["{weight: x}", "{weight: y}", "{weight: day}", "{weight: id}", "{weight: 3}", "{class_weight: even}",
            "{class_weight: {go: 2}}", "{class_weight: {stay: 0}}"]
            .map(|train| errors(&format!("{CHURN}train: {train}\n")))
            .join("\n"),
        @r"
    line 8, train.weight: `x` is an input, and says how much rows count. Name a number column of the source that is nothing else
    line 8, train.weight: `y` is the target, and says how much rows count. Name a number column of the source that is nothing else
    line 8, train.weight: `day` is the order of rows, and says how much rows count. Name a number column of the source that is nothing else
    line 8, train.weight: `id` is dropped, and says how much rows count. Name a number column of the source that is nothing else
    line 8, train.weight: invalid type: integer `3`. Write a string
    line 8, train.class_weight: this value is of no kind that fits here. Write balanced, or a number for each class, such as {yes: 5}
    line 8, train.class_weight.go: `go` is not one of the classes. There is `stay`, `leave`
    line 8, train.class_weight.stay: nothing would be learnt of this class. Write a number above 0; a class that should not be learnt is no class
    "
    );
    let regression = CAR_VISION.replace("metric: mae_log", "metric: mae_log, class_weight: balanced");
    insta::assert_snapshot!(errors(&regression), @"line 23, train.class_weight: a regression has no classes. Remove it, or use `weight: COLUMN`");
}

#[test]
fn a_search_may_choose_what_the_spec_does_not_say() {
    let spec = |train: &str| Spec::parse(&format!("{CHURN}train: {train}\n")).unwrap();
    assert_eq!(spec("{}").open_settings(), Setting::ALL);
    let some = spec("{hidden: 128, epochs: null, dropout: 0.1, search: {trials: 3}}");
    assert!(!some.open_settings().contains(&Setting::Hidden) && some.open_settings().contains(&Setting::Epochs));
    let regression = Spec::parse(CAR_VISION).unwrap();
    assert!(!regression.open_settings().contains(&Setting::LabelSmoothing), "numbers have no labels");
    // What is said anyway is fixed, so a search may find something else.
    assert_eq!(spec("{hidden: 128}").hash(), spec("{}").hash());
    assert_ne!(spec("{hidden: 128, search: {trials: 3}}").hash(), spec("{search: {trials: 3}}").hash());
    insta::assert_snapshot!(
        ["{search: {}}", "{search: {trials: 3, seconds: 4}}", "{search: {trials: 0}}", "{search: {seconds: 0}}",
            "{search: {trial: 3}}", "{kinds: [coarse], hidden: 8, bins: 4, epochs: 3, learning_rate: 0.1, weight_decay: 0, \
             dropout: 0, label_smoothing: 0, search: {trials: 3}}"]
            .map(|train| errors(&format!("{CHURN}train: {train}\n")))
            .join("\n"),
        @r"
    line 8, train.search: it has no end. Write {trials: 20} or {seconds: 600}
    line 8, train.search: it has two ends. Keep `trials`, or keep `seconds`
    line 8, train.search.trials: no search tries so many settings. Write 1 to 10000
    line 8, train.search.seconds: nothing is found in no time. Write 1 or more
    line 8, train.search.trial: unknown key `trial`. Did you mean `trials`?
    line 8, train.search: the spec says every setting: there is none to search. Remove `search`, or leave a setting such as `hidden` or `dropout` out
    "
    );
}

#[test]
fn structural_errors_have_line_path_and_hint() {
    insta::assert_snapshot!(errors("
name: car-vision
task: regresion
target: {column: price, unt: USD}
columns:
  model: {kind: categry}
  year: {kind: number, range: [a, 2]}
  odometer: {nullable: true}
splt: {}
train: {seed: minus one}
promote: {max_history_regression: never}
"), @r#"
    line 3, task: unknown value `regresion`. Did you mean `regression`?
    line 4, target.unt: unknown key `unt`. Did you mean `unit`?
    line 6, columns.model.kind: unknown value `categry`. Did you mean `category`?
    line 7, columns.year.range.0: invalid type: string "a". Write a number
    line 8, columns.odometer: `kind` is missing. Add `kind: ..` here
    line 9, splt: unknown key `splt`. Did you mean `split`?
    line 10, train.seed: invalid type: string "minus one". Write a whole number, 0 or more
    line 11, promote.max_history_regression: this value is of no kind that fits here. Write a number such as 0.10, or off
    "#);
}

#[test]
fn contradictions_are_all_listed() {
    insta::assert_snapshot!(errors("
name: Car Vision
task: binary
target: {column: sold, classes: [no, yes], positive: maybe}
time: weekday
columns:
  sold: {kind: boolean}
  age: {kind: number, range: [9, 1], allowed: [x]}
  color: {kind: category, allowed: [red, red], max_levels: 0}
  when: {kind: time}
derive:
  weekday: {weekday: color}
  twice: {product: [agee, 2]}
  age: {log1p: age}
drop: [color]
rules: [{column: colour, between: [0, 1]}]
split: {by: time, columns: [price], fraction: 1.5}
source: {http: {url: localhost, exhausted: {status: 400, match: '('}}, rename: {a: age, b: age}}
drift: {columns: {agge: {effect: 0}}}
train: {metric: rmse, members: 0, remedies: [recalibrate]}
promote: {floors: {r2: 0.5}, confidence: 1, min_gain: 1}
serve: {bands: [{label: all}, {below: 1, label: low}], explain: {space: target, background: 0}}
"), @r"
    line 2, name: `Car Vision` cannot be an address. Use 1 to 63 lower-case letters, digits and dashes
    line 4, target.positive: `maybe` is not one of the classes. There is `no`, `yes`
    line 5, time: a derived column cannot order the rows. Name a column of the source
    line 7, columns.sold: the target cannot be an input. Remove it from `columns`
    line 8, columns.age.range: the range is empty. Write [smallest, largest]
    line 8, columns.age.allowed: a number has no list of levels. Remove it, or use `kind: category`
    line 9, columns.color.allowed: a level is named twice. Name each once
    line 9, columns.color.max_levels: no level would be left. Write 1 or more
    line 10, columns.when: a time enters the network through derived columns only. Derive year, month or weekday from it, or name it in `time` alone
    line 12, derive.weekday: `color` is a category, and this operation needs a time. Name another column, or change its kind
    line 13, derive.twice: `agee` is not a column that stands above. Did you mean `age`?
    line 14, derive.age: `age` is already a column. Give the derived column another name
    line 15, drop.0: `color` is dropped and an input. Remove it from `drop` or from `columns`
    line 16, rules.0.column: `colour` is not a column of rows. Did you mean `color`?
    line 17, split.fraction: the fraction is not between 0 and 1. 0.2 holds out every fifth row
    line 17, split: a split by time hashes nothing. Remove `columns` and `salt`
    line 17, split.columns.0: `price` is not a column of rows. There is `sold`, `age`, `color`, `when`, `sold`
    line 18, source.http.url: this is not an HTTP address. Start with http:// or https://
    line 18, source.http.exhausted.match: this is not a regular expression. error: unclosed group
    line 18, source.rename.b: two columns are renamed to `age`. Rename each to a name of its own
    line 19, drift.columns.agge: `agge` is not a column of rows. Did you mean `age`?
    line 19, drift.columns.agge.effect: every batch would drift. Write an effect above 0
    line 20, train.metric: `rmse` does not compare versions of this task. There is `log_loss`, `auc`, `pr_auc`, `brier`, `accuracy`, `f1`
    line 20, train.members: the bag is of no sensible size. Write 1 to 64
    line 20, train.remedies: no network is ever fitted. Add all, weighted or recent: the first version has nothing to calibrate
    line 21, promote.floors.r2: this task has no `r2`. Did you mean `f1`?
    line 21, promote.min_gain: it is not a share of the loss. 0.01 asks for a hundredth; 0 for any gain
    line 21, promote.confidence: the confidence is not between 0.5 and 1. 0.95 is usual
    line 22, serve.bands: the last band, and only it, is open above. Leave out its `below`
    line 22, serve.explain.space: this task has no such units. Write probability or logit
    line 22, serve.explain.background: an explanation needs something to compare with. Write 1 or more
    ");
}

#[test]
fn a_file_that_is_not_a_spec_is_refused() {
    for (text, expected) in [
        ("", "mapping"),
        ("- a\n- b\n", "a spec is a mapping"),
        ("name: [", "not YAML"),
        ("name: a\nname: b\n", "not YAML"),
        ("name: a\n---\nname: b\n", "2 YAML documents"),
        ("name: a\ntask: binary\n", "`target` is missing"),
    ] {
        let said = errors(text);
        assert!(said.contains(expected) || text.is_empty(), "{text:?} gave {said}");
    }
}

#[test]
fn the_committed_schema_is_the_generated_one() {
    let generated = format!("{}\n", serde_json::to_string_pretty(&spec::json_schema()).unwrap());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/spec.schema.json");
    if std::env::var_os("EBB_WRITE_GENERATED").is_some() {
        std::fs::write(path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == generated, "run the tests once with EBB_WRITE_GENERATED=1 and commit shared/spec/schema");
}
