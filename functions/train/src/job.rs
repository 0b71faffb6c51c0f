//! Training jobs: what is asked, under which name, and how far it is.

use host::Host;
use registry::{Job, JobPhase, JobResult, JobState, VersionId, sha256};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::Error;

/// What a job does. It says everything that decides the result, so that a later worker ends with the same bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Task {
    /// Name of the model.
    pub(crate) model: String,
    /// The newest batch.
    pub(crate) batch: String,
    /// All batches to learn from, oldest first.
    pub(crate) window: Vec<String>,
    /// The spec's text.
    pub(crate) spec: String,
    /// The spec's hash.
    pub(crate) spec_hash: String,
    /// What was in production when the job was asked for.
    pub(crate) production: Option<VersionId>,
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Status {
    /// Name of the job.
    pub(crate) job: String,
    /// Where it stands.
    #[schema(value_type = String, example = "running")]
    pub(crate) state: JobPhase,
    /// Share that is done, 0 to 1.
    pub(crate) progress: f64,
    /// What is being done, or why it failed.
    pub(crate) message: String,
}

/// Finds or makes the job for a batch. The same batches, spec, seed and standing version are the same job; only after a
/// failure a new request makes a new one.
pub(crate) async fn enqueue(host: &Host, model: &str, batch: &str) -> Result<Job, Error> {
    let (spec, registry) = (host.spec(model).await?, host.registry());
    let window = history::window(registry, &spec, batch).await?;
    let production = registry.production(model).await?.map(|entry| entry.version);
    let identity = sha256(json!([model, window, spec.hash(), production]).to_string().as_bytes());
    let task = Task {
        model: model.to_owned(),
        batch: batch.to_owned(),
        window,
        spec: spec.text().to_owned(),
        spec_hash: spec.hash().to_owned(),
        production,
    };
    let mut attempt = 1;
    loop {
        let id = format!("train-{}-{attempt}", &identity[..24]);
        if !matches!(registry.job_result(&id).await?, Some(JobResult::Failed { .. })) {
            let request = serde_json::to_value(&task).map_err(|source| Error::Request { job: id.clone(), source })?;
            let job = Job { id, model: model.to_owned(), request, created_at: registry.now() };
            return Ok(registry.put_job(job).await?);
        }
        attempt += 1;
    }
}

/// The job of this name.
pub(crate) async fn find(host: &Host, job: &str) -> Result<Job, Error> {
    host.registry().job(job).await?.ok_or_else(|| Error::UnknownJob { job: job.to_owned() })
}

/// How far a job is, by what is on record.
pub(crate) async fn status(host: &Host, job: &str) -> Result<Status, Error> {
    let registry = host.registry();
    let status = |state, progress, message: String| Status { job: job.to_owned(), state, progress, message };
    Ok(match (registry.job_result(job).await?, registry.job_state(job).await?) {
        (Some(JobResult::Done { .. }), _) => status(JobPhase::Done, 1.0, "done".to_owned()),
        (Some(JobResult::Failed { problem }), state) => {
            status(JobPhase::Failed, state.map_or(0.0, |state| state.progress), detail(&problem))
        }
        (None, Some(JobState { state, progress, message, .. })) => status(state, progress, message),
        (None, None) => status(JobPhase::Queued, 0.0, "waiting for a worker".to_owned()),
    })
}

/// The result of a job that is done.
pub(crate) async fn result(host: &Host, job: &str) -> Result<Value, Error> {
    find(host, job).await?;
    match host.registry().job_result(job).await? {
        Some(JobResult::Done { result }) => Ok(result),
        Some(JobResult::Failed { problem }) => Err(Error::Failed { job: job.to_owned(), cause: detail(&problem) }),
        None => Err(Error::NotDone { job: job.to_owned() }),
    }
}

fn detail(problem: &Value) -> String {
    problem["detail"].as_str().unwrap_or("no cause was recorded").to_owned()
}
