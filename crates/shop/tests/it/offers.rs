//! Group buys, pre-sales and waiting lines behind the traits of `api`, in a whole shop with a bank in the same process.

use std::time::Duration;

use api::line::{JoinLine, TicketState};
use api::offer::AlterOffer;
use api::order::{Order, OrderState, PlaceBatch, PlaceOrder};
use api::plan::CreateSale;
use api::sale::Turn;
use api::service::{Caller, Orders, Sales};
use api::team::{Team, TeamQuery, TeamState};
use api::{Code, OrderId, SaleId, TeamId};
use sha2::Digest;
use tidegate_shop::Handle;

use crate::whole::{buyer, call, directory, merchant, open};

/// An open sale of so many cups at 12.50 with this offer.
async fn selling(handle: &Handle, stock: u32, offer: &str) -> SaleId {
    let body = format!(
        r#"{{"name":"Cups","currency":"EUR","offer":{offer},
        "skus":[{{"sku":"CUP","price":"12.50","stock":{stock}}}]}}"#
    );
    let body: CreateSale = serde_json::from_str(&body).expect("a sale");
    let sale = Sales::create(handle, call(merchant("shop"), "create"), body)
        .await
        .expect("a sale")
        .body;
    assert!(sale.offer.is_some(), "it is shown as it was made");
    handle
        .turn(call(merchant("shop"), "open"), sale.id, Turn::Open)
        .await
        .expect("it opens");
    sale.id
}

fn body(sale: SaleId, team: Option<&str>) -> PlaceOrder {
    let team = team.map_or_else(String::new, |team| format!(r#","team":{team}"#));
    serde_json::from_str(&format!(
        r#"{{"sale_id":"{sale}","lines":[{{"sku":"CUP","quantity":1}}]{team}}}"#
    ))
    .expect("an order")
}

async fn place(handle: &Handle, name: &str, sale: SaleId, team: Option<&str>) -> Order {
    let placed = handle.place(call(buyer(name), "place"), body(sale, team));
    placed.await.expect("it is placed").body
}

async fn pay(handle: &Handle, name: &str, key: &str, order: OrderId) {
    let paid = handle.pay(call(buyer(name), key), order);
    paid.await.expect("a charge begins");
}

/// Looks at an order until something holds.
async fn order_until(handle: &Handle, order: OrderId, holds: impl Fn(&Order) -> bool) -> Order {
    let wait = async {
        loop {
            let shown = Orders::order(handle, call(merchant("shop"), "-"), order);
            let shown = shown.await.expect("it is there").body;
            if holds(&shown) {
                return shown;
            }
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), wait).await;
    waited.expect("it comes about")
}

async fn team(handle: &Handle, name: &str, team: TeamId) -> Team {
    let shown = handle.team(call(buyer(name), "-"), team).await;
    shown.expect("it is there").body
}

const TIERS: &str = r#"{"groups":[{"sku":"CUP","size":3,"lifetime_ms":600000,"fill":1,
    "leader":{"off_minor":100},"tiers":[{"seats":1,"price":"12"},{"seats":3,"price":"10"}]}]}"#;

#[tokio::test]
async fn a_group_buy_fills_completes_and_gives_the_difference_back() {
    let dir = directory();
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let sale = selling(&handle, 9, TIERS).await;
    let first = place(&handle, "ann", sale, Some(r#"{"open":true}"#)).await;
    let seat = first.team.expect("a seat");
    assert_eq!((seat.state, seat.seat_paid), (TeamState::Open, false));
    assert_eq!((first.total_minor, first.off[0].amount_minor), (1_100, 100));
    assert_eq!(first.due_minor, 1_100);
    let join = format!(r#"{{"join":"{}"}}"#, seat.id);
    let second = place(&handle, "bob", sale, Some(&join)).await;
    let third = place(&handle, "cat", sale, Some(&join)).await;
    let full = handle.place(call(buyer("dan"), "place"), body(sale, Some(&join)));
    let full = full.await.expect_err("no seat is left");
    assert_eq!(full.code(), Code::TeamFull);
    let shown = team(&handle, "dan", seat.id).await;
    assert_eq!((shown.seats.held, shown.joinable), (3, false));
    assert!(shown.members.is_none() && !shown.leads, "dan is no member");
    assert_eq!(shown.next_tier.map(|tier| tier.seats), Some(3));
    assert!(shown.house_seats.is_some(), "filling is told in advance");
    for (name, order) in [("ann", first.id), ("bob", second.id), ("cat", third.id)] {
        pay(&handle, name, "pay", order).await;
    }
    let settled = |order: &Order| {
        order.difference_minor == 200 && order.refunded_minor == 200 && order.due_minor == 0
    };
    for order in [first.id, second.id, third.id] {
        let order = order_until(&handle, order, settled).await;
        let seat = order.team.expect("a seat");
        assert_eq!((order.state, seat.seat_paid), (OrderState::Paid, true));
        assert_eq!(seat.state, TeamState::Complete);
    }
    let shown = team(&handle, "ann", seat.id).await;
    assert_eq!((shown.state, shown.leads), (TeamState::Complete, true));
    let members = shown.members.expect("ann is a member");
    let own: Vec<_> = members.iter().map(|member| member.you).collect();
    assert_eq!(own, [true, false, false]);
    assert_eq!(members[0].order_id, Some(first.id));
    assert_eq!(members[1].order_id, None, "bob's order is bob's");
    let settlement = shown.settlement.expect("it ended");
    assert_eq!((settlement.settled, settlement.refunded_minor), (3, 600));
    drop(handle);
    shop.stop().await;
}

#[tokio::test]
async fn members_of_a_team_see_seats_and_nobodys_pseudonym() {
    let dir = directory();
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let sale = selling(&handle, 9, TIERS).await;
    let first = place(&handle, "openid-of-ann", sale, Some(r#"{"open":true}"#)).await;
    let seat = first.team.expect("a seat");
    let join = format!(r#"{{"join":"{}"}}"#, seat.id);
    place(&handle, "openid-of-bob", sale, Some(&join)).await;
    let shown = team(&handle, "openid-of-bob", seat.id).await;
    let json = serde_json::to_string(&shown).expect("json");
    assert!(!json.contains("openid"), "{json}");
    let members = shown.members.expect("bob is a member");
    let seats: Vec<_> = members.iter().map(|seat| (&*seat.name, seat.you)).collect();
    assert_eq!(seats, [("member 1", false), ("member 2", true)]);
    let merchants = Sales::team(&*handle, call(merchant("shop"), "-"), seat.id).await;
    let members = merchants.expect("it is there").body.members.expect("all");
    let names: Vec<_> = members.iter().map(|seat| seat.buyer.as_deref()).collect();
    assert_eq!(names, [Some("openid-of-ann"), Some("openid-of-bob")]);
    assert!(
        members
            .iter()
            .all(|seat| !seat.you && seat.order_id.is_some())
    );
    drop(handle);
    shop.stop().await;
}

const SECRETS: &str = r#"{"line":{"hold_ms":60000},"discounts":{"coupons":[{"code":"STAFF100","share_bp":10000,
    "budget_minor":777,"tags":["staff"]}],"levels":[{"least":3,"share_bp":500}]},
    "rules":[{"name":"few","when":"buyer.level < 900","then":"admit","reason":"not today"}]}"#;

#[tokio::test]
async fn a_buyer_sees_no_coupons_levels_or_rule_texts_of_a_sale() {
    let dir = directory();
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let sale = selling(&handle, 9, SECRETS).await;
    let shown = async |caller| {
        let shown = Sales::sale(&*handle, call(caller, "-"), sale).await;
        serde_json::to_value(shown.expect("it is there").body).expect("json")
    };
    let seen = shown(buyer("ann")).await;
    for secret in [
        "STAFF100",
        "777",
        "staff",
        "share_bp",
        "buyer.level",
        "not today",
    ] {
        assert!(!seen.to_string().contains(secret), "{secret}: {seen}");
    }
    assert_eq!(
        seen["offer"]["line"]["hold_ms"], 60_000,
        "what is for buyers stays"
    );
    let own = shown(merchant("shop")).await;
    let coupon = &own["offer"]["discounts"]["coupons"][0];
    assert_eq!(
        (&coupon["code"], &coupon["budget_minor"]),
        (&"STAFF100".into(), &777.into())
    );
    assert_eq!(own["offer"]["rules"][0]["when"], "buyer.level < 900");
    drop(handle);
    shop.stop().await;
}

#[tokio::test]
async fn an_offer_of_nothing_but_coupons_is_none_to_a_buyer() {
    let dir = directory();
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let coupons = r#"{"discounts":{"coupons":[{"code":"STAFF100","share_bp":10000}]}}"#;
    let sale = selling(&handle, 9, coupons).await;
    let seen = Sales::sale(&*handle, call(buyer("ann"), "-"), sale).await;
    assert!(seen.expect("it is there").body.offer.is_none());
    let mut body: PlaceOrder = body(sale, None);
    body.coupons = vec!["STAFF100".into()];
    let placed = handle.place(call(buyer("ann"), "place"), body).await;
    assert_eq!(
        placed
            .expect("who has the code may use it")
            .body
            .total_minor,
        0
    );
    drop(handle);
    shop.stop().await;
}

#[tokio::test]
async fn teams_are_listed_newest_first_by_state_and_page_by_page() {
    let dir = directory();
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let sale = selling(&handle, 9, TIERS).await;
    for name in ["ann", "bob", "cat"] {
        place(&handle, name, sale, Some(r#"{"open":true}"#)).await;
    }
    let ask = |query: TeamQuery| handle.teams(call(buyer("ann"), "-"), sale, query);
    let query = TeamQuery {
        limit: Some(2),
        joinable: Some(true),
        ..TeamQuery::default()
    };
    let page = ask(query.clone()).await.expect("a list").body;
    let numbers = |teams: &[Team]| {
        teams
            .iter()
            .map(|team| team.id.number())
            .collect::<Vec<_>>()
    };
    assert_eq!(numbers(&page.teams), [2, 1]);
    assert!(page.teams.iter().all(|team| team.members.is_none()));
    let next = TeamQuery {
        cursor: page.next_cursor,
        ..query
    };
    let page = ask(next).await.expect("a list").body;
    assert_eq!((numbers(&page.teams), page.next_cursor), (vec![0], None));
    assert!(page.teams[0].leads, "ann leads it");
    let failed = TeamQuery {
        state: Some(TeamState::Failed),
        ..TeamQuery::default()
    };
    assert!(ask(failed).await.expect("a list").body.teams.is_empty());
    let foreign = TeamQuery {
        cursor: Some("team_1".into()),
        ..TeamQuery::default()
    };
    let refused = ask(foreign).await.expect_err("no cursor");
    assert_eq!(refused.code(), Code::InvalidFields);
    drop(handle);
    shop.stop().await;
}

#[tokio::test]
async fn a_lottery_promises_before_the_first_seat_and_shows_its_seed_after_the_draw() {
    let dir = directory();
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let offer = r#"{"groups":[{"sku":"CUP","size":3,"lifetime_ms":600000,"prizes":1}]}"#;
    let sale = selling(&handle, 1, offer).await;
    let first = place(&handle, "ann", sale, Some(r#"{"open":true}"#)).await;
    let seat = first.team.expect("a seat");
    let promised = team(&handle, "bob", seat.id).await.draw.expect("a lottery");
    assert!(promised.seed.is_none() && promised.winners.is_none());
    // The team was opened before a restart, and drawn after it: the house keeps its secret.
    drop(handle);
    shop.stop().await;
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let join = format!(r#"{{"join":"{}"}}"#, seat.id);
    let mut orders = vec![("ann", first.id)];
    for name in ["bob", "cat"] {
        orders.push((name, place(&handle, name, sale, Some(&join)).await.id));
    }
    for &(name, order) in &orders {
        pay(&handle, name, "pay", order).await;
    }
    let mut won = Vec::new();
    for &(_, order) in &orders {
        let settled = |order: &Order| {
            let lottery = order.team.and_then(|team| team.lottery);
            let back = order.state == OrderState::Cancelled && order.refunded_minor == 1_250;
            lottery == Some(api::deal::Lottery::Won)
                || back && lottery == Some(api::deal::Lottery::Lost)
        };
        let order = order_until(&handle, order, settled).await;
        won.extend((order.state == OrderState::Paid).then_some(order.id));
    }
    let draw = team(&handle, "dan", seat.id).await.draw.expect("a lottery");
    assert_eq!(draw.commitment, promised.commitment);
    assert_eq!(draw.winners.expect("drawn"), won);
    assert_eq!(won.len(), 1);
    let seed = draw.seed.expect("drawn");
    let bytes: Vec<u8> = (0..32)
        .map(|at| u8::from_str_radix(&seed[2 * at..2 * at + 2], 16).expect("hex"))
        .collect();
    let hash = sha2::Sha256::digest(bytes);
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, *draw.commitment);
    drop(handle);
    shop.stop().await;
}

#[tokio::test]
async fn a_deposit_is_paid_first_and_the_balance_in_its_window() {
    let dir = directory();
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let offer = r#"{"presale":{"deposit":{"share_bp":2000},"from":"2020-01-01T00:00:00Z",
        "until":"9000-01-01T00:00:00Z"}}"#;
    let sale = selling(&handle, 2, offer).await;
    let order = place(&handle, "ann", sale, None).await;
    let dues = order.dues.expect("two dues");
    assert_eq!((dues.deposit_minor, dues.balance_minor), (250, 1_000));
    assert_eq!(order.due_minor, 250);
    pay(&handle, "ann", "deposit", order.id).await;
    let deposited = |order: &Order| order.state == OrderState::Deposited;
    let order = order_until(&handle, order.id, deposited).await;
    assert_eq!((order.due_minor, order.captured_minor), (1_000, 250));
    pay(&handle, "ann", "balance", order.id).await;
    let paid = order_until(&handle, order.id, |order| order.state == OrderState::Paid).await;
    let dues = paid.dues.expect("two dues");
    assert!(dues.deposit_paid && dues.balance_paid && !dues.forfeited);
    assert_eq!((paid.captured_minor, paid.due_minor), (1_250, 0));
    drop(handle);
    shop.stop().await;
}

#[tokio::test]
async fn whoever_waits_is_next_when_a_cup_comes_back() {
    let dir = directory();
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let sale = selling(&handle, 1, r#"{"line":{"hold_ms":60000}}"#).await;
    let wait = || -> JoinLine { serde_json::from_str(r#"{"sku":"CUP"}"#).expect("a body") };
    let early = handle.join_line(call(buyer("bob"), "early"), sale, wait());
    assert_eq!(
        early.await.expect_err("a cup is left").code(),
        Code::NothingToWaitFor
    );
    let order = place(&handle, "ann", sale, None).await;
    let mut tickets = Vec::new();
    for name in ["bob", "cat"] {
        let ticket = handle.join_line(call(buyer(name), "wait"), sale, wait());
        tickets.push(ticket.await.expect("a place").body);
    }
    assert_eq!(tickets[1].position, Some(2));
    let twice = handle.join_line(call(buyer("bob"), "twice"), sale, wait());
    let twice = twice.await.expect_err("one place");
    assert_eq!(twice.code(), Code::WaitsAlready);
    let named = twice.datum("ticket").map(|datum| format!("{datum:?}"));
    assert!(named.is_some_and(|named| named.contains(&tickets[0].id.to_string())));
    let shown = Sales::sale(&*handle, call(merchant("shop"), "-"), sale);
    assert_eq!(shown.await.expect("a sale").body.skus[0].waiting_count, 2);
    let other = handle.ticket(call(buyer("cat"), "-"), tickets[0].id);
    assert_eq!(
        other.await.expect_err("bob's own").code(),
        Code::TicketNotFound
    );
    let cancelled = handle.cancel(call(buyer("ann"), "cancel"), order.id);
    cancelled.await.expect("it is given up");
    let bob = handle.ticket(call(buyer("bob"), "-"), tickets[0].id);
    let bob = bob.await.expect("a place").body;
    assert_eq!(bob.state, TicketState::Offered);
    let offered = bob.order_id.expect("an order");
    let shown = Orders::order(&*handle, call(buyer("bob"), "-"), offered);
    assert_eq!(shown.await.expect("bob's").body.state, OrderState::Held);
    let left = handle.leave_line(call(buyer("cat"), "leave"), tickets[1].id);
    assert_eq!(
        left.await.expect("it is left").body.state,
        TicketState::Left
    );
    let again = handle.leave_line(call(buyer("cat"), "leave"), tickets[1].id);
    assert!(again.await.expect("a repeat").repeated);
    drop(handle);
    shop.stop().await;
}

#[tokio::test]
async fn an_offer_is_altered_and_open_teams_keep_their_rule() {
    let dir = directory();
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let sale = selling(&handle, 9, TIERS).await;
    let first = place(&handle, "ann", sale, Some(r#"{"open":true}"#)).await;
    let body: AlterOffer = serde_json::from_str(
        r#"{"offer":{"groups":[{"sku":"CUP","size":2,"lifetime_ms":60000}]}}"#,
    )
    .expect("an offer");
    let altered = handle.alter_offer(call(merchant("shop"), "alter"), sale, body);
    let altered = altered.await.expect("it is altered").body;
    assert_eq!(altered.offer.expect("an offer").groups[0].size, 2);
    assert_eq!(
        altered.teams.map(|teams| (teams.opened, teams.open)),
        Some((1, 1))
    );
    let old = team(&handle, "ann", first.team.expect("a seat").id).await;
    assert_eq!(old.seats.total, 3);
    let second = place(&handle, "bob", sale, Some(r#"{"open":true}"#)).await;
    let new = team(&handle, "bob", second.team.expect("a seat").id).await;
    assert_eq!(new.seats.total, 2);
    drop(handle);
    shop.stop().await;
}

#[tokio::test]
async fn a_batch_opens_and_joins_teams_too() {
    let dir = directory();
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let offer = r#"{"groups":[{"sku":"CUP","size":3,"lifetime_ms":600000,"prizes":1}]}"#;
    let sale = selling(&handle, 3, offer).await;
    let order = |name: &str, team: &str| {
        format!(
            r#"{{"idempotency_key":"{name}","sale_id":"{sale}","buyer":"{name}","team":{team},
            "lines":[{{"sku":"CUP","quantity":1}}]}}"#
        )
    };
    let join = format!(
        r#"{{"join":"{}"}}"#,
        TeamId::new(sale, 0).expect("a small number")
    );
    let orders = [
        order("ann", r#"{"open":true}"#),
        order("bob", &join),
        order("ann", &join),
    ];
    let batch: PlaceBatch =
        serde_json::from_str(&format!(r#"{{"orders":[{}]}}"#, orders.join(","))).expect("a batch");
    let placed = handle.place_batch(call(merchant("shop"), "-"), batch.orders);
    let results = placed.await.expect("it is answered").body.results;
    let statuses: Vec<u16> = results.iter().map(|result| result.status).collect();
    assert_eq!(statuses, [201, 201, 422], "{results:?}");
    drop(handle);
    shop.stop().await;
}

/// A buyer who comes himself, with a token that carries these tags.
fn known(id: &str, tags: &[&str]) -> Caller {
    let tags: Vec<Box<str>> = tags.iter().map(|&tag| tag.into()).collect();
    Caller::Buyer {
        id: id.into(),
        tags: tags.into(),
    }
}

#[tokio::test]
async fn the_level_in_a_buyer_s_own_token_takes_its_discount_off() {
    let dir = directory();
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let levels = r#"{"discounts":{"levels":[{"least":2,"share_bp":2000}]}}"#;
    let sale = selling(&handle, 9, levels).await;
    let mut totals = Vec::new();
    for (name, tags) in [
        ("ann", &["level:2"][..]),
        ("bob", &["level:1"]),
        ("cat", &[]),
    ] {
        let placed = handle.place(call(known(name, tags), "place"), body(sale, None));
        totals.push(placed.await.expect("it is placed").body.total_minor);
    }
    assert_eq!(totals, [1_000, 1_250, 1_250]);
    // The token of the next try is newer, and the order is the same.
    let again = handle.place(call(known("cat", &["level:2"]), "place"), body(sale, None));
    let again = again.await.expect("a repeat");
    assert!(again.repeated);
    assert_eq!(again.body.total_minor, 1_250);
    drop(handle);
    shop.stop().await;
}

/// The sale of docs/howto/run-a-flash-sale.md, but for its window, which is over.
fn flash_sale_of_the_page() -> CreateSale {
    let page = include_str!("../../../../docs/howto/run-a-flash-sale.md");
    let (_, from) = page.split_once("```json").expect("a sale");
    let (sale, _) = from.split_once("```").expect("its end");
    let mut sale: serde_json::Value = serde_json::from_str(sale).expect("JSON");
    sale.as_object_mut()
        .and_then(|sale| sale.remove("window"))
        .expect("a window");
    serde_json::from_value(sale).expect("a sale")
}

/// The page's own rule let nobody in who came with a token.
#[tokio::test]
async fn the_flash_sale_of_the_page_lets_members_and_new_customers_buy_and_wait() {
    let dir = directory();
    let shop = open(dir.path()).await;
    let handle = shop.handle();
    let made = Sales::create(
        &*handle,
        call(merchant("shop"), "create"),
        flash_sale_of_the_page(),
    );
    let sale = made.await.expect("a sale").body.id;
    let opened = handle.turn(call(merchant("shop"), "open"), sale, Turn::Open);
    opened.await.expect("it opens");
    for tags in [&["level:2"][..], &["level:7", "vip"], &["new_customer"]] {
        let who = known(tags[0], tags);
        let placed = handle.place(call(who, "place"), body(sale, None)).await;
        assert!(placed.is_ok(), "{tags:?}: {placed:?}");
    }
    for tags in [&[][..], &["level:1"], &["level:gold"]] {
        let refused = handle.place(call(known("dan", tags), "place"), body(sale, None));
        assert_eq!(
            refused.await.expect_err("no member").code(),
            Code::RuleRefused
        );
        let wait: JoinLine = serde_json::from_str(r#"{"sku":"CUP"}"#).expect("a body");
        let refused = handle.join_line(call(known("dan", tags), "wait"), sale, wait);
        assert_eq!(
            refused.await.expect_err("no member").code(),
            Code::RuleRefused
        );
    }
    // A member may wait: what keeps him is that there is nothing to wait for.
    let wait: JoinLine = serde_json::from_str(r#"{"sku":"CUP"}"#).expect("a body");
    let early = handle.join_line(call(known("eve", &["level:2"]), "wait"), sale, wait);
    assert_eq!(
        early.await.expect_err("cups are left").code(),
        Code::NothingToWaitFor
    );
    drop(handle);
    shop.stop().await;
}
