//! Rows of what a sale offers beyond plain orders: what an order has beyond its lines, group rules, teams, places in line.

use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use super::{ModelsError, OrderKey, Writer};

/// What an order has beyond its lines. It lives inside the order's row, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DealRow {
    /// Its team.
    pub team: Option<u32>,
    /// How its seat stands.
    pub seat: u8,
    /// Whether its goods hang on a draw, and how.
    pub draw: u8,
    /// What came off the price of its lines: why, by what number, and how much.
    pub off: Vec<(u8, Option<u32>, i64)>,
    /// What went back of its price as its team ended in a better tier.
    pub difference: i64,
    /// Deposit and balance.
    pub dues: Option<DuesRow>,
}

/// Deposit and balance of an order. Amounts are minor units, times Unix milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DuesRow {
    /// The first due.
    pub deposit: i64,
    /// First moment at which the balance may be paid.
    pub from_ms: u64,
    /// First moment at which it no longer may.
    pub until_ms: u64,
    /// Whether the deposit is paid.
    pub paid: bool,
    /// Whether the balance is paid.
    pub whole: bool,
    /// Whether the merchant keeps the deposit.
    pub forfeited: bool,
}

/// A group rule that a sale has or had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRuleRow {
    /// The sale.
    pub sale: u32,
    /// Its place among all rules that the sale ever had.
    pub number: u32,
    /// The rule, as its writer reads it.
    pub rule: Box<str>,
}

/// A team. Times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamRow {
    /// Which: its sale, and its number there.
    pub key: OrderKey,
    /// The rule under which it was opened.
    pub rule: u32,
    /// How it stands.
    pub state: u8,
    /// When it was opened.
    pub opened_ms: u64,
    /// When its time is over.
    pub ends_ms: u64,
    /// When it ended.
    pub ended_ms: Option<u64>,
    /// Its seats.
    pub size: u32,
    /// Seats that are taken and not paid.
    pub held: u32,
    /// Seats that are paid.
    pub paid: u32,
    /// Seats that the house filled.
    pub filled: u32,
    /// Whether the house takes what becomes free.
    pub house_fills: bool,
    /// Orders that ever had a seat.
    pub members: u32,
    /// Of those, settled.
    pub settled: u32,
    /// Prize units that it holds.
    pub prizes: u32,
    /// Whether it was drawn.
    pub drawn: bool,
}

/// A place in a waiting line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketRow {
    /// Which: its sale, and its number there.
    pub key: OrderKey,
    /// The SKU's place in the sale.
    pub sku: u32,
    /// Units asked for.
    pub units: u32,
    /// Who waits.
    pub buyer: Box<str>,
    /// Since when, Unix milliseconds.
    pub since_ms: u64,
    /// How it stands.
    pub state: u8,
    /// The order that it was offered.
    pub offered: Option<u32>,
}

const TEAM_COLUMNS: &str = "id, rule, state, opened_ms, ends_ms, ended_ms, size, held, paid, filled, house_fills, \
     members, settled, prizes, drawn";
const TICKET_COLUMNS: &str = "id, sku, units, buyer, since_ms, state, offered";

/// `None` for a plain order, by far the most common.
pub(super) fn pack_deal(deal: Option<&DealRow>) -> Result<Option<String>, ModelsError> {
    let packed = deal.map(serde_json::to_string).transpose();
    packed.map_err(|error| ModelsError::Damaged(error.to_string()))
}

pub(super) fn unpack_deal(text: Option<&str>) -> Result<Option<Box<DealRow>>, ModelsError> {
    let deal = text.map(serde_json::from_str).transpose();
    deal.map_err(|error| ModelsError::Damaged(error.to_string()))
}

impl Writer {
    /// Writes a group rule, whether or not it is there.
    ///
    /// # Errors
    /// [`ModelsError::Database`].
    pub fn put_group_rule(&self, row: &GroupRuleRow) -> Result<(), ModelsError> {
        let mut statement = self.statement(
            "INSERT OR REPLACE INTO group_rules (sale, number, rule) VALUES (?1, ?2, ?3)",
        )?;
        statement.execute(params![row.sale, row.number, row.rule])?;
        Ok(())
    }

    /// Writes a team, whether or not it is there.
    ///
    /// # Errors
    /// [`ModelsError::Database`].
    pub fn put_team(&self, row: &TeamRow) -> Result<(), ModelsError> {
        let sql = format!(
            "INSERT OR REPLACE INTO teams ({TEAM_COLUMNS})
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
        );
        self.statement(&sql)?.execute(params![
            row.key.row(),
            row.rule,
            row.state,
            signed(row.opened_ms),
            signed(row.ends_ms),
            row.ended_ms.map(signed),
            row.size,
            row.held,
            row.paid,
            row.filled,
            row.house_fills,
            row.members,
            row.settled,
            row.prizes,
            row.drawn,
        ])?;
        Ok(())
    }

    /// Writes a place in a line, whether or not it is there.
    ///
    /// # Errors
    /// [`ModelsError::Database`].
    pub fn put_ticket(&self, row: &TicketRow) -> Result<(), ModelsError> {
        let sql = format!(
            "INSERT OR REPLACE INTO tickets ({TICKET_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
        );
        self.statement(&sql)?.execute(params![
            row.key.row(),
            row.sku,
            row.units,
            row.buyer,
            signed(row.since_ms),
            row.state,
            row.offered,
        ])?;
        Ok(())
    }

    /// A sale's group rules by their places.
    ///
    /// # Errors
    /// [`ModelsError::Database`], [`ModelsError::Damaged`].
    pub fn group_rules(&self, sale: u32) -> Result<Vec<GroupRuleRow>, ModelsError> {
        let mut statement =
            self.statement("SELECT number, rule FROM group_rules WHERE sale = ?1 ORDER BY number")?;
        let rows = statement.query_map([sale], |row| {
            Ok(GroupRuleRow {
                sale,
                number: row.get(0)?,
                rule: row.get(1)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One team.
    ///
    /// # Errors
    /// [`ModelsError::Database`], [`ModelsError::Damaged`].
    pub fn team(&self, key: OrderKey) -> Result<Option<TeamRow>, ModelsError> {
        let mut statement =
            self.statement(&format!("SELECT {TEAM_COLUMNS} FROM teams WHERE id = ?1"))?;
        let mut rows = statement.query([key.row()])?;
        rows.next()?.map(team_of).transpose()
    }

    /// One place in a line.
    ///
    /// # Errors
    /// [`ModelsError::Database`], [`ModelsError::Damaged`].
    pub fn ticket(&self, key: OrderKey) -> Result<Option<TicketRow>, ModelsError> {
        let mut statement = self.statement(&format!(
            "SELECT {TICKET_COLUMNS} FROM tickets WHERE id = ?1"
        ))?;
        let mut rows = statement.query([key.row()])?;
        rows.next()?.map(ticket_of).transpose()
    }
}

/// One team.
pub(super) fn team(connection: &Connection, key: OrderKey) -> Result<Option<TeamRow>, ModelsError> {
    let sql = format!("SELECT {TEAM_COLUMNS} FROM teams WHERE id = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([key.row()])?;
    rows.next()?.map(team_of).transpose()
}

/// Shows all teams of a sale in the order of their numbers.
pub(super) fn each_team(
    connection: &Connection,
    sale: u32,
    visit: &mut dyn FnMut(TeamRow),
) -> Result<(), ModelsError> {
    let sql = format!("SELECT {TEAM_COLUMNS} FROM teams WHERE id >= ?1 AND id < ?2 ORDER BY id");
    let range = OrderKey::rows_of(sale);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([range.start, range.end])?;
    while let Some(row) = rows.next()? {
        visit(team_of(row)?);
    }
    Ok(())
}

/// Shows all places in the lines of a sale in the order of their numbers.
pub(super) fn each_ticket(
    connection: &Connection,
    sale: u32,
    visit: &mut dyn FnMut(TicketRow),
) -> Result<(), ModelsError> {
    let sql =
        format!("SELECT {TICKET_COLUMNS} FROM tickets WHERE id >= ?1 AND id < ?2 ORDER BY id");
    let range = OrderKey::rows_of(sale);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([range.start, range.end])?;
    while let Some(row) = rows.next()? {
        visit(ticket_of(row)?);
    }
    Ok(())
}

fn team_of(row: &Row<'_>) -> Result<TeamRow, ModelsError> {
    Ok(TeamRow {
        key: OrderKey::from_row(row.get(0)?)?,
        rule: row.get(1)?,
        state: row.get(2)?,
        opened_ms: unsigned(row.get(3)?),
        ends_ms: unsigned(row.get(4)?),
        ended_ms: row.get::<_, Option<i64>>(5)?.map(unsigned),
        size: row.get(6)?,
        held: row.get(7)?,
        paid: row.get(8)?,
        filled: row.get(9)?,
        house_fills: row.get(10)?,
        members: row.get(11)?,
        settled: row.get(12)?,
        prizes: row.get(13)?,
        drawn: row.get(14)?,
    })
}

fn ticket_of(row: &Row<'_>) -> Result<TicketRow, ModelsError> {
    Ok(TicketRow {
        key: OrderKey::from_row(row.get(0)?)?,
        sku: row.get(1)?,
        units: row.get(2)?,
        buyer: row.get(3)?,
        since_ms: unsigned(row.get(4)?),
        state: row.get(5)?,
        offered: row.get(6)?,
    })
}

/// SQLite's integers are signed; what does not fit is no time of this world.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
