//! What the benches of this room stand on: a whole shop with one open sale of cups.

use std::path::Path;
use std::sync::Arc;

use commerce::{Action, Actor, Ask, Command, Limits, Place, Plan, SkuPlan, Turn, Window};
use ledger::{Currency, UnitPrice, Units};
use storage::DataDir;
use telemetry::Telemetry;
use tidegate_shop::desk::DeskHandle;
use tidegate_shop::provider::sandbox::{self, Sandbox};
use tidegate_shop::{Parts, Settings, Shop};
use world::{Clock, Disk, OsDisk, SystemClock, SystemEntropy, Tasks};

/// A shop on a fresh directory, with one open sale: desk, journal, projector, everything but the door.
pub(crate) async fn fresh(dir: &Path) -> (Shop, DeskHandle) {
    let _ = std::fs::remove_dir_all(dir);
    let shop = open(dir).await;
    let registry = Arc::clone(shop.handle().registry());
    let sale = registry.house().register("shop", "bench").await.unwrap();
    let desk = registry.desk(sale).await.unwrap();
    let cup = SkuPlan {
        sku: "cup".into(),
        title: "Cup".into(),
        price: UnitPrice(125_000),
        limits: Limits::default(),
        stock: Units(u32::MAX),
    };
    let plan = Plan {
        title: "bench".into(),
        currency: Currency::new("EUR").unwrap(),
        hold_ms: 900_000,
        window: Window::default(),
        limits: Limits {
            per_order: Some(Units(10)),
            per_buyer: Some(Units(10)),
        },
        rules: Vec::new(),
        skus: vec![cup],
    };
    let merchant = |key: &str, action| Command {
        actor: Actor::Merchant("shop".into()),
        key: Some(key.into()),
        action,
    };
    let create = Action::Create {
        secret: [7; 16],
        plan: Box::new(plan),
    };
    let commands = vec![
        merchant("create", create),
        merchant("open", Action::Turn(Turn::Open)),
    ];
    desk.submit(commands, |_, _| ()).await.unwrap();
    (shop, desk)
}

/// The nth order: one cup for a buyer of its own.
pub(crate) fn order(n: u64) -> Command {
    let buyer: Arc<str> = format!("buyer-{n}").into();
    let lines = vec![Ask {
        sku: "cup".into(),
        units: 1,
        price: None,
    }];
    let place = Place {
        buyer: Some(buyer.clone()),
        tags: Arc::from([]),
        lines,
        paid: None,
        deal: None,
    };
    Command {
        actor: Actor::Buyer(buyer),
        key: Some("k".into()),
        action: Action::Place(place),
    }
}

/// Opens the shop of a directory.
pub(crate) async fn open(dir: &Path) -> Shop {
    let (disk, clock): (Arc<dyn Disk>, Arc<dyn Clock>) =
        (Arc::new(OsDisk), Arc::new(SystemClock::new()));
    let parts = Parts {
        data: Arc::new(DataDir::open(&disk, dir, std::process::id()).unwrap()),
        provider: Arc::new(Sandbox::new(
            sandbox::Settings::default(),
            Arc::clone(&clock),
            Tasks::of_the_machine(),
        )),
        disk,
        clock,
        entropy: Arc::new(SystemEntropy),
        tasks: Tasks::of_the_machine(),
        telemetry: Telemetry::new(),
        network: Arc::new(world::network::OsNetwork),
    };
    Shop::open(Settings::default(), parts).await.unwrap()
}
