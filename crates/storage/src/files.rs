//! Small whole files: written beside, synced, then named.

use std::io;
use std::path::{Path, PathBuf};

use world::disk::{Access, Disk, DiskFile};

/// Bytes copied at once.
const COPY_BYTES: usize = 256 * 1024;

/// Replaces the file at `path`, or makes it: after a crash there is the old content or the new one,
/// and when this returns the new one is durable.
///
/// # Errors
/// What the disk says; the old content is still there then.
pub fn replace_file(disk: &dyn Disk, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    write_beside(disk, path, &mut |file| {
        let mut offset = 0;
        for part in parts {
            file.write_at(offset, part)?;
            offset += part.len() as u64;
        }
        Ok(())
    })
}

/// Copies `bytes` bytes of `from`, beginning at `offset`, into a new file `to`, durably.
pub(crate) fn copy_range(
    disk: &dyn Disk,
    from: &Path,
    offset: u64,
    bytes: u64,
    to: &Path,
) -> io::Result<()> {
    let source = disk.open(from, Access::Read)?;
    write_beside(disk, to, &mut |file| {
        let mut buffer = vec![0; COPY_BYTES];
        let mut done = 0;
        while done < bytes {
            let rest = usize::try_from(bytes - done).unwrap_or(COPY_BYTES);
            let count = source.read_at(offset + done, &mut buffer[..rest.min(COPY_BYTES)])?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            file.write_at(done, &buffer[..count])?;
            done += count as u64;
        }
        Ok(())
    })
}

fn write_beside(
    disk: &dyn Disk,
    path: &Path,
    fill: &mut dyn FnMut(&dyn DiskFile) -> io::Result<()>,
) -> io::Result<()> {
    let beside = beside(path);
    let file = disk.open(&beside, Access::OpenOrCreate)?;
    // A crash may have left an older attempt, longer than this one.
    file.set_len(0)?;
    fill(&*file)?;
    file.sync_all()?;
    disk.rename(&beside, path)?;
    disk.sync_dir(path.parent().unwrap_or(Path::new("")))
}

pub(crate) fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    path.with_file_name(name)
}

/// Makes a directory and its missing parents, durably.
///
/// One that exists already gets its name synced too: whoever made it may have died before that.
pub(crate) fn make_dir(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    let Some(parent) = dir.parent() else {
        return Ok(());
    };
    if disk.exists(dir)? {
        return match disk.sync_dir(parent) {
            // Then it was not made by us, and whoever made it saw to it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            synced => synced,
        };
    }
    if !parent.as_os_str().is_empty() {
        make_dir(disk, parent)?;
    }
    disk.create_dir_all(dir)?;
    disk.sync_dir(parent)
}
