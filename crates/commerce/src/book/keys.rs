//! Bound idempotency keys: 32 bytes a record and about 10 for finding it.

use stdx::chunks::Chunks;
use stdx::index::Index;

use super::{Book, Done, Terms, Verdict};
use crate::Refusal;
use crate::command::{Actor, Command};
use crate::entry::{Bound, By};
use crate::sip::Secret;

/// A bound key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct KeyRecord {
    pub(crate) digest: [u8; 16],
    pub(crate) body: u64,
    order: u32,
    number: u16,
    kind: u8,
}

impl KeyRecord {
    fn new(bound: &Bound, done: Done) -> Self {
        let (kind, order, number) = match done {
            Done::Sale => (0, 0, 0),
            Done::Order(order) => (1, order, 0),
            Done::Refund { order, number } => (2, order, number),
        };
        Self {
            digest: bound.digest,
            body: bound.body,
            order,
            number,
            kind,
        }
    }

    pub(crate) fn done(&self) -> Done {
        match self.kind {
            0 => Done::Sale,
            1 => Done::Order(self.order),
            _ => Done::Refund {
                order: self.order,
                number: self.number,
            },
        }
    }

    fn hash(&self) -> u64 {
        hash(&self.digest)
    }
}

/// A digest is uniform already: its first eight bytes are its hash.
fn hash(digest: &[u8; 16]) -> u64 {
    let (first, _) = digest.split_at(8);
    first
        .iter()
        .rev()
        .fold(0, |hash, &byte| (hash << 8) | u64::from(byte))
}

/// All keys bound in a sale; they stay until the sale is retired.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    records: Chunks<KeyRecord>,
    index: Index,
}

impl Keys {
    pub(crate) fn find(&self, digest: &[u8; 16]) -> Option<&KeyRecord> {
        let same = |at| {
            self.records
                .get(at)
                .is_some_and(|record| record.digest == *digest)
        };
        self.index
            .find(hash(digest), same)
            .and_then(|at| self.records.get(at))
    }

    pub(crate) fn bind(&mut self, bound: &Bound, done: Done) {
        self.insert(KeyRecord::new(bound, done));
    }

    pub(crate) fn insert(&mut self, record: KeyRecord) {
        let at = self.records.push(record);
        let records = &self.records;
        self.index.insert(record.hash(), at, |at| {
            records.get(at).map_or(0, KeyRecord::hash)
        });
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &KeyRecord> {
        self.records.iter()
    }

    pub(crate) fn len(&self) -> u32 {
        self.records.len()
    }
}

impl Book {
    /// The answer to a key that was used before; `None` for a new one.
    pub(crate) fn decide_repeat(&self, terms: &Terms, command: &Command) -> Option<Verdict> {
        let digest = Self::digest(terms, command)?;
        let record = self.keys.find(&digest)?;
        if record.body == command.action.fingerprint(&terms.secret) {
            Some(Verdict::Repeat(record.done()))
        } else {
            Some(Refusal::KeyReused.into())
        }
    }

    /// Binds the command's key; the caller has made sure that it is new.
    pub(crate) fn bound(secret: &Secret, command: &Command) -> Result<Bound, Refusal> {
        let key = command
            .key
            .as_deref()
            .ok_or_else(|| Refusal::Invalid("an idempotency key is needed".into()))?;
        let by = match &command.actor {
            Actor::Merchant(account) => By::Merchant(account.clone()),
            Actor::Buyer(buyer) => By::Buyer(buyer.clone()),
            Actor::House => By::House,
        };
        let digest = crate::sip::digest(secret, command.actor.scope(), key);
        Ok(Bound {
            by,
            digest,
            body: command.action.fingerprint(secret),
        })
    }
}
