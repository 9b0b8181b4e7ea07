//! Numbers for requests and traces.

use api::RequestId;
use std::sync::atomic::{AtomicU64, Ordering};
use stdx::snowflake::Snowflake;
use world::Entropy;

/// The odd constant by which SplitMix64 steps.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// Makes request ids, which are unique, and trace ids, which only have to look random.
#[derive(Debug)]
pub(crate) struct Ids {
    requests: Snowflake,
    traces: AtomicU64,
}

impl Ids {
    pub(crate) fn new(node: u8, entropy: &dyn Entropy) -> Self {
        let mut seed = [0; 8];
        entropy.fill(&mut seed);
        Self {
            requests: Snowflake::new(node),
            traces: AtomicU64::new(u64::from_le_bytes(seed)),
        }
    }

    pub(crate) fn request(&self, now_ms: u64) -> RequestId {
        RequestId::from_u64(self.requests.next(now_ms))
    }

    /// A trace id, never zero.
    pub(crate) fn trace(&self) -> u128 {
        (u128::from(self.next()) << 64 | u128::from(self.next())).max(1)
    }

    /// A span id, never zero.
    pub(crate) fn span(&self) -> u64 {
        self.next().max(1)
    }

    fn next(&self) -> u64 {
        let mut mixed = self
            .traces
            .fetch_add(STEP, Ordering::Relaxed)
            .wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
