//! Money and teams in the end: the journal as an auditor reads it, held against the provider's own ledger and against
//! what was seen of orders and teams.

use super::super::verify::Findings;
use super::{Seen, is_loose};
use crate::audit::AuditReport;
use api::OrderId;
use api::order::OrderState;
use api::provider::{ChargeOutcome, ProviderLedger, RefundOutcome};
use api::team::{Team, TeamState};
use std::collections::BTreeMap;

/// What the books come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct Books {
    /// Teams that came about.
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

/// Money of one order at the provider: in, back.
type Till = BTreeMap<OrderId, (i64, i64)>;

pub(in super::super) struct Accounts {
    pub(in super::super) books: Books,
}

fn till(provider: &dyn ProviderLedger) -> Till {
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

impl Accounts {
    /// Adds up journal, provider and teams.
    pub(in super::super) fn of(
        audit: &AuditReport,
        provider: &dyn ProviderLedger,
        teams: &[Team],
    ) -> Self {
        let till = till(provider);
        let of = |state| teams.iter().filter(|team| team.state == state).count() as u64;
        let open = |state| {
            matches!(
                state,
                OrderState::Held | OrderState::Paying | OrderState::Deposited
            )
        };
        let unsettled = audit
            .orders
            .iter()
            .filter(|order| open(order.state) || order.refund_pending_minor > 0);
        let books = Books {
            teams_complete: of(TeamState::Complete),
            teams_refunded: of(TeamState::Failed),
            money_in_minor: till.values().map(|(taken, _)| taken).sum(),
            money_out_minor: till.values().map(|(_, back)| back).sum(),
            money_open_minor: audit.orders.iter().map(|of| of.refund_pending_minor).sum(),
            unsettled: unsettled.count() as u64 + of(TeamState::Open),
        };
        Self { books }
    }

    /// What does not add up.
    pub(super) fn judge(
        &self,
        audit: &AuditReport,
        provider: &dyn ProviderLedger,
        told: &[OrderId],
        seen: &Seen,
    ) -> Findings {
        let mut findings = Findings::default();
        for problem in &audit.problems {
            findings.say(problem.clone());
        }
        for stock in &audit.stock {
            if stock.sold + stock.held > stock.stocked {
                findings.oversold += stock.sold + stock.held - stock.stocked;
                findings.say(format!("{} was oversold", stock.sku));
            }
        }
        money(&mut findings, audit, &till(provider));
        let known: std::collections::BTreeSet<OrderId> =
            audit.orders.iter().map(|order| order.id).collect();
        for id in told.iter().filter(|id| !known.contains(id)) {
            findings.lost += 1;
            findings.say(format!(
                "{id} was told to its buyer and is not in the journal"
            ));
        }
        teams(&mut findings, seen);
        if self.books.unsettled > 0 {
            let loose = seen.orders.values().filter(|order| is_loose(order));
            let some: Vec<String> = loose.take(3).map(|order| order.id.to_string()).collect();
            let what = format!("{} did not settle, like {some:?}", self.books.unsettled);
            findings.say(what);
        }
        findings
    }
}

/// Each order has at the provider what the journal says, and whoever has no goods has his money.
fn money(findings: &mut Findings, audit: &AuditReport, till: &Till) {
    for order in &audit.orders {
        let (taken, back) = till.get(&order.id).copied().unwrap_or_default();
        if (taken, back) != (order.captured_minor, order.refunded_minor) {
            findings.doubled += 1;
            findings.say(format!(
                "{}: the provider took {taken} and gave {back} back, the journal says {} and {}",
                order.id, order.captured_minor, order.refunded_minor
            ));
        }
        let without = matches!(order.state, OrderState::Cancelled | OrderState::Expired);
        if without && taken != back {
            findings.lost += 1;
            findings.say(format!("{}: {} kept without goods", order.id, taken - back));
        }
    }
}

/// Seats are within their team, and a complete one is full.
fn teams(findings: &mut Findings, seen: &Seen) {
    for team in &seen.teams {
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
