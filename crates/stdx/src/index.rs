//! A hash index over records that live elsewhere: four bytes and a control byte a slot.
//!
//! The record list owns the keys; the index holds only their positions. It is split into 64 shards by the hash's top
//! bits, so that growing costs 64 short pauses instead of one long one in the middle of a stampede.

use hashbrown::HashTable;

/// Shards of the index; a power of two.
const SHARDS: usize = 64;

/// Finds the position of a record by the 64-bit hash of its key.
///
/// The caller supplies the hash and the comparison, and keeps the records. Hashes must be uniform in their top and low
/// bits (a keyed hash is).
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
        self.shard(hash).find(hash, |&at| same(at)).copied()
    }

    /// Adds a position. `rehash` gives the hash of a record already in the index and is called when a shard grows.
    ///
    /// The caller has looked first: the same key is never added twice.
    pub fn insert(&mut self, hash: u64, at: u32, rehash: impl Fn(u32) -> u64) {
        let shard = (hash >> 58) as usize % SHARDS;
        self.shards[shard].insert_unique(hash, at, |&at| rehash(at));
    }

    fn shard(&self, hash: u64) -> &HashTable<u32> {
        // The table itself takes its control byte from the top seven bits and its slot from the low ones; the shard
        // shares six bits with the control byte, which costs a few more comparisons and no correctness.
        &self.shards[(hash >> 58) as usize % SHARDS]
    }
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
            index.insert(spread(key), at, |at| spread(keys[at as usize]));
        }
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
