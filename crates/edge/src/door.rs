//! What every request needs: the rooms behind the door, and the door's own tools.

use crate::device::Devices;
use crate::identity::{Fetch, Identity};
use crate::ids::Ids;
use crate::limits::Limits;
use crate::routes;
use crate::settings::Settings;
use crate::token::Tokens;
use api::SaleId;
use api::service::{Audits, Health, Keys, Orders, People, Sales, Sending};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use telemetry::Telemetry;
use tokio::sync::{Semaphore, watch};
use world::{Clock, Entropy, Network, Tasks};

/// The rooms that the door leads to.
#[derive(Clone)]
pub struct Rooms {
    /// Sales and stock.
    pub sales: Arc<dyn Sales>,
    /// Orders and money.
    pub orders: Arc<dyn Orders>,
    /// What happens outside once an order is paid.
    pub sending: Arc<dyn Sending>,
    /// API keys.
    pub keys: Arc<dyn Keys>,
    /// Personal data.
    pub people: Arc<dyn People>,
    /// The record of administrative acts.
    pub audits: Arc<dyn Audits>,
    /// Gets the published keys of outside issuers.
    pub fetch: Arc<dyn Fetch>,
    /// Whether traffic should come.
    pub health: Arc<dyn Health>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for trace ids and the cache of tokens.
    pub entropy: Arc<dyn Entropy>,
    /// Who carries connections and waits.
    pub tasks: Tasks,
    /// The way to others.
    pub network: Arc<dyn Network>,
    /// Where facts are told.
    pub telemetry: Telemetry,
    /// The demo page, when there is one.
    pub demo: Option<Demo>,
}

impl fmt::Debug for Rooms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rooms")
            .field("demo", &self.demo)
            .finish_non_exhaustive()
    }
}

/// The demo: one page at `/` about one sale. Only for listening on loopback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demo {
    /// The sale that the page shows.
    pub sale: SaleId,
}

/// What every request needs.
pub(crate) struct Door {
    pub(crate) settings: Arc<Settings>,
    pub(crate) rooms: Rooms,
    pub(crate) ids: Arc<Ids>,
    pub(crate) limits: Limits,
    pub(crate) tokens: Tokens,
    pub(crate) identity: Identity,
    pub(crate) devices: Devices,
    pub(crate) live_streams: Arc<Semaphore>,
    /// True once the server stops: streams end, and no more traffic should come.
    pub(crate) closing: watch::Sender<bool>,
    /// A crowd of the demo is running.
    pub(crate) crowd: AtomicBool,
}

impl Door {
    pub(crate) fn new(settings: Arc<Settings>, rooms: Rooms) -> Self {
        let ids = Arc::new(Ids::new(settings.node, &*rooms.entropy));
        let limits = Limits::new(
            &settings.limits,
            routes::names(&settings),
            rooms.telemetry.clone(),
            &*rooms.entropy,
        );
        let tokens = Tokens::new(&settings.token_secrets, &*rooms.entropy);
        let identity = Identity::new(
            &settings.identity,
            Arc::clone(&rooms.fetch),
            Arc::clone(&rooms.clock),
            rooms.tasks.clone(),
            &*rooms.entropy,
        );
        let devices = Devices::new(&settings.device, &*rooms.entropy);
        let live_streams = Arc::new(Semaphore::new(settings.live_streams_max));
        Self {
            settings,
            rooms,
            ids,
            limits,
            tokens,
            identity,
            devices,
            live_streams,
            closing: watch::Sender::new(false),
            crowd: AtomicBool::new(false),
        }
    }
}
