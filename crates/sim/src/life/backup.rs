//! Backups in the middle of a life, and what they are good for at its end.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use shop::restore::restore;
use shop::verify::verify;
use storage::backup::{Cut, Spot, back_up};
use storage::journal::read_dir;
use world::Disk;
use world::journal::{Batch, JournalError};

use super::Director;
use crate::disk::SimDisk;
use crate::record::{Evidence, Outcome};

const VAULT: &str = "/vault/shop";
const RESTORED: &str = "/restored/shop";

/// A backup that was made.
pub(super) struct Backup {
    vault: SimDisk,
    /// World time at which it began: what clients had heard by then is in it.
    begun: Duration,
}

impl Director {
    /// An operator makes a backup beside whatever the server does.
    pub(super) async fn back_up(&mut self) {
        let begun = self.stage.world.now();
        let (from, to) = (self.stage.disk(), SimDisk::new(self.dice.next()));
        let (data, clock, vault) = (self.stage.data(), self.stage.clock.of_a_run(), to.clone());
        let met = self.faults_met();
        let made = self.tasks.blocking(move || {
            let (from, to): (Arc<dyn Disk>, Arc<dyn Disk>) = (Arc::new(from), Arc::new(vault));
            let from = Spot {
                disk: &from,
                dir: &data,
            };
            let to = Spot {
                disk: &to,
                dir: Path::new(VAULT),
            };
            back_up(from, to, &*clock, 7, &mut |_| {}).map(|_| ())
        });
        match made.await {
            Ok(Ok(())) => {
                self.tell("the backup is made");
                self.backup = Some(Backup { vault: to, begun });
            }
            Ok(Err(error)) => {
                self.tell(format!("the backup failed: {error}"));
                // A disk that refuses or lies, and a machine that is off, give no backup.
                if self.faults_met() == met && self.stage.shop.is_up() {
                    self.bad_backup = Some(format!("it failed: {error}"));
                }
            }
            Err(_) => self.bad_backup = Some("it panicked".to_owned()),
        }
    }

    /// Restores the last backup and holds it against the journals and against what clients had heard before it began.
    pub(super) fn try_backup(&mut self, evidence: &mut Evidence) {
        evidence.backup.extend(self.bad_backup.take());
        let Some(backup) = self.backup.take() else {
            return;
        };
        let cut = match self.dice.hits(500) {
            true => Cut::End,
            // Nothing is older than the first entry of the house.
            false => Cut::Time(
                evidence.house.first().map_or(0, |batch| batch.time_ms) + self.dice.below(90_000),
            ),
        };
        if let Err(what) = self.check(&backup, cut, evidence) {
            evidence.backup.push(what);
        }
    }

    fn check(&self, backup: &Backup, cut: Cut, evidence: &Evidence) -> Result<(), String> {
        let vault: Arc<dyn Disk> = Arc::new(backup.vault.clone());
        let home: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
        let from = Spot {
            disk: &vault,
            dir: Path::new(VAULT),
        };
        let to = Spot {
            disk: &home,
            dir: Path::new(RESTORED),
        };
        restore(from, to, cut, &mut |_| {}).map_err(|error| format!("no restore: {error}"))?;
        let report = verify(&home, Path::new(RESTORED), &[], &mut |_| {});
        let report = report.map_err(|error| format!("no verify: {error}"))?;
        if let Some(finding) = report.findings.first() {
            return Err(format!("the restored shop is not sound: {finding:?}"));
        }
        for (sale, whole) in &evidence.journals {
            let part = batches(&home, *sale).map_err(|error| format!("sale {sale}: {error}"))?;
            if !whole.starts_with(&part) {
                return Err(format!(
                    "sale {sale} as restored is no beginning of its journal"
                ));
            }
            if cut == Cut::End {
                self.holds_what_was_shown(backup, *sale, &part)?;
            }
        }
        Ok(())
    }

    fn holds_what_was_shown(
        &self,
        backup: &Backup,
        sale: u32,
        part: &[Batch],
    ) -> Result<(), String> {
        for call in self.market.history.all() {
            let Outcome::Said(said) = &call.outcome else {
                continue;
            };
            let shown = said.position.filter(|(of, _)| of.get() == sale);
            if let Some((_, position)) = shown
                && call.ended_at <= backup.begun
                && position.sequence > part.len() as u64
            {
                return Err(format!(
                    "sale {sale}: {position} was shown before, and is not in it"
                ));
            }
        }
        Ok(())
    }
}

fn batches(disk: &Arc<dyn Disk>, sale: u32) -> Result<Vec<Batch>, JournalError> {
    let dir = Path::new(RESTORED).join(format!("sales/{sale:08}"));
    // A sale that began later is not in it.
    if !disk.exists(&dir).unwrap_or(false) {
        return Ok(Vec::new());
    }
    let mut reader = read_dir(disk, &dir, 0)?;
    let mut batches = Vec::new();
    while let Some(batch) = reader.next()? {
        batches.push(batch);
    }
    Ok(batches)
}
