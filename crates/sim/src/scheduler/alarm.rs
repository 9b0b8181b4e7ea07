//! Alarms: how a sleeping task hears that its time has passed.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Rings once.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    rang: AtomicBool,
    sleeper: Mutex<Option<Waker>>,
}

impl Alarm {
    pub(super) fn ring(&self) {
        self.rang.store(true, Ordering::Relaxed);
        let sleeper = self.sleeper().take();
        if let Some(sleeper) = sleeper {
            sleeper.wake();
        }
    }

    fn sleeper(&self) -> std::sync::MutexGuard<'_, Option<Waker>> {
        self.sleeper.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for an alarm. When it is dropped, nobody cares for the alarm any more.
#[derive(Debug)]
pub(super) struct Sleeping(pub(super) Arc<Alarm>);

impl Future for Sleeping {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0.rang.load(Ordering::Relaxed) {
            return Poll::Ready(());
        }
        *self.0.sleeper() = Some(context.waker().clone());
        Poll::Pending
    }
}
