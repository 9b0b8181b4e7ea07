//! Ten thousand teams, filled by people who join, pay, fail, leave and come late, all at once: seats are never above the
//! size, every full team is complete in the transition that paid its last seat, and every ended team is settled to the
//! last minor unit. Judged by a model that knows only what a rule says in words, and by a till of its own.

mod model;

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::{Minor, UnitPrice};
use tidegate_commerce::book::TeamState;
use tidegate_commerce::command::{ChargeOutcome, RefundOutcome};
use tidegate_commerce::offer::{
    AfterFinish, Alone, Cut, GroupRule, Leave, Offer, Pays, TEAM_SEATS, Tier,
};
use tidegate_commerce::{
    Action, Actor, Ask, Book, Command, DealAsk, Effect, EffectKind, Entry, Place, Refusal, SkuPlan,
    TeamAsk, Time, Turn,
};

use crate::commands::{by, charged, merchant, pay, plan, refunded, sku, turn};
use model::{How, Model, Rule, Seat};

const TEAMS: usize = 10_000;
/// Teams of a thousand seats among them.
const GREAT: usize = 5;
/// Teams that are open at a time.
const OPEN: usize = 300;
/// Far beyond every hold and team.
const LATER: u64 = 1_000_000_000;

/// A stream of numbers from a seed (xorshift64*).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap() % most
    }

    fn one_in(&mut self, most: usize) -> bool {
        self.below(most) == 0
    }
}

/// The rule of teams of so many seats: some may end before they are full, some wait, some are filled by the house.
fn rule(size: usize) -> Rule {
    let great = size > 20;
    Rule {
        size,
        least: if size.is_multiple_of(3) {
            size - 1
        } else {
            size
        },
        fill: usize::from(size.is_multiple_of(5) && !great),
        lifetime_ms: if great { 400_000 } else { 30_000 },
        stretch_ms: if size.is_multiple_of(2) { 4_000 } else { 0 },
        prices: (100, 77),
        leader: i64::from(size.is_multiple_of(4)) * 9,
    }
}

fn group(rule: &Rule) -> GroupRule {
    let number = |n: usize| u16::try_from(n).unwrap();
    let tier = |seats: usize, minor: i64| Tier {
        seats: number(seats),
        price: UnitPrice(minor * 100),
    };
    GroupRule {
        sku: format!("cup of {}", rule.size).into(),
        size: number(rule.size),
        least: number(rule.least),
        lifetime_ms: u32::try_from(rule.lifetime_ms).unwrap(),
        stretch_ms: u32::try_from(rule.stretch_ms).unwrap(),
        tiers: vec![tier(1, rule.prices.0), tier(rule.half(), rule.prices.1)],
        pays: Pays::Reached,
        seats_per_buyer: 1,
        teams_per_buyer: None,
        open_to: Vec::new(),
        join_to: Vec::new(),
        leader: (rule.leader > 0).then_some(Cut::Off(Minor(rule.leader))),
        leave: Leave::Free,
        after: AfterFinish::Merchant,
        fill: number(rule.fill),
        alone: Alone::TeamsOnly,
        prizes: None,
    }
}

/// What a provider has of one order: money in, money back.
#[derive(Debug, Default, Clone, Copy)]
struct Till {
    taken: i64,
    back: i64,
}

struct World {
    book: Book,
    model: Model,
    now: u64,
    dice: Dice,
    entries: Vec<Entry>,
    charges: Vec<Effect>,
    refunds: Vec<Effect>,
    till: BTreeMap<u32, Till>,
    /// Orders that nobody tried to pay yet.
    unpaid: Vec<u32>,
    keys: u32,
    completed: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let sizes: Vec<usize> = (2..=20).chain([usize::from(TEAM_SEATS.1)]).collect();
        let skus: Vec<SkuPlan> = sizes
            .iter()
            .map(|size| sku(&format!("cup of {size}"), u32::MAX / 2, None))
            .collect();
        let offer = Offer {
            groups: sizes.iter().map(|&size| group(&rule(size))).collect(),
            ..Offer::default()
        };
        let mut world = Self {
            book: Book::new(),
            model: Model::default(),
            now: 1_000,
            dice: Dice(seed),
            entries: Vec::new(),
            charges: Vec::new(),
            refunds: Vec::new(),
            till: BTreeMap::new(),
            unpaid: Vec::new(),
            keys: 0,
            completed: 0,
        };
        let create = Action::CreateWith {
            secret: [7; 16],
            plan: Box::new(plan(skus, None)),
            offer: Box::new(offer),
        };
        for command in [merchant("create", create), turn("open", Turn::Open)] {
            world.gives(&command).unwrap();
        }
        world
    }

    /// Gives a command, lets the desk's tick follow, and takes up the calls that were begun.
    fn gives(&mut self, command: &Command) -> Result<(), Refusal> {
        self.entries.clear();
        let now = Time(self.now);
        let outcome = self.book.execute(now, command, &mut self.entries).unwrap();
        self.settles();
        outcome.decision.map(drop)
    }

    fn settles(&mut self) {
        self.book
            .tick(Time(self.now), 4_096, &mut self.entries)
            .unwrap();
        for entry in &self.entries {
            for effect in self.book.begun(entry) {
                match effect.kind {
                    EffectKind::Charge { .. } => self.charges.push(effect),
                    EffectKind::Refund { .. } => self.refunds.push(effect),
                }
            }
        }
        self.model.tick(self.now);
    }

    fn key(&mut self) -> String {
        self.keys += 1;
        format!("k{}", self.keys)
    }

    fn place(&mut self, size: usize, team: TeamAsk) -> Result<(), Refusal> {
        let key = self.key();
        let place = Place {
            buyer: None,
            tags: Arc::from([]),
            lines: vec![Ask {
                sku: format!("cup of {size}").into(),
                units: 1,
                price: None,
            }],
            paid: None,
            deal: Some(Box::new(DealAsk {
                team: Some(team),
                ..DealAsk::default()
            })),
        };
        let buyer = Actor::Buyer(format!("b{}", self.keys).into());
        self.gives(&by(buyer, &key, Action::Place(place)))
    }

    fn opens(&mut self) {
        let size = match self.model.teams.len() < GREAT {
            true => usize::from(TEAM_SEATS.1),
            // Small ones are the many.
            false => 2 + self.dice.below(19).min(self.dice.below(19)),
        };
        self.model.opens(self.now, rule(size));
        self.place(size, TeamAsk::Open { commit: None }).unwrap();
        self.waits(true);
    }

    /// The order that was just placed waits for its payment.
    fn waits(&mut self, placed: bool) {
        if placed {
            let last = self.model.orders.len() - 1;
            self.unpaid.push(u32::try_from(last).unwrap());
        }
    }

    fn joins(&mut self) {
        let team = match self.dice.below(8) {
            0 => self.dice.below(self.model.teams.len().min(GREAT)),
            1 => self.dice.below(self.model.teams.len()),
            _ => {
                let open = self.model.open.len();
                let at = self.dice.below(open.max(1));
                self.model.open.iter().nth(at).copied().unwrap_or(0)
            }
        };
        let may = self.model.joins(self.now, team);
        let size = self.model.teams[team].rule.size;
        let number = u32::try_from(team).unwrap();
        let joined = self.place(size, TeamAsk::Join { team: number });
        self.waits(joined.is_ok());
        assert_eq!(joined.is_ok(), may, "team {team}: {joined:?}");
        self.looks_at(team);
    }

    /// One of the latest orders.
    fn somebody(&mut self) -> u32 {
        let orders = self.model.orders.len();
        let back = self.dice.below(orders.min(2 * OPEN));
        u32::try_from(orders - 1 - back).unwrap()
    }

    fn pays(&mut self) {
        let order = match self.unpaid.len() {
            waiting if waiting > 0 && !self.dice.one_in(8) => {
                let at = self.dice.below(waiting);
                self.unpaid.swap_remove(at)
            }
            _ => self.somebody(),
        };
        let may = self.model.pays(self.now, order);
        let key = self.key();
        let begun = self.gives(&pay(order, &key));
        assert_eq!(begun.is_ok(), may, "order {order}: {begun:?}");
    }

    fn leaves(&mut self) {
        let order = self.somebody();
        let may = self.model.leaves(order);
        let name = self.book.order(order).unwrap().buyer().unwrap().into();
        let key = self.key();
        let left = self.gives(&by(Actor::Buyer(name), &key, Action::Cancel { order }));
        assert_eq!(left.is_ok(), may, "order {order}: {left:?}");
        self.looks_at(self.model.orders[order as usize].team);
    }

    /// The provider answers one charge.
    fn answers(&mut self) {
        if self.charges.is_empty() {
            return;
        }
        let at = self.dice.below(self.charges.len());
        let effect = self.charges.swap_remove(at);
        let EffectKind::Charge { attempt } = effect.kind else {
            return;
        };
        if self.dice.one_in(8) {
            self.model.fails(effect.order);
            let failed = charged(effect.order, attempt, ChargeOutcome::Failed);
            self.gives(&failed).unwrap();
        } else {
            self.captures(effect, attempt);
        }
        self.looks_at(self.model.orders[effect.order as usize].team);
    }

    fn captures(&mut self, effect: Effect, attempt: u16) {
        let order = effect.order;
        assert_eq!(effect.amount.0, self.model.orders[order as usize].total);
        let team = self.model.orders[order as usize].team;
        let was = self.model.teams[team].how;
        self.model.captured(self.now, order);
        self.till.entry(order).or_default().taken += effect.amount.0;
        let captured = charged(order, attempt, ChargeOutcome::Captured(effect.amount));
        self.gives(&captured).unwrap();
        if (was, self.model.teams[team].how) == (How::Open, How::Complete) {
            self.completed += 1;
        }
    }

    /// The provider gives money back.
    fn gives_back(&mut self) {
        let Some(effect) = self.refunds.pop() else {
            return;
        };
        let EffectKind::Refund { number, .. } = effect.kind else {
            return;
        };
        self.till.entry(effect.order).or_default().back += effect.amount.0;
        self.gives(&refunded(effect.order, number, RefundOutcome::Refunded))
            .unwrap();
    }

    /// The book's team is the model's.
    fn looks_at(&self, at: usize) {
        let team = &self.model.teams[at];
        let number = u32::try_from(at).unwrap();
        let seen = self.book.team(number).unwrap();
        let (all, held, paid, house) = seen.seats();
        assert!(
            held + paid + house <= all,
            "team {at}: more seats than it has"
        );
        let how = match seen.state() {
            TeamState::Open => How::Open,
            TeamState::Complete => How::Complete,
            TeamState::Failed => How::Failed,
        };
        assert_eq!(how, team.how, "team {at}");
        if how != How::Failed {
            let seats = [held, paid, house].map(|n| n as usize);
            assert_eq!(
                seats,
                [team.held.len(), team.paid.len(), team.house],
                "team {at}"
            );
        }
        assert!(
            team.taken() < team.rule.size || how == How::Complete || !team.held.is_empty(),
            "team {at} is full and not complete"
        );
    }

    fn step(&mut self) {
        let many = self.model.open.len() >= OPEN;
        match self.dice.below(16) {
            0 if !many && self.model.teams.len() < TEAMS => self.opens(),
            0..=5 => self.joins(),
            6..=9 => self.pays(),
            10..=13 => self.answers(),
            14 => self.gives_back(),
            _ if self.dice.one_in(4) => self.leaves(),
            _ => {
                self.now += self.dice.below(60) as u64;
                self.entries.clear();
                self.settles();
            }
        }
    }

    /// The clock runs out, and the provider answers all.
    fn ends(&mut self) {
        for _ in 0..2 {
            self.now += LATER;
            while self.book.next_due().is_some_and(|due| due.0 <= self.now) {
                self.entries.clear();
                self.settles();
            }
            while !self.charges.is_empty() {
                self.answers();
            }
            while !self.refunds.is_empty() {
                self.gives_back();
            }
        }
    }

    fn is_settled(&self) {
        assert_eq!(self.book.open_effects().count(), 0);
        let (mut taken, mut back, mut kept) = (0, 0, 0);
        for (number, order) in (0_u32..).zip(&self.model.orders) {
            let till = self.till.get(&number).copied().unwrap_or_default();
            let keeps = self.model.keeps(number);
            assert_eq!(till.taken - till.back, keeps, "order {number}: {order:?}");
            assert!(keeps > 0 || order.seat != Seat::Paid, "order {number}");
            taken += till.taken;
            back += till.back;
            kept += keeps;
        }
        assert_eq!(taken - back, kept);
        for at in 0..self.model.teams.len() {
            self.looks_at(at);
            let settlement = self
                .book
                .team(u32::try_from(at).unwrap())
                .unwrap()
                .settlement();
            assert_eq!(settlement.settled, settlement.orders, "team {at}");
            assert_eq!(settlement.refunds_pending, 0, "team {at}");
        }
    }
}

#[test]
fn ten_thousand_teams_are_never_overfull_always_completed_and_settled_to_the_last_minor_unit() {
    let mut world = World::new(0x7EA5);
    world.opens();
    let mut steps = 0_usize;
    while world.model.teams.len() < TEAMS || !world.model.open.is_empty() {
        world.step();
        steps += 1;
        if steps.is_multiple_of(100_000) {
            world.book.check().unwrap();
        }
    }
    world.ends();
    world.book.check().unwrap();
    world.is_settled();
    let of = |how| {
        world
            .model
            .teams
            .iter()
            .filter(|team| team.how == how)
            .count()
    };
    let (complete, failed) = (of(How::Complete), of(How::Failed));
    assert_eq!(complete + failed, TEAMS);
    // A test that met only one kind of end would show little.
    assert!(
        complete > TEAMS / 4 && failed > TEAMS / 10 && world.completed > TEAMS / 5,
        "{complete} complete, {failed} failed, {} by their last payment",
        world.completed
    );
}
