//! Tasks that end with the sandbox: nothing outlives it, and `shutdown` can wait for the last.

use std::future::Future;

use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Spawns; held by everything that serves.
#[derive(Clone, Debug)]
pub(crate) struct Tasks {
    stop: watch::Receiver<()>,
    alive: watch::Sender<usize>,
}

/// Ends every task when it is dropped; held by the [`Sandbox`](crate::Sandbox) alone.
#[derive(Debug)]
pub(crate) struct Life {
    stop: watch::Sender<()>,
    alive: watch::Receiver<usize>,
}

pub(crate) fn tasks() -> (Tasks, Life) {
    let (stop, stopped) = watch::channel(());
    let (alive, count) = watch::channel(0);
    (
        Tasks {
            stop: stopped,
            alive,
        },
        Life { stop, alive: count },
    )
}

// === impl Tasks ===

impl Tasks {
    /// Runs `future` until it is ready or the sandbox stops; then the handle yields `None`.
    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<Option<F::Output>>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let counted = Counted::new(self.alive.clone());
        let mut stop = self.stop.clone();
        tokio::spawn(async move {
            let _counted = counted;
            tokio::select! {
                // Only ever an error: the sender says nothing, it is dropped.
                _ = stop.changed() => None,
                output = future => Some(output),
            }
        })
    }
}

// === impl Life ===

impl Life {
    pub(crate) async fn end(self) {
        let Self { stop, mut alive } = self;
        drop(stop);
        // An error means that every counter is gone, which is what we wait for.
        let _ = alive.wait_for(|count| *count == 0).await;
    }
}

struct Counted(watch::Sender<usize>);

impl Counted {
    fn new(alive: watch::Sender<usize>) -> Self {
        alive.send_modify(|count| *count += 1);
        Self(alive)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_of_the_sandbox_is_the_end_of_its_tasks() {
        let (tasks, life) = tasks();
        let for_ever = tasks.spawn(std::future::pending::<()>());
        life.end().await;
        assert_eq!(for_ever.await.unwrap(), None);
    }

    #[tokio::test]
    async fn dropping_is_enough() {
        let (tasks, life) = tasks();
        let for_ever = tasks.spawn(std::future::pending::<()>());
        drop(life);
        assert_eq!(for_ever.await.unwrap(), None);
    }
}
