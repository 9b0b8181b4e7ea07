//! What the owner of a journal tells its readers.

use std::sync::{Mutex, MutexGuard, PoisonError};

use world::journal::Position;

use super::segments::Segments;

/// The record's extent. Readers look at it before each batch.
#[derive(Debug)]
pub(super) struct Shared {
    durable: Mutex<Durable>,
    segments: Mutex<Segments>,
}

/// How far the record is on disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Durable {
    pub(super) position: Position,
    /// The segment that is written.
    pub(super) ordinal: u64,
    /// First byte behind its last durable batch.
    pub(super) offset: u64,
}

impl Shared {
    pub(super) fn new(segments: Segments, durable: Durable) -> Self {
        Self {
            durable: Mutex::new(durable),
            segments: Mutex::new(segments),
        }
    }

    pub(super) fn durable(&self) -> Durable {
        *lock(&self.durable)
    }

    /// Tells of a batch that is durable now. Its segment has been pushed before.
    pub(super) fn set_durable(&self, durable: Durable) {
        *lock(&self.durable) = durable;
    }

    pub(super) fn segments(&self) -> MutexGuard<'_, Segments> {
        lock(&self.segments)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is guarded is replaced whole, so a panic elsewhere leaves nothing half-done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
