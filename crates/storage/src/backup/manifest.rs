//! The manifest: what a backup holds, written last and checked first.
//!
//! One JSON object: `format`, `version`, a BLAKE3 over version and content, and the content. The checksum is the same in
//! every version, so that a flipped bit in the version is damage and not the future.

use std::fmt;
use std::io;
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use world::Disk;
use world::disk::Access;
use world::journal::Position;

use super::error::{BackupError, cannot};
use crate::error::StorageError;
use crate::files::replace_file;
use crate::journal::Kept;

/// Newest manifest that this program reads, and the one it writes.
pub const MANIFEST_VERSION: u32 = 1;

/// Name of the manifest's file.
pub(super) const MANIFEST: &str = "manifest.json";

/// File that says that a directory is a backup, complete or not.
pub(super) const MARKER: &str = "tidegate-backup";

const FORMAT: &str = "tidegate backup";

/// A line for each segment, of at most 64 MiB: more than this is no manifest.
const MANIFEST_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// When the backup began, in Unix milliseconds of the machine's clock.
    pub begun_ms: u64,
    /// When it was complete.
    pub ended_ms: u64,
    /// Version of the program that wrote it.
    pub written_by: String,
    /// Versions of what it holds.
    pub formats: Formats,
    /// Content of the data directory's file `clock`, if it had one.
    pub clock: Option<String>,
    /// The journals that had a batch; the house journal first, then the sales, rising.
    pub journals: Vec<JournalCopy>,
}

/// Versions of the formats in a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Formats {
    /// Of the data directory.
    pub data: u32,
    /// Of the segments: the newest that may be among them.
    pub segment: u32,
    /// Of the snapshots, likewise.
    pub snapshot: u32,
}

/// A journal in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalCopy {
    /// Number of the sale; `None` for the house journal.
    pub sale: Option<u64>,
    /// Id of the journal.
    pub journal: Hex<16>,
    /// Number of the last batch.
    pub batch: u64,
    /// Chain hash after it.
    pub chain: Hex<32>,
    /// Its time, in Unix milliseconds.
    pub time_ms: u64,
    /// Bytes of all segments.
    pub bytes: u64,
    /// The segments, oldest first.
    pub segments: Vec<SegmentCopy>,
    /// The snapshots, oldest first.
    pub snapshots: Vec<SnapshotCopy>,
}

/// A segment in a backup; its file is named by its number and the chain hash at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentCopy {
    /// Its number.
    pub number: u64,
    /// Its bytes.
    pub bytes: u64,
    /// The last batch in it, or before it if it has none.
    pub batch: u64,
    /// Chain hash after that batch.
    pub chain: Hex<32>,
    /// Time of that batch, in Unix milliseconds.
    pub time_ms: u64,
}

/// A snapshot in a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotCopy {
    /// The last batch in the state.
    pub batch: u64,
    /// Chain hash after it.
    pub chain: Hex<32>,
    /// Its bytes.
    pub bytes: u64,
}

impl Manifest {
    /// Reads the manifest of the backup in `dir`, without looking at what it names.
    ///
    /// # Errors
    /// [`BackupError::NoBackup`], [`BackupError::Incomplete`], and as storage errors: damage, a later version, trouble
    /// with the disk.
    pub fn read(disk: &dyn Disk, dir: &Path) -> Result<Self, BackupError> {
        let path = dir.join(MANIFEST);
        let file = match disk.open(&path, Access::Read) {
            Ok(file) => file,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                return Err(absent(disk, dir));
            }
            Err(error) => return Err(cannot("open", &path)(error)),
        };
        let len = file.len().map_err(cannot("read", &path))?;
        let room = usize::try_from(len)
            .ok()
            .filter(|_| len <= MANIFEST_BYTES_MAX);
        let mut bytes = vec![0; room.ok_or_else(|| damaged(&path, "it is too large"))?];
        let count = file.read_at(0, &mut bytes).map_err(cannot("read", &path))?;
        Ok(Self::decode(&path, &bytes[..count])?)
    }

    /// Reads a manifest from bytes that nobody vouches for; `path` is for the words of errors.
    ///
    /// # Errors
    /// [`StorageError::Damaged`], [`StorageError::Version`].
    pub fn decode(path: &Path, bytes: &[u8]) -> Result<Self, StorageError> {
        let envelope: Envelope<'_> = serde_json::from_slice(bytes)
            .map_err(|_| damaged(path, "it is no manifest of a backup"))?;
        if envelope.format != FORMAT {
            return Err(damaged(path, "it is no manifest of a backup"));
        }
        if envelope.blake3 != checksum(envelope.version, envelope.backup.get()) {
            return Err(damaged(path, "its checksum does not match"));
        }
        if envelope.version != MANIFEST_VERSION {
            return Err(StorageError::Version {
                path: path.to_owned(),
                found: envelope.version,
                supported: MANIFEST_VERSION,
            });
        }
        serde_json::from_str(envelope.backup.get())
            .ok()
            .filter(Self::is_in_order)
            .ok_or_else(|| damaged(path, "its checksum matches and its content makes no sense"))
    }

    /// Whether each journal is named once.
    fn is_in_order(&self) -> bool {
        let pairs = self.journals.windows(2);
        pairs.into_iter().all(|pair| pair[0].sale < pair[1].sale)
    }

    /// The manifest as bytes.
    ///
    /// # Errors
    /// When a value does not encode.
    pub fn encode(&self) -> io::Result<Vec<u8>> {
        let body = serde_json::to_string_pretty(self)?;
        let envelope = Envelope {
            format: FORMAT,
            version: MANIFEST_VERSION,
            blake3: checksum(MANIFEST_VERSION, &body),
            backup: &RawValue::from_string(body)?,
        };
        let mut bytes = serde_json::to_vec_pretty(&envelope)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    pub(super) fn write(&self, disk: &dyn Disk, dir: &Path) -> Result<(), BackupError> {
        let path = dir.join(MANIFEST);
        self.encode()
            .and_then(|bytes| replace_file(disk, &path, &[&bytes]))
            .map_err(cannot("write", &path))
    }

    /// The journal of a sale, or of the house for `None`.
    #[must_use]
    pub fn journal(&self, sale: Option<u64>) -> Option<&JournalCopy> {
        self.journals.iter().find(|copy| copy.sale == sale)
    }
}

impl JournalCopy {
    /// The last batch.
    #[must_use]
    pub fn position(&self) -> Position {
        Position {
            sequence: self.batch,
            chain: self.chain.0,
        }
    }

    pub(super) fn kept(&self) -> Vec<Kept> {
        let kept = |segment: &SegmentCopy| Kept {
            journal: self.journal.0,
            number: segment.number,
            bytes: segment.bytes,
            end: Position {
                sequence: segment.batch,
                chain: segment.chain.0,
            },
            time_ms: segment.time_ms,
        };
        self.segments.iter().map(kept).collect()
    }
}

impl SegmentCopy {
    pub(super) fn of(kept: &Kept) -> Self {
        Self {
            number: kept.number,
            bytes: kept.bytes,
            batch: kept.end.sequence,
            chain: Hex(kept.end.chain),
            time_ms: kept.time_ms,
        }
    }

    /// Name of its file. What two segments of one number end with tells them apart.
    pub(super) fn file_name(&self) -> String {
        format!("{:08}-{}.journal", self.number, self.chain.head())
    }
}

impl SnapshotCopy {
    pub(super) fn file_name(&self) -> String {
        format!("snapshot-{:020}-{}.snap", self.batch, self.chain.head())
    }
}

#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    format: &'a str,
    version: u32,
    blake3: Hex<32>,
    #[serde(borrow)]
    backup: &'a RawValue,
}

fn checksum(version: u32, body: &str) -> Hex<32> {
    let mut hash = blake3::Hasher::new();
    hash.update(format!("{FORMAT} {version}\n").as_bytes())
        .update(body.as_bytes());
    Hex(hash.finalize().into())
}

fn absent(disk: &dyn Disk, dir: &Path) -> BackupError {
    let path = dir.to_owned();
    match disk.exists(&dir.join(MARKER)) {
        Ok(true) => BackupError::Incomplete { path },
        _ => BackupError::NoBackup { path },
    }
}

fn damaged(path: &Path, reason: &'static str) -> StorageError {
    StorageError::Damaged {
        path: path.to_owned(),
        reason,
    }
}

/// Bytes that are written as lowercase hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hex<const N: usize>(pub [u8; N]);

impl<const N: usize> Hex<N> {
    /// The first eight bytes: enough for a name.
    fn head(&self) -> String {
        self.0[..8]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

impl<const N: usize> fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl<const N: usize> fmt::Debug for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || serde::de::Error::custom("not the expected hexadecimal digits");
        if text.len() != 2 * N || !text.is_ascii() {
            return Err(wrong());
        }
        let mut bytes = [0; N];
        for (byte, place) in bytes.iter_mut().zip((0..text.len()).step_by(2)) {
            *byte = u8::from_str_radix(&text[place..place + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}
