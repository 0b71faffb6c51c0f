//! Phone usage and the plan that was chosen: four classes, `basic`, `smart`, `family` and `unlimited`.
//!
//! Every plan has a utility that is linear in log usage with a few thresholds: data and messages pull to `smart`, lines
//! to `family`, data beyond 20 GB, roaming and calls abroad to `unlimited`, age and a basic device to `basic`. The plan is
//! drawn from the softmax of the utilities. `customer_id`, `region` and `support_calls` tell nothing. The best reachable
//! accuracy and log-loss are those of the true probabilities: see [`GENERATOR`].

use super::super::draw::{Draw, cumulative, round};
use super::super::rows::Table;
use super::{Generator, floats, ints, texts};

/// The plans.
const PLANS: [&str; 4] = ["basic", "family", "smart", "unlimited"];

/// The generator with its best reachable scores.
pub(super) const GENERATOR: Generator =
    Generator { target: "plan", classes: &PLANS, best: &[("accuracy", 0.797), ("log_loss", 0.499)], rows };

const REGIONS: [&str; 5] = ["center", "coast", "north", "south", "west"];
const DEVICES: [&str; 3] = ["basic", "flagship", "midrange"];

struct Subscriber {
    customer_id: i64,
    age: f64,
    region: &'static str,
    device: &'static str,
    tenure_months: f64,
    num_lines: f64,
    minutes: f64,
    messages: f64,
    data_gb: f64,
    intl_minutes: f64,
    roaming_days: f64,
    support_calls: i64,
    autopay: bool,
    plan: usize,
}

fn subscriber(draw: &mut Draw, row: usize) -> Subscriber {
    let device = DEVICES[draw.index(&[0.25, 0.55, 1.0])];
    let appetite = match device {
        "basic" => -1.6,
        "flagship" => 0.7,
        _ => 0.0,
    };
    let mut subscriber = Subscriber {
        customer_id: 100_000 + row as i64,
        age: (44.0 + 15.0 * draw.normal()).round().clamp(18.0, 90.0),
        region: draw.pick(&REGIONS),
        device,
        tenure_months: (draw.exponential() * 30.0).floor().min(240.0),
        num_lines: 1.0 + draw.index(&[0.58, 0.78, 0.90, 0.97, 1.0]) as f64,
        minutes: round((5.6 + 0.7 * draw.normal()).exp(), 1),
        messages: (2.8 + 0.9 * draw.normal()).exp().floor(),
        data_gb: round((2.0 + appetite + 0.8 * draw.normal()).exp(), 2),
        intl_minutes: if draw.chance(0.3) { round((2.5 + draw.normal()).exp(), 1) } else { 0.0 },
        roaming_days: if draw.chance(0.2) { 1.0 + draw.below(14) as f64 } else { 0.0 },
        support_calls: draw.index(&[0.6, 0.85, 0.95, 1.0]) as i64,
        autopay: draw.chance(0.6),
        plan: 0,
    };
    subscriber.plan = draw.index(&cumulative(probabilities(&subscriber)));
    subscriber
}

/// The probabilities of [`PLANS`].
fn probabilities(subscriber: &Subscriber) -> [f64; 4] {
    let data = (subscriber.data_gb / 7.0).ln();
    let heavy = ((subscriber.data_gb - 20.0) / 8.0).clamp(0.0, 3.0);
    let lines = subscriber.num_lines - 1.0;
    let basic =
        0.7 - 1.6 * data + 0.03 * (subscriber.age - 44.0) + if subscriber.device == "basic" { 1.2 } else { 0.0 }
            - 0.5 * lines;
    let family = -2.2 + 2.4 * lines - 0.3 * lines * lines + 0.4 * (subscriber.minutes / 270.0).ln();
    let smart = 0.9 + 0.9 * data - 1.2 * heavy
        + 0.4 * (1.0 + subscriber.messages / 16.0).ln()
        + if subscriber.autopay { 0.4 } else { 0.0 };
    let unlimited = -1.6
        + 1.3 * data
        + 1.5 * heavy
        + 1.1 * (subscriber.intl_minutes / 12.0).ln_1p()
        + 0.25 * subscriber.roaming_days
        + 0.3 * (subscriber.tenure_months / 30.0).tanh();
    // The utilities are sharpened: a choice is less random than one drawn from their plain softmax.
    let odds = [basic, family, smart, unlimited].map(|utility| (1.3 * utility).exp());
    let total: f64 = odds.iter().sum();
    odds.map(|odd| odd / total)
}

fn rows(draw: &mut Draw, first: usize, n_rows: usize) -> Table {
    let rows: Vec<Subscriber> = (0..n_rows).map(|row| subscriber(draw, first + row)).collect();
    Table::new(vec![
        ints("customer_id", &rows, |r| r.customer_id),
        ints("age", &rows, |r| r.age as i64),
        texts("region", &rows, |r| r.region),
        texts("device", &rows, |r| r.device),
        ints("tenure_months", &rows, |r| r.tenure_months as i64),
        ints("num_lines", &rows, |r| r.num_lines as i64),
        floats("minutes", &rows, |r| r.minutes),
        ints("messages", &rows, |r| r.messages as i64),
        floats("data_gb", &rows, |r| r.data_gb),
        floats("intl_minutes", &rows, |r| r.intl_minutes),
        ints("roaming_days", &rows, |r| r.roaming_days as i64),
        ints("support_calls", &rows, |r| r.support_calls),
        ints("autopay", &rows, |r| i64::from(r.autopay)),
        texts("plan", &rows, |r| PLANS[r.plan]),
    ])
}

#[cfg(test)]
mod tests {
    use super::super::super::draw::Purpose;
    use super::super::tests::check_best;
    use super::*;

    #[test]
    fn the_stated_scores_are_those_of_the_true_probabilities() {
        let mut draw = Draw::new(3, Purpose::Rows, 0, 0);
        let n = 100_000;
        let (mut right, mut log_loss, mut shares) = (0.0, 0.0, [0.0; 4]);
        for _ in 0..n {
            let subscriber = subscriber(&mut draw, 0);
            let p = probabilities(&subscriber);
            let best = (0..4).max_by(|&a, &b| p[a].total_cmp(&p[b])).unwrap();
            right += f64::from(u8::from(best == subscriber.plan)) / n as f64;
            log_loss -= p[subscriber.plan].ln() / n as f64;
            shares[subscriber.plan] += 1.0 / n as f64;
        }
        check_best(&GENERATOR, &[("accuracy", right), ("log_loss", log_loss)]);
        assert!(shares.iter().all(|share| *share > 0.08), "{shares:?}");
    }
}
