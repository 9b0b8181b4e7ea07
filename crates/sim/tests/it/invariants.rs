//! Each invariant has its attacks, and the table that says so holds.

use std::fs;
use std::path::Path;

use api::order::OrderState;
use commerce::entry::Entry;
use tidegate_sim::life::live_with;
use tidegate_sim::plan::{Incident, Trouble};

use crate::plans::{Actor, act, entered, lived, ms, orders, quiet, units};

/// E32: every rule has a test of its branch. The table of `main.rs` names tests that are there, for every invariant that
/// is stated and not reserved.
#[test]
fn every_invariant_that_is_stated_is_attacked() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let stated = here.join("../../../../docs/invariants.md");
    let stated = fs::read_to_string(stated).unwrap();
    let table = fs::read_to_string(here.join("main.rs")).unwrap();
    let row = |id: &str| {
        let begins = format!("//! | {id} |");
        table.lines().find(|line| line.starts_with(&begins))
    };
    let mut attacked = 0;
    for title in stated.lines().filter(|line| line.starts_with("## INV-")) {
        let id = title.split_whitespace().nth(1).unwrap();
        let reserved = format!("| {id} | reserved");
        if stated.contains(&reserved) {
            assert_eq!(row(id), None, "{id} is attacked and still reserved");
            continue;
        }
        let row = row(id).unwrap_or_else(|| panic!("nothing attacks {id}"));
        let tests: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "{row}");
        for test in tests {
            let (module, name) = test.split_once("::").unwrap();
            let source = fs::read_to_string(here.join(format!("{module}.rs"))).unwrap();
            assert!(source.contains(&format!("#[test]\nfn {name}(")), "{test}");
        }
        attacked += 1;
    }
    assert!(attacked >= 10, "{attacked} invariants are attacked");
}

/// INV-8: a bit of the journal turns over while the shop is down. Nobody is served from it: the start is refused or the
/// audit at the end finds it.
#[test]
fn a_flipped_byte_of_the_journal_is_found_by_the_chain() {
    for seed in 1..=3 {
        let attack = act(move |market| async move {
            let mut buyer = Actor::buyer(&market, 100, "anna");
            for nth in 0..5 {
                buyer.take(&format!("k{nth}"), 1).await;
            }
            let disk = market.stage.disk();
            let story = disk.story();
            let written = story.iter().rev().find(|op| {
                op.kind == tidegate_sim::disk::OpKind::Write
                    && op.path.to_string_lossy().contains("sales")
            });
            let op = written.unwrap();
            disk.damage(&op.path, op.offset + op.bytes / 2).unwrap();
        });
        let mut plan = quiet(seed, 9);
        plan.shop.desk.snapshot_entries = 1_000_000;
        let lived = live_with(&plan, vec![attack], 3_000_000).unwrap();
        assert!(
            !lived.evidence.verify.is_empty(),
            "seed {seed}: nobody noticed"
        );
        assert_eq!(lived.evidence.panics, Vec::<String>::new());
    }
}

/// INV-11: lists that were built anew, twice, after deaths of the process, say of each order what its journal says.
#[test]
fn rebuilt_lists_say_what_the_book_says() {
    for seed in 1..=3 {
        let mut plan = quiet(seed, 20);
        plan.sales[0].hold_ms = 4_000;
        plan.incidents = [
            (500, Trouble::Rebuild),
            (900, Trouble::KillAfterPolls(30)),
            (1_500, Trouble::Rebuild),
        ]
        .map(|(at, what)| Incident { at: ms(at), what })
        .into();
        let acts = (0..10).map(|nth: u32| {
            act(move |market| async move {
                let mut buyer = Actor::buyer(&market, 100 + nth, &format!("b{nth}"));
                buyer.wait(ms(u64::from(nth) * 150)).await;
                let order = buyer.take("order", 2).await;
                if nth.is_multiple_of(2) {
                    assert!(buyer.with_order(&order, "pay", "pay").await.is_yes());
                    buyer.until(&order, &["paid"]).await;
                }
            })
        });
        let lived = lived(&plan, acts.collect());
        let orders = orders(&lived);
        let placed = entered(&lived, |entry| matches!(entry, Entry::Placed(_)));
        assert_eq!((orders.len(), units(&orders)), (placed, 20), "seed {seed}");
        let paid = orders
            .iter()
            .filter(|order| order.state == OrderState::Paid);
        let captured = entered(&lived, |entry| matches!(entry, Entry::Captured { .. }));
        assert_eq!((paid.count(), captured), (5, 5), "seed {seed}");
        assert!(lived.evidence.restarts.len() >= 2, "seed {seed}");
    }
}
