//! What marks are read from.

use std::collections::BTreeMap;
use std::time::Duration;

use commerce::Entry;

use super::offers::Tale;
use crate::disk::FaultKind;
use crate::life::Lived;
use crate::plan::Trouble;
use crate::record::{Call, Ended, Outcome, Restart, Said};
use crate::story::{entries, orders_of};

/// A life, sorted for looking things up.
pub(super) struct Signs<'a> {
    pub(super) lived: &'a Lived,
    /// For each sale its batches, each with its entries.
    pub(super) batches: Vec<Vec<Entry>>,
    /// Entries of each order of each sale.
    pub(super) orders: Vec<Vec<Entry>>,
    /// What the journal of each sale tells of its offers.
    pub(super) tales: Vec<Tale>,
    /// The code of each call's answer, if it has one.
    codes: Vec<Option<String>>,
}

impl<'a> Signs<'a> {
    pub(super) fn read(lived: &'a Lived) -> Self {
        let mut signs = Self {
            lived,
            batches: Vec::new(),
            orders: Vec::new(),
            tales: Vec::new(),
            codes: lived.evidence.calls.iter().map(code).collect(),
        };
        for (sale, journal) in &lived.evidence.journals {
            let tale = Tale::of(journal, &deaths_of(lived, *sale));
            signs.tales.push(tale);
            let mut orders: BTreeMap<u32, Vec<Entry>> = BTreeMap::new();
            for batch in journal {
                let entries = entries(&batch.payload);
                for entry in &entries {
                    for order in orders_of(entry) {
                        orders.entry(order).or_default().push(entry.clone());
                    }
                }
                signs.batches.push(entries);
            }
            signs.orders.extend(orders.into_values());
        }
        signs
    }

    /// Whether some entry is like this.
    pub(super) fn entry(&self, like: impl Fn(&Entry) -> bool) -> bool {
        self.batches.iter().flatten().any(like)
    }

    /// Whether the entries of some order are like this.
    pub(super) fn order(&self, like: impl Fn(&[Entry]) -> bool) -> bool {
        self.orders.iter().any(|entries| like(entries))
    }

    /// Whether some order has an entry like the first, and later one like the second.
    pub(super) fn then(
        &self,
        first: impl Fn(&Entry) -> bool,
        second: impl Fn(&Entry) -> bool,
    ) -> bool {
        self.order(|entries| {
            let begun = entries.iter().position(&first);
            begun.is_some_and(|at| entries[at + 1..].iter().any(&second))
        })
    }

    pub(super) fn calls(&self) -> &'a [Call] {
        &self.lived.evidence.calls
    }

    /// Calls that were answered with this code.
    pub(super) fn refused<'b>(&'b self, code: &'b str) -> impl Iterator<Item = &'a Call> + 'b {
        let calls = self.lived.evidence.calls.iter().zip(&self.codes);
        calls
            .filter(move |(_, said)| said.as_deref() == Some(code))
            .map(|(call, _)| call)
    }

    /// Whether some call was answered with this code.
    pub(super) fn said(&self, code: &str) -> bool {
        self.refused(code).next().is_some()
    }

    /// Whether a fault of this kind struck.
    pub(super) fn met(&self, kind: FaultKind) -> bool {
        self.lived.disk.met.contains_key(&kind)
    }

    /// Whether a trouble like this came to pass.
    pub(super) fn struck(&self, like: impl Fn(&Trouble) -> bool) -> bool {
        let mut struck = self.lived.seen.struck.iter();
        struck.any(|(_, what)| like(what))
    }

    /// Ends of the server that nobody had asked it for.
    pub(super) fn deaths(&self) -> impl Iterator<Item = &'a Restart> {
        let restarts = self.lived.evidence.restarts.iter();
        restarts.filter(|restart| restart.ended != Ended::Drained)
    }

    /// Whether the server ended in any way in this time.
    pub(super) fn ended_between(&self, from: Duration, to: Duration) -> bool {
        let mut restarts = self.lived.evidence.restarts.iter();
        restarts.any(|restart| (from..=to).contains(&restart.at))
    }
}

/// The last batches of a sale after which a process died and another one opened.
fn deaths_of(lived: &Lived, sale: u32) -> Vec<u64> {
    let starts = lived.seen.starts.iter().filter(|start| start.sale == sale);
    let died = |at: Duration| {
        let mut ends = lived.seen.last_breaths.iter();
        let before = ends.rfind(|end| end.at <= at);
        before.is_some_and(|end| end.ended != Ended::Drained)
    };
    let after = starts.filter(|start| died(start.at));
    after.map(|start| start.last).collect()
}

/// The answer of a call.
pub(super) fn answer(call: &Call) -> Option<&Said> {
    match &call.outcome {
        Outcome::Said(said) => Some(said),
        Outcome::Open | Outcome::Unheard(_) => None,
    }
}

/// Whether a call was a change that was answered with yes.
pub(super) fn changed(call: &Call) -> bool {
    call.method != "GET" && answer(call).is_some_and(Said::is_yes)
}

fn code(call: &Call) -> Option<String> {
    answer(call).filter(|said| !said.is_yes())?.code()
}
