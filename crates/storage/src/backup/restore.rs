//! The way back: everything is checked, then a new data directory is written, to the end or to an earlier place.
//!
//! A cut journal is written anew up to its last batch: its last segment ends there, the segments behind it are left out,
//! and so are snapshots that know more. To a start it looks like a journal whose owner stopped at that batch.

use std::collections::BTreeSet;
use std::path::Path;

use world::disk::Access;
use world::journal::{Batch, JournalError, Position};

use super::error::{BackupError, cannot};
use super::manifest::{JournalCopy, Manifest, SnapshotCopy};
use super::write::{JournalWriter, journal_dir};
use super::{Spot, Step};
use crate::data_dir::{UNFINISHED, format_line};
use crate::files::{make_dir, replace_file};
use crate::journal::{Kept, KeptReader, Piece, segment_name};
use crate::snapshot::{self, Skipped};

/// How far back to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Nowhere: all that the backup has.
    End,
    /// One sale to its batch of this number; everything else to the end.
    Sale {
        /// The sale.
        sale: u64,
        /// Its last batch.
        sequence: u64,
        /// The first bytes of the chain hash there, as a receipt has them, to be sure that it is that batch.
        chain: Option<[u8; 16]>,
    },
    /// Every journal to its last batch at or before this moment, in Unix milliseconds of book time. The house journal
    /// keeps what it must have for the sales that have a batch.
    Time(u64),
}

/// What only somebody can say who knows what a batch means.
pub trait Meaning {
    /// The sales that this batch of the house journal brings into being.
    fn registers(&mut self, house: &Batch) -> Vec<u64>;

    /// A batch of a sale, or of the house for `None`, that the backup has and the restored directory will not have.
    fn left_out(&mut self, sale: Option<u64>, batch: &Batch);
}

/// What was restored, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The manifest of the backup.
    pub manifest: Manifest,
    /// The journals of the backup, in its order.
    pub journals: Vec<RestoredJournal>,
    /// Snapshots of the backup that cannot be trusted, and were left out. The journals do without them.
    pub skipped: Vec<Skipped>,
}

/// A journal, as it is restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoredJournal {
    /// The sale; `None` for the house journal.
    pub sale: Option<u64>,
    /// Its last batch; `None` if it has none at the cut, and is left out.
    pub position: Option<Position>,
    /// Time of that batch, in Unix milliseconds; 0 if there is none.
    pub time_ms: u64,
    /// Batches that the backup has and the restored journal has not.
    pub left_out: u64,
}

/// Restores the backup `from` into the new or empty directory `to`. The whole backup is checked before anything is
/// written; until all is written and durable, `to` is no data directory. `progress` hears how far it is.
///
/// # Errors
/// [`BackupError::NoBackup`], [`BackupError::Incomplete`], [`BackupError::NotEmpty`], [`BackupError::NotThere`], and
/// damage, later versions and trouble with the disks.
pub fn restore(
    from: Spot<'_>,
    to: Spot<'_>,
    cut: Cut,
    meaning: &mut dyn Meaning,
    progress: &mut dyn FnMut(Step),
) -> Result<Restored, BackupError> {
    refuse_used(to)?;
    let mut reading = Reading::begin(from, 2, progress)?;
    let plan = reading.survey(cut, meaning)?;
    begin_directory(to)?;
    for journal in &plan.journals {
        reading.write(to, journal, &plan.snapshots)?;
    }
    finish_directory(to, reading.manifest.clock.as_deref())?;
    Ok(reading.told(plan))
}

/// Checks the backup as [`restore`] does, and writes nothing.
///
/// # Errors
/// As [`restore`], without those of the target.
pub fn check(
    from: Spot<'_>,
    cut: Cut,
    meaning: &mut dyn Meaning,
    progress: &mut dyn FnMut(Step),
) -> Result<Restored, BackupError> {
    let mut reading = Reading::begin(from, 1, progress)?;
    let plan = reading.survey(cut, meaning)?;
    Ok(reading.told(plan))
}

/// Where each journal will end, and the snapshots that fit.
struct Plan {
    journals: Vec<RestoredJournal>,
    snapshots: Vec<(Option<u64>, SnapshotCopy)>,
    skipped: Vec<Skipped>,
}

struct Reading<'a> {
    from: Spot<'a>,
    manifest: Manifest,
    step: Step,
    progress: &'a mut dyn FnMut(Step),
}

impl<'a> Reading<'a> {
    fn begin(
        from: Spot<'a>,
        passes: u64,
        progress: &'a mut dyn FnMut(Step),
    ) -> Result<Self, BackupError> {
        let manifest = Manifest::read(&**from.disk, from.dir)?;
        let sizes = manifest.journals.iter().map(|copy| copy.bytes);
        let bytes = sizes.fold(0, u64::saturating_add);
        let step = Step {
            bytes: 0,
            bytes_total: bytes.saturating_mul(passes),
        };
        Ok(Self {
            from,
            manifest,
            step,
            progress,
        })
    }

    /// Reads everything once. The sales come first: the house must not end before what they need.
    fn survey(&mut self, cut: Cut, meaning: &mut dyn Meaning) -> Result<Plan, BackupError> {
        let copies = self.manifest.journals.clone();
        self.refuse_unknown(cut)?;
        let mut plan = Plan {
            journals: Vec::new(),
            snapshots: Vec::new(),
            skipped: Vec::new(),
        };
        for copy in copies.iter().filter(|copy| copy.sale.is_some()) {
            let sale = self.sale(copy, cut, meaning)?;
            self.snapshots(copy, sale, &mut plan)?;
            plan.journals.push(sale);
        }
        if let Some(house) = copies.iter().find(|copy| copy.sale.is_none()) {
            let found = self.house(house, cut, &plan.journals, meaning)?;
            self.snapshots(house, found, &mut plan)?;
            plan.journals.insert(0, found);
        }
        if plan
            .journals
            .iter()
            .all(|journal| journal.position.is_none())
            && cut != Cut::End
        {
            let reason = "nothing in it is that old".to_owned();
            return Err(BackupError::NotThere { reason });
        }
        Ok(plan)
    }

    fn refuse_unknown(&self, cut: Cut) -> Result<(), BackupError> {
        let Cut::Sale { sale, sequence, .. } = cut else {
            return Ok(());
        };
        let last = self.manifest.journal(Some(sale)).map(|copy| copy.batch);
        let reason = match last {
            None => format!("it has no journal of sale {sale}"),
            Some(last) if sequence > last => {
                format!("its journal of sale {sale} ends at batch {last}")
            }
            Some(_) => return Ok(()),
        };
        Err(BackupError::NotThere { reason })
    }

    fn sale(
        &mut self,
        copy: &JournalCopy,
        cut: Cut,
        meaning: &mut dyn Meaning,
    ) -> Result<RestoredJournal, BackupError> {
        let mut end = RestoredJournal::of(copy.sale);
        self.batches(copy, &mut |batch| {
            if end.left_out == 0 && keeps(cut, copy.sale, batch)? {
                end.keep(batch);
            } else {
                end.left_out += 1;
                meaning.left_out(copy.sale, batch);
            }
            Ok(())
        })?;
        Ok(end)
    }

    /// Finds where the house ends: at the cut, or at what brings the last of the sales into being.
    fn house(
        &mut self,
        copy: &JournalCopy,
        cut: Cut,
        sales: &[RestoredJournal],
        meaning: &mut dyn Meaning,
    ) -> Result<RestoredJournal, BackupError> {
        let begun = sales.iter().filter(|sale| sale.position.is_some());
        let needed: BTreeSet<u64> = begun.filter_map(|sale| sale.sale).collect();
        let mut end = RestoredJournal::of(None);
        let mut behind: Vec<Batch> = Vec::new();
        self.batches(copy, &mut |batch| {
            let registers = meaning.registers(batch);
            let due = registers.iter().any(|sale| needed.contains(sale));
            if due || (behind.is_empty() && keeps(cut, None, batch)?) {
                behind.clear();
                end.keep(batch);
            } else {
                behind.push(batch.clone());
            }
            Ok(())
        })?;
        end.left_out = behind.len() as u64;
        behind
            .iter()
            .for_each(|batch| meaning.left_out(None, batch));
        Ok(end)
    }

    /// Checks a journal of the backup and shows each batch.
    fn batches(
        &mut self,
        copy: &JournalCopy,
        each: &mut dyn FnMut(&Batch) -> Result<(), BackupError>,
    ) -> Result<(), BackupError> {
        let mut reader = self.open(copy);
        let mut last = None;
        while let Some(piece) = reader.next()? {
            if let Piece::Batch(batch) = piece {
                advance(&mut self.step, self.progress, batch);
                last = Some(batch.position());
                each(batch)?;
            }
        }
        if last == Some(copy.position()) {
            return Ok(());
        }
        let file = journal_dir(self.from.dir, copy.sale);
        Err(JournalError::Damaged {
            file,
            offset: 0,
            reason: "its segments do not end where the manifest says".to_owned(),
            remedy: "use another backup: nothing was restored from this one".to_owned(),
        }
        .into())
    }

    fn open(&self, copy: &JournalCopy) -> KeptReader {
        let dir = journal_dir(self.from.dir, copy.sale);
        let names = copy
            .segments
            .iter()
            .map(|segment| dir.join(segment.file_name()));
        KeptReader::new(self.from.disk, names.zip(copy.kept()).collect())
    }

    /// Picks the snapshots that know no more than the journal will.
    fn snapshots(
        &self,
        copy: &JournalCopy,
        end: RestoredJournal,
        plan: &mut Plan,
    ) -> Result<(), BackupError> {
        let last = end.position.map_or(0, |position| position.sequence);
        let dir = journal_dir(self.from.dir, copy.sale);
        for found in copy.snapshots.iter().filter(|found| found.batch <= last) {
            let path = dir.join(found.file_name());
            let position = Position {
                sequence: found.batch,
                chain: found.chain.0,
            };
            let reason = match snapshot::read(&**self.from.disk, &path) {
                Ok(read) if read.position == position => {
                    plan.snapshots.push((copy.sale, *found));
                    continue;
                }
                Ok(_) => "it is of another batch than the manifest says".to_owned(),
                Err(error) => snapshot::with_source(&error),
            };
            plan.skipped.push(Skipped { path, reason });
        }
        Ok(())
    }

    /// Writes a journal up to its end, and its snapshots.
    fn write(
        &mut self,
        to: Spot<'_>,
        journal: &RestoredJournal,
        snapshots: &[(Option<u64>, SnapshotCopy)],
    ) -> Result<(), BackupError> {
        let copy = self.manifest.journal(journal.sale);
        let (Some(end), Some(copy)) = (journal.position, copy) else {
            return Ok(());
        };
        let mut reader = self.open(copy);
        let target = journal_dir(to.dir, journal.sale);
        let name = |kept: &Kept| segment_name(kept.number);
        let mut writer = JournalWriter::begin(&**to.disk, target.clone(), name, Vec::new())?;
        while let Some(piece) = reader.next()? {
            match piece {
                Piece::Segment(header) => writer.enter(header)?,
                Piece::Batch(batch) => {
                    advance(&mut self.step, self.progress, batch);
                    writer.push(batch)?;
                    if batch.position() == end {
                        break;
                    }
                }
            }
        }
        writer.finish()?;
        let from = journal_dir(self.from.dir, journal.sale);
        for (_, found) in snapshots.iter().filter(|(sale, _)| *sale == journal.sale) {
            snapshot::copy(
                (&**self.from.disk, &from.join(found.file_name())),
                (&**to.disk, &target.join(snapshot::file_name(found.batch))),
            )?;
        }
        Ok(())
    }

    fn told(self, plan: Plan) -> Restored {
        let all = Step {
            bytes: self.step.bytes_total,
            ..self.step
        };
        (self.progress)(all);
        Restored {
            manifest: self.manifest,
            journals: plan.journals,
            skipped: plan.skipped,
        }
    }
}

impl RestoredJournal {
    fn of(sale: Option<u64>) -> Self {
        Self {
            sale,
            position: None,
            time_ms: 0,
            left_out: 0,
        }
    }

    fn keep(&mut self, batch: &Batch) {
        self.position = Some(batch.position());
        self.time_ms = batch.time_ms;
    }
}

/// Whether a batch is before the cut.
fn keeps(cut: Cut, of: Option<u64>, batch: &Batch) -> Result<bool, BackupError> {
    match cut {
        Cut::Time(ms) => Ok(batch.time_ms <= ms),
        Cut::Sale {
            sale,
            sequence,
            chain,
        } if of == Some(sale) => {
            let other = |chain: [u8; 16]| batch.chain[..16] != chain;
            if batch.sequence == sequence && chain.is_some_and(other) {
                let reason = format!("its batch {sequence} of sale {sale} has another chain hash");
                return Err(BackupError::NotThere { reason });
            }
            Ok(batch.sequence <= sequence)
        }
        Cut::Sale { .. } | Cut::End => Ok(true),
    }
}

fn advance(step: &mut Step, progress: &mut dyn FnMut(Step), batch: &Batch) {
    step.bytes = (step.bytes + batch.payload.len() as u64).min(step.bytes_total);
    progress(*step);
}

/// Refuses a directory that holds anything.
fn refuse_used(to: Spot<'_>) -> Result<(), BackupError> {
    let names = match to.disk.list(to.dir) {
        Ok(names) => names,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(cannot("list", to.dir)(error)),
    };
    let mut names = names.into_iter();
    match names.find(|name| name != "lost+found") {
        Some(found) => Err(BackupError::NotEmpty {
            path: to.dir.to_owned(),
            found,
        }),
        None => Ok(()),
    }
}

/// Makes the directory and, before anything else in it, the file that says that it is not finished.
fn begin_directory(to: Spot<'_>) -> Result<(), BackupError> {
    let disk = &**to.disk;
    make_dir(disk, to.dir).map_err(cannot("make", to.dir))?;
    let marker = to.dir.join(UNFINISHED);
    disk.open(&marker, Access::Create)
        .and_then(|file| {
            file.write_at(0, format_line().as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| disk.sync_dir(to.dir))
        .map_err(cannot("write", &marker))?;
    for part in ["house", "sales"] {
        let dir = to.dir.join(part);
        make_dir(disk, &dir).map_err(cannot("make", &dir))?;
    }
    Ok(())
}

/// Gives the file that said "not finished" the name that makes a data directory.
fn finish_directory(to: Spot<'_>, clock: Option<&str>) -> Result<(), BackupError> {
    let disk = &**to.disk;
    if let Some(clock) = clock {
        let path = to.dir.join("clock");
        replace_file(disk, &path, &[clock.as_bytes()]).map_err(cannot("write", &path))?;
    }
    let format: &Path = &to.dir.join("format");
    disk.rename(&to.dir.join(UNFINISHED), format)
        .and_then(|()| disk.sync_dir(to.dir))
        .map_err(cannot("finish", to.dir))
}
