//! A whole shop: opened, running, stopped.

use std::sync::Arc;
use std::time::Duration;

use storage::journal::Doors;
use storage::{DataDir, StorageError, replace_file};
use telemetry::Telemetry;
use tokio::sync::watch;
use world::disk::Access;
use world::tasks::Task;
use world::{Clock, Disk, Entropy, Network, Tasks};

use crate::cashier::{Cashier, CashierHandle};
use crate::clock::LastSeen;
use crate::delivery::{Delivery, TableError};
use crate::house::House;
use crate::notices::{NoticesHandle, TemplateError};
use crate::open::{Findings, OpenError, Place, doors};
use crate::outside::{Outside, Parts as OutsideParts};
use crate::people::{Keeper, PeopleError};
use crate::projector::{Projector, ProjectorError, ProjectorHandle};
use crate::provider::client::UrlError;
use crate::provider::{Line, Provider};
use crate::reconcile::Reconciler;
use crate::registry::{Parts as RegistryParts, Registry};
use crate::risk::Guard;
use crate::service::Handle;
use crate::settings::Settings;
use crate::wire;

/// How often it is noted that this process is alive.
const SEEN_EVERY: Duration = Duration::from_secs(10);
/// How long the desks may take to finish what waits.
const DRAIN: Duration = Duration::from_secs(20);
/// The clock file is one short line.
const CLOCK_BYTES_MAX: usize = 256;

/// What a shop is built from.
pub struct Parts {
    /// The data directory, locked by this process.
    pub data: Arc<DataDir>,
    /// Where the files are.
    pub disk: Arc<dyn Disk>,
    /// The world's time.
    pub clock: Arc<dyn Clock>,
    /// The world's randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Who carries what runs beside, waits or blocks.
    pub tasks: Tasks,
    /// Who hears what happens.
    pub telemetry: Telemetry,
    /// The payment provider.
    pub provider: Arc<dyn Provider>,
    /// The way to participants of sagas and to channels of notices.
    pub network: Arc<dyn Network>,
}

/// Why a shop did not open.
#[derive(Debug, thiserror::Error)]
pub enum ShopError {
    /// The house journal cannot be opened.
    #[error("the house journal: {0}")]
    House(#[source] OpenError),
    /// A sale cannot be opened.
    #[error("{sale}: {source}")]
    Sale {
        /// Which.
        sale: api::SaleId,
        /// Why.
        source: OpenError,
    },
    /// The read models cannot be opened.
    #[error(transparent)]
    Projector(#[from] ProjectorError),
    /// A participant of sagas, a carrier or a channel of notices cannot be called.
    #[error(transparent)]
    Participant(#[from] UrlError),
    /// A template of the notices cannot be used.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The table of carriers' codes cannot be used.
    #[error(transparent)]
    Carriers(#[from] TableError),
    /// The data directory cannot be used.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The vault cannot be opened.
    #[error(transparent)]
    People(#[from] PeopleError),
}

/// What was found at start.
#[derive(Debug, Clone, Default)]
pub struct Recovered {
    /// Sales that were opened, with what was found.
    pub sales: Vec<(u32, Findings)>,
    /// What was found in the house journal.
    pub house: Findings,
    /// How long it took.
    pub took: Duration,
}

/// A running shop.
pub struct Shop {
    handle: Arc<Handle>,
    registry: Arc<Registry>,
    projector: ProjectorHandle,
    stop: watch::Sender<bool>,
    running: Vec<Task<()>>,
    recovered: Recovered,
}

fn sale_failed((sale, source): (u32, OpenError)) -> ShopError {
    ShopError::Sale {
        sale: wire::sale_id(sale),
        source,
    }
}

/// What happens outside once an order is paid: nothing of it runs yet.
fn prepare_outside(
    settings: &Settings,
    parts: &Parts,
    people: &Keeper,
) -> Result<Outside, ShopError> {
    Outside::prepare(OutsideParts {
        settings,
        data: &parts.data,
        disk: &parts.disk,
        clock: &parts.clock,
        line: Line {
            network: parts.network.clone(),
            tasks: parts.tasks.clone(),
        },
        telemetry: &parts.telemetry,
        people: people.clone(),
    })
}

/// Starts what talks to the payment provider and what holds it against the books.
fn settle_money(
    tasks: &Tasks,
    registry: &Arc<Registry>,
    cashier: Cashier,
    stopping: &watch::Receiver<bool>,
) -> [Task<()>; 2] {
    let desks: Arc<Registry> = registry.clone();
    let reconciler = Reconciler::new(registry.to_reconcile());
    [
        tasks.spawn(reconciler.run(stopping.clone())),
        tasks.spawn(cashier.run(desks, stopping.clone())),
    ]
}

/// A shop put together of which nothing runs yet.
struct Prepared {
    registry: Arc<Registry>,
    projector: ProjectorHandle,
    outside: Outside,
    cashier: Cashier,
    people: Keeper,
    house: Findings,
}

/// Opens the house, the vault and the read models. The desks' way to the cashier is there; whoever drops the cashier
/// has a shop whose effects stay where they are: open, in the books.
fn prepare(settings: &Settings, parts: &Parts) -> Result<Prepared, ShopError> {
    let doors = doors(&parts.disk, &parts.clock, &parts.entropy);
    let (house, findings, people) = open_house(settings, parts, &doors)?;
    let projector = Projector::start(
        &settings.projector,
        &parts.data,
        &parts.tasks,
        &parts.telemetry,
    )?;
    let outside = prepare_outside(settings, parts, &people)?;
    let (cashier, effects) = cashier_of(settings, parts);
    let registry = Arc::new(Registry::new(RegistryParts {
        settings: settings.clone(),
        data: parts.data.clone(),
        doors,
        tasks: parts.tasks.clone(),
        telemetry: parts.telemetry.clone(),
        house,
        cashier: effects,
        projector: projector.clone(),
        seen: last_seen(&*parts.disk, &parts.data),
        wakes: outside.wakes.clone(),
        notices: outside.letters.clone(),
    }));
    Ok(Prepared {
        registry,
        projector,
        outside,
        cashier,
        people,
        house: findings,
    })
}

impl Shop {
    /// Opens the house and every sale that is not retired, and starts what runs beside the desks.
    ///
    /// # Errors
    /// [`ShopError`]; a damaged journal stops the start, with the place and the way to go on.
    pub async fn open(settings: Settings, parts: Parts) -> Result<Self, ShopError> {
        let begun = parts.clock.monotonic();
        let Prepared {
            registry,
            projector,
            outside,
            cashier,
            people,
            house,
        } = prepare(&settings, &parts)?;
        let letters = outside.letters.clone();
        let sales = registry.open_all().await.map_err(sale_failed)?;
        registry.retire_again().await;
        let (stop, stopping) = watch::channel(false);
        let alive = note_alive(
            parts.disk.clone(),
            parts.clock.clone(),
            parts.tasks.clone(),
            parts.data.clone(),
            stopping.clone(),
        );
        let (mut running, delivery) = outside.start(&registry, &stopping)?;
        running.push(parts.tasks.spawn(alive));
        running.extend(settle_money(&parts.tasks, &registry, cashier, &stopping));
        let recovered = Recovered {
            sales,
            house,
            took: parts.clock.monotonic().saturating_sub(begun),
        };
        let sending = (delivery, letters);
        let handle = handle(&settings, parts, (&registry, &projector), people, sending);
        Ok(Self {
            handle,
            registry,
            projector,
            stop,
            running,
            recovered,
        })
    }

    /// Opens a shop at rest, for commands in the directory of a server that is stopped: the house, the vault and the
    /// read models, and of the sales those that are asked for, when they are.
    ///
    /// What a server left open in them stays open: there is no cashier and no reconciler, no saga goes on, no carrier
    /// and no buyer hears of anything. A sale that nobody asks for has no desk, so nothing is written to its journal.
    ///
    /// # Errors
    /// [`ShopError`], but for what is wrong with a sale.
    pub fn at_rest(settings: &Settings, parts: Parts) -> Result<Self, ShopError> {
        let begun = parts.clock.monotonic();
        let prepared = prepare(settings, &parts)?;
        let (registry, projector) = (prepared.registry, prepared.projector);
        let sending = (
            prepared.outside.rest(&registry)?,
            prepared.outside.letters.clone(),
        );
        let recovered = Recovered {
            sales: Vec::new(),
            house: prepared.house,
            took: parts.clock.monotonic().saturating_sub(begun),
        };
        let rooms = (&registry, &projector);
        Ok(Self {
            handle: handle(settings, parts, rooms, prepared.people, sending),
            registry,
            projector,
            stop: watch::Sender::new(false),
            running: Vec::new(),
            recovered,
        })
    }

    /// The way in: the traits of `api`.
    pub fn handle(&self) -> Arc<Handle> {
        self.handle.clone()
    }

    /// What was found at start.
    pub fn recovered(&self) -> &Recovered {
        &self.recovered
    }

    /// Drains: the desks finish what waits and write snapshots, calls in flight end, the read models catch up.
    pub async fn stop(self) {
        // The cashier first: its last reports still find their desks.
        self.stop.send_replace(true);
        for task in self.running {
            // A task that panicked has said so in the log; what it held is journalled.
            let _ = task.await;
        }
        self.registry.close(DRAIN).await;
        self.projector.stop().await;
    }
}

/// Opens the house, and the vault whose erasures stand in it.
fn open_house(
    settings: &Settings,
    parts: &Parts,
    doors: &Doors,
) -> Result<(House, Findings, Keeper), ShopError> {
    let place = Place {
        dir: parts.data.house(),
        doors: doors.clone(),
        tasks: parts.tasks.clone(),
    };
    let (house, findings) = House::open(place).map_err(ShopError::House)?;
    let house = house.with_draws(&settings.draws);
    let people = Keeper::open(
        &settings.vault,
        &parts.data.vault(),
        &house,
        &parts.clock,
        &parts.entropy,
        &parts.tasks,
    )?;
    Ok((house, findings, people))
}

fn handle(
    settings: &Settings,
    parts: Parts,
    (registry, projector): (&Arc<Registry>, &ProjectorHandle),
    people: Keeper,
    sending: (Delivery, NoticesHandle),
) -> Arc<Handle> {
    let risk = Guard::new(parts.clock, parts.telemetry);
    Arc::new(Handle::new(
        registry,
        projector,
        (people, parts.provider),
        parts.tasks,
        settings.sales.watchers_max,
        risk,
        sending,
    ))
}

fn cashier_of(settings: &Settings, parts: &Parts) -> (Cashier, CashierHandle) {
    Cashier::new(
        settings.cashier.clone(),
        parts.provider.clone(),
        parts.clock.clone(),
        parts.entropy.clone(),
        parts.tasks.clone(),
        parts.telemetry.clone(),
    )
}

fn last_seen(disk: &dyn Disk, data: &DataDir) -> Option<LastSeen> {
    let file = disk.open(&data.clock(), Access::Read).ok()?;
    let length = usize::try_from(file.len().ok()?)
        .ok()
        .filter(|&length| length <= CLOCK_BYTES_MAX)?;
    let mut bytes = vec![0; length];
    let read = file.read_at(0, &mut bytes).ok()?;
    LastSeen::from_text(std::str::from_utf8(&bytes[..read]).ok()?)
}

/// Notes now and then what all clocks say, so that the next start can tell downtime from a stepped clock.
async fn note_alive(
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    data: Arc<DataDir>,
    mut stopping: watch::Receiver<bool>,
) {
    loop {
        let (disk, path) = (disk.clone(), data.clock());
        let seen = clock.boot().map(|boot| LastSeen {
            wall_ms: clock.wall_ms(),
            boot,
        });
        if let Some(seen) = seen {
            // Without the note the next start believes the wall clock, as it would on a new machine.
            let write = move || replace_file(&*disk, &path, &[seen.to_text().as_bytes()]);
            let _ = tasks.blocking(write).await;
        }
        let stopped = stopping.wait_for(|stop| *stop);
        if tasks.timeout(SEEN_EVERY, stopped).await.is_some() {
            return;
        }
    }
}
