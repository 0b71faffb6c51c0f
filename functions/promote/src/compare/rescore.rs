//! Both versions answer the same hold-out rows again.

use model::Predictions;
use registry::{Part, Registry, VersionId};
use serde::Deserialize;
use service::Progress;
use serving::Served;
use spec::{Batch, ColumnData, Spec};

use super::comparable::{columns_at_hand, project, same_target};
use crate::Error;

/// What the lineage of a version says that matters here.
#[derive(Deserialize)]
struct Lineage {
    /// The newest batch that it was trained on.
    batch: String,
}

/// Two versions and the rows that they are to answer.
pub(crate) struct Contest {
    challenger: Served,
    champion: Option<(Served, Vec<Option<usize>>)>,
    /// The challenger's newest batch.
    pub(crate) batch: String,
    new: Batch,
    history: Vec<Batch>,
    /// Accepted batches whose columns are not the challenger's.
    pub(crate) left_out: Vec<String>,
}

/// What both answered, and what is true.
pub(crate) struct Scored {
    /// None without a champion.
    pub(crate) champion: Option<Predictions>,
    pub(crate) challenger: Predictions,
    /// None where the rows have no labels.
    pub(crate) target: Option<ColumnData>,
    /// Batches that the rows are of.
    pub(crate) n_batches: usize,
}

/// Opens both versions and reads the rows: the hold-out of the challenger's newest batch and, where there is a champion,
/// that of every other accepted batch, whenever it landed and whatever became of its own challenger.
///
/// The rows are read once, with the challenger's spec, so that both answer the same ones.
pub(crate) async fn contest(
    registry: &Registry,
    spec: &Spec,
    version: &VersionId,
    champion: Option<&VersionId>,
    progress: &Progress,
) -> Result<Contest, Error> {
    let challenger = serving::open(registry, &spec.name, version).await?;
    let incomparable = |with: String, reason| Error::Incomparable { challenger: version.clone(), with, reason };
    same_target(spec, challenger.spec()).map_err(|reason| incomparable("the spec as it is now".to_owned(), reason))?;
    let champion = match champion {
        None => None,
        Some(id) => {
            let champion = serving::open(registry, &spec.name, id).await?;
            let places = comparable(challenger.spec(), champion.spec())
                .map_err(|reason| incomparable(format!("the production version {id}"), reason))?;
            Some((champion, places))
        }
    };
    let lineage = registry.part(&spec.name, version, Part::Lineage).await?;
    let lineage: Lineage =
        serde_json::from_slice(&lineage).map_err(|source| Error::Lineage { version: version.clone(), source })?;

    progress.send(format!("reading the hold-out of batch {}", lineage.batch), Some(0.1));
    history::find(registry, &spec.name, &lineage.batch).await?;
    let new = history::rows(registry, challenger.spec(), &lineage.batch).await?.holdout();
    let mut contest =
        Contest { challenger, champion, batch: lineage.batch, new, history: Vec::new(), left_out: Vec::new() };
    if contest.champion.is_some() {
        contest.read_history(registry, progress).await?;
    }
    Ok(contest)
}

fn comparable(challenger: &Spec, champion: &Spec) -> Result<Vec<Option<usize>>, String> {
    same_target(challenger, champion)?;
    if !challenger.same_split(champion) {
        return Err(
            "they hold out different rows, so one may have been trained on rows that judge the other".to_owned()
        );
    }
    columns_at_hand(challenger, champion)
}

impl Contest {
    async fn read_history(&mut self, registry: &Registry, progress: &Progress) -> Result<(), Error> {
        let spec = self.challenger.spec().clone();
        let states = registry.batches(&spec.name).await?;
        let others: Vec<String> = states
            .into_iter()
            .filter(|state| state.accepted() && state.landing.batch != self.batch)
            .map(|state| state.landing.batch)
            .collect();
        for (index, batch) in others.iter().enumerate() {
            let fraction = 0.1 + 0.4 * index as f64 / others.len() as f64;
            progress.send(format!("reading the hold-out of batch {batch}"), Some(fraction));
            match history::rows(registry, &spec, batch).await {
                Ok(rows) => self.history.push(rows.holdout()),
                // It was stored when the spec had other columns. Bytes that cannot be read at all are an error.
                Err(history::Error::Rows { source: dataset::Error::Stored(_), .. }) => {
                    self.left_out.push(batch.clone())
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Answers of both on the new rows and on history's; the latter are none where there is no such row. Takes the time of
/// the forward passes: call it where blocking is allowed.
pub(crate) fn score(contest: &mut Contest) -> (Scored, Option<Scored>) {
    let history = std::mem::take(&mut contest.history);
    let n_batches = history.iter().filter(|batch| batch.n_rows() > 0).count();
    let new = answer(contest, &contest.new, 1);
    let history = Batch::concat(history).filter(|batch| batch.n_rows() > 0);
    let history = history.map(|history| answer(contest, &history, n_batches));
    (new, history)
}

fn answer(contest: &Contest, batch: &Batch, n_batches: usize) -> Scored {
    let challenger = || contest.challenger.predictor().predict(batch);
    let champion = || {
        let (champion, places) = contest.champion.as_ref()?;
        Some(champion.predictor().predict(&project(batch, champion.spec(), places)))
    };
    let (challenger, champion) = rayon::join(challenger, champion);
    Scored { champion, challenger, target: batch.target().cloned(), n_batches }
}
