//! Building the door and keeping it open.

use crate::connection;
use crate::door::{Door, Rooms};
use crate::error::EdgeError;
use crate::limits::Limits;
use crate::phase::Phase;
use crate::routes;
use crate::settings::Settings;
use crate::socket::Surroundings;
use api::{Code, Problem};
use axum::Router;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use telemetry::fact::{ConnectionRefused, Listening};
use tokio::sync::{Semaphore, watch};
use world::network::{Listener, Stream};
use world::{Network, Tasks};

/// Pause after a failed accept, which mostly means that all file handles are taken.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The front door, with its sockets bound but not yet open.
pub struct Edge {
    settings: Arc<Settings>,
    door: Arc<Door>,
    public: Box<dyn Listener>,
    admin: Box<dyn Listener>,
    handle: Handle,
}

/// Where the door is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handle {
    /// The public address.
    pub local_addr: SocketAddr,
    /// The address for operators.
    pub admin_addr: SocketAddr,
}

impl std::fmt::Debug for Edge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Edge")
            .field("handle", &self.handle)
            .finish_non_exhaustive()
    }
}

impl Edge {
    /// Checks the settings and binds both sockets.
    ///
    /// # Errors
    /// The settings are not valid, or an address is taken.
    pub fn build(settings: Settings, rooms: Rooms) -> Result<Self, EdgeError> {
        let faults = settings.faults();
        if !faults.is_empty() {
            return Err(EdgeError::Settings { faults });
        }
        let public = listen(&*rooms.network, settings.listen)?;
        let admin = listen(&*rooms.network, settings.admin_listen)?;
        let handle = Handle {
            local_addr: public.local_addr().map_err(EdgeError::Accept)?,
            admin_addr: admin.local_addr().map_err(EdgeError::Accept)?,
        };
        let settings = Arc::new(settings);
        let door = Arc::new(Door::new(Arc::clone(&settings), rooms));
        Ok(Self {
            settings,
            door,
            public,
            admin,
            handle,
        })
    }

    /// Where the door is.
    #[must_use]
    pub const fn handle(&self) -> Handle {
        self.handle
    }

    /// The limits in effect, which may be swapped while it serves.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.door.limits.clone()
    }

    /// Serves until `shutdown` is done, then lets running requests come to their end. The operators' port closes last.
    ///
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) {
        let tasks = self.door.rooms.tasks.clone();
        let telemetry = self.door.rooms.telemetry.clone();
        telemetry.tell(&Listening {
            public: self.handle.local_addr,
            admin: self.handle.admin_addr,
        });
        let (stop_public, public_stopping) = watch::channel(false);
        let (stop_admin, admin_stopping) = watch::channel(false);
        let public = Port::new(
            self.public,
            routes::public(&self.door),
            &self.settings,
            &self.door,
            public_stopping,
        );
        let admin = Port::new(
            self.admin,
            routes::admin(&self.door),
            &self.settings,
            &self.door,
            admin_stopping,
        );
        let door = self.door;
        let (public, admin) = (tasks.spawn(public.open()), tasks.spawn(admin.open()));
        shutdown.await;
        door.closing.send_replace(true);
        let _ = stop_public.send(true);
        let _ = public.await;
        let _ = stop_admin.send(true);
        let _ = admin.await;
    }
}

fn listen(network: &dyn Network, address: SocketAddr) -> Result<Box<dyn Listener>, EdgeError> {
    let bound = network.listen(address);
    bound.map_err(|source| EdgeError::Listen { address, source })
}

/// A port and those who are connected to it.
struct Port {
    listener: Box<dyn Listener>,
    router: Router,
    settings: Arc<Settings>,
    door: Arc<Door>,
    tasks: Tasks,
    stopping: watch::Receiver<bool>,
    room: Arc<Semaphore>,
}

impl Port {
    fn new(
        listener: Box<dyn Listener>,
        router: Router,
        settings: &Arc<Settings>,
        door: &Arc<Door>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let room = Arc::new(Semaphore::new(settings.connections_max));
        Self {
            listener,
            router,
            settings: Arc::clone(settings),
            door: Arc::clone(door),
            tasks: door.rooms.tasks.clone(),
            stopping,
            room,
        }
    }

    async fn open(mut self) {
        let mut stopping = self.stopping.clone();
        let mut stop = pin!(async move { stopping.wait_for(|stop| *stop).await.is_ok() });
        loop {
            let accepted = tokio::select! {
                biased;
                _ = &mut stop => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => self.welcome(stream, address),
                Err(_) => self.tasks.sleep(ACCEPT_PAUSE).await,
            }
        }
        self.drain().await;
    }

    fn welcome(&mut self, stream: Stream, address: SocketAddr) {
        let rooms = &self.door.rooms;
        let around = Surroundings {
            clock: Arc::clone(&rooms.clock),
            tasks: self.tasks.clone(),
            ids: Arc::clone(&self.door.ids),
            telemetry: rooms.telemetry.clone(),
            phase: Arc::new(Phase::new(rooms.clock.monotonic())),
            backlog: Arc::default(),
        };
        let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else {
            let connections_max = self.settings.connections_max;
            rooms.telemetry.tell(&ConnectionRefused {
                client: address.ip(),
                connections_max,
            });
            let problem = Problem::because(
                Code::TooManyRequests,
                "too many connections; come back in a moment",
            );
            let word = async move { connection::say_last(stream, &problem, &around).await };
            drop(self.tasks.spawn(word));
            return;
        };
        let (router, settings, stopping) = (
            self.router.clone(),
            Arc::clone(&self.settings),
            self.stopping.clone(),
        );
        let serving = async move {
            let telemetry = around.telemetry.clone();
            let connections = &telemetry.meters().door.connections;
            connections.inc();
            connection::serve(stream, address, router, settings, around, stopping).await;
            connections.dec();
            drop(permit);
        };
        drop(self.tasks.spawn(serving));
    }

    /// Waits until everybody has left, or their time is over.
    async fn drain(self) {
        drop(self.listener);
        let everybody = u32::try_from(self.settings.connections_max).unwrap_or(u32::MAX);
        let left = self.room.acquire_many(everybody);
        let _ = self.tasks.timeout(self.settings.drain_time(), left).await;
    }
}
