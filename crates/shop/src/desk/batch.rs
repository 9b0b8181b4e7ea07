//! A batch being built: decided on the book, not durable yet.

use commerce::deal::Settled;
use commerce::{Book, Effect, Entry, Time, record};
use ledger::Violation;
use world::journal::NewBatch;

use super::job::Job;
use crate::coupons::{Redeemed, redeemed};

/// Bytes after which a batch takes no more jobs; a single job adds at most a few megabytes.
const PAYLOAD_BYTES_ENOUGH: usize = 4 * 1024 * 1024;

/// What goes to the disk together, and who waits for it.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) time: Time,
    pub(super) jobs: Vec<Box<dyn Job>>,
    pub(super) commands: usize,
    pub(super) entries: u32,
    pub(super) payload: Vec<u8>,
    /// Bytes of the payload, once it is sealed.
    pub(super) bytes: usize,
    pub(super) effects: Vec<Effect>,
    /// Orders that changed, newest last, for watchers.
    pub(super) changed: Vec<u32>,
    /// Teams that changed, newest last, for watchers.
    pub(super) teams: Vec<u32>,
    /// Coupons that its orders redeemed.
    pub(super) coupons: Vec<Redeemed>,
}

/// How many changed orders, and teams, a batch remembers for watchers.
const CHANGED_MOST: usize = 16;

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.entries == 0
    }

    pub(super) fn is_full(&self, commands_max: usize) -> bool {
        self.commands >= commands_max || self.payload.len() >= PAYLOAD_BYTES_ENOUGH
    }

    /// Runs a job on the book and takes it in.
    pub(super) fn run(
        &mut self,
        mut job: Box<dyn Job>,
        book: &mut Book,
        scratch: &mut Vec<Entry>,
    ) -> Result<(), Violation> {
        let ran = job.run(book, self.time, scratch);
        self.commands += job.weight() as usize;
        self.jobs.push(job);
        ran?;
        self.record(book, scratch)
    }

    /// Encodes what was decided, and notes the effects.
    pub(super) fn record(
        &mut self,
        book: &Book,
        scratch: &mut Vec<Entry>,
    ) -> Result<(), Violation> {
        for entry in scratch.drain(..) {
            let put = record::put(&entry, &mut self.payload);
            put.map_err(|error| {
                Violation::new("INV-8", format!("an entry does not encode: {error}"))
            })?;
            self.entries += 1;
            self.note(book, &entry);
        }
        Ok(())
    }

    fn note(&mut self, book: &Book, entry: &Entry) {
        self.effects.extend(book.begun(entry));
        remember(&mut self.changed, changed(entry));
        remember(&mut self.teams, changed_team(book, entry));
        if let (Entry::Dealt(dealt), Some(offer)) = (entry, book.offered()) {
            self.coupons.extend(redeemed(&dealt.deal, &offer.discounts));
        }
    }

    /// What the journal is given.
    pub(super) fn seal(&mut self) -> NewBatch {
        self.bytes = self.payload.len();
        NewBatch {
            time_ms: self.time.0,
            entries: self.entries,
            payload: std::mem::take(&mut self.payload),
        }
    }
}

fn remember(list: &mut Vec<u32>, changed: Option<u32>) {
    let Some(changed) = changed else {
        return;
    };
    if list.last() == Some(&changed) {
        return;
    }
    if list.len() == CHANGED_MOST {
        list.remove(0);
    }
    list.push(changed);
}

/// The order that an entry is about, for watchers.
fn changed(entry: &Entry) -> Option<u32> {
    match entry {
        Entry::Placed(placed) => Some(placed.order),
        Entry::Dealt(dealt) => Some(dealt.placed.order),
        Entry::LineOffered(offer) => Some(offer.order),
        Entry::Captured { order, .. }
        | Entry::Cancelled { order, .. }
        | Entry::GivenUp { order, .. }
        | Entry::Refunded { order, .. }
        | Entry::Shipped { order, .. }
        | Entry::ShippedInPart { order, .. }
        | Entry::Delivered { order, .. } => Some(*order),
        Entry::Expired { orders } => orders.last().copied(),
        Entry::BalanceLapsed { orders } => orders.last().map(|lapsed| lapsed.order),
        Entry::TeamSettled { orders, .. } => orders.last().map(Settled::order),
        _ => None,
    }
}

/// The team that an entry is about, for watchers.
fn changed_team(book: &Book, entry: &Entry) -> Option<u32> {
    match entry {
        Entry::Dealt(dealt) => dealt.deal.seat.as_ref().map(|seat| seat.team),
        Entry::TeamEnded { team, .. }
        | Entry::TeamSettled { team, .. }
        | Entry::Drawn { team, .. } => Some(*team),
        Entry::Captured { order, .. } | Entry::Cancelled { order, .. } => {
            book.order(*order)?.team()
        }
        Entry::Expired { orders } => book.order(orders.last().copied()?)?.team(),
        _ => None,
    }
}
