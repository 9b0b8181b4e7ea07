//! Teams, dues and the line, as their users meet them. Names of other systems' faults stand where ours do not have them.

mod dues_tests;
mod line_tests;
mod price_tests;
mod team_tests;

use std::sync::Arc;

use ledger::{Currency, Minor, UnitPrice, Units};

use super::{Book, Done, Outcome, TeamState, TicketState};
use crate::command::{ChargeOutcome, RefundAsk, RefundOutcome};
use crate::deal::{Commit, DealAsk, TeamAsk, TeamEnd};
use crate::entry::{EffectKind, Entry};
use crate::offer::{
    AfterFinish, Alone, Cut, GroupRule, HoldPolicy, Lapse, Leave, LinePolicy, Offer, Pays, Presale,
    Shrink, Tier,
};
use crate::price::{Coupon, CouponKind, Discounts, LevelDiscount, PriceError};
use crate::rules::{RuleText, Then};
use crate::{
    Action, Actor, Ask, Command, Facts, Limits, OrderStatus, Place, Plan, Refusal, Report, SkuPlan,
    Time, Turn, Window,
};

mod mended;

pub(super) const HOLD_MS: u32 = 60_000;
pub(super) const LIFETIME_MS: u32 = 600_000;

pub(super) fn rule(size: u16) -> GroupRule {
    GroupRule {
        sku: "cup".into(),
        size,
        least: size,
        lifetime_ms: LIFETIME_MS,
        stretch_ms: 0,
        tiers: Vec::new(),
        pays: Pays::Reached,
        seats_per_buyer: 1,
        teams_per_buyer: None,
        open_to: Vec::new(),
        join_to: Vec::new(),
        leader: None,
        leave: Leave::Free,
        after: AfterFinish::Merchant,
        fill: 0,
        alone: Alone::Sold,
        prizes: None,
    }
}

pub(super) fn groups(rule: GroupRule) -> Offer {
    Offer {
        groups: vec![rule],
        ..Offer::default()
    }
}

/// A sale of cups at 1.00, its journal, and a clock.
pub(super) struct Sale {
    pub(super) book: Book,
    pub(super) now: u64,
    pub(super) entries: Vec<Entry>,
    keys: u32,
}

impl Sale {
    pub(super) fn open(stock: u32, offer: Offer) -> Self {
        let mut sale = Self {
            book: Book::new(),
            now: 1_000,
            entries: Vec::new(),
            keys: 0,
        };
        let plan = Plan {
            title: "Cups".into(),
            currency: Currency::new("EUR").unwrap(),
            hold_ms: HOLD_MS,
            window: Window::default(),
            limits: Limits::default(),
            rules: Vec::new(),
            skus: vec![SkuPlan {
                sku: "cup".into(),
                title: "Cup".into(),
                price: UnitPrice(10_000),
                limits: Limits::default(),
                stock: Units(stock),
            }],
        };
        let create = Action::CreateWith {
            secret: [7; 16],
            plan: Box::new(plan),
            offer: Box::new(offer),
        };
        sale.merchant(create).unwrap();
        sale.merchant(Action::Turn(Turn::Open)).unwrap();
        sale
    }

    pub(super) fn ask(&mut self, actor: Actor, action: Action) -> Outcome {
        self.keys += 1;
        let report = matches!(
            action,
            Action::Report(Report::Charge { .. } | Report::Refund { .. } | Report::Seed { .. })
        );
        let command = Command {
            actor,
            key: (!report).then(|| format!("key {}", self.keys).into()),
            action,
        };
        let from = self.entries.len();
        let before = self.book.to_snapshot().unwrap();
        let outcome = self
            .book
            .execute(Time(self.now), &command, &mut self.entries)
            .unwrap();
        self.book.check().unwrap();
        self.replay(&before, from);
        outcome
    }

    /// The journal alone, from the snapshot before, gives the same book and the same decisions.
    fn replay(&self, before: &[u8], from: usize) {
        let mut again = Book::from_snapshot(before).unwrap();
        for entry in &self.entries[from..] {
            again
                .redecide(Time(self.now), entry)
                .unwrap_or_else(|other| panic!("{entry:?}: {other:?}"));
            again.apply(Time(self.now), entry).unwrap();
        }
        again.advance(self.book.time());
        assert_eq!(
            again.to_snapshot().unwrap(),
            self.book.to_snapshot().unwrap()
        );
    }

    pub(super) fn tick(&mut self, to: u64) {
        self.now = to;
        let from = self.entries.len();
        let before = self.book.to_snapshot().unwrap();
        self.book.tick(Time(to), 4_096, &mut self.entries).unwrap();
        self.book.check().unwrap();
        self.replay(&before, from);
    }

    pub(super) fn merchant(&mut self, action: Action) -> Result<Done, Refusal> {
        self.ask(Actor::Merchant("shop".into()), action).decision
    }

    pub(super) fn buyer(&mut self, buyer: &str, action: Action) -> Result<Done, Refusal> {
        self.ask(Actor::Buyer(buyer.into()), action).decision
    }

    pub(super) fn place(&mut self, buyer: &str, team: Option<TeamAsk>) -> Result<u32, Refusal> {
        self.place_so(buyer, team, 1)
    }

    pub(super) fn place_units(&mut self, buyer: &str, units: u32) -> Result<u32, Refusal> {
        self.place_so(buyer, None, units)
    }

    pub(super) fn place_so(
        &mut self,
        buyer: &str,
        team: Option<TeamAsk>,
        units: u32,
    ) -> Result<u32, Refusal> {
        let place = Place {
            buyer: None,
            tags: Arc::from([]),
            lines: vec![Ask {
                sku: "cup".into(),
                units,
                price: None,
            }],
            paid: None,
            deal: team.map(|team| {
                Box::new(DealAsk {
                    team: Some(team),
                    ..DealAsk::default()
                })
            }),
        };
        match self.buyer(buyer, Action::Place(place))? {
            Done::Order(order) => Ok(order),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn open_team(&mut self, buyer: &str) -> (u32, u32) {
        let order = self
            .place(buyer, Some(TeamAsk::Open { commit: None }))
            .unwrap();
        (order, self.book.order(order).unwrap().team().unwrap())
    }

    pub(super) fn join(&mut self, buyer: &str, team: u32) -> Result<u32, Refusal> {
        self.place(buyer, Some(TeamAsk::Join { team }))
    }

    pub(super) fn begin(&mut self, order: u32) -> Result<Done, Refusal> {
        self.merchant(Action::Pay { order })
    }

    pub(super) fn hear(&mut self, order: u32, attempt: u16, outcome: ChargeOutcome) {
        let report = Report::Charge {
            order,
            attempt,
            outcome,
        };
        let heard = self.ask(Actor::House, Action::Report(report));
        heard.decision.unwrap();
    }

    pub(super) fn pay(&mut self, order: u32) {
        self.begin(order).unwrap();
        let (attempt, _) = self.book.order(order).unwrap().charge();
        let due = self.book.open_effect(order, EffectKind::Charge { attempt });
        self.hear(order, attempt, ChargeOutcome::Captured(due.unwrap().amount));
    }

    /// The provider gives back whatever is on its way.
    pub(super) fn refund_all(&mut self) {
        let open: Vec<_> = self.book.open_effects().collect();
        for effect in open {
            if let EffectKind::Refund { number, .. } = effect.kind {
                let report = Report::Refund {
                    order: effect.order,
                    number,
                    outcome: RefundOutcome::Refunded,
                };
                self.ask(Actor::House, Action::Report(report))
                    .decision
                    .unwrap();
            }
        }
    }

    pub(super) fn status(&self, order: u32) -> OrderStatus {
        self.book.order(order).unwrap().status()
    }

    pub(super) fn team(&self, team: u32) -> TeamState {
        self.book.team(team).unwrap().state()
    }

    pub(super) fn left(&self, order: u32) -> Minor {
        self.book.order(order).unwrap().funds().left()
    }

    fn available(&self) -> u32 {
        self.book.find_sku("cup").unwrap().units().available().0
    }
}

#[test]
fn an_offer_out_of_bounds_is_told_by_field() {
    let bad = [
        (groups(rule(1)), "size"),
        (
            groups(GroupRule {
                least: 4,
                ..rule(3)
            }),
            "least",
        ),
        (
            groups(GroupRule {
                prizes: Some(3),
                ..rule(3)
            }),
            "lottery",
        ),
        (
            groups(GroupRule {
                sku: "mug".into(),
                ..rule(3)
            }),
            "mug",
        ),
        (
            Offer {
                presale: dues_tests::presale(Lapse::Refund).presale,
                ..groups(rule(3))
            },
            "not both",
        ),
    ];
    for (offer, word) in bad {
        let mut sale = Sale::open(1, Offer::default());
        match sale.merchant(Action::AlterOffer(Box::new(offer))) {
            Err(Refusal::Invalid(why)) => assert!(why.contains(word), "{why}"),
            other => panic!("{word}: {other:?}"),
        }
    }
}
