//! Whole histories against a shop in memory, an honest one and some that are not.

use crate::shelf::{Deceit, Shelf};
use std::path::{Path, PathBuf};
use tidegate_drill::replay::{self, Outcome, ReplayError, Sample, StockShare, write_sample};
use tidegate_drill::watch::Unwatched;
use world::ManualClock;

fn sample(invoices: u32) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let sample = Sample { seed: 7, invoices };
    write_sample(sample, file.as_file()).expect("written");
    file
}

async fn replayed(file: &Path, share: &str, shelf: &mut Shelf) -> Result<Outcome, ReplayError> {
    let share: StockShare = share.parse().expect("a share");
    replay::run(file, share, shelf, &ManualClock::new(0), &Unwatched).await
}

#[tokio::test]
async fn every_row_of_a_history_finds_its_place() {
    let file = sample(1_500);
    let mut shelf = Shelf::new(Deceit::Honest);
    let outcome = replayed(file.path(), "1.0", &mut shelf)
        .await
        .expect("replayed");
    assert_eq!(outcome.problems, Vec::<String>::new());
    let rows = outcome.buckets;
    assert_eq!(rows.total(), outcome.summary.rows);
    for count in [
        rows.booked,
        rows.returned,
        rows.unmatched,
        rows.written_off,
        rows.rejected,
    ] {
        assert!(count > 0, "{rows:?}");
    }
    assert_eq!(outcome.summary.verdict, "ok");
    let bad = outcome.rejections.last().expect("the bad row");
    assert_eq!(u64::from(bad.row), outcome.summary.rows);
    assert_eq!(&*bad.reason, "Quantity is no whole number");
}

#[tokio::test]
async fn a_second_run_changes_nothing_and_says_the_same() {
    let file = sample(1_500);
    let mut shelf = Shelf::new(Deceit::Honest);
    let first = replayed(file.path(), "0.5", &mut shelf)
        .await
        .expect("replayed");
    assert!(first.summary.refused_sold_out > 0);
    let changes = shelf.changes;
    let second = replayed(file.path(), "0.5", &mut shelf)
        .await
        .expect("replayed");
    assert_eq!(shelf.changes, changes);
    assert_eq!(first, second);
    assert_eq!(second.summary.verdict, "ok");
}

/// A refusal binds nothing: an order that was sold out must not be sold by the repetition, only because units came back
/// later in the history.
#[tokio::test]
async fn a_run_that_was_cut_off_is_finished_by_the_next() {
    let file = sample(600);
    let mut whole = Shelf::new(Deceit::Honest);
    let expected = replayed(file.path(), "0.4", &mut whole)
        .await
        .expect("replayed");
    for cut in [0, 1, 2, 3, 7, 20, 55, 100] {
        let mut shelf = Shelf::new(Deceit::Honest);
        shelf.answers_left = Some(cut);
        let error = replayed(file.path(), "0.4", &mut shelf).await;
        assert!(matches!(error, Err(ReplayError::Unreachable(_))), "{cut}");
        shelf.answers_left = None;
        let outcome = replayed(file.path(), "0.4", &mut shelf)
            .await
            .expect("replayed");
        assert_eq!(outcome, expected, "cut after {cut}");
        assert_eq!(shelf.changes, whole.changes, "cut after {cut}");
    }
}

#[tokio::test]
async fn a_shop_that_deceives_is_found_out() {
    let file = sample(600);
    for deceit in [
        Deceit::LosesReturns,
        Deceit::MisprintsTotals,
        Deceit::Oversells,
    ] {
        let mut shelf = Shelf::new(deceit);
        let outcome = replayed(file.path(), "0.4", &mut shelf)
            .await
            .expect("replayed");
        assert_eq!(outcome.summary.verdict, "failed", "{deceit:?}");
        assert!(!outcome.problems.is_empty());
    }
}

/// The recorded history beside the checkout, where there is one; else the made-up one.
fn recorded() -> Option<PathBuf> {
    let beside = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/data/orders/online_retail_2010_2011.csv.gz"
    );
    let path = PathBuf::from(beside);
    path.exists().then_some(path)
}

#[tokio::test]
async fn the_recorded_history_reconciles_with_its_own_file() {
    let Some(path) = recorded() else {
        println!("no recorded history beside the checkout: a made-up one stands in for it");
        let file = sample(3_000);
        let mut shelf = Shelf::new(Deceit::Honest);
        let outcome = replayed(file.path(), "1.0", &mut shelf)
            .await
            .expect("replayed");
        assert_eq!(outcome.summary.verdict, "ok");
        return;
    };
    println!("replaying {}", path.display());
    let history = replay::History::read(&path).expect("read");
    assert_eq!((history.rows, history.invoices.len()), (541_909, 25_897));
    assert_eq!(
        (history.items.len(), history.customers.len()),
        (4_069, 4_372)
    );
    let cancellations = history
        .invoices
        .iter()
        .filter(|i| i.number.starts_with('C'));
    assert_eq!(cancellations.count(), 3_836);
    let returned: usize = history.invoices.iter().map(|i| i.returned.len()).sum();
    let written_off: usize = history.invoices.iter().map(|i| i.written_off.len()).sum();
    assert_eq!(
        (returned, written_off, history.rejections.len()),
        (9_288, 1_336, 3)
    );
    let longest = history.invoices.iter().map(|i| i.sold.len()).max();
    assert_eq!(longest, Some(1_114));
}
