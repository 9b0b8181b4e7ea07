//! INV-11: the read models, caught up, say the same as the journal.

use api::order::{Order, OrderState};

use super::gather::{PlaceIs, PlaceRow, TeamIs, TeamRow};
use super::provider::Books;
use super::rows::{OrderRow, Rows};
use super::{company, facts};
use crate::record::{Evidence, Finding, Modelled};
use storage::models::TicketRow;

/// Everything that the lists say and the journals do not, or the other way round.
pub(super) fn judge(evidence: &Evidence, books: &Books, findings: &mut Vec<Finding>) {
    for (sale, orders) in &evidence.listed {
        let mut found = |what: String| {
            findings.push(Finding::new("INV-11", format!("sale {sale}: {what}")));
        };
        let Some(rows) = books.get(sale) else {
            found("listed, and there is no journal".into());
            continue;
        };
        let mut seen = vec![false; rows.orders.len()];
        for order in orders {
            let at = usize::try_from(order.id.number()).unwrap_or(usize::MAX);
            let (Some(row), Some(seen)) = (rows.orders.get(at), seen.get_mut(at)) else {
                found(format!("{} is listed and in no journal", order.id));
                continue;
            };
            if std::mem::replace(seen, true) {
                found(format!("{} is listed twice", order.id));
            }
            if let Some(what) = differs(rows, row, order) {
                found(what);
            }
        }
        for (at, _) in seen.iter().enumerate().filter(|(_, seen)| !**seen) {
            found(format!("order {at} is not listed"));
        }
        if let Some(of_sale) = evidence.modelled.get(sale) {
            modelled(rows, of_sale, found);
        }
    }
}

/// Teams and places in line, row by row.
fn modelled(rows: &Rows, modelled: &Modelled, mut found: impl FnMut(String)) {
    let gathered = &rows.gathered;
    let counts = (modelled.teams.len(), modelled.places.len());
    if counts != (gathered.teams.len(), gathered.places.len()) {
        found(format!("{counts:?} teams and places are modelled"));
    }
    for (team, row) in modelled.teams.iter().zip(&gathered.teams) {
        if !is_team(rows, team, row) {
            found(format!("a team is modelled as {team:?}, it is {row:?}"));
        }
    }
    for (nth, (place, row)) in modelled.places.iter().zip(&gathered.places).enumerate() {
        if !is_place(nth, place, row) {
            found(format!("a place is modelled as {place:?}, it is {row:?}"));
        }
    }
}

fn is_team(rows: &Rows, team: &storage::models::TeamRow, row: &TeamRow) -> bool {
    let state = match row.is {
        TeamIs::Open => 0,
        TeamIs::Complete => 1,
        TeamIs::Failed => 2,
    };
    let size = rows.gathered.rule(row).map(|rule| u32::from(rule.size));
    let seats = [team.held, team.paid, team.filled, team.prizes].map(i64::from);
    let is = [row.held(), row.filled() - row.house, row.house, row.prizes];
    let counts = [team.rule, team.members, team.settled].map(usize::try_from);
    team.state == state
        && Some(team.size) == size
        && (team.opened_ms, team.ends_ms) == (row.opened, row.ends)
        && team.ended_ms.is_some() == (row.is != TeamIs::Open)
        && seats == is
        && counts == [row.rule, row.seats.len(), row.settled].map(Ok)
        && (team.house_fills, team.drawn) == (row.fills, row.winners.is_some())
}

fn is_place(nth: usize, place: &TicketRow, row: &PlaceRow) -> bool {
    let state = match row.is {
        PlaceIs::Waiting => 0,
        PlaceIs::Offered => 1,
        PlaceIs::Left => 2,
    };
    let order = place.offered.map(usize::try_from);
    usize::try_from(place.key.number) == Ok(nth)
        && usize::try_from(place.sku) == Ok(row.sku)
        && (i64::from(place.units), &*place.buyer) == (row.units, &*row.buyer)
        && (place.state, place.since_ms) == (state, row.since.1)
        && order == row.order.map(Ok)
}

fn differs(rows: &Rows, row: &OrderRow, order: &Order) -> Option<String> {
    if order.id.sale().get() != rows.sale || order.sale_id.get() != rows.sale {
        return Some(format!("{} is listed under another sale", order.id));
    }
    if let Some(what) = facts::of_order(rows, row, order) {
        return Some(what);
    }
    let look = row.look();
    let money = [
        (order.captured_minor, look.captured),
        (order.refunded_minor, look.refunded),
        (order.refund_pending_minor, look.pending),
        (order.charged_back_minor, look.charged_back),
    ];
    let waits = matches!(
        look.state,
        OrderState::Held | OrderState::Paying | OrderState::Deposited
    );
    let state = order.state == look.state || (waits && order.state == OrderState::Expired);
    let payment = order
        .payment
        .as_ref()
        .map(|payment| (payment.id.attempt, payment.state));
    let refunds = order.refunds.len() == row.refunds.len()
        && order
            .refunds
            .iter()
            .zip(&row.refunds)
            .all(|(listed, row)| listed.state == row.state);
    let mut lines = order.lines.iter().zip(&row.lines);
    let returned = lines.all(|(listed, row)| i64::from(listed.returned_quantity) == row.returned);
    let same = state
        && money.iter().all(|(listed, is)| listed == is)
        && payment == row.payment()
        && refunds
        && returned
        && company::looked(&look, order)
        && (order.team.as_ref())
            .is_none_or(|team| company::seated_at_last(rows, order.id.number(), team));
    (!same).then(|| format!("{} is listed as {order:?}, it is {row:?}", order.id))
}
