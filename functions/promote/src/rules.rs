//! The rules of a promotion, each looked at and told.

use model::{Predictions, evaluate};
use spec::{Metric, Spec};

use crate::compare::Scored;
use crate::compare::bootstrap::{MIN_ROWS, paired_interval};
use crate::evidence::{Evidence, Floor, History, Metrics, New};
use crate::figures::{count, figure, percent};

/// What the rules came to.
pub(crate) struct Verdict {
    pub(crate) promoted: bool,
    /// One sentence for each rule, those that are broken first.
    pub(crate) reasons: Vec<String>,
    pub(crate) evidence: Evidence,
}

/// Where the rows come from, for the sentences.
pub(crate) struct Origin {
    /// The challenger's newest batch.
    pub(crate) batch: String,
    /// Accepted batches that could not be read with its columns.
    pub(crate) left_out: Vec<String>,
}

/// One rule, looked at.
struct Rule {
    passed: bool,
    reason: String,
}

impl Rule {
    fn new(passed: bool, reason: impl Into<String>) -> Self {
        Self { passed, reason: reason.into() }
    }
}

/// Judges the challenger by the spec's rules, `promote` and `train.metric`, as they are now.
///
/// With a champion: better on the new hold-out by a share of the loss that matters, with an interval that excludes a loss, at most the allowed regression on
/// history's, and every floor kept. Without one: the metric is defined and every floor kept. A metric that is not defined
/// fails its rule.
pub(crate) fn judge(spec: &Spec, origin: &Origin, new: &Scored, history: Option<&Scored>, seed: [u8; 32]) -> Verdict {
    let metric = spec.metric();
    let metrics = Metrics {
        champion: new.champion.as_ref().map(|champion| new.metrics(spec, champion)).unwrap_or_default(),
        challenger: new.metrics(spec, &new.challenger),
    };
    let mut rules = Vec::new();
    let new_evidence = compare_new(spec, &origin.batch, new, &metrics, seed, &mut rules);
    let history = match &new.champion {
        Some(_) => compare_history(spec, &origin.left_out, history, &mut rules),
        None => None,
    };
    let floors = spec.promote.floors.iter().map(|(metric, floor)| {
        let (floor, rule) = look_at_floor(*metric, *floor, metrics.challenger.get(metric).copied());
        rules.push(rule);
        floor
    });
    let floors = floors.collect();
    rules.sort_by_key(|rule| rule.passed);
    Verdict {
        promoted: rules.iter().all(|rule| rule.passed),
        reasons: rules.into_iter().map(|rule| rule.reason).collect(),
        evidence: Evidence { metric, new: new_evidence, history, floors, metrics },
    }
}

impl Scored {
    fn metrics(&self, spec: &Spec, predictions: &Predictions) -> indexmap::IndexMap<Metric, f64> {
        self.target.as_ref().map(|target| evaluate(spec, predictions, target)).unwrap_or_default()
    }

    /// Rows that have a truth to compare with.
    fn n_rows(&self, spec: &Spec) -> usize {
        let Some(target) = &self.target else { return 0 };
        (0..target.len())
            .filter(|row| match target.value(*row) {
                spec::Value::Missing => false,
                spec::Value::Number(_) => true,
                spec::Value::Level(level) => spec.target.classes.contains(&level),
            })
            .count()
    }
}

fn compare_new(
    spec: &Spec,
    batch: &str,
    new: &Scored,
    metrics: &Metrics,
    seed: [u8; 32],
    rules: &mut Vec<Rule>,
) -> New {
    let (metric, confidence) = (spec.metric(), spec.promote.confidence);
    let champion = metrics.champion.get(&metric).copied();
    let challenger = metrics.challenger.get(&metric).copied();
    let interval = match (&new.champion, &new.target) {
        (Some(champion), Some(target)) => {
            paired_interval(spec, metric, champion, &new.challenger, target, confidence, seed)
        }
        _ => None,
    };
    let gain = champion.zip(challenger).map(|(champion, challenger)| improvement(metric, champion, challenger));
    let rows = new.n_rows(spec);
    let of_rows = format!("{} new hold-out rows", count(rows));
    rules.push(match (&new.champion, champion, challenger, interval) {
        (_, _, None, _) => Rule::new(false, format!("{metric} of the challenger is not defined on {of_rows}")),
        (None, _, Some(challenger), _) => {
            let reason = format!("no version serves yet; {metric} is {} on {of_rows}", figure(challenger));
            Rule::new(true, reason)
        }
        (Some(_), None, ..) => Rule::new(false, format!("{metric} of the champion is not defined on {of_rows}")),
        (Some(_), Some(champion), Some(challenger), None) => {
            let why = if rows < MIN_ROWS { format!("under {MIN_ROWS} rows") } else { "rows too much alike".to_owned() };
            let moved = moved(metric, &of_rows, champion, challenger);
            Rule::new(false, format!("{moved}: no interval can be given for {why}, so a loss is not excluded"))
        }
        (Some(_), Some(champion), Some(challenger), Some([low, high])) => {
            let gain = improvement(metric, champion, challenger);
            let share = -metric.relative_increase(champion, challenger);
            let (sure, enough) = (gain > 0.0 && low > 0.0, share >= spec.promote.min_gain);
            let sentence = format!(
                "{}: improvement {}, {} interval {} to {}",
                moved(metric, &of_rows, champion, challenger),
                figure(gain),
                percent(confidence),
                figure(low),
                figure(high)
            );
            match (sure, enough) {
                (true, true) => Rule::new(true, sentence),
                (false, _) => Rule::new(false, format!("{sentence}, which does not exclude a loss")),
                (true, false) => {
                    let needed = percent(spec.promote.min_gain);
                    let is = percent(share);
                    Rule::new(
                        false,
                        format!("{sentence}; the loss shrank by {is}, and under {needed} is no reason to change"),
                    )
                }
            }
        }
    });
    New { batch: batch.to_owned(), rows, champion, challenger, improvement: gain, interval, confidence }
}

fn compare_history(
    spec: &Spec,
    left_out: &[String],
    history: Option<&Scored>,
    rules: &mut Vec<Rule>,
) -> Option<History> {
    let (metric, allowed) = (spec.metric(), spec.promote.max_history_regression.limit());
    if !left_out.is_empty() {
        let reason = format!("history: {} with other columns than the challenger's left out", batches(left_out.len()));
        rules.push(Rule::new(true, reason));
    }
    let scored = history.map(|history| (history, history.n_rows(spec))).filter(|(_, rows)| *rows > 0);
    let Some((history, rows)) = scored else {
        rules.push(Rule::new(true, "history: no hold-out row of another accepted batch to compare on"));
        return None;
    };
    let of = |predictions: &Predictions| history.metrics(spec, predictions).get(&metric).copied();
    let champion = history.champion.as_ref().and_then(of);
    let challenger = of(&history.challenger);
    let of_rows = format!("{} hold-out rows of {}", count(rows), of_other_batches(history.n_batches));
    let increase =
        champion.zip(challenger).map(|(champion, challenger)| metric.relative_increase(champion, challenger));
    rules.push(match (champion.zip(challenger).zip(increase), allowed) {
        (None, None) => {
            Rule::new(true, format!("history: {metric} is not defined on {of_rows}, and the spec has no rule"))
        }
        (None, Some(_)) => Rule::new(false, format!("history: {metric} is not defined on {of_rows}")),
        (Some(((champion, challenger), increase)), allowed) => {
            let change = match increase {
                increase if increase > 0.0 => format!("a relative increase of the loss by {}", percent(increase)),
                increase if increase < 0.0 => format!("a relative decrease of the loss by {}", percent(-increase)),
                _ => "no change".to_owned(),
            };
            let sentence = format!("history: {}, {change}", moved(metric, &of_rows, champion, challenger));
            match allowed {
                None => Rule::new(true, format!("{sentence}; the spec has no rule")),
                Some(allowed) if increase <= allowed => {
                    Rule::new(true, format!("{sentence}, where {} is allowed", percent(allowed)))
                }
                Some(allowed) => {
                    Rule::new(false, format!("{sentence}, where no more than {} is allowed", percent(allowed)))
                }
            }
        }
    });
    Some(History {
        rows,
        batches: history.n_batches,
        left_out: left_out.to_vec(),
        champion,
        challenger,
        relative_increase: increase.filter(|increase| increase.is_finite()),
        allowed,
    })
}

fn look_at_floor(metric: Metric, floor: f64, value: Option<f64>) -> (Floor, Rule) {
    let bound = if metric.higher_is_better() { "at least" } else { "at most" };
    let needed = format!("{bound} {} is needed", figure(floor));
    let passed = value.is_some_and(|value| if metric.higher_is_better() { value >= floor } else { value <= floor });
    let reason = match value {
        None => format!("the floor of {metric} is broken: it is not defined on the new hold-out, where {needed}"),
        Some(value) => {
            let is = if passed { "kept" } else { "broken" };
            format!("the floor of {metric} is {is}: {} on the new hold-out, where {needed}", figure(value))
        }
    };
    (Floor { metric, floor, value, passed }, Rule::new(passed, reason))
}

/// How much better the challenger is, in units of the metric.
fn improvement(metric: Metric, champion: f64, challenger: f64) -> f64 {
    if metric.higher_is_better() { challenger - champion } else { champion - challenger }
}

/// `mae_log on 910 rows fell from 0.2310 to 0.2101`.
fn moved(metric: Metric, rows: &str, champion: f64, challenger: f64) -> String {
    let verb = match challenger.total_cmp(&champion) {
        std::cmp::Ordering::Less => "fell",
        std::cmp::Ordering::Equal => return format!("{metric} on {rows} stayed at {}", figure(champion)),
        std::cmp::Ordering::Greater => "rose",
    };
    format!("{metric} on {rows} {verb} from {} to {}", figure(champion), figure(challenger))
}

fn batches(number: usize) -> String {
    if number == 1 { "1 batch".to_owned() } else { format!("{number} batches") }
}

fn of_other_batches(number: usize) -> String {
    if number == 1 { "1 other batch".to_owned() } else { format!("{number} other batches") }
}
