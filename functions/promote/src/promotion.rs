//! A challenger is judged, and production moves or stays.

use host::Host;
use registry::{Action, AliasEntry, DecisionKind, DecisionRecord, Move};
use service::Progress;
use sha2::{Digest, Sha256};
use spec::Spec;

use crate::compare::{contest, score};
use crate::decision::{self, Decided};
use crate::rules::{Origin, Verdict, judge};
use crate::{Error, PromoteRequest};

/// Decides about a challenger, or finds what was decided.
pub(crate) async fn promote(host: &Host, request: &PromoteRequest, progress: &Progress) -> Result<Decided, Error> {
    let spec = host.spec(&request.model).await?;
    let registry = host.registry();
    registry.manifest(&spec.name, &request.version).await?;
    let moves = registry.alias_history(&spec.name).await?;
    let case = Case { host, spec: &spec, request, progress };
    let current = moves.last();
    if current.map(|entry| &entry.version) != request.expected_production.as_ref() {
        // Newest first: a version that was promoted twice was decided about anew.
        return match moves.iter().rev().find(|entry| case.made(entry)) {
            Some(entry) => case.replay(entry).await,
            None => Err(case.moved(current)),
        };
    }
    if request.expected_production.as_ref() == Some(&request.version) {
        return Err(Error::Serves { model: spec.name.clone(), version: request.version.clone() });
    }
    case.decide(&case.id(current)).await
}

/// A request and what it is about.
struct Case<'a> {
    host: &'a Host,
    spec: &'a Spec,
    request: &'a PromoteRequest,
    progress: &'a Progress,
}

impl Case<'_> {
    /// Whether this move was made by such a request.
    fn made(&self, entry: &AliasEntry) -> bool {
        entry.action == Action::Promote
            && entry.version == self.request.version
            && entry.previous == self.request.expected_production
    }

    fn moved(&self, current: Option<&AliasEntry>) -> Error {
        Error::Moved {
            model: self.spec.name.clone(),
            expected: self.request.expected_production.clone(),
            actual: current.map(|entry| entry.version.clone()),
        }
    }

    /// The id of the decision: the same while production and the spec stay as they are, another once production has
    /// moved, also when it has moved back, or once somebody has changed the spec and with it the rules.
    fn id(&self, current: Option<&AliasEntry>) -> String {
        let expected = decision::name(self.request.expected_production.as_ref());
        let sequence = current.map_or(0, |entry| entry.sequence).to_string();
        let about = [&self.spec.name, self.request.version.as_str(), expected, &sequence, self.spec.hash()];
        decision::id("promotion", &about)
    }

    /// The answer to a request whose move was made before.
    async fn replay(&self, entry: &AliasEntry) -> Result<Decided, Error> {
        let registry = self.host.registry();
        if let Some(record) = registry.decision(&self.spec.name, &entry.decision).await? {
            return Ok(record.into());
        }
        // A process died between the move and its record: measure again, so that the record has its evidence.
        tracing::warn!(
            model = self.spec.name,
            decision = entry.decision,
            "the record of a promotion was lost; it is made again"
        );
        let mut verdict = self.judge().await?;
        if !verdict.promoted {
            // New batches have come since, and the move is a fact; its own reasons came with it.
            verdict.reasons.insert(0, format!("promoted, when it was decided, because: {}", entry.reason));
        }
        let record = self.record(entry.decision.clone(), verdict, true)?;
        Ok(registry.put_decision(record).await?.into())
    }

    async fn decide(&self, id: &str) -> Result<Decided, Error> {
        let registry = self.host.registry();
        // Refusals have a name of their own: if the same request is worked on twice at once and the batches change
        // between, each outcome has its own record, and the one that moved production is the one that the move names.
        let refusal = format!("{id}-refused");
        if let Some(record) = registry.decision(&self.spec.name, &refusal).await? {
            return Ok(record.into());
        }
        let verdict = self.judge().await?;
        if !verdict.promoted {
            let record = registry.put_decision(self.record(refusal, verdict, false)?).await?;
            self.count("refused");
            return Ok(record.into());
        }
        let request = Move {
            version: self.request.version.clone(),
            action: Action::Promote,
            decision: id.to_owned(),
            reason: verdict.reasons.join("; "),
        };
        let expected = self.request.expected_production.as_ref();
        registry.move_production(&self.spec.name, expected, &request).await.map_err(Error::of_move)?;
        let record = registry.put_decision(self.record(id.to_owned(), verdict, true)?).await?;
        self.count("promoted");
        tracing::info!(model = self.spec.name, version = %self.request.version, decision = id, "promoted");
        Ok(record.into())
    }

    /// Scores both versions and looks at the rules.
    async fn judge(&self) -> Result<Verdict, Error> {
        let champion = self.request.expected_production.as_ref();
        let mut contest =
            contest(self.host.registry(), self.spec, &self.request.version, champion, self.progress).await?;
        self.progress.send("scoring champion and challenger on the same rows", Some(0.5));
        // Of what is compared, and of nothing else: a comment in the spec must not draw other rows.
        let seed = Sha256::digest(format!("{} {}", self.spec.hash(), contest.batch)).into();
        let spec = self.spec.clone();
        let judging = move || {
            let (new, history) = score(&mut contest);
            let origin = Origin { batch: contest.batch, left_out: contest.left_out };
            judge(&spec, &origin, &new, history.as_ref(), seed)
        };
        Ok(tokio::task::spawn_blocking(judging).await?)
    }

    fn record(&self, id: String, verdict: Verdict, promoted: bool) -> Result<DecisionRecord, Error> {
        Ok(DecisionRecord {
            id,
            kind: DecisionKind::Promotion,
            model: self.spec.name.clone(),
            version: self.request.version.clone(),
            champion: self.request.expected_production.clone(),
            promoted,
            reasons: verdict.reasons,
            evidence: serde_json::to_value(verdict.evidence).map_err(Error::Evidence)?,
            at: self.host.registry().now(),
        })
    }

    fn count(&self, outcome: &'static str) {
        count(&self.spec.name, outcome);
    }
}

/// Counts a decision; replays are not counted again.
pub(crate) fn count(model: &str, outcome: &'static str) {
    metrics::counter!("promotions_total", "model" => model.to_owned(), "outcome" => outcome).increment(1);
}
