//! Marks that the disk, the restarts and the world show: what went wrong.

use super::signs::{Signs, changed};
use super::{Mark, mark};
use crate::disk::{FaultKind, OpKind};
use crate::plan::Trouble;
use crate::record::{Ended, Restart};
use crate::witness::{Brought, LastBreath, Start};

pub(super) const MARKS: &[Mark] = &[
    mark!("killed", "the process was killed", |signs| ended(
        signs,
        Ended::Killed
    )),
    mark!("power-lost", "the machine lost power", |signs| ended(
        signs,
        Ended::PowerLost
    )),
    mark!(
        "drained",
        "the server drained and was started again",
        |signs| ended(signs, Ended::Drained)
    ),
    mark!(
        "start-refused",
        "a start was refused, and a later one opened",
        |signs| {
            let mut told = signs.lived.story.iter();
            told.any(|(_, what)| what.starts_with("the start was refused"))
        }
    ),
    mark!(
        "died-between-write-and-sync",
        "it ended after writing to a journal and before the sync",
        |signs| breath(signs, |last| last.died_after(OpKind::Write, ".journal"))
    ),
    mark!(
        "died-right-after-a-sync",
        "it ended when a journal was synced and nobody had been told",
        |signs| breath(signs, |last| last.died_after(OpKind::Sync, ".journal"))
    ),
    mark!(
        "snapshot-raced-by-a-crash",
        "it ended while a snapshot was being made",
        |signs| breath(signs, |last| {
            let kinds = [OpKind::Create, OpKind::Write, OpKind::Sync, OpKind::Rename];
            kinds.iter().any(|kind| last.died_after(*kind, "snapshot"))
        })
    ),
    mark!(
        "segment-raced-by-a-crash",
        "it ended while a segment was being made",
        |signs| breath(signs, |last| {
            let kinds = [OpKind::Create, OpKind::Write, OpKind::Sync, OpKind::Rename];
            kinds.iter().any(|kind| last.died_after(*kind, "segment."))
        })
    ),
    mark!(
        "torn-tail-at-start",
        "a start found bytes behind the last batch that nobody was told about",
        |signs| start(signs, |start| !start.torn.is_empty())
    ),
    mark!(
        "start-from-a-snapshot",
        "a start took a snapshot and the batches behind it",
        |signs| start(signs, |start| start.from_snapshot && start.batches > 0)
    ),
    mark!(
        "several-segments",
        "a journal went over the end of its segment",
        |signs| signs.lived.seen.segments_max > 1
    ),
    mark!("sync-failed", "a sync failed", |signs| signs
        .met(FaultKind::SyncError)),
    mark!(
        "sync-forgot",
        "a sync failed, and what it had not written counted as clean from then on",
        |signs| signs.met(FaultKind::SyncForgets)
    ),
    mark!("write-failed", "a write failed", |signs| signs
        .met(FaultKind::WriteError)),
    mark!("write-torn", "a write failed half-way", |signs| signs
        .met(FaultKind::TornWrite)),
    mark!("read-failed", "a read failed", |signs| signs
        .met(FaultKind::ReadError)),
    mark!("slow-sync", "a sync took long", |signs| signs
        .met(FaultKind::SlowSync)),
    mark!("disk-full", "the disk had no room", |signs| signs
        .met(FaultKind::NoSpace)),
    mark!(
        "healed-from-a-full-disk",
        "the disk had been full, it was said, and later changes were taken",
        |signs| signs.met(FaultKind::NoSpace)
            && signs.refused("TG-3003").any(|refused| {
                signs
                    .calls()
                    .iter()
                    .any(|call| call.asked_at > refused.ended_at && changed(call))
            })
    ),
    mark!(
        "changes-lost-with-the-power",
        "a power cut took away what was not synced",
        |signs| signs.lived.disk.changes_lost > 0 && ended(signs, Ended::PowerLost)
    ),
    mark!(
        "clock-set-back",
        "the wall clock of the shop was set back",
        |signs| signs.struck(|what| matches!(what, Trouble::Clock(..0)))
    ),
    mark!(
        "clock-set-ahead",
        "the wall clock of the shop was set ahead",
        |signs| signs.struck(|what| matches!(what, Trouble::Clock(1..)))
    ),
    mark!(
        "clock-drifts",
        "the wall clock of the shop ran too fast or too slow",
        |signs| signs.struck(|what| matches!(what, Trouble::Drift(_)))
    ),
    mark!("one-way-cut", "nothing passed in one direction", |signs| {
        signs.struck(|what| matches!(what, Trouble::Cut(..)))
    }),
    mark!(
        "rough-ways",
        "packets were late and lost on all ways",
        |signs| signs.struck(|what| matches!(what, Trouble::Rough(..)))
    ),
    mark!(
        "models-rebuilt",
        "the read models were thrown away, and listed everything again",
        |signs| {
            let mut listed = signs.lived.evidence.listed.values();
            signs.lived.seen.models_forgotten > 0 && listed.any(|orders| !orders.is_empty())
        }
    ),
    mark!(
        "live-stream-seen",
        "somebody watched the live stream",
        |signs| signs.lived.seen.pieces.iter().any(|pieces| *pieces > 0)
    ),
    mark!(
        "live-stream-read-slowly",
        "a watcher took piece after piece, with pauses",
        |signs| signs.lived.seen.pieces.iter().any(|pieces| *pieces >= 4)
    ),
    mark!(
        "callback-twice",
        "the provider called back twice with the same news",
        callback_twice
    ),
    mark!(
        "callback-to-nobody",
        "the provider called back while the shop was down or cut off",
        |signs| brought(signs, |brought| !brought.taken)
    ),
    mark!(
        "callback-for-an-unknown-order",
        "the provider called back about a payment that nobody made",
        callback_for_nobody
    ),
    mark!(
        "charge-outlives-a-crash",
        "a charge was begun before a crash, and news of it came after",
        charge_over_a_crash
    ),
];

fn ended(signs: &Signs<'_>, how: Ended) -> bool {
    let like = |restart: &Restart| restart.ended == how;
    signs.lived.evidence.restarts.iter().any(like)
}

fn breath(signs: &Signs<'_>, like: impl Fn(&LastBreath) -> bool) -> bool {
    signs.lived.seen.last_breaths.iter().any(like)
}

fn start(signs: &Signs<'_>, like: impl Fn(&Start) -> bool) -> bool {
    signs.lived.seen.starts.iter().any(like)
}

fn brought(signs: &Signs<'_>, like: impl Fn(&Brought) -> bool) -> bool {
    signs.lived.seen.brought.iter().any(like)
}

fn callback_twice(signs: &Signs<'_>) -> bool {
    let brought = &signs.lived.seen.brought;
    brought.iter().enumerate().any(|(nth, first)| {
        let mut later = brought[nth + 1..].iter();
        first.taken && later.any(|again| again.taken && again.callback == first.callback)
    })
}

fn callback_for_nobody(signs: &Signs<'_>) -> bool {
    let known = |brought: &Brought| {
        let mut charges = signs.lived.evidence.charges.iter();
        charges.any(|charge| Some(charge.request.key) == brought.callback.payment)
    };
    brought(signs, |brought| {
        brought.callback.payment.is_some() && !known(brought)
    })
}

fn charge_over_a_crash(signs: &Signs<'_>) -> bool {
    signs.deaths().any(|death| {
        signs.calls().iter().any(|call| {
            call.path.ends_with("/pay") && call.ended_at < death.at && changed(call) && {
                let order = call.path.trim_end_matches("/pay").rsplit('/').next();
                let order = order.unwrap_or("");
                let about = |brought: &Brought| {
                    let payment = brought.callback.payment;
                    payment.is_some_and(|payment| payment.order.to_string() == order)
                };
                brought(signs, |brought| {
                    brought.at > death.at && brought.taken && about(brought)
                })
            }
        })
    })
}
