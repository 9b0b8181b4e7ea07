//! Read models follow the journals: each batch once, whatever happens to the process.

use std::time::Duration;

use api::order::{OrderEventKind, OrderQuery, OrderState};
use api::sale::SaleQuery;
use api::{OrderId, SaleId};
use commerce::{Action, Offer, Place, Report, TeamAsk};
use ledger::Minor;
use storage::models::{Models, OrderRow, SaleRow, StockRow, Writer};
use telemetry::Telemetry;
use tidegate_shop::projector::answers::{self, Sight};
use tidegate_shop::projector::{Lag, Projector, ProjectorHandle, Settings, rebuild};
use tidegate_shop::verify::compare;
use world::Tasks;
use world::journal::Journal;

use crate::market::{Market, append, journal};

/// A projector that puts little into a transaction, so that there are many.
fn settings() -> Settings {
    Settings {
        transaction_rows_max: 100,
        gather_ms: 1,
        ..Settings::default()
    }
}

fn start(market: &Market) -> ProjectorHandle {
    Projector::start(
        &settings(),
        &market.data,
        &Tasks::of_the_machine(),
        &Telemetry::new(),
    )
    .expect("it starts")
}

/// Follows the market's journal to its end and stops.
async fn follow(market: &Market) {
    let projector = start(market);
    let progress = projector.attach(market.sale, &market.journal);
    progress.publish(market.journal.position().sequence, market.now);
    projector.stop().await;
    assert_eq!(projector.troubles(), Vec::<String>::new());
    assert_eq!(projector.lag(), Lag::default());
}

/// Holds the read models against the book.
fn assert_equal(market: &Market) {
    let models = Models::new(&market.data.models(), 1);
    let view = models.view().expect("they open");
    let position = view.position(market.sale).expect("read").expect("known");
    assert_eq!(position.sequence, market.journal.position().sequence);
    assert_eq!(position.chain, market.journal.position().chain);
    let found = compare(&view, market.sale, &market.book).expect("they can be read");
    assert_eq!(found, Vec::<String>::new());
}

/// Everything that the read models say of the sale.
type Said = (Option<SaleRow>, Vec<StockRow>, Vec<OrderRow>, Vec<String>);

fn all_rows(market: &Market) -> Said {
    let models = Models::new(&market.data.models(), 1);
    let view = models.view().expect("they open");
    let mut orders = Vec::new();
    view.each_order(market.sale, &mut |row| {
        orders.push(row);
        Ok::<_, storage::models::ModelsError>(())
    })
    .expect("read");
    let events = orders
        .iter()
        .map(|row| format!("{:?}", view.events(row.key).expect("read")));
    let events = events.collect();
    (
        view.sale(1).expect("read"),
        view.stock(1).expect("read"),
        orders,
        events,
    )
}

#[tokio::test]
async fn read_models_say_what_the_book_says() {
    let mut states = Vec::new();
    for seed in 0..6 {
        let mut market = Market::open(seed);
        market.trade(1_500);
        follow(&market).await;
        assert_equal(&market);
        states.extend(
            market
                .book
                .orders()
                .map(|order| format!("{:?}", order.status())),
        );
    }
    states.sort_unstable();
    states.dedup();
    assert_eq!(
        states.len(),
        8,
        "the market knows every state of an order: {states:?}"
    );
}

/// Offers of all kinds: tiers and a house that fills, a lottery, a pre-sale of either kind, a line and grace for holds.
fn offers() -> Vec<Offer> {
    let groups = r#"{"groups":[
        {"sku":"CUP","size":3,"least":2,"lifetime_ms":1500,"stretch_ms":200,"seats_per_buyer":2,"after":"Buyer",
         "tiers":[{"seats":1,"price":120000},{"seats":2,"price":110000},{"seats":3,"price":90000}],
         "leader":{"Share":1000}},
        {"sku":"POT","size":4,"least":4,"lifetime_ms":1000,"fill":2,"pays":"Top","leave":"Bound",
         "tiers":[{"seats":1,"price":90000},{"seats":4,"price":50000}]},
        {"sku":"TEA","size":3,"least":3,"lifetime_ms":2000,"prizes":1,"alone":"TeamsOnly"}],
        "line":{"hold_ms":1000,"units_most":3,"places_most":50},"holds":{"grace_ms":300}}"#;
    let presale = |lapse: &str| {
        format!(
            r#"{{"presale":{{"deposit":{{"Share":3000}},"from":1800000000000,"until":1800000030000,
            "lapse":"{lapse}","grace_ms":400}},"line":{{"hold_ms":1000,"units_most":3,"places_most":50}}}}"#
        )
    };
    let wire = [groups.to_owned(), presale("Refund"), presale("Forfeit")];
    wire.iter().map(|text| offer(text)).collect()
}

/// An offer of the book from what differs from the plainest one.
fn offer(text: &str) -> Offer {
    let mut found: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let plain = serde_json::json!({
        "least": 1, "stretch_ms": 0, "tiers": [], "pays": "Reached", "seats_per_buyer": 1, "teams_per_buyer": null,
        "open_to": [], "join_to": [], "leader": null, "leave": "Free", "after": "Merchant", "fill": 0,
        "alone": "Sold", "prizes": null
    });
    let whole = serde_json::json!({
        "groups": [], "presale": null, "line": null, "rules": [],
        "discounts": {"coupons": [], "levels": []},
        "holds": {"grace_ms": 0, "open_most": null, "steps": []}
    });
    let over = |found: &mut serde_json::Value, plain: &serde_json::Value| {
        for (name, value) in plain.as_object().expect("an object") {
            let fields = found.as_object_mut().expect("an object");
            fields.entry(name.clone()).or_insert_with(|| value.clone());
        }
    };
    over(&mut found, &whole);
    over(&mut found["holds"], &whole["holds"]);
    for group in found["groups"].as_array_mut().expect("a list") {
        over(group, &plain);
    }
    serde_json::from_value(found).expect("an offer")
}

#[tokio::test]
async fn read_models_of_teams_dues_and_lines_say_what_the_book_says() {
    let (mut teams, mut states, mut tickets) = (Vec::new(), Vec::new(), Vec::new());
    for (seed, offer) in (60..).zip(offers().into_iter().cycle()).take(9) {
        let mut market = Market::offering(seed, offer);
        for _ in 0..6 {
            market.trade(250);
            follow(&market).await;
            assert_equal(&market);
            let line = (0..).map_while(|number| market.book.ticket(number));
            tickets.extend(line.map(|ticket| format!("{:?}", ticket.state)[..4].to_owned()));
        }
        let orders = market.book.orders();
        states.extend(orders.map(|order| format!("{:?}", order.status())));
        let seen = market.book.teams();
        teams.extend(seen.map(|team| (format!("{:?}", team.state()), team.seats().3 > 0)));
    }
    for (seen, all) in [(&mut states, 9), (&mut tickets, 2)] {
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(
            seen.len(),
            all,
            "the market ends in all these states: {seen:?}"
        );
    }
    teams.sort_unstable();
    teams.dedup();
    assert_eq!(teams.len(), 4, "open, failed, complete, filled: {teams:?}");
}

// Found by whole lives with offers (INV-11): the lists showed the better tier only to those who were settled after the
// last unpaid seat had become the house's.
#[tokio::test]
async fn a_team_that_the_house_fills_is_in_its_last_tier_for_everybody_in_the_lists_too() {
    let [groups, ..] = &offers()[..] else {
        unreachable!("there are three offers")
    };
    let mut market = Market::offering(1, groups.clone());
    let opens = TeamAsk::Open { commit: None };
    let joins = TeamAsk::Join { team: 0 };
    let paid = [
        market.buy("ann", "POT", Some(opens)),
        market.buy("bob", "POT", Some(joins)),
    ];
    for order in paid {
        market.pay(order);
    }
    market.wait(900);
    market.buy("cid", "POT", Some(joins));
    market.wait(200);
    market.wait(1);
    let filled = market.book.team(0).map(|team| team.seats().3);
    assert_eq!(filled, Some(2), "one was free, and cid's is void");
    for order in paid {
        let back = market.book.order(order).map(|order| order.difference().0);
        assert_eq!(back, Some(400), "9.00 were paid for what costs 5.00");
    }
    market.flush();
    follow(&market).await;
    assert_equal(&market);
}

// Found by whole lives with offers (INV-11): the lists said of a deposit that the merchant keeps it, although the buyer's
// bank had taken it back.
#[tokio::test]
async fn a_deposit_that_the_bank_took_back_is_forfeited_in_no_list() {
    let [.., forfeits] = &offers()[..] else {
        unreachable!("there are three offers")
    };
    for taken in [0, 1, 1_000] {
        let mut market = Market::offering(1, forfeits.clone());
        let order = market.buy("ann", "CUP", None);
        market.pay(order);
        if taken > 0 {
            market.merchant(Action::Report(Report::Chargeback {
                order,
                amount: Minor(taken),
                reference: "bank 1".into(),
            }));
        }
        market.wait(31_000);
        market.wait(1);
        let dues = market.book.order(order).and_then(|order| order.dues());
        let (_, paid, forfeited) = dues.expect("two dues");
        assert!(paid);
        assert_eq!(forfeited, taken < 1_000, "{taken} were taken");
        market.flush();
        follow(&market).await;
        assert_equal(&market);
    }
}

#[tokio::test]
async fn read_models_of_offers_built_anew_are_the_same() {
    for (seed, offer) in (80..).zip(offers()) {
        let mut market = Market::offering(seed, offer);
        for _ in 0..4 {
            market.trade(150);
            follow(&market).await;
        }
        let in_steps = all_rows(&market);
        std::fs::remove_file(market.data.models()).expect("it is there");
        follow(&market).await;
        assert_equal(&market);
        assert_eq!(all_rows(&market), in_steps);
    }
}

#[tokio::test]
async fn a_projector_that_starts_again_counts_every_batch_once() {
    let mut market = Market::open(11);
    for _ in 0..8 {
        market.trade(200);
        follow(&market).await;
        assert_equal(&market);
    }
    let in_steps = all_rows(&market);
    Writer::open(&market.data.models(), 1_024).expect("it opens");
    std::fs::remove_file(market.data.models()).expect("it is there");
    follow(&market).await;
    assert_equal(&market);
    assert_eq!(
        all_rows(&market),
        in_steps,
        "thrown away and built anew they are the same"
    );
}

#[tokio::test]
async fn a_projector_that_follows_while_the_sale_goes_on_ends_where_the_book_does() {
    let mut market = Market::open(12);
    let projector = start(&market);
    let progress = projector.attach(market.sale, &market.journal);
    for _ in 0..40 {
        market.trade(40);
        progress.publish(market.journal.position().sequence, market.now);
    }
    projector.stop().await;
    assert_equal(&market);
}

#[tokio::test]
async fn attaching_twice_counts_no_batch_twice() {
    let mut market = Market::open(13);
    market.trade(300);
    let projector = start(&market);
    let first = projector.attach(market.sale, &market.journal);
    let second = projector.attach(market.sale, &market.journal);
    market.trade(300);
    first.publish(market.journal.position().sequence, market.now);
    second.publish(market.journal.position().sequence, market.now);
    projector.stop().await;
    assert_equal(&market);
}

#[tokio::test]
async fn a_sale_that_is_left_is_followed_to_what_was_published() {
    let mut market = Market::open(24);
    market.trade(600);
    let projector = start(&market);
    let progress = projector.attach(market.sale, &market.journal);
    progress.publish(market.journal.position().sequence, market.now);
    projector.detach(market.sale);
    projector.stop().await;
    assert_equal(&market);
}

#[tokio::test]
async fn nothing_is_read_beyond_what_was_published() {
    let mut market = Market::open(14);
    market.trade(50);
    let projector = start(&market);
    let _progress = projector.attach(market.sale, &market.journal);
    let published = market.journal.position();
    market.trade(200);
    projector.stop().await;
    assert_eq!(projector.witness(market.sale), Some(published));
}

#[tokio::test]
async fn a_rebuild_gives_what_following_gave() {
    let mut market = Market::open(15);
    market.trade(1_000);
    follow(&market).await;
    let followed = all_rows(&market);
    let mut last = None;
    let rebuilt = rebuild(&market.disk, &market.data, &settings(), &mut |at| {
        last = Some(at)
    })
    .expect("rebuilt");
    assert_equal(&market);
    assert_eq!(all_rows(&market), followed);
    let last = last.expect("it was told");
    assert_eq!(
        (rebuilt.sales, rebuilt.batches),
        (1, market.journal.position().sequence)
    );
    assert_eq!(last.bytes, last.bytes_total);
}

#[tokio::test]
async fn a_journal_that_has_lost_what_was_seen_is_said_to_have() {
    let mut market = Market::open(16);
    market.trade(100);
    follow(&market).await;
    let seen = market.journal.position();
    let other = Market::open(17);
    let projector = start(&market);
    assert_eq!(projector.witness(1), Some(seen));
    drop(projector.attach(market.sale, &other.journal));
    let troubles = projector.troubles();
    assert!(troubles[0].contains("durable data is lost"), "{troubles:?}");
    projector.stop().await;
    assert_equal(&market);
}

#[tokio::test]
async fn an_entry_that_does_not_fit_stops_its_sale_only() {
    let mut market = Market::open(18);
    market.trade(100);
    let sound = market.journal.position();
    let mut other = journal(&market.disk, &market.data.sale(2));
    append(
        &mut other,
        market.now,
        &[commerce::Entry::Expired { orders: vec![9] }],
    );
    let projector = start(&market);
    let _one = projector.attach(1, &market.journal);
    let _two = projector.attach(2, &other);
    projector.stop().await;
    let troubles = projector.troubles();
    assert!(troubles[0].contains("there is no order 9"), "{troubles:?}");
    assert_eq!(
        (projector.witness(1), projector.witness(2)),
        (Some(sound), None)
    );
    assert_equal(&market);
}

#[tokio::test]
async fn lag_is_what_was_published_and_is_not_there_yet() {
    let mut market = Market::open(19);
    market.trade(50);
    follow(&market).await;
    let impatient = Settings {
        stop_ms_max: 10,
        ..settings()
    };
    let projector = Projector::start(
        &impatient,
        &market.data,
        &Tasks::of_the_machine(),
        &Telemetry::new(),
    )
    .expect("starts");
    let progress = projector.attach(market.sale, &market.journal);
    assert_eq!(projector.lag(), Lag::default());
    // The desk says more than the journal shows: those batches cannot have been read.
    let end = market.journal.position().sequence;
    progress.publish(end + 3, market.now + 250);
    let lag = projector.lag();
    assert_eq!(lag.behind_batches, 3);
    assert!(lag.lag_ms >= 250, "{lag:?}");
    projector.stop().await;
}

#[tokio::test]
async fn lists_speak_of_one_moment_and_only_of_what_the_caller_may_see() {
    let mut market = Market::open(20);
    market.trade(400);
    follow(&market).await;
    let projector = start(&market);
    let placed = market.book.tally().placed;
    let query = |limit, cursor| OrderQuery {
        limit: Some(limit),
        cursor,
        ..OrderQuery::default()
    };
    let first = answers::orders(&projector, &query(7, None), Sight::All).expect("a page");
    let second = answers::orders(
        &projector,
        &query(7, first.next_cursor.clone()),
        Sight::Only(&[1]),
    )
    .expect("a page");
    let numbers: Vec<u64> = first
        .orders
        .iter()
        .chain(&second.orders)
        .map(|order| order.id.number())
        .collect();
    let newest: Vec<u64> = (0..u64::from(placed)).rev().take(14).collect();
    assert_eq!(numbers, newest);
    let position = market.journal.position();
    assert_eq!(
        first.read_model.positions[0].position,
        api::Position::new(position.sequence, &position.chain)
    );
    let hidden = answers::orders(&projector, &query(7, None), Sight::Only(&[2])).expect("a page");
    assert_eq!((hidden.orders, hidden.next_cursor), (Vec::new(), None));
    let asked = OrderQuery {
        sale_id: SaleId::new(1),
        ..query(7, None)
    };
    assert!(
        answers::orders(&projector, &asked, Sight::Only(&[2]))
            .expect("a page")
            .orders
            .is_empty()
    );
    assert!(answers::orders(&projector, &query(7, Some("later".into())), Sight::All).is_err());

    let paid = OrderQuery {
        state: Some(OrderState::Paid),
        buyer: Some("buyer-3".into()),
        ..query(200, None)
    };
    let page = answers::orders(&projector, &paid, Sight::All).expect("a page");
    let in_book = market.book.orders().filter(|order| {
        order.buyer() == Some("buyer-3") && order.status() == commerce::OrderStatus::Paid
    });
    assert_eq!(page.orders.len(), in_book.count());
    let sales = answers::sales(&projector, &SaleQuery::default(), Sight::All).expect("a page");
    assert_eq!(
        (sales.sales.len(), sales.sales[0].orders.placed),
        (1, u64::from(placed))
    );
    assert!(
        answers::sales(&projector, &SaleQuery::default(), Sight::Only(&[]))
            .expect("a page")
            .sales
            .is_empty()
    );
    projector.stop().await;
}

#[tokio::test]
async fn an_order_has_a_history() {
    let mut market = Market::open(21);
    market.merchant(Action::Place(Place {
        buyer: Some("ann".into()),
        tags: std::sync::Arc::from([]),
        lines: vec![commerce::Ask {
            sku: "CUP".into(),
            units: 2,
            price: None,
        }],
        paid: None,
        deal: None,
    }));
    market.merchant(Action::Pay { order: 0 });
    market.merchant(Action::Cancel { order: 0 });
    market.flush();
    follow(&market).await;
    let projector = start(&market);
    let id = OrderId::new(SaleId::new(1).expect("small"), 0).expect("small");
    let history = answers::events(&projector, id)
        .expect("read")
        .expect("known");
    let kinds: Vec<OrderEventKind> = history.events.iter().map(|event| event.event).collect();
    assert_eq!(
        kinds,
        [
            OrderEventKind::Placed,
            OrderEventKind::PaymentStarted,
            OrderEventKind::Cancelled
        ]
    );
    assert_eq!(history.events[0].amount_minor, Some(2_500));
    assert!(
        history.events[1]
            .reference
            .as_deref()
            .is_some_and(|id| id.starts_with("pay_"))
    );
    let later = OrderId::new(SaleId::new(1).expect("small"), 1).expect("small");
    assert_eq!(answers::events(&projector, later).expect("read"), None);
    projector.stop().await;
}

#[tokio::test]
async fn read_models_that_are_no_database_are_set_aside_and_built_anew() {
    let mut market = Market::open(22);
    market.trade(200);
    std::fs::write(
        market.data.models(),
        b"this is no database, however long it may be ....................................",
    )
    .expect("written");
    let projector = start(&market);
    assert!(projector.set_aside().is_some());
    let _progress = projector.attach(market.sale, &market.journal);
    projector.stop().await;
    assert_equal(&market);
}

#[tokio::test]
async fn read_models_that_turn_out_damaged_are_set_aside_and_built_anew_at_the_next_start() {
    let mut market = Market::open(25);
    market.trade(1_500);
    follow(&market).await;
    // The tables' own pages are sound, so the damage is found only when an old order is asked for.
    let path = market.data.models();
    let mut bytes = std::fs::read(&path).expect("read");
    let half = bytes.len() / 2;
    bytes[half..].fill(0xAA);
    std::fs::write(&path, bytes).expect("written");
    let projector = start(&market);
    let progress = projector.attach(market.sale, &market.journal);
    if projector.set_aside().is_none() {
        market.trade(1_500);
        progress.publish(market.journal.position().sequence, market.now);
    }
    projector.stop().await;
    let told = projector.troubles().join(" ");
    assert!(
        projector.set_aside().is_some() || told.contains("was moved to"),
        "{told}"
    );
    drop(projector);
    follow(&market).await;
    assert_equal(&market);
}

#[tokio::test]
async fn an_unused_projector_ends_at_once() {
    let market = Market::open(23);
    let projector = start(&market);
    tokio::time::timeout(Duration::from_secs(30), projector.stop())
        .await
        .expect("it ends");
    assert_eq!(projector.witness(1), None);
}
