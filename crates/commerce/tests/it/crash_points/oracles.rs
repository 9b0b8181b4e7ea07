//! What must hold of a book, judged by the provider's ledger and by a count of the journal's entries.

use tidegate_commerce::{Book, OrderRef, OrderStatus};

use super::outside::{Count, Counted, Provider};
use super::world::{BUYERS, CUP_MINOR};

/// What holds at every moment.
pub(crate) fn check(book: &Book, count: &Count, provider: &Provider) {
    units(book, count);
    for order in book.orders() {
        let counted = count.of(order.number());
        money(&order, &counted, provider);
        status(&order, &counted);
    }
}

/// Units are where the entries say, none is sold twice, and no buyer has more than one (INV-1, INV-5, INV-9).
fn units(book: &Book, count: &Count) {
    let Some(cup) = book.sku_at(0) else { return };
    let counted: Vec<Counted> = book
        .orders()
        .map(|order| count.of(order.number()))
        .collect();
    let number = |of: fn(&Counted) -> bool| {
        u32::try_from(counted.iter().filter(|counted| of(counted)).count()).expect("few")
    };
    let (held, sold, units) = (
        number(Counted::holds),
        number(Counted::cup_is_gone),
        cup.units(),
    );
    assert_eq!(
        (units.held().0, units.sold().0),
        (held, sold),
        "units: {units:?}"
    );
    let all = units.available().0 + held + sold + units.written_off().0;
    assert_eq!(units.stocked().0, all, "units: {units:?}");
    for buyer in BUYERS {
        let owns = |order: &OrderRef<'_>| {
            let counted = count.of(order.number());
            let owns = counted.holds() || counted.sold() && !counted.given_away;
            order.buyer() == Some(buyer) && owns
        };
        assert!(
            book.orders().filter(owns).count() <= 1,
            "{buyer} has more than one cup"
        );
    }
}

/// The book's money is what the entries say and no more than really moved (INV-2, INV-10).
fn money(order: &OrderRef<'_>, counted: &Counted, provider: &Provider) {
    let (number, funds) = (order.number(), order.funds());
    let shown = (
        funds.captured().0,
        funds.refunded().0,
        funds.held().0,
        funds.charged_back().0,
    );
    let truth = (
        counted.captured,
        counted.refunded,
        counted.begun,
        counted.charged_back,
    );
    assert_eq!(shown, truth, "the money of order {number}");
    let loss = (-counted.left()).max(0);
    assert_eq!(
        (funds.left().0, funds.loss().0),
        (counted.left().max(0), loss),
        "order {number}"
    );
    let (captured, refunded) = (provider.captured(number), provider.refunded(number));
    assert!(
        counted.captured <= captured,
        "order {number} counts money that nobody paid"
    );
    assert!(
        counted.refunded <= refunded,
        "order {number} counts money back that nobody got"
    );
    assert!(
        refunded <= captured,
        "order {number}: more went back than came in"
    );
}

fn status(order: &OrderRef<'_>, counted: &Counted) {
    use OrderStatus::{Cancelled, Expired, Held, Paid, Paying, Refunded};
    let fits = match order.status() {
        Held | Paying => counted.holds(),
        Paid => counted.sold() && counted.refunded < counted.captured,
        Refunded => counted.sold() && counted.refunded == counted.captured,
        Cancelled => counted.cancelled,
        // A hold that is due shows as expired before it is swept.
        Expired => !counted.kept && !counted.cancelled,
        _ => false,
    };
    assert!(
        fits,
        "order {} is {:?}: {counted:?}",
        order.number(),
        order.status()
    );
}

/// What holds once everything that was open has come to its end.
pub(crate) fn check_final(book: &Book, count: &Count, provider: &Provider) {
    check(book, count, provider);
    assert_eq!(book.open_effects().count(), 0, "an effect is still open");
    for order in book.orders() {
        let (number, counted) = (order.number(), count.of(order.number()));
        assert!(
            !counted.holds() && counted.begun == 0 && counted.charging == 0,
            "order {number} is open: {counted:?}"
        );
        let taken: i64 = provider
            .taken_back()
            .filter_map(|(of, minor)| (of == number).then_some(minor))
            .sum();
        assert_eq!(
            (counted.captured, counted.refunded, counted.charged_back),
            (provider.captured(number), provider.refunded(number), taken),
            "order {number}: the book and the provider differ"
        );
        // The price of what is sold may stay; any other money has gone back.
        let stays = if counted.sold() { CUP_MINOR } else { 0 };
        assert!(
            counted.left() <= stays,
            "order {number} keeps too much: {counted:?}"
        );
    }
}
