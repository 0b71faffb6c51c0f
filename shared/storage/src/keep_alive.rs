use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::{Lease, Result};

/// Keeps a lease renewed on a background task, and gives it back when released or dropped.
///
/// Long work asks [`KeepAlive::is_lost`] between its steps, or selects on [`KeepAlive::lost`], and stops writing when
/// the lease went to somebody else.
#[derive(Debug)]
pub struct KeepAlive {
    fencing: u64,
    stop: watch::Sender<bool>,
    lost: watch::Receiver<bool>,
    task: JoinHandle<Result<()>>,
}

impl KeepAlive {
    pub(crate) fn start(lease: Lease) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (lose, lost) = watch::channel(false);
        let fencing = lease.fencing();
        let task = tokio::spawn(renew_until_stopped(lease, stopped, lose));
        Self { fencing, stop, lost, task }
    }

    /// Whether the lease was lost: taken by another after it expired, or not renewable before its expiry.
    pub fn is_lost(&self) -> bool {
        *self.lost.borrow()
    }

    /// Returns when the lease is lost, and never when it is not.
    pub async fn lost(&self) {
        let mut lost = self.lost.clone();
        // The sender goes away with the task, which after a loss has already said so and else was told to stop.
        if lost.wait_for(|lost| *lost).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// A number greater than that of every earlier holder of the lease.
    pub fn fencing(&self) -> u64 {
        self.fencing
    }

    /// Gives the lease back and waits until the store has it.
    pub async fn release(self) -> Result<()> {
        self.stop.send_replace(true);
        match self.task.await {
            Ok(released) => released,
            Err(error) => {
                // Only a runtime that is shutting down ends the task early; the lease then expires by itself.
                tracing::warn!(error = %error, "a lease was left to expire");
                Ok(())
            }
        }
    }
}

async fn renew_until_stopped(
    mut lease: Lease,
    mut stopped: watch::Receiver<bool>,
    lose: watch::Sender<bool>,
) -> Result<()> {
    let pause = lease.ttl() / 3;
    loop {
        // An error says that the guard was dropped, which stops us as well.
        let told_to_stop = async { drop(stopped.wait_for(|stopped| *stopped).await) };
        let is_stopped = tokio::select! {
            () = told_to_stop => true,
            () = tokio::time::sleep(pause) => false,
        };
        if is_stopped {
            return lease.release().await;
        }
        // A store that answers too late is as bad as one that refuses: another may hold the lease by then.
        match tokio::time::timeout(lease.time_left(), lease.renew()).await {
            Ok(Ok(true)) => {}
            Ok(Err(error)) if lease.is_live() => {
                tracing::warn!(lease = lease.name(), error = %fault::chain(&error), "a lease could not be renewed");
            }
            Ok(Ok(false) | Err(_)) | Err(_) => {
                tracing::warn!(lease = lease.name(), owner = lease.owner(), "a lease was lost");
                lose.send_replace(true);
                return Ok(());
            }
        }
    }
}
