//! Gaps in a source's numbers: found, healed by restart and replay, or reported as a loss.

use std::collections::BTreeSet;

use registry::{Origin, sha256};
use serde_json::json;

use crate::Error;
use crate::next::Ingest;
use crate::read::is_malformed;
use crate::source::Fetched;

/// Kind of the event that tells a batch is lost.
const LOSS: &str = "loss";

/// How many numbers a source may leave out before they count as names, such as dates, and not as a sequence.
const DENSE: u64 = 10_000;

/// How far a look for gaps goes.
#[derive(Clone, Copy)]
pub(crate) struct Reach {
    /// A fetch was interrupted, so that even the batches before the first that landed may be missing.
    pub(crate) interrupted: bool,
    /// No later number can show whether the interrupted fetch took a batch with it, so a replay goes on until the source is
    /// exhausted.
    pub(crate) to_the_end: bool,
}

/// Gets batches that the source gave and that never landed undamaged: by restart and replay where the source can, and
/// where it cannot, reports them as lost.
pub(crate) async fn heal(ingest: &Ingest<'_>, reach: Reach) -> Result<(), Error> {
    let gaps = missing(ingest, reach).await?;
    if gaps.is_empty() && !reach.to_the_end {
        return Ok(());
    }
    if ingest.source.restarts() {
        replay(ingest, &gaps, reach.to_the_end).await?;
    }
    for number in missing(ingest, reach).await? {
        let why = if ingest.source.restarts() { "a replay did not bring it" } else { "its source cannot restart" };
        let detail = format!("batch number {number} is lost: it never landed undamaged, and {why}");
        tracing::error!(model = ingest.model(), batch_number = number, "{detail}");
        let data = json!({"batch_number": number});
        ingest.registry.record_event(ingest.model(), LOSS, &detail, data).await?;
    }
    Ok(())
}

/// Numbers up to the newest that have neither landed undamaged nor been reported as lost. They begin with the first that
/// landed, because not every source counts from zero, unless a fetch was interrupted.
async fn missing(ingest: &Ingest<'_>, reach: Reach) -> Result<BTreeSet<u64>, Error> {
    let landings = ingest.registry.landings(ingest.model()).await?;
    let numbers = || landings.iter().map(|landing| landing.batch_number);
    let (Some(oldest), Some(newest)) = (numbers().min(), numbers().max()) else {
        return Ok(BTreeSet::new());
    };
    let first = if reach.interrupted { 0 } else { oldest };
    if newest - first > DENSE {
        return Ok(BTreeSet::new());
    }
    let sound = ingest.numbers().await?;
    let events = ingest.registry.events(ingest.model()).await?;
    let lost: BTreeSet<u64> = events
        .iter()
        .filter(|event| event.kind == LOSS)
        .filter_map(|event| event.data["batch_number"].as_u64())
        .collect();
    Ok((first..=newest).filter(|number| !sound.contains_key(number) && !lost.contains(number)).collect())
}

/// Restarts the source and reads it again up to where it was. Batches that are known stay as they are.
async fn replay(ingest: &Ingest<'_>, gaps: &BTreeSet<u64>, to_the_end: bool) -> Result<(), Error> {
    let (registry, model) = (ingest.registry, ingest.model());
    let why = if gaps.is_empty() {
        "a fetch was interrupted at the end of the sequence".to_owned()
    } else {
        let numbers: Vec<String> = gaps.iter().map(ToString::to_string).collect();
        format!("missing batch numbers: {}", numbers.join(", "))
    };
    tracing::warn!(model, "restarting the source: {why}");
    ingest.progress.send(format!("restarting the source: {why}"), None);
    let detail = format!("the source is restarted and replayed: {why}");
    registry.record_event(model, "restart", &detail, json!({"missing": gaps})).await?;
    ingest.source.restart().await?;

    let landings = registry.landings(model).await?;
    let newest = landings.iter().map(|landing| landing.batch_number).max();
    let mut known = ingest.numbers().await?;
    let mut healed = Vec::new();
    let mut first: Option<String> = None;
    while let Fetched::Batch { number, body, media_type, .. } = ingest.source.read(&landings).await? {
        let digest = sha256(&body);
        // A source that never says it is exhausted begins anew, and that is its end.
        match &first {
            None => first = Some(digest.clone()),
            Some(first) if *first == digest => break,
            Some(_) => {}
        }
        // Without numbers, bytes alone tell a known batch from one that was missed.
        let is_same = match number {
            Some(number) => known.get(&number).map(|first| *first == digest),
            None => known.values().any(|first| *first == digest).then_some(true),
        };
        let number = number.unwrap_or_else(|| known.keys().next_back().map_or(0, |newest| newest + 1));
        match is_same {
            Some(true) => {}
            Some(false) => {
                let detail = format!("batch number {number} came again with other bytes; the first ones are kept");
                registry.record_event(model, "conflict", &detail, json!({"batch_number": number})).await?;
            }
            None => {
                let landed = registry.land(model, number, body, media_type, Origin::Replayed).await?;
                let manifest = ingest.read(&landed.landing).await?;
                if !landed.repeated {
                    healed.push(number);
                    if !is_malformed(&manifest) {
                        known.insert(number, digest);
                    }
                }
            }
        }
        if !to_the_end && newest.is_none_or(|newest| number >= newest) {
            break;
        }
    }
    let detail = match healed.as_slice() {
        [] => "the replay brought nothing new".to_owned(),
        numbers => format!("the replay brought {} missing: {numbers:?}", numbers.len()),
    };
    registry.record_event(model, "replay", &detail, json!({"healed": healed})).await?;
    Ok(())
}
