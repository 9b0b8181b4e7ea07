//! A bounded queue with many producers and one consumer that takes everything at once.
//!
//! A desk works in batches: what matters is that taking a thousand waiting commands costs one lock, and that a full
//! queue says so at once instead of making callers wait. Items carry a weight, so that the bound counts commands and
//! not envelopes. A `std` mutex is right here: the lock is held for a push or a swap of two pointers, never across a
//! wait.
//!
//! The end is part of what the lock guards: once a queue is closed no push goes through, and what went through before
//! is handed out before the consumer hears of the end. So a consumer that stops at the end leaves nothing behind.
//! `queue/model.rs` runs this code, under loom, through every order in which its threads may meet.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::PoisonError;
use std::task::{Context, Poll, Waker};

#[cfg(all(test, loom))]
use loom::sync::{Arc, Mutex, MutexGuard};
#[cfg(not(all(test, loom)))]
use std::sync::{Arc, Mutex, MutexGuard};

/// Why an item was not taken in. The item comes back.
#[derive(Debug, PartialEq, Eq)]
pub enum Rejected<T> {
    /// The queue holds as much as it may; try later.
    Full(T),
    /// The queue was closed, or its consumer is gone.
    Closed(T),
}

#[derive(Debug)]
struct Inner<T> {
    items: VecDeque<(T, u32)>,
    weight: usize,
    limit: usize,
    producers: usize,
    closed: bool,
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
        closed: false,
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
    /// Puts an item in, or gives it back at once when the queue is full, closed, or its consumer gone. An item counts
    /// for 1 at least, so that the bound holds for items of no weight too.
    ///
    /// # Errors
    /// [`Rejected::Full`] or [`Rejected::Closed`], each with the item.
    pub fn push(&self, item: T, weight: u32) -> Result<(), Rejected<T>> {
        let weight = weight.max(1);
        let waker = {
            let mut inner = lock(&self.inner);
            if inner.closed {
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

    /// Takes no more, from no producer. What waits is still handed out; then the consumer hears that it was all.
    pub fn close(&self) {
        let waker = {
            let mut inner = lock(&self.inner);
            inner.closed = true;
            inner.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
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

    /// Waits until something is there: `true`, or until nothing is left and nothing can come, since the queue was closed
    /// or every producer is gone: `false`. After a `false` nothing ever comes.
    pub async fn ready(&mut self) -> bool {
        poll_fn(|cx| self.poll_ready(cx)).await
    }

    /// The polling form of [`Receiver::ready`].
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut inner = lock(&self.inner);
        if !inner.items.is_empty() {
            return Poll::Ready(true);
        }
        if inner.closed || inner.producers == 0 {
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
            inner.closed = true;
            inner.weight = 0;
            (std::mem::take(&mut inner.items), inner.waker.take())
        };
        // What waited is dropped here, outside the lock, so its reply channels tell their callers; and so is the waker,
        // which would keep a task that ended in memory for as long as a producer lives.
        drop(left);
    }
}

#[cfg(all(test, loom))]
mod model;

#[cfg(all(test, not(loom)))]
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
    fn an_item_of_no_weight_counts_for_one() {
        let (sender, mut receiver) = bounded(2);
        assert_eq!(sender.push("a", 0), Ok(()));
        assert_eq!(sender.push("b", 0), Ok(()));
        assert_eq!(sender.push("c", 0), Err(Rejected::Full("c")));
        let mut got = Vec::new();
        assert_eq!(receiver.take(&mut got, 100), 2);
        assert_eq!(receiver.weight(), 0);
    }

    #[test]
    fn a_closed_queue_hands_out_what_waits_and_then_ends() {
        let (sender, mut receiver) = bounded(8);
        let count = Arc::new(Count(AtomicU32::new(0)));
        let waker = Waker::from(Arc::clone(&count));
        let mut cx = Context::from_waker(&waker);
        assert_eq!(receiver.poll_ready(&mut cx), Poll::Pending);
        sender.push(1, 1).expect("room");
        sender.close();
        assert_eq!(sender.clone().push(2, 1), Err(Rejected::Closed(2)));
        assert_eq!(receiver.poll_ready(&mut cx), Poll::Ready(true));
        let mut got = Vec::new();
        receiver.take(&mut got, 8);
        assert_eq!(
            (got, receiver.poll_ready(&mut cx)),
            (vec![1], Poll::Ready(false))
        );
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn a_consumer_that_goes_takes_its_waker_along() {
        let (sender, mut receiver) = bounded::<u8>(8);
        let count = Arc::new(Count(AtomicU32::new(0)));
        let waker = Waker::from(Arc::clone(&count));
        assert!(
            receiver
                .poll_ready(&mut Context::from_waker(&waker))
                .is_pending()
        );
        drop((waker, receiver));
        assert_eq!(Arc::strong_count(&count), 1);
        drop(sender);
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
