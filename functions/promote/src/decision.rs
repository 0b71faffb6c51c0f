//! What is answered: a decision on record.

use registry::{DecisionRecord, VersionId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::evidence::Evidence;

/// A decision and the evidence that it rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Decided {
    /// Whether production moved.
    pub promoted: bool,
    /// The version that served once this was decided; `null` for none.
    #[schema(value_type = Option<String>, required = true)]
    pub production: Option<VersionId>,
    /// Why, in plain sentences; what speaks against it first.
    pub reasons: Vec<String>,
    /// The measurements; `null` for a rollback, which rests on none.
    #[schema(value_type = Option<Evidence>, required = true)]
    pub evidence: Value,
    /// Id of the decision on record.
    pub decision: String,
}

impl From<DecisionRecord> for Decided {
    /// The answer follows from the record alone, so that a replay answers the same.
    fn from(record: DecisionRecord) -> Self {
        Self {
            promoted: record.promoted,
            production: if record.promoted { Some(record.version) } else { record.champion },
            reasons: record.reasons,
            evidence: record.evidence,
            decision: record.id,
        }
    }
}

/// The id of a decision: `PREFIX-` and 32 hexadecimal digits that say what it is about.
pub(crate) fn id(prefix: &str, about: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in about {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let digest = hex::encode(hash.finalize());
    format!("{prefix}-{}", &digest[..32])
}

/// A version's id, or `none`.
pub(crate) fn name(version: Option<&VersionId>) -> &str {
    version.map_or("none", VersionId::as_str)
}
