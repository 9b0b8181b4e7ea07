//! A bounded queue with many producers and one consumer that takes everything at once.
//!
//! A desk works in batches: what matters is that taking a thousand waiting commands costs one lock, and that a full
//! queue says so at once instead of making callers wait. Items carry a weight, so that the bound counts commands and
//! not envelopes. A `std` mutex is right here: the lock is held for a push or a swap of two pointers, never across a
//! wait.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Why an item was not taken in. The item comes back.
#[derive(Debug, PartialEq, Eq)]
pub enum Rejected<T> {
    /// The queue holds as much as it may; try later.
    Full(T),
    /// The consumer is gone.
    Closed(T),
}

#[derive(Debug)]
struct Inner<T> {
    items: VecDeque<(T, u32)>,
    weight: usize,
    limit: usize,
    producers: usize,
    consumer_gone: bool,
    waker: Option<Waker>,
}

fn lock<T>(inner: &Mutex<Inner<T>>) -> MutexGuard<'_, Inner<T>> {
    // A producer cannot panic while it holds the lock, so a poisoned lock still guards a sound queue.
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The producers' end; cheap to clone.
#[derive(Debug)]
pub struct Sender<T> {
    inner: Arc<Mutex<Inner<T>>>,
}

/// The consumer's end.
#[derive(Debug)]
pub struct Receiver<T> {
    inner: Arc<Mutex<Inner<T>>>,
}

/// Makes a queue that holds items up to a total weight of `limit` (at least 1).
///
/// An item heavier than the limit is taken in when the queue is empty, so that it can pass at all.
pub fn bounded<T>(limit: usize) -> (Sender<T>, Receiver<T>) {
    let inner = Arc::new(Mutex::new(Inner {
        items: VecDeque::new(),
        weight: 0,
        limit: limit.max(1),
        producers: 1,
        consumer_gone: false,
        waker: None,
    }));
    (
        Sender {
            inner: Arc::clone(&inner),
        },
        Receiver { inner },
    )
}

impl<T> Sender<T> {
    /// Puts an item in, or gives it back at once when the queue is full or its consumer gone.
    ///
    /// # Errors
    /// [`Rejected::Full`] or [`Rejected::Closed`], each with the item.
    pub fn push(&self, item: T, weight: u32) -> Result<(), Rejected<T>> {
        let waker = {
            let mut inner = lock(&self.inner);
            if inner.consumer_gone {
                return Err(Rejected::Closed(item));
            }
            if inner.weight > 0 && inner.weight + weight as usize > inner.limit {
                return Err(Rejected::Full(item));
            }
            inner.weight += weight as usize;
            inner.items.push_back((item, weight));
            inner.waker.take()
        };
        // Waking outside the lock keeps the consumer from running into it.
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// The weight of what waits now.
    pub fn weight(&self) -> usize {
        lock(&self.inner).weight
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        lock(&self.inner).producers += 1;
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let waker = {
            let mut inner = lock(&self.inner);
            inner.producers -= 1;
            if inner.producers == 0 {
                inner.waker.take()
            } else {
                None
            }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Receiver<T> {
    /// Moves waiting items into `into` until their weight reaches `most`; gives the weight moved. Never waits.
    pub fn take(&mut self, into: &mut Vec<T>, most: usize) -> usize {
        let mut inner = lock(&self.inner);
        let mut moved = 0;
        while moved < most {
            let Some((item, weight)) = inner.items.pop_front() else {
                break;
            };
            moved += weight as usize;
            inner.weight -= weight as usize;
            into.push(item);
        }
        moved
    }

    /// Waits until something is there: `true`, or until every producer is gone and nothing is left: `false`.
    pub async fn ready(&mut self) -> bool {
        poll_fn(|cx| self.poll_ready(cx)).await
    }

    /// The polling form of [`Receiver::ready`].
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut inner = lock(&self.inner);
        if !inner.items.is_empty() {
            return Poll::Ready(true);
        }
        if inner.producers == 0 {
            return Poll::Ready(false);
        }
        if !inner
            .waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            inner.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// The weight of what waits now.
    pub fn weight(&self) -> usize {
        lock(&self.inner).weight
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let left = {
            let mut inner = lock(&self.inner);
            inner.consumer_gone = true;
            inner.weight = 0;
            std::mem::take(&mut inner.items)
        };
        // What waited is dropped here, outside the lock, so its reply channels tell their callers.
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    struct Count(AtomicU32);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_full_queue_gives_the_item_back() {
        let (sender, mut receiver) = bounded(3);
        assert_eq!(sender.push("a", 2), Ok(()));
        assert_eq!(sender.push("b", 2), Err(Rejected::Full("b")));
        assert_eq!(sender.push("c", 1), Ok(()));
        let mut got = Vec::new();
        assert_eq!(receiver.take(&mut got, 100), 3);
        assert_eq!(got, ["a", "c"]);
        assert_eq!(
            sender.push("d", 9),
            Ok(()),
            "an item above the limit passes through an empty queue"
        );
    }

    #[test]
    fn a_waiting_consumer_is_woken_once_and_by_the_last_goodbye() {
        let (sender, mut receiver) = bounded(8);
        let count = Arc::new(Count(AtomicU32::new(0)));
        let waker = Waker::from(Arc::clone(&count));
        let mut cx = Context::from_waker(&waker);
        assert_eq!(receiver.poll_ready(&mut cx), Poll::Pending);
        let second = sender.clone();
        sender.push(1, 1).expect("room");
        second.push(2, 1).expect("room");
        assert_eq!(
            count.0.load(Ordering::SeqCst),
            1,
            "one wake-up serves both items"
        );
        let mut got = Vec::new();
        receiver.take(&mut got, 8);
        assert_eq!(receiver.poll_ready(&mut cx), Poll::Pending);
        drop(sender);
        assert_eq!(receiver.poll_ready(&mut cx), Poll::Pending);
        drop(second);
        assert_eq!(count.0.load(Ordering::SeqCst), 2);
        assert_eq!(receiver.poll_ready(&mut cx), Poll::Ready(false));
    }

    #[test]
    fn what_waits_is_dropped_with_the_consumer() {
        let (sender, receiver) = bounded(8);
        let item = Arc::new(());
        sender.push(Arc::clone(&item), 1).expect("room");
        drop(receiver);
        assert_eq!(Arc::strong_count(&item), 1);
        assert!(matches!(sender.push(item, 1), Err(Rejected::Closed(_))));
    }
}
