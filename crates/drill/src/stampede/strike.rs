//! Faults, one at a time: each is brought about, seen to have taken hold, undone, and then the shop has to sell again
//! by itself.

use super::StampedeError;
use super::child::Server;
use super::crowd::Stage;
use super::disk::{Ballast, Device, DiskError, Throttle};
use super::fault::Fault;
use super::outcome::Outage;
use super::plan::Strike;
use super::probe::Try;
use crate::chance::Chance;
use rustix::process::{Pid, Signal, kill_process};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a fault may take to be felt.
const FELT_MAX: Duration = Duration::from_secs(30);
/// How long the shop may take to sell again once the fault is gone: twice the longest wait between two of its tries.
const HEALED_MAX: Duration = Duration::from_secs(60);
/// Pause while a fault is only held.
const LOOK: Duration = Duration::from_millis(50);
/// Writes in a second that a slow disk does.
const SLOW_WRITES: u32 = 12;
/// Writes that have to go through a slow disk before it counts as felt.
const SLOW_WRITES_FELT: u64 = 6;
/// The code of a start on a disk that takes no writes.
const NOT_WRITABLE: &str = "TG-4005";

/// How a fault went: when it was over, and what was wrong with it.
struct Blow {
    over: Duration,
    wrong: Vec<String>,
}

impl From<DiskError> for StampedeError {
    fn from(error: DiskError) -> Self {
        Self::Disk(Box::new(error))
    }
}

impl Stage<'_> {
    /// One fault, from its beginning until the shop sells again.
    pub(super) async fn strike(&mut self, strike: &Strike) -> Result<(), StampedeError> {
        if strike.fault == Fault::Kill {
            return self.kill_and_restart().await;
        }
        let (fault, chance) = (strike.fault, &strike.chance);
        let from = self.since_start();
        let mut blow = match fault {
            Fault::Stop | Fault::Kill => self.halt(chance).await?,
            Fault::Full => self.fill_up(chance).await?,
            Fault::ReadOnly => self.spoil(chance).await?,
            Fault::Freeze => self.freeze(chance).await?,
            Fault::Slow => self.throttle(chance).await?,
        };
        // Whatever befell it, it must have lived through it.
        self.server.pid()?;
        let healed = self
            .probe
            .until(HEALED_MAX, |tried| *tried == Try::Written)
            .await;
        if healed != Try::Written {
            blow.wrong.push(format!(
                "the shop does not sell again within {} s: {healed:?}",
                HEALED_MAX.as_secs()
            ));
        }
        let now = self.since_start();
        let outage = Outage {
            fault,
            from,
            lasted: now.saturating_sub(from),
            healed: now.saturating_sub(blow.over),
        };
        self.watcher.note(&format!(
            "{fault} after {:.1} s for {} ms, healed in {} ms",
            from.as_secs_f64(),
            blow.over.saturating_sub(from).as_millis(),
            outage.healed.as_millis()
        ));
        self.outages.push(outage);
        let wrong = blow.wrong.into_iter();
        self.words
            .extend(wrong.map(|what| format!("{fault}: {what}")));
        Ok(())
    }

    fn blow(&self, wrong: impl IntoIterator<Item = String>) -> Blow {
        Blow {
            over: self.since_start(),
            wrong: wrong.into_iter().collect(),
        }
    }

    /// SIGSTOP for as long as some buyers' patience and some holds do not last, then SIGCONT.
    async fn halt(&mut self, chance: &Chance) -> Result<Blow, StampedeError> {
        let lasts = Duration::from_millis(chance.between(100, 8_000));
        let pid = self.server.pid()?;
        signal(pid, Signal::STOP)?;
        let until = self.since_start() + lasts;
        let mut stood = false;
        while self.since_start() < until {
            stood = stands(pid);
            tokio::time::sleep(LOOK.min(lasts)).await;
        }
        let stood = stood && stands(pid);
        signal(pid, Signal::CONT)?;
        let missed = (!stood).then(|| "the process never stood still".into());
        Ok(self.blow(missed))
    }

    /// Leaves no byte on the disk until the server says so, and some time more; then makes room.
    async fn fill_up(&mut self, chance: &Chance) -> Result<Blow, StampedeError> {
        let mut ballast = Ballast::new(&self.disk()?.join("ballast"))?;
        let mut wrong = self.felt(Some(&mut ballast)).await?;
        let until = self.since_start() + Duration::from_millis(chance.between(500, 2_500));
        while self.since_start() < until {
            ballast.fill()?;
            tokio::time::sleep(LOOK).await;
        }
        wrong.extend(self.only_reads().await);
        drop(ballast);
        Ok(self.blow(wrong))
    }

    /// Writes until the server says that it is read-only. Says what else it said.
    async fn felt(&mut self, mut ballast: Option<&mut Ballast>) -> Result<Vec<String>, DiskError> {
        let until = self.since_start() + FELT_MAX;
        let mut fill_at = self.since_start();
        loop {
            // The server frees what it wrote in vain, and must not live on that.
            if let Some(ballast) = ballast.as_deref_mut()
                && self.since_start() >= fill_at
            {
                ballast.fill()?;
                fill_at = self.since_start() + LOOK;
            }
            match self.probe.try_once().await {
                Try::ReadOnly => return Ok(Vec::new()),
                Try::Wrong(what) => return Ok(vec![format!("a write was answered with {what}")]),
                Try::Written => {}
                Try::Later | Try::Silence => tokio::time::sleep(LOOK).await,
            }
            if self.since_start() >= until {
                let seconds = FELT_MAX.as_secs();
                return Ok(vec![format!(
                    "the server did not feel it within {seconds} s"
                )]);
            }
        }
    }

    /// While the disk takes no writes the shop refuses them and answers questions.
    async fn only_reads(&mut self) -> Option<String> {
        if !self.probe.reads().await {
            return Some("the sale cannot be seen while its disk takes no writes".into());
        }
        let tried = self.probe.try_once().await;
        (tried != Try::ReadOnly).then(|| format!("a write was answered with {tried:?}"))
    }

    /// The file system gives up under the server. The server dies, a start on the read-only disk fails and says why, and
    /// once the disk takes writes a start succeeds.
    async fn spoil(&mut self, chance: &Chance) -> Result<Blow, StampedeError> {
        let device = Device::mounted_at(self.disk()?)?;
        device.spoil()?;
        let mut wrong = self.felt(None).await?;
        tokio::time::sleep(Duration::from_millis(chance.between(200, 2_000))).await;
        wrong.extend(self.only_reads().await);
        self.server.pid()?;
        self.server.kill().await?;
        device.mount_read_only().await?;
        wrong.extend(self.starts_in_vain().await?);
        device.remount_writable().await?;
        let blow = self.blow(wrong);
        self.server = Server::start(self.tools).await?;
        Ok(blow)
    }

    async fn starts_in_vain(&self) -> Result<Option<String>, StampedeError> {
        let before = std::fs::metadata(&self.tools.log).map_or(0, |log| log.len());
        let code = Server::start_in_vain(self.tools).await?;
        let log = std::fs::read(&self.tools.log).map_err(StampedeError::Log)?;
        let said = log
            .get(usize::try_from(before).unwrap_or_default()..)
            .unwrap_or_default();
        let said = String::from_utf8_lossy(said);
        Ok(match code {
            Some(code) if code != 0 && said.contains(NOT_WRITABLE) => None,
            _ => Some(format!(
                "a start on a read-only disk ended with {code:?} and said {said:?}"
            )),
        })
    }

    /// Every write hangs for a while. Nothing may be called durable meanwhile.
    async fn freeze(&mut self, chance: &Chance) -> Result<Blow, StampedeError> {
        let frozen = Device::mounted_at(self.disk()?)?.freeze().await?;
        let until = self.since_start() + Duration::from_millis(chance.between(1_000, 5_000));
        let mut wrong = Vec::new();
        while self.since_start() < until {
            match self.probe.try_once().await {
                Try::Written => wrong.push("a write was called durable on a hung disk".into()),
                Try::Wrong(what) => wrong.push(format!("a write was answered with {what}")),
                Try::ReadOnly | Try::Later => tokio::time::sleep(LOOK).await,
                Try::Silence => {}
            }
        }
        drop(frozen);
        Ok(self.blow(wrong))
    }

    /// A few writes a second, until some went through.
    async fn throttle(&mut self, chance: &Chance) -> Result<Blow, StampedeError> {
        let device = Device::mounted_at(self.disk()?)?;
        let throttle = Throttle::new(self.server.pid()?, device.number()?, SLOW_WRITES)?;
        let from = self.since_start();
        let lasts = Duration::from_millis(chance.between(1_500, 4_000));
        let mut wrong = Vec::new();
        let mut felt = false;
        while self.since_start() < from + lasts || (!felt && self.since_start() < from + FELT_MAX) {
            match self.probe.try_once().await {
                Try::Wrong(what) => wrong.push(format!("a write was answered with {what}")),
                Try::Written | Try::Silence => {}
                Try::ReadOnly | Try::Later => tokio::time::sleep(LOOK).await,
            }
            felt = throttle.writes()? >= SLOW_WRITES_FELT;
        }
        let (writes, took) = (throttle.writes()?, self.since_start().saturating_sub(from));
        drop(throttle);
        // A second more: what was under way when it began.
        let most = u64::from(SLOW_WRITES) * (took.as_secs() + 2);
        if !felt || writes > most {
            let ms = took.as_millis();
            wrong.push(format!(
                "{writes} writes in {ms} ms: the disk was not slow for this server"
            ));
        }
        Ok(self.blow(wrong))
    }

    fn disk(&self) -> Result<&Path, StampedeError> {
        let disk = self.tools.disk.as_deref();
        disk.ok_or_else(|| StampedeError::NoDisk(PathBuf::from(&self.tools.data)))
    }
}

fn signal(pid: Pid, signal: Signal) -> Result<(), StampedeError> {
    kill_process(pid, signal).map_err(|error| StampedeError::Spawn(error.into()))
}

/// Whether the kernel says that the process is stopped.
fn stands(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.is_ok_and(|stat| state_of(&stat) == Some('T'))
}

/// The letter after the program's name, which is in parentheses and may hold some itself.
fn state_of(stat: &str) -> Option<char> {
    stat.rsplit_once(") ")?.1.chars().next()
}

#[cfg(test)]
mod tests {
    use super::state_of;

    #[test]
    fn the_state_is_read_behind_any_name() {
        assert_eq!(state_of("7 (tidegate) T 1 7"), Some('T'));
        assert_eq!(state_of("7 (a) b) S 1 7"), Some('S'));
        assert_eq!(state_of(""), None);
    }
}
