//! Addresses that processes listen on.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Poll, Waker};

use world::network::{Accepting, Listener, Stream};

use super::Net;
use super::stream::End;
use crate::scheduler::Run;

/// Callers that wait before more are refused.
const BACKLOG: usize = 4_096;

/// Callers that wait at an address.
pub(super) struct Door {
    pub(super) run: Run,
    waiting: VecDeque<(End, SocketAddr)>,
    keeper: Option<Waker>,
    /// So many more accepts fail.
    failures: u32,
}

impl Door {
    /// The next accepts fail, as they do when a process has no file handles left.
    pub(super) fn fail(&mut self, times: u32) -> Option<Waker> {
        self.failures = times;
        self.keeper.take()
    }

    pub(super) fn call(&mut self, end: End, from: SocketAddr) -> Option<Waker> {
        if self.waiting.len() < BACKLOG {
            self.waiting.push_back((end, from));
        }
        self.keeper.take()
    }
}

/// The keeper's end of a door.
pub(super) struct Listening {
    net: Net,
    address: SocketAddr,
    run: Run,
}

impl Listening {
    pub(super) fn open(
        net: Net,
        host: IpAddr,
        run: Run,
        address: SocketAddr,
    ) -> io::Result<Box<dyn Listener>> {
        let mut state = net.state();
        // A process listens on the one address of its host, whatever loopback address it was told.
        let mut place = SocketAddr::new(host, address.port());
        if place.port() == 0 {
            state.port = state.port.checked_add(1).unwrap_or(40_000);
            place.set_port(state.port);
        }
        if let Some(door) = state.doors.get(&place)
            && net.0.world.is_alive(door.run)
        {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let door = Door {
            run,
            waiting: VecDeque::new(),
            keeper: None,
            failures: 0,
        };
        let before = state.doors.insert(place, door);
        drop(state);
        drop(before);
        Ok(Box::new(Self {
            net,
            address: place,
            run,
        }))
    }
}

impl Listener for Listening {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }

    fn accept(&mut self) -> Accepting<'_> {
        Box::pin(poll_fn(|context| {
            let mut state = self.net.state();
            let Some(door) = state.doors.get_mut(&self.address) else {
                return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
            };
            if let Some(left) = door.failures.checked_sub(1) {
                door.failures = left;
                return Poll::Ready(Err(io::Error::other("too many open files")));
            }
            match door.waiting.pop_front() {
                Some((end, from)) => Poll::Ready(Ok((Box::new(end) as Stream, from))),
                None => {
                    door.keeper = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        }))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let door = {
            let mut state = self.net.state();
            match state.doors.get(&self.address) {
                Some(door) if door.run == self.run => state.doors.remove(&self.address),
                _ => None,
            }
        };
        drop(door);
    }
}

impl fmt::Debug for Listening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "listening on {}", self.address)
    }
}
