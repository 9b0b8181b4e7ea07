//! What a refund gives back: of which charges, which units, and how much for them.

use ledger::{Minor, Units};

use super::Terms;
use super::order::{Charge, Order};
use super::refund::REFUNDS_MOST;
use crate::Refusal;
use crate::command::{RefundAsk, UnitsBack};
use crate::entry::RefundBegun;

/// A refund split over the charges of an order with dues: the balance first, then the deposit. Its lines go with the
/// first part.
pub(crate) fn over_charges(order: &Order, refund: RefundBegun) -> Vec<RefundBegun> {
    if order.dues().is_none() || refund.elsewhere {
        return vec![refund];
    }
    let mut left = refund.amount;
    let mut parts: Vec<RefundBegun> = Vec::new();
    let charges = match stdx::mutants::is("refund-forgets-the-deposit") {
        true => 1,
        false => usize::MAX,
    };
    for (charge, most) in order.charges_left().into_iter().take(charges) {
        let amount = left.min(most);
        if amount.is_positive() {
            left = Minor(left.0 - amount.0);
            let number = refund.number + u16::try_from(parts.len()).unwrap_or(0);
            let lines = if parts.is_empty() {
                refund.lines.clone()
            } else {
                Vec::new()
            };
            parts.push(RefundBegun {
                charge,
                amount,
                number,
                lines,
                ..refund
            });
        }
    }
    // Units alone, without money.
    if parts.is_empty() {
        parts.push(refund);
    }
    parts
}

/// What is left of each line.
pub(crate) fn remaining(order: &Order) -> impl Iterator<Item = (u16, u32)> {
    let lines = order.lines.as_slice().iter().zip(0_u16..);
    lines
        .map(|(line, at)| (at, line.units.get() - line.returned))
        .filter(|(_, units)| *units > 0)
}

pub(crate) fn refund_of(
    terms: &Terms,
    order: &Order,
    number: u32,
    ask: &RefundAsk,
) -> Result<RefundBegun, Refusal> {
    let left = order.funds().left();
    let lines = match (&ask.amount, ask.lines.is_empty()) {
        (None, true) => remaining(order).collect(),
        _ => lines_of(order, ask)?,
    };
    let amount = match (ask.amount, ask.lines.is_empty()) {
        (Some(amount), _) => amount,
        (None, true) => left,
        (None, false) => line_amount(terms, order, &lines),
    };
    let nothing = amount == Minor::ZERO && lines.is_empty();
    if amount.0 < 0 || amount > left || nothing {
        return Err(Refusal::OverRefund { left });
    }
    Ok(RefundBegun {
        order: number,
        number: order
            .next_refund()
            .filter(|_| order.refunds().len() < REFUNDS_MOST)
            .ok_or(Refusal::Full("refunds of one order"))?,
        amount,
        lines,
        restocked: ask.units == UnitsBack::Restock,
        charge: order.kept(),
        elsewhere: order.charge == Charge::Elsewhere,
    })
}

/// The refund of units that do not leave with the others: their price, or what is left of the order's money where some
/// of it went back before.
pub(crate) fn refund_of_rest(
    terms: &Terms,
    order: &Order,
    number: u32,
    rest: Vec<(u16, u32)>,
) -> Result<RefundBegun, Refusal> {
    let price = line_amount(terms, order, &rest);
    let ask = RefundAsk {
        amount: Some(price.min(order.funds().left())),
        lines: rest,
        units: UnitsBack::Restock,
        reason: None,
    };
    refund_of(terms, order, number, &ask)
}

/// The lines asked for, the same line counted together, none above what is left of it.
fn lines_of(order: &Order, ask: &RefundAsk) -> Result<Vec<(u16, u32)>, Refusal> {
    let mut sums = std::collections::BTreeMap::<u16, u32>::new();
    for &(line, units) in &ask.lines {
        let found = order.lines.as_slice().get(usize::from(line));
        let found =
            found.ok_or_else(|| Refusal::Invalid(format!("the order has no line {line}")))?;
        let left = found.units.get() - found.returned;
        let sum = sums.entry(line).or_default();
        *sum = sum
            .checked_add(units)
            .filter(|&sum| units > 0 && sum <= left)
            .ok_or(if units == 0 {
                Refusal::Invalid("a line to refund has at least 1 unit".into())
            } else {
                Refusal::OverReturn {
                    line,
                    left: Units(left),
                }
            })?;
    }
    Ok(sums.into_iter().collect())
}

/// The price of returned units: the difference of two rounded line totals, so that all parts sum up to the whole line.
fn line_amount(terms: &Terms, order: &Order, lines: &[(u16, u32)]) -> Minor {
    let price = |line: &super::order::Line, units| {
        line.price
            .times(units, terms.currency)
            .unwrap_or_default()
            .0
    };
    let parts = lines.iter().filter_map(|&(at, units)| {
        let line = order.lines.as_slice().get(usize::from(at))?;
        Some(price(line, line.returned + units) - price(line, line.returned))
    });
    let parts = Minor(parts.sum());
    if order.off() == Minor::ZERO || stdx::mutants::is("refund-forgets-what-came-off") {
        return parts;
    }
    // What came off the lines comes off their units: the difference of two shares of the whole, so that all parts sum
    // up to what was paid.
    let lines = || order.lines.as_slice().iter();
    let gross: i64 = lines().map(|line| price(line, line.units.get())).sum();
    let before: i64 = lines().map(|line| price(line, line.returned)).sum();
    let net = i128::from(gross - order.off().0);
    let share = |part: i64| i128::from(part) * net / i128::from(gross.max(1));
    let amount = share(before + parts.0) - share(before);
    Minor(i64::try_from(amount).unwrap_or_default())
}
