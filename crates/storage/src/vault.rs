//! The vault: personal data beside the journals, encrypted, and gone for good when they are erased.
//!
//! ```text
//!   secret ──derive──▶ master key ──wraps──▶ data key of one record ──seals──▶ the record
//!   (settings)          (never on disk)        (in the row)                      (in the row)
//! ```
//!
//! Journals are never rewritten, so nothing personal may be in them: they hold a buyer's pseudonym, and the vault holds
//! what leads from a digest of that pseudonym to a person. Erasing destroys the row with its data key; pages that SQLite
//! frees are overwritten with zeros. Every record has a data key of its own, drawn anew each time it is kept, so a nonce
//! is never used twice and turning the master key does not touch what is sealed.
//!
//! What is sealed names its person and its time as associated data: a row cannot be moved to another person, nor be made
//! to look younger than an erasure.
//!
//! Invariant: what is on disk says nothing about a person to whoever does not have the master key, except that somebody
//! with this pseudonym is in the vault.
//!
//! Deliberately not here: what a record means, and who may see it.

mod copy;
mod error;
mod schema;
mod seal;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use world::Entropy;

pub use copy::{copy, forget};
pub use error::VaultError;
pub use seal::MasterKey;

use seal::Seal;

/// Name of the vault's file in a data directory and in a backup.
pub const VAULT_FILE: &str = "vault.db";
/// Bytes of one record, at most.
pub const RECORD_BYTES_MAX: usize = 64 * 1024;

/// A person, as the vault knows it: a digest of its pseudonym.
pub type PersonId = [u8; 32];

/// The digest of a pseudonym.
#[must_use]
pub fn person_id(pseudonym: &str) -> PersonId {
    blake3::derive_key("tidegate vault person 1", pseudonym.as_bytes())
}

/// A record that was kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// When it was kept, in Unix milliseconds.
    pub kept_ms: u64,
    /// What it says.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record")
            .field("kept_ms", &self.kept_ms)
            .finish_non_exhaustive()
    }
}

/// The vault. All calls block for as long as the disk takes.
pub struct Vault {
    connection: Mutex<Connection>,
    /// The current one first.
    masters: Vec<MasterKey>,
    entropy: Arc<dyn Entropy>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}

impl Vault {
    /// Opens the vault at `path`, or makes it. The first master key is the current one; the others are older ones that
    /// records may still be wrapped with.
    ///
    /// # Errors
    /// [`VaultError::WrongKey`] and [`VaultError::MissingKey`] before anything is written; what the file says.
    pub fn open(
        path: &Path,
        masters: Vec<MasterKey>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, VaultError> {
        if masters.is_empty() {
            return Err(VaultError::NoKey);
        }
        let connection = schema::open(path)?;
        let vault = Self {
            connection: Mutex::new(connection),
            masters,
            entropy,
        };
        vault.check_masters()?;
        Ok(vault)
    }

    /// Keeps a record about a person, in the place of an earlier one.
    ///
    /// # Errors
    /// [`VaultError::TooLarge`]; what the file says.
    pub fn put(&self, person: &PersonId, record: &Record) -> Result<(), VaultError> {
        if record.bytes.len() > RECORD_BYTES_MAX {
            return Err(VaultError::TooLarge {
                found: record.bytes.len(),
            });
        }
        let seal = Seal::new(person, record.kept_ms);
        let key = seal::draw_key(&*self.entropy);
        let sealed = seal.seal(&key, &record.bytes, &*self.entropy)?;
        let master = &self.masters[0];
        let wrapped = seal.wrap(master, &key, &*self.entropy)?;
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        transaction.execute(
            "INSERT OR REPLACE INTO people (person, kept_ms, master, wrapped, sealed) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![person, signed(record.kept_ms), master.id(), wrapped, sealed],
        )?;
        transaction.commit()?;
        Ok(())
    }

    /// What is kept about a person.
    ///
    /// # Errors
    /// [`VaultError::Damaged`] if the record is not what was sealed.
    pub fn get(&self, person: &PersonId) -> Result<Option<Record>, VaultError> {
        let row = self
            .lock()
            .query_row(
                "SELECT kept_ms, master, wrapped, sealed FROM people WHERE person = ?1",
                [person],
                Row::read,
            )
            .optional()?;
        let Some(row) = row else { return Ok(None) };
        let seal = Seal::new(person, row.kept_ms);
        let key = seal.unwrap(self.master(&row.master)?, &row.wrapped)?;
        let bytes = seal.open(&key, &row.sealed)?;
        Ok(Some(Record {
            kept_ms: row.kept_ms,
            bytes,
        }))
    }

    /// Destroys what is kept about these people since the given times or earlier; says how many records there were.
    ///
    /// # Errors
    /// What the file says; either all are erased then or none.
    pub fn erase<'a>(
        &self,
        people: impl IntoIterator<Item = (&'a PersonId, u64)>,
    ) -> Result<usize, VaultError> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        let mut erased = 0;
        {
            let mut delete =
                transaction.prepare("DELETE FROM people WHERE person = ?1 AND kept_ms <= ?2")?;
            for (person, until_ms) in people {
                erased += delete.execute(params![person, signed(until_ms)])?;
            }
        }
        transaction.commit()?;
        Ok(erased)
    }

    /// Wraps every data key that an older master key wraps with the current one, and forgets the older ones; says how
    /// many. Afterwards the older secrets are not needed any more.
    ///
    /// # Errors
    /// [`VaultError::Damaged`]; what the file says. Either all are turned then or none.
    pub fn rotate(&self) -> Result<usize, VaultError> {
        let current = &self.masters[0];
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        let mut turned = 0;
        for (person, row) in older(&transaction, current.id())? {
            let seal = Seal::new(&person, row.kept_ms);
            let key = seal.unwrap(self.master(&row.master)?, &row.wrapped)?;
            let wrapped = seal.wrap(current, &key, &*self.entropy)?;
            turned += transaction.execute(
                "UPDATE people SET master = ?2, wrapped = ?3 WHERE person = ?1",
                params![person, current.id(), wrapped],
            )?;
        }
        transaction.execute("DELETE FROM masters WHERE id <> ?1", [current.id()])?;
        transaction.commit()?;
        Ok(turned)
    }

    /// How many people there are records of.
    ///
    /// # Errors
    /// What the file says.
    pub fn count(&self) -> Result<u64, VaultError> {
        let count: i64 = self
            .lock()
            .query_row("SELECT count(*) FROM people", [], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    fn master(&self, id: &str) -> Result<&MasterKey, VaultError> {
        let found = self.masters.iter().find(|master| master.id() == id);
        found.ok_or_else(|| VaultError::MissingKey { id: id.into() })
    }

    /// Every master key that the file knows of must be given and must be the same; only then is the current one noted.
    fn check_masters(&self) -> Result<(), VaultError> {
        let connection = self.lock();
        let known = schema::proofs(&connection)?;
        for (id, proof) in &known {
            let master = self.masters.iter().find(|master| master.id() == &**id);
            match master {
                Some(master) if master.proves(proof) => {}
                Some(_) => return Err(VaultError::WrongKey { id: id.clone() }),
                None if schema::is_used(&connection, id)? => {
                    return Err(VaultError::MissingKey { id: id.clone() });
                }
                None => {}
            }
        }
        let current = &self.masters[0];
        if !known.iter().any(|(id, _)| &**id == current.id()) {
            let proof = current.proof(&*self.entropy)?;
            connection.execute(
                "INSERT INTO masters (id, proof) VALUES (?1, ?2)",
                params![current.id(), proof],
            )?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

struct Row {
    kept_ms: u64,
    master: Box<str>,
    wrapped: Vec<u8>,
    sealed: Vec<u8>,
}

impl Row {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            kept_ms: row.get::<_, i64>(0)?.unsigned_abs(),
            master: row.get(1)?,
            wrapped: row.get(2)?,
            sealed: row.get(3)?,
        })
    }
}

/// The rows that another master key wraps.
fn older(transaction: &Transaction<'_>, current: &str) -> Result<Vec<(PersonId, Row)>, VaultError> {
    let mut select = transaction
        .prepare("SELECT kept_ms, master, wrapped, x'', person FROM people WHERE master <> ?1")?;
    let rows = select.query_map([current], |row| Ok((row.get(4)?, Row::read(row)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
