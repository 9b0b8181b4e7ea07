//! Buyers of a sale and what they used of their limits.

use std::collections::HashMap;

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
            .filter(|&number| number < 1 << 16)?;
        let chunk = self.chunks.last_mut()?;
        let offset = u32::try_from(chunk.len()).ok()?;
        chunk.push(length);
        chunk.extend_from_slice(name.as_bytes());
        Some(number << 16 | offset)
    }

    fn get(&self, at: u32) -> &str {
        let bytes = || {
            let chunk = self.chunks.get((at >> 16) as usize)?;
            let (&length, rest) = chunk.get((at & 0xFFFF) as usize..)?.split_first()?;
            std::str::from_utf8(rest.get(..usize::from(length))?).ok()
        };
        bytes().unwrap_or_default()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Buyer {
    name: u32,
    /// Units held or sold, over all SKUs.
    units: u32,
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
        self.index
            .find(sip::place(secret, name), |at| self.name(at) == Some(name))
    }

    /// The buyer's place, made when the name is new.
    pub(crate) fn intern(&mut self, secret: &Secret, name: &str) -> Result<u32, Violation> {
        if let Some(at) = self.find(secret, name) {
            return Ok(at);
        }
        let full = || Violation::new("INV-5", "the list of buyers is full");
        let record = Buyer {
            name: self.names.push(name).ok_or_else(full)?,
            units: 0,
        };
        let at = self.records.push(record);
        let (records, names) = (&self.records, &self.names);
        let rehash = |at| {
            records
                .get(at)
                .map_or(0, |buyer| sip::place(secret, names.get(buyer.name)))
        };
        self.index.insert(sip::place(secret, name), at, rehash);
        Ok(at)
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
    pub(crate) fn units(&self, at: Option<u32>) -> u32 {
        at.and_then(|at| self.records.get(at))
            .map_or(0, |buyer| buyer.units)
    }

    /// Units of this buyer and SKU, held or sold.
    pub(crate) fn units_of(&self, at: Option<u32>, sku: u32) -> u32 {
        at.and_then(|at| self.by_sku.get(&(at, sku)))
            .copied()
            .unwrap_or(0)
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
        buyer.units = buyer.units.checked_add(units).ok_or_else(|| off(at))?;
        if limited == Limited::Yes {
            *self.by_sku.entry((at, sku)).or_insert(0) += units;
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
        buyer.units = buyer.units.checked_sub(units).ok_or_else(|| off(at))?;
        if limited == Limited::Yes {
            let used = self.by_sku.get_mut(&(at, sku)).ok_or_else(|| off(at))?;
            *used = used.checked_sub(units).ok_or_else(|| off(at))?;
            if *used == 0 {
                self.by_sku.remove(&(at, sku));
            }
        }
        Ok(())
    }

    /// Forgets the counts of one SKU, before they are counted anew.
    pub(crate) fn forget_sku(&mut self, sku: u32) {
        self.by_sku.retain(|&(_, of), _| of != sku);
    }

    /// Counts units of one SKU only, when a limit is new.
    pub(crate) fn count_sku(&mut self, at: u32, sku: u32, units: u32) {
        *self.by_sku.entry((at, sku)).or_insert(0) += units;
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
