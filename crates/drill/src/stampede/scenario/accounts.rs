//! Money and teams in the end: the journal as an auditor reads it, held against the provider's own ledger and against
//! what was seen of orders and teams.

use super::super::verify::Findings;
use super::ending::{Seen, is_settled};
use crate::audit::{AuditReport, AuditedOrder};
use api::order::{Order, OrderState};
use api::provider::{ChargeOutcome, ProviderLedger, RefundOutcome};
use api::team::TeamState;
use api::{OrderId, Position, SaleId};
use std::collections::{BTreeMap, BTreeSet};

/// What the books come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct Books {
    /// Teams that came about and are settled.
    pub(in super::super) teams_complete: u64,
    /// Teams that did not, and whose members got everything back.
    pub(in super::super) teams_refunded: u64,
    /// Money that the provider captured, minor units.
    pub(in super::super) money_in_minor: i64,
    /// Money that the provider gave back, minor units.
    pub(in super::super) money_out_minor: i64,
    /// Money on its way back, minor units.
    pub(in super::super) money_open_minor: i64,
    /// Orders and teams that did not come to their end.
    pub(in super::super) unsettled: u64,
}

/// Money of each order at the provider: in, back.
pub(super) type Till = BTreeMap<OrderId, (i64, i64)>;

/// What the provider moved, order by order.
pub(super) fn till(provider: &dyn ProviderLedger) -> Till {
    let mut till = Till::new();
    for charge in provider.charges() {
        if charge.outcome == ChargeOutcome::Captured {
            till.entry(charge.request.order).or_default().0 += charge.request.amount_minor;
        }
    }
    for refund in provider.refunds() {
        if refund.outcome == RefundOutcome::Refunded {
            till.entry(refund.request.charge.order).or_default().1 += refund.request.amount_minor;
        }
    }
    till
}

impl Books {
    /// Adds up journal, provider and teams.
    pub(in super::super) fn of(
        audit: &AuditReport,
        provider: &dyn ProviderLedger,
        seen: &Seen,
    ) -> Self {
        let till = till(provider);
        let of = |state| {
            let teams = seen.teams.values().filter(|team| team.state == state);
            teams.filter(|team| is_settled(team)).count() as u64
        };
        let unsettled = audit.orders.iter().filter(|order| is_open(order));
        Self {
            teams_complete: of(TeamState::Complete),
            teams_refunded: of(TeamState::Failed),
            money_in_minor: till.values().map(|(taken, _)| taken).sum(),
            money_out_minor: till.values().map(|(_, back)| back).sum(),
            money_open_minor: audit.orders.iter().map(|of| of.refund_pending_minor).sum(),
            unsettled: (unsettled.count() + seen.loose_teams().count()) as u64,
        }
    }
}

/// Whether the order is not at its end, or money of it is on its way back.
fn is_open(order: &AuditedOrder) -> bool {
    order.is_held() || order.state == OrderState::Deposited || order.refund_pending_minor > 0
}

/// What does not add up. Whether everything came to its end is judged with the [`Books`].
pub(super) fn judge(
    findings: &mut Findings,
    (audit, provider): (&AuditReport, &dyn ProviderLedger),
    (told, receipts): (&[OrderId], &[(SaleId, Position)]),
    seen: &Seen,
) {
    for problem in &audit.problems {
        findings.say(format!("the audit says: {problem}"));
    }
    for stock in &audit.stock {
        let taken = stock.sold + stock.held + stock.written_off;
        if taken > stock.stocked {
            findings.oversold += taken - stock.stocked;
            findings.say(format!("{} was oversold", stock.sku));
        }
    }
    let known: BTreeSet<OrderId> = audit.orders.iter().map(|order| order.id).collect();
    for id in told.iter().filter(|id| !known.contains(id)) {
        findings.lost += 1;
        findings.say(format!("{id} was told to its buyer and is gone"));
    }
    for (sale, position) in receipts.iter().filter(|(sale, at)| !audit.holds(*sale, at)) {
        findings.lost += 1;
        findings.say(format!(
            "the receipt {sale} {position} is not in the journal"
        ));
    }
    money(findings, audit, till(provider), seen);
    teams(findings, seen);
}

/// Each order has at the provider what the journal says, whoever has no goods has his money, and nobody else was charged.
fn money(findings: &mut Findings, audit: &AuditReport, mut till: Till, seen: &Seen) {
    for order in &audit.orders {
        let (taken, back) = till.remove(&order.id).unwrap_or_default();
        if (taken, back) != (order.captured_minor, order.refunded_minor) {
            findings.doubled += 1;
            findings.say(format!(
                "{}: the provider took {taken} and gave {back} back, the journal says {} and {}",
                order.id, order.captured_minor, order.refunded_minor
            ));
        }
        let without = matches!(order.state, OrderState::Cancelled | OrderState::Expired);
        let may_keep = seen.orders.get(&order.id).map_or(0, forfeited);
        if without && taken - back != may_keep {
            findings.lost += 1;
            findings.say(format!("{}: {} kept without goods", order.id, taken - back));
        }
    }
    for (id, (taken, back)) in till.into_iter().filter(|(_, (taken, back))| taken != back) {
        findings.doubled += 1;
        findings.say(format!(
            "{id} does not exist and was charged {}",
            taken - back
        ));
    }
}

/// The deposit that the merchant keeps, since the balance was not paid.
fn forfeited(order: &Order) -> i64 {
    let dues = order.dues.as_ref().filter(|dues| dues.forfeited);
    dues.map_or(0, |dues| dues.deposit_minor)
}

/// Seats are within their team, and a complete one is full.
fn teams(findings: &mut Findings, seen: &Seen) {
    for team in seen.teams.values() {
        let seats = team.seats;
        let taken = seats.held + seats.paid + seats.filled_by_house;
        let full = seats.paid + seats.filled_by_house == seats.total;
        if taken > seats.total || (team.state == TeamState::Complete && !full) {
            findings.say(format!(
                "{}: {seats:?} of a {} team",
                team.id,
                team.state.name()
            ));
        }
        let drawn = team.draw.as_ref().and_then(|draw| {
            let winners = draw.winners.as_ref()?;
            (winners.len() > draw.prizes as usize).then_some(winners.len())
        });
        if let Some(winners) = drawn {
            findings.say(format!("{}: {winners} winners", team.id));
        }
    }
}
