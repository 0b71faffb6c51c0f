//! Finding earlier predictions by their ids.

use std::collections::{HashMap, HashSet};

use futures::{StreamExt, TryStreamExt, stream};
use registry::Segment;
use uuid::Uuid;

use crate::{Error, State};

/// Segments that are read at once; a full one is 4 MiB of text.
const READS_AT_ONCE: usize = 4;

/// What every line of a segment begins with; then follow the 36 characters of the id.
const BEFORE_ID: &str = r#"{"id":""#;

/// The models of those ids that a prediction log holds: this process's memory, or a stored segment.
///
/// Memory is asked first: what leaves it meanwhile is in a segment that is then listed.
pub(crate) async fn models_of(state: &State, ids: &[Uuid]) -> Result<HashMap<Uuid, String>, Error> {
    let mut found = state.0.log.find(ids.to_vec()).await?;
    let registry = state.0.host.registry();
    let mut missing: HashMap<Uuid, i64> =
        ids.iter().filter(|id| !found.contains_key(id)).filter_map(|id| Some((*id, time_ms(id)?))).collect();
    if missing.is_empty() {
        return Ok(found);
    }
    for model in registry.models().await? {
        let segments = registry.prediction_segments(&model).await?;
        let may_hold = |segment: &Segment| {
            let range = segment.time_range_ms();
            range.is_some_and(|(first, last)| missing.values().any(|ms| (first..=last).contains(ms)))
        };
        let names: Vec<String> = segments.into_iter().filter(may_hold).map(|segment| segment.name).collect();
        let wanted: HashSet<Uuid> = missing.keys().copied().collect();
        let reads = stream::iter(names).map(|name| {
            let (model, wanted) = (&model, &wanted);
            async move { Ok::<_, Error>(ids_in(&registry.read_predictions(model, &name).await?, wanted)) }
        });
        for id in reads.buffer_unordered(READS_AT_ONCE).try_concat().await? {
            missing.remove(&id);
            found.insert(id, model.clone());
        }
        if missing.is_empty() {
            break;
        }
    }
    Ok(found)
}

/// When a prediction was made, in ms since 1970; none for an id that is not of ours.
pub(crate) fn time_ms(id: &Uuid) -> Option<i64> {
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    (id.get_version_num() == 7).then_some(i64::try_from(seconds).ok()? * 1000 + i64::from(nanos / 1_000_000))
}

fn ids_in(lines: &str, wanted: &HashSet<Uuid>) -> Vec<Uuid> {
    let id = |line: &str| Uuid::try_parse(line.strip_prefix(BEFORE_ID)?.get(..36)?).ok();
    lines.lines().filter_map(id).filter(|id| wanted.contains(id)).collect()
}
