//! Every statistic equals scipy's, on samples and values that `scipy/make_values.py` made.

#[path = "common/golden.rs"]
mod golden;

use serde_json::Value;

#[test]
fn every_statistic_equals_scipy() {
    let values: Value = serde_json::from_str(include_str!("scipy/values.json")).unwrap();
    let (mut found, mut n_compared) = (Vec::new(), 0);
    for case in values["cases"].as_array().unwrap() {
        let computed = golden::computed(case).unwrap_or_else(|| panic!("{} has no known kind", case["name"]));
        for key in case.as_object().unwrap().keys().filter(|key| !["ref", "cur"].contains(&key.as_str())) {
            assert!(computed.get(key).is_some(), "{key} of {} is not computed", case["name"]);
        }
        let (differences, n) = golden::differences(case, &computed);
        found.extend(differences.into_iter().map(|difference| format!("{}{difference}", case["name"])));
        n_compared += n;
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(n_compared > 400, "{n_compared} figures");
}

#[test]
fn the_kolmogorov_law_equals_scipy_at_large_sizes() {
    // scipy 1.17.1 kstwo.sf(D, round(n m / (n + m))) and kstwobign.sf
    let cases = [
        r#"{"n": 10000, "m": 10000, "D": 0.03, "p_scipy_asymp": 0.00024159234422666817, "p_kolmogorov_limit": 0.0002468196081728957}"#,
        r#"{"n": 1000000, "m": 1000000, "D": 0.001, "p_scipy_asymp": 0.698980144366366, "p_kolmogorov_limit": 0.6993741991310154}"#,
    ];
    for case in cases {
        let case: Value = serde_json::from_str(case).unwrap();
        let (found, n_compared) = golden::differences(&case, &golden::computed(&case).unwrap());
        assert!(found.is_empty() && n_compared == 5, "{found:?}, {n_compared} figures");
    }
}
