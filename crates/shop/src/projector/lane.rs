//! One sale's way from its journal into the read models.

use api::order::OrderEventKind;
use commerce::Entry;
use commerce::record::Records;
use storage::models::{OrderKey, PositionRow, Writer};
use world::journal::Batch;

use super::ProjectorError;
use super::changes::Changes;
use super::orders::{self, Folding, Moment};
use super::shelf::{Shelf, Spot};
use super::words::Phase;

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
                let row = orders::placed(&mut self.shelf, at, placed).map_err(misfit)?;
                self.changes.add(row);
                Ok(())
            }
            Entry::Expired { orders } => orders
                .iter()
                .try_for_each(|&order| self.order(writer, at, order, |folding| folding.expired())),
            Entry::Noted { .. } => Ok(()),
            _ => self.order_entry(writer, at, entry),
        }
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
            | Entry::Cancelled { order, .. }
            | Entry::Refunded { order, .. }
            | Entry::RefundFailed { order, .. }
            | Entry::ChargedBack { order, .. }
            | Entry::Shipped { order, .. }
            | Entry::ShippedInPart { order, .. }
            | Entry::Delivered { order, .. } => *order,
            Entry::RefundBegun { refund, .. } => refund.order,
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
        let key = OrderKey {
            sale: self.sale,
            number,
        };
        let found = self.changes.order(writer, key)?;
        let (row, events) = found.ok_or_else(|| misfit(format!("there is no order {number}")))?;
        let mut folding = Folding {
            row,
            events,
            shelf: &mut self.shelf,
            at,
        };
        fold(&mut folding).map_err(|detail| misfit(format!("order {number}: {detail}")))?;
        folding.settle();
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
        Entry::RefundBegun { refund, .. } => return order.refund_begun(refund),
        Entry::Refunded { number, .. } => return order.refunded(*number),
        Entry::RefundFailed { number, again, .. } => return order.refund_failed(*number, *again),
        Entry::ChargedBack {
            amount, reference, ..
        } => order.charged_back(amount.0, reference),
        Entry::Shipped { .. } => return order.moved_on(Phase::Shipped, OrderEventKind::Shipped),
        Entry::ShippedInPart { rest, .. } => {
            order.refund_begun(rest)?;
            return order.moved_on(Phase::Shipped, OrderEventKind::Shipped);
        }
        Entry::Delivered { .. } => {
            return order.moved_on(Phase::Delivered, OrderEventKind::Delivered);
        }
        _ => {}
    }
    Ok(())
}
