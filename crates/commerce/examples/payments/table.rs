//! The table of the payment machine: every state that an order can reach, every event, and the book's answer.
//!
//! Nobody lists the states: [`walk`] starts from a placed order on a real book and lets every event happen in every
//! state that turns up, until none is new. So no state and no cell can be forgotten.

mod answer;
mod events;
mod page;
mod settle;
mod stage;
mod state;
mod walk;

use tidegate_commerce::offer::{
    AfterFinish, Alone, Cut, GroupRule, HoldPolicy, Lapse, Leave, LinePolicy, Offer, Pays, Presale,
    Tier,
};
use tidegate_commerce::{TeamAsk, Time};

use events::{
    ASKED, Event, OF_CHARGES, OF_HOLDS, OF_LINE, OF_PRESALE, OF_RETURNS, OF_SALE, OF_TEAM,
};
use stage::Stage;
use walk::{Family, Walk};

/// Goes through all families.
pub(crate) fn walks() -> Vec<Walk> {
    let families = [plain(), dues(Lapse::Refund), dues(Lapse::Forfeit), team()];
    let mut walks = families.map(Walk::through);
    for walk in &mut walks {
        walk.settled = settle::all_states_settle(walk);
    }
    walks.into()
}

/// The document.
pub(crate) fn document(walks: &[Walk]) -> String {
    page::of(walks)
}

fn events(more: &[&[Event]]) -> Vec<Event> {
    [&[ASKED, OF_CHARGES, OF_RETURNS, OF_HOLDS], more]
        .concat()
        .concat()
}

fn plain() -> Family {
    let offer = || Offer {
        holds: HoldPolicy {
            grace_ms: 5_000,
            ..HoldPolicy::default()
        },
        line: Some(LinePolicy {
            hold_ms: 5_000,
            units_most: 9,
            places_most: 9,
        }),
        ..Offer::default()
    };
    let mut held = Stage::open(offer());
    held.place("ann", 2, None).decision.expect("placed");
    let mut elsewhere = Stage::open(offer());
    elsewhere.sell(2).decision.expect("sold");
    let mut free = Stage::open(offer());
    free.give_away(2).decision.expect("given");
    Family {
        letter: 'P',
        name: "A plain order",
        about: "Two cups, 1.00 together; also one that was collected elsewhere, and one that costs nothing. The sale has \
                a waiting line, and a hold lives 5 s longer, once, while a payment is in flight.",
        firsts: vec![held, elsewhere, free],
        events: events(&[OF_SALE, OF_LINE]),
        refunds_most: 2,
    }
}

fn dues(lapse: Lapse) -> Family {
    let presale = Presale {
        deposit: Cut::Off(ledger::Minor(30)),
        from: Time(100_000),
        until: Time(200_000),
        lapse,
        grace_ms: 5_000,
    };
    let mut held = Stage::open(Offer {
        presale: Some(presale),
        ..Offer::default()
    });
    held.place("ann", 2, None).decision.expect("placed");
    let (letter, name, sale) = match lapse {
        Lapse::Refund => (
            'D',
            "An order with two dues, whose deposit goes back",
            OF_SALE,
        ),
        // What stands in the way of a late deposit is the same, and was met there.
        Lapse::Forfeit => (
            'F',
            "An order with two dues, whose deposit is forfeited",
            &[][..],
        ),
    };
    Family {
        letter,
        name,
        about: "Two cups, 0.30 as deposit while they are held and 0.70 as balance, in a window of its own.",
        firsts: vec![held],
        events: events(&[sale, OF_PRESALE]),
        refunds_most: 2,
    }
}

fn team() -> Family {
    let tier = |seats, price| Tier {
        seats,
        price: ledger::UnitPrice(price),
    };
    let rule = GroupRule {
        sku: "cup".into(),
        size: 2,
        least: 2,
        lifetime_ms: 100_000,
        stretch_ms: 20_000,
        tiers: vec![tier(1, 5_000), tier(2, 4_000)],
        pays: Pays::Reached,
        seats_per_buyer: 1,
        teams_per_buyer: None,
        open_to: Vec::new(),
        join_to: Vec::new(),
        leader: None,
        leave: Leave::Free,
        after: AfterFinish::Buyer,
        fill: 0,
        alone: Alone::Sold,
        prizes: None,
    };
    let mut held = Stage::open(Offer {
        groups: vec![rule],
        ..Offer::default()
    });
    let open = TeamAsk::Open { commit: None };
    held.place("ann", 2, Some(open)).decision.expect("placed");
    Family {
        letter: 'T',
        name: "A seat in a team",
        about: "Two cups, 1.00 together and 0.80 once both seats of the team are paid; the difference goes back. The \
                team lives 100 s, and 20 s longer while payments of its members are in flight.",
        firsts: vec![held],
        events: events(&[OF_TEAM]),
        refunds_most: 1,
    }
}
