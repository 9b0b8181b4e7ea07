//! Read models on SQLite: lists and histories of orders, stock and sales, derived from the journals.
//!
//! ```text
//!   projector ──rows + positions, one transaction──▶ Writer ──▶ models.sqlite ◀── Models ◀── queries
//!                                                    (one)                        (several, read-only)
//! ```
//!
//! A journal's position is stored in the transaction that brings its rows, so each batch counts
//! exactly once, whenever the process ends. Nothing here is a record: a file that cannot be trusted
//! is moved aside and built anew, and a power cut may lose the last rows but never mixes old and new.
//!
//! Rows are plain numbers and texts. What a state or a kind means, its writer knows; storage does not.
//!
//! Invariant: a row never says more than the positions stored with it.

mod buyers;
mod error;
mod offers;
mod pool;
mod query;
mod rows;
mod schema;
mod writer;

pub use error::ModelsError;
pub use offers::{DealRow, DuesRow, GroupRuleRow, TeamRow, TicketRow};
pub use pool::{Models, View};
pub use query::{OrderFilter, OrderPage, PAGE_ROWS_MAX, SaleFilter, SalePage};
pub use rows::{
    EventRow, LineRow, ORDER_NUMBER_BITS, OrderKey, OrderRow, PositionRow, RefundRow, SaleRow,
    StockRow,
};
pub use schema::{SCHEMA_VERSION, SetAside, set_aside};
pub use writer::Writer;
