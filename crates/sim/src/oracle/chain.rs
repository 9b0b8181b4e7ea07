//! INV-8: each batch is bound to all before it, none is missing, and time never goes back.
//!
//! The hash is made here anew, from `docs/journal-format.md` alone.

use world::journal::Batch;

use crate::record::Finding;

/// The context of the hash before the first batch.
const CONTEXT: &str = "tidegate journal chain v1";

/// The chain hash of a batch after another.
pub(super) fn link(before: &[u8; 32], batch: &Batch) -> [u8; 32] {
    let length = u64::try_from(batch.payload.len()).unwrap_or(u64::MAX);
    let mut hasher = blake3::Hasher::new();
    hasher.update(before);
    hasher.update(&batch.sequence.to_le_bytes());
    hasher.update(&batch.time_ms.to_le_bytes());
    hasher.update(&batch.entries.to_le_bytes());
    hasher.update(&length.to_le_bytes());
    hasher.update(&batch.payload);
    *hasher.finalize().as_bytes()
}

/// The hash before the first batch of a journal with this id.
pub(super) fn root(id: &[u8; 16]) -> [u8; 32] {
    blake3::derive_key(CONTEXT, id)
}

/// Everything that is wrong with a chain. Without the journal's id the first batch is taken as it is.
pub(super) fn judge(
    name: &str,
    id: Option<&[u8; 16]>,
    batches: &[Batch],
    findings: &mut Vec<Finding>,
) {
    let mut found = |what: String| findings.push(Finding::new("INV-8", format!("{name}: {what}")));
    let (mut before, mut time, mut next) = (id.map(root), 0, 1);
    for batch in batches {
        if batch.sequence != next {
            found(format!(
                "batch {} stands where {next} is due",
                batch.sequence
            ));
        }
        if before.is_some_and(|before| link(&before, batch) != batch.chain) {
            found(format!("the hash of batch {} does not fit", batch.sequence));
        }
        if batch.time_ms < time {
            found(format!(
                "time goes back at batch {}: {time} to {}",
                batch.sequence, batch.time_ms
            ));
        }
        (before, time, next) = (Some(batch.chain), batch.time_ms, batch.sequence + 1);
    }
}
