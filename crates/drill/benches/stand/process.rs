//! Child processes: started quietly, watched from outside, stopped at the end.

use std::io::{Error, Result};
use std::net::{SocketAddr, TcpListener};
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// How long a stop may take before the process is killed.
const STOP_MAX: Duration = Duration::from_secs(20);
/// Clock ticks in a second, as `/proc` counts them on every Linux that runs this.
const TICKS: u64 = 100;

/// A child that is stopped with this signal, and killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    signal: rustix::process::Signal,
}

impl Process {
    /// Starts a command with its output in a file.
    pub(crate) fn start(
        command: &mut Command,
        log: &Path,
        signal: rustix::process::Signal,
    ) -> Result<Self> {
        let log = std::fs::File::create(log)?;
        let child = command
            .stdin(Stdio::null())
            .stderr(log.try_clone()?)
            .stdout(log)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { child, signal })
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// Fails when the child has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => Err(Error::other(format!("a server ended with {status}"))),
            None => Ok(()),
        }
    }

    /// Stops it and waits.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let pid = i32::try_from(self.id()).ok();
        if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
            rustix::process::kill_process(pid, self.signal)?;
        }
        if tokio::time::timeout(STOP_MAX, self.child.wait())
            .await
            .is_err()
        {
            self.child.kill().await?;
        }
        Ok(())
    }
}

/// An address on loopback that nobody has right now.
pub(crate) fn free_address() -> Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// Processor time that a process has used itself.
pub(crate) fn own_processor_time(pid: u32) -> Duration {
    Duration::from_millis(ticks(pid, UTIME..=STIME) * 1000 / TICKS)
}

/// Processor time that a process and its children have used, also those children that have ended.
pub(crate) fn processor_time(pid: u32) -> Duration {
    let all = UTIME..=CSTIME;
    let children = children(pid).into_iter();
    let children: u64 = children.map(|child| ticks(child, all.clone())).sum();
    Duration::from_millis((ticks(pid, all) + children) * 1000 / TICKS)
}

/// Memory that a process has in RAM, bytes.
pub(crate) fn resident_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}

/// Places in `/proc/…/stat`, counted behind the name: user time, system time, and the same of ended children.
const UTIME: usize = 11;
const STIME: usize = 12;
const CSTIME: usize = 14;

fn ticks(pid: u32, places: RangeInclusive<usize>) -> u64 {
    let Some(fields) = fields(pid) else {
        return 0;
    };
    let number = |place: usize| {
        fields
            .get(place)
            .and_then(|field| field.parse::<u64>().ok())
    };
    places.filter_map(number).sum()
}

fn children(pid: u32) -> Vec<u32> {
    let Ok(all) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|other: &u32| {
            let parent = fields(*other).and_then(|fields| fields.get(1)?.parse::<u32>().ok());
            parent == Some(pid)
        })
        .collect()
}

/// The fields of `/proc/…/stat` behind the name, which may hold spaces itself.
fn fields(pid: u32) -> Option<Vec<String>> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, behind) = stat.rsplit_once(") ")?;
    Some(behind.split(' ').map(ToOwned::to_owned).collect())
}
