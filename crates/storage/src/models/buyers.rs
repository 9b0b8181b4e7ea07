//! Whose orders are whose.
//!
//! Buyers come in no order, so an index over them would change a page for every order, and each
//! transaction would write the whole index again: measured, twenty times the bytes of the orders
//! themselves, beside the journal's own writes. So new orders are noted in a list in the order in
//! which they come, which costs next to nothing, and now and then the list is sorted and merged into
//! the index. A query asks both.

use rusqlite::{Connection, params};

use super::ModelsError;
use super::rows::OrderKey;

/// What stands for a buyer's name in index and list. Two names may share it, so whoever looks an
/// order up compares the name, too.
pub(super) fn hash(buyer: &str) -> i64 {
    let mut head = [0; 8];
    head.copy_from_slice(&blake3::hash(buyer.as_bytes()).as_bytes()[..8]);
    i64::from_le_bytes(head)
}

/// Notes whose order this is.
pub(super) fn note(
    connection: &Connection,
    order: OrderKey,
    buyer: &str,
) -> Result<(), ModelsError> {
    let mut statement =
        connection.prepare_cached("INSERT INTO buyers_new (id, hash) VALUES (?1, ?2)")?;
    statement.execute(params![order.row(), hash(buyer)])?;
    Ok(())
}

/// How many orders are noted and not merged.
pub(super) fn noted(connection: &Connection) -> Result<u64, ModelsError> {
    let count: i64 =
        connection.query_row("SELECT count(*) FROM buyers_new", [], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Merges the list into the index; needs a transaction.
pub(super) fn merge(connection: &Connection) -> Result<(), ModelsError> {
    connection.execute_batch(
        "INSERT INTO buyers (hash, id) SELECT hash, id FROM buyers_new ORDER BY hash, id;
         DELETE FROM buyers_new;",
    )?;
    Ok(())
}

/// Shows the row numbers from `from` to below `to` that may belong to a buyer, newest first, until
/// `visit` has enough.
pub(super) fn each_row(
    connection: &Connection,
    buyer: &str,
    (from, to): (i64, i64),
    visit: &mut dyn FnMut(i64) -> Result<Enough, ModelsError>,
) -> Result<(), ModelsError> {
    let hash = hash(buyer);
    let mut merged = connection.prepare_cached(
        "SELECT id FROM buyers WHERE hash = ?1 AND id >= ?2 AND id < ?3 ORDER BY id DESC",
    )?;
    let mut noted = connection.prepare_cached(
        "SELECT id FROM buyers_new WHERE hash = ?1 AND id >= ?2 AND id < ?3 ORDER BY id DESC",
    )?;
    let number = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
    let mut merged = merged.query_map([hash, from, to], number)?.peekable();
    let mut noted = noted.query_map([hash, from, to], number)?.peekable();
    loop {
        let first = match (merged.peek(), noted.peek()) {
            (Some(Ok(one)), Some(Ok(other))) if one < other => noted.next(),
            (Some(_), _) => merged.next(),
            (None, _) => noted.next(),
        };
        let Some(row) = first else { return Ok(()) };
        if visit(row?)? == Enough::Yes {
            return Ok(());
        }
    }
}

/// Whether more is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Enough {
    Yes,
    No,
}
