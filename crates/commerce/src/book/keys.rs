//! Bound idempotency keys: 32 bytes a record and about 15 for finding it; and the command while it is decided.

use ledger::Violation;
use stdx::chunks::Chunks;
use stdx::index::Index;

use super::order::Phase;
use super::{Book, Done, Verdict};
use crate::Refusal;
use crate::command::{Action, Actor, Command, KEY_BYTES_MOST};
use crate::entry::{Bound, By};
use crate::plan::check_name;
use crate::sip::Secret;

/// A bound key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct KeyRecord {
    digest: [u8; 16],
    body: u64,
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
            Done::Team(team) => (3, team, 0),
            Done::Ticket(ticket) => (4, ticket, 0),
        };
        Self {
            digest: bound.digest,
            body: bound.body,
            order,
            number,
            kind,
        }
    }

    fn done(&self) -> Done {
        match self.kind {
            0 => Done::Sale,
            1 => Done::Order(self.order),
            3 => Done::Team(self.order),
            4 => Done::Ticket(self.order),
            _ => Done::Refund {
                order: self.order,
                number: self.number,
            },
        }
    }
}

/// A digest is uniform already: its first eight bytes are its hash.
fn hash(digest: &[u8; 16]) -> u64 {
    digest
        .first_chunk()
        .map_or(0, |first| u64::from_le_bytes(*first))
}

/// All keys bound in a sale; they stay until the sale is retired.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    records: Chunks<KeyRecord>,
    index: Index,
}

impl Keys {
    pub(crate) fn find(&self, digest: &[u8; 16]) -> Option<&KeyRecord> {
        let same = |at| self.is_at(at, digest);
        let at = self.index.find(hash(digest), same)?;
        self.records.get(at)
    }

    fn is_at(&self, at: u32, digest: &[u8; 16]) -> bool {
        self.records
            .get(at)
            .is_some_and(|record| record.digest == *digest)
    }

    /// Binds a key to what it did.
    ///
    /// # Errors
    /// When the key is bound already (INV-4).
    pub(crate) fn bind(&mut self, bound: &Bound, done: Done) -> Result<(), Violation> {
        self.insert(KeyRecord::new(bound, done))
    }

    pub(crate) fn insert(&mut self, record: KeyRecord) -> Result<(), Violation> {
        let (at, records) = (self.records.len(), &self.records);
        let same = |at| {
            let other = records.get(at);
            other.is_some_and(|other| other.digest == record.digest)
        };
        if let Err(other) = self.index.insert(hash(&record.digest), at, same)
            && !stdx::mutants::is("duplicate-test-dropped")
        {
            let twice = format!("key {at} is bound already, as key {other}");
            return Err(Violation::new("INV-4", twice));
        }
        self.records.push(record);
        Ok(())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &KeyRecord> {
        self.records.iter()
    }

    pub(crate) fn len(&self) -> u32 {
        self.records.len()
    }

    /// Whether every key is found where it stands.
    pub(crate) fn is_sound(&self) -> bool {
        let mut all = self.iter().zip(0_u32..);
        all.all(|(record, at)| {
            let same = |at| self.is_at(at, &record.digest);
            self.index.find(hash(&record.digest), same) == Some(at)
        })
    }
}

/// The idempotency key of a question.
pub(crate) enum Key<'a> {
    /// There is none.
    None,
    /// It came with the command, and is new; hashed once.
    Digest([u8; 16]),
    /// The journal has it already.
    Journalled(&'a Bound),
}

/// A command while it is decided: who asks for what, and the key that an acceptance binds.
pub(crate) struct Question<'a> {
    pub(crate) actor: &'a Actor,
    pub(crate) action: &'a Action,
    pub(crate) key: Key<'a>,
}

impl<'a> Question<'a> {
    pub(crate) fn new(secret: &Secret, command: &'a Command) -> Result<Self, Refusal> {
        let key = match command.key.as_deref() {
            None => Key::None,
            Some(key) if key.is_empty() || key.len() > KEY_BYTES_MOST => {
                let bound = format!("an idempotency key has 1 to {KEY_BYTES_MOST} bytes");
                return Err(Refusal::Invalid(bound));
            }
            Some(key) => {
                let scope = match stdx::mutants::is("key-scope-ignores-buyer") {
                    true => (2, ""),
                    false => command.actor.scope(),
                };
                Key::Digest(crate::sip::digest(secret, scope, key))
            }
        };
        Ok(Self {
            actor: &command.actor,
            action: &command.action,
            key,
        })
    }

    /// The buyer who asks, if a buyer does.
    pub(crate) fn buyer(&self) -> Option<&'a str> {
        match self.actor {
            Actor::Buyer(buyer) => Some(buyer),
            Actor::Merchant(_) | Actor::House => None,
        }
    }

    /// The key as an entry binds it.
    pub(crate) fn bound(&self, secret: &Secret) -> Result<Bound, Refusal> {
        let digest = match self.key {
            Key::None => return Err(Refusal::Invalid("an idempotency key is needed".into())),
            Key::Digest(digest) => digest,
            Key::Journalled(bound) => return Ok(bound.clone()),
        };
        let named = |name| check_name("name of an account or buyer", name);
        let by = match self.actor {
            Actor::Merchant(account) => named(account).map(|()| By::Merchant(account.clone())),
            Actor::Buyer(buyer) => named(buyer).map(|()| By::Buyer(buyer.clone())),
            Actor::House => Ok(By::House),
        };
        Ok(Bound {
            by: by.map_err(Refusal::Invalid)?,
            digest,
            body: self.action.fingerprint(secret),
        })
    }
}

impl Book {
    /// The answer to a key that was used before; `None` for a new one.
    pub(crate) fn decide_repeat(
        &self,
        secret: &Secret,
        question: &Question<'_>,
    ) -> Option<Verdict> {
        let Key::Digest(digest) = &question.key else {
            return None;
        };
        let record = self.keys.find(digest)?;
        if stdx::mutants::is("duplicate-test-dropped") {
            return None;
        }
        if stdx::mutants::is("repeat-decides-anew")
            && let Done::Order(number) = record.done()
            && let Some(order) = self.orders.get(number)
            && order.phase == Phase::Expired
        {
            return Some(Refusal::HoldExpired.into());
        }
        let same = record.body == question.action.fingerprint(secret);
        if same || stdx::mutants::is("other-body-accepted") {
            Some(Verdict::Repeat(record.done()))
        } else {
            Some(Refusal::KeyReused.into())
        }
    }
}
