//! Used cars: 13 columns, target `price` in USD.
//!
//! ln price is the model's price when new, less a depreciation that flattens with age and is slower for trucks and SUVs,
//! less a saturating effect of the odometer, plus condition, four-wheel drive, diesel, and noise N(0, 0.28²). The paint
//! (missing in 18 % of rows), the date and the days listed tell nothing; `is_4wd` is 1 or missing, as in the original
//! file. Fewer than one row in a hundred costs less than 1,000 USD. The best reachable R² and mean absolute error of
//! ln price are those of the formula without its noise: see [`GENERATOR`].

use chrono::{Days, NaiveDate};

use super::super::draw::Draw;
use super::super::rows::Table;
use super::{Generator, floats, ints, texts};

/// The generator with its best reachable scores: of ln price.
pub(super) const GENERATOR: Generator =
    Generator { target: "price", classes: &[], best: &[("r2_log", 0.86), ("mae_log", 0.224)], rows };

/// Standard deviation of the noise in ln price.
const NOISE: f64 = 0.28;
/// The year in which the cars are listed.
const YEAR: f64 = 2019.0;

/// Model, price when new in thousands of USD, body, cylinders, share with four-wheel drive, share of diesels.
type Model = (&'static str, f64, &'static str, f64, f64, f64);

const MODELS: [Model; 24] = [
    ("bmw x5", 60.0, "SUV", 6.0, 0.9, 0.1),
    ("chevrolet camaro", 36.0, "coupe", 8.0, 0.0, 0.0),
    ("chevrolet cruze", 20.0, "sedan", 4.0, 0.0, 0.05),
    ("chevrolet silverado 1500", 42.0, "truck", 8.0, 0.7, 0.05),
    ("chevrolet tahoe", 54.0, "SUV", 8.0, 0.7, 0.0),
    ("dodge charger", 35.0, "sedan", 6.0, 0.1, 0.0),
    ("dodge grand caravan", 28.0, "mini-van", 6.0, 0.0, 0.0),
    ("ford escape", 27.0, "SUV", 4.0, 0.5, 0.0),
    ("ford explorer", 39.0, "SUV", 6.0, 0.6, 0.0),
    ("ford f-150", 43.0, "pickup", 8.0, 0.7, 0.02),
    ("ford f-250 super duty", 55.0, "truck", 8.0, 0.8, 0.6),
    ("ford focus", 20.0, "hatchback", 4.0, 0.0, 0.0),
    ("ford mustang", 36.0, "coupe", 8.0, 0.0, 0.0),
    ("honda accord", 27.0, "sedan", 4.0, 0.0, 0.0),
    ("honda civic", 22.0, "sedan", 4.0, 0.0, 0.0),
    ("honda cr-v", 29.0, "SUV", 4.0, 0.6, 0.0),
    ("hyundai elantra", 19.0, "sedan", 4.0, 0.0, 0.0),
    ("jeep wrangler", 37.0, "offroad", 6.0, 0.98, 0.0),
    ("nissan altima", 25.0, "sedan", 4.0, 0.0, 0.0),
    ("ram 2500", 52.0, "truck", 8.0, 0.8, 0.6),
    ("subaru outback", 31.0, "wagon", 4.0, 0.98, 0.0),
    ("toyota camry", 26.0, "sedan", 4.0, 0.0, 0.0),
    ("toyota corolla", 21.0, "sedan", 4.0, 0.0, 0.0),
    ("toyota tacoma", 38.0, "pickup", 6.0, 0.7, 0.0),
];

const CONDITIONS: [(&str, f64); 6] =
    [("new", 0.15), ("like new", 0.10), ("excellent", 0.0), ("good", -0.12), ("fair", -0.50), ("salvage", -0.80)];
const PAINTS: [&str; 8] = ["black", "blue", "brown", "green", "grey", "red", "silver", "white"];

struct Car {
    model: Model,
    age: f64,
    condition: usize,
    diesel: bool,
    odometer: f64,
    manual: bool,
    paint: &'static str,
    is_4wd: bool,
    date_posted: String,
    days_listed: i64,
    price: i64,
}

fn car(draw: &mut Draw) -> Car {
    let model = draw.pick(&MODELS);
    let age = (draw.exponential() * 3.2 + draw.exponential() * 3.2).floor().min(25.0);
    let spread = (0.35 * draw.normal()).exp();
    let condition = if age < 1.0 && draw.chance(0.3) { 0 } else { 1 + draw.index(&[0.10, 0.58, 0.94, 0.99, 1.0]) };
    let first = NaiveDate::from_ymd_opt(2018, 5, 1).unwrap_or_default();
    let mut car = Car {
        model,
        age,
        condition,
        diesel: draw.chance(model.5),
        odometer: ((3_000.0 + 11_500.0 * age) * spread).round().min(400_000.0),
        manual: draw.chance(0.08),
        paint: if draw.chance(0.18) { "" } else { draw.pick(&PAINTS) },
        is_4wd: draw.chance(model.4),
        date_posted: (first + Days::new(draw.below(354) as u64)).to_string(),
        days_listed: (draw.exponential() * 40.0) as i64,
        price: 0,
    };
    car.price = (log_price(&car) + NOISE * draw.normal()).exp().round() as i64;
    car
}

/// The expected ln price.
fn log_price(car: &Car) -> f64 {
    let (_, new_price, body, ..) = car.model;
    let sturdy = matches!(body, "truck" | "pickup" | "SUV" | "offroad");
    let depreciation = if sturdy { 1.55 } else { 1.95 };
    (new_price * 1000.0).ln()
        - depreciation * (1.0 - (-car.age / 11.0).exp())
        - 0.55 * (car.odometer / 140_000.0).tanh()
        + CONDITIONS[car.condition].1
        + if car.is_4wd { 0.12 } else { 0.0 }
        + if car.diesel { 0.25 } else { 0.0 }
        + if car.manual && body == "coupe" { 0.08 } else { 0.0 }
}

fn rows(draw: &mut Draw, _first: usize, n_rows: usize) -> Table {
    let rows: Vec<Car> = (0..n_rows).map(|_| car(draw)).collect();
    Table::new(vec![
        ints("price", &rows, |r| r.price),
        floats("model_year", &rows, |r| YEAR - r.age),
        texts("model", &rows, |r| r.model.0),
        texts("condition", &rows, |r| CONDITIONS[r.condition].0),
        floats("cylinders", &rows, |r| r.model.3),
        texts("fuel", &rows, |r| if r.diesel { "diesel" } else { "gas" }),
        floats("odometer", &rows, |r| r.odometer),
        texts("transmission", &rows, |r| if r.manual { "manual" } else { "automatic" }),
        texts("type", &rows, |r| r.model.2),
        texts("paint_color", &rows, |r| r.paint),
        floats("is_4wd", &rows, |r| if r.is_4wd { 1.0 } else { f64::NAN }),
        texts("date_posted", &rows, |r| r.date_posted.clone()),
        ints("days_listed", &rows, |r| r.days_listed),
    ])
}

#[cfg(test)]
mod tests {
    use super::super::super::draw::Purpose;
    use super::super::tests::check_best;
    use super::*;

    #[test]
    fn the_stated_scores_are_those_of_the_formula() {
        let mut draw = Draw::new(3, Purpose::Rows, 0, 0);
        let cars: Vec<Car> = (0..100_000).map(|_| car(&mut draw)).collect();
        let n = cars.len() as f64;
        let logs: Vec<(f64, f64)> = cars.iter().map(|car| ((car.price as f64).ln(), log_price(car))).collect();
        let mean = logs.iter().map(|row| row.0).sum::<f64>() / n;
        let total: f64 = logs.iter().map(|row| (row.0 - mean).powi(2)).sum();
        let left: f64 = logs.iter().map(|row| (row.0 - row.1).powi(2)).sum();
        let mae = logs.iter().map(|row| (row.0 - row.1).abs()).sum::<f64>() / n;
        check_best(&GENERATOR, &[("r2_log", 1.0 - left / total), ("mae_log", mae)]);
        let cheap = cars.iter().filter(|car| car.price < 1000).count() as f64 / n;
        assert!(cheap < 0.01, "{cheap} of the cars cost less than 1,000 USD");
    }
}
