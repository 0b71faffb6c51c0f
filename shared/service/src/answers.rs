//! One answer for one `Idempotency-Key`, however often the request comes.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use axum::http::StatusCode;
use fault::{FieldError, Kind};
use once_cell::sync::Lazy;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::extract::IdempotencyKey;
use crate::problem::{Document, Problem};
use crate::reply::{IntoReply, Reply};

/// A remembered answer, and what it answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// SHA-256 of the request's JSON, 64 lower-case hexadecimal digits.
    pub request_sha256: String,
    /// The HTTP status.
    pub status: u16,
    /// The body: a problem document when the status is 400 or above.
    pub body: Value,
}

/// Where answers are remembered, by scope (such as the route) and key.
#[async_trait]
pub trait Answers: Send + Sync {
    /// The answer remembered for `key`, if there is one.
    async fn find(&self, scope: &str, key: &str) -> Result<Option<Answer>, Problem>;

    /// Remembers `answer`; when there is one already, that one stays and this is no error.
    async fn remember(&self, scope: &str, key: &str, answer: &Answer) -> Result<(), Problem>;
}

/// The request's own locks: two repeats that arrive at once must not both do the work.
type Locks = Mutex<HashMap<(String, String), Arc<tokio::sync::Mutex<()>>>>;

static LOCKS: Lazy<Locks> = Lazy::new(Locks::default);

/// Does `work` once for each key: a repeat with the same request gets the first answer, marked as replayed.
///
/// Remembered are outcomes: 2xx, and problems that are called [decided](Problem::decided), such as a race that another
/// won. Any other problem may pass (a file is mended, a batch released, a neighbour is back), so a repeat tries again.
/// Without a key the work is simply done. Repeats in one process wait for
/// each other; across processes the work's own lease and digests keep it single.
///
/// # Errors
/// The work's own problem; 422 when the key was used for another request.
pub async fn once<R: IntoReply>(
    answers: &dyn Answers,
    scope: &str,
    key: Option<&IdempotencyKey>,
    request: &(impl Serialize + ?Sized),
    work: impl Future<Output = Result<R, Problem>>,
) -> Result<Reply, Problem> {
    let Some(key) = key.map(IdempotencyKey::as_str) else {
        return work.await?.into_reply();
    };
    let request_sha256 = sha256(request)?;
    let name = (scope.to_owned(), key.to_owned());
    let lock = Arc::clone(LOCKS.lock().unwrap_or_else(PoisonError::into_inner).entry(name.clone()).or_default());
    let _forget = Forget(name);
    let _held = lock.lock().await;

    if let Some(answer) = answers.find(scope, key).await? {
        return replay(answer, &request_sha256);
    }
    let outcome = match work.await {
        Ok(reply) => reply.into_reply(),
        Err(problem) => Err(problem),
    };
    if let Some(answer) = to_remember(&outcome, request_sha256)? {
        answers.remember(scope, key, &answer).await?;
    }
    outcome
}

/// SHA-256 of the request's JSON, so that white space and the order of a typed body's keys make no difference.
fn sha256(request: &(impl Serialize + ?Sized)) -> Result<String, Problem> {
    let json = serde_json::to_vec(request).map_err(|error| Problem::internal(&error))?;
    Ok(hex::encode(Sha256::digest(json)))
}

fn replay(answer: Answer, request_sha256: &str) -> Result<Reply, Problem> {
    if answer.request_sha256 != request_sha256 {
        let detail = "this `Idempotency-Key` was used for another request; take a new key";
        return Err(Problem::new(Kind::Invalid, detail).with_fields(vec![FieldError::new("", detail)]));
    }
    let status = StatusCode::from_u16(answer.status).map_err(|error| Problem::internal(&error))?;
    if status.is_client_error() {
        let document: Document = serde_json::from_value(answer.body).map_err(|error| Problem::internal(&error))?;
        return Err(Problem::replay(document));
    }
    Ok(Reply { status, body: answer.body, replayed: true, passing: false })
}

fn to_remember(outcome: &Result<Reply, Problem>, request_sha256: String) -> Result<Option<Answer>, Problem> {
    Ok(match outcome {
        Ok(reply) if reply.status.is_success() && !reply.passing => {
            Some(Answer { request_sha256, status: reply.status.as_u16(), body: reply.body.clone() })
        }
        Err(problem) if problem.is_decided() => {
            let body = serde_json::to_value(problem).map_err(|error| Problem::internal(&error))?;
            Some(Answer { request_sha256, status: problem.status().as_u16(), body })
        }
        _ => None,
    })
}

/// Drops a key's lock when the last request that holds it is done.
struct Forget((String, String));

impl Drop for Forget {
    fn drop(&mut self) {
        let mut locks = LOCKS.lock().unwrap_or_else(PoisonError::into_inner);
        // The map holds one handle and this request another; more means that others wait.
        if locks.get(&self.0).is_some_and(|lock| Arc::strong_count(lock) <= 2) {
            locks.remove(&self.0);
        }
    }
}
