//! A hash index over records that live elsewhere: eight bytes and a control byte a slot.
//!
//! The record list owns the keys; the index holds their positions, each with half of its hash. That half is enough to
//! grow without reading the records, which would be a cache miss for each, and to tell nearly every other key apart
//! without looking at its record. The index is split into 64 shards, so that growing costs 64 short pauses instead of
//! one long one in the middle of a stampede.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// Shards of the index; a power of two.
const SHARDS: usize = 64;

/// A position and the low half of its key's hash.
type Slot = (u32, u32);

/// Finds the position of a record by the 64-bit hash of its key.
///
/// The caller supplies the hash and the comparison, and keeps the records. Hashes must be uniform in all their bits (a
/// keyed hash is).
#[derive(Debug, Clone)]
pub struct Index {
    shards: Vec<HashTable<Slot>>,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| HashTable::new()).collect(),
        }
    }
}

impl Index {
    /// The position stored under `hash` for which `same` holds.
    pub fn find(&self, hash: u64, mut same: impl FnMut(u32) -> bool) -> Option<u32> {
        let (shard, half) = split(hash);
        let found = self.shards[shard].find(spread(half), |&(at, other)| other == half && same(at));
        found.map(|&(at, _)| at)
    }

    /// Adds a position, unless one is there for which `same` holds.
    ///
    /// # Errors
    /// The position that is there already; nothing changes then.
    pub fn insert(
        &mut self,
        hash: u64,
        at: u32,
        mut same: impl FnMut(u32) -> bool,
    ) -> Result<(), u32> {
        let (shard, half) = split(hash);
        let entry = self.shards[shard].entry(
            spread(half),
            |&(at, other)| other == half && same(at),
            |&(_, half)| spread(half),
        );
        match entry {
            Entry::Occupied(there) => Err(there.get().0),
            Entry::Vacant(free) => {
                free.insert((at, half));
                Ok(())
            }
        }
    }
}

/// The shard, by the upper half of the hash, and the lower half.
fn split(hash: u64) -> (usize, u32) {
    let [a, b, c, d, upper, ..] = hash.to_le_bytes();
    (
        usize::from(upper) % SHARDS,
        u32::from_le_bytes([a, b, c, d]),
    )
}

/// What a table wants to see: it takes its slot from the lowest bits and its control byte from the top seven.
fn spread(half: u32) -> u64 {
    u64::from(half) << 32 | u64::from(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_found_and_no_other() {
        let hashed = |n: u64| {
            n.wrapping_mul(0x9E37_79B9_7F4A_7C15)
                .rotate_left(23)
                .wrapping_mul(0xD6E8_FEB8_6659_FD93)
        };
        let keys: Vec<u64> = (0..20_000).collect();
        let mut index = Index::default();
        for (at, &key) in keys.iter().enumerate() {
            let at = u32::try_from(at).expect("small");
            let same = |other: u32| keys[other as usize] == key;
            assert_eq!(index.insert(hashed(key), at, same), Ok(()));
        }
        let again = index.insert(hashed(7), 99, |at| keys[at as usize] == 7);
        assert_eq!(again, Err(7), "the same key is not added twice");
        for &key in &keys {
            let found = index
                .find(hashed(key), |at| keys[at as usize] == key)
                .expect("was inserted");
            assert_eq!(keys[found as usize], key);
        }
        assert_eq!(
            index.find(hashed(20_001), |at| keys[at as usize] == 20_001),
            None
        );
    }
}
