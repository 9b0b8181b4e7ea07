//! A copy of the vault as it is at one moment, for backups, while its owner may live.

use std::io;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::{VaultError, schema};

/// Copies the vault in `from` into the directory `to`, over an older copy there; false if there is none in `from`. No
/// master key is needed: what is copied stays locked. Cut off at any moment, the older copy or the new one is whole.
///
/// # Errors
/// [`VaultError::Version`]; what the files say.
pub fn copy(from: &Path, to: &Path) -> Result<bool, VaultError> {
    let (source, target) = (from.join(super::VAULT_FILE), to.join(super::VAULT_FILE));
    if !source.try_exists()? {
        return Ok(false);
    }
    let beside = target.with_extension("db.tmp");
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(&source, flags)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    schema::check_version(&connection)?;
    // One transaction, and a file without free pages in which something could have been left.
    connection.execute("VACUUM INTO ?1", [beside.to_string_lossy()])?;
    std::fs::File::open(&beside)?.sync_all()?;
    std::fs::rename(&beside, &target)?;
    std::fs::File::open(to)?.sync_all()?;
    Ok(true)
}

/// Destroys what a vault that nobody has open keeps about these people, whenever it was kept; says how many records there
/// were. It needs no master key.
///
/// # Errors
/// As [`copy`].
pub fn forget(dir: &Path, people: &[super::PersonId]) -> Result<usize, VaultError> {
    let mut connection = schema::open(&dir.join(super::VAULT_FILE))?;
    let transaction = connection.transaction()?;
    let mut erased = 0;
    for person in people {
        erased += transaction.execute("DELETE FROM people WHERE person = ?1", [person])?;
    }
    transaction.commit()?;
    Ok(erased)
}
