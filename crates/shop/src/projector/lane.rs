//! One sale's way from its journal into the read models.

use api::line::TicketState;
use api::order::OrderEventKind;
use commerce::Entry;
use commerce::deal::Dealt;
use commerce::entry::By;
use commerce::record::Records;
use storage::models::{OrderKey, PositionRow, TeamRow, TicketRow, Writer};
use world::journal::Batch;

use super::ProjectorError;
use super::changes::Changes;
use super::deals;
use super::orders::{self, Folding, Moment};
use super::shelf::{Shelf, Spot};
use super::teams::{self, Seats};
use super::words::{Phase, TICKET_STATES, number};

/// A sale's rows in the making.
#[derive(Debug)]
pub(super) struct Lane {
    sale: u32,
    shelf: Shelf,
    changes: Changes,
    /// The last batch that is in the rows, committed or about to be.
    position: PositionRow,
    /// Batches since the last commit.
    batches: u64,
}

impl Lane {
    /// Goes on where the read models stand.
    pub(super) fn load(
        writer: &Writer,
        sale: u32,
        position: Option<PositionRow>,
    ) -> Result<Self, ProjectorError> {
        Ok(Self {
            sale,
            shelf: Shelf::load(writer, sale)?,
            changes: Changes::default(),
            position: position.unwrap_or(PositionRow {
                sale,
                sequence: 0,
                chain: [0; 32],
                time_ms: 0,
            }),
            batches: 0,
        })
    }

    pub(super) fn position(&self) -> PositionRow {
        self.position
    }

    /// Batches and rows that wait to be committed.
    pub(super) fn waiting(&self) -> (u64, usize) {
        (self.batches, self.changes.rows())
    }

    /// Folds a durable batch into the rows. A batch that is in them already is skipped. After an error the lane is of
    /// no use; what was committed stands.
    pub(super) fn fold(&mut self, writer: &Writer, batch: &Batch) -> Result<(), ProjectorError> {
        let (sequence, time_ms) = (batch.sequence, batch.time_ms);
        if sequence <= self.position.sequence {
            return Ok(());
        }
        if sequence != self.position.sequence + 1 {
            let detail = format!("it does not follow batch {}", self.position.sequence);
            return Err(ProjectorError::Misfit { sequence, detail });
        }
        let mut records = Records::new(&batch.payload);
        let read = |source| ProjectorError::Record { sequence, source };
        while let Some(entry) = records.read::<Entry>().map_err(read)? {
            self.entry(writer, Moment { sequence, time_ms }, &entry)?;
            if stdx::mutants::is("projector-reads-first-entry-only") {
                break;
            }
        }
        self.position = PositionRow {
            sale: self.sale,
            sequence,
            chain: batch.chain,
            time_ms,
        };
        self.batches += 1;
        Ok(())
    }

    /// Writes all that waits; needs a transaction.
    pub(super) fn write(&self, writer: &Writer) -> Result<(), ProjectorError> {
        self.changes.write(writer)?;
        self.shelf.write(writer)?;
        writer.put_position(&self.position)?;
        Ok(())
    }

    /// What was written is committed.
    pub(super) fn settle(&mut self) {
        self.changes.clear();
        self.shelf.settle();
        self.batches = 0;
    }

    fn entry(&mut self, writer: &Writer, at: Moment, entry: &Entry) -> Result<(), ProjectorError> {
        let misfit = |detail| ProjectorError::Misfit {
            sequence: at.sequence,
            detail,
        };
        match entry {
            Entry::Created { plan, .. } => self.shelf.create(plan, at.time_ms).map_err(misfit),
            Entry::CreatedWith { plan, offer, .. } => {
                let created = self.shelf.create(plan, at.time_ms);
                created
                    .and_then(|()| self.shelf.set_offer(offer))
                    .map_err(misfit)
            }
            Entry::OfferAltered { offer, .. } => self.shelf.set_offer(offer).map_err(misfit),
            Entry::Altered { patch, .. } => self.shelf.alter(patch).map_err(misfit),
            Entry::Turned { to, .. } => {
                self.shelf.turn(*to);
                Ok(())
            }
            Entry::StockAdded { sku, units, .. } => {
                self.shelf.bring_in(*sku, units.0.into()).map_err(misfit)
            }
            Entry::WrittenOff { .. } if stdx::mutants::is("projector-skips-write-offs") => Ok(()),
            Entry::WrittenOff { sku, units, .. } => {
                let gone =
                    self.shelf
                        .shift(*sku, units.0.into(), Spot::Available, Spot::WrittenOff);
                gone.map_err(misfit)
            }
            Entry::Placed(placed) => {
                let row = orders::placed(&mut self.shelf, at, placed, None).map_err(misfit)?;
                self.changes.add(row);
                Ok(())
            }
            Entry::Dealt(dealt) => self.dealt(writer, at, dealt),
            Entry::Expired { orders } => orders
                .iter()
                .try_for_each(|&order| self.order(writer, at, order, |folding| folding.expired())),
            Entry::HoldsExtended { orders, by_ms } => orders.iter().try_for_each(|&order| {
                self.order(writer, at, order, |folding| {
                    folding.extended(*by_ms);
                    Ok(())
                })
            }),
            Entry::BalanceLapsed { orders } => orders.iter().try_for_each(|lapsed| {
                self.order(writer, at, lapsed.order, |folding| {
                    folding.lapsed(lapsed.refund.as_ref())
                })
            }),
            Entry::TeamEnded { .. } | Entry::TeamSettled { .. } | Entry::Drawn { .. } => {
                self.team_entry(writer, at, entry)
            }
            Entry::Waits(_)
            | Entry::WaitsKnown { .. }
            | Entry::LeftLine { .. }
            | Entry::LineOffered(_) => self.line_entry(writer, at, entry),
            Entry::Noted { .. } => Ok(()),
            _ => self.order_entry(writer, at, entry),
        }
    }

    /// An order with more than its lines.
    fn dealt(&mut self, writer: &Writer, at: Moment, dealt: &Dealt) -> Result<(), ProjectorError> {
        let misfit = |detail| ProjectorError::Misfit {
            sequence: at.sequence,
            detail,
        };
        let (placed, deal) = (&dealt.placed, &dealt.deal);
        let mut draws = false;
        if let Some(seat) = &deal.seat {
            if let Some(opening) = &seat.opens {
                let team = teams::opened(&mut self.shelf, at, seat.team, opening);
                self.changes.put_team(team.map_err(misfit)?);
            }
            let rule = self.team(writer, at, seat.team)?.rule;
            draws = self.shelf.rule(rule).map_err(misfit)?.0.prizes.is_some();
        }
        let deal = deals::deal_row(deal, draws);
        let row = orders::placed(&mut self.shelf, at, placed, deal).map_err(misfit)?;
        self.changes.add(row);
        self.order(writer, at, placed.order, |folding| folding.seated())
    }

    fn team(
        &mut self,
        writer: &Writer,
        at: Moment,
        number: u32,
    ) -> Result<&mut TeamRow, ProjectorError> {
        let key = OrderKey {
            sale: self.sale,
            number,
        };
        let found = self.changes.team(writer, key)?;
        found.ok_or_else(|| ProjectorError::Misfit {
            sequence: at.sequence,
            detail: format!("there is no team {number}"),
        })
    }

    /// An entry about a team as a whole.
    fn team_entry(
        &mut self,
        writer: &Writer,
        at: Moment,
        entry: &Entry,
    ) -> Result<(), ProjectorError> {
        let misfit = |detail| ProjectorError::Misfit {
            sequence: at.sequence,
            detail,
        };
        match entry {
            Entry::TeamEnded { team, how } => {
                let mut row = self.team(writer, at, *team)?.clone();
                let mut seats = Seats { team: &mut row, at };
                seats.ended(&mut self.shelf, *how).map_err(misfit)?;
                self.changes.put_team(row);
            }
            Entry::TeamSettled { team, orders } => {
                for settled in orders {
                    self.order(writer, at, settled.order(), |folding| {
                        folding.team_settled(settled)
                    })?;
                }
                let count = u32::try_from(orders.len()).unwrap_or(u32::MAX);
                let mut row = self.team(writer, at, *team)?.clone();
                let mut seats = Seats { team: &mut row, at };
                seats.settled(&mut self.shelf, count).map_err(misfit)?;
                self.changes.put_team(row);
            }
            Entry::Drawn { team, .. } => self.team(writer, at, *team)?.drawn = true,
            _ => {}
        }
        Ok(())
    }

    /// An entry about a place in the line.
    fn line_entry(
        &mut self,
        writer: &Writer,
        at: Moment,
        entry: &Entry,
    ) -> Result<(), ProjectorError> {
        match entry {
            Entry::Waits(waits) | Entry::WaitsKnown { waits, .. } => {
                let buyer = match (&waits.buyer, &waits.key.by) {
                    (Some(buyer), _) | (None, By::Buyer(buyer)) => &**buyer,
                    _ => "",
                };
                self.changes.put_ticket(TicketRow {
                    key: self.key(waits.ticket),
                    sku: waits.sku,
                    units: waits.units,
                    buyer: buyer.into(),
                    since_ms: at.time_ms,
                    state: number(TICKET_STATES, &TicketState::Waiting),
                    offered: None,
                });
            }
            Entry::LeftLine { ticket, .. } => {
                let left = number(TICKET_STATES, &TicketState::Left);
                self.ticket(writer, at, *ticket)?.state = left;
            }
            Entry::LineOffered(offer) => {
                let ticket = self.ticket(writer, at, offer.ticket)?;
                ticket.state = number(TICKET_STATES, &TicketState::Offered);
                ticket.offered = Some(offer.order);
                let (sku, buyer) = (ticket.sku, ticket.buyer.clone());
                let row = orders::offered(&mut self.shelf, at, offer, (sku, &buyer));
                let row = row.map_err(|detail| ProjectorError::Misfit {
                    sequence: at.sequence,
                    detail,
                })?;
                self.changes.add(row);
            }
            _ => {}
        }
        Ok(())
    }

    fn key(&self, number: u32) -> OrderKey {
        OrderKey {
            sale: self.sale,
            number,
        }
    }

    fn ticket(
        &mut self,
        writer: &Writer,
        at: Moment,
        number: u32,
    ) -> Result<&mut TicketRow, ProjectorError> {
        let key = self.key(number);
        let found = self.changes.ticket(writer, key)?;
        found.ok_or_else(|| ProjectorError::Misfit {
            sequence: at.sequence,
            detail: format!("there is no ticket {number}"),
        })
    }

    /// An entry about one order that exists.
    fn order_entry(
        &mut self,
        writer: &Writer,
        at: Moment,
        entry: &Entry,
    ) -> Result<(), ProjectorError> {
        let order = match entry {
            Entry::PayBegun { order, .. }
            | Entry::Captured { order, .. }
            | Entry::ChargeFailed { order, .. }
            | Entry::ChargeUnknown { order, .. }
            | Entry::ChargeAuthorised { order, .. }
            | Entry::GivenUp { order, .. }
            | Entry::Cancelled { order, .. }
            | Entry::Refunded { order, .. }
            | Entry::RefundFailed { order, .. }
            | Entry::ChargedBack { order, .. }
            | Entry::Shipped { order, .. }
            | Entry::ShippedInPart { order, .. }
            | Entry::Delivered { order, .. } => *order,
            Entry::RefundBegun { refund, .. } => refund.order,
            Entry::RefundsBegun { refunds, .. } => match refunds.first() {
                Some(first) => first.order,
                None => return Ok(()),
            },
            _ => return Ok(()),
        };
        self.order(writer, at, order, |folding| fold_order(folding, entry))
    }

    fn order(
        &mut self,
        writer: &Writer,
        at: Moment,
        number: u32,
        fold: impl FnOnce(&mut Folding<'_>) -> Result<(), String>,
    ) -> Result<(), ProjectorError> {
        let misfit = |detail| ProjectorError::Misfit {
            sequence: at.sequence,
            detail,
        };
        let key = self.key(number);
        let missing = || misfit(format!("there is no order {number}"));
        let (row, _) = self.changes.order(writer, key)?.ok_or_else(missing)?;
        let team = match row.deal.as_ref().and_then(|deal| deal.team) {
            Some(team) => Some(self.team(writer, at, team)?.clone()),
            None => None,
        };
        let (row, events) = self.changes.order(writer, key)?.ok_or_else(missing)?;
        let mut folding = Folding {
            row,
            events,
            shelf: &mut self.shelf,
            team,
            at,
        };
        fold(&mut folding).map_err(|detail| misfit(format!("order {number}: {detail}")))?;
        folding.settle();
        if let Some(team) = folding.team {
            self.changes.put_team(team);
        }
        Ok(())
    }
}

fn fold_order(order: &mut Folding<'_>, entry: &Entry) -> Result<(), String> {
    match entry {
        Entry::PayBegun {
            attempt, amount, ..
        } => order.pay_begun(*attempt, amount.0),
        Entry::Captured {
            attempt,
            amount,
            fate,
            ..
        } => return order.captured(*attempt, amount.0, *fate),
        Entry::ChargeFailed { attempt, .. } => order.charge_failed(*attempt),
        Entry::ChargeUnknown { attempt, .. } => order.charge_unknown(*attempt),
        Entry::Cancelled { refund, .. } => return order.cancelled(refund.as_ref()),
        Entry::ChargeAuthorised {
            attempt, amount, ..
        } => order.authorised(*attempt, amount.0),
        Entry::RefundBegun { refund, .. } => return order.refund_begun(refund),
        Entry::RefundsBegun { refunds, .. } => {
            return refunds
                .iter()
                .try_for_each(|refund| order.refund_begun(refund));
        }
        Entry::GivenUp { refunds, .. } => return order.given_up(refunds),
        Entry::Refunded { number, .. } => return order.refunded(*number),
        Entry::RefundFailed { number, again, .. } => return order.refund_failed(*number, *again),
        Entry::ChargedBack {
            amount, reference, ..
        } => order.charged_back(amount.0, reference),
        Entry::Shipped { .. } => return order.moved_on(Phase::Shipped, OrderEventKind::Shipped),
        Entry::ShippedInPart { rest, .. } => {
            order.own_refund(rest)?;
            return order.moved_on(Phase::Shipped, OrderEventKind::Shipped);
        }
        Entry::Delivered { .. } => {
            return order.moved_on(Phase::Delivered, OrderEventKind::Delivered);
        }
        _ => {}
    }
    Ok(())
}
