use indexmap::IndexMap;
use spec::{Kind, Metric, RemedyKind, Spec};

use super::super::*;
use super::*;
use crate::remedy::{Candidate, Remedy, Trial};

const SPEC: &str = r#"
name: churn
description: "Whom to call <before> they leave; not for prices."
task: binary
target: {column: left, classes: ['no', 'yes']}
columns:
  age_years: {kind: number, unit: year, description: "a|b <script>alert(1)</script>"}
  city: {kind: category, sensitive: true}
drop: {customer: an identifier}
rules: [{column: age_years, between: [18, 100]}]
serve: {bands: [{below: 0.3, label: low}, {label: high}]}
"#;

fn summary(column: &str, kind: Kind, levels: &[(&str, f64)], numbers: &[f64]) -> ColumnSummary {
    let quantiles = [0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0].iter().zip(numbers);
    ColumnSummary {
        column: column.to_owned(),
        kind,
        unit: None,
        description: None,
        sensitive: false,
        missing_share: 0.125,
        distinct: 3,
        quantiles: quantiles.map(|(level, value)| Quantile { level: *level, value: *value }).collect(),
        levels: levels.iter().map(|(level, share)| LevelShare { level: (*level).to_owned(), share: *share }).collect(),
    }
}

fn trial() -> Trial {
    let candidate = |kind, value, gain, standard_error, history_increase| Candidate {
        remedy: Remedy { kind, newest: None },
        value,
        gain: Some(gain),
        standard_error,
        history_increase,
        keeps_history: true,
    };
    Trial {
        metric: Metric::LogLoss,
        validation_rows: 80,
        history_rows: 1_000,
        allowed: Some(0.1),
        standing: 0.45,
        candidates: vec![
            candidate(RemedyKind::Recalibrate, 0.4, 0.05, Some(0.01), Some(-0.01)),
            candidate(RemedyKind::All, 0.43, 0.02, None, None),
        ],
        winner: Remedy { kind: RemedyKind::Recalibrate, newest: None },
        reason: "0.4 for the standing version with a new calibration, which was made.".to_owned(),
    }
}

fn evidence() -> Evidence {
    let important =
        |column: &str, value| ColumnImportance { column: column.to_owned(), value, standard_error: Some(0.004) };
    let measures =
        |rates: [f64; 2]| IndexMap::from([(Measure::SelectionRate, rates[0]), (Measure::Accuracy, rates[1])]);
    let group = |group: &str, rates| GroupMeasures { group: group.to_owned(), rows: 40, measures: measures(rates) };
    let bin = |bin: f64, rows, mean, share| CalibrationBin {
        from: bin / 10.0,
        to: (bin + 1.0) / 10.0,
        rows,
        mean_probability: mean,
        observed_share: share,
    };
    let age = ColumnSummary {
        unit: Some("year".to_owned()),
        description: Some("a|b <script>alert(1)</script>".to_owned()),
        ..summary("age_years", Kind::Number, &[], &[18.0, 20.0, 30.0, 41.5, 50.0, 70.0, 99.0])
    };
    Evidence {
        holdout_rows: 1_080,
        metrics: IndexMap::from([
            (Metric::LogLoss, Estimate { value: 0.341_23, standard_error: Some(0.012_34) }),
            (Metric::Auc, Estimate { value: 0.861_3, standard_error: None }),
        ]),
        groups: vec![GroupedMetrics {
            column: "city".to_owned(),
            groups: vec![
                GroupMetrics {
                    group: "all stay".to_owned(),
                    rows: 90,
                    metrics: IndexMap::from([(Metric::LogLoss, 0.2), (Metric::Brier, 0.05), (Metric::Ece, 0.03)]),
                },
                GroupMetrics {
                    group: "Ulm & <Neu-Ulm>".to_owned(),
                    rows: 540,
                    metrics: IndexMap::from([(Metric::LogLoss, 0.4), (Metric::Auc, 0.8), (Metric::PrAuc, 0.6)]),
                },
            ],
        }],
        classification: Some(Classification {
            calibration: vec![
                bin(0.0, 900, Some(0.05), Some(0.04)),
                bin(1.0, 0, None, None),
                bin(9.0, 180, Some(0.93), Some(0.9)),
            ],
            confusion: Confusion {
                threshold: Some(0.35),
                classes: vec!["no".to_owned(), "yes".to_owned()],
                counts: vec![vec![800, 50], vec![30, 200]],
            },
        }),
        residuals: None,
        importance: Some(Importance {
            metric: Metric::LogLoss,
            shuffled_rows: 1_080,
            permutation: vec![important("age_years", 0.11), important("city", -0.002)],
            space: spec::Space::Probability,
            explained_rows: 25,
            shap: vec![important("age_years", 0.07), important("city", 0.01)],
        }),
        fairness: vec![Fairness {
            column: "city".to_owned(),
            groups: vec![group("Ulm & <Neu-Ulm>", [0.5, 0.9]), group("Köln", [0.25, 0.8])],
            left_out_rows: 12,
            gaps: vec![Gap {
                criterion: Criterion::DemographicParity,
                measure: Measure::SelectionRate,
                difference: 0.25,
                highest: "Ulm & <Neu-Ulm>".to_owned(),
                lowest: "Köln".to_owned(),
            }],
        }],
        leakage: Leakage {
            alone: vec![Alone { column: "age_years".to_owned(), measure: AloneMeasure::Auc, value: 0.995 }],
            warnings: vec![Warning {
                column: "age_years".to_owned(),
                kind: WarningKind::TargetLeak,
                reason: "it alone predicts left with an AUC of 0.995: is it known before the target is?".to_owned(),
            }],
        },
        curves: vec![Curve {
            name: "member 1".to_owned(),
            best_epoch: 2,
            train_loss: vec![0.6, 0.4, 0.3],
            validation_loss: vec![0.55, 0.42, 0.44],
        }],
        data: Data {
            rows: 4_320,
            columns: vec![age, summary("city", Kind::Category, &[("Ulm & <Neu-Ulm>", 0.5), ("Köln", 0.25)], &[])],
            target: Some(summary("left", Kind::Category, &[("no", 0.8), ("yes", 0.2)], &[])),
        },
        facts: Facts {
            batches: vec![
                BatchRows { batch: "000000-aa".to_owned(), train: 4_000, holdout: 1_000 },
                BatchRows { batch: "000001-bb".to_owned(), train: 320, holdout: 80 },
            ],
            recipe: IndexMap::from([("members".to_owned(), "2".to_owned())]),
            search: None,
            trial: Some(trial()),
            threshold: 0.35,
            interval: None,
        },
    }
}

#[track_caller]
fn holds_in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let at = rest.find(part).unwrap_or_else(|| panic!("{part:?} is not there, or too early, in:\n{text}"));
        rest = &rest[at + part.len()..];
    }
}

#[test]
fn the_model_card_tells_the_run() {
    let card = model_card(&Spec::parse(SPEC).unwrap(), &evidence());
    holds_in_order(
        &card.markdown(),
        &[
            "# Model card: churn\n\nPredicts the probability that left is yes from 2 columns.",
            "4,320 train rows, 1,080 hold-out rows",
            "## What it is",
            "Whom to call \\<before\\> they leave",
            "- Called positive from a probability of 0.35 on",
            "low below 0.3, high above",
            "## How it was fitted",
            "Learnt from 2 batches, 000000-aa to 000001-bb.",
            "0.4 for the standing version with a new calibration, which was made",
            "| the standing version with a new calibration | yes | 0.4 | 0.05 | 0.01 | −1 % |",
            "| a fit on all history | no | 0.43 | 0.02 | – | – |",
            "| members | 2 |",
            "| member 1 | 3 | 2 | 0.4 | 0.42 |",
            "## How good it is",
            "| log loss | lower | 0.3412 | 0.01234 |",
            "| AUC | higher | 0.8613 | – |",
            "## What its probabilities are worth",
            "| 0 to 0.1 | 900 | 0.05 | 0.04 |\n| 0.9 to 1 | 180 |",
            "| no | 800 | 50 | 0.9639 | 0.9412 |",
            "| yes | 30 | 200 | 0.8 | 0.8696 |",
            "## How good it is by group",
            "| city | rows | log loss | AUC | average precision |",
            "| all stay | 90 | 0.2 | – | – |",
            "| Ulm \\& \\<Neu-Ulm\\> | 540 | 0.4 | 0.8 | 0.6 |",
            "## Fairness",
            "| Köln | 40 | 0.25 | 0.8 |",
            "| demographic parity | selection rate | Ulm \\& \\<Neu-Ulm\\> | Köln | T. Calders",
            "12 rows are in groups of city too small",
            "## What it rests on",
            "how much log loss grows",
            "| city | −0.002 | 0.004 | 0.01 | 0.004 |",
            "## Limits",
            "age_years may be known only after",
            "demographic parity differs by 0.25",
        ],
    );
}

#[test]
fn the_data_card_tells_the_rows() {
    let card = data_card(&Spec::parse(SPEC).unwrap(), &evidence());
    holds_in_order(
        &card.markdown(),
        &[
            "# Data card: churn\n\nThe 4,320 train rows of 2 batches",
            "About 20 % of the rows are hold-out",
            "| 000001-bb | 320 | 80 |",
            "| no | 80 % |",
            "| age_years | number | a\\|b \\<script\\>alert(1)\\</script\\>, in year | 18, 30, 41.5, 50, 99 | 12.5 % | 3 |",
            "| city | category | – | Ulm \\& \\<Neu-Ulm\\> 50 %, Köln 25 %, and 1 more | 12.5 % | 3 |",
            "- age_years: it alone predicts left",
            "| age_years | AUC | 0.995 |",
            "| customer | an identifier |",
            "| age_years | 18 | 100 |",
        ],
    );
}

#[test]
fn pages_stand_alone_and_run_nothing() {
    let (spec, evidence) = (Spec::parse(SPEC).unwrap(), evidence());
    for card in [model_card(&spec, &evidence), data_card(&spec, &evidence)] {
        let page = card.html();
        assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"));
        for outside in ["<script", "http://", "https://", "url(", "@import", "src="] {
            assert!(!page.contains(outside), "{outside}");
        }
        // Every section of the Markdown is there under its heading.
        let headings = card.markdown().lines().filter(|line| line.starts_with("## ")).count();
        assert_eq!(page.matches("<h2>").count(), headings);
        assert!(page.contains("prefers-color-scheme: dark"));
    }
    let page = model_card(&spec, &evidence).html();
    assert!(page.contains("Ulm &amp; &lt;Neu-Ulm&gt;"), "{page}");
    assert_eq!(page.matches("<svg").count(), 4, "calibration, one learning curve, two kinds of importance");
    // The calibration curve's last point: 0.93 and 0.9 of an axis from 52 to 352 and from 224 up to 24.
    assert!(page.contains("67.0,216.0 331.0,44.0"), "{page}");
}

#[test]
fn a_card_without_evidence_says_what_is_missing() {
    let spec =
        Spec::parse("name: bare\ntask: regression\ntarget: {column: y}\ncolumns: {x: {kind: number}}\n").unwrap();
    let bare = Evidence {
        holdout_rows: 0,
        metrics: IndexMap::new(),
        groups: Vec::new(),
        classification: None,
        residuals: None,
        importance: None,
        fairness: Vec::new(),
        leakage: Leakage::default(),
        curves: Vec::new(),
        data: Data { rows: 0, columns: Vec::new(), target: None },
        facts: Facts::default(),
    };
    let model = model_card(&spec, &bare).markdown();
    holds_in_order(&model, &["states no intended use", "calls no column sensitive", "0 hold-out rows are few"]);
    holds_in_order(&data_card(&spec, &bare).markdown(), &["no target", "none looks like", "drops no column"]);
    assert!(!model.contains("| ---"), "there is no table without rows: {model}");
}
