//! Who works on a job: one process at a time, by lease; whoever is asked about a job without a worker takes it up.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use host::Host;
use registry::{Job, JobPhase, JobResult, JobState};
use serde_json::Value;
use service::{Problem, Progress};
use storage::KeepAlive;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::{Instrument, error, info, info_span, warn};

use crate::Error;
use crate::challenger::make_challenger;
use crate::job::{self, Status, Task};

/// How often a poll looks at the record of a job that another process works on.
const LOOK: Duration = Duration::from_millis(250);

/// The jobs of this process.
#[derive(Debug)]
pub(crate) struct Workers {
    host: Host,
    running: Arc<Mutex<HashMap<String, JoinHandle<()>>>>,
    /// One fit at a time uses all cores; the others wait their turn.
    turn: Arc<Semaphore>,
    stopping: Arc<AtomicBool>,
    /// Told at every step of every job of this process.
    stepped: watch::Sender<()>,
}

impl Workers {
    pub(crate) fn new(host: Host) -> Self {
        Self {
            host,
            running: Arc::default(),
            turn: Arc::new(Semaphore::new(1)),
            stopping: Arc::default(),
            stepped: watch::Sender::new(()),
        }
    }

    /// Works on a job, unless this process does already.
    pub(crate) fn take_up(&self, job: Job) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if self.stopping.load(Ordering::Relaxed) || running.get(&job.id).is_some_and(|task| !task.is_finished()) {
            return;
        }
        running.retain(|_, task| !task.is_finished());
        let (id, span) = (job.id.clone(), info_span!("train", job = job.id, model = job.model));
        let worker = Worker {
            host: self.host.clone(),
            turn: Arc::clone(&self.turn),
            stopping: Arc::clone(&self.stopping),
            stepped: self.stepped.clone(),
            job,
        };
        running.insert(id, tokio::spawn(worker.work().instrument(span)));
    }

    /// Waits up to `patience` for a job's end, taking it up if nobody works on it.
    pub(crate) async fn wait_for(&self, id: &str, patience: Duration, progress: &Progress) -> Result<Status, Error> {
        let job = job::find(&self.host, id).await?;
        let end = Instant::now() + patience;
        let mut stepped = self.stepped.subscribe();
        loop {
            let status = job::status(&self.host, id).await?;
            if matches!(status.state, JobPhase::Done | JobPhase::Failed) {
                return Ok(status);
            }
            self.take_up(job.clone());
            progress.send(status.message.clone(), Some(status.progress));
            if Instant::now() >= end {
                return Ok(status);
            }
            let look = (Instant::now() + LOOK).min(end);
            // Whichever comes first: a step of our own, or the time to look at the record of another's.
            let _ = tokio::time::timeout_at(look, stepped.changed()).await;
        }
    }

    /// Stops all fits between two epochs.
    pub(crate) async fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        let tasks: Vec<_> = {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            running.drain().map(|(_, task)| task).collect()
        };
        for task in tasks {
            if let Err(error) = task.await {
                warn!(%error, "a fit broke off");
            }
        }
    }
}

/// One job's worker.
struct Worker {
    host: Host,
    job: Job,
    turn: Arc<Semaphore>,
    stopping: Arc<AtomicBool>,
    stepped: watch::Sender<()>,
}

impl Worker {
    async fn work(self) {
        // The semaphore is never closed.
        let Ok(_turn) = Arc::clone(&self.turn).acquire_owned().await else { return };
        if let Err(error) = self.under_lease().await {
            // The job stays open on record, so the next poll takes it up.
            warn!(error = fault::chain(&error), "the fit stopped");
        }
        self.stepped.send_replace(());
    }

    async fn under_lease(&self) -> Result<(), Error> {
        let (registry, config) = (self.host.registry(), self.host.config());
        let owner = self.host.owner("train");
        if registry.job_result(&self.job.id).await?.is_some() {
            return Ok(());
        }
        let Some(lease) = registry.lease_job(&self.job.id, &owner, config.lease_ttl()).await? else {
            return Ok(());
        };
        let lease = Arc::new(lease.keep_alive());
        let outcome = self.fit(&lease).await;
        let ended = match outcome {
            Err(error) if error.may_pass() => {
                self.record(JobPhase::Queued, 0.0, &error.to_string()).await?;
                Err(error)
            }
            Ok(result) => self.finish(JobResult::Done { result }).await,
            Err(error) => {
                error!(error = fault::chain(&error), "the fit failed");
                let problem = serde_json::to_value(Problem::from(error)).unwrap_or_default();
                self.finish(JobResult::Failed { problem }).await
            }
        };
        if let Some(lease) = Arc::into_inner(lease) {
            lease.release().await.map_err(registry::Error::from)?;
        }
        ended
    }

    async fn fit(&self, lease: &Arc<KeepAlive>) -> Result<Value, Error> {
        let task: Task = serde_json::from_value(self.job.request.clone())
            .map_err(|source| Error::Request { job: self.job.id.clone(), source })?;
        let (stopping, lease) = (Arc::clone(&self.stopping), Arc::clone(lease));
        let interrupted = move || stopping.load(Ordering::Relaxed) || lease.is_lost();
        let (steps, mut heard) = watch::channel((0.0, "reading the window".to_owned()));
        let work = make_challenger(self.host.registry(), &self.job.id, &task, interrupted, steps);
        let mut work = std::pin::pin!(work);
        loop {
            // Steps come by the epoch; the last one is what counts when the store is slower than they are.
            let (fraction, message) = heard.borrow_and_update().clone();
            self.record(JobPhase::Running, fraction, &message).await?;
            tokio::select! {
                outcome = &mut work => return outcome,
                Ok(()) = heard.changed() => {}
            }
        }
    }

    async fn finish(&self, result: JobResult) -> Result<(), Error> {
        let registry = self.host.registry();
        let result = registry.finish_job(&self.job.id, result).await?;
        match result {
            JobResult::Done { .. } => self.record(JobPhase::Done, 1.0, "done").await?,
            JobResult::Failed { .. } => self.record(JobPhase::Failed, 1.0, "failed").await?,
        }
        registry.clear_checkpoints(&self.job.id).await?;
        info!("the fit ended");
        Ok(())
    }

    async fn record(&self, state: JobPhase, progress: f64, message: &str) -> Result<(), Error> {
        let registry = self.host.registry();
        let state = JobState {
            state,
            progress,
            message: message.to_owned(),
            worker: self.host.owner("train"),
            updated_at: registry.now(),
        };
        registry.put_job_state(&self.job.id, &state).await?;
        self.stepped.send_replace(());
        Ok(())
    }
}
