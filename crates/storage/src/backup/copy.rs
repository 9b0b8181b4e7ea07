//! Making a backup beside the live owner, without its lock.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use world::Clock;
use world::disk::{Access, Disk, LockError};
use world::journal::{Batch, JournalError, Position};

use super::error::{BackupError, cannot};
use super::manifest::{
    Formats, Hex, JournalCopy, MANIFEST, MARKER, Manifest, SegmentCopy, SnapshotCopy,
};
use super::write::{JournalWriter, journal_dir};
use super::{Spot, Step};
use crate::data_dir::{self, DataDir};
use crate::error::StorageError;
use crate::files::{make_dir, replace_file};
use crate::journal::{Kept, Next, SEGMENT_VERSION, Source};
use crate::snapshot::{self, Skipped};

/// How often a journal is read again whose last batch was taken back while it was read.
const WITHDRAWALS_MAX: u32 = 8;

/// The file `clock` is one short line.
const CLOCK_BYTES_MAX: usize = 256;

/// Two backups into one place would remove each other's files.
const LOCK: &str = "lock";

/// Names that an empty directory may have.
const HARMLESS: [&str; 4] = [LOCK, MARKER, "tidegate-backup.tmp", "lost+found"];

/// What the marker says to a person.
const MARKER_TEXT: &str = "A backup made by Tidegate. Without manifest.json it is not complete.\n";

/// What a backup did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackedUp {
    /// What the backup holds now.
    pub manifest: Manifest,
    /// Bytes of segments and snapshots that were written.
    pub bytes_written: u64,
    /// Bytes of segments that were there from an earlier backup.
    pub bytes_kept: u64,
    /// Snapshots of the shop that cannot be trusted, and are not in the backup.
    pub skipped: Vec<Skipped>,
}

/// Copies the data directory `from` to `to`, which is made, or holds an earlier backup of the same shop. The owner may
/// live and write meanwhile. What was durable before this began is in the backup, and each journal ends at a whole
/// batch. `pid` is left in the lock of `to` for whoever comes second; `progress` hears how far it is.
///
/// # Errors
/// [`BackupError::NotEmpty`] if something else is in `to`, [`BackupError::Ahead`] if the backup there has what the shop
/// does not have, and what the disks and journals say. The source is never changed; a backup that was whole in `to`
/// still is, unless the error came after the new one was complete.
pub fn back_up(
    from: Spot<'_>,
    to: Spot<'_>,
    clock: &dyn Clock,
    pid: u32,
    progress: &mut dyn FnMut(Step),
) -> Result<BackedUp, BackupError> {
    let begun_ms = clock.wall_ms();
    let data = DataDir::inspect(from.disk, from.dir)?;
    let (_lock, before) = prepare(to, pid)?;
    // In this order: see the module above.
    let sales = data.sale_numbers(&**from.disk)?;
    let journals = std::iter::once(None).chain(sales.into_iter().map(Some));
    let mut copying = Copying {
        from,
        to,
        before: before.as_ref(),
        step: Step::default(),
        progress,
        done: BackedUp {
            manifest: Manifest {
                begun_ms,
                ended_ms: begun_ms,
                written_by: env!("CARGO_PKG_VERSION").to_owned(),
                formats: Formats {
                    data: data_dir::VERSION,
                    segment: SEGMENT_VERSION,
                    snapshot: snapshot::VERSION,
                },
                clock: clock_note(&**from.disk, &data.clock())?,
                journals: Vec::new(),
            },
            bytes_written: 0,
            bytes_kept: 0,
            skipped: Vec::new(),
        },
    };
    let journals: Vec<_> = journals.collect();
    copying.estimate(&journals);
    for sale in journals {
        copying.journal(sale)?;
    }
    let mut done = copying.done;
    done.manifest.ended_ms = clock.wall_ms().max(begun_ms);
    refuse_vanished(to.dir, before.as_ref(), &done.manifest)?;
    done.manifest.write(&**to.disk, to.dir)?;
    remove_unnamed(&**to.disk, to.dir, before.as_ref(), &done.manifest);
    Ok(done)
}

/// Makes or recognises the place, and takes its lock; gives the manifest of an earlier backup.
fn prepare(
    to: Spot<'_>,
    pid: u32,
) -> Result<(Box<dyn world::disk::DiskLock>, Option<Manifest>), BackupError> {
    let (disk, dir) = (&**to.disk, to.dir);
    make_dir(disk, dir).map_err(cannot("make", dir))?;
    let marker = dir.join(MARKER);
    let ours = disk.exists(&marker).map_err(cannot("look into", dir))?;
    if !ours {
        let names = disk.list(dir).map_err(cannot("list", dir))?;
        let mut names = names.into_iter();
        if let Some(found) = names.find(|name| !HARMLESS.contains(&name.as_str())) {
            let path = dir.to_owned();
            return Err(BackupError::NotEmpty { path, found });
        }
    }
    let lock = disk
        .try_lock(&dir.join(LOCK), &format!("{pid}\n"))
        .map_err(|error| match error {
            LockError::Held { note } => StorageError::Locked {
                path: dir.to_owned(),
                pid: note.trim().parse().ok(),
            }
            .into(),
            LockError::Io(error) => cannot("lock", dir)(error),
        })?;
    if !ours {
        replace_file(disk, &marker, &[MARKER_TEXT.as_bytes()]).map_err(cannot("write", &marker))?;
    }
    match Manifest::read(disk, dir) {
        Ok(manifest) => Ok((lock, Some(manifest))),
        Err(BackupError::Incomplete { .. }) => Ok((lock, None)),
        Err(error) => Err(error),
    }
}

/// The text of the clock file; one that is no short text tells nothing to anybody.
fn clock_note(disk: &dyn Disk, path: &Path) -> Result<Option<String>, BackupError> {
    let mut bytes = [0; CLOCK_BYTES_MAX];
    let read = disk
        .open(path, Access::Read)
        .and_then(|file| file.read_at(0, &mut bytes));
    match read {
        Ok(count) => Ok(String::from_utf8(bytes[..count].to_vec()).ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(cannot("read", path)(error)),
    }
}

struct Copying<'a> {
    from: Spot<'a>,
    to: Spot<'a>,
    before: Option<&'a Manifest>,
    step: Step,
    progress: &'a mut dyn FnMut(Step),
    done: BackedUp,
}

impl Copying<'_> {
    /// How much there is to read: the files as long as they are now.
    fn estimate(&mut self, journals: &[Option<u64>]) {
        let disk = &**self.from.disk;
        for sale in journals {
            let dir = journal_dir(self.from.dir, *sale);
            self.step.bytes_total +=
                segment_bytes(disk, &dir) + segment_bytes(disk, &dir.join("archive"));
        }
        (self.progress)(self.step);
    }

    fn journal(&mut self, sale: Option<u64>) -> Result<(), BackupError> {
        let step = self.step;
        let mut withdrawals = 0;
        loop {
            match self.try_journal(sale) {
                // The owner's append failed after its bytes were read: they never counted.
                Err(BackupError::Journal(JournalError::Withdrawn { .. }))
                    if withdrawals < WITHDRAWALS_MAX =>
                {
                    withdrawals += 1;
                    self.step = step;
                }
                done => return done,
            }
        }
    }

    fn try_journal(&mut self, sale: Option<u64>) -> Result<(), BackupError> {
        let dir = journal_dir(self.from.dir, sale);
        let before = self.before.and_then(|before| before.journal(sale));
        let Some(mut source) = Source::open(self.from.disk, &dir)? else {
            return Ok(());
        };
        let own = before.filter(|before| before.journal.0 == source.journal());
        if let Some(other) = before.filter(|_| own.is_none()) {
            return Err(self.ahead(other));
        }
        let mut wanted = Wanted::list(&**self.from.disk, &dir, own)?;
        let kept = own.map(JournalCopy::kept).unwrap_or_default();
        let count = source.pass_over(&kept)?;
        let kept = &kept[..count];
        kept.iter().for_each(|kept| wanted.meet(kept.end));
        let target = journal_dir(self.to.dir, sale);
        let name = |kept: &Kept| SegmentCopy::of(kept).file_name();
        let mut writer = JournalWriter::begin(&**self.to.disk, target, name, kept.to_vec())?;
        while let Some(next) = source.next(writer.last().as_ref())? {
            let batch = match next {
                Next::Batch(batch) => batch,
                Next::Begins(headers, batch) => {
                    headers
                        .into_iter()
                        .try_for_each(|header| writer.enter(header))?;
                    batch
                }
            };
            self.batch(own, &mut wanted, &batch)?;
            writer.push(&batch)?;
        }
        let done = writer.finish()?;
        self.keep(sale, done, count, wanted)
    }

    fn batch(
        &mut self,
        own: Option<&JournalCopy>,
        wanted: &mut Wanted,
        batch: &Batch,
    ) -> Result<(), BackupError> {
        wanted.meet(batch.position());
        self.step.bytes += batch.payload.len() as u64;
        self.step.bytes_total = self.step.bytes_total.max(self.step.bytes);
        (self.progress)(self.step);
        match own {
            Some(own) if own.batch == batch.sequence && own.chain.0 != batch.chain => {
                Err(self.ahead(own))
            }
            _ => Ok(()),
        }
    }

    /// Notes a copied journal and copies its snapshots; one without a batch has nothing to note.
    fn keep(
        &mut self,
        sale: Option<u64>,
        segments: Vec<Kept>,
        passed_over: usize,
        wanted: Wanted,
    ) -> Result<(), BackupError> {
        let Some(last) = segments.last().cloned() else {
            return Ok(());
        };
        let bytes = |segments: &[Kept]| segments.iter().map(|kept| kept.bytes).sum::<u64>();
        self.done.bytes_kept += bytes(&segments[..passed_over]);
        self.done.bytes_written += bytes(&segments[passed_over..]);
        self.step.bytes += bytes(&segments[..passed_over]);
        let snapshots = self.snapshots(sale, &wanted)?;
        self.done.manifest.journals.push(JournalCopy {
            sale,
            journal: Hex(last.journal),
            batch: last.end.sequence,
            chain: Hex(last.end.chain),
            time_ms: last.time_ms,
            bytes: bytes(&segments),
            segments: segments.iter().map(SegmentCopy::of).collect(),
            snapshots,
        });
        Ok(())
    }

    /// Copies the snapshots whose place the copy has, and whose bytes can be trusted.
    fn snapshots(
        &mut self,
        sale: Option<u64>,
        wanted: &Wanted,
    ) -> Result<Vec<SnapshotCopy>, BackupError> {
        let (from, to) = (
            journal_dir(self.from.dir, sale),
            journal_dir(self.to.dir, sale),
        );
        let mut copies = Vec::new();
        for (sequence, met) in &wanted.places {
            let Some(position) = met else {
                continue;
            };
            let path = from.join(snapshot::file_name(*sequence));
            let target = SnapshotCopy {
                batch: *sequence,
                chain: Hex(position.chain),
                bytes: 0,
            };
            let file = to.join(target.file_name());
            match snapshot::copy((&**self.from.disk, &path), (&**self.to.disk, &file)) {
                Ok((found, bytes)) if found == *position => {
                    self.done.bytes_written += bytes;
                    copies.push(SnapshotCopy { bytes, ..target });
                }
                Ok(_) => self.skip(path, "it is of another history than the journal".to_owned()),
                Err(error) if of_the_target(&error, &file) => return Err(error.into()),
                // The owner keeps the newest two, and removes others meanwhile.
                Err(error) if is_gone(&error) => {}
                Err(error) => self.skip(path, snapshot::with_source(&error)),
            }
        }
        Ok(copies)
    }

    fn skip(&mut self, path: PathBuf, reason: String) {
        self.done.skipped.push(Skipped { path, reason });
    }

    fn ahead(&self, copy: &JournalCopy) -> BackupError {
        ahead(self.to.dir, copy)
    }
}

/// The snapshots of a journal, and whether the copy has come to their places.
struct Wanted {
    places: BTreeMap<u64, Option<Position>>,
}

impl Wanted {
    /// Lists the snapshots of the source; what an earlier backup says of their places is known.
    fn list(disk: &dyn Disk, dir: &Path, own: Option<&JournalCopy>) -> Result<Self, BackupError> {
        let mut wanted = Self {
            places: snapshot::sequences(disk, dir)?
                .into_iter()
                .map(|sequence| (sequence, None))
                .collect(),
        };
        for copy in own.iter().flat_map(|own| &own.snapshots) {
            wanted.meet(Position {
                sequence: copy.batch,
                chain: copy.chain.0,
            });
        }
        Ok(wanted)
    }

    fn meet(&mut self, position: Position) {
        if let Some(place) = self.places.get_mut(&position.sequence) {
            *place = Some(position);
        }
    }
}

/// Refuses to replace a manifest by one that has less of a journal.
fn refuse_vanished(
    dir: &Path,
    before: Option<&Manifest>,
    now: &Manifest,
) -> Result<(), BackupError> {
    let vanished = before
        .iter()
        .flat_map(|before| &before.journals)
        .find(|before| {
            now.journal(before.sale)
                .is_none_or(|now| now.batch < before.batch)
        });
    vanished.map_or(Ok(()), |copy| Err(ahead(dir, copy)))
}

fn ahead(dir: &Path, copy: &JournalCopy) -> BackupError {
    BackupError::Ahead {
        path: dir.to_owned(),
        sale: copy.sale,
        sequence: copy.batch,
    }
}

/// Removes files that the manifest does not name. The backup is complete; what cannot be removed only takes room, and
/// the next backup tries again.
fn remove_unnamed(disk: &dyn Disk, root: &Path, before: Option<&Manifest>, now: &Manifest) {
    let journals = now
        .journals
        .iter()
        .chain(before.iter().flat_map(|before| &before.journals));
    for sale in journals.map(|copy| copy.sale) {
        let dir = journal_dir(root, sale);
        let named = named(now, sale);
        for name in disk.list(&dir).unwrap_or_default() {
            let ours = [".journal", ".snap", ".tmp"];
            if ours.iter().any(|end| name.ends_with(end)) && !named.contains(&name) {
                let _ = disk.remove(&dir.join(name));
            }
        }
    }
    let _ = disk.remove(&root.join(format!("{MANIFEST}.tmp")));
}

fn named(manifest: &Manifest, sale: Option<u64>) -> Vec<String> {
    let copy = manifest.journal(sale);
    let segments = copy.iter().flat_map(|copy| &copy.segments);
    let snapshots = copy.iter().flat_map(|copy| &copy.snapshots);
    segments
        .map(SegmentCopy::file_name)
        .chain(snapshots.map(SnapshotCopy::file_name))
        .collect()
}

/// Bytes of the segments in a directory; what cannot be seen counts nothing.
fn segment_bytes(disk: &dyn Disk, dir: &Path) -> u64 {
    let names = disk.list(dir).unwrap_or_default();
    let segments = names.iter().filter(|name| name.ends_with(".journal"));
    let length = |name: &String| {
        disk.open(&dir.join(name), Access::Read)
            .and_then(|file| file.len())
            .unwrap_or(0)
    };
    segments.map(length).sum()
}

fn of_the_target(error: &StorageError, target: &Path) -> bool {
    matches!(error, StorageError::Io { path, .. } if path == target)
}

fn is_gone(error: &StorageError) -> bool {
    matches!(error, StorageError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
}
