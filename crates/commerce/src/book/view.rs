//! Reading a book: the sale, its SKUs and its orders, as of the last moment the book was told.

use std::sync::Arc;

use ledger::{Currency, Funds, Minor, UnitAccount, UnitPrice};
use serde::{Deserialize, Serialize};

use super::order::{Charge, Line, Order, RefundState};
use super::{Book, Sku};
use crate::plan::{Limits, Rule, SaleState, Window};
use crate::{OrderStatus, Time};

/// How many orders a sale has, by what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Ever placed.
    pub placed: u32,
    /// Waiting for payment.
    pub held: u32,
    /// Paid and not given up.
    pub paid: u32,
    /// Given up.
    pub cancelled: u32,
    /// Not paid in time.
    pub expired: u32,
}

/// A SKU, to read.
#[derive(Debug, Clone, Copy)]
pub struct SkuRef<'a>(&'a Sku);

impl<'a> SkuRef<'a> {
    /// The merchant's code.
    pub fn sku(&self) -> &'a Arc<str> {
        &self.0.sku
    }

    /// A title for people.
    pub fn title(&self) -> &'a str {
        &self.0.title
    }

    /// The price of one unit.
    pub fn price(&self) -> UnitPrice {
        self.0.price
    }

    /// Its limits.
    pub fn limits(&self) -> Limits {
        self.0.limits
    }

    /// Its units.
    pub fn units(&self) -> UnitAccount {
        self.0.units
    }
}

/// One line of an order, to read.
#[derive(Debug, Clone, Copy)]
pub struct LineRef<'a> {
    line: &'a Line,
    sku: &'a Sku,
}

impl<'a> LineRef<'a> {
    /// The merchant's code of the SKU.
    pub fn sku(&self) -> &'a Arc<str> {
        &self.sku.sku
    }

    /// How many units were ordered.
    pub fn units(&self) -> u32 {
        self.line.units.get()
    }

    /// How many of them were refunded by line.
    pub fn returned(&self) -> u32 {
        self.line.returned
    }

    /// The price of one unit.
    pub fn price(&self) -> UnitPrice {
        self.line.price
    }

    /// The price of the line.
    pub fn total(&self, currency: Currency) -> Minor {
        self.line
            .price
            .times(self.line.units.get(), currency)
            .unwrap_or_default()
    }
}

/// A refund, to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefundRef {
    /// Its number in the order, from 1.
    pub number: u16,
    /// How much.
    pub amount: Minor,
    /// How far it is.
    pub state: RefundState,
    /// Begun by Tidegate itself.
    pub automatic: bool,
    /// Units given back into stock.
    pub units_restocked: u32,
}

/// What is known of the latest charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChargeView {
    /// Nothing was tried.
    None,
    /// Under way.
    Charging,
    /// Nobody knows.
    Unknown,
    /// Refused.
    Failed,
    /// Captured.
    Captured,
    /// Collected elsewhere.
    Elsewhere,
    /// There was nothing to pay.
    Free,
    /// The money is set aside at the bank.
    Authorised,
}

/// An order, to read.
#[derive(Debug, Clone, Copy)]
pub struct OrderRef<'a> {
    number: u32,
    pub(super) order: &'a Order,
    pub(super) book: &'a Book,
}

impl<'a> OrderRef<'a> {
    /// Its number in the sale.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Whose it is, if it names anybody.
    pub fn buyer(&self) -> Option<&'a str> {
        self.book.buyers.name(self.order.buyer)
    }

    /// Where it stands.
    pub fn status(&self) -> OrderStatus {
        self.order.status(self.book.time)
    }

    /// The whole price.
    pub fn total(&self) -> Minor {
        self.order.total
    }

    /// When it was placed.
    pub fn placed(&self) -> Time {
        self.order.placed
    }

    /// When its hold runs out; meaningful while it is held.
    pub fn deadline(&self) -> Time {
        self.order.deadline()
    }

    /// Its money.
    pub fn funds(&self) -> Funds {
        self.order.funds()
    }

    /// The latest attempt to pay (0 for none), and what is known of it.
    pub fn charge(&self) -> (u16, ChargeView) {
        let view = match self.order.charge {
            Charge::None => ChargeView::None,
            Charge::InFlight => ChargeView::Charging,
            Charge::Unknown => ChargeView::Unknown,
            Charge::Failed => ChargeView::Failed,
            Charge::Captured => ChargeView::Captured,
            Charge::Elsewhere => ChargeView::Elsewhere,
            Charge::Free => ChargeView::Free,
            Charge::Authorised => ChargeView::Authorised,
        };
        (self.order.attempt, view)
    }

    /// Whether the money of this attempt was captured.
    pub fn was_captured(&self, attempt: u16) -> bool {
        self.order.was_captured(attempt)
    }

    /// The attempt whose capture pays the order; 0 for none.
    pub fn kept(&self) -> u16 {
        self.order.kept()
    }

    /// Its lines in order.
    pub fn lines(&self) -> impl Iterator<Item = LineRef<'a>> + use<'a> {
        let skus = &self.book.skus;
        self.order.lines.as_slice().iter().filter_map(|line| {
            let sku = skus.get(line.sku as usize)?;
            Some(LineRef { line, sku })
        })
    }

    /// Units over all lines.
    pub fn units(&self) -> u64 {
        self.order
            .lines
            .as_slice()
            .iter()
            .map(|line| u64::from(line.units.get()))
            .sum()
    }

    /// Its refunds in order.
    pub fn refunds(&self) -> impl Iterator<Item = RefundRef> + use<'a> {
        self.order
            .refunds()
            .iter()
            .zip(1_u16..)
            .map(|(refund, number)| RefundRef {
                number,
                amount: refund.amount,
                state: refund.state,
                automatic: refund.automatic,
                units_restocked: if refund.restocked { refund.units } else { 0 },
            })
    }
}

impl Book {
    /// Whether the sale exists.
    pub fn exists(&self) -> bool {
        self.terms.is_some()
    }

    /// The sale's title.
    pub fn title(&self) -> &str {
        self.terms.as_ref().map_or("", |terms| &terms.title)
    }

    /// The sale's state.
    pub fn state(&self) -> SaleState {
        self.terms
            .as_ref()
            .map_or(SaleState::Draft, |terms| terms.state)
    }

    /// The sale's currency.
    pub fn currency(&self) -> Option<Currency> {
        self.terms.as_ref().map(|terms| terms.currency)
    }

    /// How long a new order's units are held, in milliseconds.
    pub fn hold_ms(&self) -> u32 {
        self.terms.as_ref().map_or(0, |terms| terms.hold_ms)
    }

    /// When the sale sells.
    pub fn window(&self) -> Window {
        self.terms
            .as_ref()
            .map(|terms| terms.window)
            .unwrap_or_default()
    }

    /// The sale's limits over all SKUs.
    pub fn limits(&self) -> Limits {
        self.terms
            .as_ref()
            .map(|terms| terms.limits)
            .unwrap_or_default()
    }

    /// The sale's rules.
    pub fn rules(&self) -> &[Rule] {
        self.terms.as_ref().map_or(&[], |terms| &terms.rules)
    }

    /// When the sale was created.
    pub fn created(&self) -> Time {
        self.terms
            .as_ref()
            .map(|terms| terms.created)
            .unwrap_or_default()
    }

    /// The SKUs in the order of the plan.
    pub fn skus(&self) -> impl Iterator<Item = SkuRef<'_>> {
        self.skus.iter().map(SkuRef)
    }

    /// One SKU by the merchant's code.
    pub fn find_sku(&self, sku: &str) -> Option<SkuRef<'_>> {
        let &at = self.sku_places.get(sku)?;
        self.skus.get(at as usize).map(SkuRef)
    }

    /// One SKU by its place, as entries name it.
    pub fn sku_at(&self, at: u32) -> Option<SkuRef<'_>> {
        self.skus.get(at as usize).map(SkuRef)
    }

    /// How many orders there are.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// An order by its number.
    pub fn order(&self, number: u32) -> Option<OrderRef<'_>> {
        self.orders.get(number).map(|order| OrderRef {
            number,
            order,
            book: self,
        })
    }

    /// All orders, in the order of their numbers.
    pub fn orders(&self) -> impl Iterator<Item = OrderRef<'_>> {
        (0..self.orders.len()).filter_map(|number| self.order(number))
    }

    /// How many idempotency keys are bound, and how many buyers are known.
    pub fn counts(&self) -> (u32, u32) {
        (self.keys.len(), self.buyers.len())
    }
}
