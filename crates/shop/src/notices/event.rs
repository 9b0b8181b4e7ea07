//! The table of events: which entries of a journal a buyer hears of.

use commerce::Entry;
use commerce::deal::Settled;
use commerce::entry::{Fate, Placed};
use commerce::saga::{SagaEntry, Stage};
use ledger::Minor;
use serde::{Deserialize, Serialize};

/// Something that a buyer may hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The order was placed.
    Placed,
    /// It is paid.
    Paid,
    /// A payment came too late or twice; it goes back.
    PaymentReturned,
    /// The time to pay is over.
    Expired,
    /// It was given up.
    Cancelled,
    /// Goods left.
    Shipped,
    /// Some goods left, and the rest is refunded.
    ShippedInPart,
    /// Goods arrived.
    Delivered,
    /// Money went back.
    Refunded,
    /// Everything outside is arranged.
    Fulfilled,
    /// It could not be sent: what was arranged is taken back.
    NotFulfilled,
    /// Its turn in the waiting line came: the order is held for a short time.
    Offered,
    /// The deposit is paid.
    Deposited,
    /// The balance was not paid in time.
    BalanceLapsed,
    /// Its team ended in a better tier: the difference goes back.
    Difference,
    /// Its team did not come about, or it was not drawn: the money goes back.
    TeamGaveBack,
    /// It was drawn.
    Won,
    /// Its team came about.
    TeamComplete,
}

impl Event {
    /// All events.
    pub const ALL: &'static [Self] = &[
        Self::Placed,
        Self::Paid,
        Self::PaymentReturned,
        Self::Expired,
        Self::Cancelled,
        Self::Shipped,
        Self::ShippedInPart,
        Self::Delivered,
        Self::Refunded,
        Self::Fulfilled,
        Self::NotFulfilled,
        Self::Offered,
        Self::Deposited,
        Self::BalanceLapsed,
        Self::Difference,
        Self::TeamGaveBack,
        Self::Won,
        Self::TeamComplete,
    ];

    /// Its name, in keys, templates and on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Placed => "placed",
            Self::Paid => "paid",
            Self::PaymentReturned => "payment_returned",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Shipped => "shipped",
            Self::ShippedInPart => "shipped_in_part",
            Self::Delivered => "delivered",
            Self::Refunded => "refunded",
            Self::Fulfilled => "fulfilled",
            Self::NotFulfilled => "not_fulfilled",
            Self::Offered => "offered",
            Self::Deposited => "deposited",
            Self::BalanceLapsed => "balance_lapsed",
            Self::Difference => "difference",
            Self::TeamGaveBack => "team_gave_back",
            Self::Won => "won",
            Self::TeamComplete => "team_complete",
        }
    }
}

/// What an entry tells, and about which orders.
pub(super) fn events(entry: &Entry) -> Vec<(Event, u32)> {
    let one = |event, order: &u32| vec![(event, *order)];
    match entry {
        Entry::Placed(placed) => one(placed_as(placed), &placed.order),
        Entry::Dealt(dealt) => one(placed_as(&dealt.placed), &dealt.placed.order),
        // What costs nothing is the buyer's at once.
        Entry::LineOffered(offer) if offer.total == Minor::ZERO => one(Event::Paid, &offer.order),
        Entry::LineOffered(offer) => one(Event::Offered, &offer.order),
        Entry::BalanceLapsed { orders } => orders
            .iter()
            .map(|lapsed| (Event::BalanceLapsed, lapsed.order))
            .collect(),
        Entry::TeamSettled { orders, .. } => orders.iter().filter_map(settled).collect(),
        Entry::GivenUp { order, .. } => one(Event::Cancelled, order),
        Entry::Captured {
            order,
            fate: Fate::Deposit | Fate::DepositAgain,
            ..
        } => one(Event::Deposited, order),
        Entry::Captured {
            order,
            fate: Fate::GoesBack { .. },
            ..
        } => one(Event::PaymentReturned, order),
        Entry::Captured { order, .. } => one(Event::Paid, order),
        Entry::Expired { orders } => orders
            .iter()
            .map(|order| (Event::Expired, *order))
            .collect(),
        Entry::Cancelled { order, .. } => one(Event::Cancelled, order),
        Entry::Shipped { order, .. } => one(Event::Shipped, order),
        Entry::ShippedInPart { order, .. } => one(Event::ShippedInPart, order),
        Entry::Delivered { order, .. } => one(Event::Delivered, order),
        Entry::Refunded { order, .. } => one(Event::Refunded, order),
        Entry::Saga(
            SagaEntry::Moved { order, change, .. } | SagaEntry::Ordered { order, change, .. },
        ) => match change.to.stage {
            Stage::Done if change.mark.is_some() => one(Event::Fulfilled, order),
            Stage::Compensated if change.mark.is_some() => one(Event::NotFulfilled, order),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// An order that was paid elsewhere, or costs nothing, waits for no payment.
fn placed_as(placed: &Placed) -> Event {
    match placed.paid.is_some() || placed.total == Minor::ZERO {
        true => Event::Paid,
        false => Event::Placed,
    }
}

/// What the end of a team means for one of its orders.
fn settled(settled: &Settled) -> Option<(Event, u32)> {
    let event = match settled {
        Settled::Nothing { .. } => return None,
        Settled::Voided { .. } => Event::Cancelled,
        Settled::GivenUp { .. } => Event::TeamGaveBack,
        Settled::Difference(_) => Event::Difference,
        Settled::Won { .. } => Event::Won,
        Settled::Stands { .. } => Event::TeamComplete,
    };
    Some((event, settled.order()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_has_a_name_of_its_own_which_is_the_one_on_disk() {
        for (at, event) in Event::ALL.iter().enumerate() {
            let json = serde_json::to_string(event).expect("a name");
            assert_eq!(json, format!("\"{}\"", event.name()));
            assert!(Event::ALL[..at].iter().all(|other| other != event));
        }
    }

    #[test]
    fn an_entry_tells_each_of_its_orders() {
        let entry = Entry::Expired { orders: vec![3, 4] };
        assert_eq!(events(&entry), [(Event::Expired, 3), (Event::Expired, 4)]);
        let late = Entry::Captured {
            order: 1,
            attempt: 1,
            amount: Minor(5),
            fate: Fate::GoesBack {
                refund: 1,
                amount: Minor(5),
            },
        };
        assert_eq!(events(&late), [(Event::PaymentReturned, 1)]);
        let ended = Entry::TeamSettled {
            team: 0,
            orders: vec![
                Settled::Won { order: 1 },
                Settled::Nothing { order: 2 },
                Settled::Stands { order: 4 },
                Settled::GivenUp {
                    order: 3,
                    refund: None,
                },
            ],
        };
        assert_eq!(
            events(&ended),
            [
                (Event::Won, 1),
                (Event::TeamComplete, 4),
                (Event::TeamGaveBack, 3)
            ]
        );
        let noted = Entry::ChargeFailed {
            order: 1,
            attempt: 1,
        };
        assert_eq!(events(&noted), []);
    }
}
