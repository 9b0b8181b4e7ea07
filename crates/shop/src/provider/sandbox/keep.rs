//! The sandbox's file: every charge and refund that was taken in, one line each, on disk before anybody is answered.
//!
//! A line is sixteen hexadecimal digits of a check, a space, and an object of JSON. A kill may leave the last line torn:
//! nobody was answered about it, so it is cut off. A line that is damaged with good ones behind it is not what a kill
//! leaves, and the file is refused.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use api::provider::{ChargeOutcome, ChargeRequest, RefundOutcome, RefundRequest};
use serde::{Deserialize, Serialize};
use world::disk::{Access, DiskFile, DiskLock, LockError};
use world::{Disk, ErrorKind};

/// Bytes that are read at a time.
const CHUNK: usize = 64 * 1024;
/// Bytes of a check and the space behind it.
const CHECK: usize = 17;

/// Why a sandbox cannot keep its ledger.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// Another sandbox has the file.
    #[error("{} is in use by {note}", path.display())]
    Held {
        /// The file.
        path: PathBuf,
        /// Who says that it has it.
        note: String,
    },
    /// The file cannot be read or written.
    #[error("{} cannot be used: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// It is damaged, or none of ours.
    #[error("{} is damaged in line {line}, with good lines behind it, or is no ledger", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
}

impl KeepError {
    /// What whoever starts it can do.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Held { .. } => ErrorKind::Conflict,
            Self::Io { .. } => ErrorKind::Fix,
            Self::Damaged { .. } => ErrorKind::Corrupt,
        }
    }
}

/// What became of something, in Unix milliseconds, which outlive the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptFate<O> {
    pub(super) end: O,
    /// Until then it is pending.
    pub(super) decided_ms: u64,
    /// When its end turns into this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) turns: Option<(u64, O)>,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Line {
    Charge(ChargeRequest, KeptFate<ChargeOutcome>),
    Refund(RefundRequest, KeptFate<RefundOutcome>),
}

/// The file of a ledger, for one process at a time.
#[derive(Debug)]
pub(super) struct Keep {
    file: Box<dyn DiskFile>,
    end: u64,
    /// A line that could not be made durable may be there or not; only a start can tell.
    broken: bool,
    _lock: Box<dyn DiskLock>,
}

impl Keep {
    /// Opens a file, or makes it, and gives what it holds.
    pub(super) fn open(disk: &Arc<dyn Disk>, path: &Path) -> Result<(Self, Vec<Line>), KeepError> {
        let cannot = |source| KeepError::Io {
            path: path.to_owned(),
            source,
        };
        let mut lock = path.as_os_str().to_owned();
        lock.push(".lock");
        let note = format!("process {}", std::process::id());
        let lock = disk.try_lock(Path::new(&lock), &note);
        let lock = lock.map_err(|error| match error {
            LockError::Held { note } => KeepError::Held {
                path: path.to_owned(),
                note,
            },
            LockError::Io(source) => cannot(source),
        })?;
        let file = disk.open(path, Access::OpenOrCreate).map_err(cannot)?;
        let parent = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        disk.sync_dir(parent).map_err(cannot)?;
        let bytes = read_all(&*file).map_err(cannot)?;
        let (lines, end) = read_lines(&bytes).map_err(|line| KeepError::Damaged {
            path: path.to_owned(),
            line,
        })?;
        let end = end as u64;
        if end < bytes.len() as u64 {
            file.set_len(end).map_err(cannot)?;
        }
        // Also what an earlier process wrote and did not live to sync is told from now on.
        file.sync_all().map_err(cannot)?;
        let keep = Self {
            file,
            end,
            broken: false,
            _lock: lock,
        };
        Ok((keep, lines))
    }

    /// Whether a line could not be written.
    pub(super) const fn is_broken(&self) -> bool {
        self.broken
    }

    /// Writes a line; it is on disk when this returns well. After a failure nothing is taken any more.
    pub(super) fn append(&mut self, line: &Line) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("an earlier line could not be written"));
        }
        self.broken = true;
        let text = write_line(line)?;
        self.file.write_at(self.end, text.as_bytes())?;
        self.file.sync_data()?;
        self.end += text.len() as u64;
        self.broken = false;
        Ok(())
    }
}

fn read_all(file: &dyn DiskFile) -> io::Result<Vec<u8>> {
    let (mut bytes, mut chunk) = (Vec::new(), vec![0; CHUNK]);
    loop {
        let read = file.read_at(bytes.len() as u64, &mut chunk)?;
        if read == 0 {
            return Ok(bytes);
        }
        bytes.extend_from_slice(&chunk[..read]);
    }
}

fn write_line(line: &Line) -> io::Result<String> {
    let json = serde_json::to_string(line)?;
    Ok(format!("{} {json}\n", check_of(json.as_bytes())))
}

fn check_of(json: &[u8]) -> String {
    blake3::hash(json).to_hex()[..CHECK - 1].to_owned()
}

/// The lines, and where the good ones end; or which one is damaged.
fn read_lines(bytes: &[u8]) -> Result<(Vec<Line>, usize), usize> {
    let (mut lines, mut end, mut torn) = (Vec::new(), 0, None);
    for (at, text) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        match (read_line(text), torn) {
            (Some(line), None) => {
                lines.push(line);
                end += text.len();
            }
            (Some(_), Some(first)) => return Err(first),
            (None, _) => torn = torn.or(Some(at + 1)),
        }
    }
    match torn {
        // A file without a single good line, which does not even begin like one, is somebody else's.
        Some(first) if lines.is_empty() && !begins_like_ours(bytes) => Err(first),
        _ => Ok((lines, end)),
    }
}

/// Whether this may be the first line, torn.
fn begins_like_ours(bytes: &[u8]) -> bool {
    let check = bytes.iter().take(CHECK - 1);
    let torn = |byte: &u8| byte.is_ascii_hexdigit() || *byte == 0;
    check.into_iter().all(torn) && !bytes.contains(&b'\n')
}

fn read_line(text: &[u8]) -> Option<Line> {
    let text = text.strip_suffix(b"\n")?;
    let (check, json) = text.split_at_checked(CHECK)?;
    let fits = check.strip_suffix(b" ")? == check_of(json).as_bytes();
    fits.then(|| serde_json::from_slice(json).ok())?
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use api::{OrderId, PaymentId, SaleId};
    use world::faults::MemoryDisk;

    fn line(number: u16) -> Line {
        let order = OrderId::new(SaleId::new(7).unwrap(), 9).unwrap();
        let request = ChargeRequest {
            key: PaymentId {
                order,
                attempt: number,
            },
            order,
            amount_minor: 1_250,
            currency: "EUR".parse().unwrap(),
        };
        let fate = KeptFate {
            end: ChargeOutcome::Declined,
            decided_ms: 5,
            turns: (number == 2).then_some((9, ChargeOutcome::Captured)),
        };
        Line::Charge(request, fate)
    }

    fn bytes(count: u16) -> Vec<u8> {
        let lines = (1..=count).map(|number| write_line(&line(number)).unwrap());
        lines.collect::<String>().into_bytes()
    }

    /// Wherever a kill cuts the file, and whatever of the last sector is zeros, the whole lines before are there.
    #[test]
    fn a_torn_tail_is_cut_off_and_nothing_before_it() {
        let (two, three) = (bytes(2), bytes(3));
        for cut in two.len()..three.len() {
            let mut torn = three[..cut].to_vec();
            assert_eq!(read_lines(&torn), Ok((vec![line(1), line(2)], two.len())));
            torn.resize(three.len() + 512, 0);
            assert_eq!(read_lines(&torn), Ok((vec![line(1), line(2)], two.len())));
        }
        assert_eq!(read_lines(&three).unwrap().0.len(), 3);
        assert_eq!(read_lines(&three[..20]), Ok((Vec::new(), 0)));
    }

    #[test]
    fn a_line_that_is_damaged_before_good_ones_is_no_torn_tail() {
        let mut damaged = bytes(3);
        let first = bytes(1).len();
        damaged[first + 30] ^= 1;
        assert_eq!(read_lines(&damaged), Err(2));
        assert_eq!(read_lines(b"a file\nof somebody else\n"), Err(1));
        assert_eq!(read_lines(b"a file of somebody else"), Err(1));
    }

    #[test]
    fn what_was_appended_is_there_after_a_start_and_one_process_has_the_file() {
        let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::default());
        let path = Path::new("/bank/ledger");
        disk.create_dir_all(Path::new("/bank")).unwrap();
        let (mut keep, none) = Keep::open(&disk, path).unwrap();
        assert_eq!(none, []);
        for number in 1..=3 {
            keep.append(&line(number)).unwrap();
        }
        let second = Keep::open(&disk, path);
        assert!(matches!(second, Err(KeepError::Held { .. })), "{second:?}");
        drop(keep);
        let (_keep, lines) = Keep::open(&disk, path).unwrap();
        assert_eq!(lines, [line(1), line(2), line(3)]);
    }
}
