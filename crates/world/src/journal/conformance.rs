//! What every journal must do, as functions that an implementation's tests call.
//!
//! An implementation supplies a [`Rig`]; [`all`] runs everything. The suite needs no runtime: its
//! futures are awaited and nothing else.
//!
//! # Panics
//! All functions here panic when the journal breaks the contract: they are tests.

use super::{
    Batch, BatchReader, Journal, JournalError, NewBatch, PAYLOAD_BYTES_MAX, Position, check_witness,
};

/// A place where one journal can be opened, closed, opened again, and made to fail.
pub trait Rig {
    /// Opens the journal of this rig; the one opened before has been dropped.
    fn open(&mut self) -> Box<dyn Journal>;

    /// From now on the disk refuses to make anything durable.
    fn break_disk(&mut self);

    /// The disk works again.
    fn mend_disk(&mut self);
}

/// Runs the whole suite, each part on a fresh rig.
pub async fn all<R: Rig>(mut fresh: impl FnMut() -> R) {
    a_new_journal_stands_at_zero(fresh()).await;
    what_was_appended_is_read_in_order(fresh()).await;
    an_append_behind_the_wrong_batch_changes_nothing(fresh()).await;
    a_payload_above_the_limit_is_refused(fresh()).await;
    the_buffer_comes_back_empty(fresh()).await;
    a_reader_follows_the_growing_journal(fresh()).await;
    a_reader_starts_after_any_batch(fresh()).await;
    a_reopened_journal_goes_on_where_it_stood(fresh()).await;
    a_failed_append_breaks_the_journal_until_it_is_resumed(fresh()).await;
    a_failed_batch_is_replaced_and_never_read(fresh()).await;
    a_dropped_append_is_not_taken_back(fresh()).await;
    archived_batches_are_still_read(fresh()).await;
    a_witness_of_what_is_not_there_tells_of_loss(fresh()).await;
}

/// A new journal has no batch, and reading it finds none.
pub async fn a_new_journal_stands_at_zero<R: Rig>(mut rig: R) {
    let journal = rig.open();
    assert_eq!(journal.position().sequence, 0);
    let mut reader = journal.read(0).expect("reading from zero");
    assert_eq!(next(&mut *reader), None);
}

/// Sequence, time, entry count, payload and chain come back as they went in.
pub async fn what_was_appended_is_read_in_order<R: Rig>(mut rig: R) {
    let mut journal = rig.open();
    let mut written = Vec::new();
    for number in 0..20 {
        written.push(append(&mut *journal, number, sample(number)).await);
    }
    let read = read_all(&*journal, 0);
    assert_eq!(read.len(), 20);
    for (number, batch) in read.iter().enumerate() {
        let expected = sample(number as u64);
        assert_eq!(batch.position(), written[number]);
        assert_eq!(batch.sequence, number as u64 + 1);
        assert_eq!(batch.time_ms, expected.time_ms);
        assert_eq!(batch.entries, expected.entries);
        assert_eq!(batch.payload, expected.payload);
    }
    assert_eq!(journal.position(), written[19]);
    chains_differ(&written);
}

/// An outdated caller is told where the journal stands.
pub async fn an_append_behind_the_wrong_batch_changes_nothing<R: Rig>(mut rig: R) {
    let mut journal = rig.open();
    let first = append(&mut *journal, 0, sample(0)).await;
    for wrong in [0, 2, u64::MAX] {
        match journal.append(wrong, sample(9)).await {
            Err(JournalError::WrongPosition { expected, found }) => {
                assert_eq!((expected, found), (wrong, 1));
            }
            other => panic!("expected a wrong position, got {other:?}"),
        }
    }
    assert!(matches!(
        journal.read(2).map(|_| ()),
        Err(JournalError::WrongPosition {
            expected: 2,
            found: 1
        })
    ));
    assert_eq!(journal.position(), first);
    assert_eq!(read_all(&*journal, 0).len(), 1);
    append(&mut *journal, 1, sample(1)).await;
}

/// The limit itself fits, one byte more does not.
pub async fn a_payload_above_the_limit_is_refused<R: Rig>(mut rig: R) {
    let mut journal = rig.open();
    let sized = |bytes: usize| NewBatch {
        time_ms: 1,
        entries: 1,
        payload: vec![7; bytes],
    };
    match journal.append(0, sized(PAYLOAD_BYTES_MAX + 1)).await {
        Err(JournalError::TooLarge { found, limit }) => {
            assert_eq!((found, limit), (PAYLOAD_BYTES_MAX + 1, PAYLOAD_BYTES_MAX));
        }
        other => panic!("expected too large, got {other:?}"),
    }
    append(&mut *journal, 0, sized(PAYLOAD_BYTES_MAX)).await;
    append(&mut *journal, 1, sized(0)).await;
    let read = read_all(&*journal, 0);
    assert_eq!(read[0].payload, vec![7; PAYLOAD_BYTES_MAX]);
    assert!(read[1].payload.is_empty());
}

/// The caller's buffer is lent, not given.
pub async fn the_buffer_comes_back_empty<R: Rig>(mut rig: R) {
    let mut journal = rig.open();
    let appended = journal.append(0, sample(3)).await.expect("an append");
    assert!(appended.buffer.is_empty());
    assert!(appended.buffer.capacity() >= sample(3).payload.len());
}

/// A reader that has caught up goes on when there is more.
pub async fn a_reader_follows_the_growing_journal<R: Rig>(mut rig: R) {
    let mut journal = rig.open();
    let mut reader = journal.read(0).expect("reading from zero");
    for number in 0..200 {
        assert_eq!(next(&mut *reader), None);
        let position = append(&mut *journal, number, sample(number)).await;
        let batch = next(&mut *reader).expect("the batch just appended");
        assert_eq!(batch.position(), position);
    }
    assert_eq!(next(&mut *reader), None);
}

/// A reader may begin anywhere, the end included.
pub async fn a_reader_starts_after_any_batch<R: Rig>(mut rig: R) {
    let mut journal = rig.open();
    for number in 0..50 {
        append(&mut *journal, number, sample(number)).await;
    }
    for after in 0..=50 {
        let read = read_all(&*journal, after);
        assert_eq!(read.len() as u64, 50 - after);
        assert_eq!(read.first().map_or(51, |batch| batch.sequence), after + 1);
    }
}

/// Closing and opening changes nothing.
pub async fn a_reopened_journal_goes_on_where_it_stood<R: Rig>(mut rig: R) {
    let mut position = None;
    for number in 0..10 {
        let mut journal = rig.open();
        assert_eq!(journal.position().sequence, number);
        assert!(position.is_none_or(|position| position == journal.position()));
        position = Some(append(&mut *journal, number, sample(number)).await);
    }
    assert_eq!(read_all(&*rig.open(), 0).len(), 10);
}

/// Unknown first, broken afterwards, reading all the while; resuming goes on behind the last
/// durable batch.
pub async fn a_failed_append_breaks_the_journal_until_it_is_resumed<R: Rig>(mut rig: R) {
    let mut journal = rig.open();
    let durable = append(&mut *journal, 0, sample(0)).await;
    rig.break_disk();
    assert!(matches!(
        journal.append(1, sample(1)).await,
        Err(JournalError::Unknown { .. })
    ));
    assert!(matches!(
        journal.append(1, sample(1)).await,
        Err(JournalError::Broken)
    ));
    assert!(journal.resume().await.is_err(), "the disk still refuses");
    assert_eq!(journal.position(), durable);
    assert_eq!(read_all(&*journal, 0).len(), 1);
    rig.mend_disk();
    assert!(matches!(
        journal.append(1, sample(1)).await,
        Err(JournalError::Broken)
    ));
    assert_eq!(journal.resume().await.expect("resuming"), durable);
    assert_eq!(journal.resume().await.expect("resuming twice"), durable);
    append(&mut *journal, 1, sample(1)).await;
    drop(journal);
    assert_eq!(read_all(&*rig.open(), 0).len(), 2);
}

/// What a failed append left behind is never seen, neither by a reader that was waiting for it nor
/// after opening again.
pub async fn a_failed_batch_is_replaced_and_never_read<R: Rig>(mut rig: R) {
    let mut journal = rig.open();
    append(&mut *journal, 0, sample(0)).await;
    let mut reader = journal.read(1).expect("reading from the end");
    for _ in 0..3 {
        rig.break_disk();
        let failed = journal.append(1, sample(100)).await;
        assert!(matches!(failed, Err(JournalError::Unknown { .. })));
        assert_eq!(next(&mut *reader), None);
        rig.mend_disk();
        journal.resume().await.expect("resuming");
        assert_eq!(next(&mut *reader), None);
    }
    let position = append(&mut *journal, 1, sample(1)).await;
    let batch = next(&mut *reader).expect("the second batch");
    assert_eq!(
        (batch.position(), batch.payload),
        (position, sample(1).payload)
    );
    drop(journal);
    let journal = rig.open();
    assert_eq!(journal.position(), position);
    assert_eq!(read_all(&*journal, 1)[0].payload, sample(1).payload);
}

/// A caller that gives up waiting does not undo the batch.
pub async fn a_dropped_append_is_not_taken_back<R: Rig>(mut rig: R) {
    let mut journal = rig.open();
    drop(journal.append(0, sample(0)));
    drop(journal);
    let mut journal = rig.open();
    assert_eq!(journal.position().sequence, 1);
    append(&mut *journal, 1, sample(1)).await;
}

/// Archiving moves, and forgets nothing.
pub async fn archived_batches_are_still_read<R: Rig>(mut rig: R) {
    let mut journal = rig.open();
    let big = |number: u64| NewBatch {
        payload: vec![u8::try_from(number).unwrap_or(0); 200_000],
        ..sample(number)
    };
    let mut early = journal.read(0).expect("reading from zero");
    for number in 0..40 {
        append(&mut *journal, number, big(number)).await;
    }
    journal.archive(30).await.expect("archiving");
    let mut count = 0;
    while next(&mut *early).is_some() {
        count += 1;
    }
    assert_eq!(count, 40);
    assert_eq!(read_all(&*journal, 0).len(), 40);
    journal.archive(u64::MAX).await.expect("archiving the rest");
    append(&mut *journal, 40, sample(40)).await;
    drop(journal);
    let mut journal = rig.open();
    assert_eq!(read_all(&*journal, 0).len(), 41);
    append(&mut *journal, 41, sample(41)).await;
}

/// A witness is held against the record: ahead of it, or of another history, is loss.
pub async fn a_witness_of_what_is_not_there_tells_of_loss<R: Rig>(mut rig: R) {
    let mut journal = rig.open();
    let first = append(&mut *journal, 0, sample(0)).await;
    let second = append(&mut *journal, 1, sample(1)).await;
    for seen in [first, second] {
        check_witness(&*journal, seen).expect("what the journal has");
    }
    let ahead = Position {
        sequence: 3,
        ..second
    };
    let other = Position {
        sequence: 1,
        ..second
    };
    for (witness, end) in [(ahead, second), (other, first)] {
        match check_witness(&*journal, witness) {
            Err(JournalError::Lost { found, .. }) => assert_eq!(found, end),
            answer => panic!("expected a loss, got {answer:?}"),
        }
    }
}

fn sample(number: u64) -> NewBatch {
    let bytes = usize::try_from(number % 97).unwrap_or(0);
    NewBatch {
        time_ms: 1_700_000_000_000 + number,
        entries: u32::try_from(number).unwrap_or(u32::MAX),
        payload: number.to_le_bytes().repeat(bytes),
    }
}

async fn append(journal: &mut dyn Journal, expected: u64, batch: NewBatch) -> Position {
    let appended = journal.append(expected, batch).await.expect("an append");
    assert_eq!(appended.position.sequence, expected + 1);
    assert_eq!(journal.position(), appended.position);
    appended.position
}

fn next(reader: &mut dyn BatchReader) -> Option<Batch> {
    reader.next().expect("reading")
}

fn read_all(journal: &dyn Journal, after: u64) -> Vec<Batch> {
    let mut reader = journal.read(after).expect("a reader");
    std::iter::from_fn(|| next(&mut *reader)).collect()
}

fn chains_differ(positions: &[Position]) {
    let mut chains: Vec<_> = positions.iter().map(|position| position.chain).collect();
    chains.sort_unstable();
    chains.dedup();
    assert_eq!(chains.len(), positions.len());
}
