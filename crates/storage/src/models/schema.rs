//! The database file: its tables, its version, and what happens to a file that cannot be trusted.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::ModelsError;

/// The version of the tables. There is no migration: an older or later file is built anew.
pub const SCHEMA_VERSION: u32 = 2;

/// "TGRM", in SQLite's header, so that a foreign database is not taken for ours.
const APPLICATION_ID: u32 = 0x5447_524D;

/// Pages in the log from which on they are moved into the file: often enough to keep the log small,
/// seldom enough that a page which changes again and again is moved once.
const LOG_PAGES: i64 = 8_192;

/// SQLite's own default.
const PAGE_BYTES: i64 = 4_096;

const TABLES: &str = "
CREATE TABLE positions (
    sale INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, chain BLOB NOT NULL, time_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE sales (
    sale INTEGER PRIMARY KEY, title TEXT NOT NULL, state INTEGER NOT NULL, currency TEXT NOT NULL,
    opens_ms INTEGER, closes_ms INTEGER, created_ms INTEGER NOT NULL, skus INTEGER NOT NULL,
    stocked INTEGER NOT NULL, available INTEGER NOT NULL, held INTEGER NOT NULL, sold INTEGER NOT NULL,
    written_off INTEGER NOT NULL, orders_placed INTEGER NOT NULL, orders_held INTEGER NOT NULL,
    orders_paid INTEGER NOT NULL, orders_cancelled INTEGER NOT NULL, orders_expired INTEGER NOT NULL
) STRICT;
CREATE TABLE stock (
    sale INTEGER NOT NULL, place INTEGER NOT NULL, sku TEXT NOT NULL, title TEXT NOT NULL,
    price INTEGER NOT NULL, stocked INTEGER NOT NULL, available INTEGER NOT NULL, held INTEGER NOT NULL,
    sold INTEGER NOT NULL, written_off INTEGER NOT NULL, PRIMARY KEY (sale, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE orders (
    id INTEGER PRIMARY KEY, buyer TEXT, state INTEGER NOT NULL, phase INTEGER NOT NULL,
    charge INTEGER NOT NULL, attempt INTEGER NOT NULL, total INTEGER NOT NULL, captured INTEGER NOT NULL,
    refunded INTEGER NOT NULL, refund_pending INTEGER NOT NULL, charged_back INTEGER NOT NULL,
    placed_ms INTEGER NOT NULL, deadline_ms INTEGER NOT NULL, units INTEGER NOT NULL,
    sequence INTEGER NOT NULL, events INTEGER NOT NULL, paid TEXT, lines TEXT NOT NULL, refunds TEXT, deal TEXT
) STRICT;
CREATE TABLE group_rules (
    sale INTEGER NOT NULL, number INTEGER NOT NULL, rule TEXT NOT NULL, PRIMARY KEY (sale, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE teams (
    id INTEGER PRIMARY KEY, rule INTEGER NOT NULL, state INTEGER NOT NULL, opened_ms INTEGER NOT NULL,
    ends_ms INTEGER NOT NULL, ended_ms INTEGER, size INTEGER NOT NULL, held INTEGER NOT NULL, paid INTEGER NOT NULL,
    filled INTEGER NOT NULL, house_fills INTEGER NOT NULL, members INTEGER NOT NULL, settled INTEGER NOT NULL,
    prizes INTEGER NOT NULL, drawn INTEGER NOT NULL
) STRICT;
CREATE TABLE tickets (
    id INTEGER PRIMARY KEY, sku INTEGER NOT NULL, units INTEGER NOT NULL, buyer TEXT NOT NULL,
    since_ms INTEGER NOT NULL, state INTEGER NOT NULL, offered INTEGER
) STRICT;
CREATE TABLE order_events (
    id INTEGER NOT NULL, number INTEGER NOT NULL, sequence INTEGER NOT NULL, at_ms INTEGER NOT NULL,
    kind INTEGER NOT NULL, amount INTEGER, units INTEGER, reference TEXT, PRIMARY KEY (id, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE buyers (
    hash INTEGER NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (hash, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE buyers_new (id INTEGER PRIMARY KEY, hash INTEGER NOT NULL) STRICT;
";

/// The index ends with the row's number, so that the filter and the order of the list come from one.
const INDEXES: &str = "
CREATE INDEX orders_state ON orders (state);
";

/// A file that could not be used and was moved out of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Where it is now.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

/// Opens the file for its writer, or makes it.
pub(super) fn open(path: &Path, cache_kib: u32) -> Result<Connection, ModelsError> {
    let connection = connect(path, OpenFlags::default(), cache_kib)?;
    // A new file holds nothing that a power cut could take, so making it waits for no disk.
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", 2 * LOG_PAGES * PAGE_BYTES)?;
    if is_empty(&connection)? {
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE;{TABLES}{INDEXES}{}COMMIT;",
            marks()
        ))?;
    }
    check_version(&connection)?;
    // Derived data: after a power cut the last transactions may be gone, never half there.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    Ok(connection)
}

/// Makes a file to be filled in one go: without a log, and indexed only at the end.
pub(super) fn open_bulk(path: &Path, cache_kib: u32) -> Result<Connection, ModelsError> {
    remove(path)?;
    let connection = connect(path, OpenFlags::default(), cache_kib)?;
    connection.pragma_update(None, "journal_mode", "OFF")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.execute_batch(&format!("BEGIN IMMEDIATE;{TABLES}{}COMMIT;", marks()))?;
    Ok(connection)
}

/// Completes a file made by [`open_bulk`].
pub(super) fn index(connection: &Connection) -> Result<(), ModelsError> {
    connection.execute_batch(INDEXES)?;
    Ok(())
}

/// Opens the file for queries only.
pub(super) fn open_reader(path: &Path, cache_kib: u32) -> Result<Connection, ModelsError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = connect(path, flags, cache_kib)?;
    check_version(&connection)?;
    Ok(connection)
}

fn connect(path: &Path, flags: OpenFlags, cache_kib: u32) -> Result<Connection, ModelsError> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.set_prepared_statement_cache_capacity(32);
    connection.busy_timeout(std::time::Duration::from_secs(5))?;
    connection.pragma_update(None, "cache_size", -i64::from(cache_kib))?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

fn marks() -> String {
    format!("PRAGMA application_id={APPLICATION_ID};PRAGMA user_version={SCHEMA_VERSION};")
}

fn is_empty(connection: &Connection) -> Result<bool, ModelsError> {
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(tables == 0)
}

fn check_version(connection: &Connection) -> Result<(), ModelsError> {
    let mark = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
    let found = (mark("application_id")?, mark("user_version")?);
    if found == (APPLICATION_ID, SCHEMA_VERSION) {
        return Ok(());
    }
    Err(ModelsError::Damaged(format!(
        "they have version {}, this program has {SCHEMA_VERSION}",
        found.1
    )))
}

/// Moves the file and its log out of the way, over an older one that was moved before; says where.
///
/// # Errors
/// [`ModelsError::Io`].
pub fn set_aside(path: &Path) -> Result<PathBuf, ModelsError> {
    let aside = with_suffix(path, ".aside");
    for suffix in ["", "-wal", "-shm"] {
        let (from, to) = (with_suffix(path, suffix), with_suffix(&aside, suffix));
        tolerate_missing("remove", &to, std::fs::remove_file(&to))?;
        tolerate_missing("set aside", &from, std::fs::rename(&from, &to))?;
    }
    Ok(aside)
}

/// Puts a file made by [`open_bulk`] into the place of another.
pub(super) fn replace(fresh: &Path, path: &Path) -> Result<(), ModelsError> {
    remove(path)?;
    tolerate_missing("rename", fresh, std::fs::rename(fresh, path))
}

fn remove(path: &Path) -> Result<(), ModelsError> {
    for suffix in ["", "-wal", "-shm"] {
        let file = with_suffix(path, suffix);
        tolerate_missing("remove", &file, std::fs::remove_file(&file))?;
    }
    Ok(())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push(suffix);
    name.into()
}

fn tolerate_missing(
    action: &'static str,
    path: &Path,
    done: io::Result<()>,
) -> Result<(), ModelsError> {
    match done {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(ModelsError::Io {
            action,
            path: path.to_owned(),
            source,
        }),
        _ => Ok(()),
    }
}
