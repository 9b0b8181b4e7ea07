//! What may happen to an order: asked for, reported from outside, or brought by the clock.

use ledger::Minor;
use tidegate_commerce::command::{ChargeOutcome, RefundOutcome};
use tidegate_commerce::{Action, Actor, Command, Outcome, Report, TeamAsk, Turn};

use super::stage::{ORDER, PRICE, Stage};

/// Who brings an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum From {
    /// Somebody asks; he may be refused.
    Asked,
    /// A report; it always has an answer.
    Outside,
    /// The clock, or other people.
    World,
}

/// An event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    pub(crate) name: &'static str,
    pub(crate) from: From,
    /// Makes it happen; `None` where only the clock did something.
    pub(crate) happen: fn(&mut Stage) -> Option<Outcome>,
}

const fn event(from: From, name: &'static str, happen: fn(&mut Stage) -> Option<Outcome>) -> Event {
    Event { name, from, happen }
}

const UNKNOWN_ORDER: u32 = 999;

fn captured(stage: &mut Stage, attempt: u16, minor: i64) -> Option<Outcome> {
    Some(stage.hear(ORDER, attempt, ChargeOutcome::Captured(Minor(minor))))
}

fn latest(stage: &mut Stage, outcome: ChargeOutcome) -> Option<Outcome> {
    let (attempt, _) = stage.latest();
    Some(stage.hear(ORDER, attempt, outcome))
}

fn older(stage: &mut Stage, outcome: ChargeOutcome) -> Option<Outcome> {
    let attempt = stage.latest().0.saturating_sub(1);
    Some(stage.hear(ORDER, attempt, outcome))
}

fn of_refund(stage: &mut Stage, outcome: RefundOutcome) -> Option<Outcome> {
    let number = stage.refund_in_question();
    Some(stage.hear_refund(number, outcome))
}

/// What people may ask for.
pub(crate) const ASKED: &[Event] = &[
    event(From::Asked, "the buyer asks to pay", |stage| {
        Some(stage.buyer(Action::Pay { order: ORDER }))
    }),
    event(From::Asked, "the merchant asks to charge", |stage| {
        Some(stage.merchant(Action::Pay { order: ORDER }))
    }),
    event(From::Asked, "the buyer gives it up", |stage| {
        Some(stage.buyer(Action::Cancel { order: ORDER }))
    }),
    event(From::Asked, "the merchant gives it up", |stage| {
        Some(stage.merchant(Action::Cancel { order: ORDER }))
    }),
    event(From::Asked, "refund of all that is left", |stage| {
        Some(stage.refund(None, &[]))
    }),
    event(From::Asked, "refund of 40, the goods stay", |stage| {
        Some(stage.refund(Some(40), &[]))
    }),
    event(From::Asked, "refund of 1 more than is left", |stage| {
        let left = stage.funds().left().0;
        Some(stage.refund(Some(left + 1), &[]))
    }),
    event(From::Asked, "refund of one cup, back into stock", |stage| {
        Some(stage.refund(None, &[(0, 1)]))
    }),
    event(From::Asked, "the goods leave", |stage| {
        Some(stage.merchant(Action::Ship { order: ORDER }))
    }),
    event(From::Asked, "the goods arrive", |stage| {
        Some(stage.merchant(Action::Deliver { order: ORDER }))
    }),
];

/// What the provider may report of a charge.
pub(crate) const OF_CHARGES: &[Event] = &[
    event(From::Outside, "captured, as asked", |stage| {
        let (attempt, due) = stage.latest();
        captured(stage, attempt, due)
    }),
    event(From::Outside, "captured, in part (20 less)", |stage| {
        let (attempt, due) = stage.latest();
        captured(stage, attempt, due - 20)
    }),
    event(From::Outside, "captured, too much (40 more)", |stage| {
        let (attempt, due) = stage.latest();
        captured(stage, attempt, due + 40)
    }),
    event(From::Outside, "captured: nothing (0)", |stage| {
        let (attempt, _) = stage.latest();
        captured(stage, attempt, 0)
    }),
    event(From::Outside, "captured: less than nothing (-1)", |stage| {
        let (attempt, _) = stage.latest();
        captured(stage, attempt, -1)
    }),
    event(From::Outside, "captured, as asked, told twice", |stage| {
        let (attempt, due) = stage.latest();
        captured(stage, attempt, due);
        captured(stage, attempt, due)
    }),
    event(
        From::Outside,
        "captured after all by the attempt before",
        |stage| {
            let attempt = stage.latest().0.saturating_sub(1);
            captured(stage, attempt, PRICE)
        },
    ),
    event(From::Outside, "authorised", |stage| {
        let (_, due) = stage.latest();
        latest(stage, ChargeOutcome::Authorised(Minor(due)))
    }),
    event(From::Outside, "failed", |stage| {
        latest(stage, ChargeOutcome::Failed)
    }),
    event(From::Outside, "outcome unknown", |stage| {
        latest(stage, ChargeOutcome::Unknown)
    }),
    event(From::Outside, "the attempt before failed", |stage| {
        older(stage, ChargeOutcome::Failed)
    }),
    event(
        From::Outside,
        "outcome of the attempt before unknown",
        |stage| older(stage, ChargeOutcome::Unknown),
    ),
    event(
        From::Outside,
        "captured by an attempt never begun",
        |stage| {
            let (attempt, due) = stage.latest();
            captured(stage, attempt + 1, due)
        },
    ),
    event(From::Outside, "an attempt never begun failed", |stage| {
        let (attempt, _) = stage.latest();
        Some(stage.hear(ORDER, attempt + 1, ChargeOutcome::Failed))
    }),
    event(
        From::Outside,
        "captured for an order nobody knows",
        |stage| {
            let outcome = ChargeOutcome::Captured(Minor(PRICE));
            Some(stage.hear(UNKNOWN_ORDER, 1, outcome))
        },
    ),
];

/// What provider and bank may report of money that goes back.
pub(crate) const OF_RETURNS: &[Event] = &[
    event(From::Outside, "refunded", |stage| {
        of_refund(stage, RefundOutcome::Refunded)
    }),
    event(From::Outside, "refunded, told twice", |stage| {
        let number = stage.refund_in_question();
        stage.hear_refund(number, RefundOutcome::Refunded);
        Some(stage.hear_refund(number, RefundOutcome::Refunded))
    }),
    event(From::Outside, "the refund failed", |stage| {
        of_refund(stage, RefundOutcome::Failed)
    }),
    event(From::Outside, "a refund never begun was paid", |stage| {
        Some(stage.hear_refund(99, RefundOutcome::Refunded))
    }),
    event(From::Outside, "a refund never begun failed", |stage| {
        Some(stage.hear_refund(99, RefundOutcome::Failed))
    }),
    event(From::Outside, "charged back: 30", |stage| {
        Some(stage.charge_back(ORDER, 30))
    }),
    event(
        From::Outside,
        "charged back: 10 more than is left",
        |stage| {
            let left = stage.funds().left().0;
            Some(stage.charge_back(ORDER, left + 10))
        },
    ),
    event(From::Outside, "charged back: beyond any range", |stage| {
        Some(stage.charge_back(ORDER, i64::MAX))
    }),
    event(From::Outside, "charged back: 30, told twice", |stage| {
        let report = Report::Chargeback {
            order: ORDER,
            amount: Minor(30),
            reference: "case".into(),
        };
        let command = Command {
            actor: Actor::House,
            key: Some("case".into()),
            action: Action::Report(report),
        };
        stage.give(&command);
        Some(stage.give(&command))
    }),
    event(
        From::Outside,
        "charged back: an order nobody knows",
        |stage| Some(stage.charge_back(UNKNOWN_ORDER, 30)),
    ),
];

/// The clock, for every family.
pub(crate) const OF_HOLDS: &[Event] = &[event(From::World, "its hold runs out", |stage| {
    let deadline = stage.book.order(ORDER)?.deadline();
    stage.tick(deadline.0);
    None
})];

/// Other people, and the sale.
pub(crate) const OF_SALE: &[Event] = &[
    event(From::World, "others buy all that is free", |stage| {
        let [free, ..] = stage.cups();
        (free > 0).then(|| stage.sell(free))
    }),
    event(From::World, "the sale closes", |stage| {
        Some(stage.merchant(Action::Turn(Turn::Close)))
    }),
];

/// The waiting line.
pub(crate) const OF_LINE: &[Event] = &[event(
    From::World,
    "somebody waits in line for cups",
    |stage| {
        let wait = Action::Wait {
            buyer: None,
            sku: "cup".into(),
            units: 2,
            tags: std::sync::Arc::from([]),
            facts: None,
        };
        Some(stage.ask(Actor::Buyer("zoe".into()), wait))
    },
)];

/// The clock of a pre-sale.
pub(crate) const OF_PRESALE: &[Event] = &[
    event(
        From::World,
        "the balance may be paid from now on",
        |stage| {
            let (dues, ..) = stage.book.order(ORDER)?.dues()?;
            stage.tick(dues.from.0);
            None
        },
    ),
    event(From::World, "the pre-sale is over", |stage| {
        let (dues, ..) = stage.book.order(ORDER)?.dues()?;
        stage.tick(dues.until.0);
        None
    }),
];

/// The other members of a team, and its clock.
pub(crate) const OF_TEAM: &[Event] = &[
    event(From::World, "another member joins and pays", |stage| {
        let number = stage.book.tally().placed;
        let joined = stage.place(&format!("bob {number}"), 2, Some(TeamAsk::Join { team: 0 }));
        if joined.decision.is_ok() {
            stage.merchant(Action::Pay { order: number });
            let price = stage.book.order(number).expect("just placed").total();
            stage.hear(number, 1, ChargeOutcome::Captured(price));
        }
        Some(joined)
    }),
    event(From::World, "the team's time is over", |stage| {
        let team = stage.book.team(0).expect("the team");
        stage.tick(team.times().1.0);
        None
    }),
    event(From::World, "the wait for payments is over too", |stage| {
        let team = stage.book.team(0).expect("the team");
        let last = team.times().1.after_ms(u64::from(team.rule().stretch_ms));
        stage.tick(last.0);
        None
    }),
];
