//! The network of the world: streams between hosts, with delay, loss, cut directions and half-open connections.
//!
//! A stream keeps order and loses nothing while it lasts, as TCP does: a lost packet is a late one, a cut direction
//! holds its bytes back until it is mended, a reader that does not read stops its writer. When a process is killed its
//! streams are reset; when a machine loses power they fall silent, and the other end learns of it only by its own
//! patience or when it writes to the machine that has come back.
//!
//! What TCP hides from its users (packets that come twice, or in another order) does not show here either; requests
//! and callbacks that come twice and out of order are made by crowds and providers, on several streams at once.

mod listening;
mod pipe;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use world::Network;
use world::network::{Connecting, Listener, Stream};

use crate::chance::Chance;
use crate::scheduler::{Host, Run, World};
use listening::{Door, Listening};
use pipe::Pipe;
use stream::End;

/// How the way from one host to another is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// Least time on the way, in microseconds.
    pub delay_us_min: u64,
    /// Most time on the way, in microseconds.
    pub delay_us_max: u64,
    /// Of a thousand packets so many are lost and sent again, later.
    pub loss_per_mille: u64,
    /// Nothing passes.
    pub cut: bool,
}

impl Default for Way {
    fn default() -> Self {
        Self {
            delay_us_min: 50,
            delay_us_max: 500,
            loss_per_mille: 0,
            cut: false,
        }
    }
}

/// The first wait before a lost packet is sent again; it doubles.
const AGAIN: Duration = Duration::from_millis(200);
/// Bytes that may be on their way or unread before the writer has to wait.
const WINDOW_BYTES: usize = 64 * 1024;
/// Pipes before those that are gone are looked for.
const PIPES_LOOK: usize = 4_096;
/// How long a connection is tried.
const CONNECT_PATIENCE: Duration = Duration::from_secs(60);

/// A network; cheap to clone.
#[derive(Clone)]
pub struct Net(Arc<Inner>);

struct Inner {
    world: World,
    state: Mutex<State>,
}

struct State {
    chance: Chance,
    ways: BTreeMap<(IpAddr, IpAddr), Way>,
    usual: Way,
    doors: BTreeMap<SocketAddr, Door>,
    names: BTreeMap<String, IpAddr>,
    pipes: Vec<Weak<Mutex<Pipe>>>,
    /// With so many pipes those that are gone are forgotten.
    pipes_look: usize,
    port: u16,
}

impl Net {
    /// A network without faults.
    #[must_use]
    pub fn new(world: &World, seed: u64) -> Self {
        Self(Arc::new(Inner {
            world: world.clone(),
            state: Mutex::new(State {
                chance: Chance::of(seed, "network"),
                ways: BTreeMap::new(),
                usual: Way::default(),
                doors: BTreeMap::new(),
                names: BTreeMap::new(),
                pipes: Vec::new(),
                pipes_look: PIPES_LOOK,
                port: 40_000,
            }),
        }))
    }

    /// Gives a host a name that others can connect to.
    pub fn name(&self, host: &Host, name: &str) {
        let address = IpAddr::V4(host.address());
        self.state().names.insert(name.to_owned(), address);
    }

    /// How all ways are from now on that are not set by themselves.
    pub fn usual(&self, way: Way) {
        self.state().usual = way;
    }

    /// How the way from one host to another is from now on, and only in this direction. Bytes that were held back go on
    /// when it is mended.
    pub fn set(&self, from: &Host, to: &Host, way: Way) {
        let (from, to) = (IpAddr::V4(from.address()), IpAddr::V4(to.address()));
        self.state().ways.insert((from, to), way);
        if !way.cut {
            self.mend(from, to);
        }
    }

    /// All ways are as they should be.
    pub fn heal(&self) {
        let ways: Vec<_> = {
            let mut state = self.state();
            state.usual = Way::default();
            std::mem::take(&mut state.ways).into_keys().collect()
        };
        for (from, to) in ways {
            self.mend(from, to);
        }
    }

    fn mend(&self, from: IpAddr, to: IpAddr) {
        let pipes: Vec<_> = {
            let state = self.state();
            state.pipes.iter().filter_map(Weak::upgrade).collect()
        };
        for pipe in pipes {
            let held_back = {
                let pipe = pipe::lock(&pipe);
                pipe.ends == (from, to) && pipe.is_held_back()
            };
            if held_back {
                pipe::go_on(&self.0.world, &pipe, AGAIN);
            }
        }
    }

    /// The next so many accepts of a host at a port fail; who calls waits meanwhile. False when nobody listens there.
    pub fn fail_accepts(&self, host: &Host, port: u16, times: u32) -> bool {
        let place = SocketAddr::new(IpAddr::V4(host.address()), port);
        let keeper = {
            let mut state = self.state();
            state.doors.get_mut(&place).map(|door| door.fail(times))
        };
        let found = keeper.is_some();
        if let Some(keeper) = keeper.flatten() {
            keeper.wake();
        }
        found
    }

    /// The network as a process on `host` sees it, for as long as its run lasts.
    #[must_use]
    pub fn of(&self, host: &Host) -> Arc<dyn Network> {
        Arc::new(HostNetwork {
            net: self.clone(),
            address: IpAddr::V4(host.address()),
            run: host.run(),
        })
    }

    /// How long the next packet takes; `None` when the way is cut.
    fn delay(&self, from: IpAddr, to: IpAddr) -> Option<Duration> {
        let mut state = self.state();
        let way = state.ways.get(&(from, to)).copied().unwrap_or(state.usual);
        if way.cut {
            return None;
        }
        let micros = state
            .chance
            .between(way.delay_us_min, way.delay_us_max.max(way.delay_us_min));
        let mut delay = Duration::from_micros(micros);
        let mut again = AGAIN;
        while state.chance.hits(way.loss_per_mille.min(900)) {
            delay += again;
            again = (again * 2).min(Duration::from_secs(10));
        }
        Some(delay)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Net").finish_non_exhaustive()
    }
}

/// The network as one run sees it.
#[derive(Clone, Debug)]
struct HostNetwork {
    net: Net,
    address: IpAddr,
    run: Run,
}

impl HostNetwork {
    fn resolve(&self, host: &str) -> io::Result<IpAddr> {
        if let Ok(address) = host.parse() {
            return Ok(address);
        }
        let state = self.net.state();
        let found = state.names.get(host).copied();
        found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no host of that name"))
    }

    /// A pair of ends, once the packets that make it have gone both ways.
    async fn dial(self, to: SocketAddr) -> io::Result<Stream> {
        let world = self.net.0.world.clone();
        let given_up = world.now() + CONNECT_PATIENCE;
        let mut again = AGAIN;
        loop {
            let there = self.net.delay(self.address, to.ip());
            let back = self.net.delay(to.ip(), self.address);
            if let (Some(there), Some(back)) = (there, back)
                && !self.net.is_dark(to.ip())
            {
                world.sleep(there).await;
                let met = self.net.meet(&self, to);
                world.sleep(back).await;
                return met;
            }
            if world.now() >= given_up {
                return Err(io::ErrorKind::TimedOut.into());
            }
            world.sleep(again).await;
            again *= 2;
        }
    }
}

impl Network for HostNetwork {
    fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Listener>> {
        Listening::open(self.net.clone(), self.address, self.run, address)
    }

    fn connect(&self, host: &str, port: u16) -> Connecting {
        let to = self
            .resolve(host)
            .map(|address| SocketAddr::new(address, port));
        let network = self.clone();
        Box::pin(async move { network.dial(to?).await })
    }
}

impl Net {
    /// No process and no machine answers there: it has lost power and not come back.
    fn is_dark(&self, address: IpAddr) -> bool {
        self.0.world.is_dark(address)
    }

    /// Puts a new pair of ends in front of whoever listens.
    fn meet(&self, from: &HostNetwork, to: SocketAddr) -> io::Result<Stream> {
        let mut state = self.state();
        state.port = state.port.checked_add(1).unwrap_or(40_000);
        let caller = SocketAddr::new(from.address, state.port);
        let Some(door) = state.doors.get_mut(&to) else {
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        let there = Pipe::new((from.address, to.ip()), (from.run, door.run));
        let back = Pipe::new((to.ip(), from.address), (door.run, from.run));
        let near = End::new(self.clone(), there.clone(), back.clone());
        let far = End::new(self.clone(), back.clone(), there.clone());
        let waker = door.call(far, caller);
        state
            .pipes
            .extend([Arc::downgrade(&there), Arc::downgrade(&back)]);
        if state.pipes.len() > state.pipes_look {
            state.pipes.retain(|pipe| pipe.strong_count() > 0);
            // Looked through again when twice as many are there, so that a crowd does not pay for each of its callers.
            state.pipes_look = (2 * state.pipes.len()).max(PIPES_LOOK);
        }
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(Box::new(near))
    }
}
