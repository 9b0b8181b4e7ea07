//! Read models: rows that come back, pages that do not slip, files that cannot be trusted.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use tempfile::TempDir;
use tidegate_storage::models::{
    EventRow, LineRow, Models, OrderFilter, OrderKey, OrderRow, PositionRow, RefundRow, SaleFilter,
    SaleRow, StockRow, Writer,
};

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("models.sqlite");
    (dir, path)
}

fn order(sale: u32, number: u32) -> OrderRow {
    OrderRow {
        key: OrderKey { sale, number },
        buyer: Some(format!("buyer-{}", number % 3).into()),
        state: u8::from(number.is_multiple_of(2)),
        phase: 0,
        charge: 0,
        attempt: 0,
        total: 1250,
        captured: 0,
        refunded: 0,
        refund_pending: 0,
        charged_back: 0,
        placed_ms: 1_000 + u64::from(number / 2),
        deadline_ms: 901_000 + u64::from(number / 2),
        units: 1,
        sequence: 7,
        events: 1,
        paid: None,
        lines: vec![LineRow {
            sku: 0,
            units: 1,
            price: 125_000,
            returned: 0,
        }],
        refunds: Vec::new(),
        deal: None,
    }
}

fn sale(number: u32) -> SaleRow {
    SaleRow {
        sale: number,
        title: "Cups".into(),
        currency: "GBP".into(),
        opens_ms: Some(5),
        state: u8::from(number.is_multiple_of(2)),
        ..SaleRow::default()
    }
}

fn position(sale: u32, sequence: u64) -> PositionRow {
    PositionRow {
        sale,
        sequence,
        chain: [9; 32],
        time_ms: 1_000,
    }
}

/// Two sales with `orders` orders each.
fn filled(path: &std::path::Path, orders: u32) -> Writer {
    let (writer, aside) = Writer::open(path, 1_024).unwrap();
    assert_eq!(aside, None);
    writer.begin().unwrap();
    for number in [1, 2] {
        writer.put_sale(&sale(number)).unwrap();
        for order_number in 0..orders {
            writer.insert_order(&order(number, order_number)).unwrap();
        }
        writer.put_position(&position(number, 3)).unwrap();
    }
    writer.commit().unwrap();
    writer
}

/// Reads all pages of a filter, and how many pages there were.
fn all(models: &Models, filter: OrderFilter<'_>) -> (Vec<OrderKey>, usize) {
    let view = models.view().unwrap();
    let (mut keys, mut behind, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = view.orders(&OrderFilter { behind, ..filter }).unwrap();
        keys.extend(page.rows.iter().map(|row| row.key));
        pages += 1;
        behind = page.next;
        if behind.is_none() {
            return (keys, pages);
        }
    }
}

#[test]
fn rows_come_back_as_they_were_written() {
    let (_dir, path) = place();
    let (writer, _) = Writer::open(&path, 1_024).unwrap();
    let mut row = order(3, 0);
    let event = EventRow {
        order: row.key,
        number: 1,
        sequence: 8,
        at_ms: 2_000,
        kind: 4,
        amount: Some(-5),
        units: None,
        reference: Some("pay_1".into()),
    };
    let stock = StockRow {
        sale: 3,
        place: 0,
        sku: "CUP".into(),
        title: "A cup".into(),
        price: 125_000,
        stocked: 10,
        available: 6,
        held: 1,
        sold: 2,
        written_off: 1,
    };
    writer.begin().unwrap();
    writer.insert_order(&row).unwrap();
    writer.insert_event(&event).unwrap();
    writer.put_stock(&stock).unwrap();
    writer.put_sale(&sale(3)).unwrap();
    writer.put_position(&position(3, 8)).unwrap();
    row.state = 5;
    row.refunds.push(RefundRow {
        amount: 100,
        state: 1,
        automatic: true,
        restocked: 2,
    });
    row.lines[0].returned = 1;
    writer.update_order(&row).unwrap();
    writer.commit().unwrap();

    let models = Models::new(&path, 2);
    let view = models.view().unwrap();
    assert_eq!(view.order(row.key).unwrap(), Some(row.clone()));
    assert_eq!(writer.order(row.key).unwrap(), Some(row.clone()));
    assert_eq!(view.events(row.key).unwrap(), [event]);
    assert_eq!(view.stock(3).unwrap(), [stock]);
    assert_eq!(view.sku(3, 0).unwrap().as_deref(), Some("CUP"));
    assert_eq!(view.sale(3).unwrap(), Some(sale(3)));
    assert_eq!(view.positions().unwrap(), [position(3, 8)]);
    assert_eq!(view.position(4).unwrap(), None);
}

#[test]
fn what_was_not_committed_is_not_there() {
    let (_dir, path) = place();
    let writer = filled(&path, 1);
    writer.begin().unwrap();
    writer.insert_order(&order(1, 1)).unwrap();
    writer.put_position(&position(1, 4)).unwrap();
    let view = Models::new(&path, 1).view().unwrap();
    assert_eq!(view.position(1).unwrap(), Some(position(1, 3)));
    drop(writer);
    let (writer, _) = Writer::open(&path, 1_024).unwrap();
    assert_eq!(writer.order(order(1, 1).key).unwrap(), None);
    assert_eq!(
        writer.positions().unwrap(),
        [position(1, 3), position(2, 3)]
    );
}

#[test]
fn an_order_goes_in_once() {
    let (_dir, path) = place();
    let writer = filled(&path, 1);
    assert!(writer.insert_order(&order(1, 0)).is_err());
    assert!(writer.update_order(&order(1, 1)).is_err());
}

#[test]
fn pages_hold_every_order_once_and_newest_first() {
    let (_dir, path) = place();
    let _writer = filled(&path, 250);
    let models = Models::new(&path, 1);
    let (keys, pages) = all(
        &models,
        OrderFilter {
            limit: 100,
            ..OrderFilter::default()
        },
    );
    let expected: Vec<OrderKey> = [2, 1]
        .into_iter()
        .flat_map(|sale| (0..250).rev().map(move |number| OrderKey { sale, number }))
        .collect();
    assert_eq!((keys, pages), (expected, 5));
    let (keys, pages) = all(
        &models,
        OrderFilter {
            limit: 1_000,
            sales: Some(&[1]),
            ..OrderFilter::default()
        },
    );
    assert_eq!((keys.len(), pages), (250, 2), "a page has at most 200 rows");
}

#[test]
fn every_filter_says_what_looking_at_all_orders_says() {
    let (_dir, path) = place();
    let writer = filled(&path, 40);
    writer.merge_buyers().unwrap();
    assert_eq!(writer.unmerged(), 0);
    for number in 40..60 {
        writer.insert_order(&order(1, number)).unwrap();
        writer.insert_order(&order(2, number)).unwrap();
    }
    assert_eq!(writer.unmerged(), 40);
    let models = Models::new(&path, 1);
    let times = [
        None,
        Some(0),
        Some(1_000),
        Some(1_011),
        Some(1_029),
        Some(9_000),
    ];
    for sales in [None, Some(&[1][..]), Some(&[9, 1, 2, 1]), Some(&[])] {
        for buyer in [None, Some("buyer-1"), Some("nobody")] {
            for state in [None, Some(1)] {
                for placed_from_ms in times {
                    for placed_before_ms in times {
                        let filter = OrderFilter {
                            sales,
                            buyer,
                            state,
                            placed_from_ms,
                            placed_before_ms,
                            behind: None,
                            limit: 7,
                        };
                        assert_eq!(
                            all(&models, filter).0,
                            looked_through(&filter),
                            "{filter:?}"
                        );
                    }
                }
            }
        }
    }
}

fn looked_through(filter: &OrderFilter<'_>) -> Vec<OrderKey> {
    let fits = |row: &OrderRow| {
        filter
            .sales
            .is_none_or(|sales| sales.contains(&row.key.sale))
            && filter
                .buyer
                .is_none_or(|buyer| Some(buyer) == row.buyer.as_deref())
            && filter.state.is_none_or(|state| state == row.state)
            && filter
                .placed_from_ms
                .is_none_or(|from| row.placed_ms >= from)
            && filter
                .placed_before_ms
                .is_none_or(|before| row.placed_ms < before)
    };
    let rows = [2, 1]
        .into_iter()
        .flat_map(|sale| (0..60).rev().map(move |number| order(sale, number)));
    rows.filter(fits).map(|row| row.key).collect()
}

#[test]
fn sales_are_listed_newest_first_and_by_state() {
    let (_dir, path) = place();
    let (writer, _) = Writer::open(&path, 1_024).unwrap();
    for number in 1..=5 {
        writer.put_sale(&sale(number)).unwrap();
    }
    let view = Models::new(&path, 1).view().unwrap();
    let page_of = |sales, behind, state| {
        let filter = SaleFilter {
            sales,
            state,
            behind,
            limit: 2,
        };
        let page = view.sales(&filter).unwrap();
        let numbers: Vec<u32> = page.rows.iter().map(|row| row.sale).collect();
        (numbers, page.next)
    };
    let page = |behind, state| page_of(None, behind, state);
    assert_eq!(page(None, None), (vec![5, 4], Some(4)));
    assert_eq!(page(Some(2), None), (vec![1], None));
    assert_eq!(page(None, Some(1)), (vec![4, 2], None));
    let mine = Some(&[1, 9, 4, 3, 2][..]);
    assert_eq!(page_of(mine, None, None), (vec![4, 3], Some(3)));
    assert_eq!(page_of(mine, Some(3), None), (vec![2, 1], None));
    assert_eq!(page_of(mine, None, Some(0)), (vec![3, 1], None));
}

#[test]
fn a_view_stays_at_its_moment() {
    let (_dir, path) = place();
    let writer = filled(&path, 1);
    let models = Models::new(&path, 2);
    let before = models.view().unwrap();
    writer.begin().unwrap();
    writer.insert_order(&order(1, 1)).unwrap();
    writer.put_position(&position(1, 4)).unwrap();
    writer.commit().unwrap();
    assert_eq!(before.position(1).unwrap(), Some(position(1, 3)));
    assert_eq!(before.order(order(1, 1).key).unwrap(), None);
    let after = models.view().unwrap();
    assert_eq!(after.position(1).unwrap(), Some(position(1, 4)));
}

#[test]
fn a_reader_is_lent_again_once_it_is_given_back() {
    let (_dir, path) = place();
    let _writer = filled(&path, 1);
    let models = Models::new(&path, 1);
    let view = models.view().unwrap();
    let (done, waits) = std::sync::mpsc::channel();
    let other = models.clone();
    let thread = std::thread::spawn(move || {
        done.send(other.view().is_ok()).unwrap();
    });
    drop(view);
    assert!(waits.recv().unwrap());
    thread.join().unwrap();
}

#[test]
fn what_was_finished_needs_no_log_though_readers_are_open() {
    let (dir, path) = place();
    let writer = filled(&path, 10);
    let models = Models::new(&path, 1);
    drop(models.view().unwrap());
    writer.finish().unwrap();
    let log = dir.path().join("models.sqlite-wal");
    assert!(std::fs::metadata(log).map_or(0, |file| file.len()) == 0);
    assert_eq!(models.view().unwrap().positions().unwrap().len(), 2);
}

#[test]
fn a_reader_in_the_middle_of_something_does_not_keep_the_writer_from_ending() {
    let (_dir, path) = place();
    let writer = filled(&path, 10);
    let view = Models::new(&path, 1).view().unwrap();
    writer.begin().unwrap();
    writer.put_position(&position(1, 4)).unwrap();
    writer.commit().unwrap();
    writer.finish().unwrap();
    assert_eq!(view.position(1).unwrap(), Some(position(1, 3)));
}

#[test]
fn a_damaged_file_is_set_aside_and_begun_anew() {
    let (_dir, path) = place();
    drop(filled(&path, 10));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[..64].fill(7);
    std::fs::write(&path, &bytes).unwrap();
    let (writer, aside) = Writer::open(&path, 1_024).unwrap();
    let aside = aside.unwrap();
    assert_eq!(std::fs::read(&aside.path).unwrap(), bytes);
    assert_eq!(writer.positions().unwrap(), []);
}

#[test]
fn a_file_of_another_version_is_set_aside_and_begun_anew() {
    let (_dir, path) = place();
    drop(filled(&path, 10));
    let other = rusqlite::Connection::open(&path).unwrap();
    other.pragma_update(None, "user_version", 99).unwrap();
    other.close().unwrap();
    assert!(Models::new(&path, 1).view().is_err(), "readers refuse it");
    let (writer, aside) = Writer::open(&path, 1_024).unwrap();
    assert!(aside.unwrap().reason.contains("version 99"));
    assert_eq!(writer.positions().unwrap(), []);
}

#[test]
fn models_begun_anew_take_their_place_at_the_end_only() {
    let (_dir, path) = place();
    drop(filled(&path, 1));
    let fresh = Writer::begin_anew(&path, 1_024).unwrap();
    fresh.begin().unwrap();
    fresh.insert_order(&order(5, 0)).unwrap();
    fresh.put_position(&position(5, 1)).unwrap();
    fresh.commit().unwrap();
    let models = Models::new(&path, 1);
    assert_eq!(models.view().unwrap().positions().unwrap().len(), 2);
    drop(models);
    fresh.finish().unwrap();
    let (writer, aside) = Writer::open(&path, 1_024).unwrap();
    assert_eq!(
        (writer.positions().unwrap(), aside),
        (vec![position(5, 1)], None)
    );
    let models = Models::new(&path, 1);
    let found = all(
        &models,
        OrderFilter {
            buyer: Some("buyer-0"),
            limit: 1,
            ..OrderFilter::default()
        },
    );
    assert_eq!(found.0, [OrderKey { sale: 5, number: 0 }]);
}

#[test]
fn a_sale_that_is_forgotten_and_written_anew_is_the_same_and_its_neighbours_stay() {
    let (_dir, path) = place();
    let (writer, _) = Writer::open(&path, 1_024).unwrap();
    let write = |number: u32| {
        writer.put_sale(&sale(number)).unwrap();
        writer.put_position(&position(number, 9)).unwrap();
        for at in 0..4 {
            writer.insert_order(&order(number, at)).unwrap();
        }
    };
    writer.begin().unwrap();
    (1..=3).for_each(write);
    writer.commit().unwrap();
    // Half of the buyers stand in the index, and half in the list of new ones.
    writer.merge_buyers().unwrap();
    writer.begin().unwrap();
    writer.insert_order(&order(2, 4)).unwrap();
    writer.commit().unwrap();
    let models = Models::new(&path, 1);
    let seen = || {
        let view = models.view().unwrap();
        let all = (1..=3).flat_map(|sale| (0..5).map(move |number| OrderKey { sale, number }));
        all.filter(|key| view.order(*key).unwrap().is_some())
            .count()
    };
    assert_eq!(seen(), 13);

    writer.begin().unwrap();
    writer.forget_sale(2).unwrap();
    assert_eq!(seen(), 13, "nobody sees a sale half gone");
    writer.rollback();
    assert_eq!((seen(), writer.unmerged()), (13, 1));

    writer.begin().unwrap();
    writer.forget_sale(2).unwrap();
    assert_eq!(writer.order(OrderKey { sale: 2, number: 0 }).unwrap(), None);
    write(2);
    writer.commit().unwrap();
    assert_eq!((seen(), writer.unmerged()), (12, 4));
    writer.merge_buyers().unwrap();
    let places = writer.positions().unwrap();
    assert_eq!(places, [position(1, 9), position(2, 9), position(3, 9)]);
}
