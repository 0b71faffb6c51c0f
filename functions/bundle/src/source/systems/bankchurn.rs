//! Bank customers: 14 columns, `Exited` in about a fifth of rows.
//!
//! The logit of `Exited` is a hump of age around 56 (weaker for active members) plus Geography, Gender, activity, a jump
//! at three and more products, a bonus for two, a balance kept with a single product, and a little credit score. RowNumber,
//! CustomerId, Surname, Tenure, HasCrCard and EstimatedSalary tell nothing. The best reachable AUC and log-loss are those
//! of the true probabilities: see [`GENERATOR`].

use super::super::draw::{Draw, round, sigmoid};
use super::super::rows::Table;
use super::{Generator, floats, ints, texts};

/// The generator with its best reachable scores.
pub(super) const GENERATOR: Generator =
    Generator { target: "Exited", classes: &["0", "1"], best: &[("auc", 0.869), ("log_loss", 0.336)], rows };

const SURNAMES: [&str; 24] = [
    "Adeyemi", "Bauer", "Costa", "Dupont", "Evans", "Fischer", "Garcia", "Hughes", "Ivanova", "Jensen", "Keller",
    "Lopez", "Martin", "Novak", "Okafor", "Petit", "Quinn", "Rossi", "Schmidt", "Tanaka", "Ueda", "Vidal", "Weber",
    "Zhang",
];

struct Customer {
    row_number: i64,
    customer_id: i64,
    surname: &'static str,
    credit_score: f64,
    geography: &'static str,
    female: bool,
    age: f64,
    tenure: f64,
    balance: f64,
    products: i64,
    card: bool,
    active: bool,
    salary: f64,
    exited: bool,
}

fn customer(draw: &mut Draw, row_number: usize) -> Customer {
    let geography = ["France", "Germany", "Spain"][draw.index(&[0.50, 0.75, 1.0])];
    let balance = if geography == "Germany" || draw.chance(0.52) {
        round((119_800.0 + 30_000.0 * draw.normal()).max(500.0), 2)
    } else {
        0.0
    };
    let mut customer = Customer {
        row_number: row_number as i64 + 1,
        customer_id: 15_000_000 + (row_number as i64 * 7919) % 999_983,
        surname: draw.pick(&SURNAMES),
        credit_score: (650.0 + 97.0 * draw.normal()).round().clamp(350.0, 850.0),
        geography,
        female: draw.chance(0.45),
        age: (37.5 * (0.26 * draw.normal()).exp()).round().clamp(18.0, 92.0),
        tenure: draw.below(11) as f64,
        balance,
        products: 1 + draw.index(&[0.51, 0.965, 0.992, 1.0]) as i64,
        card: draw.chance(0.705),
        active: draw.chance(0.515),
        salary: round(draw.between(500.0, 200_000.0), 2),
        exited: false,
    };
    customer.exited = draw.chance(probability(&customer));
    customer
}

/// The probability that a customer leaves.
fn probability(customer: &Customer) -> f64 {
    let hump = 4.3 * (-((customer.age - 56.0) / 13.0).powi(2)).exp();
    let products = match customer.products {
        1 => 0.0,
        2 => -1.6,
        3 => 2.4,
        _ => 3.6,
    };
    let logit = -2.7
        + hump * if customer.active { 0.7 } else { 1.1 }
        + if customer.active { -0.5 } else { 0.0 }
        + if customer.geography == "Germany" { 0.85 } else { 0.0 }
        + if customer.female { 0.5 } else { 0.0 }
        + products
        + if customer.balance > 0.0 && customer.products == 1 { 0.35 } else { 0.0 }
        - 0.1 * (customer.credit_score - 650.0) / 97.0;
    sigmoid(logit)
}

fn rows(draw: &mut Draw, first: usize, n_rows: usize) -> Table {
    let rows: Vec<Customer> = (0..n_rows).map(|row| customer(draw, first + row)).collect();
    Table::new(vec![
        ints("RowNumber", &rows, |r| r.row_number),
        ints("CustomerId", &rows, |r| r.customer_id),
        texts("Surname", &rows, |r| r.surname),
        ints("CreditScore", &rows, |r| r.credit_score as i64),
        texts("Geography", &rows, |r| r.geography),
        texts("Gender", &rows, |r| if r.female { "Female" } else { "Male" }),
        ints("Age", &rows, |r| r.age as i64),
        floats("Tenure", &rows, |r| r.tenure),
        floats("Balance", &rows, |r| r.balance),
        ints("NumOfProducts", &rows, |r| r.products),
        ints("HasCrCard", &rows, |r| i64::from(r.card)),
        ints("IsActiveMember", &rows, |r| i64::from(r.active)),
        floats("EstimatedSalary", &rows, |r| r.salary),
        ints("Exited", &rows, |r| i64::from(r.exited)),
    ])
}

#[cfg(test)]
mod tests {
    use super::super::tests::check_binary;
    use super::*;

    #[test]
    fn the_stated_scores_are_those_of_the_true_probabilities() {
        check_binary(&GENERATOR, (0.17, 0.25), |draw| probability(&customer(draw, 0)));
    }
}
