//! Hosts: machines of the world, and the runs of a process on them.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use world::Tasks;
use world::tasks::{Carrier, Job, Scheduler, Sleep, Work};

use super::alarm::{Alarm, Sleeping};
use super::{Event, World};
use crate::disk::SimDisk;
use crate::record::Ended;

/// A machine.
#[derive(Clone, Debug)]
pub struct Host {
    world: World,
    number: u32,
}

/// One life of a process on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Run {
    pub(super) host: u32,
    age: u32,
}

#[derive(Default)]
pub(super) struct State {
    age: u32,
    alive: bool,
    /// How the last run ended.
    ended: Option<Ended>,
    pub(super) disk: Option<SimDisk>,
    pub(super) polls: u64,
    /// The run ends when so many polls were made.
    last_poll: Option<u64>,
    /// How it ends then, or when its disk is cut off.
    cut: Option<Ended>,
    mourners: Vec<Waker>,
}

impl super::State {
    pub(super) fn is_alive(&self, run: Run) -> bool {
        let host = self.hosts.get(run.host as usize);
        host.is_some_and(|host| host.alive && host.age == run.age)
    }
}

impl World {
    /// A new machine, with a process that runs.
    pub fn host(&self) -> Host {
        let number = {
            let mut state = self.state();
            state.hosts.push(State::default());
            u32::try_from(state.hosts.len() - 1).unwrap_or(u32::MAX)
        };
        let host = Host {
            world: self.clone(),
            number,
        };
        host.start();
        host
    }

    /// Whether a run goes on.
    #[must_use]
    pub fn is_alive(&self, run: Run) -> bool {
        self.state().is_alive(run)
    }

    /// How a run that is over has ended; `None` while it goes on.
    #[must_use]
    pub fn ended(&self, run: Run) -> Option<Ended> {
        let state = self.state();
        let host = state.hosts.get(run.host as usize)?;
        match host.alive && host.age == run.age {
            true => None,
            // Of an older run nobody needs to know more.
            false => host.ended.or(Some(Ended::Killed)),
        }
    }

    /// Waits, whoever does.
    #[must_use]
    pub fn sleep(&self, how_long: Duration) -> Sleep {
        let alarm = Arc::<Alarm>::default();
        self.after(how_long, Event::Ring(alarm.clone()));
        Box::pin(Sleeping(alarm))
    }

    /// Whether the machine with this address has lost power and not come back.
    pub(crate) fn is_dark(&self, address: IpAddr) -> bool {
        let state = self.state();
        let mut hosts = (0_u32..).zip(&state.hosts);
        let host = hosts.find(|(number, _)| address == IpAddr::V4(address_of(*number)));
        host.is_some_and(|(_, host)| !host.alive && host.ended == Some(Ended::PowerLost))
    }

    /// Ends the runs whose disk was cut off, or whose last poll has come.
    pub(super) fn notice_cuts(&self) {
        let cut = {
            let state = self.state();
            let over = |host: &State| {
                let cut = host.disk.as_ref().is_some_and(SimDisk::crashed);
                host.alive && (cut || host.last_poll.is_some_and(|last| host.polls >= last))
            };
            state.hosts.iter().position(over)
        };
        if let Some(number) = cut.and_then(|number| u32::try_from(number).ok()) {
            let how = self.state().hosts[number as usize].cut;
            let host = Host {
                world: self.clone(),
                number,
            };
            host.end(how.unwrap_or(Ended::PowerLost));
        }
    }
}

impl Host {
    /// The world that it is in.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        address_of(self.number)
    }

    /// Starts a new run.
    pub fn start(&self) -> Run {
        let mut state = self.world.state();
        let host = &mut state.hosts[self.number as usize];
        host.age += 1;
        host.alive = true;
        host.last_poll = None;
        host.cut = None;
        Run {
            host: self.number,
            age: host.age,
        }
    }

    /// The run of now, or the last one.
    #[must_use]
    pub fn run(&self) -> Run {
        Run {
            host: self.number,
            age: self.world.state().hosts[self.number as usize].age,
        }
    }

    /// Whether a process runs on it.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.world.is_alive(self.run())
    }

    /// Its disk costs time, and a disk that is cut off ends the run.
    pub fn mount(&self, disk: Option<SimDisk>) {
        self.world.state().hosts[self.number as usize].disk = disk;
    }

    /// Ends the run so after so many more polls of its tasks.
    pub fn end_after(&self, polls: u64, how: Ended) {
        let mut state = self.world.state();
        let host = &mut state.hosts[self.number as usize];
        host.last_poll = Some(host.polls + polls);
        host.cut = Some(how);
    }

    /// An end that was planned by polls does not come.
    pub fn spare(&self) {
        self.world.state().hosts[self.number as usize].last_poll = None;
    }

    /// How the run ends when its disk is cut off.
    pub fn ends_so(&self, how: Ended) {
        self.world.state().hosts[self.number as usize].cut = Some(how);
    }

    /// Ends the run, at once: everything that belongs to it is gone.
    pub fn end(&self, how: Ended) {
        let run = self.run();
        let (works, jobs, mourners) = {
            let mut state = self.world.state();
            let host = &mut state.hosts[self.number as usize];
            host.alive = false;
            host.ended = Some(how);
            let mourners = std::mem::take(&mut host.mourners);
            let slots = state.slots.iter_mut().filter(|slot| slot.run == run);
            let works: Vec<Work> = slots.filter_map(|slot| slot.work.take()).collect();
            (works, state.lanes.end(run), mourners)
        };
        // What a process leaves behind cannot stop its end, not even by a panic.
        for work in works {
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(work)));
        }
        drop(jobs);
        mourners.into_iter().for_each(Waker::wake);
    }

    /// Waits until the run is over.
    #[must_use]
    pub fn gone(&self) -> Gone {
        Gone(self.clone(), self.run())
    }

    /// The tasks of the run of now.
    #[must_use]
    pub fn tasks(&self) -> Tasks {
        Tasks::new(Arc::new(Carried {
            world: self.world.clone(),
            run: self.run(),
        }))
    }
}

fn address_of(number: u32) -> Ipv4Addr {
    let [_, high, middle, low] = (number + 1).to_be_bytes();
    Ipv4Addr::new(10, high, middle, low)
}

/// Done when a run is over.
#[derive(Debug)]
pub struct Gone(Host, Run);

impl Future for Gone {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.world.state();
        if !state.is_alive(self.1) {
            return Poll::Ready(());
        }
        let host = &mut state.hosts[self.0.number as usize];
        host.mourners.push(context.waker().clone());
        Poll::Pending
    }
}

/// Carries the tasks of one run.
#[derive(Debug)]
struct Carried {
    world: World,
    run: Run,
}

impl Scheduler for Carried {
    fn spawn(&self, work: Work) {
        self.world.spawn(self.run, work);
    }

    fn now(&self) -> Duration {
        self.world.now()
    }

    fn sleep(&self, how_long: Duration) -> Sleep {
        self.world.sleep(how_long)
    }

    fn rest(&self, how_long: Duration) {
        self.world.state().rested += how_long;
    }

    fn block(&self, job: Job) {
        let state = self.world.state();
        if !state.is_alive(self.run) {
            drop(state);
            return drop(job);
        }
        self.world.plan(state, Event::Begin(self.run, None, job));
    }

    fn lane(&self, _name: &'static str) -> io::Result<Box<dyn Carrier>> {
        Ok(Box::new(self.world.lane(self.run)))
    }
}
