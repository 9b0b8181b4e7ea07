//! Verification finds what is wrong, says where, and finds nothing where nothing is wrong.

use std::path::{Path, PathBuf};

use api::SaleId;
use commerce::entry::{Bound, By, Placed, PlacedLine, PlacedLines};
use commerce::{Action, Entry};
use ledger::{Minor, UnitPrice};
use storage::models::Writer;
use telemetry::Telemetry;
use tidegate_shop::projector::{Projector, Settings};
use tidegate_shop::verify::{FindingKind, Receipt, Report, Verdict, audit, verify};
use world::Tasks;
use world::journal::{Journal, Position};

use crate::market::{Market, SKUS};

fn sale_id() -> SaleId {
    SaleId::new(1).expect("small")
}

fn receipt(position: Position) -> Receipt {
    Receipt {
        sale: sale_id(),
        position: api::Position::new(position.sequence, &position.chain),
    }
}

fn look(market: &Market, receipts: &[Receipt]) -> Report {
    verify(&market.disk, market.data.root(), receipts, &mut |_| {}).expect("it can be looked at")
}

/// The one finding of a report.
fn only(report: &Report) -> &tidegate_shop::verify::Finding {
    assert_eq!(
        (report.verdict, report.findings_total),
        (Verdict::Finding, 1),
        "{:#?}",
        report.findings
    );
    &report.findings[0]
}

fn held(report: &Report, invariant: &str) -> bool {
    let found = report
        .invariants
        .iter()
        .find(|known| known.name == invariant);
    found.expect("it is told").held
}

async fn project(market: &Market) {
    let projector = Projector::start(
        &Settings::default(),
        &market.data,
        &Tasks::of_the_machine(),
        &Telemetry::new(),
    )
    .expect("it starts");
    let progress = projector.attach(market.sale, &market.journal);
    progress.publish(market.journal.position().sequence, market.now);
    projector.stop().await;
}

/// The sale's segments, oldest first.
fn segments(market: &Market) -> Vec<PathBuf> {
    let dir = market.data.sale(1);
    let names = market.disk.list(&dir).expect("listed");
    let names = names.iter().filter(|name| name.ends_with(".journal"));
    names.map(|name| dir.join(name)).collect()
}

fn flip(path: &Path, offset: usize) {
    let mut bytes = std::fs::read(path).expect("read");
    bytes[offset] ^= 1;
    std::fs::write(path, bytes).expect("written");
}

/// An order that nobody could have placed: for free, by a buyer without a limit.
fn forged(order: u32, units: u32) -> Entry {
    Entry::Placed(Placed {
        order,
        key: Bound {
            by: By::Merchant("shop".into()),
            digest: [9; 16],
            body: 1,
        },
        buyer: Some("mallory".into()),
        tags: Vec::new(),
        lines: PlacedLines::One(PlacedLine {
            sku: 0,
            units,
            price: UnitPrice(0),
            own_price: false,
        }),
        total: Minor(0),
        hold_ms: 1_000,
        paid: None,
    })
}

#[tokio::test]
async fn a_sound_directory_has_no_finding_and_its_totals_are_those_of_the_book() {
    for seed in 30..34 {
        let mut market = Market::open(seed);
        market.trade(400);
        let early = market.journal.position();
        market.snapshot();
        market.trade(400);
        project(&market).await;
        market.trade(200);
        let end = market.journal.position();
        let report = look(&market, &[receipt(early), receipt(end)]);
        assert_eq!(
            (
                report.verdict,
                &report.findings[..],
                report.receipts_checked
            ),
            (Verdict::Ok, &[][..], 2)
        );
        let sale = &report.sales[0];
        assert_eq!(sale.divergences.first, []);
        assert_eq!((sale.batches, sale.snapshots_compared), (end.sequence, 1));
        assert_eq!(sale.position, api::Position::new(end.sequence, &end.chain));
        let models = sale.read_models.expect("they are there");
        assert!(models.compared && models.behind_batches > 0, "{models:?}");
        let tally = market.book.tally();
        assert_eq!(sale.orders.placed, u64::from(tally.placed));
        assert_eq!(sale.orders.cancelled, u64::from(tally.cancelled));
        let sold: u32 = market.book.skus().map(|sku| sku.units().sold().0).sum();
        assert_eq!(sale.units.sold, u64::from(sold));
        assert!(report.invariants.iter().all(|invariant| invariant.held));
        assert_eq!(report.invariants.len(), 10);
    }
}

#[tokio::test]
async fn the_report_is_json_with_a_verdict() {
    let mut market = Market::open(35);
    market.trade(20);
    let json = serde_json::to_value(look(&market, &[])).expect("it serializes");
    assert_eq!(json["verdict"], "ok");
    assert_eq!(json["sales"][0]["sale"], "sale_00001");
    assert_eq!(json["invariants"][0]["name"], "INV-1");
}

#[tokio::test]
async fn a_flipped_byte_is_found_at_its_place() {
    let mut market = Market::open(36);
    market.trade(2_500);
    let segments = segments(&market);
    assert!(segments.len() > 2, "the journal has several segments");
    let sound = look(&market, &[]).sales[0].batches;
    // The second batch of the second segment, so that there is more before it and behind it.
    let damaged = &segments[1];
    flip(damaged, 4_096);
    let report = look(&market, &[receipt(market.journal.position())]);
    let finding = report
        .findings
        .iter()
        .find(|finding| finding.kind == FindingKind::Damage)
        .expect("it is found");
    assert_eq!(finding.file.as_ref(), Some(damaged));
    assert!(
        finding.offset.is_some_and(|offset| offset <= 4_096),
        "{finding:?}"
    );
    assert!(finding.remedy.is_some());
    assert_eq!(finding.sequence, Some(report.sales[0].batches + 1));
    assert!(report.sales[0].batches < sound);
    assert!(!held(&report, "INV-8"));
    assert!(
        !held(&report, "INV-7"),
        "the receipt for the end cannot be met"
    );
}

#[tokio::test]
async fn a_changed_row_of_the_read_models_is_found() {
    let mut market = Market::open(37);
    market.trade(300);
    project(&market).await;
    let changes = [
        (
            "UPDATE orders SET captured = captured + 1 WHERE id & 1023 = 5",
            "captured",
        ),
        ("UPDATE orders SET state = 3 WHERE id & 1023 = 6", "state"),
        (
            "UPDATE orders SET buyer = 'eve' WHERE id & 1023 = 7",
            "buyer",
        ),
        (
            "UPDATE orders SET lines = '[[0,1,1,0]]' WHERE id & 1023 = 8",
            "lines",
        ),
        (
            "UPDATE stock SET available = available + 1, sold = sold - 1 WHERE place = 1",
            "SKU POT",
        ),
        ("UPDATE sales SET orders_paid = orders_paid + 1", "the sale"),
        ("DELETE FROM orders WHERE id & 1023 = 9", "are missing"),
    ];
    for (change, told) in changes {
        let before = std::fs::read(market.data.models()).expect("read");
        let database = rusqlite::Connection::open(market.data.models()).expect("opens");
        assert_eq!(
            database.execute(change, []).expect("changed"),
            1,
            "{change}"
        );
        database.close().expect("closed");
        let report = look(&market, &[]);
        let finding = only(&report);
        assert_eq!(
            (finding.kind, finding.invariant),
            (FindingKind::ReadModels, Some("INV-11"))
        );
        assert!(
            finding.detail.contains(told),
            "{change}: {}",
            finding.detail
        );
        std::fs::write(market.data.models(), before).expect("written back");
    }
    assert_eq!(look(&market, &[]).verdict, Verdict::Ok);
}

#[tokio::test]
async fn a_forged_receipt_is_found() {
    let mut market = Market::open(38);
    market.trade(100);
    let mut forged = market.journal.position();
    forged.sequence -= 3;
    let report = look(&market, &[receipt(forged)]);
    let finding = only(&report);
    assert_eq!(
        (finding.kind, finding.invariant, finding.sequence),
        (FindingKind::Loss, Some("INV-7"), Some(forged.sequence))
    );
    let nowhere = Receipt {
        sale: SaleId::new(77).expect("small"),
        position: receipt(forged).position,
    };
    assert_eq!(only(&look(&market, &[nowhere])).sale, SaleId::new(77));
}

#[tokio::test]
async fn a_lost_tail_is_told_by_whoever_has_seen_it() {
    let mut market = Market::open(39);
    market.trade(100);
    let kept = market.journal.position();
    let copy = tempfile::tempdir().expect("a directory");
    let dir = market.data.sale(1);
    for file in segments(&market) {
        std::fs::copy(&file, copy.path().join(file.file_name().expect("named"))).expect("copied");
    }
    market.trade(100);
    market.snapshot();
    project(&market).await;
    let seen = market.journal.position();
    // An old copy of the journal is put back.
    for file in segments(&market) {
        std::fs::remove_file(file).expect("removed");
    }
    for file in std::fs::read_dir(copy.path()).expect("listed") {
        let file = file.expect("read");
        std::fs::copy(file.path(), dir.join(file.file_name())).expect("copied");
    }
    let report = look(&market, &[receipt(seen)]);
    assert_eq!(report.sales[0].batches, kept.sequence);
    let kinds: Vec<FindingKind> = report.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [FindingKind::Loss; 3], "{:#?}", report.findings);
    let who: Vec<bool> = ["snapshot", "read models", "receipt"]
        .iter()
        .map(|who| {
            report
                .findings
                .iter()
                .any(|finding| finding.detail.contains(who))
        })
        .collect();
    assert_eq!(who, [true; 3]);
    assert!(!held(&report, "INV-7"));
}

#[tokio::test]
async fn a_snapshot_that_is_not_the_book_is_found() {
    let mut market = Market::open(40);
    market.trade(100);
    let sound = market.snapshot();
    market.trade(10);
    let (position, time, bytes) = {
        let found = storage::snapshot::read(&*market.disk, &sound).expect("read");
        (market.journal.position(), found.time_ms, found.payload)
    };
    // An older book under a newer position, checksum and all.
    let dir = market.data.sale(1);
    let forged =
        storage::snapshot::write(&*market.disk, &dir, position, time, &bytes).expect("written");
    let report = look(&market, &[]);
    let finding = only(&report);
    assert_eq!(
        (finding.kind, finding.file.as_ref()),
        (FindingKind::Snapshot, Some(&forged))
    );
    flip(&forged, 200);
    assert_eq!(only(&look(&market, &[])).kind, FindingKind::Snapshot);
    std::fs::remove_file(forged).expect("removed");
    assert_eq!(look(&market, &[]).verdict, Verdict::Ok);
}

#[tokio::test]
async fn a_snapshot_taken_later_than_its_last_batch_is_the_same_book() {
    let mut market = Market::open(41);
    market.trade(50);
    market.flush();
    market.now += 40;
    market.book.advance(commerce::Time(market.now));
    market.snapshot();
    market.trade(50);
    let report = look(&market, &[]);
    assert_eq!(
        (report.verdict, report.sales[0].snapshots_compared),
        (Verdict::Ok, 1)
    );
}

#[tokio::test]
async fn an_entry_that_todays_rules_refuse_is_a_divergence() {
    let mut market = Market::open(42);
    market.trade(30);
    let next = market.book.tally().placed;
    let before = market.journal.position().sequence;
    market.forge(&forged(next, 1));
    let report = look(&market, &[]);
    assert_eq!(
        (
            report.verdict,
            report.divergences_total,
            report.findings_total
        ),
        (Verdict::Finding, 1, 0)
    );
    let divergence = &report.sales[0].divergences.first[0];
    assert_eq!((divergence.sequence, divergence.entry), (before + 1, 0));
    assert!(divergence.journal.contains("mallory"), "{divergence:?}");
}

#[tokio::test]
async fn an_entry_that_oversells_breaks_the_first_invariant() {
    let mut market = Market::open(43);
    market.trade(30);
    market.forge(&forged(market.book.tally().placed, 1_000_000));
    let report = look(&market, &[]);
    let finding = only(&report);
    assert_eq!(
        (finding.kind, finding.invariant),
        (FindingKind::Violation, Some("INV-1"))
    );
    assert!(!held(&report, "INV-1") && held(&report, "INV-2"));
}

#[tokio::test]
async fn a_key_that_was_bound_twice_breaks_the_fourth_invariant() {
    let mut market = Market::open(44);
    market.trade(30);
    let next = market.book.tally().placed;
    market.forge(&forged(next, 1));
    market.forge(&forged(next + 1, 1));
    let report = look(&market, &[]);
    assert_eq!(only(&report).invariant, Some("INV-4"));
}

#[tokio::test]
async fn bytes_that_are_no_entry_are_found_though_their_checksum_is_good() {
    let mut market = Market::open(45);
    market.trade(30);
    crate::market::append(&mut market.journal, market.now, &["no entry at all"]);
    let report = look(&market, &[]);
    assert_eq!(only(&report).kind, FindingKind::Record);
}

#[tokio::test]
async fn a_sale_that_the_house_does_not_know_is_found() {
    let market = Market::open(46);
    let mut other = crate::market::journal(&market.disk, &market.data.sale(9));
    crate::market::append(
        &mut other,
        market.now,
        &[Entry::Expired { orders: Vec::new() }],
    );
    let report = look(&market, &[]);
    let finding = only(&report);
    assert_eq!(
        (finding.kind, finding.sale),
        (FindingKind::Registry, SaleId::new(9))
    );
}

#[tokio::test]
async fn a_torn_end_is_where_a_live_journal_ends_and_no_finding() {
    let mut market = Market::open(47);
    market.trade(100);
    let batches = market.journal.position().sequence;
    let last = segments(&market).pop().expect("there is one");
    let bytes = std::fs::read(&last).expect("read");
    let end = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .expect("not all zero");
    std::fs::write(&last, &bytes[..end - 3]).expect("cut");
    let report = look(&market, &[]);
    assert_eq!(
        (report.verdict, report.sales[0].batches),
        (Verdict::Ok, batches - 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_sale_is_verified_without_a_finding_and_without_a_lock() {
    let mut market = Market::open(50);
    market.trade(200);
    let (disk, root) = (market.disk.clone(), market.data.root().to_owned());
    let projector = Projector::start(
        &Settings::default(),
        &market.data,
        &Tasks::of_the_machine(),
        &Telemetry::new(),
    );
    let projector = projector.expect("it starts");
    let selling = std::thread::spawn(move || {
        let progress = projector.attach(market.sale, &market.journal);
        for nth in 0..60 {
            market.trade(30);
            progress.publish(market.journal.position().sequence, market.now);
            if nth % 15 == 0 {
                market.snapshot();
            }
        }
        market
    });
    let mut seen = 0;
    loop {
        let over = selling.is_finished();
        let report = verify(&disk, &root, &[], &mut |_| {}).expect("it can be looked at");
        assert_eq!(
            (report.verdict, &report.findings[..]),
            (Verdict::Ok, &[][..])
        );
        assert!(report.sales[0].batches >= seen, "it never goes back");
        seen = report.sales[0].batches;
        if over {
            break;
        }
    }
    let market = selling.join().expect("it sold");
    assert_eq!(seen, market.journal.position().sequence);
}

#[tokio::test]
async fn an_audit_keeps_every_order_and_the_chain() {
    let mut market = Market::open(48);
    market.trade(400);
    let middle = market.journal.position();
    market.merchant(Action::AddStock {
        sku: SKUS[0].into(),
        units: ledger::Units(1),
    });
    market.flush();
    let audit = audit(&market.disk, market.data.root()).expect("read");
    assert_eq!(audit.report.verdict, Verdict::Ok);
    let sale = &audit.sales[0];
    assert_eq!(sale.orders.len(), market.book.tally().placed as usize);
    for (order, kept) in market.book.orders().zip(&sale.orders) {
        assert_eq!(
            (order.total().0, order.funds().captured().0),
            (kept.total_minor, kept.captured_minor)
        );
    }
    assert!(audit.holds(sale_id(), receipt(middle).position));
    let forged = api::Position {
        chain: [3; 16],
        ..receipt(middle).position
    };
    assert!(!audit.holds(sale_id(), forged));
    assert!(!sale.restocked.is_empty(), "some units went back");
    for (&(order, line), &units) in &sale.restocked {
        let returned = sale.orders[order as usize].lines[usize::from(line)].returned_quantity;
        assert!(units <= returned, "{units} of {returned}");
    }
}

#[tokio::test]
async fn read_models_of_a_lost_file_are_no_finding() {
    let mut market = Market::open(49);
    market.trade(100);
    let report = look(&market, &[]);
    assert_eq!(
        (report.verdict, report.sales[0].read_models),
        (Verdict::Ok, None)
    );
    // Read models that know nothing of the sale yet are only behind.
    drop(Writer::open(&market.data.models(), 1_024).expect("made"));
    assert_eq!(look(&market, &[]).verdict, Verdict::Ok);
}

#[test]
fn a_place_without_data_is_an_error() {
    let nothing = tempfile::tempdir().expect("a directory");
    let disk: std::sync::Arc<dyn world::Disk> = std::sync::Arc::new(world::OsDisk);
    assert!(verify(&disk, &nothing.path().join("nowhere"), &[], &mut |_| {}).is_err());
}
