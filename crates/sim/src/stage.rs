//! The stage: a shop on a machine with a disk, a payment provider on another, and a network between them and everybody
//! else. All of it is the real code behind the doors of `world`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use api::Scopes;
use edge::{Edge, Rooms, Secret, TokenSecret};
use shop::provider::callback::HttpCallbacks;
use shop::provider::{HttpProvider, Line, Provider, Sandbox, sandbox, signature};
use shop::service::scope_bits;
use shop::{Handle, Parts, Shop};
use storage::DataDir;
use telemetry::Telemetry;
use tokio::sync::{oneshot, watch};
use world::{Disk, Network, SeededEntropy};

use crate::clock::HostClock;
use crate::disk::SimDisk;
use crate::network::Net;
use crate::plan::LifePlan;
use crate::scheduler::{Host, World};
use crate::witness::{Messenger, Witness};

/// The merchant of every simulated sale.
pub const ACCOUNT: &str = "sim";
/// Where the shop is found.
pub const SHOP: (&str, u16) = ("shop", 8080);
/// Where operators look.
pub const ADMIN_PORT: u16 = 8081;
const BANK: (&str, u16) = ("bank", 9000);
const CALLBACK_SECRET: &str = "callbacks of the simulated bank: 32 bytes at least";
const TOKEN_SECRET: &str = "tokens of the simulated buyers: 32 bytes at least";
/// How long the bank waits for the answer to a callback.
const CALLBACK_PATIENCE: Duration = Duration::from_secs(5);

/// The stage of one life.
pub struct Stage {
    /// The world.
    pub world: World,
    /// The network.
    pub net: Net,
    /// The shop's machine.
    pub shop: Host,
    /// The provider's machine.
    pub bank: Host,
    /// Where clients are.
    pub street: Host,
    /// The shop's disk, that of the run of now.
    disk: Mutex<SimDisk>,
    /// The shop's clock.
    pub clock: HostClock,
    /// The provider.
    pub sandbox: Sandbox,
    settings: shop::Settings,
    edge: edge::Settings,
    entropy: Arc<SeededEntropy>,
    merchant_key: Mutex<Option<String>>,
    stop: Mutex<Option<watch::Sender<bool>>>,
    scratch: Scratch,
    /// Who takes down what is seen.
    pub witness: Witness,
    /// The provider's way to bring callbacks.
    pub messenger: Arc<Messenger<HttpCallbacks>>,
}

/// A directory of the real machine, for the read models, which SQLite keeps outside the simulated disk.
struct Scratch(PathBuf);

impl Scratch {
    /// Made where memory is, if the machine has such a place.
    fn make(seed: u64) -> std::io::Result<Self> {
        let memory = Path::new("/dev/shm");
        let above = match memory.is_dir() {
            true => memory.to_owned(),
            false => std::env::temp_dir(),
        };
        static MADE: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let nth = MADE.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = above.join(format!("tidegate-sim-{}-{seed}-{nth}", std::process::id()));
        std::fs::create_dir_all(path.join("data"))?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays is in memory, or in a directory for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server that opened.
pub struct Opened {
    /// What can be asked of the shop without a network; for judges and operators only.
    pub handle: Arc<Handle>,
}

impl Stage {
    /// Sets it up; nothing runs but the bank.
    ///
    /// # Errors
    /// The real machine gives no directory, or a setting of the plan cannot be.
    pub fn set(world: &World, plan: &LifePlan) -> anyhow::Result<Self> {
        let net = Net::new(world, plan.seed);
        let (shop, bank, street) = (world.host(), world.host(), world.host());
        net.name(&shop, SHOP.0);
        net.name(&bank, BANK.0);
        net.usual(plan.way);
        let disk = SimDisk::with_plan(plan.seed, plan.disk.clone());
        let clock = HostClock::new(world);
        let bank_clock = HostClock::new(world);
        bank_clock.step(plan.bank_clock_ms);
        let tasks = bank.tasks();
        let sandbox = Sandbox::new(plan.bank.clone(), bank_clock.of_a_run(), tasks.clone());
        let line = Line {
            network: net.of(&bank),
            tasks: tasks.clone(),
        };
        let secret = signature::Secret::new(CALLBACK_SECRET.as_bytes());
        let callbacks = HttpCallbacks::new(
            &format!(
                "http://{}:{}/v1/providers/sandbox/callbacks",
                SHOP.0, SHOP.1
            ),
            secret.ok_or_else(|| anyhow::anyhow!("the secret is too short"))?,
            bank_clock.of_a_run(),
            &line,
            CALLBACK_PATIENCE,
        )?;
        let witness = Witness::default();
        let messenger = Arc::new(Messenger {
            sink: callbacks,
            world: world.clone(),
            witness: witness.clone(),
        });
        sandbox.callbacks_to(messenger.clone());
        let listener = line.network.listen(address(BANK.1))?;
        // The bank never stops: its sender lives as long as the future that holds it.
        let (open, closed) = watch::channel(false);
        let serving = sandbox::serve(listener, sandbox.clone(), closed);
        drop(tasks.spawn(async move {
            let _open = open;
            let _ended = serving.await;
        }));
        Ok(Self {
            world: world.clone(),
            net,
            shop,
            bank,
            street,
            disk: Mutex::new(disk),
            clock,
            sandbox,
            settings: plan.shop.clone(),
            edge: edge_settings(),
            entropy: Arc::new(SeededEntropy::new(plan.seed ^ 0x5eed)),
            merchant_key: Mutex::default(),
            stop: Mutex::default(),
            scratch: Scratch::make(plan.seed)?,
            witness,
            messenger,
        })
    }

    /// The shop's disk of now.
    #[must_use]
    pub fn disk(&self) -> SimDisk {
        lock(&self.disk).clone()
    }

    /// Another disk takes its place: what a crash left of it.
    pub fn replace_disk(&self, disk: SimDisk) {
        *lock(&self.disk) = disk;
    }

    /// The data directory, on the simulated disk; the same path on the real machine has the read models alone.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.scratch.0.join("data")
    }

    /// The file of the read models, on the real machine.
    #[must_use]
    pub fn models(&self) -> PathBuf {
        self.data().join("models.sqlite")
    }

    /// Throws the read models away.
    pub fn forget_models(&self) {
        self.witness.models_forgotten();
        let models = self.models();
        for end in ["", "-wal", "-shm"] {
            let mut name = models.clone().into_os_string();
            name.push(end);
            // One that is not there is gone already.
            let _ = std::fs::remove_file(name);
        }
    }

    /// The merchant's API key, once a server has opened.
    #[must_use]
    pub fn merchant_key(&self) -> Option<String> {
        lock(&self.merchant_key).clone()
    }

    /// A buyer's token.
    #[must_use]
    pub fn token(&self, buyer: &str) -> String {
        let claims = edge::Claims {
            sub: buyer.into(),
            // Clocks of the simulation are off by hours at most.
            exp: crate::clock::DAWN_MS / 1_000 + 400 * 24 * 3_600,
            nbf: None,
            tags: Arc::new([]),
        };
        // Claims are plain text; were they not, the server would refuse the empty token.
        edge::mint(&token_secret(), &claims).unwrap_or_default()
    }

    /// Starts a server on the shop's machine and waits until it has opened, refused, or died.
    ///
    /// # Errors
    /// Why it refused, in the words an operator would read; nothing in it when the process ended meanwhile.
    pub async fn open(&self) -> Result<Opened, Option<String>> {
        self.shop.start();
        self.shop.mount(Some(self.disk()));
        let (tell, told) = oneshot::channel();
        let (stop, stopping) = watch::channel(false);
        *lock(&self.stop) = Some(stop);
        let server = Server {
            disk: Arc::new(self.disk()),
            data: self.data(),
            settings: self.settings.clone(),
            edge: self.edge.clone(),
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            host: self.shop.clone(),
            network: self.net.of(&self.shop),
            wants_key: self.merchant_key().is_none(),
            witness: self.witness.clone(),
        };
        drop(self.shop.tasks().spawn(server.run(tell, stopping)));
        let (handle, key) = told.await.map_err(|_| None)?.map_err(Some)?;
        if let Some(key) = key {
            *lock(&self.merchant_key) = Some(key);
        }
        Ok(Opened { handle })
    }

    /// Asks the server to drain and end.
    pub fn ask_to_stop(&self) {
        if let Some(stop) = &*lock(&self.stop) {
            stop.send_replace(true);
        }
    }
}

/// A server in the making: what `tidegate serve` does, on the doors of the simulation.
struct Server {
    disk: Arc<dyn Disk>,
    data: PathBuf,
    settings: shop::Settings,
    edge: edge::Settings,
    clock: HostClock,
    entropy: Arc<SeededEntropy>,
    host: Host,
    network: Arc<dyn Network>,
    wants_key: bool,
    witness: Witness,
}

type Told = Result<(Arc<Handle>, Option<String>), String>;

impl Server {
    async fn run(self, tell: oneshot::Sender<Told>, mut stopping: watch::Receiver<bool>) {
        let host = self.host.clone();
        let (shop, edge, key) = match self.open().await {
            Ok(opened) => opened,
            Err(error) => {
                let _ = tell.send(Err(format!("{error:#}")));
                return;
            }
        };
        let _ = tell.send(Ok((shop.handle(), key)));
        edge.run(async move {
            // A sender that is gone means the same as its message.
            let _ = stopping.wait_for(|stop| *stop).await;
        })
        .await;
        shop.stop().await;
        // The process ends once everything has drained.
        host.world().later(Duration::ZERO, {
            let host = host.clone();
            move || host.end(crate::record::Ended::Drained)
        });
    }

    async fn open(self) -> anyhow::Result<(Shop, Edge, Option<String>)> {
        let (clock, tasks) = (self.clock.of_a_run(), self.host.tasks());
        let telemetry = Telemetry::new();
        let line = Line {
            network: self.network.clone(),
            tasks: tasks.clone(),
        };
        let patience = Duration::from_millis(self.settings.cashier.call_timeout_ms);
        let bank = HttpProvider::new(&format!("http://{}:{}", BANK.0, BANK.1), &line, patience)?;
        let parts = Parts {
            data: Arc::new(DataDir::open(&self.disk, &self.data, 1)?),
            disk: self.disk,
            clock: clock.clone(),
            entropy: self.entropy.clone(),
            tasks: tasks.clone(),
            telemetry: telemetry.clone(),
            provider: Arc::new(bank),
            network: self.network.clone(),
        };
        let shop = Shop::open(self.settings, parts).await?;
        let found = shop.recovered();
        let sales = found.sales.iter().map(|(sale, found)| (*sale, found));
        for (sale, findings) in sales.chain([(0, &found.house)]) {
            self.witness.opened(self.host.world().now(), sale, findings);
        }
        let handle = shop.handle();
        let mut key = None;
        if self.wants_key {
            let house = handle.registry().house();
            let (_, secret) = house
                .make_key("sim", ACCOUNT, scope_bits(Scopes::ALL), None)
                .await?;
            key = secret.map(|secret| secret.text());
        }
        let rooms = Rooms {
            sales: handle.clone(),
            orders: handle.clone(),
            sending: handle.clone(),
            keys: handle.clone(),
            people: handle.clone(),
            audits: handle.clone(),
            fetch: Arc::new(edge::identity::PlainFetch::new(
                Arc::clone(&self.network),
                tasks.clone(),
            )),
            health: handle,
            clock,
            entropy: self.entropy,
            tasks,
            network: self.network,
            telemetry,
            demo: None,
        };
        Ok((shop, Edge::build(self.edge, rooms)?, key))
    }
}

fn token_secret() -> TokenSecret {
    TokenSecret {
        id: "sim".to_owned(),
        secret: Secret::new(TOKEN_SECRET),
    }
}

fn edge_settings() -> edge::Settings {
    edge::Settings {
        listen: address(SHOP.1),
        admin_listen: address(ADMIN_PORT),
        token_secrets: vec![token_secret()],
        callback_secret: Some(Secret::new(CALLBACK_SECRET)),
        ..edge::Settings::default()
    }
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
