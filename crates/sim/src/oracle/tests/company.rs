//! Lies about teams, places in the line and dues, in a small shop that has them.

use api::TicketId;
use api::team::TeamState;
use serde_json::{Value, json};

use super::life::{entries, order_id};
use super::offers::{SEED, buyer, group_buy, hex, line, lottery, presale, sale, team_id};
use super::{finds, judge};
use crate::record::{Call, Evidence, Modelled, Outcome, Said};

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
        (0, "/members/0/name", json!("ann"), "was not like this"),
        (0, "/members/0/you", json!(false), "was not like this"),
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
    let names = json!([
        {"name": "member 1", "paid": true, "leads": true},
        {"name": "member 2", "paid": false, "leads": false}
    ]);
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
        let modelled = Modelled {
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
    none.modelled.insert(1, Modelled::default());
    finds(&none, "INV-11", "teams and places are modelled");
    let mut places = line();
    let journal = entries(&places);
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
        Modelled {
            teams: Vec::new(),
            places: rows.collect(),
        }
    };
    places.modelled.insert(1, places_of(1));
    assert_eq!(judge(&places), []);
    places.modelled.insert(1, places_of(2));
    finds(&places, "INV-11", "a place is modelled as");
}
