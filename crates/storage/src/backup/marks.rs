//! How far buyers were told, in a backup: without it a restored shop would not know, and could only be silent about what
//! it had not told yet.

use std::io;
use std::path::Path;
use std::sync::Arc;

use world::Disk;
use world::disk::Access;

use super::Spot;
use super::error::{BackupError, cannot};
use crate::data_dir::NOTICES;
use crate::files::replace_file;

/// Copies the file of notices from a data directory into a backup, or back; false if there is none, and then an older copy
/// goes. It is copied after the journals: it may know more than they do, which whoever reads it can tell, and never less,
/// so that nobody is told twice.
///
/// # Errors
/// What the disks say.
pub fn copy_marks(from: Spot<'_>, to: Spot<'_>) -> Result<bool, BackupError> {
    let (source, target) = (from.dir.join(NOTICES), to.dir.join(NOTICES));
    let bytes = match read(from.disk, &source) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return match to.disk.remove(&target) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(cannot("remove", &target)(error))
                }
                _ => Ok(false),
            };
        }
        Err(error) => return Err(cannot("read", &source)(error)),
    };
    replace_file(&**to.disk, &target, &[&bytes]).map_err(cannot("write", &target))?;
    Ok(true)
}

/// The owner replaces the file as a whole, so what was opened stays what it was.
fn read(disk: &Arc<dyn Disk>, path: &Path) -> io::Result<Vec<u8>> {
    let file = disk.open(path, Access::Read)?;
    let length = file.len()?;
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    let read = file.read_at(0, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}
