//! A book as bytes, so that a start need not read the whole journal.
//!
//! Version byte, then postcard: the terms, SKUs, buyers' names, orders, keys, effects, tally and time. What follows from
//! these (tables, deadlines, limit counters) is built anew.

use std::collections::BTreeMap;

use ledger::Violation;
use serde::{Deserialize, Serialize};

use super::keys::KeyRecord;
use super::order::{Order, Phase};
use super::{Book, Pending, Sku, Tally, Terms};
use crate::Time;
use crate::entry::EffectKind;
use crate::record::{self, RecordError, Records};

/// Why a snapshot cannot be used; the journal still can.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The bytes do not decode.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The bytes decode and do not fit together.
    #[error(transparent)]
    Violation(#[from] Violation),
}

#[derive(Serialize, Deserialize)]
struct Head {
    terms: Option<Terms>,
    skus: Vec<Sku>,
    effects: BTreeMap<(u32, EffectKind), Pending>,
    tally: Tally,
    time: Time,
    buyers: u32,
    orders: u32,
    keys: u32,
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
            effects: self.effects.clone(),
            tally: self.tally,
            time: self.time,
            buyers: self.buyers.len(),
            orders: self.orders.len(),
            keys: self.keys.len(),
        };
        let mut bytes = Vec::with_capacity(256 + 64 * self.orders.len() as usize);
        record::put(&head, &mut bytes)?;
        self.buyers
            .names()
            .try_for_each(|name| record::put(&name, &mut bytes))?;
        self.orders
            .iter()
            .try_for_each(|order| record::put(order, &mut bytes))?;
        self.keys
            .iter()
            .try_for_each(|key| record::put(key, &mut bytes))?;
        Ok(bytes)
    }

    /// Builds the book that gave these bytes.
    ///
    /// # Errors
    /// When the bytes do not decode, or do not fit together.
    pub fn from_snapshot(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let mut records = Records::new(bytes);
        let cut = |at| SnapshotError::Record(RecordError::CutOff { at });
        let head: Head = records.read()?.ok_or_else(|| cut(0))?;
        let mut book = Self::new();
        book.sku_places = head
            .skus
            .iter()
            .zip(0..)
            .map(|(sku, at)| (sku.sku.clone(), at))
            .collect();
        book.skus = head.skus;
        book.effects = head.effects;
        book.tally = head.tally;
        book.time = head.time;
        let secret = head
            .terms
            .as_ref()
            .map(|terms| terms.secret)
            .unwrap_or_default();
        book.terms = head.terms;
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
            book.keys.insert(key);
        }
        Ok(book)
    }

    fn restore(&mut self, order: Order) -> Result<(), Violation> {
        if order.counts() {
            for line in order.lines.as_slice() {
                let limited = self.sku(line.sku)?.limited();
                let units = line.units.get().saturating_sub(line.returned);
                self.buyers.take(order.buyer, line.sku, units, limited)?;
            }
        }
        if order.phase == Phase::Held {
            self.due.push(order.deadline(), self.orders.len());
        }
        self.orders.push(order);
        Ok(())
    }
}
