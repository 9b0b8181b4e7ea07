//! The small shop of the tests, where it offers teams, a pre-sale and a line: what it shows of them, and short lives.

use api::deal::{OffWhy, OrderDues, OrderOff, OrderTeam};
use api::line::{Ticket, TicketState};
use api::team::{Team, TeamDraw, TeamMember, TeamSeats, TeamSettlement, TeamState};
use api::{PriceText, SaleId, TeamId, TicketId, Time};
use commerce::command::{Ask, Place, Report};
use commerce::deal::Commit;
use commerce::offer::{
    AfterFinish, Alone, GroupRule, HoldPolicy, Lapse, Leave, LinePolicy, Pays, Presale, Tier,
};
use commerce::price::{Cut, PriceWhat};
use commerce::{Action, Book, DealAsk, Offer, OrderRef, TeamAsk};
use ledger::{Minor, UnitPrice};
use serde_json::json;

use super::answers;
use super::life::{Life, order_id};
use crate::record::{Evidence, Who};

pub(super) const SEED: [u8; 32] = [9; 32];

pub(super) fn sale() -> SaleId {
    SaleId::new(1).unwrap()
}

pub(super) fn team_id(number: u32) -> TeamId {
    TeamId::new(sale(), number.into()).unwrap()
}

pub(super) fn hex(bytes: &[u8; 32]) -> Box<str> {
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    text.into()
}

fn state(state: commerce::book::TeamState) -> TeamState {
    match state {
        commerce::book::TeamState::Open => TeamState::Open,
        commerce::book::TeamState::Complete => TeamState::Complete,
        commerce::book::TeamState::Failed => TeamState::Failed,
    }
}

/// The seat of an order, as the small shop shows it.
pub(super) fn seat(book: &Book, order: OrderRef<'_>) -> Option<OrderTeam> {
    let number = order.team()?;
    let team = book.team(number)?;
    let draws = team.rule().prizes.is_some();
    Some(OrderTeam {
        id: team_id(number),
        state: state(team.state()),
        seat_paid: team.member(order.number()).is_some_and(|seat| seat.paid),
        lottery: draws.then(|| match (order.is_bare(), answers::state(order.status())) {
            (false, _) => api::deal::Lottery::Won,
            (
                true,
                api::order::OrderState::Held
                | api::order::OrderState::Paying
                | api::order::OrderState::Paid,
            ) => api::deal::Lottery::Pending,
            _ => api::deal::Lottery::Lost,
        }),
    })
}

/// Deposit and balance of an order, as the small shop shows them.
pub(super) fn dues(order: OrderRef<'_>) -> Option<OrderDues> {
    let (dues, deposit_paid, forfeited) = order.dues()?;
    Some(OrderDues {
        deposit_minor: dues.deposit.0,
        balance_minor: order.total().0 - dues.deposit.0,
        from: Time::from_ms(dues.from.0),
        until: Time::from_ms(dues.until.0),
        deposit_paid,
        balance_paid: order.kept() != 0,
        forfeited,
    })
}

/// What came off an order's price, as the small shop shows it.
pub(super) fn off(order: OrderRef<'_>) -> Vec<OrderOff> {
    let lines = order.price().iter();
    let shown = lines.filter_map(|line| {
        let (why, number) = match line.what {
            PriceWhat::Leader => (OffWhy::Leader, None),
            PriceWhat::Level { level } => (OffWhy::Level, Some(level)),
            PriceWhat::Coupon { coupon } => (OffWhy::Coupon, Some(coupon.into())),
            PriceWhat::Line { .. } | PriceWhat::Tier { .. } => return None,
        };
        Some(OrderOff {
            why,
            number,
            amount_minor: -line.amount.0,
        })
    });
    shown.collect()
}

/// A place in the line, as the small shop shows it.
pub(super) fn ticket(book: &Book, number: u32) -> Ticket {
    let found = book.ticket(number).unwrap();
    let (state, order) = match found.state {
        commerce::book::TicketState::Waiting => (TicketState::Waiting, None),
        commerce::book::TicketState::Offered { order } => (TicketState::Offered, Some(order)),
        commerce::book::TicketState::Left => (TicketState::Left, None),
    };
    Ticket {
        id: TicketId::new(sale(), number.into()).unwrap(),
        sale_id: sale(),
        sku: "cup".into(),
        quantity: found.units,
        buyer: found.buyer.into(),
        state,
        position: found.ahead.map(|ahead| ahead + 1),
        order_id: order.map(order_id),
        since: Time::from_ms(found.since.0),
    }
}

/// A team, as the small shop shows it to somebody.
fn team(book: &Book, number: u32, who: &Who) -> Team {
    let found = book.team(number).unwrap();
    let (opened, ends, ended) = found.times();
    let (total, held, paid, filled) = found.seats();
    let plain = book.find_sku("cup").unwrap().price();
    let name = |order: u32| book.order(order).unwrap().buyer().unwrap();
    let own = |order: u32| matches!(who, Who::Buyer(own) if own == name(order));
    let member = |(place, seat): (usize, commerce::book::MemberRef)| TeamMember {
        name: format!("member {}", place + 1).into(),
        buyer: (*who == Who::Merchant).then(|| name(seat.order).into()),
        you: own(seat.order),
        order_id: (*who == Who::Merchant || own(seat.order)).then(|| order_id(seat.order)),
        paid: seat.paid,
        leads: found.leader() == Some(seat.order),
    };
    let is_member = found.members().any(|seat| own(seat.order));
    let settled = found.settlement();
    Team {
        id: team_id(number),
        sale_id: sale(),
        sku: "cup".into(),
        state: state(found.state()),
        joinable: found.is_joinable(),
        seats: TeamSeats {
            total,
            free: total - held - paid - filled,
            held,
            paid,
            filled_by_house: filled,
        },
        house_seats: None,
        price: PriceText::new(found.tier_price().unwrap_or(plain).0).unwrap(),
        next_tier: None,
        opened_at: Time::from_ms(opened.0),
        ends_at: Time::from_ms(ends.0),
        ended_at: ended.map(|ended| Time::from_ms(ended.0)),
        link: format!("/v1/teams/{}", team_id(number)).into(),
        leads: found.leader().is_some_and(own),
        members: (is_member || *who == Who::Merchant)
            .then(|| found.members().enumerate().map(member).collect()),
        settlement: (found.state() != commerce::book::TeamState::Open).then_some(TeamSettlement {
            orders: settled.orders,
            settled: settled.settled,
            refunds_pending: settled.refunds_pending,
            refunds_done: settled.refunds_done,
            pending_minor: settled.pending.0,
            refunded_minor: settled.refunded.0,
        }),
        draw: found.draw().map(|draw| TeamDraw {
            prizes: 1,
            commitment: hex(&draw.commit.hash),
            seed: draw.opened.map(|(seed, ..)| hex(seed)),
            entries_hash: draw.opened.map(|(_, entries, _)| hex(entries)),
            winners: (draw.opened)
                .map(|(.., winners)| winners.iter().map(|order| order_id(*order)).collect()),
        }),
    }
}

fn rule() -> GroupRule {
    let tier = |seats, price| Tier {
        seats,
        price: UnitPrice(price),
    };
    GroupRule {
        sku: "cup".into(),
        size: 2,
        least: 2,
        lifetime_ms: 60_000,
        stretch_ms: 0,
        tiers: vec![tier(1, 120_000), tier(2, 110_000)],
        pays: Pays::Top,
        seats_per_buyer: 1,
        teams_per_buyer: None,
        open_to: Vec::new(),
        join_to: Vec::new(),
        leader: Some(Cut::Off(Minor(100))),
        leave: Leave::Free,
        after: AfterFinish::Merchant,
        fill: 0,
        alone: Alone::Sold,
        prizes: None,
    }
}

fn groups(rule: GroupRule) -> Offer {
    Offer {
        groups: vec![rule],
        ..Offer::default()
    }
}

impl Life {
    fn take_seat(&mut self, buyer: &str, key: &str, ask: TeamAsk) -> u32 {
        let wanted = match ask {
            TeamAsk::Open { .. } => json!({"open": true}),
            TeamAsk::Join { team } => json!({"join": team_id(team)}),
        };
        let body = json!({"sale_id": "sale_00001", "lines": [{"sku": "cup", "quantity": 1}], "team": wanted});
        let place = Place {
            buyer: None,
            tags: [].into(),
            lines: vec![Ask {
                sku: "cup".into(),
                units: 1,
                price: None,
            }],
            paid: None,
            deal: Some(Box::new(DealAsk {
                team: Some(ask),
                ..DealAsk::default()
            })),
        };
        let who = Who::Buyer(buyer.into());
        let done = self.change(
            who,
            key,
            "/v1/orders",
            &body.to_string(),
            Action::Place(place),
        );
        match done {
            Some(commerce::Done::Order(order)) => order,
            other => panic!("{other:?}"),
        }
    }

    fn look_at_team(&mut self, who: Who) {
        self.now += 10;
        let body = serde_json::to_string(&team(&self.book, 0, &who)).unwrap();
        let said = answers::yes(self, body, false);
        let path = format!("/v1/teams/{}", team_id(0));
        self.note(who, ("GET", path, String::new()), None, said);
    }

    fn look_at_place(&mut self, buyer: &str, number: u32) {
        self.now += 10;
        let body = serde_json::to_string(&ticket(&self.book, number)).unwrap();
        let said = answers::yes(self, body, false);
        let path = format!(
            "/v1/tickets/{}",
            TicketId::new(sale(), number.into()).unwrap()
        );
        let who = Who::Buyer(buyer.into());
        self.note(who, ("GET", path, String::new()), None, said);
    }

    fn wait(&mut self, buyer: &str) {
        let action = Action::Wait {
            buyer: None,
            sku: "cup".into(),
            units: 1,
            tags: [].into(),
            facts: None,
        };
        let body = r#"{"sku":"cup","quantity":1}"#;
        let path = "/v1/sales/sale_00001/line";
        self.change(Who::Buyer(buyer.into()), "w", path, body, action);
    }
}

pub(super) fn buyer(name: &str) -> Who {
    Who::Buyer(name.into())
}

/// Ann opens a team and Bob fills it, while Cid, who is no member, and the merchant look on.
pub(super) fn group_buy() -> Evidence {
    let mut life = Life::open_with(5, Some(groups(rule())));
    let ann = life.take_seat("ann", "a", TeamAsk::Open { commit: None });
    life.look_at_team(buyer("ann"));
    life.pay("ann", "p", ann);
    life.charge(ann, 1, true);
    let bob = life.take_seat("bob", "b", TeamAsk::Join { team: 0 });
    life.look_at_team(buyer("cid"));
    life.look_at_team(Who::Merchant);
    life.pay("bob", "p", bob);
    life.charge(bob, 1, true);
    life.look_at_team(buyer("cid"));
    life.tick();
    for order in [ann, bob] {
        life.refunded(order, 1, true);
    }
    life.look_at_team(buyer("ann"));
    life.look("ann", ann);
    life.look("bob", bob);
    life.evidence()
}

/// A lottery of two for one prize, drawn.
pub(super) fn lottery() -> Evidence {
    let rule = GroupRule {
        tiers: Vec::new(),
        leader: None,
        prizes: Some(1),
        ..rule()
    };
    let mut life = Life::open_with(5, Some(groups(rule)));
    let commit = Some(Commit::of([1; 16], &SEED));
    let ann = life.take_seat("ann", "a", TeamAsk::Open { commit });
    let bob = life.take_seat("bob", "b", TeamAsk::Join { team: 0 });
    for (name, order) in [("ann", ann), ("bob", bob)] {
        life.pay(name, "p", order);
        life.charge(order, 1, true);
    }
    life.look_at_team(buyer("ann"));
    life.report(Report::Seed {
        team: 0,
        seed: SEED,
    });
    life.tick();
    for order in [ann, bob] {
        if life.book.order(order).unwrap().is_bare() {
            life.refunded(order, 1, true);
        }
    }
    life.look_at_team(buyer("ann"));
    life.look("ann", ann);
    life.evidence()
}

/// Ann has the only cup; Bob and Cid wait for it, and Bob gets it.
pub(super) fn line() -> Evidence {
    let offer = Offer {
        line: Some(LinePolicy {
            hold_ms: 5_000,
            units_most: 1,
            places_most: 10,
        }),
        ..Offer::default()
    };
    let mut life = Life::open_with(1, Some(offer));
    let ann = life.place("ann", "a", 1).unwrap();
    life.wait("bob");
    life.wait("cid");
    life.look_at_place("cid", 1);
    life.cancel("ann", "x", ann);
    // The next command of anybody gives the unit to the first in line.
    life.wait("dan");
    life.look_at_place("bob", 0);
    life.look_at_place("cid", 1);
    let bob = ann + 1;
    life.pay("bob", "p", bob);
    life.charge(bob, 1, true);
    life.evidence()
}

/// Ann pays a deposit, and the balance when its time has come.
pub(super) fn presale() -> Evidence {
    let offer = Offer {
        presale: Some(Presale {
            deposit: Cut::Share(5_000),
            from: commerce::Time(5_000),
            until: commerce::Time(50_000),
            lapse: Lapse::Refund,
            grace_ms: 0,
        }),
        holds: HoldPolicy::default(),
        ..Offer::default()
    };
    let mut life = Life::open_with(5, Some(offer));
    let ann = life.place("ann", "a", 1).unwrap();
    life.pay("ann", "p1", ann);
    life.charge(ann, 1, true);
    life.look("ann", ann);
    life.now = 6_000;
    life.pay("ann", "p2", ann);
    life.charge(ann, 2, true);
    life.look("ann", ann);
    life.evidence()
}
