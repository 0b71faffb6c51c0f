use std::collections::BTreeSet;

use super::*;

/// The published mean prices, in USD.
const MEANS: [f64; 6] = [219_186.0, 179_512.0, 196_747.0, 236_810.0, 397_339.0, 1_134_678.0];

fn texts<'t>(table: &'t Table, name: &str) -> BTreeSet<&'t str> {
    let Some(Column::Text(text)) = table.get(name) else { panic!("{name} is not text") };
    (0..table.n_rows()).filter_map(|row| text.get(row)).collect()
}

#[test]
fn the_counts_at_scale_one_are_the_published_ones() {
    let counts = RealEstate::new(1.0, 7).batch_rows();
    assert_eq!(counts, [73_784, 94_551, 230_366, 4_055, 320_696, 361_457]);
    assert_eq!(counts.iter().sum::<usize>(), 1_084_909);
    assert_eq!(RealEstate::new(1e-9, 7).batch_rows(), [1; 6]);
    assert_eq!(RealEstate::new(0.05, 7).batch_rows()[3], 203);
}

#[test]
fn every_batch_is_the_published_slice() {
    let world = RealEstate::new(0.01, 7);
    let mut seen: Vec<BTreeSet<String>> = Vec::new();
    for (batch, slice) in SLICES.iter().enumerate() {
        let table = world.batch(batch);
        let price = table.get("price").unwrap();
        let prices: Vec<f64> = (0..table.n_rows()).filter_map(|row| price.number(row)).collect();
        assert_eq!(prices.len(), slice.n_rows(0.01));
        assert!(prices.iter().all(|price| slice.holds(*price)), "batch {batch} leaves its price range");
        let mean = prices.iter().sum::<f64>() / prices.len() as f64;
        assert!((mean / MEANS[batch] - 1.0).abs() < 0.10, "batch {batch}: mean {mean}, published {}", MEANS[batch]);
        let statuses = texts(&table, "status");
        match batch {
            0 | 1 => assert_eq!(statuses, BTreeSet::from(["for_sale"])),
            2 => assert_eq!(statuses, BTreeSet::from(["sold"])),
            _ => assert!(statuses.contains("for_sale") && statuses.contains("sold"), "batch {batch}: {statuses:?}"),
        }
        seen.push(texts(&table, "state").into_iter().map(str::to_owned).collect());
    }
    assert!(seen[1].contains("Puerto Rico") && !seen[0].contains("Puerto Rico") && !seen[2].contains("Puerto Rico"));
    assert_eq!(seen[3], BTreeSet::from(["Virginia".to_owned()]));
}

#[test]
fn every_state_of_a_slice_appears_at_a_tenth_of_the_size() {
    let world = RealEstate::new(0.1, 7);
    let states: Vec<usize> = (0..6).map(|batch| texts(&world.batch(batch), "state").len()).collect();
    assert_eq!(states, [50, 51, 50, 1, 53, 53]);
}

#[test]
fn scale_changes_counts_and_nothing_else() {
    let (small, large) = (RealEstate::new(0.01, 7), RealEstate::new(0.03, 7));
    for batch in 0..6 {
        let (small, large) = (small.batch(batch), large.batch(batch));
        let head: Vec<u32> = (0..small.n_rows() as u32).collect();
        assert_eq!(small.to_json(), large.take(&head).to_json(), "batch {batch}");
    }
}

/// The Bayes predictor of ln price: moments of `N(f, NOISE²)` times `weight(price)`, by the midpoint rule.
fn bayes(f: f64, weight: impl Fn(f64) -> f64) -> (f64, f64) {
    const STEPS: usize = 400;
    let grid: Vec<(f64, f64)> = (0..STEPS)
        .map(|step| {
            let e = -7.0 + 14.0 * (step as f64 + 0.5) / STEPS as f64;
            let y = f + NOISE * e;
            (y, (-0.5 * e * e).exp() * weight(y.exp()))
        })
        .collect();
    let total: f64 = grid.iter().map(|(_, w)| w).sum();
    let mean = grid.iter().map(|(y, w)| y * w).sum::<f64>() / total;
    let mut mass = 0.0;
    let median = grid.iter().find(|(_, w)| {
        mass += w;
        mass >= total / 2.0
    });
    (mean, median.map_or(mean, |(y, _)| *y))
}

/// (R², mean absolute error) of (ln price, mean, median).
fn scores(rows: &[(f64, f64, f64)]) -> (f64, f64) {
    let n = rows.len() as f64;
    let mean = rows.iter().map(|row| row.0).sum::<f64>() / n;
    let total: f64 = rows.iter().map(|row| (row.0 - mean).powi(2)).sum();
    let left: f64 = rows.iter().map(|row| (row.0 - row.1).powi(2)).sum();
    (1.0 - left / total, rows.iter().map(|row| (row.0 - row.2).abs()).sum::<f64>() / n)
}

#[test]
fn the_stated_best_scores_are_those_of_the_bayes_predictor() {
    let world = RealEstate::new(1.0, 7);
    let everything = Slice {
        rows: 0,
        status: None,
        regions: Regions::First(53),
        low: 0.0,
        high: f64::INFINITY,
        tilt: Tilt::Lower(0.0),
    };
    let mut draw = Draw::new(1, Purpose::Rows, 0, 0);
    let base: Vec<f64> = (0..200_000).map(|_| world.log_price(&world.propose(&everything, &mut draw))).collect();
    let mean = base.iter().sum::<f64>() / base.len() as f64;
    let signal = base.iter().map(|f| (f - mean).powi(2)).sum::<f64>() / base.len() as f64;
    let best = signal / (signal + NOISE * NOISE);

    let mut wrong = Vec::new();
    let mut check = |what: String, measured: f64, stated: f64, tolerance: f64| {
        if (measured - stated).abs() > tolerance {
            wrong.push(format!("{what}: measured {measured:.4}, stated {stated:.4}"));
        }
    };
    let mut pooled = Vec::new();
    let mut mass = [0.0; 6];
    let mut samples = Vec::new();
    for (batch, slice) in SLICES.iter().enumerate() {
        // The share of proposals kept, without the slice's own status and regions, times the share of those.
        let n = 300_000;
        let mut kept = 0.0;
        let mut dollars = 0.0;
        for _ in 0..n {
            let home = world.propose(slice, &mut draw);
            let price = (world.log_price(&home) + NOISE * draw.normal()).exp();
            if slice.holds(price) {
                kept += slice.weight(price);
                dollars += slice.weight(price) * price;
            }
        }
        let status = slice.status.map_or(1.0, |status| STATUS_WEIGHTS[status]);
        let total = world.region_weights[52];
        let regions = match slice.regions {
            Regions::First(count) => world.region_weights[count - 1] / total,
            Regions::Only(region) => REGIONS[region].1 / total,
        };
        mass[batch] = kept / n as f64 * status * regions;
        let rows: Vec<(Home, f64)> = (0..20_000).map(|_| world.sample(slice, &mut draw)).collect();
        let own: Vec<(f64, f64, f64)> = rows
            .iter()
            .map(|(home, price)| {
                let weight = |p: f64| if slice.holds(p) { slice.weight(p) } else { 0.0 };
                let (mean, median) = bayes(world.log_price(home), weight);
                (price.ln(), mean, median)
            })
            .collect();
        let (r2, mae) = scores(&own);
        let mean = dollars / kept;
        check(format!("batch {batch}: mean {mean}"), mean / MEANS[batch], 1.0, 0.03);
        check(format!("batch {batch}: R²"), r2, BATCH_BEST[batch].0, 0.02);
        check(format!("batch {batch}: MAE"), mae, BATCH_BEST[batch].1, 0.006);
        samples.push(rows);
    }
    for (batch, rows) in samples.iter().enumerate() {
        for (home, price) in &rows[..rows.len() * SLICES[batch].rows / 361_457] {
            let weight = |p: f64| {
                let parts = SLICES.iter().zip(mass).map(|(slice, mass)| {
                    let status = slice.status.is_none_or(|status| status == home.status);
                    let region = match slice.regions {
                        Regions::First(count) => home.region < count,
                        Regions::Only(region) => home.region == region,
                    };
                    let held = status && region && slice.holds(p);
                    if held { slice.rows as f64 / mass * slice.weight(p) } else { 0.0 }
                });
                parts.sum()
            };
            let (mean, median) = bayes(world.log_price(home), weight);
            pooled.push((price.ln(), mean, median));
        }
    }
    let (r2, mae) = scores(&pooled);
    check("joint R²".into(), best, BEST_R2, 0.005);
    check("pooled R²".into(), r2, POOLED_BEST.0, 0.01);
    check("pooled MAE".into(), mae, POOLED_BEST.1, 0.006);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
