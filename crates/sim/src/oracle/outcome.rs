//! INV-3: a hold ends once, an order only takes steps that exist, and late money is settled one way or the other.

use commerce::Entry;
use commerce::entry::{By, Fate, Placed};

use super::gather::{TeamIs, TeamRow};
use super::rows::{Attempt, Happening, OrderRow, Phase, Rows, Terms};
use super::{coupons, fold, holds, limits, teams, turns};
use crate::record::Finding;
use commerce::SaleState;

/// Before each entry: what stands in its way.
pub(super) fn before(rows: &Rows, at: &Happening, findings: &mut Vec<Finding>) {
    let mut found = |order: Option<u32>, what: String| {
        let of = order.map_or_else(|| format!("sale {}", rows.sale), |order| rows.name(order));
        let what = format!("{of} batch {}: {what}", at.sequence);
        findings.push(Finding::new("INV-3", what));
    };
    if let Some(what) = turns::in_the_way(rows, at) {
        return found(None, what);
    }
    if let Entry::Expired { orders } = &at.entry {
        for number in orders {
            if let Some(what) = not_expired(rows.order(*number), at.time) {
                found(Some(*number), what.into());
            }
        }
        return;
    }
    let Some(number) = fold::order_of(&at.entry) else {
        return;
    };
    let wrong = match (&at.entry, rows.order(number), &rows.terms) {
        (Entry::Placed(placed), _, Some(terms)) => not_placed(rows, terms, at.time, placed),
        (Entry::Dealt(dealt), _, Some(terms)) => not_placed(rows, terms, at.time, &dealt.placed),
        (Entry::Noted { .. }, ..) => None,
        (_, Some(order), Some(terms)) => not_done(rows, terms, order, at),
        _ => Some("no such order"),
    };
    if let Some(what) = wrong {
        found(Some(number), format!("{what}: {:?}", at.entry));
    }
}

fn not_expired(order: Option<&OrderRow>, now: u64) -> Option<&'static str> {
    match order {
        None => Some("expired and was never placed"),
        Some(order) if order.phase != Phase::Held => Some("a hold ended twice: expired"),
        Some(order) if now < order.deadline() => Some("expired before its time"),
        Some(_) => None,
    }
}

fn not_placed(rows: &Rows, terms: &Terms, now: u64, placed: &Placed) -> Option<&'static str> {
    let next = usize::try_from(placed.order).ok() == Some(rows.orders.len());
    let early = terms.window.opens.is_some_and(|opens| now < opens.0);
    let late = terms.window.closes.is_some_and(|closes| now >= closes.0);
    if !next {
        Some("its number is not the next")
    } else if terms.state != SaleState::Open {
        Some("placed while the sale did not sell")
    } else if early || late {
        Some("placed outside of the window")
    } else if placed.hold_ms != holds::length(rows, placed) {
        Some("its hold is not as long as the plan and its buyer's lapses say")
    } else if placed.lines.as_slice().is_empty() {
        Some("placed without lines")
    } else if placed.lines.as_slice().iter().any(|line| line.units == 0) {
        Some("a line without units")
    } else {
        None
    }
}

fn not_done(rows: &Rows, terms: &Terms, order: &OrderRow, at: &Happening) -> Option<&'static str> {
    let due = order.phase == Phase::Held && at.time >= order.deadline();
    match &at.entry {
        Entry::PayBegun { attempt, .. } => {
            let next = usize::from(*attempt) == order.attempts.len() + 1;
            let may = order.phase == Phase::Held && !due && !order.is_charging() && next;
            (!may).then_some("a charge was begun that may not begin")
        }
        Entry::Captured {
            attempt,
            amount,
            fate,
            ..
        } => {
            let paid = (*attempt, amount.0, *fate);
            not_captured(rows, terms, order, at.time, paid)
        }
        Entry::ChargeFailed { attempt, .. } => {
            let open = known(order, *attempt).is_some_and(|attempt| attempt.is_open());
            (!open).then_some("a charge failed that was not under way")
        }
        Entry::ChargeUnknown { attempt, .. } => {
            let open = matches!(
                known(order, *attempt),
                Some(Attempt::Charging | Attempt::Authorised)
            );
            (!open).then_some("a charge is unknown that was not under way")
        }
        Entry::ChargeAuthorised { attempt, .. } => {
            let open = matches!(
                known(order, *attempt),
                Some(Attempt::Charging | Attempt::Unknown)
            );
            (!open).then_some("a charge is authorised that was not under way")
        }
        Entry::Cancelled { key, .. } | Entry::GivenUp { key, .. } => match order.phase {
            Phase::Held => due.then_some("given up after it had run out"),
            // What a member of a team may give up is his rule's to say.
            Phase::Paid if matches!(key.by, By::Buyer(_)) && order.seat.is_none() => {
                Some("a buyer gave up what was paid")
            }
            Phase::Paid => None,
            _ => Some("a hold ended twice: given up"),
        },
        Entry::RefundBegun { .. } | Entry::RefundsBegun { .. } => {
            (!order.is_sold()).then_some("a refund of what is not sold")
        }
        Entry::Shipped { .. } | Entry::ShippedInPart { .. } => not_shipped(order),
        Entry::Delivered { .. } => {
            (order.phase != Phase::Shipped).then_some("delivered and never shipped")
        }
        _ => None,
    }
}

fn not_shipped(order: &OrderRow) -> Option<&'static str> {
    let paid_for = order.total == 0 || order.left() > 0;
    if order.phase != Phase::Paid {
        Some("shipped and not paid")
    } else if !paid_for || order.units_left() == 0 {
        Some("shipped although its money or its goods went back")
    } else {
        None
    }
}

fn known(order: &OrderRow, attempt: u16) -> Option<Attempt> {
    order
        .attempts
        .get(usize::from(attempt).checked_sub(1)?)
        .copied()
}

/// Where captured money may go, and where it has to.
fn not_captured(
    rows: &Rows,
    terms: &Terms,
    order: &OrderRow,
    now: u64,
    (attempt, amount, fate): (u16, i64, Fate),
) -> Option<&'static str> {
    match known(order, attempt) {
        None => return Some("a charge was captured that never began"),
        Some(Attempt::Captured { .. }) => return Some("a charge was captured twice"),
        Some(_) => {}
    }
    let deposit = order.dues.as_ref().filter(|dues| dues.paid == 0);
    // A deposit that comes when its balance can no longer be paid is worth nothing.
    let worth = deposit.is_none_or(|dues| now < dues.until);
    let deposit = deposit.is_some();
    let pays = worth
        && amount == order.asked_of(attempt)
        && order.awaits(attempt)
        && rows
            .team_of(order)
            .is_none_or(|team| counts(rows, team, now));
    let due = order.phase == Phase::Held && now >= order.deadline();
    let in_time = order.phase == Phase::Held && pays && !due;
    let sells = matches!(terms.state, SaleState::Open | SaleState::Paused);
    let again = order.phase == Phase::Expired
        && pays
        && sells
        && !order.has_deposit()
        && seated_again(rows, order, now)
        && coupons::left(rows, order)
        && free(rows, order);
    match fate {
        Fate::Kept | Fate::KeptAgain if deposit => Some("a deposit pays the whole order"),
        Fate::Deposit | Fate::DepositAgain if !deposit => Some("a deposit was kept that is none"),
        Fate::Kept | Fate::Deposit if !in_time => Some("money was kept that pays nothing"),
        Fate::KeptAgain | Fate::DepositAgain if !again => {
            Some("units were taken again that were not free")
        }
        Fate::GoesBack { .. } if due => Some("money goes back before the hold ran out"),
        Fate::GoesBack { .. } if in_time || again => Some("money goes back that pays the order"),
        _ => None,
    }
}

/// Whether a payment still counts for a team.
fn counts(rows: &Rows, team: &TeamRow, now: u64) -> bool {
    let stretch = rows
        .gathered
        .rule(team)
        .map_or(0, |rule| u64::from(rule.stretch_ms));
    team.is == TeamIs::Open && now < team.ends + stretch
}

/// Whether the team of an expired order has a seat for it still, within what its buyer may have.
fn seated_again(rows: &Rows, order: &OrderRow, now: u64) -> bool {
    rows.team_of(order).is_none_or(|team| {
        let (Some(rule), Some(at)) = (rows.gathered.rule(team), order.seat) else {
            return false;
        };
        let buyer = order.buyer.as_deref();
        let beyond = buyer.and_then(|buyer| teams::too_many(rows, rule, buyer, at));
        now < team.ends && team.held() + team.filled() < i64::from(rule.size) && beyond.is_none()
    })
}

/// All units of an expired order are free, and its buyer may still have them.
fn free(rows: &Rows, order: &OrderRow) -> bool {
    let lines: Vec<(usize, i64)> = order
        .lines
        .iter()
        .map(|line| (line.sku, line.units))
        .collect();
    let there = lines.iter().all(|(sku, _)| {
        let wanted: i64 = lines
            .iter()
            .filter(|(other, _)| other == sku)
            .map(|(_, units)| units)
            .sum();
        let line = rows.gathered.line(*sku).next().is_some();
        let row = rows.skus.get(*sku);
        order.bare || row.is_some_and(|row| !line && wanted <= row.now.available())
    });
    there && limits::broken_by(rows, order.buyer.as_deref(), &lines).is_none()
}
