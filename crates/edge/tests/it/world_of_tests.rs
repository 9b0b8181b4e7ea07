//! A door that is open for one test.

use crate::shop::{Shop, sale_id};
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use telemetry::Telemetry;
use tidegate_edge::identity::PlainFetch;
use tidegate_edge::{Claims, Demo, Edge, Limits, Rooms, Secret, Settings, TokenSecret, mint};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use world::{Clock, OsNetwork, SeededEntropy, SystemClock, Tasks};

pub(crate) const CALLBACK_SECRET: &str = "callbacks: a secret of 32 bytes at least";

pub(crate) struct Open {
    pub(crate) public: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) shop: Arc<Shop>,
    pub(crate) telemetry: Telemetry,
    pub(crate) limits: Limits,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) running: JoinHandle<()>,
}

pub(crate) fn token_secret(id: &str) -> TokenSecret {
    TokenSecret {
        id: id.to_owned(),
        secret: Secret::new(format!("{id}: a secret of 32 bytes at the very least")),
    }
}

pub(crate) fn settings() -> Settings {
    let free = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    Settings {
        listen: free,
        admin_listen: free,
        token_secrets: vec![token_secret("old"), token_secret("new")],
        callback_secret: Some(Secret::new(CALLBACK_SECRET)),
        bench: true,
        ..Settings::default()
    }
}

/// For who comes thousands of times with what is wrong.
pub(crate) fn unlimited() -> Settings {
    Settings {
        limits: Vec::new(),
        ..settings()
    }
}

impl Open {
    pub(crate) fn start(settings: Settings) -> Self {
        let shop = Arc::new(Shop::new());
        let telemetry = Telemetry::new();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let rooms = Rooms {
            sales: Arc::clone(&shop) as _,
            orders: Arc::clone(&shop) as _,
            sending: Arc::clone(&shop) as _,
            keys: Arc::clone(&shop) as _,
            people: Arc::clone(&shop) as _,
            audits: Arc::clone(&shop) as _,
            fetch: Arc::new(PlainFetch::new(
                Arc::new(OsNetwork),
                Tasks::of_the_machine(),
            )),
            health: Arc::clone(&shop) as _,
            clock: Arc::clone(&clock),
            entropy: Arc::new(SeededEntropy::new(11)),
            tasks: Tasks::of_the_machine(),
            network: Arc::new(OsNetwork),
            telemetry: telemetry.clone(),
            demo: Some(Demo { sale: sale_id() }),
        };
        let edge = Edge::build(settings, rooms).unwrap();
        let (handle, limits) = (edge.handle(), edge.limits());
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(async move {
            let stopped = async { stopped.await.unwrap_or_default() };
            edge.run(stopped).await;
        });
        let (public, admin) = (handle.local_addr, handle.admin_addr);
        Self {
            public,
            admin,
            shop,
            telemetry,
            limits,
            clock,
            stop,
            running,
        }
    }

    pub(crate) fn token(&self, secret: &str, buyer: &str) -> String {
        let exp = self.now_s() + 60;
        mint(
            &token_secret(secret),
            &Claims {
                sub: buyer.into(),
                exp,
                nbf: None,
                tags: Arc::new([]),
            },
        )
        .unwrap()
    }

    pub(crate) fn now_s(&self) -> u64 {
        self.clock.wall_ms() / 1_000
    }
}

/// Runs a test on a runtime of two threads, as a door has at least.
pub(crate) fn run<F: Future<Output = ()>>(test: F) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(test);
}
