//! The floor: where clients find the desk of now, and what all of them remember together.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use commerce::deal::Commit;
use commerce::{Book, Command, Effect};
use shop::desk::{
    Desk, DeskError, DeskHandle, Done, Durability, Effects, Equipment, Seeds, Settings,
};
use shop::open::{Place, doors};
use storage::journal::JournalSettings;
use telemetry::Telemetry;
use tokio::sync::{mpsc, oneshot};
use world::journal::{JournalError, Position, check_witness};
use world::{Disk, SeededEntropy, Tasks};

use super::member::{self, Glance};
use super::memory::Memory;
use crate::clock::HostClock;
use crate::disk::SimDisk;
use crate::record::{Ended, Finding};
use crate::scheduler::{Host, World};

/// The number of the one sale.
pub(super) const SALE: u32 = 1;
/// How often somebody who insists asks.
const TRIES: u32 = 2_000;
/// The longest wait of somebody who insists.
const WAIT_MOST: Duration = Duration::from_secs(5);

/// Where the sale lives.
pub(super) fn home() -> PathBuf {
    PathBuf::from("/sale")
}

/// The floor; cheap to clone.
#[derive(Clone)]
pub(super) struct Floor {
    pub(super) world: World,
    /// The tasks of clients and of the bank, which no crash of the shop touches.
    pub(super) street: Tasks,
    inner: Arc<Inner>,
}

struct Inner {
    shop: Host,
    desk: Mutex<Option<DeskHandle>>,
    memory: Mutex<Memory>,
    over: AtomicBool,
}

impl Floor {
    pub(super) fn new(world: &World, shop: &Host, street: &Host) -> Self {
        Self {
            world: world.clone(),
            street: street.tasks(),
            inner: Arc::new(Inner {
                shop: shop.clone(),
                desk: Mutex::default(),
                memory: Mutex::default(),
                over: AtomicBool::new(false),
            }),
        }
    }

    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        lock(&self.inner.memory)
    }

    pub(super) fn desk(&self) -> Option<DeskHandle> {
        lock(&self.inner.desk).clone()
    }

    pub(super) fn put_desk(&self, desk: Option<DeskHandle>) {
        let before = std::mem::replace(&mut *lock(&self.inner.desk), desk);
        drop(before);
    }

    /// The sale is lost, and was found to be: everybody goes home.
    pub(super) fn close(&self) {
        self.inner.over.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_over(&self) -> bool {
        self.inner.over.load(Ordering::Relaxed)
    }

    /// Waits for the time of an effect by the clock of the desk, as the cashier beside it does, and says whether the desk
    /// still wants it.
    pub(super) async fn wants(&self, effect: Effect) -> bool {
        while !self.is_over() {
            let due = move |book: &Book| {
                let open = book.open_effect(effect.order, effect.kind).is_some();
                open.then(|| book.time() >= effect.not_before)
            };
            if let Some(desk) = self.desk()
                && let Ok(due) = desk.ask(due).await
                && due.value != Some(false)
            {
                return due.value.is_some();
            }
            self.street.sleep(WAIT_MOST).await;
        }
        false
    }

    /// Asks with the same keys until the desk answers; nothing when the sale is over before.
    pub(super) async fn insist(&self, commands: &[Command]) -> Option<Vec<Done<commerce::Done>>> {
        let mut wait = Duration::from_millis(20);
        for _ in 0..TRIES {
            if self.is_over() {
                return None;
            }
            if let Some(done) = self.try_once(commands).await {
                return Some(done);
            }
            self.street.sleep(wait).await;
            wait = (wait * 2).min(WAIT_MOST);
        }
        let what = "somebody asked for hours and was never answered";
        self.memory().findings.push(Finding::new("healing", what));
        None
    }

    async fn try_once(&self, commands: &[Command]) -> Option<Vec<Done<commerce::Done>>> {
        let desk = self.desk()?;
        match desk.submit(commands.to_vec(), |_, done| done).await {
            Ok(durable) => {
                self.note(commands, &durable.value, durable.position);
                Some(durable.value)
            }
            Err(error) => {
                self.give_up_on(&error);
                None
            }
        }
    }

    fn note(&self, commands: &[Command], done: &[Done<commerce::Done>], at: Position) {
        let mut memory = self.memory();
        memory.saw(at);
        for (command, done) in commands.iter().zip(done) {
            match &done.decision {
                Ok(what) => memory.heard(command, *what, done.repeated, at),
                Err(_) => memory.denied(command),
            }
        }
    }

    /// Asks the book how many orders it has.
    pub(super) async fn look(&self) {
        let Some(desk) = self.desk() else {
            return;
        };
        if let Ok(placed) = desk.ask(|book: &Book| book.tally().placed).await {
            let mut memory = self.memory();
            memory.saw(placed.position);
            memory.shown.push((placed.position.sequence, placed.value));
        }
    }

    /// Looks at what is offered; nothing while no desk answers.
    pub(super) async fn glance(&self) -> Option<Glance> {
        let seen = self.desk()?.ask(member::glance).await.ok()?;
        self.memory().saw(seen.position);
        Some(seen.value)
    }

    /// A desk that has stopped for good is started again by its operator; an invariant is nobody's to mend.
    fn give_up_on(&self, error: &DeskError) {
        let DeskError::Stopped(why) = error else {
            return;
        };
        if why.contains("INV-") {
            let mut memory = self.memory();
            memory
                .findings
                .push(Finding::new("stopped", why.to_string()));
            drop(memory);
            self.close();
        }
        self.inner.shop.end(Ended::Killed);
    }
}

/// Lives without lotteries need no seeds.
struct Seedless;

impl Seeds for Seedless {
    fn seed(&self, _sale: u32, _commit: &Commit) -> Option<[u8; 32]> {
        None
    }
}

/// Takes what a desk hands out.
struct Outbox {
    floor: Floor,
    bank: mpsc::UnboundedSender<Effect>,
}

impl Effects for Outbox {
    fn offer(&self, _sale: u32, effects: &mut Vec<Effect>) {
        let mut memory = self.floor.memory();
        for effect in effects.drain(..) {
            *memory
                .offered
                .entry((effect.order, effect.kind))
                .or_default() += 1;
            // The bank is gone when the life is over.
            let _ = self.bank.send(effect);
        }
    }

    fn found(&self, sale: u32, effects: &mut Vec<Effect>) {
        // This bank never forgets a key.
        self.offer(sale, effects);
    }
}

impl Durability for Outbox {
    fn publish(&self, sequence: u64, _time_ms: u64) {
        let mut memory = self.floor.memory();
        memory.published = memory.published.max(sequence);
    }
}

/// Why a start came to nothing.
#[derive(Debug)]
pub(super) enum Refused {
    /// The process ended meanwhile.
    Died,
    /// It could not open, for this reason; trying again may help.
    Because(String),
    /// The witness has seen more than is there.
    Lost(String),
}

/// A start of the desk's process.
pub(super) struct Start {
    pub(super) floor: Floor,
    pub(super) shop: Host,
    pub(super) clock: HostClock,
    pub(super) entropy: Arc<SeededEntropy>,
    pub(super) bank: mpsc::UnboundedSender<Effect>,
    pub(super) settings: Settings,
    pub(super) journal: JournalSettings,
}

impl Start {
    /// Opens the sale in a new run of the shop's machine, and puts its desk on the floor.
    pub(super) async fn run(self, disk: &SimDisk) -> Result<(), Refused> {
        let (floor, host) = (self.floor.clone(), self.shop.clone());
        let (tell, told) = oneshot::channel();
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        let tasks = host.tasks();
        drop(tasks.spawn(async move {
            let world = host.world().clone();
            let desk = match self.open(disk) {
                Ok((desk, handle)) => {
                    // Whoever started it hears, unless it was ended too.
                    let _ = tell.send(Ok(handle));
                    desk
                }
                Err(refused) => {
                    let _ = tell.send(Err(refused));
                    return;
                }
            };
            desk.run().await;
            world.later(Duration::ZERO, move || host.end(Ended::Drained));
        }));
        let handle = told.await.map_err(|_| Refused::Died)??;
        floor.put_desk(Some(handle));
        Ok(())
    }

    fn open(self, disk: Arc<dyn Disk>) -> Result<(Desk, DeskHandle), Refused> {
        let clock = self.clock.of_a_run();
        let entropy: Arc<dyn world::Entropy> = self.entropy.clone();
        let place = Place {
            dir: home(),
            doors: doors(&disk, &clock, &entropy),
            tasks: self.shop.tasks(),
        };
        let opened = place.open(self.journal);
        let (opened, _) = opened.map_err(|error| Refused::Because(format!("{error:#}")))?;
        let newest = self.floor.memory().newest();
        if let Some(newest) = newest {
            check_witness(&*opened.journal, newest).map_err(|error| match error {
                JournalError::Lost { .. } => Refused::Lost(error.to_string()),
                error => Refused::Because(error.to_string()),
            })?;
        }
        let outbox = Arc::new(Outbox {
            floor: self.floor,
            bank: self.bank,
        });
        let equipment = Equipment {
            clock,
            tasks: self.shop.tasks(),
            entropy,
            seen: None,
            effects: outbox.clone(),
            durability: outbox,
            seeds: Arc::new(Seedless),
            telemetry: Telemetry::new(),
        };
        Ok(Desk::new(SALE, opened, self.settings, equipment))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
