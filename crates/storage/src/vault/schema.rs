//! The vault's file: two tables, and settings of SQLite that leave nothing behind.

use std::path::Path;

use rusqlite::Connection;

use super::VaultError;

/// "TGvt" as SQLite's mark of whose file it is.
const APPLICATION_ID: u32 = 0x5447_7674;
/// The only version so far.
const VERSION: u32 = 1;

const TABLES: &str = "
CREATE TABLE masters (id TEXT PRIMARY KEY, proof BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE people (
  person BLOB PRIMARY KEY,
  kept_ms INTEGER NOT NULL,
  master TEXT NOT NULL,
  wrapped BLOB NOT NULL,
  sealed BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX people_master ON people (master);
";

/// Opens the file or makes it.
pub(super) fn open(path: &Path) -> Result<Connection, VaultError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    // What is deleted is overwritten with zeros, in the file and not only in its list of free pages.
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "journal_mode", "TRUNCATE")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE;{TABLES}PRAGMA application_id={APPLICATION_ID};PRAGMA user_version={VERSION};COMMIT;"
        ))?;
    }
    check_version(&connection)?;
    Ok(connection)
}

pub(super) fn check_version(connection: &Connection) -> Result<(), VaultError> {
    let mark = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
    let (application, version) = (mark("application_id")?, mark("user_version")?);
    if (application, version) == (APPLICATION_ID, VERSION) {
        return Ok(());
    }
    let ours = application == APPLICATION_ID;
    Err(VaultError::Version {
        found: if ours { version } else { 0 },
        supported: VERSION,
    })
}

/// A master key's name, and what proves it.
pub(super) type Proof = (Box<str>, Vec<u8>);

/// The master keys that the file knows of.
pub(super) fn proofs(connection: &Connection) -> Result<Vec<Proof>, VaultError> {
    let mut select = connection.prepare("SELECT id, proof FROM masters ORDER BY id")?;
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Whether a record is locked with this master key.
pub(super) fn is_used(connection: &Connection, id: &str) -> Result<bool, VaultError> {
    let used = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM people WHERE master = ?1)",
        [id],
        |row| row.get(0),
    )?;
    Ok(used)
}
