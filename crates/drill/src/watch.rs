//! Who watches a long work: progress bars live in the binary, the work only says where it stands.

/// Told now and then where a work stands. Calls come often, so they must be cheap and must not block.
pub trait Watcher: Send + Sync {
    /// A new part of the work begins.
    fn stage(&self, what: &str);
    /// So much of the part is done.
    fn progress(&self, done: u64, total: u64);
    /// A line worth keeping: a kill, a recovery, an oddity.
    fn note(&self, line: &str);
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Watcher for Unwatched {
    fn stage(&self, _what: &str) {}
    fn progress(&self, _done: u64, _total: u64) {}
    fn note(&self, _line: &str) {}
}
