//! The decision about a batch, from its columns, and the page that tells it.

use drift::{Coverage, Decision, DecisionInput, Profile, Settings, Values, compare, coverage, decide, report};

/// Rows by state and status, and the price's offset in its own standard deviations.
struct Homes {
    price: Vec<f64>,
    states: Vec<String>,
    state: Vec<u32>,
    statuses: Vec<String>,
    status: Vec<u32>,
}

fn homes(rows: usize, n_states: usize, status: &str, price_offset: f64) -> Homes {
    Homes {
        price: (0..rows)
            .map(|row| ((row * 7919) % rows) as f64 / rows as f64 * 12.0_f64.sqrt() + price_offset)
            .collect(),
        states: (0..n_states).map(|state| format!("state {state}")).collect(),
        state: (0..rows).map(|row| (row % n_states) as u32).collect(),
        statuses: vec![status.to_string()],
        status: vec![0; rows],
    }
}

impl Homes {
    fn columns(&self) -> Vec<(String, Values<'_>)> {
        vec![
            ("price".to_string(), Values::Numbers(&self.price)),
            ("state".to_string(), Values::Categories { levels: &self.states, codes: &self.state }),
            ("status".to_string(), Values::Categories { levels: &self.statuses, codes: &self.status }),
        ]
    }

    /// The decision on this batch against `reference`, and the page.
    fn judge(&self, reference: &Homes, median: Option<f64>) -> (Decision, Vec<String>, String) {
        let profile = Profile::of(reference.columns().into_iter(), None);
        let settings = Settings::default();
        let columns = compare(&profile, &self.columns(), None, &settings).unwrap();
        let coverage = coverage(&profile, &self.columns());
        let (decision, reasons) = decide(&DecisionInput {
            has_production: true,
            rows: self.price.len() as u64,
            median_accepted_rows: median,
            coverage: &coverage,
            columns: &columns,
            decayed: &[],
            settings: &settings,
        });
        let meta = report::Meta {
            subject: report::Subject::Batch {
                model: "homes".into(),
                batch: "<script>alert(1)</script>".into(),
                version: Some("0f3a".into()),
            },
            rows: self.price.len() as u64,
            reference_rows: Some(profile.n_rows),
            checked_at: None,
        };
        let page = report::html(&meta, report::Verdict::Decision(decision), &reasons, &[], &columns);
        (decision, reasons, page)
    }
}

#[test]
fn the_same_again_is_skipped_with_the_nearest_column() {
    let (decision, reasons, _) =
        homes(9_000, 50, "for_sale", 0.0).judge(&homes(9_500, 50, "for_sale", 0.0), Some(9_500.0));
    assert_eq!(decision, Decision::Skip);
    assert!(reasons[0].starts_with("none of 3 columns drifted; the largest change is in `"), "{reasons:?}");
}

#[test]
fn a_new_status_is_told_before_the_moved_price() {
    let (decision, reasons, _) = homes(9_000, 50, "sold", 0.4).judge(&homes(9_500, 50, "for_sale", 0.0), Some(9_500.0));
    assert_eq!(decision, Decision::Train);
    assert_eq!(reasons[0], "column `status`: new category `sold` holds 100 % of the rows");
    assert!(reasons.iter().any(|reason| reason.contains("column `price`: the values moved by 0.40")), "{reasons:?}");
    assert!(reasons[1].contains("is gone") && reasons[2].contains("moved"), "{reasons:?}");
}

#[test]
fn small_and_narrow_is_quarantined_but_either_alone_is_not() {
    let reference = homes(94_554, 51, "for_sale", 0.0);
    let (decision, reasons, _) = homes(4_055, 1, "for_sale", 0.0).judge(&reference, Some(94_551.0));
    assert_eq!(decision, Decision::Quarantine);
    assert_eq!(
        reasons[0],
        "covers 1 of 51 levels of `state` (2 % of the reference's mass) and has 4055 rows against a median of 94551"
    );
    assert!(reasons.len() > 1, "what drifted in it is told too: {reasons:?}");
    let (narrow, ..) = homes(60_000, 1, "for_sale", 0.0).judge(&reference, Some(94_551.0));
    assert_eq!(narrow, Decision::Train);
    let (small, reasons, _) = homes(4_055, 51, "for_sale", 0.0).judge(&reference, Some(94_551.0));
    assert_eq!((small, reasons.len()), (Decision::Skip, 1), "{reasons:?}");
    let (first, ..) = homes(4_055, 1, "for_sale", 0.0).judge(&reference, None);
    assert_eq!(first, Decision::Train, "without an accepted batch there is no median to be small against");
}

#[test]
fn without_a_production_version_only_the_size_counts() {
    let settings = Settings::default();
    let decide_on = |rows| {
        let input = DecisionInput {
            has_production: false,
            rows,
            median_accepted_rows: None,
            coverage: &[],
            columns: &[],
            decayed: &[],
            settings: &settings,
        };
        decide(&input)
    };
    assert_eq!(decide_on(499).0, Decision::Quarantine);
    assert_eq!(decide_on(499).1, ["has 499 rows, fewer than the 500 that a decision needs"]);
    assert_eq!(decide_on(500).0, Decision::Bootstrap);
}

#[test]
fn production_that_became_worse_is_trained_anew() {
    let settings = Settings::default();
    let input = DecisionInput {
        has_production: true,
        rows: 900,
        median_accepted_rows: None,
        coverage: &[],
        columns: &[],
        decayed: &["production has become worse".to_owned()],
        settings: &settings,
    };
    assert_eq!(decide(&input), (Decision::Train, vec!["production has become worse".to_string()]));
    assert_eq!(decide(&DecisionInput { rows: 90, ..input }).0, Decision::Quarantine);
    assert_eq!(decide(&DecisionInput { decayed: &[], ..input }).0, Decision::Skip);
}

#[test]
fn coverage_counts_mass_and_not_levels() {
    let levels: Vec<String> = ["a", "b", "c", "new"].map(String::from).to_vec();
    let of = |codes| vec![("c".to_string(), Values::Categories { levels: &levels, codes })];
    let profile = Profile::of(of(&[0, 0, 0, 1, 2]).into_iter(), None);
    let covered = coverage(&profile, &of(&[0, 3, 3, 3]));
    assert_eq!(covered, [Coverage { column: "c".into(), present: 1, total: 3, mass: 0.6 }]);
}

#[test]
fn decisions_are_lower_case_words() {
    let all = [Decision::Bootstrap, Decision::Train, Decision::Skip, Decision::Quarantine];
    assert_eq!(serde_json::to_string(&all).unwrap(), r#"["bootstrap","train","skip","quarantine"]"#);
}

#[test]
fn the_page_stands_alone_and_escapes_names() {
    let (_, _, page) = homes(9_000, 50, "<b>sold & \"gone\"</b>", 0.4).judge(&homes(9_500, 50, "for_sale", 0.0), None);
    for foreign in ["<script", "<b>sold", "src=", "href=", "http", "@import", "url("] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    assert!(page.contains("&lt;b&gt;sold &amp; &quot;gone&quot;&lt;/b&gt;"));
    assert!(page.contains("<h1 class=\"train\">train</h1>") && page.matches("<svg").count() == 3);
}
