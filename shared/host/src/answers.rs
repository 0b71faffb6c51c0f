//! Remembered answers, kept in the registry.

use async_trait::async_trait;
use registry::Registry;
use service::{Answer, Answers, Problem};

/// Keeps one answer for each `Idempotency-Key` in the registry.
#[derive(Clone, Debug)]
pub struct RememberedAnswers(Registry);

impl RememberedAnswers {
    /// Answers in `registry`.
    pub fn new(registry: Registry) -> Self {
        Self(registry)
    }
}

#[async_trait]
impl Answers for RememberedAnswers {
    async fn find(&self, scope: &str, key: &str) -> Result<Option<Answer>, Problem> {
        let answer = self.0.answer(scope, key).await?;
        Ok(answer.map(|answer| Answer {
            request_sha256: answer.request_sha256,
            status: answer.status,
            body: answer.body,
        }))
    }

    async fn remember(&self, scope: &str, key: &str, answer: &Answer) -> Result<(), Problem> {
        let answer = registry::Answer {
            request_sha256: answer.request_sha256.clone(),
            status: answer.status,
            body: answer.body.clone(),
            at: self.0.now(),
        };
        self.0.remember(scope, key, answer).await?;
        Ok(())
    }
}
