//! Small versions with random weights, published and promoted in a registry.

#![allow(dead_code, reason = "each test crate uses a part")]

use std::collections::BTreeMap;

use bytes::Bytes;
use features::Encoder;
use model::{Architecture, Body, Member, Weights};
use registry::{Action, Move, Part, Registry, VersionId};
use spec::{Batch, BatchBuilder, Kind, Spec, Value};

pub(crate) const BINARY: &str = "name: churn
task: binary
target: {column: churned, classes: [no, yes], positive: yes}
columns:
  age: {kind: number, unit: year, range: [18, 100]}
  balance: {kind: number, nullable: true}
  country: {kind: category, allowed: [France, Spain, Germany]}
  job: {kind: category}
  active: {kind: boolean}
  joined: {kind: time}
derive:
  balance_per_year: {ratio: [balance, age]}
  month: {month: joined}
drop: [customer_id]
train: {hidden: 16, members: 2}
serve: {bands: [{below: 0.3, label: low}, {label: high}]}
";

pub(crate) const MULTICLASS: &str = "name: plan
task: multiclass
target: {column: plan, classes: [basic, plus, pro]}
columns:
  calls: {kind: number}
  region: {kind: category}
  roaming: {kind: boolean}
train: {hidden: 16, members: 2}
";

pub(crate) const REGRESSION: &str = "name: price
task: regression
target: {column: price, unit: USD, transform: log}
columns:
  size: {kind: number}
  rooms: {kind: number, nullable: true}
  city: {kind: category}
train: {hidden: 16, members: 2}
serve: {bands: [{below: 100, label: cheap}, {label: dear}]}
";

/// More columns than are explained exactly.
pub(crate) fn wide() -> String {
    let columns: String = (0..24).map(|index| format!("  x{index}: {{kind: number}}\n")).collect();
    format!(
        "name: wide\ntask: regression\ntarget: {{column: y}}\ncolumns:\n{columns}train: {{hidden: 16, members: 1}}\n"
    )
}

/// A reproducible stream of numbers between 0 and 1 (SplitMix64).
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    pub(crate) fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn one_of<'a>(&mut self, levels: &[&'a str]) -> &'a str {
        levels[(self.unit() * levels.len() as f64) as usize]
    }
}

pub(crate) fn rows(spec: &Spec, n_rows: usize, seed: u64) -> Batch {
    let mut draw = Draw(seed);
    let kinds = spec.columns.values().map(|column| column.kind);
    let mut rows = BatchBuilder::new(kinds, Some(spec.target_kind()), false);
    for _ in 0..n_rows {
        let values: Vec<Value> = spec
            .columns
            .values()
            .map(|column| match column.kind {
                _ if column.nullable && draw.unit() < 0.2 => Value::Missing,
                Kind::Number => {
                    let (low, high) = column.range.unwrap_or((-5.0, 50.0));
                    Value::Number((low + draw.unit() * (high - low)).round())
                }
                Kind::Time => Value::Number((draw.unit() * 20_000.0).floor() * 86_400.0),
                Kind::Boolean => Value::Level(draw.one_of(&["false", "true"]).to_owned()),
                Kind::Category if column.allowed.is_empty() => Value::Level(draw.one_of(&["a", "b", "c"]).to_owned()),
                Kind::Category => {
                    let allowed: Vec<&str> = column.allowed.iter().map(String::as_str).collect();
                    Value::Level(draw.one_of(&allowed).to_owned())
                }
            })
            .collect();
        let classes: Vec<&str> = spec.target.classes.iter().map(String::as_str).collect();
        let target = if classes.is_empty() {
            Value::Number(1.0 + draw.unit() * 500.0)
        } else {
            Value::Level(draw.one_of(&classes).to_owned())
        };
        rows.push(&values, &target, f64::NAN);
    }
    rows.finish()
}

/// A version of random weights: other seeds, other predictions.
pub(crate) fn parts(spec: &str, seed: u64) -> Vec<(Part, Bytes)> {
    let parsed = Spec::parse(spec).unwrap();
    let train = rows(&parsed, 300, 1);
    let encoder = Encoder::fit(&parsed, &train).unwrap();
    let body = Body::Layers { widths: vec![8, 8] };
    let member = Member { curves: (0..encoder.layout().bins.len()).collect(), body, straight: false, log: true };
    let architecture = Architecture::of_spec(&parsed, encoder.layout()).with(vec![member; 2]);
    let mut draw = Draw(seed);
    let mut tensors = BTreeMap::new();
    for (member, of_member) in architecture.members.iter().enumerate() {
        for (name, shape) in architecture.member_tensors(of_member) {
            let scale = if shape.len() == 2 { (3.0 / shape[0] as f64).sqrt() } else { 0.5 };
            let values = (0..shape.iter().product()).map(|_| (scale * (2.0 * draw.unit() - 1.0)) as f32).collect();
            tensors.insert(format!("member.{member}.{name}"), values);
        }
    }
    let weights = Weights::new(architecture, tensors).unwrap();
    let background = train.select(&(0..12).collect::<Vec<_>>());
    vec![
        (Part::Spec, spec.to_owned().into()),
        (Part::Encoder, encoder.to_bytes().into()),
        (Part::Weights, weights.to_bytes().unwrap().into()),
        (Part::Reference, "{}".into()),
        (Part::Background, serving::background_to_bytes(&parsed, &background).into()),
        (Part::Metrics, "{}".into()),
    ]
}

pub(crate) async fn publish(registry: &Registry, spec: &str, seed: u64) -> VersionId {
    let model = Spec::parse(spec).unwrap().name.clone();
    registry.publish(&model, parts(spec, seed), "{}".into()).await.unwrap()
}

pub(crate) async fn promote(registry: &Registry, model: &str, version: &VersionId) {
    let before = registry.production(model).await.unwrap().map(|entry| entry.version);
    let request = Move {
        version: version.clone(),
        action: Action::Promote,
        decision: format!("{}-{}", version.short(), before.as_ref().map_or("none", VersionId::short)),
        reason: "a test".to_owned(),
    };
    registry.move_production(model, before.as_ref(), &request).await.unwrap();
}

/// Publishes a version and promotes it.
pub(crate) async fn serve(registry: &Registry, spec: &str, seed: u64) -> VersionId {
    let version = publish(registry, spec, seed).await;
    promote(registry, &Spec::parse(spec).unwrap().name, &version).await;
    version
}

/// Overwrites a part of a published version, as a broken disk would.
pub(crate) async fn damage(registry: &Registry, model: &str, version: &VersionId, part: Part, bytes: impl Into<Bytes>) {
    let path = format!("models/{model}/versions/{version}/{part}");
    registry.store().put(&path, bytes).await.unwrap();
}

/// Row `index` as the JSON record that a caller sends.
pub(crate) fn json_row(spec: &Spec, rows: &Batch, index: usize) -> serde_json::Value {
    let record = rows.record(index);
    let cells = spec.columns.iter().zip(record.values()).map(|((name, column), value)| {
        let json = match value {
            Value::Missing => serde_json::Value::Null,
            Value::Number(seconds) if column.kind == Kind::Time => {
                // Days since 1970, as a date of the civil calendar (H. Hinnant's algorithm).
                let z = (*seconds / 86_400.0) as i64 + 719_468;
                let era = z.div_euclid(146_097);
                let doe = z.rem_euclid(146_097);
                let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
                let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
                let mp = (5 * doy + 2) / 153;
                let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
                let year = yoe + era * 400 + i64::from(month <= 2);
                format!("{year:04}-{month:02}-{day:02}").into()
            }
            Value::Number(number) => (*number).into(),
            Value::Level(level) if column.kind == Kind::Boolean => (level == "true").into(),
            Value::Level(level) => level.as_str().into(),
        };
        (name.clone(), json)
    });
    serde_json::Value::Object(cells.collect())
}
