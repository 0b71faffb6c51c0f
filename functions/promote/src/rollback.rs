//! Production goes back, by hand.

use host::Host;
use registry::{Action, AliasEntry, DecisionKind, DecisionRecord, Move, Registry};
use serde_json::Value;

use crate::decision::{self, Decided};
use crate::promotion::count;
use crate::{Error, RollbackRequest};

/// How often a rollback looks again when production moved under it.
const ATTEMPTS: usize = 5;

/// Moves production to `to`, or to what served before. `key` is the caller's idempotency key: with it a retried request
/// finds its move even if the process died before the answer was remembered, instead of going back and forth.
pub(crate) async fn rollback(host: &Host, request: &RollbackRequest, key: Option<&str>) -> Result<Decided, Error> {
    if request.reason.trim().is_empty() {
        return Err(Error::NoReason);
    }
    let spec = host.spec(&request.model).await?;
    let (registry, model) = (host.registry(), spec.name.as_str());
    for _ in 0..ATTEMPTS {
        let moves = registry.alias_history(model).await?;
        let keyed = key.map(|key| decision::id("rollback", &[model, "key", key]));
        if let Some(made) = moves.iter().find(|entry| Some(&entry.decision) == keyed.as_ref()) {
            return record(registry, model, made).await;
        }
        let no_previous = || Error::NoPrevious { model: model.to_owned() };
        let current = moves.last().ok_or_else(no_previous)?;
        let version = request.to.clone().or_else(|| current.previous.clone()).ok_or_else(no_previous)?;
        if version == current.version {
            return Err(Error::Serves { model: model.to_owned(), version });
        }
        // A version that cannot be opened would leave nothing that serves.
        serving::open(registry, model, &version).await?;
        let sequence = current.sequence.to_string();
        let id = keyed.unwrap_or_else(|| decision::id("rollback", &[model, version.as_str(), &sequence]));
        let request = Move { version, action: Action::Rollback, decision: id, reason: request.reason.clone() };
        match registry.move_production(model, Some(&current.version), &request).await {
            Ok(made) => {
                count(model, "rolled_back");
                tracing::info!(model, version = %made.version, reason = made.reason, "rolled back");
                return record(registry, model, &made).await;
            }
            Err(registry::Error::ProductionMoved { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::Contended { model: model.to_owned() })
}

/// Puts the move on record. It follows from the move alone, so a retry after a crash writes the same.
async fn record(registry: &Registry, model: &str, made: &AliasEntry) -> Result<Decided, Error> {
    let record = DecisionRecord {
        id: made.decision.clone(),
        kind: DecisionKind::Rollback,
        model: model.to_owned(),
        version: made.version.clone(),
        champion: made.previous.clone(),
        promoted: true,
        reasons: vec![made.reason.clone()],
        evidence: Value::Null,
        at: made.at,
    };
    Ok(registry.put_decision(record).await?.into())
}
