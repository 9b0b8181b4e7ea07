//! A book as bytes, so that a start need not read the whole journal.
//!
//! A run of records ([`crate::record`]): the snapshot's version; one with the terms, offer, SKUs, tally, time and how many
//! records follow; then each open effect, buyer's name, order, key, team and place in the line. What follows from these
//! (tables, deadlines, limit counters) is built anew. A snapshot of another version is left aside for the journal.

use std::sync::Arc;

use ledger::Violation;
use serde::{Deserialize, Serialize};

use super::keys::KeyRecord;
use super::line::Ticket;
use super::order::{Order, Phase};
use super::saga::SagasHead;
use super::team::Team;
use super::{Book, Offered, Pending, Sku, Tally, Terms};
use crate::Time;
use crate::entry::EffectKind;
use crate::offer::GroupRule;
use crate::record::{self, RecordError, Records};
use crate::rules::RuleSet;

/// The version that this code writes. Version 1 had no version record, and no teams; version 2 did not know what is off
/// an order's price after its team ended.
const VERSION: u32 = 3;

/// Why a snapshot cannot be used; the journal still can.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The bytes do not decode.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Another version of this program wrote it.
    #[error("snapshot version {found}; this program reads version {VERSION}")]
    Version {
        /// Its version.
        found: u32,
    },
    /// The bytes decode and do not fit together.
    #[error(transparent)]
    Violation(#[from] Violation),
}

type EffectRecord = ((u32, EffectKind), Pending);

#[derive(Serialize, Deserialize)]
struct Head {
    terms: Option<Terms>,
    skus: Vec<Sku>,
    tally: Tally,
    time: Time,
    effects: u32,
    buyers: u32,
    orders: u32,
    keys: u32,
    offered: Option<Box<Offered>>,
    rules: Vec<Arc<GroupRule>>,
    teams: u32,
    tickets: u32,
}

impl Book {
    /// The book as bytes. Two books with the same content give the same bytes.
    ///
    /// # Errors
    /// When a part does not encode.
    pub fn to_snapshot(&self) -> Result<Vec<u8>, SnapshotError> {
        let head = Head {
            terms: self.terms.clone(),
            skus: self.skus.clone(),
            tally: self.tally,
            time: self.time,
            effects: u32::try_from(self.effects.len()).unwrap_or(u32::MAX),
            buyers: self.buyers.len(),
            orders: self.orders.len(),
            keys: self.keys.len(),
            offered: self.offered.clone(),
            rules: self.teams.rules.clone(),
            teams: self.teams.len(),
            tickets: self.line.tickets.len(),
        };
        let mut bytes = Vec::with_capacity(256 + 64 * self.orders.len() as usize);
        record::put(&VERSION, &mut bytes)?;
        record::put(&head, &mut bytes)?;
        self.effects
            .iter()
            .try_for_each(|effect| record::put(&effect, &mut bytes))?;
        self.buyers
            .names()
            .try_for_each(|name| record::put(&name, &mut bytes))?;
        self.orders
            .iter()
            .try_for_each(|order| record::put(order, &mut bytes))?;
        self.keys
            .iter()
            .try_for_each(|key| record::put(key, &mut bytes))?;
        let mut teams = self.teams.all.iter();
        teams.try_for_each(|team| record::put(team, &mut bytes))?;
        let mut tickets = self.line.tickets.iter();
        tickets.try_for_each(|ticket| record::put(ticket, &mut bytes))?;
        self.put_sagas(&mut bytes)?;
        Ok(bytes)
    }

    /// A book without sagas gives the bytes that it gave before there were any.
    fn put_sagas(&self, bytes: &mut Vec<u8>) -> Result<(), SnapshotError> {
        let (count, _) = self.saga_counts();
        if count == 0 && self.saga_kind().is_none() {
            return Ok(());
        }
        let kind = self.saga_kind();
        record::put(&SagasHead { kind, count }, bytes)?;
        let mut sagas = self.sagas_from(0);
        sagas.try_for_each(|found| record::put(found.saga, bytes))?;
        Ok(())
    }

    fn read_sagas(&mut self, records: &mut Records<'_>, end: usize) -> Result<(), SnapshotError> {
        let Some(SagasHead { kind, count }) = records.read()? else {
            return Ok(());
        };
        let cut = || SnapshotError::Record(RecordError::CutOff { at: end });
        for _ in 0..count {
            self.sagas.push(records.read()?.ok_or_else(cut)?)?;
        }
        self.restore_sagas(kind);
        Ok(())
    }

    /// Builds the book that gave these bytes.
    ///
    /// # Errors
    /// When the bytes do not decode, or do not fit together.
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let mut records = Records::new(bytes);
        let cut = |at| SnapshotError::Record(RecordError::CutOff { at });
        // What begins otherwise is of the time before there was a version record, or no snapshot.
        let version: u32 = records
            .read()
            .map_err(|_| SnapshotError::Version { found: 1 })?
            .ok_or_else(|| cut(0))?;
        if version != VERSION {
            return Err(SnapshotError::Version { found: version });
        }
        let head: Head = records.read()?.ok_or_else(|| cut(0))?;
        let mut book = Self::new();
        book.sku_places = head
            .skus
            .iter()
            .zip(0..)
            .map(|(sku, at)| (sku.sku.clone(), at))
            .collect();
        book.skus = head.skus;
        book.tally = head.tally;
        book.time = head.time;
        let secret = head
            .terms
            .as_ref()
            .map(|terms| terms.secret)
            .unwrap_or_default();
        book.terms = head.terms;
        book.offered = head.offered;
        if let Some(offered) = &mut book.offered {
            offered.rules = RuleSet::recovered(&offered.offer.rules);
        }
        book.teams.rules = head.rules;
        for _ in 0..head.effects {
            let (of, pending): EffectRecord = records.read()?.ok_or_else(|| cut(bytes.len()))?;
            if !stdx::mutants::is("snapshot-forgets-effects") {
                book.effects.insert(of, pending);
            }
        }
        for _ in 0..head.buyers {
            let name: Box<str> = records.read()?.ok_or_else(|| cut(bytes.len()))?;
            book.buyers.intern(&secret, &name)?;
        }
        for _ in 0..head.orders {
            let order: Order = records.read()?.ok_or_else(|| cut(bytes.len()))?;
            book.restore(order)?;
        }
        for _ in 0..head.keys {
            let key: KeyRecord = records.read()?.ok_or_else(|| cut(bytes.len()))?;
            if !stdx::mutants::is("snapshot-forgets-keys") {
                book.keys.insert(key)?;
            }
        }
        for _ in 0..head.teams {
            let team: Team = records.read()?.ok_or_else(|| cut(bytes.len()))?;
            book.restore_team(team)?;
        }
        for _ in 0..head.tickets {
            let ticket: Ticket = records.read()?.ok_or_else(|| cut(bytes.len()))?;
            book.line.restore(ticket);
        }
        book.read_sagas(&mut records, bytes.len())?;
        match records.read::<()>()? {
            None => Ok(book),
            Some(()) => Err(Violation::new("INV-8", "a snapshot goes on after its end").into()),
        }
    }

    fn restore_team(&mut self, mut team: Team) -> Result<(), Violation> {
        let stranger = || Violation::new("INV-6", "a team of a snapshot that fits nothing");
        self.teams.rule(&team)?;
        let known = self.buyers.len();
        for member in &mut team.members {
            let order = self.orders.get(member.order);
            let buyer = order
                .map(|order| order.buyer)
                .filter(|&buyer| buyer < known);
            member.buyer = buyer.ok_or_else(stranger)?;
        }
        if team.settled as usize > team.members.len() {
            return Err(stranger());
        }
        self.teams.restore(team);
        Ok(())
    }

    fn restore(&mut self, order: Order) -> Result<(), Violation> {
        order.check_returns()?;
        if order.counts() && !stdx::mutants::is("snapshot-forgets-limits") {
            for line in order.lines.as_slice() {
                let limited = self.sku(line.sku)?.limited();
                let units = line.units.get().saturating_sub(line.returned);
                self.buyers.take(order.buyer, line.sku, units, limited)?;
            }
        }
        if order.phase == Phase::Held && !stdx::mutants::is("snapshot-forgets-deadlines") {
            self.due.push(order.deadline(), self.orders.len());
        }
        match order.phase {
            Phase::Held if !order.has_deposit() => self.buyers.open(order.buyer),
            Phase::Expired if !order.has_deposit() => self.buyers.lapse(order.buyer),
            _ => {}
        }
        if order.counts() && !stdx::mutants::is("snapshot-forgets-coupons") {
            self.coupons.take(order.buyer, order.coupons());
        }
        self.orders.push(order);
        Ok(())
    }
}
