//! What one sale's next transaction will write: orders, teams and places in line that are new or changed, and events.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use storage::models::{EventRow, ModelsError, OrderKey, OrderRow, TeamRow, TicketRow, Writer};

/// Rows that wait for their transaction, in the order of their keys.
#[derive(Debug, Default)]
pub(super) struct Changes {
    orders: BTreeMap<u32, Change>,
    events: Vec<EventRow>,
    teams: BTreeMap<u32, TeamRow>,
    tickets: BTreeMap<u32, TicketRow>,
}

#[derive(Debug)]
enum Change {
    New(OrderRow),
    Changed(OrderRow),
}

impl Changes {
    pub(super) fn rows(&self) -> usize {
        self.orders.len() + self.events.len() + self.teams.len() + self.tickets.len()
    }

    pub(super) fn clear(&mut self) {
        self.orders.clear();
        self.events.clear();
        self.teams.clear();
        self.tickets.clear();
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

    /// A team, read from the read models if it is not here yet; `None` if there is no such team.
    pub(super) fn team(
        &mut self,
        writer: &Writer,
        key: OrderKey,
    ) -> Result<Option<&mut TeamRow>, ModelsError> {
        match self.teams.entry(key.number) {
            Entry::Occupied(found) => Ok(Some(found.into_mut())),
            Entry::Vacant(place) => Ok(writer.team(key)?.map(|row| place.insert(row))),
        }
    }

    pub(super) fn put_team(&mut self, row: TeamRow) {
        self.teams.insert(row.key.number, row);
    }

    /// A place in the line, read from the read models if it is not here yet; `None` if there is no such place.
    pub(super) fn ticket(
        &mut self,
        writer: &Writer,
        key: OrderKey,
    ) -> Result<Option<&mut TicketRow>, ModelsError> {
        match self.tickets.entry(key.number) {
            Entry::Occupied(found) => Ok(Some(found.into_mut())),
            Entry::Vacant(place) => Ok(writer.ticket(key)?.map(|row| place.insert(row))),
        }
    }

    pub(super) fn put_ticket(&mut self, row: TicketRow) {
        self.tickets.insert(row.key.number, row);
    }

    /// Writes all rows; they stay until [`Changes::clear`], for a transaction that fails is tried again.
    pub(super) fn write(&self, writer: &Writer) -> Result<(), ModelsError> {
        for change in self.orders.values() {
            match change {
                Change::New(row) => writer.insert_order(row)?,
                Change::Changed(row) => writer.update_order(row)?,
            }
        }
        self.teams
            .values()
            .try_for_each(|team| writer.put_team(team))?;
        self.tickets
            .values()
            .try_for_each(|ticket| writer.put_ticket(ticket))?;
        self.events
            .iter()
            .try_for_each(|event| writer.insert_event(event))
    }
}
