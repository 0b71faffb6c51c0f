//! Batches that are profiled part by part, so that no process holds all rows of one.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use drift::{LossSums, Profile};
use fault::FieldError;
use registry::{AliasEntry, BatchManifest, BatchStatus, Registry, VersionId};
use serde::{Deserialize, Serialize};
use service::Progress;
use spec::Spec;

use crate::check::{find, version_spec};
use crate::spec_change::spec_changes;
use crate::standing::Standing;
use crate::{Error, PartRequest, Profiled, State, live};

/// Most parts of a batch.
pub(crate) const MAX_PARTS: u32 = 1_000;

/// A part as it lies in the batch's folder.
#[derive(Serialize, Deserialize)]
struct Stored {
    /// Hash of the spec that the rows were read with.
    spec: String,
    /// The version that `losses` are of.
    production: Option<VersionId>,
    rows: u64,
    profile: drift::Part,
    /// Losses of the production version on rows with labels that it has not learnt from; none where one is not finite.
    losses: Option<LossSums>,
}

/// The parts of a batch as one.
pub(crate) struct Merged {
    pub(crate) profile: Profile,
    pub(crate) losses: Option<LossSums>,
}

/// Which of how many parts.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    number: u32,
    of: u32,
}

impl Place {
    /// The rows of this part, of so many.
    fn rows(self, n_rows: u64) -> Range<usize> {
        let from = |number: u32| (u128::from(n_rows) * u128::from(number) / u128::from(self.of)) as usize;
        from(self.number - 1)..from(self.number)
    }

    /// The id of a part that rests on this spec and this production version.
    fn id(self, spec: &Spec, production: Option<&VersionId>) -> String {
        let about = format!("{}\n{}", spec.hash(), production.map_or("none", VersionId::as_str));
        format!("{}-of-{}-{}", self.number, self.of, &registry::sha256(about.as_bytes())[..12])
    }

    fn of_id(id: &str) -> Option<Self> {
        let (number, rest) = id.split_once("-of-")?;
        let (of, digest) = rest.split_once('-')?;
        let place = Self { number: number.parse().ok()?, of: of.parse().ok()? };
        let is_digest = digest.len() == 12 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        (is_digest && (1..=MAX_PARTS).contains(&place.of) && (1..=place.of).contains(&place.number)).then_some(place)
    }
}

fn file(id: &str) -> String {
    format!("part-{id}.json")
}

/// Profiles one part of a batch, or finds the profile that was made of it. Which part it is, the spec and the production
/// version are in its id, so asking again changes nothing.
pub(crate) async fn profile(state: &State, request: &PartRequest, progress: &Progress) -> Result<Profiled, Error> {
    let place = place(request)?;
    let spec = state.host.spec(&request.model).await?;
    let registry = state.host.registry();
    let states = registry.batches(&spec.name).await?;
    let (_, _, manifest) = find(&states, &request.model, &request.batch)?;
    if manifest.status == BatchStatus::Quarantined {
        let (model, batch, reasons) = (request.model.clone(), request.batch.clone(), manifest.reasons.join("; "));
        return Err(history::Error::Quarantined { model, batch, reasons }.into());
    }
    let production = registry.production(&spec.name).await?;
    let version = production.as_ref().map(|entry| entry.version.clone());
    let id = place.id(&spec, version.as_ref());
    let range = place.rows(manifest.rows);
    let profiled = |rows| Profiled {
        model: spec.name.clone(),
        batch: manifest.batch.clone(),
        id: id.clone(),
        part: place.number,
        of: place.of,
        rows,
        production: version.as_ref().map(ToString::to_string),
    };
    if registry.find_batch_file(&spec.name, &manifest.batch, &file(&id)).await?.is_some() {
        return Ok(profiled(range.len() as u64));
    }
    progress.send(format!("reading part {} of {}", place.number, place.of), Some(0.1));
    let body = make(registry, &spec, manifest, production.as_ref(), range).await?;
    registry.put_batch_file(&spec.name, &manifest.batch, &file(&id), body.1).await?;
    Ok(profiled(body.0))
}

fn place(request: &PartRequest) -> Result<Place, Error> {
    let mut wrong = Vec::new();
    if !(1..=MAX_PARTS).contains(&request.of) {
        wrong.push(FieldError::new("/of", format!("expected 1 to {MAX_PARTS} parts")));
    } else if !(1..=request.of).contains(&request.part) {
        wrong.push(FieldError::new("/part", format!("expected a part from 1 to {}", request.of)));
    }
    if wrong.is_empty() { Ok(Place { number: request.part, of: request.of }) } else { Err(Error::Parts(wrong)) }
}

/// The rows of a part and its stored form.
async fn make(
    registry: &Registry,
    spec: &Arc<Spec>,
    manifest: &BatchManifest,
    production: Option<&AliasEntry>,
    range: Range<usize>,
) -> Result<(u64, Vec<u8>), Error> {
    let batch = manifest.batch.as_str();
    let rows = Arc::new(history::rows_in(registry, spec, batch, range.clone()).await?);
    let mut standing = None;
    if let Some(entry) = production
        && spec_changes(&version_spec(registry, spec, &entry.version).await?, spec).is_empty()
    {
        let opened = Standing::open(registry, entry, &spec.name).await?;
        if opened.splits_by_whole(batch) {
            return Err(Error::SplitByTime { batch: batch.to_owned() });
        }
        let unlearnt = opened.rows(registry, spec, batch, range, &rows).await?;
        standing = Some((opened, unlearnt));
    }
    let (spec, production) = (spec.clone(), production.map(|entry| entry.version.clone()));
    let making = move || {
        let losses = match &standing {
            Some((standing, unlearnt)) => live::loss_sums(&standing.served, &unlearnt.batch()),
            None => Some(LossSums::default()),
        };
        let profile = drift::Part::of(drift::inputs(&spec, &rows.batch).into_iter(), drift::target(&spec, &rows.batch));
        let n_rows = rows.batch.n_rows() as u64;
        let stored = Stored { spec: spec.hash().to_owned(), production, rows: n_rows, profile, losses };
        Ok((n_rows, serde_json::to_vec(&stored)?))
    };
    tokio::task::spawn_blocking(making).await?.map_err(Error::Report)
}

/// Puts the parts with these ids together, one after the other.
///
/// # Errors
/// [`Error::Parts`] when they are not each part of the batch once, [`Error::StalePart`] for one that was made with another
/// spec or for another production version, [`Error::PartRows`] when they do not hold the rows of the batch.
pub(crate) async fn merge(
    registry: &Registry,
    spec: &Spec,
    manifest: &BatchManifest,
    production: Option<&VersionId>,
    ids: &[String],
) -> Result<Merged, Error> {
    let mut merged: Option<drift::Part> = None;
    let mut losses = Some(LossSums::default());
    let mut n_rows = 0;
    for (position, id) in in_order(ids)? {
        let body = registry.find_batch_file(&spec.name, &manifest.batch, &file(id)).await?.ok_or_else(|| {
            let detail = format!("batch {} has no part `{id}`: POST /check-drift/parts makes it", manifest.batch);
            Error::Parts(vec![FieldError::new(format!("/parts/{position}"), detail)])
        })?;
        let stored: Stored =
            serde_json::from_slice(&body).map_err(|source| Error::Part { part: id.to_owned(), source })?;
        for (is_same, what) in
            [(stored.spec == spec.hash(), "spec"), (stored.production.as_ref() == production, "production version")]
        {
            if !is_same {
                return Err(Error::StalePart { part: id.to_owned(), what });
            }
        }
        let wrong = |source| Error::Comparison { batch: manifest.batch.clone(), source };
        let part = stored.profile;
        part.check().map_err(wrong)?;
        merged = Some(match merged {
            Some(before) => before.merge(part).map_err(wrong)?,
            None => part,
        });
        losses = losses.zip(stored.losses).map(|(before, more)| before.merge(more));
        n_rows += stored.rows;
    }
    match merged {
        Some(part) if n_rows == manifest.rows => Ok(Merged { profile: part.finish(), losses }),
        _ => Err(Error::PartRows { batch: manifest.batch.clone(), rows: manifest.rows, found: n_rows }),
    }
}

/// The ids in the order of their parts, each with its place in the request.
fn in_order(ids: &[String]) -> Result<Vec<(usize, &str)>, Error> {
    let mut wrong = Vec::new();
    let mut ordered: BTreeMap<u32, (usize, &str)> = BTreeMap::new();
    let mut of = None;
    for (position, id) in ids.iter().enumerate() {
        let mut refuse = |detail: String| wrong.push(FieldError::new(format!("/parts/{position}"), detail));
        let Some(place) = Place::of_id(id) else {
            refuse("expected the id of a part, as POST /check-drift/parts answered it".to_owned());
            continue;
        };
        if *of.get_or_insert(place.of) != place.of {
            refuse(format!("expected a part of {}, as the first one is", of.unwrap_or_default()));
        } else if let Some((first, _)) = ordered.insert(place.number, (position, id)) {
            refuse(format!("part {} of {} is there already, at /parts/{first}", place.number, place.of));
        }
    }
    if wrong.is_empty() {
        let of = of.unwrap_or_default();
        let missing: Vec<String> =
            (1..=of).filter(|number| !ordered.contains_key(number)).map(|number| number.to_string()).collect();
        if !missing.is_empty() {
            wrong.push(FieldError::new("/parts", format!("part {} of {of} is missing", missing.join(", "))));
        }
    }
    if wrong.is_empty() { Ok(ordered.into_values().collect()) } else { Err(Error::Parts(wrong)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_hold_every_row_once() {
        for (n_rows, of) in [(0, 3), (2, 5), (1_000, 7), (999_999_999_999, 1_000)] {
            let parts: Vec<Range<usize>> = (1..=of).map(|number| Place { number, of }.rows(n_rows)).collect();
            assert_eq!((parts[0].start, parts[of as usize - 1].end), (0, n_rows as usize));
            assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
        }
    }

    #[test]
    fn ids_are_read_strictly() {
        let at = |id: &str| Place::of_id(id).map(|place| (place.number, place.of));
        assert_eq!(at("2-of-4-0123456789ab"), Some((2, 4)));
        for id in [
            "",
            "2-of-4",
            "0-of-4-0123456789ab",
            "5-of-4-0123456789ab",
            "2-of-4-0123456789a/",
            "1-of-1001-0123456789ab",
        ] {
            assert_eq!(at(id), None, "{id}");
        }
    }
}
