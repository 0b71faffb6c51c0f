//! What a comparison reports, column by column, and what it refuses.

use drift::{ColumnReport, Error, MISSING, Preset, Profile, Role, Settings, Values, compare};
use fault::{Fault, Kind};

fn levels(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| name.to_string()).collect()
}

/// `counts[i]` rows of code `i`.
fn codes(counts: &[usize]) -> Vec<u32> {
    counts.iter().enumerate().flat_map(|(code, &count)| vec![code as u32; count]).collect()
}

fn ramp(n: usize, offset: f64) -> Vec<f64> {
    (0..n).map(|i| i as f64 / n as f64 + offset).collect()
}

fn numbers(reference: &[f64], current: &[f64], settings: &Settings) -> ColumnReport {
    let profile = Profile::of([("x".to_string(), Values::Numbers(reference))].into_iter(), None);
    compare(&profile, &[("x".to_string(), Values::Numbers(current))], None, settings).unwrap().remove(0)
}

fn categories(names: &[&str], reference: &[usize], current: &[usize]) -> ColumnReport {
    let levels = levels(names);
    let (reference, current) = (codes(reference), codes(current));
    let values = |codes| ("status".to_string(), Values::Categories { levels: &levels, codes });
    let profile = Profile::of([values(&reference)].into_iter(), None);
    compare(&profile, &[values(&current)], None, &Settings::default()).unwrap().remove(0)
}

#[test]
fn a_report_serialises_by_the_contract() {
    let report = numbers(&ramp(1000, 0.0), &ramp(800, 0.2), &Settings::default());
    let json = serde_json::to_value(&report).unwrap();
    let keys: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    let contract = [
        "column",
        "test",
        "statistic",
        "p_value",
        "q_value",
        "psi",
        "effect",
        "effect_measure",
        "threshold",
        "drifted",
    ];
    for key in contract.into_iter().chain(["reasons", "role", "new_categories", "vanished_categories", "distribution"])
    {
        assert!(keys.contains(&key), "{key} in {keys:?}");
    }
    assert_eq!(
        (&json["test"], &json["effect_measure"], &json["role"]),
        (&"ks".into(), &"wasserstein".into(), &"input".into())
    );
    assert_eq!(serde_json::from_value::<ColumnReport>(json).unwrap(), report);
    let report = categories(&["a", "b"], &[500, 500], &[500, 500]);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!((&json["test"], &json["effect_measure"]), (&"chi_square".into(), &"jensen_shannon".into()));
}

#[test]
fn a_moved_mean_is_told_in_reference_sigmas() {
    let report = numbers(&ramp(1000, 0.0), &ramp(800, 0.2), &Settings::default());
    assert!(report.drifted);
    // 0.2 over the standard deviation of a uniform ramp, 1 / sqrt(12).
    assert!((report.effect - 0.2 * 12.0_f64.sqrt()).abs() < 0.01, "{}", report.effect);
    assert!(
        report.reasons[0].starts_with("column `x`: the values moved by 0.69 standard deviations"),
        "{:?}",
        report.reasons
    );
}

#[test]
fn presets_and_overrides_move_the_threshold() {
    let (reference, current) = (ramp(20_000, 0.0), ramp(20_000, 0.045));
    let drifted = |settings: &Settings| numbers(&reference, &current, settings).drifted;
    // 0.045 is 0.156 standard deviations.
    assert!(drifted(&Settings::default()));
    assert!(!drifted(&Settings { preset: Preset::Tolerant, ..Settings::default() }));
    assert!(!drifted(&Settings { columns: [("x".to_string(), 0.16)].into_iter().collect(), ..Settings::default() }));
    let strict = Settings { preset: Preset::Strict, ..Settings::default() };
    assert!(numbers(&reference, &ramp(20_000, 0.02), &strict).drifted);
}

#[test]
fn the_threshold_follows_the_sample_size() {
    let threshold = |m| numbers(&ramp(5_000, 0.0), &ramp(m, 0.0), &Settings::default()).threshold;
    assert!(threshold(20) > threshold(100) && threshold(100) > threshold(5_000));
    assert_eq!(threshold(5_000), 0.1);
}

#[test]
fn new_and_vanished_categories_come_first() {
    let report = categories(&["for_sale", "sold"], &[5_000, 0], &[0, 4_000]);
    assert!(report.drifted);
    assert_eq!(report.reasons[0], "column `status`: new category `sold` holds 100 % of the rows");
    assert_eq!(report.reasons[1], "column `status`: category `for_sale` is gone; it held 100 % of the reference");
    assert!(report.reasons[2].contains("Jensen-Shannon distance of 1.00"), "{:?}", report.reasons);
}

#[test]
fn rare_new_and_vanished_categories_do_not_alarm() {
    // Half a percent is there, but does not matter; a third is gone only because the batch has two rows.
    let rare = categories(&["a", "b", "c"], &[10_000, 5_000, 0], &[10_000, 5_000, 75]);
    assert_eq!((rare.new_categories.len(), rare.drifted), (1, false));
    let tiny = categories(&["a", "b", "c"], &[400, 300, 300], &[1, 1, 0]);
    assert_eq!((tiny.vanished_categories.len(), tiny.drifted), (1, false));
}

#[test]
fn many_new_categories_are_one_reason() {
    let names = ["old", "n1", "n2", "n3", "n4", "n5"];
    let report = categories(&names, &[6_000, 0, 0, 0, 0, 0], &[5_000, 600, 500, 400, 300, 200]);
    assert_eq!(
        report.reasons[0],
        "column `status`: 5 new categories, `n1` the largest, hold 28.6 % of the rows together"
    );
}

#[test]
fn missing_rates_drift_by_size_and_significance() {
    let with_missing = |n: usize, missing: usize| -> Vec<f64> {
        (0..n).map(|i| if i < missing { f64::NAN } else { ((i * 7919) % n) as f64 / n as f64 }).collect()
    };
    let drifted = |reference: (usize, usize), current: (usize, usize)| {
        let settings = Settings::default();
        numbers(&with_missing(reference.0, reference.1), &with_missing(current.0, current.1), &settings)
    };
    let rose = drifted((10_000, 10), (5_000, 260));
    assert_eq!(rose.reasons, ["column `x`: missing values rose from 0.1 % to 5.2 % of the rows"]);
    assert!(!drifted((100_000, 100), (100_000, 1_000)).drifted, "significant, but one percentage point");
    assert!(!drifted((1_000, 20), (40, 3)).drifted, "5 percentage points, but of 40 rows");
    let gone = drifted((1_000, 0), (1_000, 1_000));
    assert_eq!((gone.statistic, gone.p_value, gone.effect), (0.0, 1.0, 0.0));
    assert_eq!(gone.reasons, ["column `x`: missing values rose from 0 % to 100 % of the rows"]);
}

#[test]
fn the_target_is_compared_last_and_named() {
    let (x, before, now) = (ramp(900, 0.0), ramp(900, 0.0), ramp(900, 3.0));
    let column = || [("x".to_string(), Values::Numbers(&x))];
    let profile = Profile::of(column().into_iter(), Some(("price".to_string(), Values::Numbers(&before))));
    let target = Some(("price".to_string(), Values::Numbers(&now)));
    let reports = compare(&profile, &column(), target, &Settings::default()).unwrap();
    assert_eq!((reports.len(), reports[0].drifted, reports[1].role), (2, false, Role::Target));
    assert!(reports[1].reasons[0].starts_with("target `price`: the values moved"), "{:?}", reports[1].reasons);
    assert_eq!(compare(&profile, &column(), None, &Settings::default()).unwrap().len(), 1);
}

#[test]
fn wrong_arguments_are_errors_never_drift() {
    let names = levels(&["a"]);
    let (x, few, one) = ([1.0, 2.0], [1.0], [0, 0]);
    let number = |name: &str| (name.to_string(), Values::Numbers(&x));
    let category = |codes| ("c".to_string(), Values::Categories { levels: &names, codes });
    let profile = Profile::of([number("x"), category(&one)].into_iter(), None);
    let empty = Profile::of([("x".to_string(), Values::Numbers(&[]))].into_iter(), None);
    let with = |alpha, column: Option<(&str, f64)>| Settings {
        alpha,
        columns: column.into_iter().map(|(name, effect)| (name.to_string(), effect)).collect(),
        ..Settings::default()
    };
    let fine = with(0.01, None);
    let short = ("x".to_string(), Values::Numbers(&few));
    let as_category = ("x".to_string(), Values::Categories { levels: &names, codes: &one });
    let both = || vec![number("x"), category(&one)];
    let cases = [
        (&profile, vec![number("x")], None, &fine, "the batch lacks column `c` of the reference"),
        (&profile, vec![number("x"), category(&one), number("y")], None, &fine, "the reference has no column `y`"),
        (&profile, vec![number("x"), number("x")], None, &fine, "the batch has column `x` twice"),
        (
            &profile,
            vec![as_category, category(&one)],
            None,
            &fine,
            "column `x` holds numbers in the reference and categories in the batch",
        ),
        (&profile, vec![category(&one), short], None, &fine, "column `c` has 2 rows where the first column has 1"),
        (&profile, vec![number("x"), category(&[0, 1])], None, &fine, "column `c` has code 1 with 1 levels"),
        (&profile, both(), Some(number("y")), &fine, "the reference has no column `y`"),
        (&profile, both(), None, &with(1.5, None), "drift setting `alpha` is 1.5, expected between 0 and 1"),
        (
            &profile,
            both(),
            None,
            &with(0.01, Some(("x", -1.0))),
            "drift setting `columns.x.effect` is -1, expected 0 or more",
        ),
        (&profile, both(), None, &with(0.01, Some(("z", 0.1))), "the reference has no column `z`"),
        (&empty, vec![number("x")], None, &fine, "the reference has no rows"),
    ];
    for (profile, current, target, settings, message) in cases {
        let error = compare(profile, &current, target, settings).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.kind()), (message, Kind::Invalid));
    }
    let nothing = [("x".to_string(), Values::Numbers(&[])), category(&[])];
    assert!(matches!(compare(&profile, &nothing, None, &fine), Err(Error::NoRows { side: "batch" })));
    assert!(compare(&profile, &[number("x"), category(&[0, MISSING])], None, &fine).is_ok());
}
