//! Lies about teams, places in the line and dues, in a small shop that has them.

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
use serde_json::{Value, json};

use super::answers;
use super::life::{Life, order_id};
use super::{finds, judge};
use crate::record::{Call, Evidence, Outcome, Said, Who};

const SEED: [u8; 32] = [9; 32];

fn sale() -> SaleId {
    SaleId::new(1).unwrap()
}

fn team_id(number: u32) -> TeamId {
    TeamId::new(sale(), number.into()).unwrap()
}

fn hex(bytes: &[u8; 32]) -> Box<str> {
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
    let leader = lines.filter(|line| matches!(line.what, PriceWhat::Leader));
    let shown = leader.map(|line| OrderOff {
        why: OffWhy::Leader,
        number: None,
        amount_minor: -line.amount.0,
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
        self.calls.last_mut().unwrap().method = "PUT";
    }
}

fn buyer(name: &str) -> Who {
    Who::Buyer(name.into())
}

/// Ann opens a team and Bob fills it, while Cid, who is no member, and the merchant look on.
fn group_buy() -> Evidence {
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
    // The next command of anybody settles the team.
    life.stock("s", 1);
    for order in [ann, bob] {
        life.refunded(order, 1, true);
    }
    life.look_at_team(buyer("ann"));
    life.look("ann", ann);
    life.look("bob", bob);
    life.evidence()
}

/// A lottery of two for one prize, drawn.
fn lottery() -> Evidence {
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
    life.stock("s", 1);
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
fn line() -> Evidence {
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
fn presale() -> Evidence {
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

/// The same, with one field changed of the nth answer that has this path.
fn lie(mut evidence: Evidence, path: &str, nth: usize, field: &str, value: Value) -> Evidence {
    let mut calls = evidence
        .calls
        .iter_mut()
        .filter(|call| call.path.starts_with(path));
    let call = calls.nth(nth).unwrap();
    let said = said(call);
    let mut body: Value = serde_json::from_str(&said.body).unwrap();
    match body.pointer_mut(field) {
        Some(place) => *place = value,
        // A field that is left out where it says nothing.
        None => body[field.trim_start_matches('/')] = value,
    }
    said.body = body.to_string();
    evidence
}

fn said(call: &mut Call) -> &mut Said {
    match &mut call.outcome {
        Outcome::Said(said) => said,
        other => panic!("{other:?}"),
    }
}

const TEAM: &str = "/v1/teams/";
const TICKET: &str = "/v1/tickets/";
const ORDER: &str = "/v1/orders/ord_";

#[test]
fn sound_lives_with_offers_give_no_finding() {
    for (name, evidence) in [
        ("group buy", group_buy()),
        ("lottery", lottery()),
        ("line", line()),
        ("pre-sale", presale()),
    ] {
        assert_eq!(judge(&evidence), [], "{name}");
    }
}

#[test]
fn a_team_is_shown_as_it_was_at_its_receipt() {
    for (nth, field, value, words) in [
        (0, "/id", json!(team_id(7)), "is gone"),
        (0, "/sku", json!("pot"), "another rule"),
        (0, "/seats/total", json!(3), "another rule"),
        (0, "/seats/free", json!(2), "do not add up"),
        (0, "/ends_at", json!("2001-01-01T00:00:00Z"), "other times"),
        (0, "/state", json!("complete"), "was not like this"),
        (0, "/price", json!("11.00"), "was not like this"),
        (0, "/leads", json!(false), "was not like this"),
        (0, "/members/0/paid", json!(true), "was not like this"),
        (0, "/members/0/buyer", json!("bob"), "was not like this"),
        (2, "/members/1/leads", json!(true), "was not like this"),
        (3, "/joinable", json!(true), "was not like this"),
        (3, "/state", json!("failed"), "was not like this"),
        (4, "/settlement/settled", json!(1), "was not like this"),
        (
            4,
            "/settlement/refunded_minor",
            json!(1),
            "was not like this",
        ),
        (4, "/settlement", json!(null), "was not like this"),
    ] {
        finds(&lie(group_buy(), TEAM, nth, field, value), "INV-7", words);
    }
}

#[test]
fn seats_are_shown_as_they_were() {
    let held = lie(group_buy(), TEAM, 0, "/seats/held", json!(0));
    let paid = lie(held, TEAM, 0, "/seats/paid", json!(1));
    finds(&paid, "INV-7", "was not like this");
}

#[test]
fn names_of_members_are_for_members() {
    let names = json!([{"buyer": "ann", "paid": true, "leads": true}, {"buyer": "bob", "paid": false, "leads": false}]);
    let told = lie(group_buy(), TEAM, 1, "/members", names);
    finds(&told, "INV-7", "was not like this");
    let hidden = lie(group_buy(), TEAM, 0, "/members", json!(null));
    finds(&hidden, "INV-7", "was not like this");
}

#[test]
fn a_list_of_teams_shows_them_as_they_were() {
    let listed = |change: &dyn Fn(&mut Value)| {
        let mut evidence = group_buy();
        let mut calls = evidence
            .calls
            .iter_mut()
            .filter(|call| call.path.starts_with(TEAM));
        let call = calls.nth(1).unwrap();
        call.path = "/v1/sales/sale_00001/teams?joinable=true".into();
        let said = said(call);
        let mut team: Value = serde_json::from_str(&said.body).unwrap();
        change(&mut team);
        said.body = json!({"teams": [team]}).to_string();
        evidence
    };
    assert_eq!(judge(&listed(&|_| {})), []);
    let paid = listed(&|team| team["seats"]["paid"] = json!(0));
    finds(&paid, "INV-7", "do not add up");
    let named = listed(&|team| team["members"] = json!([]));
    finds(&named, "INV-7", "what belongs to its own page");
}

#[test]
fn what_came_about_is_never_undone() {
    let undone = lie(group_buy(), TEAM, 4, "/state", json!("open"));
    finds(&undone, "INV-7", "was not like this");
    let mut again = group_buy();
    let mut looks = again.calls.iter();
    let open = looks
        .find(|call| call.path.starts_with(TEAM) && call.who == buyer("cid"))
        .unwrap()
        .clone();
    again.calls.push(open);
    finds(&again, "monotonic reads", "went back from complete to open");
}

#[test]
fn a_draw_is_shown_as_it_was_drawn() {
    let other = hex(&[8; 32]);
    finds(
        &lie(lottery(), TEAM, 0, "/draw/commitment", json!(other)),
        "INV-7",
        "was not like this",
    );
    finds(
        &lie(lottery(), TEAM, 1, "/draw/seed", json!(other)),
        "INV-7",
        "was not like this",
    );
    finds(
        &lie(lottery(), TEAM, 1, "/draw/winners", json!([])),
        "INV-7",
        "was not like this",
    );
    let mut early = lottery();
    let mut calls = early
        .calls
        .iter_mut()
        .filter(|call| call.path.starts_with(TEAM));
    let said = said(calls.next().unwrap());
    let seed = format!(r#""prizes":1,"seed":"{}""#, hex(&SEED));
    said.body = said.body.replace(r#""prizes":1"#, &seed);
    finds(&early, "INV-7", "was not like this");
}

#[test]
fn a_place_in_the_line_is_shown_as_it_was() {
    for (nth, field, value, words) in [
        (
            0,
            "/id",
            json!(TicketId::new(sale(), 7).unwrap()),
            "is gone",
        ),
        (0, "/quantity", json!(3), "other goods"),
        (
            0,
            "/since",
            json!("2001-01-01T00:00:00Z"),
            "another buyer or beginning",
        ),
        (0, "/buyer", json!("bob"), "another buyer or beginning"),
        (0, "/position", json!(1), "is number 1"),
        (0, "/position", json!(null), "has no position"),
        (0, "/state", json!("left"), "another state"),
        (1, "/order_id", json!(order_id(0)), "another state"),
        (1, "/state", json!("waiting"), "another state"),
    ] {
        finds(&lie(line(), TICKET, nth, field, value), "INV-7", words);
    }
    let mut others = line();
    let mut calls = others
        .calls
        .iter_mut()
        .filter(|call| call.path.starts_with(TICKET));
    calls.next().unwrap().who = buyer("eve");
    finds(&others, "INV-7", "been shown to somebody else");
}

#[test]
fn nobody_goes_back_in_line() {
    let mut evidence = line();
    let mut looks = evidence.calls.iter();
    let first = looks
        .find(|call| call.path.starts_with(TICKET) && call.who == buyer("cid"))
        .unwrap()
        .clone();
    evidence.calls.push(first);
    finds(
        &evidence,
        "monotonic reads",
        "went back from 1 to 2 in line",
    );
    let mut again = line();
    let mut looks = again.calls.iter();
    let waits = looks
        .find(|call| call.path.contains("/line") && call.who == buyer("bob"))
        .unwrap()
        .clone();
    again.calls.push(waits);
    finds(&again, "monotonic reads", "was Offered and is Waiting");
}

#[test]
fn a_place_in_line_has_one_key() {
    let mut evidence = line();
    evidence.calls.retain(|call| !call.path.contains("/line"));
    finds(&evidence, "INV-4", "nobody asked for");
    let other = lie(
        line(),
        "/v1/sales/sale_00001/line",
        0,
        "/id",
        json!(TicketId::new(sale(), 1).unwrap()),
    );
    finds(&other, "INV-7", "a yes to something else than was done");
}

#[test]
fn an_order_shows_its_seat_and_its_price_as_they_were() {
    for (field, value, words) in [
        ("/team/id", json!(team_id(7)), "another seat"),
        ("/team/state", json!("open"), "had not this seat"),
        ("/team/seat_paid", json!(false), "had not this seat"),
        ("/off/0/amount_minor", json!(1), "taken off"),
        (
            "/difference_minor",
            json!(1),
            "with other money or another state",
        ),
    ] {
        // The third one is a look after the end.
        finds(&lie(group_buy(), ORDER, 2, field, value), "INV-7", words);
    }
}

#[test]
fn an_order_shows_its_dues_as_they_were() {
    for (field, value, words) in [
        ("/dues/deposit_minor", json!(1), "other dues"),
        ("/dues/until", json!("2001-01-01T00:00:00Z"), "other dues"),
        (
            "/dues/deposit_paid",
            json!(false),
            "with other money or another state",
        ),
        (
            "/dues/balance_paid",
            json!(true),
            "with other money or another state",
        ),
        ("/due_minor", json!(1), "with other money or another state"),
        (
            "/hold_expires_at",
            json!("2001-01-01T00:00:00Z"),
            "with other money or another state",
        ),
    ] {
        // The second one is the look after the deposit.
        finds(&lie(presale(), ORDER, 1, field, value), "INV-7", words);
    }
}

#[test]
fn read_models_have_teams_and_dues_like_the_journal() {
    let mut teams = group_buy();
    let order = &mut teams.listed.get_mut(&1).unwrap()[0];
    order.team.as_mut().unwrap().state = TeamState::Open;
    finds(&teams, "INV-11", "is listed as");
    let mut dues = presale();
    let order = &mut dues.listed.get_mut(&1).unwrap()[0];
    order.dues.as_mut().unwrap().balance_paid = false;
    finds(&dues, "INV-11", "is listed as");
    let mut drawn = lottery();
    let order = &mut drawn.listed.get_mut(&1).unwrap()[0];
    order.team.as_mut().unwrap().lottery = Some(api::deal::Lottery::Pending);
    finds(&drawn, "INV-11", "is listed as");
}

#[test]
fn read_models_have_a_row_like_the_journals_for_each_team_and_place() {
    use storage::models::{OrderKey, TeamRow, TicketRow};
    let key = OrderKey { sale: 1, number: 0 };
    let team = TeamRow {
        key,
        rule: 0,
        state: 1,
        opened_ms: 1_030,
        ends_ms: 61_030,
        ended_ms: Some(1_100),
        size: 2,
        held: 0,
        paid: 2,
        filled: 0,
        house_fills: false,
        members: 2,
        settled: 2,
        prizes: 0,
        drawn: false,
    };
    let with_team = |team: TeamRow| {
        let mut evidence = group_buy();
        let modelled = crate::record::Modelled {
            teams: vec![team],
            places: Vec::new(),
        };
        evidence.modelled.insert(1, modelled);
        evidence
    };
    assert_eq!(judge(&with_team(team.clone())), []);
    let open = TeamRow { state: 0, ..team };
    finds(&with_team(open), "INV-11", "a team is modelled as");
    let mut none = group_buy();
    none.modelled.insert(1, crate::record::Modelled::default());
    finds(&none, "INV-11", "teams and places are modelled");
    let mut places = line();
    let journal = super::life::entries(&places);
    let waits = journal.into_iter().filter_map(|(at, entry)| match entry {
        commerce::Entry::Waits(waits) => Some((at, waits)),
        _ => None,
    });
    let waits: Vec<_> = waits.collect();
    let places_of = |first_state: u8| {
        let rows = waits.iter().map(|(at, waits)| TicketRow {
            key: OrderKey {
                sale: 1,
                number: waits.ticket,
            },
            sku: waits.sku,
            units: waits.units,
            buyer: ["bob", "cid", "dan"][usize::try_from(waits.ticket).unwrap()].into(),
            since_ms: *at,
            state: if waits.ticket == 0 { first_state } else { 0 },
            offered: (waits.ticket == 0).then_some(1),
        });
        crate::record::Modelled {
            teams: Vec::new(),
            places: rows.collect(),
        }
    };
    places.modelled.insert(1, places_of(1));
    assert_eq!(judge(&places), []);
    places.modelled.insert(1, places_of(2));
    finds(&places, "INV-11", "a place is modelled as");
}
