//! One server put together: storage, shop and front door, and the order in which they begin and end.

use crate::failure::Failure;
use crate::outside::{Outside, storage_failure};
use crate::rules;
use crate::settings::Settings;
use api::service::{Call, Caller};
use api::{Code, KeyId, RequestId, SaleId, Scopes};
use edge::identity::Fetch;
use edge::{Demo, Edge, EdgeError, Rooms};
use shop::open::{Findings, OpenError};
use shop::{Handle, Parts, Shop, ShopError};
use std::sync::Arc;
use storage::DataDir;
use telemetry::fact::Recovered;
use tokio::sync::oneshot;
use world::journal::JournalError;
use world::tasks::Task;

/// A shop that is open behind its journal, without a door yet.
pub(crate) struct Backroom {
    shop: Shop,
}

impl Backroom {
    /// Takes the data directory, recovers every sale in it and goes on with what is open in them: for servers only.
    ///
    /// # Errors
    /// `TG-4001` to `TG-4007`.
    pub(crate) async fn open(settings: &Settings, outside: &Outside) -> anyhow::Result<Self> {
        let policy = rules::policy(&settings.risk)?;
        let parts = parts(settings, outside, outside.open(&settings.data)?)?;
        let opened = Shop::open(settings.shop.clone(), parts).await;
        let shop = opened.map_err(|error| shop_failure(&error))?;
        shop.handle().risk().swap(policy);
        outside.telemetry.tell(&recovered(shop.recovered()));
        Ok(Self { shop })
    }

    /// Takes the data directory of a server that is stopped, for a command that was asked for something else than to
    /// go on with what is open there: nobody outside is called, and no sale goes on by itself.
    ///
    /// # Errors
    /// `TG-4001` to `TG-4007`.
    pub(crate) fn at_rest(settings: &Settings, outside: &Outside) -> anyhow::Result<Self> {
        Self::rest(settings, outside, outside.open(&settings.data)?)
    }

    /// The same, with whole lists of one sale, whatever its last server had not got to.
    ///
    /// # Errors
    /// `TG-4001` to `TG-4007`, and what keeps the sale's journal from being read.
    pub(crate) fn at_rest_with_lists(
        settings: &Settings,
        outside: &Outside,
        sale: SaleId,
    ) -> anyhow::Result<Self> {
        let data = outside.open(&settings.data)?;
        let projector = &settings.shop.projector;
        shop::projector::catch_up(&outside.disk, &data, projector, sale.get())
            .map_err(|error| shop_failure(&error.into()))?;
        Self::rest(settings, outside, data)
    }

    fn rest(settings: &Settings, outside: &Outside, data: Arc<DataDir>) -> anyhow::Result<Self> {
        let policy = rules::policy(&settings.risk)?;
        let parts = parts(settings, outside, data)?;
        let opened = Shop::at_rest(&settings.shop, parts);
        let shop = opened.map_err(|error| shop_failure(&error))?;
        shop.handle().risk().swap(policy);
        Ok(Self { shop })
    }

    /// What can be asked of the shop.
    pub(crate) fn handle(&self) -> Arc<Handle> {
        self.shop.handle()
    }

    /// Opens the door.
    ///
    /// # Errors
    /// An address cannot be listened on.
    pub(crate) async fn listen(
        self,
        settings: &Settings,
        outside: &Outside,
        demo: Option<Demo>,
    ) -> anyhow::Result<Server> {
        let fetch = match outside.fetch() {
            Ok(fetch) => fetch,
            Err(error) => {
                self.shop.stop().await;
                return Err(error.into());
            }
        };
        match Edge::build(settings.edge.clone(), self.rooms(outside, fetch, demo)) {
            Ok(edge) => {
                let (place, limits) = (edge.handle(), edge.limits());
                let (close, closed) = oneshot::channel::<()>();
                let door = outside.tasks.spawn(edge.run(async {
                    // A sender that is gone means the same as its message.
                    let _ = closed.await;
                }));
                Ok(Server {
                    shop: self.shop,
                    door,
                    close,
                    place,
                    limits,
                })
            }
            Err(error) => {
                self.shop.stop().await;
                Err(edge_failure(&error).into())
            }
        }
    }

    fn rooms(&self, outside: &Outside, fetch: Arc<dyn Fetch>, demo: Option<Demo>) -> Rooms {
        let handle = self.handle();
        Rooms {
            sales: handle.clone(),
            orders: handle.clone(),
            sending: handle.clone(),
            keys: handle.clone(),
            people: handle.clone(),
            audits: handle.clone(),
            fetch,
            health: handle,
            clock: Arc::clone(&outside.clock),
            entropy: Arc::clone(&outside.entropy),
            tasks: outside.tasks.clone(),
            network: Arc::clone(&outside.network),
            telemetry: outside.telemetry.clone(),
            demo,
        }
    }

    /// Ends without ever having listened.
    pub(crate) async fn stop(self) {
        self.shop.stop().await;
    }
}

fn parts(settings: &Settings, outside: &Outside, data: Arc<DataDir>) -> anyhow::Result<Parts> {
    Ok(Parts {
        data,
        disk: Arc::clone(&outside.disk),
        clock: Arc::clone(&outside.clock),
        entropy: Arc::clone(&outside.entropy),
        tasks: outside.tasks.clone(),
        telemetry: outside.telemetry.clone(),
        provider: settings
            .provider
            .build(settings.shop.cashier.call_timeout_ms, outside)?,
        network: Arc::clone(&outside.network),
    })
}

/// A server that listens.
pub(crate) struct Server {
    shop: Shop,
    door: Task<()>,
    close: oneshot::Sender<()>,
    /// Where its doors are.
    pub(crate) place: edge::Handle,
    /// How often one may come there.
    pub(crate) limits: edge::Limits,
}

impl Server {
    /// What can be asked of the shop.
    pub(crate) fn handle(&self) -> Arc<Handle> {
        self.shop.handle()
    }

    /// Drains: the door takes nothing new and answers what runs, then the desks finish, then the journals close.
    ///
    /// # Errors
    /// The door ended before it was closed.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let _ = self.close.send(());
        let door = self.door.await;
        self.shop.stop().await;
        Ok(door?)
    }
}

/// What is wrong with the doors, and what to do about it.
fn edge_failure(error: &EdgeError) -> Failure {
    let source = std::error::Error::source(error).map(|source| format!("because: {source}"));
    let mend = match error {
        EdgeError::Settings { .. } => "change these options of [edge]",
        EdgeError::Listen { .. } | EdgeError::Accept(_) => {
            "give an address of this machine that nobody listens on (--listen, --admin-listen); port 0 takes a free one"
        }
    };
    Failure::new(Code::BadConfiguration, error, mend).with_details(source.into_iter().collect())
}

/// What the start found, in figures.
fn recovered(found: &shop::Recovered) -> Recovered {
    let sales = found.sales.iter().map(|(_, findings)| findings);
    let all: Vec<&Findings> = sales.chain([&found.house]).collect();
    let batches = all.iter().map(|findings| findings.batches).sum();
    let below: u64 = all.iter().filter_map(|findings| findings.snapshot).sum();
    Recovered {
        sales: found.sales.len() as u64,
        batches,
        position: below + batches,
        duration: found.took,
    }
}

/// What to do about a file that a later version wrote.
const LATER_VERSION: &str = "use the version of Tidegate that wrote it, or a newer one";

/// Why the shop did not open, and what to do about it.
fn shop_failure(error: &ShopError) -> Failure {
    match error {
        ShopError::Storage(error) => storage_failure(error),
        ShopError::House(cause) | ShopError::Sale { source: cause, .. } => match cause {
            OpenError::Storage(error) => storage_failure(error),
            OpenError::Journal(cause) => journal_failure(error, cause),
            // What a later version wrote is not damaged, and must not be treated as if it were.
            OpenError::Record { .. } if cause.is_of_a_later_version() => {
                Failure::new(Code::FormatVersion, error, LATER_VERSION)
            }
            OpenError::Record { .. } | OpenError::Violation { .. } => Failure::new(
                Code::Damaged,
                error,
                "keep a copy and report it; `tidegate verify` says what holds and what does not",
            ),
            _ => Failure::new(Code::Internal, error, "look at the system's log"),
        },
        ShopError::Template(_) | ShopError::Carriers(_) | ShopError::Participant(_) => {
            Failure::new(
                Code::BadConfiguration,
                error,
                "change the options of [shop.notices], [shop.delivery] or [shop.fulfilment]",
            )
        }
        ShopError::People(cause) => crate::command::vault::failure(cause),
        ShopError::Projector(_) => Failure::new(
            Code::Lost,
            error,
            "find the missing journal; if it was never there, move the read models' file away and start again",
        ),
    }
}

fn journal_failure(error: &ShopError, cause: &JournalError) -> Failure {
    let (code, mend) = match cause {
        JournalError::Damaged { .. } => (
            Code::Damaged,
            "the message says how to go on; keep a copy first",
        ),
        JournalError::Lost { .. } => (
            Code::Lost,
            "find the missing segments, or restore a backup, before selling on",
        ),
        JournalError::Version { .. } => (Code::FormatVersion, LATER_VERSION),
        _ => (
            Code::NotWritable,
            "look at the disk: space, rights, and the system's log",
        ),
    };
    let source = std::error::Error::source(cause).map(|source| format!("because: {source}"));
    Failure::new(code, error, mend).with_details(source.into_iter().collect())
}

/// A call in the name of the house itself, for an account, under an idempotency key.
pub(crate) fn house_call(account: &str, key: &str) -> Call {
    Call {
        caller: Caller::Merchant {
            account: account.into(),
            key: KeyId(0),
            scopes: Scopes::ALL,
        },
        key: Some(key.into()),
        request_id: RequestId::from_u64(0),
        address: None,
    }
}
