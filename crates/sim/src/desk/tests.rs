//! Lives of a desk: sound ones by the dozen, each the same when it is lived again.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use super::{DeskLived, DeskSize, Weather, judge, live, live_with, market};
use crate::chance::Chance;
use crate::oracle::coupons_given;

#[test]
fn desks_crash_and_keep_what_they_told() {
    let (mut crashes, mut orders) = (0, 0);
    for seed in 1..=24 {
        let lived = live(seed, DeskSize::draw(seed));
        assert!(lived.findings.is_empty(), "seed {seed}: {lived:#?}");
        crashes += lived.crashes;
        orders += lived.orders;
    }
    assert!(
        crashes > 30 && orders > 500,
        "{crashes} crashes, {orders} orders"
    );
}

#[test]
fn desks_with_teams_and_lines_keep_what_they_promised() {
    let (mut crashes, mut orders) = (0, 0);
    for seed in 1..=24 {
        let lived = live(seed, DeskSize::draw_offers(seed));
        assert!(
            lived.findings.is_empty(),
            "seed {seed}: {:#?}",
            lived.findings
        );
        crashes += lived.crashes;
        orders += lived.orders;
    }
    assert!(
        crashes > 20 && orders > 500,
        "{crashes} crashes, {orders} orders"
    );
}

#[test]
fn a_desk_lives_the_same_life_again() {
    for seed in [3, 4, 5] {
        let (one, other) = (
            live(seed, DeskSize::draw(seed)),
            live(seed, DeskSize::draw(seed)),
        );
        assert_eq!(
            (one.trace, one.steps, one.orders),
            (other.trace, other.steps, other.orders)
        );
    }
}

#[test]
fn a_disk_that_lies_is_found_out_or_harmless() {
    let mut noticed = 0;
    for seed in 1..=24 {
        let size = DeskSize {
            weather: Weather::Lying,
            crashes: 5,
            ..DeskSize::draw(seed)
        };
        let lived = live(seed, size);
        assert!(lived.findings.is_empty(), "seed {seed}: {lived:#?}");
        noticed += u32::from(lived.loss_noticed);
    }
    assert!(noticed > 1, "only {noticed} losses");
}

// A sync failed, the process died of something else before it could begin a new segment, and the next one found the batch
// where it had been written, synced again, was told yes, and went on. Then the power went, and the batch with it.
#[test]
fn what_a_dead_process_failed_to_sync_is_durable_before_the_next_one_goes_on() {
    let offer = market::draw(&mut Chance::of(1_459, "offer"), 0);
    let lived = live_with(1_459, DeskSize::draw_offers(1_459), Some(offer));
    assert!(lived.findings.is_empty(), "{:#?}", lived.findings);
    assert!(lived.crashes > 0 && lived.orders > 0, "{lived:#?}");
}

#[test]
fn a_book_that_forgot_to_give_a_coupon_back_is_found_out() {
    let book = commerce::Book::new();
    assert_eq!(judge::misspent(&book, &BTreeMap::new()), []);
    let mut lives = (1..40).map(|seed| live(seed, DeskSize::draw_offers(seed)));
    let used = |lived: &DeskLived| !coupons_given(&lived.journal).is_empty();
    let lived = lives.find(used).unwrap();
    let mut given = coupons_given(&lived.journal);
    let book = replayed(&lived.journal);
    assert_eq!(judge::misspent(&book, &given), []);
    for (sum, times) in given.values_mut() {
        (*sum, *times) = (0, 0);
    }
    assert!(!judge::misspent(&book, &given).is_empty());
}

/// The book of a journal.
fn replayed(journal: &[world::journal::Batch]) -> commerce::Book {
    let mut book = commerce::Book::new();
    for batch in journal {
        for entry in crate::story::entries(&batch.payload) {
            book.apply(commerce::Time(batch.time_ms), &entry).unwrap();
        }
    }
    book
}
