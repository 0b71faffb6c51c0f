use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use storage::Lease;

use crate::{Registry, Result, checked, read_all};

/// Long work that was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its id; a replay of the request has the same.
    pub id: String,
    /// The model it is about.
    pub model: String,
    /// What was asked, in full, so that any process can take it up.
    pub request: Value,
    /// When it was asked.
    pub created_at: DateTime<Utc>,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobPhase {
    /// Nobody works on it yet.
    Queued,
    /// Somebody works on it.
    Running,
    /// It has a result.
    Done,
    /// It has a cause of failure.
    Failed,
}

/// How far a job is, as its worker last said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobState {
    /// Where it stands.
    pub state: JobPhase,
    /// The share of the work that is done, 0 to 1.
    pub progress: f64,
    /// What it is doing, for people.
    pub message: String,
    /// Who works on it.
    pub worker: String,
    /// When the worker said so.
    pub updated_at: DateTime<Utc>,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum JobResult {
    /// With a result.
    Done {
        /// Such as the version and its metrics, free in form.
        result: Value,
    },
    /// With a failure that would come again.
    Failed {
        /// The cause, as a problem document.
        problem: Value,
    },
}

impl Registry {
    /// Puts a job on record and returns the one on record under its id: the first one stays.
    pub async fn put_job(&self, job: Job) -> Result<Job> {
        self.put_first(&job_path(&job.id, "job.json")?, job).await
    }

    /// The job with this id, if there is one.
    pub async fn job(&self, id: &str) -> Result<Option<Job>> {
        Ok(self.store.try_get_json(&job_path(id, "job.json")?).await?)
    }

    /// Every job of every model, oldest first.
    pub async fn jobs(&self) -> Result<Vec<Job>> {
        let ids = self.store.folders("jobs").await?;
        let jobs = read_all(&ids, |id| self.job(id)).await?;
        let mut jobs: Vec<Job> = jobs.into_iter().flatten().collect();
        jobs.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(jobs)
    }

    /// Takes the lease of a job for `owner`; `None` when somebody works on it.
    pub async fn lease_job(&self, id: &str, owner: &str, ttl: Duration) -> Result<Option<Lease>> {
        checked("job", id)?;
        Ok(Lease::acquire(&self.store, &format!("jobs/{id}"), owner, ttl).await?)
    }

    /// How far a job is; `None` when nobody has begun.
    pub async fn job_state(&self, id: &str) -> Result<Option<JobState>> {
        Ok(self.store.try_get_json(&job_path(id, "state.json")?).await?)
    }

    /// Says how far a job is. For the holder of its lease.
    pub async fn put_job_state(&self, id: &str, state: &JobState) -> Result<()> {
        Ok(self.store.put_json(&job_path(id, "state.json")?, state).await?)
    }

    /// Stores a checkpoint, over an earlier one of that name. For the holder of the job's lease.
    pub async fn put_checkpoint(&self, id: &str, name: &str, body: impl Into<Bytes>) -> Result<()> {
        Ok(self.store.put(&checkpoint_path(id, name)?, body).await?)
    }

    /// The checkpoint of that name, if there is one.
    pub async fn checkpoint(&self, id: &str, name: &str) -> Result<Option<Bytes>> {
        Ok(self.store.try_get(&checkpoint_path(id, name)?).await?)
    }

    /// Deletes every checkpoint of a job, when it has ended.
    pub async fn clear_checkpoints(&self, id: &str) -> Result<()> {
        let entries = self.store.list(&job_path(id, "checkpoints")?).await?;
        read_all(entries, |entry| async move { Ok(self.store.delete(&entry.path).await?) }).await?;
        Ok(())
    }

    /// Ends a job and returns how it ended: the first result stays.
    pub async fn finish_job(&self, id: &str, result: JobResult) -> Result<JobResult> {
        self.put_first(&job_path(id, "result.json")?, result).await
    }

    /// How a job ended; `None` until it has.
    pub async fn job_result(&self, id: &str) -> Result<Option<JobResult>> {
        Ok(self.store.try_get_json(&job_path(id, "result.json")?).await?)
    }
}

fn job_path(id: &str, rest: &str) -> Result<String> {
    checked("job", id)?;
    Ok(format!("jobs/{id}/{rest}"))
}

fn checkpoint_path(id: &str, name: &str) -> Result<String> {
    checked("checkpoint", name)?;
    job_path(id, &format!("checkpoints/{name}"))
}
