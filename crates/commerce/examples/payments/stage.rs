//! One order on a real book: what may happen to it, and what the book made of it.

use std::sync::Arc;

use ledger::{Currency, Funds, Minor, UnitPrice, Units};
use tidegate_commerce::command::{ChargeOutcome, RefundOutcome};
use tidegate_commerce::{
    Action, Actor, Ask, Book, Command, DealAsk, Effect, Entry, Limits, Offer, Outcome, Place, Plan,
    RefundAsk, Report, SkuPlan, TeamAsk, Time, Turn, Window,
};

/// The order that is looked at. Two cups, 1.00 together.
pub(crate) const ORDER: u32 = 0;
/// Its price in minor units.
pub(crate) const PRICE: i64 = 100;
/// How long its units are held, in milliseconds.
pub(crate) const HOLD_MS: u32 = 60_000;
/// When it was placed.
pub(crate) const BEGIN: u64 = 1_000;

/// A book with one order under the glass.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) book: Book,
    pub(crate) now: u64,
    /// What was journalled since the last look.
    pub(crate) entries: Vec<Entry>,
    /// Calls to the outside that were begun since.
    pub(crate) begun: Vec<Effect>,
    keys: u32,
}

/// Keeps a stage to go back to.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    snapshot: Vec<u8>,
    now: u64,
    keys: u32,
}

impl Stage {
    /// A sale of cups at 0.50 with this offer, open, and nothing sold.
    pub(crate) fn open(offer: Offer) -> Self {
        let mut stage = Self {
            book: Book::new(),
            now: BEGIN,
            entries: Vec::new(),
            begun: Vec::new(),
            keys: 0,
        };
        let plan = Plan {
            title: "Cups".into(),
            currency: Currency::new("EUR").expect("a currency"),
            hold_ms: HOLD_MS,
            window: Window::default(),
            limits: Limits::default(),
            rules: Vec::new(),
            skus: vec![SkuPlan {
                sku: "cup".into(),
                title: "Cup".into(),
                price: UnitPrice(5_000),
                limits: Limits::default(),
                stock: Units(9),
            }],
        };
        stage.does(Action::CreateWith {
            secret: [7; 16],
            plan: Box::new(plan),
            offer: Box::new(offer),
        });
        stage.does(Action::Turn(Turn::Open));
        stage
    }

    pub(crate) fn keep(&self) -> Kept {
        Kept {
            snapshot: self.book.to_snapshot().expect("a sound book has one"),
            now: self.now,
            keys: self.keys,
        }
    }

    pub(crate) fn of(kept: &Kept) -> Self {
        Self {
            book: Book::from_snapshot(&kept.snapshot).expect("as it was kept"),
            now: kept.now,
            entries: Vec::new(),
            begun: Vec::new(),
            keys: kept.keys,
        }
    }

    /// Asks, and lets the desk's tick follow.
    pub(crate) fn ask(&mut self, actor: Actor, action: Action) -> Outcome {
        self.keys += 1;
        let bare = matches!(
            action,
            Action::Report(Report::Charge { .. } | Report::Refund { .. })
        );
        let key = (!bare).then(|| format!("key {}", self.keys).into());
        self.give(&Command { actor, key, action })
    }

    pub(crate) fn give(&mut self, command: &Command) -> Outcome {
        let from = self.entries.len();
        let outcome = self
            .book
            .execute(Time(self.now), command, &mut self.entries);
        let outcome = outcome.expect("no invariant breaks");
        self.settle(from);
        outcome
    }

    pub(crate) fn tick(&mut self, to: u64) {
        self.now = self.now.max(to);
        self.settle(self.entries.len());
    }

    fn settle(&mut self, from: usize) {
        let ticked = self
            .book
            .tick(Time(self.now), usize::MAX, &mut self.entries);
        ticked.expect("no invariant breaks");
        let begun = self.entries[from..].iter();
        self.begun
            .extend(begun.flat_map(|entry| self.book.begun(entry)));
    }

    pub(crate) fn merchant(&mut self, action: Action) -> Outcome {
        self.ask(Actor::Merchant("shop".into()), action)
    }

    pub(crate) fn buyer(&mut self, action: Action) -> Outcome {
        self.ask(Actor::Buyer("ann".into()), action)
    }

    pub(crate) fn does(&mut self, action: Action) {
        let outcome = self.merchant(action);
        outcome.decision.expect("the way to a state is open");
    }

    /// Places an order of so many cups.
    pub(crate) fn place(&mut self, buyer: &str, cups: u32, team: Option<TeamAsk>) -> Outcome {
        let place = place_of(cups, team);
        self.ask(Actor::Buyer(buyer.into()), Action::Place(place))
    }

    /// Places an order whose money was collected elsewhere.
    pub(crate) fn sell(&mut self, cups: u32) -> Outcome {
        let place = Place {
            paid: Some("till".into()),
            ..place_of(cups, None)
        };
        self.merchant(Action::Place(place))
    }

    /// Places an order that costs nothing.
    pub(crate) fn give_away(&mut self, cups: u32) -> Outcome {
        let mut place = place_of(cups, None);
        place.lines[0].price = Some(UnitPrice(0));
        self.merchant(Action::Place(place))
    }

    pub(crate) fn hear(&mut self, order: u32, attempt: u16, outcome: ChargeOutcome) -> Outcome {
        let report = Report::Charge {
            order,
            attempt,
            outcome,
        };
        self.ask(Actor::House, Action::Report(report))
    }

    pub(crate) fn hear_refund(&mut self, number: u16, outcome: RefundOutcome) -> Outcome {
        let report = Report::Refund {
            order: ORDER,
            number,
            outcome,
        };
        self.ask(Actor::House, Action::Report(report))
    }

    pub(crate) fn charge_back(&mut self, order: u32, minor: i64) -> Outcome {
        let report = Report::Chargeback {
            order,
            amount: Minor(minor),
            reference: "bank".into(),
        };
        self.ask(Actor::House, Action::Report(report))
    }

    pub(crate) fn refund(&mut self, minor: Option<i64>, lines: &[(u16, u32)]) -> Outcome {
        let ask = RefundAsk {
            amount: minor.map(Minor),
            lines: lines.to_vec(),
            units: tidegate_commerce::command::UnitsBack::Restock,
            reason: None,
        };
        self.merchant(Action::Refund { order: ORDER, ask })
    }

    /// The latest attempt to pay, and what it is for.
    pub(crate) fn latest(&self) -> (u16, i64) {
        let order = self.book.order(ORDER).expect("the order");
        let (attempt, _) = order.charge();
        let open = self
            .book
            .open_effect(ORDER, tidegate_commerce::EffectKind::Charge { attempt });
        let due = open.map_or(order.due(), |effect| effect.amount);
        (attempt, due.0)
    }

    /// The refund that a report is most likely about: the last one on its way, else the last one.
    pub(crate) fn refund_in_question(&self) -> u16 {
        let order = self.book.order(ORDER).expect("the order");
        let pending = |refund: &tidegate_commerce::book::RefundRef| {
            refund.state == tidegate_commerce::book::RefundState::Pending
        };
        let open = order.refunds().filter(pending).last();
        let last = open.or_else(|| order.refunds().last());
        last.map_or(0, |refund| refund.number)
    }

    pub(crate) fn funds(&self) -> Funds {
        self.book.order(ORDER).expect("the order").funds()
    }

    /// Cups that are free, held and sold.
    pub(crate) fn cups(&self) -> [u32; 3] {
        let units = self.book.find_sku("cup").expect("the cup").units();
        [units.available().0, units.held().0, units.sold().0]
    }
}

fn place_of(cups: u32, team: Option<TeamAsk>) -> Place {
    Place {
        buyer: None,
        tags: Arc::from([]),
        lines: vec![Ask {
            sku: "cup".into(),
            units: cups,
            price: None,
        }],
        paid: None,
        deal: team.map(|team| {
            Box::new(DealAsk {
                team: Some(team),
                ..DealAsk::default()
            })
        }),
    }
}
