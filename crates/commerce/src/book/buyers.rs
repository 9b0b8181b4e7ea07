//! Buyers of a sale and what they used of their limits.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ledger::Violation;
use serde::{Deserialize, Serialize};
use stdx::chunks::Chunks;
use stdx::index::Index;

use super::FixedState;
use crate::sip::{self, Secret};

/// The buyer of an order that names nobody.
pub(crate) const NOBODY: u32 = u32::MAX;

/// Bytes in one chunk of the names.
const CHUNK: usize = 1 << 16;

/// Chunks of names, at most: a place has 16 bits for the chunk and 16 for the byte in it.
const NAME_CHUNKS_MOST: usize = 1 << 16;

/// Names one after the other in chunks of 64 KiB: a length byte, then the name.
#[derive(Debug, Default)]
struct Names {
    chunks: Vec<Vec<u8>>,
}

impl Names {
    fn push(&mut self, name: &str) -> Option<u32> {
        let length = u8::try_from(name.len()).ok()?;
        if self
            .chunks
            .last()
            .is_none_or(|chunk| chunk.len() + name.len() + 1 > CHUNK)
        {
            // Small sales should not pay for a whole chunk, so the first one grows as it is used.
            let room = if self.chunks.is_empty() { 0 } else { CHUNK };
            self.chunks.push(Vec::with_capacity(room));
        }
        let number = u32::try_from(self.chunks.len() - 1)
            .ok()
            .filter(|_| self.chunks.len() <= NAME_CHUNKS_MOST)?;
        let chunk = self.chunks.last_mut()?;
        let offset = u32::try_from(chunk.len()).ok()?;
        chunk.push(length);
        chunk.extend_from_slice(name.as_bytes());
        Some(number << 16 | offset)
    }

    fn bytes(&self, at: u32) -> Option<&[u8]> {
        let chunk = self.chunks.get((at >> 16) as usize)?;
        let (&length, rest) = chunk.get((at & 0xFFFF) as usize..)?.split_first()?;
        rest.get(..usize::from(length))
    }

    fn get(&self, at: u32) -> &str {
        let text = self.bytes(at).map(std::str::from_utf8);
        text.and_then(Result::ok).unwrap_or_default()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Buyer {
    name: u32,
    /// Orders that wait for payment.
    open: u16,
    /// Holds that ran out.
    lapses: u16,
    /// Units held or sold, over all SKUs: so many fit that no order can overflow them.
    units: u64,
}

/// All buyers of a sale.
#[derive(Debug, Default)]
pub(crate) struct Buyers {
    names: Names,
    records: Chunks<Buyer>,
    index: Index,
    /// Units by buyer and SKU, only for SKUs with a limit for each buyer.
    by_sku: HashMap<(u32, u32), u32, FixedState>,
}

impl Buyers {
    pub(crate) fn find(&self, secret: &Secret, name: &str) -> Option<u32> {
        let same = |at| {
            let other = self.records.get(at);
            other.is_some_and(|other| self.names.bytes(other.name) == Some(name.as_bytes()))
        };
        self.index.find(sip::place(secret, name), same)
    }

    /// Whether a buyer of a new name may find no room.
    pub(crate) fn is_full(&self) -> bool {
        self.names.chunks.len() >= NAME_CHUNKS_MOST
    }

    /// The buyer's place, made when the name is new.
    pub(crate) fn intern(&mut self, secret: &Secret, name: &str) -> Result<u32, Violation> {
        let hash = sip::place(secret, name);
        let (at, records, names) = (self.records.len(), &self.records, &self.names);
        let same = |at| {
            let other = records.get(at);
            other.is_some_and(|other: &Buyer| names.bytes(other.name) == Some(name.as_bytes()))
        };
        if let Err(there) = self.index.insert(hash, at, same) {
            return Ok(there);
        }
        let full = || Violation::new("INV-5", "the list of buyers is full");
        let name = self.names.push(name).ok_or_else(full)?;
        Ok(self.records.push(Buyer {
            name,
            open: 0,
            lapses: 0,
            units: 0,
        }))
    }

    pub(crate) fn name(&self, at: u32) -> Option<&str> {
        self.records.get(at).map(|buyer| self.names.get(buyer.name))
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.records.iter().map(|buyer| self.names.get(buyer.name))
    }

    pub(crate) fn len(&self) -> u32 {
        self.records.len()
    }

    /// Units of this buyer, held or sold.
    pub(crate) fn units(&self, at: Option<u32>) -> u64 {
        at.and_then(|at| self.records.get(at))
            .map_or(0, |buyer| buyer.units)
    }

    /// Units of this buyer and SKU, held or sold.
    pub(crate) fn units_of(&self, at: Option<u32>, sku: u32) -> u64 {
        at.and_then(|at| self.by_sku.get(&(at, sku)))
            .map_or(0, |&units| u64::from(units))
    }

    /// Orders of this buyer that wait for payment, and holds that ran out.
    pub(crate) fn holds(&self, at: Option<u32>) -> (u16, u16) {
        let buyer = at.and_then(|at| self.records.get(at));
        buyer.map_or((0, 0), |buyer| (buyer.open, buyer.lapses))
    }

    /// An order begins to wait for payment.
    pub(crate) fn open(&mut self, at: u32) {
        if let Some(buyer) = self.records.get_mut(at) {
            buyer.open = buyer.open.saturating_add(1);
        }
    }

    /// An order no longer waits for payment.
    pub(crate) fn close(&mut self, at: u32) {
        if let Some(buyer) = self.records.get_mut(at) {
            buyer.open = buyer.open.saturating_sub(1);
        }
    }

    /// A hold ran out.
    pub(crate) fn lapse(&mut self, at: u32) {
        if let Some(buyer) = self.records.get_mut(at) {
            buyer.lapses = buyer.lapses.saturating_add(1);
        }
    }

    /// A hold that ran out was paid after all.
    pub(crate) fn unlapse(&mut self, at: u32) {
        if let Some(buyer) = self.records.get_mut(at) {
            buyer.lapses = buyer.lapses.saturating_sub(1);
        }
    }

    /// Counts units against the buyer's limits.
    pub(crate) fn take(
        &mut self,
        at: u32,
        sku: u32,
        units: u32,
        limited: Limited,
    ) -> Result<(), Violation> {
        let Some(buyer) = self.records.get_mut(at) else {
            return Ok(());
        };
        buyer.units += u64::from(units);
        if limited == Limited::Yes {
            self.count_sku(at, sku, units);
        }
        Ok(())
    }

    /// Gives counted units back.
    pub(crate) fn give_back(
        &mut self,
        at: u32,
        sku: u32,
        units: u32,
        limited: Limited,
    ) -> Result<(), Violation> {
        let Some(buyer) = self.records.get_mut(at) else {
            return Ok(());
        };
        let left = buyer.units.checked_sub(u64::from(units));
        buyer.units = left.ok_or_else(|| off(at))?;
        if limited == Limited::Yes {
            let used = self.by_sku.get_mut(&(at, sku)).ok_or_else(|| off(at))?;
            *used = used.checked_sub(units).ok_or_else(|| off(at))?;
            if *used == 0 {
                self.by_sku.remove(&(at, sku));
            }
        }
        Ok(())
    }

    /// Forgets the counts of some SKUs, before they are counted anew.
    pub(crate) fn forget_skus(&mut self, skus: &BTreeSet<u32>) {
        self.by_sku.retain(|(_, sku), _| !skus.contains(sku));
    }

    /// Counts units of one SKU. No SKU ever has more units than a `u32` holds, so nor has one buyer; a snapshot that says
    /// otherwise is counted to the brim and found by [`super::Book::check`], against the SKU's own account.
    pub(crate) fn count_sku(&mut self, at: u32, sku: u32, units: u32) {
        if units > 0 {
            let used = self.by_sku.entry((at, sku)).or_insert(0);
            *used = used.saturating_add(units);
        }
    }

    /// All counts by buyer and SKU.
    pub(crate) fn by_sku(&self) -> BTreeMap<(u32, u32), u32> {
        self.by_sku
            .iter()
            .map(|(&of, &units)| (of, units))
            .collect()
    }
}

/// Whether a SKU has a limit for each buyer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limited {
    Yes,
    No,
}

impl super::Sku {
    pub(crate) fn limited(&self) -> Limited {
        if self.limits.per_buyer.is_some() {
            Limited::Yes
        } else {
            Limited::No
        }
    }
}

fn off(buyer: u32) -> Violation {
    Violation::new(
        "INV-5",
        format!("the units counted for buyer {buyer} do not add up"),
    )
}
