//! A sale on a disk in memory, with a desk: what the tests of this room share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;

use commerce::deal::Commit;
use commerce::{
    Action, Actor, Ask, Command, Effect, Limits, Place as Placing, Plan, SkuPlan, Turn, Window,
};
use ledger::{Currency, UnitPrice, Units};
use storage::journal::JournalSettings;
use telemetry::Telemetry;
use tidegate_shop::desk::{Desk, DeskHandle, Durability, Effects, Equipment, Seeds, Settings};
use tidegate_shop::open::{Opened, Place, doors};
use tokio::task::JoinHandle;
use world::faults::{FaultyDisk, MemoryDisk};
use world::{Clock, Disk, ManualClock, SeededEntropy, Tasks};

pub(crate) const NOON: u64 = 1_800_000_000_000;

/// Effects that were handed out.
#[derive(Default)]
pub(crate) struct Outbox(pub(crate) Mutex<Vec<Effect>>);

impl Effects for Outbox {
    fn offer(&self, _sale: u32, effects: &mut Vec<Effect>) {
        self.0.lock().expect("no panic holds it").append(effects);
    }

    fn found(&self, sale: u32, effects: &mut Vec<Effect>) {
        self.offer(sale, effects);
    }
}

/// What was said to be durable.
#[derive(Default)]
pub(crate) struct Durable(pub(crate) Mutex<u64>);

impl Durability for Durable {
    fn publish(&self, sequence: u64, _time_ms: u64) {
        *self.0.lock().expect("no panic holds it") = sequence;
    }
}

pub(crate) fn seed_of(nonce: &[u8; 16]) -> [u8; 32] {
    let mut seed = [7; 32];
    seed[..16].copy_from_slice(nonce);
    seed
}

/// Seeds that follow from the nonce alone.
pub(crate) struct Promised;

impl Seeds for Promised {
    fn seed(&self, _sale: u32, commit: &Commit) -> Option<[u8; 32]> {
        Some(seed_of(&commit.nonce))
    }
}

/// No seeds at all.
struct Seedless;

impl Seeds for Seedless {
    fn seed(&self, _sale: u32, _commit: &Commit) -> Option<[u8; 32]> {
        None
    }
}

/// A desk and what is around it.
pub(crate) struct Stage {
    pub(crate) disk: FaultyDisk<MemoryDisk>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) effects: Arc<Outbox>,
    pub(crate) durable: Arc<Durable>,
    pub(crate) desk: DeskHandle,
    pub(crate) running: JoinHandle<()>,
}

/// The sale's place on a disk.
pub(crate) fn place(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>) -> Place {
    Place {
        dir: PathBuf::from("/sale"),
        doors: doors(&disk, &clock, &(Arc::new(SeededEntropy::new(7)) as Arc<_>)),
        tasks: Tasks::of_the_machine(),
    }
}

pub(crate) fn opened(disk: &FaultyDisk<MemoryDisk>, clock: &Arc<ManualClock>) -> Opened {
    let small = JournalSettings {
        segment_bytes_first: 64 * 1024,
        segment_bytes_max: 64 * 1024,
    };
    place(Arc::new(disk.clone()), clock.clone())
        .open(small)
        .expect("the sale opens")
        .0
}

impl Stage {
    /// Opens the desk of whatever is on the disk.
    pub(crate) fn on(disk: FaultyDisk<MemoryDisk>, settings: Settings) -> Self {
        Self::at(NOON, disk, settings)
    }

    /// The same at another time, as after a downtime.
    pub(crate) fn at(wall_ms: u64, disk: FaultyDisk<MemoryDisk>, settings: Settings) -> Self {
        Self::with(wall_ms, disk, settings, Arc::new(Promised))
    }

    /// A desk that can open no seed.
    pub(crate) fn seedless(disk: FaultyDisk<MemoryDisk>) -> Self {
        Self::with(NOON, disk, Settings::default(), Arc::new(Seedless))
    }

    fn with(
        wall_ms: u64,
        disk: FaultyDisk<MemoryDisk>,
        settings: Settings,
        seeds: Arc<dyn Seeds>,
    ) -> Self {
        let clock = Arc::new(ManualClock::new(wall_ms));
        let (effects, durable) = (Arc::new(Outbox::default()), Arc::new(Durable::default()));
        let equipment = Equipment {
            clock: clock.clone(),
            tasks: Tasks::of_the_machine(),
            entropy: Arc::new(SeededEntropy::new(1)),
            seen: None,
            effects: effects.clone(),
            durability: durable.clone(),
            seeds,
            telemetry: Telemetry::new(),
        };
        let (desk, handle) = Desk::new(1, opened(&disk, &clock), settings, equipment);
        let running = tokio::spawn(desk.run());
        Self {
            disk,
            clock,
            effects,
            durable,
            desk: handle,
            running,
        }
    }

    /// An open sale of so many cups.
    pub(crate) async fn selling(stock: u32, settings: Settings) -> Self {
        let stage = Self::on(FaultyDisk::new(MemoryDisk::new()), settings);
        stage.run("create", create(stock)).await;
        stage.run("open", Action::Turn(Turn::Open)).await;
        stage
    }

    pub(crate) async fn run(&self, key: &str, action: Action) {
        let done = self
            .desk
            .submit(vec![command("shop", key, action)], |_, _| ())
            .await
            .expect("the desk answers");
        assert!(done.value[0].decision.is_ok(), "{:?}", done.value[0]);
    }

    /// Places an order of one cup.
    pub(crate) async fn buy(
        &self,
        buyer: &str,
        key: &str,
    ) -> Result<Bought, tidegate_shop::desk::DeskError> {
        let command = order(buyer, key);
        let done = self.desk.submit(vec![command], |_, done| done).await?;
        let (position, mut value) = (done.position, done.value);
        Ok(Bought {
            done: value.pop().expect("one answer for one command"),
            sequence: position.sequence,
        })
    }

    /// How many cups are available.
    pub(crate) async fn available(&self) -> u32 {
        let look = |book: &commerce::Book| {
            book.find_sku("cup")
                .map_or(0, |sku| sku.units().available().0)
        };
        self.desk.ask(look).await.expect("reads go on").value
    }

    /// Closes the desk and waits for it.
    pub(crate) async fn close(self) -> FaultyDisk<MemoryDisk> {
        self.desk.close();
        self.running.await.expect("the desk ends");
        self.disk
    }
}

/// What placing an order came to.
#[derive(Debug)]
pub(crate) struct Bought {
    pub(crate) done: tidegate_shop::desk::Done<commerce::Done>,
    pub(crate) sequence: u64,
}

pub(crate) fn create(stock: u32) -> Action {
    let cup = SkuPlan {
        sku: "cup".into(),
        title: "Cup".into(),
        price: UnitPrice(125_000),
        limits: Limits::default(),
        stock: Units(stock),
    };
    let plan = Plan {
        title: "Cups".into(),
        currency: Currency::new("EUR").expect("known"),
        hold_ms: 10_000,
        window: Window::default(),
        limits: Limits::default(),
        rules: Vec::new(),
        skus: vec![cup],
    };
    Action::Create {
        secret: [7; 16],
        plan: Box::new(plan),
    }
}

pub(crate) fn command(account: &str, key: &str, action: Action) -> Command {
    Command {
        actor: Actor::Merchant(account.into()),
        key: Some(key.into()),
        action,
    }
}

pub(crate) fn order(buyer: &str, key: &str) -> Command {
    let lines = vec![Ask {
        sku: "cup".into(),
        units: 1,
        price: None,
    }];
    let place = Placing {
        buyer: Some(buyer.into()),
        tags: Arc::from([]),
        lines,
        paid: None,
        deal: None,
    };
    Command {
        actor: Actor::Buyer(buyer.into()),
        key: Some(key.into()),
        action: Action::Place(place),
    }
}
