//! Makes files of real zeros ahead of use.
//!
//! Overwriting allocated bytes needs no change of the file system's own records, so an fdatasync
//! costs one write instead of several. Reserving room without writing it does not help: the first
//! write then turns the reservation into data, which is such a change.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use world::Disk;
use world::disk::{Access, DiskFile};

/// Zeros written and synced at once: little enough that an append's sync beside it hardly waits.
const CHUNK_BYTES: usize = 256 * 1024;

static ZEROS: [u8; CHUNK_BYTES] = [0; CHUNK_BYTES];

/// A file of durable zeros, to become a segment.
#[derive(Debug)]
pub struct Prepared {
    pub(super) file: Box<dyn DiskFile>,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

/// Makes `path` a file of `bytes` zeros; `pause` is called between pieces and may stop the work.
///
/// # Errors
/// What the disk says, or `Interrupted` if stopped. The file is removed then, if it can be.
pub fn prepare(
    disk: &dyn Disk,
    path: &Path,
    bytes: u64,
    pause: &mut dyn FnMut() -> ControlFlow<()>,
) -> io::Result<Prepared> {
    let filled = fill(disk, path, bytes, pause);
    if filled.is_err() {
        // It holds nothing; whoever opens the journal next removes it too.
        let _ = disk.remove(path);
    }
    filled
}

fn fill(
    disk: &dyn Disk,
    path: &Path,
    bytes: u64,
    pause: &mut dyn FnMut() -> ControlFlow<()>,
) -> io::Result<Prepared> {
    let file = create(disk, path)?;
    let mut done = 0;
    while done < bytes {
        if done > 0 && pause().is_break() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let rest = usize::try_from(bytes - done).unwrap_or(usize::MAX);
        let chunk = &ZEROS[..rest.min(CHUNK_BYTES)];
        file.write_at(done, chunk)?;
        file.sync_data()?;
        done += chunk.len() as u64;
    }
    Ok(Prepared {
        file,
        path: path.to_owned(),
        bytes,
    })
}

/// A new empty file in place of any leftover of that name.
pub(super) fn create(disk: &dyn Disk, path: &Path) -> io::Result<Box<dyn DiskFile>> {
    match disk.open(path, Access::Create) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            disk.remove(path)?;
            disk.open(path, Access::Create)
        }
        opened => opened,
    }
}
