//! What everybody outside has been told: the measure of what must be there after a crash.

use std::collections::BTreeMap;
use std::sync::Arc;

use commerce::{Actor, Command, Done, EffectKind};
use world::journal::Position;

use crate::record::Finding;

/// A yes that somebody heard.
#[derive(Clone, Debug)]
pub(super) struct Told {
    /// To what.
    pub(super) command: Command,
    /// What was done.
    pub(super) done: Done,
    /// The position that the answer stood on.
    pub(super) sequence: u64,
}

/// All that was heard and seen outside.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Positions that answers stood on.
    pub(super) positions: BTreeMap<u64, [u8; 32]>,
    /// Answers to keys, first ones only.
    pub(super) told: Vec<Told>,
    by_key: BTreeMap<Owned, usize>,
    /// How many orders the book showed at a position.
    pub(super) shown: Vec<(u64, u32)>,
    /// Effects that were handed out.
    pub(super) offered: BTreeMap<(u32, EffectKind), u32>,
    /// The last batch that was published as durable.
    pub(super) published: u64,
    /// Yes, no, and yes again.
    pub(super) accepted: u64,
    pub(super) refused: u64,
    pub(super) repeated: u64,
    /// Orders that were asked for and refused.
    pub(super) orders_refused: u64,
    pub(super) findings: Vec<Finding>,
}

impl Memory {
    /// Somebody saw this position.
    pub(super) fn saw(&mut self, position: Position) {
        if position.sequence == 0 {
            return;
        }
        let before = *self
            .positions
            .entry(position.sequence)
            .or_insert(position.chain);
        if before != position.chain {
            let what = format!("batch {} was shown with two chains", position.sequence);
            self.findings.push(Finding::new("INV-8", what));
        }
    }

    /// The newest position that anybody saw.
    pub(super) fn newest(&self) -> Option<Position> {
        let (&sequence, &chain) = self.positions.last_key_value()?;
        Some(Position { sequence, chain })
    }

    /// Somebody heard yes.
    pub(super) fn heard(&mut self, command: &Command, done: Done, repeated: bool, at: Position) {
        match repeated {
            true => self.repeated += 1,
            false => self.accepted += 1,
        }
        let Some(key) = &command.key else {
            return;
        };
        let owner = owned(&command.actor, key);
        if let Some(&nth) = self.by_key.get(&owner) {
            let before = &self.told[nth];
            if before.done != done || !repeated {
                let what = format!("{owner:?} gave {:?}, and later {done:?}", before.done);
                self.findings.push(Finding::new("INV-4", what));
            }
            return;
        }
        self.by_key.insert(owner, self.told.len());
        self.told.push(Told {
            command: command.clone(),
            done,
            sequence: at.sequence,
        });
    }

    /// Somebody heard no.
    pub(super) fn denied(&mut self, command: &Command) {
        self.refused += 1;
        self.orders_refused += u64::from(matches!(command.action, commerce::Action::Place(_)));
        let Some(key) = &command.key else {
            return;
        };
        let owner = owned(&command.actor, key);
        if let Some(&nth) = self.by_key.get(&owner)
            && same_body(&self.told[nth].command, command)
        {
            let what = format!("{owner:?} was accepted, and later refused");
            self.findings.push(Finding::new("INV-4", what));
        }
    }

    /// The order that a key gave, if its owner heard.
    pub(super) fn answer(&self, actor: &Actor, key: &str) -> Option<Done> {
        let nth = self.by_key.get(&owned(actor, key))?;
        Some(self.told[*nth].done)
    }
}

/// A key with its scope, which is all that the book may tell commands apart by.
pub(super) type Owned = (u8, Arc<str>, Box<str>);

pub(super) fn owned(actor: &Actor, key: &str) -> Owned {
    let (kind, name) = match actor {
        Actor::Merchant(name) => (1, name.clone()),
        Actor::Buyer(name) => (2, name.clone()),
        Actor::House => (3, "".into()),
    };
    (kind, name, key.into())
}

/// Clones of one command print alike.
fn same_body(one: &Command, other: &Command) -> bool {
    format!("{:?}", one.action) == format!("{:?}", other.action)
}
