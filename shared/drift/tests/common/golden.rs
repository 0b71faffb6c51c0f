//! A file of cases with what scipy says about them, and the same computed here.

use drift::two_sample::{
    anderson_darling, bins, chi_square, cramer_von_mises, g_test, hellinger, jensen_shannon, ks, psi, sorted,
    total_variation, wasserstein,
};
use drift::{ColumnProfile, Values};
use serde_json::{Map, Value, json};

/// Floor of the standard deviation in the file's convention.
const STD_FLOOR: f64 = 1e-3;

/// The case with every figure as computed here; `None` for a case of an unknown kind.
pub(crate) fn computed(case: &Value) -> Option<Value> {
    let mut figures = match case["kind"].as_str() {
        Some("numeric") => numeric(&numbers(&case["ref"])?, &numbers(&case["cur"])?),
        Some("categorical") => categorical(&counts(&case["ref_counts"])?, &counts(&case["cur_counts"])?),
        _ if case["D"].is_number() => {
            large(case["D"].as_f64()?, case["n"].as_f64()? as u64, case["m"].as_f64()? as u64)
        }
        _ => return None,
    };
    let given = ["kind", "name", "n", "m", "D", "n_ref", "n_cur", "categories"];
    let mut whole: Map<String, Value> =
        given.iter().filter_map(|&key| Some((key.to_owned(), case.get(key)?.clone()))).collect();
    whole.append(figures.as_object_mut()?);
    Some(Value::Object(whole))
}

/// Each figure that both have and in which they differ: p-values by more than 1e-6 of themselves, others by more than 1e-9
/// of the larger of 1 and themselves. The second part says how many figures were compared.
pub(crate) fn differences(expected: &Value, computed: &Value) -> (Vec<String>, usize) {
    let (mut found, mut n_compared) = (Vec::new(), 0);
    walk("", expected, computed, &mut found, &mut n_compared);
    (found, n_compared)
}

fn walk(at: &str, expected: &Value, computed: &Value, found: &mut Vec<String>, n_compared: &mut usize) {
    match (expected, computed) {
        (Value::Object(expected), Value::Object(computed)) => {
            for (key, value) in expected {
                if let Some(own) = computed.get(key) {
                    walk(&format!("{at}/{key}"), value, own, found, n_compared);
                }
            }
        }
        (Value::Array(expected), Value::Array(computed)) => {
            if expected.len() != computed.len() {
                found.push(format!("{at}: {} values where {} are expected", computed.len(), expected.len()));
            }
            for (idx, (value, own)) in expected.iter().zip(computed).enumerate() {
                walk(&format!("{at}/{idx}"), value, own, found, n_compared);
            }
        }
        (Value::Number(expected), Value::Number(computed)) => {
            let (expected, computed) = (expected.as_f64().unwrap_or(f64::NAN), computed.as_f64().unwrap_or(f64::NAN));
            let key = at.rsplit('/').next().unwrap_or_default();
            // scipy's own series for this p-value is cut off where its terms fall below 1e-7.
            let cut_off = if key == "p_asymptotic" { 1e-8 } else { 1e-15 };
            let allowed = if key == "p" || key.starts_with("p_") {
                (1e-6 * expected.abs()).max(cut_off)
            } else {
                1e-9 * expected.abs().max(1.0)
            };
            *n_compared += 1;
            let difference = (expected - computed).abs();
            if difference.is_nan() || difference > allowed {
                found.push(format!("{at}: {computed} is not {expected}"));
            }
        }
        (expected, computed) => {
            if expected != computed {
                found.push(format!("{at}: {computed} is not {expected}"));
            }
        }
    }
}

fn numbers(values: &Value) -> Option<Vec<f64>> {
    values.as_array()?.iter().map(Value::as_f64).collect()
}

fn counts(values: &Value) -> Option<Vec<u64>> {
    values.as_array()?.iter().map(Value::as_u64).collect()
}

fn numeric(reference: &[f64], current: &[f64]) -> Value {
    let ColumnProfile::Numbers { std, .. } = ColumnProfile::of(Values::Numbers(reference)) else {
        unreachable!("numbers have the profile of numbers");
    };
    let (reference, current) = (sorted(reference), sorted(current));
    let (n, m) = (reference.len() as u64, current.len() as u64);
    let d = ks::statistic(&reference, &current);
    let (location, reference_is_higher) = ks::widest_gap(&reference, &current).unzip();
    let sign = reference_is_higher.map(|is_higher| if is_higher { 1 } else { -1 });
    let of_ks = |p: f64| json!({"statistic": d, "p": p, "location": location, "sign": sign});
    let w1 = wasserstein::distance(&reference, &current);
    let inner_edges = psi::edges(&reference);
    let in_bins = |side: &[f64]| match reference.first() == reference.last() {
        true => Vec::new(),
        false => psi::histogram(side, &inner_edges),
    };
    let edges = bins::sturges(&reference, &current);
    let histograms = [&reference, &current].map(|side| psi::histogram(side, &edges));
    let t = cramer_von_mises::statistic(&reference, &current);
    let mut of_t = json!({"statistic": t, "p_asymptotic": cramer_von_mises::asymptotic_p_value(t, n, m)});
    if n.max(m) <= cramer_von_mises::EXACT_VALUES {
        of_t["p_exact"] = cramer_von_mises::exact_p_value(t, n, m).into();
    }
    let a = anderson_darling::statistic(&reference, &current);
    let mut between = distances(&histograms[0], &histograms[1]);
    between["js"]["edges"] = outer_and(&edges, &reference, &current).into();
    let mut all = json!({
        "ks": {
            "asymp": of_ks(ks::asymptotic_p_value(d, n, m)),
            "exact": of_ks(ks::exact_p_value(d, n, m)),
            "auto_method_used_by_scipy": if n.max(m) <= 10_000 { "exact" } else { "asymp" },
        },
        "wasserstein": {
            "w1": w1,
            "ref_std_ddof0": std,
            "ref_std_ddof1": std * (n as f64 / (n as f64 - 1.0)).sqrt(),
            "normed_by_ref_std_ddof0": w1 / std.max(STD_FLOOR),
            "evidently_normed": w1 / std.max(STD_FLOOR),
        },
        "psi10": {
            "inner_edges": inner_edges,
            "ref_counts": in_bins(&reference),
            "cur_counts": in_bins(&current),
            "psi": psi::from_counts(
                &psi::histogram(&reference, &inner_edges),
                &psi::histogram(&current, &inner_edges),
            ),
            "eps": psi::FLOOR,
        },
        "cramer_von_mises": of_t,
        "anderson_darling": {"statistic": a, "p": anderson_darling::p_value(a)},
    });
    merge(&mut all, between);
    all
}

fn categorical(reference: &[u64], current: &[u64]) -> Value {
    let outcome =
        |test: chi_square::ChiSquare| json!({"statistic": test.statistic, "dof": test.dof, "p": test.p_value});
    let homogeneity = chi_square::homogeneity(reference, current);
    let mut all = json!({
        "ref_counts": reference,
        "cur_counts": current,
        "chi2_homogeneity": outcome(homogeneity),
        "g_test": outcome(g_test::homogeneity(reference, current)),
        "psi": {"psi": psi::from_counts(reference, current), "eps": psi::FLOOR},
    });
    if let (&[a, c], &[b, d]) = (reference, current) {
        all["chi2_homogeneity_yates"] = outcome(chi_square::yates([a, c], [b, d]));
        // The root of the statistic with the sign of the change of the second category.
        let rises = (c * (b + d)) < (d * (a + c));
        let z = homogeneity.statistic.sqrt() * if rises { -1.0 } else { 1.0 };
        all["z_test_two_proportions"] = json!({"z": z, "p": homogeneity.p_value});
    }
    if reference.iter().all(|&count| count > 0) {
        all["evidently_chisquare_goodness_of_fit"] = goodness_of_fit(reference, current);
    }
    merge(&mut all, distances(reference, current));
    all
}

/// Evidently's test, which takes the reference's shares for the truth; Ebb does not decide by it.
fn goodness_of_fit(reference: &[u64], current: &[u64]) -> Value {
    use statrs::distribution::{ChiSquared, ContinuousCDF};
    let scale = current.iter().sum::<u64>() as f64 / reference.iter().sum::<u64>() as f64;
    let part = |(&a, &b): (&u64, &u64)| (b as f64 - a as f64 * scale).powi(2) / (a as f64 * scale);
    let statistic: f64 = reference.iter().zip(current).map(part).sum();
    let p = ChiSquared::new(reference.len() as f64 - 1.0).map_or(1.0, |law| law.sf(statistic));
    json!({"statistic": statistic, "p": p})
}

fn distances(reference: &[u64], current: &[u64]) -> Value {
    let base2 = jensen_shannon::distance(reference, current);
    json!({
        "js": {
            "distance_base2": base2,
            "divergence_base2": base2 * base2,
            "distance_natural": base2 * std::f64::consts::LN_2.sqrt(),
        },
        "hellinger": hellinger::distance(reference, current),
        "total_variation": total_variation::distance(reference, current),
    })
}

/// The inner edges with the outer ones, as numpy has them.
fn outer_and(inner: &[f64], reference: &[f64], current: &[f64]) -> Vec<f64> {
    let both = sorted(&[reference, current].concat());
    let (Some(&low), Some(&high)) = (both.first(), both.last()) else { return Vec::new() };
    let (low, high) = if low == high { (low - 0.5, high + 0.5) } else { (low, high) };
    [&[low], inner, &[high]].concat()
}

/// The asymptotic p-value at a given statistic, and Kolmogorov's limit of it.
fn large(d: f64, n: u64, m: u64) -> Value {
    let z = d * (n as f64 * m as f64 / (n as f64 + m as f64)).sqrt();
    let term = |k: i32| f64::from(1 - 2 * ((k + 1) % 2)) * (-2.0 * f64::from(k * k) * z * z).exp();
    let limit: f64 = 2.0 * (1..=1000).map(term).sum::<f64>();
    json!({"p_scipy_asymp": ks::asymptotic_p_value(d, n, m), "p_kolmogorov_limit": limit})
}

fn merge(all: &mut Value, other: Value) {
    if let (Value::Object(all), Value::Object(other)) = (all, other) {
        all.extend(other);
    }
}
