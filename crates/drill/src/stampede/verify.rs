//! The oracles: what clients were told, what the journal says, what the provider did. They must all agree.
//!
//! INV-1 (no oversell), INV-2 (no over-refund), INV-3 (one outcome per order), INV-4 (one effect per key), INV-5 (limits
//! hold), INV-7 (shown means durable), INV-8 (the chain is unbroken), INV-9 and INV-10 (units and money are conserved)
//! are asked here from the outside.

use super::memory::{Contradiction, Memory, Told};
use super::plan::UNITS_PER_BUYER;
use crate::audit::{AuditReport, AuditedOrder, AuditedStock};
use api::order::OrderState;
use api::provider::{ChargeOutcome, ProviderCharge, ProviderRefund, RefundOutcome};
use api::{OrderId, Position, RefundId, SaleId};
use std::collections::{BTreeMap, BTreeSet};

/// Findings that are told; the rest is counted.
const FINDINGS_MAX: usize = 200;

/// Everything that is held against one another.
pub(super) struct Evidence<'a> {
    pub(super) sale: SaleId,
    pub(super) memories: &'a [Memory],
    pub(super) receipts: &'a [(SaleId, Position)],
    pub(super) audit: &'a AuditReport,
    pub(super) charges: &'a [ProviderCharge],
    pub(super) refunds: &'a [ProviderRefund],
    /// Units that the merchant was told were taken in, by SKU.
    pub(super) stocked: &'a BTreeMap<Box<str>, u64>,
}

/// What the oracles found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Findings {
    /// Units sold or held beyond the stock.
    pub(super) oversold: u64,
    /// Things that a client was told and that are not so.
    pub(super) lost: u64,
    /// Orders or money that exist twice or without anybody asking.
    pub(super) doubled: u64,
    /// In words; also what fits none of the three.
    pub(super) words: Vec<String>,
}

impl Findings {
    fn oversold(&mut self, units: u64, what: String) {
        self.oversold += units;
        self.say(what);
    }

    fn lost(&mut self, what: String) {
        self.lost += 1;
        self.say(what);
    }

    fn doubled(&mut self, what: String) {
        self.doubled += 1;
        self.say(what);
    }

    pub(super) fn say(&mut self, what: String) {
        if self.words.len() < FINDINGS_MAX {
            self.words.push(what);
        }
    }
}

/// Asks every oracle.
pub(super) fn verify(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    let orders: BTreeMap<OrderId, &AuditedOrder> = evidence
        .audit
        .orders
        .iter()
        .map(|order| (order.id, order))
        .collect();
    for problem in &evidence.audit.problems {
        findings.say(format!("the audit says: {problem}"));
    }
    // A refund that the provider refused was tried and failed; its merchant is told so, and nothing is lost.
    let refused = evidence
        .refunds
        .iter()
        .filter(|refund| refund.outcome == RefundOutcome::Declined)
        .map(|refund| refund.request.key)
        .collect();
    for memory in evidence.memories {
        remember(memory, &orders, &refused, &mut findings);
    }
    uninvited(evidence, &mut findings);
    receipts(evidence, &mut findings);
    stock(evidence, &mut findings);
    limits(evidence, &mut findings);
    money(evidence, &orders, &mut findings);
    findings
}

/// Everything that one buyer was told is in the journal.
fn remember(
    memory: &Memory,
    orders: &BTreeMap<OrderId, &AuditedOrder>,
    refused: &BTreeSet<RefundId>,
    findings: &mut Findings,
) {
    for contradiction in &memory.contradictions {
        match contradiction {
            Contradiction::TwoOrders(what) => findings.doubled(what.clone()),
            Contradiction::OtherFacts(what) => findings.lost(what.clone()),
        }
    }
    for told in &memory.orders {
        let Some(order) = orders.get(&told.id) else {
            findings.lost(format!(
                "{} was told to {} and is gone",
                told.id, memory.buyer
            ));
            continue;
        };
        if let Some(what) = differs(memory, told, order, refused) {
            findings.lost(format!("{}: {what}", told.id));
        }
    }
}

fn differs(
    memory: &Memory,
    told: &Told,
    order: &AuditedOrder,
    refused: &BTreeSet<RefundId>,
) -> Option<String> {
    let same_line =
        matches!(&order.lines[..], [line] if line.sku == told.sku && line.units == told.units);
    let refunds = told.refunds.iter();
    let promised: i64 = refunds
        .filter(|(refund, _)| !refused.contains(refund))
        .map(|(_, amount)| amount)
        .sum();
    if order.buyer.as_deref() != Some(&*memory.buyer) {
        Some("belongs to another buyer".into())
    } else if !same_line || order.total_minor != told.total_minor {
        Some("has other lines or another price".into())
    } else if told.paid && !order.is_sold() {
        Some(format!("was told paid and is {}", order.state.name()))
    } else if told.cancelled && order.state != OrderState::Cancelled {
        Some(format!("was told cancelled and is {}", order.state.name()))
    } else if order.refunded_minor + order.refund_pending_minor < promised {
        Some("misses a refund that was promised".into())
    } else {
        None
    }
}

/// What one buyer may have without knowing.
struct Unknown {
    told: BTreeSet<OrderId>,
    unresolved: u32,
    strays: u32,
}

/// Nobody has an order that it was not told of, but for keys whose answer nobody heard; and for a request that arrived
/// after its own repetition had been refused, as long as nobody was made to pay for it.
fn uninvited(evidence: &Evidence<'_>, findings: &mut Findings) {
    let mut buyers: BTreeMap<&str, Unknown> = BTreeMap::new();
    for memory in evidence.memories {
        let unknown = Unknown {
            told: memory.orders.iter().map(|told| told.id).collect(),
            unresolved: memory.unresolved,
            strays: memory.strays,
        };
        buyers.insert(&memory.buyer, unknown);
    }
    for order in &evidence.audit.orders {
        let unpaid = !order.is_sold() && order.captured_minor == 0;
        let buyer = order.buyer.as_deref();
        match buyer.and_then(|buyer| buyers.get_mut(buyer)) {
            Some(buyer) if buyer.told.contains(&order.id) => {}
            Some(buyer) if unpaid && buyer.strays > 0 => buyer.strays -= 1,
            Some(buyer) if buyer.unresolved > 0 => buyer.unresolved -= 1,
            _ => findings.doubled(format!("nobody was told of {}", order.id)),
        }
    }
}

/// Every receipt that anybody holds is on the journal's chain.
fn receipts(evidence: &Evidence<'_>, findings: &mut Findings) {
    for (sale, position) in evidence.receipts {
        if !evidence.audit.holds(*sale, position) {
            findings.lost(format!(
                "the receipt {sale} {position} is not in the journal"
            ));
        }
    }
}

/// No unit is sold that never came in, and none vanishes.
fn stock(evidence: &Evidence<'_>, findings: &mut Findings) {
    let mut counted: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for order in &evidence.audit.orders {
        for line in &order.lines {
            let (sold, held) = counted.entry(&line.sku).or_default();
            if order.is_sold() {
                *sold += u64::from(line.units.saturating_sub(line.restocked));
            } else if order.is_held() {
                *held += u64::from(line.units);
            }
        }
    }
    let mut seen = 0;
    for sku in evidence
        .audit
        .stock
        .iter()
        .filter(|sku| sku.sale == evidence.sale)
    {
        let (sold, held) = counted.get(&*sku.sku).copied().unwrap_or_default();
        one_sku(sku, sold, held, findings);
        let expected = evidence.stocked.get(&sku.sku).copied();
        if expected != Some(sku.stocked) {
            findings.lost(format!(
                "{}: {} units came in, the merchant was told {expected:?}",
                sku.sku, sku.stocked
            ));
        }
        seen += 1;
    }
    if seen != evidence.stocked.len() {
        findings.lost(format!(
            "{} SKUs were on sale, the journal has {seen}",
            evidence.stocked.len()
        ));
    }
}

fn one_sku(sku: &AuditedStock, sold: u64, held: u64, findings: &mut Findings) {
    let taken = sold + held + sku.written_off;
    if taken > sku.stocked {
        let over = taken - sku.stocked;
        findings.oversold(over, format!("{}: {over} units too many are sold", sku.sku));
    }
    if (sku.sold, sku.held) != (sold, held) {
        findings.say(format!(
            "{}: {} sold and {} held, but the orders say {sold} and {held}",
            sku.sku, sku.sold, sku.held
        ));
    }
    if sku.available + sku.held + sku.sold + sku.written_off != sku.stocked {
        findings.say(format!("{}: units are not conserved: {sku:?}", sku.sku));
    }
}

/// Nobody has more than the limit.
fn limits(evidence: &Evidence<'_>, findings: &mut Findings) {
    let mut units: BTreeMap<&str, u32> = BTreeMap::new();
    for order in &evidence.audit.orders {
        if order.is_sold() || order.is_held() {
            let lines = order.lines.iter();
            let kept: u32 = lines
                .map(|line| line.units.saturating_sub(line.returned))
                .sum();
            *units
                .entry(order.buyer.as_deref().unwrap_or_default())
                .or_default() += kept;
        }
    }
    for (buyer, units) in units {
        if units > UNITS_PER_BUYER {
            findings.say(format!(
                "{buyer} has {units} units, {UNITS_PER_BUYER} are allowed"
            ));
        }
    }
}

/// What the provider's own ledger says of one order.
#[derive(Default)]
struct Moved {
    captured: i64,
    refunded: i64,
}

/// Every paid order was charged exactly once, and nobody else was.
fn money(
    evidence: &Evidence<'_>,
    orders: &BTreeMap<OrderId, &AuditedOrder>,
    findings: &mut Findings,
) {
    let mut moved: BTreeMap<OrderId, Moved> = BTreeMap::new();
    for charge in evidence.charges {
        let order = moved.entry(charge.request.order).or_default();
        if charge.outcome == ChargeOutcome::Captured {
            order.captured += charge.request.amount_minor;
        }
    }
    for refund in evidence.refunds {
        let order = moved.entry(refund.request.charge.order).or_default();
        if refund.outcome == RefundOutcome::Refunded {
            order.refunded += refund.request.amount_minor;
        }
    }
    for (id, money) in &moved {
        match orders.get(id) {
            Some(order) => one_order(order, money, findings),
            None if money.captured > money.refunded => {
                findings.doubled(format!("{id} was charged and does not exist"));
            }
            None => {}
        }
    }
    for order in orders.values() {
        if order.is_sold() && order.total_minor > 0 && !moved.contains_key(&order.id) {
            findings.say(format!(
                "{} is {} and was never charged",
                order.id,
                order.state.name()
            ));
        }
    }
}

fn one_order(order: &AuditedOrder, money: &Moved, findings: &mut Findings) {
    let kept = money.captured - money.refunded;
    let (booked, pending) = (
        order.captured_minor - order.refunded_minor,
        order.refund_pending_minor,
    );
    // A refund that is on its way may have arrived already.
    if kept > booked || kept < booked - pending {
        findings.say(format!(
            "{}: the provider keeps {kept}, the book says {booked} with {pending} on the way back",
            order.id
        ));
    }
    if money.refunded > money.captured {
        findings.say(format!("{}: more was refunded than captured", order.id));
    }
    let due = if order.is_sold() {
        order.total_minor
    } else {
        0
    };
    if kept - pending > due {
        findings.doubled(format!(
            "{} is {}, {due} is due, the provider keeps {kept}",
            order.id,
            order.state.name()
        ));
    }
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
