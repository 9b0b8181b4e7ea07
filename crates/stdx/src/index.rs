//! A hash index over records that live elsewhere: four bytes and a control byte a slot.
//!
//! The record list owns the keys; the index holds only their positions. It is split into 64 shards, so that growing
//! costs 64 short pauses instead of one long one in the middle of a stampede.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// Shards of the index; a power of two.
const SHARDS: usize = 64;

/// The bits of the hash that choose the shard. A table takes its slot from the low bits and its control byte from the
/// top seven; bits of their own for the shard keep all seven telling, so that a look-up that finds nothing hardly ever
/// has to read a record.
const SHARD_SHIFT: u32 = 48;

/// Finds the position of a record by the 64-bit hash of its key.
///
/// The caller supplies the hash and the comparison, and keeps the records. Hashes must be uniform in all their bits (a
/// keyed hash is).
#[derive(Debug, Clone)]
pub struct Index {
    shards: Vec<HashTable<u32>>,
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
        self.shards[shard(hash)].find(hash, |&at| same(at)).copied()
    }

    /// Adds a position, unless one is there for which `same` holds. `rehash` gives the hash of a record already in the
    /// index and is called when a shard grows.
    ///
    /// # Errors
    /// The position that is there already; nothing changes then.
    pub fn insert(
        &mut self,
        hash: u64,
        at: u32,
        mut same: impl FnMut(u32) -> bool,
        rehash: impl Fn(u32) -> u64,
    ) -> Result<(), u32> {
        match self.shards[shard(hash)].entry(hash, |&other| same(other), |&other| rehash(other)) {
            Entry::Occupied(there) => Err(*there.get()),
            Entry::Vacant(free) => {
                free.insert(at);
                Ok(())
            }
        }
    }
}

fn shard(hash: u64) -> usize {
    (hash >> SHARD_SHIFT) as usize % SHARDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_found_and_no_other() {
        let spread = |n: u64| {
            n.wrapping_mul(0x9E37_79B9_7F4A_7C15)
                .rotate_left(23)
                .wrapping_mul(0xD6E8_FEB8_6659_FD93)
        };
        let keys: Vec<u64> = (0..20_000).collect();
        let mut index = Index::default();
        for (at, &key) in keys.iter().enumerate() {
            let at = u32::try_from(at).expect("small");
            let same = |other: u32| keys[other as usize] == key;
            assert_eq!(
                index.insert(spread(key), at, same, |other| spread(keys[other as usize])),
                Ok(())
            );
        }
        let again = index.insert(spread(7), 99, |at| keys[at as usize] == 7, |_| 0);
        assert_eq!(again, Err(7), "the same key is not added twice");
        for &key in &keys {
            let found = index
                .find(spread(key), |at| keys[at as usize] == key)
                .expect("was inserted");
            assert_eq!(keys[found as usize], key);
        }
        assert_eq!(
            index.find(spread(20_001), |at| keys[at as usize] == 20_001),
            None
        );
    }
}
