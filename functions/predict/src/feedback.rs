//! What turned out to be true, kept beside what was predicted.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use serde_json::Value;
use service::{Json, Problem};
use serving::Request;
use spec::Cell;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::lookup::{models_of, time_ms};
use crate::segment::compress;
use crate::{Error, State};

/// Most observations of one request.
const MAX_OBSERVATIONS: usize = 1000;

/// Observations. The body is read by hand, to name every mistake in it; this is its schema.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Feedback {
    /// 1 to 1,000 of them.
    #[schema(min_items = 1, max_items = 1000)]
    observations: Vec<Observed>,
}

/// What turned out to be true of one prediction.
#[derive(ToSchema)]
#[schema(as = Observation)]
#[expect(dead_code, reason = "only its schema is used")]
struct Observed {
    /// The id that `/predict` answered.
    id: Uuid,
    /// The true class, or the true number in target units.
    label: Value,
    /// When it was observed.
    observed_at: DateTime<Utc>,
}

/// How many observations were kept.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FeedbackKept)]
pub(crate) struct FeedbackAnswer {
    /// Observations that are kept.
    accepted: usize,
    /// Observations whose id no prediction log holds; they are not kept.
    unknown: usize,
}

impl FeedbackAnswer {
    /// Whether every observation was kept, so that a repeat could not be answered better.
    pub(crate) fn is_whole(&self) -> bool {
        self.unknown == 0
    }
}

/// An observation that was read.
struct Observation {
    index: usize,
    id: Uuid,
    label: Value,
    observed_at: DateTime<Utc>,
}

/// One line of the feedback log.
#[derive(Serialize)]
struct Line<'a> {
    id: Uuid,
    model: &'a str,
    label: Value,
    observed_at: String,
    received_at: String,
}

/// Reads observations, finds their predictions, checks their labels and keeps them: all of them, or none where one is
/// wrong.
pub(crate) async fn keep(state: &State, body: Value) -> Result<Json<FeedbackAnswer>, Problem> {
    let mut request = Request::new(body)?;
    let observations = read(&mut request);
    let ids: Vec<Uuid> = observations.iter().map(|observation| observation.id).collect();
    let models = models_of(state, &ids).await?;
    let mut lines_of: BTreeMap<&str, Vec<Line<'_>>> = BTreeMap::new();
    let received_at = text(state.0.host.registry().now());
    let mut unknown = 0;
    for Observation { index, id, label, observed_at } in observations {
        let Some(model) = models.get(&id) else {
            unknown += 1;
            continue;
        };
        match check(state, model, &label).await? {
            Ok(label) => {
                let line = Line { id, model, label, observed_at: text(observed_at), received_at: received_at.clone() };
                lines_of.entry(model).or_default().push(line);
            }
            Err(detail) => request.error(format!("/observations/{index}/label"), detail),
        }
    }
    request.finish()?;
    let accepted = lines_of.values().map(Vec::len).sum();
    for (model, lines) in lines_of {
        store(state, model, &lines).await?;
    }
    Ok(Json(FeedbackAnswer { accepted, unknown }))
}

fn read(request: &mut Request) -> Vec<Observation> {
    let mut observations = Vec::new();
    for (index, element) in request.elements("observations", MAX_OBSERVATIONS).into_iter().enumerate() {
        let Value::Object(mut object) = element else {
            request
                .error(format!("/observations/{index}"), "an observation is an object with id, label and observed_at");
            continue;
        };
        let mut part = |key: &str, wanted: &str| {
            let value = object.remove(key);
            if value.is_none() {
                request.error(format!("/observations/{index}/{key}"), format!("this is missing: {wanted}"));
            }
            value
        };
        let (id, label) = (part("id", "the id of a prediction"), part("label", "what was true"));
        let observed_at = part("observed_at", "when it was observed");
        for key in object.keys() {
            let pointer = format!("/observations/{index}/{}", fault::pointer_token(key));
            request.error(pointer, "unknown key; known are id, label, observed_at");
        }
        let id = id.and_then(|id| {
            let parsed = id.as_str().and_then(|id| Uuid::try_parse(id).ok());
            if parsed.is_none() {
                request.error(format!("/observations/{index}/id"), "this is a UUID, as /predict answers it");
            }
            parsed
        });
        let observed_at = observed_at.and_then(|at| {
            let parsed = at.as_str().and_then(|at| DateTime::parse_from_rfc3339(at).ok());
            if parsed.is_none() {
                let detail = "this is a date-time with an offset, such as 2026-01-31T08:00:00Z";
                request.error(format!("/observations/{index}/observed_at"), detail);
            }
            parsed
        });
        if let (Some(id), Some(label), Some(observed_at)) = (id, label, observed_at) {
            observations.push(Observation { index, id, label, observed_at: observed_at.to_utc() });
        }
    }
    observations
}

/// The label as the model's spec writes it, or what is wrong with it.
async fn check(state: &State, model: &str, label: &Value) -> Result<Result<Value, String>, Problem> {
    let served = state.served(model).await?;
    let Some(cell) = Cell::of_json(label) else {
        return Ok(Err("a label is one value, not an array or an object".to_owned()));
    };
    Ok(served.spec().accept_target(cell).map(|value| match value {
        spec::Value::Number(number) => number.into(),
        spec::Value::Level(level) => level.into(),
        spec::Value::Missing => Value::Null,
    }))
}

/// Stores the lines of one model as one segment. It is named by the times of the predictions and by what was observed, so
/// that the same observations sent again are stored once.
async fn store(state: &State, model: &str, lines: &[Line<'_>]) -> Result<(), Error> {
    let times: Vec<i64> = lines.iter().filter_map(|line| time_ms(&line.id)).collect();
    let first_ms = times.iter().min().copied().unwrap_or_default();
    let last_ms = times.iter().max().copied().unwrap_or_default();
    let observed: Vec<_> = lines.iter().map(|line| (&line.id, &line.label, &line.observed_at)).collect();
    let digest = registry::sha256(&serde_json::to_vec(&observed).map_err(Error::Line)?);
    let mut text = String::new();
    for line in lines {
        text.push_str(&serde_json::to_string(line).map_err(Error::Line)?);
        text.push('\n');
    }
    let body = compress(Arc::from(text)).await?;
    let name = format!("{first_ms}-{last_ms}-{}", &digest[..32]);
    Ok(state.0.host.registry().put_feedback(model, &name, body).await?)
}

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
