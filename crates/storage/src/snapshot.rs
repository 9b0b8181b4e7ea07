//! Snapshots: a state at a position, so that a start need not read the whole journal.
//!
//! A snapshot is never the record. One that cannot be trusted is skipped, an older one or the
//! journal alone does as well; it only takes longer. One whose position the journal does not have
//! is a witness of loss, which [`crate::journal::recover`] says.

use std::io;
use std::path::{Path, PathBuf};

use world::disk::{Access, Disk};
use world::journal::Position;

use crate::error::StorageError;
use crate::files::replace_file;

/// Greatest payload, in bytes: more would not fit the memory of the machines this is meant for.
pub const PAYLOAD_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// How many are kept: the newest, and one in case that cannot be read.
const KEPT: usize = 2;

const HEADER_LEN: usize = 104;
const CHECKED_LEN: usize = 72;
const MAGIC: [u8; 8] = *b"TGSNAPSH";

/// Newest format that this program reads, and the one it writes.
pub(crate) const VERSION: u32 = 1;

/// A state and the place in the journal that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The last batch that is in the state.
    pub position: Position,
    /// That batch's time, in Unix milliseconds.
    pub time_ms: u64,
    /// The state, as its owner wrote it.
    pub payload: Vec<u8>,
}

/// What a search found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Newest {
    /// The newest snapshot that can be trusted.
    pub snapshot: Option<Snapshot>,
    /// Newer ones that cannot, newest first.
    pub skipped: Vec<Skipped>,
}

/// A snapshot that cannot be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its file.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

/// Writes a snapshot into `dir` and removes all but the newest two. After a crash it is there
/// whole or not at all.
///
/// # Errors
/// [`StorageError::TooLarge`], [`StorageError::Io`].
pub fn write(
    disk: &dyn Disk,
    dir: &Path,
    position: Position,
    time_ms: u64,
    payload: &[u8],
) -> Result<PathBuf, StorageError> {
    let found = payload.len() as u64;
    if found > PAYLOAD_BYTES_MAX {
        return Err(StorageError::TooLarge {
            found,
            limit: PAYLOAD_BYTES_MAX,
        });
    }
    let path = dir.join(file_name(position.sequence));
    let header = encode(position, time_ms, payload);
    replace_file(disk, &path, &[&header, payload])
        .map_err(|error| cannot("write", &path, error))?;
    for old in sequences(disk, dir)?.iter().rev().skip(KEPT) {
        let old = dir.join(file_name(*old));
        disk.remove(&old)
            .map_err(|error| cannot("remove", &old, error))?;
    }
    Ok(path)
}

/// Finds the newest snapshot in `dir` that can be trusted; a missing directory has none.
///
/// # Errors
/// [`StorageError::Io`] if the directory cannot be listed.
pub fn newest(disk: &dyn Disk, dir: &Path) -> Result<Newest, StorageError> {
    let mut newest = Newest::default();
    for sequence in sequences(disk, dir)?.into_iter().rev() {
        let path = dir.join(file_name(sequence));
        match read(disk, &path) {
            Ok(snapshot) if snapshot.position.sequence == sequence => {
                newest.snapshot = Some(snapshot);
                break;
            }
            Ok(_) => newest.skipped.push(Skipped {
                path,
                reason: "it has the name of another position".to_owned(),
            }),
            Err(error) => newest.skipped.push(Skipped {
                path,
                reason: with_source(&error),
            }),
        }
    }
    Ok(newest)
}

/// Reads one snapshot.
///
/// # Errors
/// [`StorageError::Damaged`], [`StorageError::Version`], [`StorageError::Io`].
pub fn read(disk: &dyn Disk, path: &Path) -> Result<Snapshot, StorageError> {
    let file = disk
        .open(path, Access::Read)
        .map_err(|error| cannot("open", path, error))?;
    let mut header = [0; HEADER_LEN];
    let count = file
        .read_at(0, &mut header)
        .map_err(|error| cannot("read", path, error))?;
    let length = file
        .len()
        .map_err(|error| cannot("read", path, error))?
        .saturating_sub(HEADER_LEN as u64);
    let payload_bytes = check_header(path, &header[..count], length)?;
    let mut payload = vec![0; payload_bytes];
    let count = file
        .read_at(HEADER_LEN as u64, &mut payload)
        .map_err(|error| cannot("read", path, error))?;
    if count < payload.len() || checksum(&header, &payload) != header[CHECKED_LEN..] {
        return Err(damaged(path, "the checksum does not match"));
    }
    let mut position = Position {
        sequence: long(&header, 16),
        chain: [0; 32],
    };
    position.chain.copy_from_slice(&header[24..56]);
    Ok(Snapshot {
        position,
        time_ms: long(&header, 56),
        payload,
    })
}

/// Copies one snapshot from a disk to a file on another, durably, having checked it; says what it is of and its bytes.
///
/// # Errors
/// As [`read`] says, and [`StorageError::Io`] for the other disk.
pub(crate) fn copy(
    (from, path): (&dyn Disk, &Path),
    (to, target): (&dyn Disk, &Path),
) -> Result<(Position, u64), StorageError> {
    let found = read(from, path)?;
    let header = encode(found.position, found.time_ms, &found.payload);
    replace_file(to, target, &[&header, &found.payload])
        .map_err(|error| cannot("write", target, error))?;
    let bytes = (HEADER_LEN + found.payload.len()) as u64;
    Ok((found.position, bytes))
}

/// Checks what can be checked before memory is taken for the payload.
fn check_header(path: &Path, header: &[u8], length: u64) -> Result<usize, StorageError> {
    if header.len() < HEADER_LEN {
        return Err(damaged(path, "the header is cut short"));
    }
    if header[0..8] != MAGIC {
        return Err(damaged(path, "this is no snapshot"));
    }
    let mut version = [0; 4];
    version.copy_from_slice(&header[8..12]);
    let found = u32::from_le_bytes(version);
    if found != VERSION {
        return Err(StorageError::Version {
            path: path.to_owned(),
            found,
            supported: VERSION,
        });
    }
    let stated = long(header, 64);
    if stated != length || stated > PAYLOAD_BYTES_MAX {
        return Err(damaged(path, "the length does not match"));
    }
    usize::try_from(stated).map_err(|_| damaged(path, "it is too large for this machine"))
}

fn encode(position: Position, time_ms: u64, payload: &[u8]) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    header[0..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[16..24].copy_from_slice(&position.sequence.to_le_bytes());
    header[24..56].copy_from_slice(&position.chain);
    header[56..64].copy_from_slice(&time_ms.to_le_bytes());
    header[64..72].copy_from_slice(&(payload.len() as u64).to_le_bytes());
    let sum = checksum(&header, payload);
    header[CHECKED_LEN..].copy_from_slice(&sum);
    header
}

fn checksum(header: &[u8; HEADER_LEN], payload: &[u8]) -> [u8; 32] {
    let mut hash = blake3::Hasher::new();
    hash.update(&header[..CHECKED_LEN]).update(payload);
    hash.finalize().into()
}

fn long(bytes: &[u8], at: usize) -> u64 {
    let mut long = [0; 8];
    long.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(long)
}

pub(crate) fn file_name(sequence: u64) -> String {
    format!("snapshot-{sequence:020}.snap")
}

pub(crate) fn sequences(disk: &dyn Disk, dir: &Path) -> Result<Vec<u64>, StorageError> {
    let names = match disk.list(dir) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot("list", dir, error)),
    };
    // Twenty digits each, so the order of names is the order of numbers.
    Ok(names.iter().filter_map(|name| sequence_of(name)).collect())
}

fn sequence_of(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("snapshot-")?.strip_suffix(".snap")?;
    let sequence = digits.parse().ok()?;
    (file_name(sequence) == name).then_some(sequence)
}

pub(crate) fn with_source(error: &StorageError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn damaged(path: &Path, reason: &'static str) -> StorageError {
    StorageError::Damaged {
        path: path.to_owned(),
        reason,
    }
}

fn cannot(action: &'static str, path: &Path, source: io::Error) -> StorageError {
    StorageError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}
