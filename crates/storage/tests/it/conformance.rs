//! The contract's own suite, on every way to run the journal.

use std::path::PathBuf;
use std::sync::Arc;

use tidegate_storage::journal::{FileJournal, JournalSettings};
use world::disk::OsDisk;
use world::faults::{Effect, Fault, FaultyDisk, Lasting, MemoryDisk, Operation};
use world::journal::Journal;
use world::journal::conformance::{self, Rig};
use world::{Disk, SystemClock, Tasks};

use crate::desk::{self, SMALL};

struct Desk<D, O> {
    disk: FaultyDisk<D>,
    dir: PathBuf,
    open: O,
    _temporary: Option<tempfile::TempDir>,
}

impl<D, O> Rig for Desk<D, O>
where
    D: Disk + Clone + 'static,
    O: FnMut(Arc<dyn Disk>, PathBuf) -> Box<dyn Journal>,
{
    fn open(&mut self) -> Box<dyn Journal> {
        (self.open)(Arc::new(self.disk.clone()), self.dir.clone())
    }

    fn break_disk(&mut self) {
        self.disk.plan(Fault {
            operation: Operation::Sync,
            after: 0,
            error: std::io::ErrorKind::Other,
            effect: Effect::None,
            lasting: Lasting::UntilHealed,
        });
    }

    fn mend_disk(&mut self) {
        self.disk.heal();
    }
}

fn threaded(settings: JournalSettings) -> impl FnMut(Arc<dyn Disk>, PathBuf) -> Box<dyn Journal> {
    move |disk, dir| {
        let (recovery, _) = desk::recovered(&disk, &dir, None).expect("a journal to recover");
        let mut doors = desk::doors(disk);
        doors.clock = Arc::new(SystemClock::new());
        let tasks = Tasks::of_the_machine();
        let journal = FileJournal::open(recovery, doors, &tasks, settings);
        Box::new(journal.expect("a journal that opens"))
    }
}

fn in_memory<O>(open: O) -> Desk<MemoryDisk, O> {
    Desk {
        disk: FaultyDisk::new(MemoryDisk::new()),
        dir: desk::dir(),
        open,
        _temporary: None,
    }
}

fn on_disk<O>(open: O) -> Desk<OsDisk, O> {
    let temporary = tempfile::tempdir().expect("a directory");
    Desk {
        disk: FaultyDisk::new(OsDisk),
        dir: temporary.path().join("house"),
        open,
        _temporary: Some(temporary),
    }
}

#[tokio::test]
async fn the_core_without_a_thread_keeps_the_contract() {
    conformance::all(|| {
        in_memory(|disk: Arc<dyn Disk>, dir: PathBuf| -> Box<dyn Journal> {
            Box::new(desk::open_inline(&disk, &dir))
        })
    })
    .await;
}

#[tokio::test]
async fn the_thread_keeps_the_contract_with_small_segments() {
    conformance::all(|| in_memory(threaded(SMALL))).await;
}

#[tokio::test]
async fn the_thread_keeps_the_contract_on_the_real_disk() {
    conformance::all(|| on_disk(threaded(SMALL))).await;
    conformance::all(|| on_disk(threaded(JournalSettings::default()))).await;
}

#[tokio::test]
async fn zeros_made_ahead_become_the_next_segments() {
    let mut rig = on_disk(threaded(JournalSettings {
        segment_bytes_first: 16 * 1024,
        segment_bytes_max: 64 * 1024,
    }));
    let mut journal = rig.open();
    for number in 0..2_000 {
        let batch = desk::batch(number, 1);
        journal.append(number, batch).await.expect("an append");
    }
    assert_eq!(desk::read_all(&*journal, 0).len(), 2_000);
    drop(journal);
    assert_eq!(rig.open().position().sequence, 2_000);
}
