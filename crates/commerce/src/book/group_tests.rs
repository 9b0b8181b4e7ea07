//! Teams, dues and the line, as their users meet them. Names of other systems' faults stand where ours do not have them.

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
use crate::{
    Action, Actor, Ask, Command, Limits, OrderStatus, Place, Plan, Refusal, Report, SkuPlan, Time,
    Turn, Window,
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
        let place = Place {
            buyer: None,
            tags: Arc::from([]),
            lines: vec![Ask {
                sku: "cup".into(),
                units: 1,
                price: None,
            }],
            paid: None,
            deal: team.map(|team| Box::new(DealAsk { team: Some(team) })),
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

// Others: two last joiners each count "2 of 3", and the full team stays open, expires and refunds everybody.
#[test]
fn the_payment_of_the_last_seat_completes_the_team() {
    let mut sale = Sale::open(10, groups(rule(3)));
    let (first, team) = sale.open_team("ann");
    let second = sale.join("bob", team).unwrap();
    let third = sale.join("cy", team).unwrap();
    assert_eq!(sale.join("dee", team), Err(Refusal::TeamFull { size: 3 }));
    for order in [third, first] {
        sale.pay(order);
        assert_eq!(sale.team(team), TeamState::Open);
    }
    sale.pay(second);
    assert_eq!(sale.team(team), TeamState::Complete);
    sale.tick(10_000_000);
    assert_eq!(
        sale.team(team),
        TeamState::Complete,
        "completion is never undone"
    );
    assert_eq!(sale.status(first), OrderStatus::Paid);
}

// Others: a seat is taken only after payment; the money is taken and there is no seat.
#[test]
fn a_seat_is_held_with_the_order_and_free_again_with_its_hold() {
    let mut sale = Sale::open(10, groups(rule(2)));
    let (first, team) = sale.open_team("ann");
    let second = sale.join("bob", team).unwrap();
    sale.pay(first);
    sale.tick(1_000 + u64::from(HOLD_MS));
    assert_eq!(sale.status(second), OrderStatus::Expired);
    let third = sale.join("cy", team).unwrap();
    sale.pay(third);
    assert_eq!(sale.team(team), TeamState::Complete);
}

// Others: expiry marks "refund" and a human refunds.
#[test]
fn a_team_that_did_not_fill_refunds_everybody_by_itself() {
    let mut sale = Sale::open(10, groups(rule(3)));
    let (first, team) = sale.open_team("ann");
    sale.pay(first);
    let second = sale.join("bob", team).unwrap();
    sale.pay(second);
    sale.now += u64::from(LIFETIME_MS) - 30_000;
    let unpaid = sale.join("cy", team).unwrap();
    sale.tick(1_000 + u64::from(LIFETIME_MS));
    assert_eq!(sale.team(team), TeamState::Failed);
    let settlement = sale.book.team(team).unwrap().settlement();
    assert_eq!((settlement.settled, settlement.refunds_pending), (3, 2));
    sale.refund_all();
    for order in [first, second, unpaid] {
        assert_eq!(sale.status(order), OrderStatus::Cancelled);
        assert_eq!(sale.left(order), Minor::ZERO);
    }
    assert_eq!(
        (sale.available(), sale.book.open_effects().count()),
        (10, 0)
    );
}

#[test]
fn a_payment_that_comes_after_the_end_of_its_team_goes_back() {
    let mut sale = Sale::open(10, groups(rule(2)));
    let (first, team) = sale.open_team("ann");
    sale.now += u64::from(LIFETIME_MS) - 30_000;
    let second = sale.join("bob", team).unwrap();
    sale.begin(second).unwrap();
    sale.tick(1_000 + u64::from(LIFETIME_MS));
    assert_eq!(sale.team(team), TeamState::Failed);
    sale.hear(second, 1, ChargeOutcome::Captured(Minor(100)));
    sale.refund_all();
    assert_eq!(
        (sale.left(second), sale.status(first)),
        (Minor::ZERO, OrderStatus::Expired)
    );
}

#[test]
fn a_team_waits_for_payments_in_flight_up_to_its_cap() {
    let stretched = GroupRule {
        stretch_ms: 50_000,
        ..rule(2)
    };
    let ends = 1_000 + u64::from(LIFETIME_MS);
    for (heard, state) in [(20_000, TeamState::Complete), (60_000, TeamState::Failed)] {
        let mut offer = groups(stretched.clone());
        offer.holds.grace_ms = 600_000;
        let mut sale = Sale::open(10, offer);
        let (first, team) = sale.open_team("ann");
        sale.pay(first);
        sale.now = ends - 10_000;
        let second = sale.join("bob", team).unwrap();
        sale.begin(second).unwrap();
        sale.tick(ends);
        assert_eq!(sale.team(team), TeamState::Open);
        assert_eq!(
            sale.join("cy", team),
            Err(Refusal::TeamOver {
                state: TeamState::Open
            })
        );
        sale.tick(ends + heard);
        sale.hear(second, 1, ChargeOutcome::Captured(Minor(100)));
        assert_eq!(sale.team(team), state);
        sale.refund_all();
        let left = if state == TeamState::Complete { 100 } else { 0 };
        assert_eq!(
            (sale.left(first), sale.left(second)),
            (Minor(left), Minor(left))
        );
    }
}

#[test]
fn a_team_that_only_waited_for_a_payment_ends_when_it_fails() {
    let stretched = GroupRule {
        stretch_ms: 3_000_000,
        ..rule(2)
    };
    let mut sale = Sale::open(10, groups(stretched));
    let (_, team) = sale.open_team("ann");
    let ends = 1_000 + u64::from(LIFETIME_MS);
    sale.now = ends - 10_000;
    let second = sale.join("bob", team).unwrap();
    sale.begin(second).unwrap();
    sale.tick(ends + 1_000);
    assert_eq!(sale.team(team), TeamState::Open);
    sale.hear(second, 1, ChargeOutcome::Failed);
    sale.tick(ends + 2_000);
    assert_eq!(sale.team(team), TeamState::Failed);
}

#[test]
fn each_pays_his_tier_and_gets_the_difference_when_the_team_ends() {
    let tiers = [(1, 10_000), (2, 9_000), (4, 7_000)];
    let mut tiered = rule(4);
    tiered.tiers = tiers
        .map(|(seats, price)| Tier {
            seats,
            price: UnitPrice(price),
        })
        .into();
    tiered.leader = Some(Cut::Off(Minor(5)));
    let mut sale = Sale::open(10, groups(tiered));
    let (first, team) = sale.open_team("ann");
    sale.pay(first);
    let second = sale.join("bob", team).unwrap();
    sale.pay(second);
    let third = sale.join("cy", team).unwrap();
    sale.pay(third);
    let paid = |sale: &Sale, order| sale.book.order(order).unwrap().total().0;
    assert_eq!(
        [first, second, third].map(|order| paid(&sale, order)),
        [95, 100, 90]
    );
    let fourth = sale.join("dee", team).unwrap();
    sale.pay(fourth);
    sale.tick(sale.now + 1);
    sale.refund_all();
    let left = [first, second, third, fourth].map(|order| sale.left(order).0);
    assert_eq!(left, [65, 70, 70, 70]);
    // What comes back later is counted by the price that stayed.
    let all = RefundAsk {
        lines: vec![(0, 1)],
        ..RefundAsk::default()
    };
    sale.merchant(Action::Refund {
        order: first,
        ask: all,
    })
    .unwrap();
    sale.refund_all();
    assert_eq!(sale.left(first), Minor::ZERO);
}

#[test]
fn the_leader_leaves_and_the_next_member_leads() {
    let mut sale = Sale::open(10, groups(rule(3)));
    let (first, team) = sale.open_team("ann");
    sale.pay(first);
    let second = sale.join("bob", team).unwrap();
    assert_eq!(sale.book.team(team).unwrap().leader(), Some(first));
    sale.buyer("ann", Action::Cancel { order: first }).unwrap();
    assert_eq!(sale.book.team(team).unwrap().leader(), Some(second));
    sale.refund_all();
    assert_eq!(
        (sale.left(first), sale.team(team)),
        (Minor::ZERO, TeamState::Open)
    );
    assert!(
        sale.join("ann", team).is_ok(),
        "his seat is free, and so is he"
    );
}

// Others: one member of a finished team refunds and the team stays shown.
#[test]
fn a_member_of_a_finished_team_is_refunded_by_policy_and_no_longer_shown() {
    for (after, buyer, merchant) in [
        (AfterFinish::Nobody, false, false),
        (AfterFinish::Merchant, false, true),
        (AfterFinish::Buyer, true, true),
    ] {
        for (by_buyer, may) in [(true, buyer), (false, merchant)] {
            let mut sale = Sale::open(10, groups(GroupRule { after, ..rule(2) }));
            let (first, team) = sale.open_team("ann");
            sale.pay(first);
            let second = sale.join("bob", team).unwrap();
            sale.pay(second);
            let cancel = Action::Cancel { order: first };
            let done = match by_buyer {
                true => sale.buyer("ann", cancel),
                false => sale.merchant(cancel),
            };
            assert_eq!(done.is_ok(), may, "{after:?}");
            let shown = sale.book.team(team).unwrap();
            assert_eq!(shown.members().count(), if may { 1 } else { 2 });
            assert!(!shown.is_joinable() && shown.state() == TeamState::Complete);
        }
    }
}

#[test]
fn goods_of_a_team_leave_only_once_it_is_complete() {
    let mut sale = Sale::open(10, groups(rule(2)));
    let (first, team) = sale.open_team("ann");
    sale.pay(first);
    assert!(sale.merchant(Action::Ship { order: first }).is_err());
    let second = sale.join("bob", team).unwrap();
    sale.pay(second);
    sale.merchant(Action::Ship { order: first }).unwrap();
}

// Others: virtual members written into the real order table.
#[test]
fn seats_that_the_house_fills_are_on_its_own_account_and_no_orders() {
    let mut sale = Sale::open(10, groups(GroupRule { fill: 2, ..rule(4) }));
    let (first, team) = sale.open_team("ann");
    sale.pay(first);
    let second = sale.join("bob", team).unwrap();
    sale.pay(second);
    sale.now += u64::from(LIFETIME_MS) - 30_000;
    let unpaid = sale.join("cy", team).unwrap();
    sale.tick(1_000 + u64::from(LIFETIME_MS));
    assert_eq!(sale.team(team), TeamState::Complete);
    assert_eq!(sale.book.team(team).unwrap().seats(), (4, 0, 2, 2));
    assert_eq!(sale.book.tally().placed, 3);
    assert_eq!(sale.status(unpaid), OrderStatus::Cancelled);
    let filled = |entry: &&Entry| {
        matches!(
            entry,
            Entry::TeamEnded {
                how: TeamEnd::Filled { seats: 1 },
                ..
            }
        )
    };
    assert_eq!(sale.entries.iter().filter(filled).count(), 1);
}

#[test]
fn seats_and_teams_of_one_buyer_are_limited() {
    let limited = GroupRule {
        teams_per_buyer: Some(1),
        ..rule(3)
    };
    let mut sale = Sale::open(10, groups(limited));
    let (_, team) = sale.open_team("ann");
    let refused = |what, most| Err(Refusal::SeatLimit { what, most });
    assert_eq!(sale.join("ann", team), refused("seats in one team", 1));
    let again = sale.place("ann", Some(TeamAsk::Open { commit: None }));
    assert_eq!(again, refused("teams", 1));
    sale.tick(1_000 + u64::from(HOLD_MS));
    sale.place("ann", Some(TeamAsk::Open { commit: None }))
        .unwrap();
}

fn lottery(seats: u16, prizes: u16) -> Offer {
    groups(GroupRule {
        prizes: Some(prizes),
        ..rule(seats)
    })
}

fn promise(seed: [u8; 32]) -> TeamAsk {
    TeamAsk::Open {
        commit: Some(Commit {
            nonce: [3; 16],
            hash: *blake3::hash(&seed).as_bytes(),
        }),
    }
}

#[test]
fn a_lottery_sells_its_prizes_to_those_drawn_and_refunds_the_others() {
    let (seed, mut sale) = ([9; 32], Sale::open(2, lottery(5, 2)));
    let first = sale.place("b0", Some(promise(seed))).unwrap();
    assert_eq!(sale.available(), 0, "the team holds its prizes");
    let mut orders = vec![first];
    for n in 1..5 {
        orders.push(sale.join(&format!("b{n}"), 0).unwrap());
    }
    orders.iter().for_each(|&order| sale.pay(order));
    assert_eq!(sale.book.draws_due().count(), 1);
    let draw = |seed| Action::Report(Report::Seed { team: 0, seed });
    assert!(
        sale.ask(Actor::House, draw([8; 32])).decision.is_err(),
        "another seed"
    );
    sale.ask(Actor::House, draw(seed)).decision.unwrap();
    assert!(sale.ask(Actor::House, draw(seed)).repeated);
    sale.tick(sale.now + 1);
    sale.refund_all();
    let won: Vec<u32> = orders
        .iter()
        .copied()
        .filter(|&order| sale.left(order) == Minor(100))
        .collect();
    let shown = sale.book.team(0).unwrap().draw().unwrap().opened.unwrap();
    assert_eq!((won.len(), shown.2), (2, &won[..]));
    let units = sale.book.find_sku("cup").unwrap().units();
    assert_eq!((units.sold(), units.held()), (Units(2), Units(0)));
    sale.merchant(Action::Ship { order: won[0] }).unwrap();
}

#[test]
fn a_lottery_that_does_not_fill_gives_prizes_and_money_back() {
    let mut sale = Sale::open(2, lottery(5, 2));
    let first = sale.place("b0", Some(promise([1; 32]))).unwrap();
    sale.pay(first);
    sale.tick(10_000_000);
    sale.refund_all();
    assert_eq!((sale.available(), sale.left(first)), (2, Minor::ZERO));
}

fn presale(lapse: Lapse) -> Offer {
    Offer {
        presale: Some(Presale {
            deposit: Cut::Share(3_000),
            from: Time(200_000),
            until: Time(300_000),
            lapse,
            grace_ms: 20_000,
        }),
        ..Offer::default()
    }
}

#[test]
fn deposit_then_balance_sells_the_order_and_a_refund_names_both_charges() {
    let mut sale = Sale::open(1, presale(Lapse::Forfeit));
    let order = sale.place("ann", None).unwrap();
    sale.pay(order);
    assert_eq!(
        (sale.status(order), sale.left(order)),
        (OrderStatus::Deposited, Minor(30))
    );
    assert_eq!(
        sale.begin(order),
        Err(Refusal::BalanceNotDue {
            from: Time(200_000)
        })
    );
    sale.tick(250_000);
    sale.pay(order);
    assert_eq!(
        (sale.status(order), sale.left(order)),
        (OrderStatus::Paid, Minor(100))
    );
    sale.merchant(Action::Cancel { order }).unwrap();
    let charges: Vec<_> = sale
        .book
        .open_effects()
        .map(|effect| (effect.kind, effect.amount.0))
        .collect();
    let refund = |number, charge| EffectKind::Refund { number, charge };
    assert_eq!(charges, [(refund(1, 2), 70), (refund(2, 1), 30)]);
    sale.refund_all();
    assert_eq!((sale.left(order), sale.available()), (Minor::ZERO, 1));
}

#[test]
fn a_balance_not_paid_forfeits_or_refunds_the_deposit_as_the_rule_says() {
    for (lapse, left) in [(Lapse::Forfeit, 30), (Lapse::Refund, 0)] {
        let mut sale = Sale::open(1, presale(lapse));
        let order = sale.place("ann", None).unwrap();
        sale.pay(order);
        sale.tick(300_000);
        sale.refund_all();
        assert_eq!(
            (sale.status(order), sale.left(order)),
            (OrderStatus::Expired, Minor(left))
        );
        assert_eq!(sale.available(), 1);
        let forfeited = sale.book.order(order).unwrap().dues().unwrap().2;
        assert_eq!(forfeited, lapse == Lapse::Forfeit);
    }
}

#[test]
fn forfeiting_waits_for_a_balance_of_unknown_outcome_and_a_later_capture_goes_back() {
    for (heard, status, left) in [
        (310_000, OrderStatus::Paid, 100),
        (330_000, OrderStatus::Expired, 30),
    ] {
        let mut sale = Sale::open(1, presale(Lapse::Forfeit));
        let order = sale.place("ann", None).unwrap();
        sale.pay(order);
        sale.tick(299_000);
        sale.begin(order).unwrap();
        sale.hear(order, 2, ChargeOutcome::Unknown);
        sale.tick(300_000);
        assert_eq!(sale.status(order), OrderStatus::Paying);
        sale.tick(heard);
        sale.hear(order, 2, ChargeOutcome::Captured(Minor(70)));
        sale.refund_all();
        assert_eq!(
            (sale.status(order), sale.left(order)),
            (status, Minor(left))
        );
    }
}

// At most one capture of a due is kept, whichever attempt it came by.
#[test]
fn a_second_capture_of_the_deposit_goes_back_and_is_no_balance() {
    let mut offer = presale(Lapse::Refund);
    if let Some(presale) = &mut offer.presale {
        presale.deposit = Cut::Off(Minor(50));
    }
    let mut sale = Sale::open(1, offer);
    let order = sale.place("ann", None).unwrap();
    sale.begin(order).unwrap();
    sale.hear(order, 1, ChargeOutcome::Failed);
    sale.begin(order).unwrap();
    sale.hear(order, 1, ChargeOutcome::Captured(Minor(50)));
    assert_eq!(
        sale.status(order),
        OrderStatus::Paying,
        "the second attempt is in flight"
    );
    sale.hear(order, 2, ChargeOutcome::Captured(Minor(50)));
    sale.refund_all();
    assert_eq!(
        (sale.status(order), sale.left(order)),
        (OrderStatus::Deposited, Minor(50))
    );
}

fn line() -> Offer {
    Offer {
        line: Some(LinePolicy {
            hold_ms: 10_000,
            units_most: 5,
            places_most: 3,
        }),
        ..Offer::default()
    }
}

fn wait(units: u32) -> Action {
    Action::Wait {
        buyer: None,
        sku: "cup".into(),
        units,
    }
}

#[test]
fn a_unit_that_comes_back_goes_to_the_first_in_line_and_to_no_newcomer() {
    let mut sale = Sale::open(1, line());
    let left = Units(1);
    let early = sale.buyer("bob", wait(1));
    let sku = Arc::from("cup");
    assert_eq!(early, Err(Refusal::NothingToWaitFor { sku, left }));
    let order = sale.place("ann", None).unwrap();
    let tickets = ["bob", "cy"].map(|buyer| sale.buyer(buyer, wait(1)).unwrap());
    assert_eq!(tickets, [Done::Ticket(0), Done::Ticket(1)]);
    assert_eq!(sale.book.ticket(1).unwrap().ahead, Some(1));
    sale.merchant(Action::Cancel { order }).unwrap();
    assert_eq!(sale.available(), 0);
    assert!(matches!(
        sale.place("dee", None),
        Err(Refusal::LineFirst { ahead: 1, .. })
    ));
    let TicketState::Offered { order: offered } = sale.book.ticket(0).unwrap().state else {
        panic!("bob is next");
    };
    assert_eq!(sale.book.order(offered).unwrap().buyer(), Some("bob"));
    sale.tick(sale.now + 10_000);
    let TicketState::Offered { order: offered } = sale.book.ticket(1).unwrap().state else {
        panic!("cy is next");
    };
    sale.pay(offered);
    assert_eq!(sale.status(offered), OrderStatus::Paid);
}

#[test]
fn a_part_is_offered_and_leaving_costs_nothing() {
    let mut sale = Sale::open(3, line());
    let order = sale.place("ann", None).unwrap();
    let rest = sale.place("bob", None).unwrap();
    sale.place("eve", None).unwrap();
    sale.buyer("cy", wait(1)).unwrap();
    sale.buyer("dee", wait(4)).unwrap();
    sale.buyer("cy", Action::LeaveLine { ticket: 0 }).unwrap();
    let stranger = sale.buyer("cy", Action::LeaveLine { ticket: 1 });
    assert_eq!(stranger, Err(Refusal::NoTicket));
    assert_eq!(sale.book.ticket(1).unwrap().ahead, Some(0));
    sale.merchant(Action::Cancel { order }).unwrap();
    let TicketState::Offered { order: offered } = sale.book.ticket(1).unwrap().state else {
        panic!("dee is next");
    };
    assert_eq!(sale.book.order(offered).unwrap().units(), 1);
    sale.merchant(Action::Cancel { order: rest }).unwrap();
    assert_eq!(sale.available(), 1, "nobody waits any more");
}

// Paid after expiry: the units are taken again only if nobody waits for them.
#[test]
fn a_late_payment_does_not_pass_the_line() {
    let mut sale = Sale::open(1, line());
    let order = sale.place("ann", None).unwrap();
    sale.begin(order).unwrap();
    sale.buyer("bob", wait(1)).unwrap();
    sale.tick(1_000 + u64::from(HOLD_MS));
    sale.hear(order, 1, ChargeOutcome::Captured(Minor(100)));
    sale.refund_all();
    assert_eq!(
        (sale.status(order), sale.left(order)),
        (OrderStatus::Expired, Minor::ZERO)
    );
    assert!(matches!(
        sale.book.ticket(0).unwrap().state,
        TicketState::Offered { .. }
    ));
}

#[test]
fn a_hold_lives_longer_once_while_a_payment_is_in_flight() {
    let holds = HoldPolicy {
        grace_ms: 5_000,
        ..HoldPolicy::default()
    };
    let offer = Offer {
        holds,
        ..Offer::default()
    };
    let mut sale = Sale::open(1, offer);
    let order = sale.place("ann", None).unwrap();
    sale.begin(order).unwrap();
    let due = 1_000 + u64::from(HOLD_MS);
    sale.tick(due);
    assert_eq!(sale.status(order), OrderStatus::Paying);
    sale.tick(due + 4_999);
    assert_eq!(sale.status(order), OrderStatus::Paying);
    sale.tick(due + 5_000);
    assert_eq!(sale.status(order), OrderStatus::Expired);
}

// dujiao-next#105: one buyer holds the whole shop.
#[test]
fn who_lets_holds_lapse_gets_fewer_and_shorter_ones_and_is_told() {
    let holds = HoldPolicy {
        grace_ms: 0,
        open_most: Some(3),
        steps: vec![Shrink {
            lapses: 3,
            hold_ms: 5_000,
            open_most: 1,
        }],
    };
    let offer = Offer {
        holds,
        ..Offer::default()
    };
    let mut sale = Sale::open(100, offer);
    for _ in 0..3 {
        sale.place("ann", None).unwrap();
    }
    let refused = |open, most, lapses| Err(Refusal::OpenHolds { open, most, lapses });
    assert_eq!(sale.place("ann", None), refused(3, 3, 0));
    sale.tick(1_000 + u64::from(HOLD_MS));
    let order = sale.place("ann", None).unwrap();
    assert_eq!(
        sale.book.order(order).unwrap().deadline(),
        Time(sale.now + 5_000)
    );
    assert_eq!(sale.place("ann", None), refused(1, 1, 3));
    assert!(sale.place("bob", None).is_ok());
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
                presale: presale(Lapse::Refund).presale,
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
