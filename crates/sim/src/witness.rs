//! What was seen of a life beside its evidence: no judge reads it, but marks do, and whoever tells the story.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::provider::Callback;
use shop::open::Findings;
use shop::provider::{CallbackSink, Delivered};

use crate::disk::{OpKind, OpRecord};
use crate::plan::Trouble;
use crate::record::Ended;
use crate::scheduler::World;

/// Everything that was seen.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Troubles that came to pass.
    pub struck: Vec<(Duration, Trouble)>,
    /// Starts that opened, with what they found.
    pub starts: Vec<Start>,
    /// The last thing that each run did to its disk.
    pub last_breaths: Vec<LastBreath>,
    /// Callbacks that the provider tried to bring.
    pub brought: Vec<Brought>,
    /// Pieces of the live stream, for each watcher.
    pub pieces: Vec<u32>,
    /// Segments of the longest journal of the disk at the end.
    pub segments_max: u64,
    /// How often the read models were thrown away.
    pub models_forgotten: u32,
}

/// What a start found.
#[derive(Clone, Debug)]
pub struct Start {
    /// World time.
    pub at: Duration,
    /// Whose journal: a sale's, or the house's under 0.
    pub sale: u32,
    /// Its last batch.
    pub last: u64,
    /// A snapshot was used.
    pub from_snapshot: bool,
    /// Batches were read behind it.
    pub batches: u64,
    /// Snapshots that could not be trusted, with reasons.
    pub skipped: Vec<String>,
    /// Bytes behind the last good batch, with the reasons why they are none.
    pub torn: Vec<&'static str>,
}

/// The last thing that a run did to its disk.
#[derive(Clone, Debug)]
pub struct LastBreath {
    /// World time of its end.
    pub at: Duration,
    /// How it ended.
    pub ended: Ended,
    /// The operation; `None` when there was none.
    pub op: Option<OpRecord>,
}

impl LastBreath {
    /// Whether it died, rather than drained, right after an operation of this kind on a file whose name has this part.
    #[must_use]
    pub fn died_after(&self, kind: OpKind, part: &str) -> bool {
        let fits = |op: &OpRecord| op.kind == kind && name(&op.path).contains(part);
        self.ended != Ended::Drained && self.op.as_ref().is_some_and(fits)
    }
}

fn name(path: &Path) -> &str {
    path.file_name()
        .and_then(|name| name.to_str())
        .unwrap_or("")
}

/// A try to bring a callback.
#[derive(Clone, Debug)]
pub struct Brought {
    /// World time at its beginning.
    pub at: Duration,
    /// World time when its outcome was known.
    pub ended_at: Duration,
    /// What it said.
    pub callback: Callback,
    /// Whether the shop has it on record.
    pub taken: bool,
}

/// Takes down what is seen; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Witness(Arc<Mutex<Seen>>);

impl Witness {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of it.
    #[must_use]
    pub fn all(&self) -> Seen {
        self.seen().clone()
    }

    /// A trouble came to pass.
    pub fn struck(&self, at: Duration, what: Trouble) {
        self.seen().struck.push((at, what));
    }

    /// A start opened, with what it found in the journal of this sale, or of the house under 0.
    pub fn opened(&self, at: Duration, sale: u32, found: &Findings) {
        self.seen().starts.push(Start {
            at,
            sale,
            last: found.snapshot.unwrap_or(0) + found.batches,
            from_snapshot: found.snapshot.is_some(),
            batches: found.batches,
            skipped: found.skipped.clone(),
            torn: found.torn.iter().map(|tail| tail.reason).collect(),
        });
    }

    /// A run is over.
    pub fn ended(&self, at: Duration, ended: Ended, op: Option<OpRecord>) {
        self.seen().last_breaths.push(LastBreath { at, ended, op });
    }

    /// Somebody watched, and saw so many pieces.
    pub fn watched(&self, pieces: u32) {
        self.seen().pieces.push(pieces);
    }

    /// A journal has so many segments.
    pub fn segments(&self, count: u64) {
        let mut seen = self.seen();
        seen.segments_max = seen.segments_max.max(count);
    }

    /// The read models are thrown away.
    pub fn models_forgotten(&self) {
        self.seen().models_forgotten += 1;
    }
}

/// Brings callbacks, and takes down which.
#[derive(Debug)]
pub struct Messenger<S> {
    /// Who brings them.
    pub sink: S,
    /// The world, for its time.
    pub world: World,
    /// Who takes them down.
    pub witness: Witness,
}

impl<S: CallbackSink> CallbackSink for Messenger<S> {
    fn deliver(&self, callback: Callback) -> Delivered<'_> {
        Box::pin(async move {
            let at = self.world.now();
            let delivered = self.sink.deliver(callback.clone()).await;
            self.witness.seen().brought.push(Brought {
                at,
                ended_at: self.world.now(),
                callback,
                taken: delivered.is_ok(),
            });
            delivered
        })
    }
}
