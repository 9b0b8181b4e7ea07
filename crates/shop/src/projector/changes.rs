//! What one sale's next transaction will write: orders that are new or changed, and events.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use storage::models::{EventRow, ModelsError, OrderKey, OrderRow, Writer};

/// Rows that wait for their transaction, in the order of their keys.
#[derive(Debug, Default)]
pub(super) struct Changes {
    orders: BTreeMap<u32, Change>,
    events: Vec<EventRow>,
}

#[derive(Debug)]
enum Change {
    New(OrderRow),
    Changed(OrderRow),
}

impl Changes {
    pub(super) fn rows(&self) -> usize {
        self.orders.len() + self.events.len()
    }

    pub(super) fn clear(&mut self) {
        self.orders.clear();
        self.events.clear();
    }

    /// Adds an order.
    pub(super) fn add(&mut self, row: OrderRow) {
        self.orders.insert(row.key.number, Change::New(row));
    }

    /// The order, read from the read models if it is not here yet, and the events to add to. `None` if there is no
    /// such order.
    pub(super) fn order(
        &mut self,
        writer: &Writer,
        key: OrderKey,
    ) -> Result<Option<(&mut OrderRow, &mut Vec<EventRow>)>, ModelsError> {
        let change = match self.orders.entry(key.number) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(place) => match writer.order(key)? {
                Some(row) => place.insert(Change::Changed(row)),
                None => return Ok(None),
            },
        };
        let (Change::New(row) | Change::Changed(row)) = change;
        Ok(Some((row, &mut self.events)))
    }

    /// Writes all rows; they stay until [`Changes::clear`], for a transaction that fails is tried again.
    pub(super) fn write(&self, writer: &Writer) -> Result<(), ModelsError> {
        for change in self.orders.values() {
            match change {
                Change::New(row) => writer.insert_order(row)?,
                Change::Changed(row) => writer.update_order(row)?,
            }
        }
        self.events
            .iter()
            .try_for_each(|event| writer.insert_event(event))
    }
}
