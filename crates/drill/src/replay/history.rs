//! A whole order history in memory: invoices in order of time, items with their demand.

use super::file::{self, Rejection, Row};
use super::{ReplayError, StockShare};
use api::PriceText;
use api::limits::{LINES_MAX, NAME_MAX, SKUS_MAX};
use std::collections::BTreeMap;
use std::path::Path;

/// One line of an invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Row of the file.
    pub row: u32,
    /// Place of the item in [`History::items`].
    pub item: u32,
    /// Units, without a sign.
    pub units: u32,
    /// Price of one unit.
    pub price: PriceText,
}

/// One invoice, its lines by what they mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    /// Its number, which is the idempotency key.
    pub number: Box<str>,
    /// Place of the customer in [`History::customers`].
    pub customer: Option<u32>,
    /// When it was written.
    pub at: jiff::civil::DateTime,
    /// Lines that sell: one order.
    pub sold: Vec<Line>,
    /// Lines of a cancellation: units that come back.
    pub returned: Vec<Line>,
    /// Other lines below zero: units that are lost.
    pub written_off: Vec<Line>,
}

/// One item of the shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its stock code.
    pub code: Box<str>,
    /// Its first description that is not empty.
    pub name: Box<str>,
    /// Its first price, shown as the price of the sale; orders carry their own.
    pub price: PriceText,
    /// Units that all orders of the file ask for together.
    pub demand: u64,
}

/// A history, ready to be replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// Invoices in order of time.
    pub invoices: Vec<Invoice>,
    /// Items in order of first appearance.
    pub items: Vec<Item>,
    /// Numbers of the customers in order of first appearance.
    pub customers: Vec<Box<str>>,
    /// Rows of the file, without the header.
    pub rows: u32,
    /// Rows that are not booked.
    pub rejections: Vec<Rejection>,
    /// Digest of the file.
    pub digest: blake3::Hash,
}

impl History {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, has other columns, is too large, or has more items than a sale may have.
    pub fn read(path: &Path) -> Result<Self, ReplayError> {
        let mut gathering = Gathering::default();
        let contents = file::read(path, |row| gathering.take(row))?;
        let mut history = gathering.finish();
        history.rows = contents.rows;
        history.digest = contents.digest;
        history.rejections.extend(contents.rejections);
        history.rejections.sort_by_key(|rejection| rejection.row);
        if history.items.len() > SKUS_MAX {
            return Err(ReplayError::TooManyItems(history.items.len()));
        }
        Ok(history)
    }

    /// Units of every item that the sale begins with.
    ///
    /// # Errors
    /// An item has more than a sale may hold.
    pub fn stock(&self, share: StockShare) -> Result<Vec<u32>, ReplayError> {
        self.items
            .iter()
            .map(|item| {
                share
                    .of(item.demand)
                    .ok_or_else(|| ReplayError::TooMuchStock(item.code.clone()))
            })
            .collect()
    }
}

/// A history while its file is read.
#[derive(Debug, Default)]
struct Gathering {
    invoices: Vec<Invoice>,
    invoice_places: BTreeMap<Box<str>, usize>,
    items: Vec<Item>,
    item_places: BTreeMap<Box<str>, u32>,
    customers: Vec<Box<str>>,
    customer_places: BTreeMap<Box<str>, u32>,
    rejections: Vec<Rejection>,
}

impl Gathering {
    fn take(&mut self, row: &Row<'_>) {
        if let Err(reason) = self.book(row) {
            self.rejections.push(Rejection {
                row: row.number,
                reason: reason.into(),
            });
        }
    }

    fn book(&mut self, row: &Row<'_>) -> Result<(), &'static str> {
        if row.invoice.starts_with('A') {
            return Err("an adjustment of the ledger is no sale");
        }
        let cancels = row.invoice.starts_with('C');
        if cancels && row.units > 0 {
            return Err("a cancellation with units above zero");
        }
        let customer = row.customer.map(|number| self.customer(number));
        let place = self.invoice(row, customer);
        if self.invoices[place].customer != customer {
            return Err("another customer than the invoice's first row");
        }
        if row.units > 0 && self.invoices[place].sold.len() >= LINES_MAX {
            return Err("more lines than one order may have");
        }
        let line = Line {
            row: row.number,
            item: self.item(row),
            units: row.units.unsigned_abs(),
            price: row.price,
        };
        let invoice = &mut self.invoices[place];
        if row.units > 0 {
            self.items[line.item as usize].demand += u64::from(line.units);
            invoice.sold.push(line);
        } else if cancels {
            invoice.returned.push(line);
        } else {
            invoice.written_off.push(line);
        }
        Ok(())
    }

    fn invoice(&mut self, row: &Row<'_>, customer: Option<u32>) -> usize {
        if let Some(place) = self.invoice_places.get(row.invoice) {
            return *place;
        }
        let place = self.invoices.len();
        self.invoice_places.insert(row.invoice.into(), place);
        self.invoices.push(Invoice {
            number: row.invoice.into(),
            customer,
            at: row.at,
            sold: Vec::new(),
            returned: Vec::new(),
            written_off: Vec::new(),
        });
        place
    }

    fn item(&mut self, row: &Row<'_>) -> u32 {
        let place = intern(&mut self.item_places, row.item);
        if place as usize == self.items.len() {
            self.items.push(Item {
                code: row.item.into(),
                name: Box::default(),
                price: row.price,
                demand: 0,
            });
        }
        let item = &mut self.items[place as usize];
        if item.name.is_empty() {
            item.name = plain_name(row.name);
        }
        place
    }

    fn customer(&mut self, number: &str) -> u32 {
        let place = intern(&mut self.customer_places, number);
        if place as usize == self.customers.len() {
            self.customers.push(number.into());
        }
        place
    }

    fn finish(mut self) -> History {
        // Stable: invoices of the same minute stay in the order of the file.
        self.invoices.sort_by_key(|invoice| invoice.at);
        History {
            invoices: self.invoices,
            items: self.items,
            customers: self.customers,
            rows: 0,
            rejections: self.rejections,
            digest: blake3::Hash::from_bytes([0; 32]),
        }
    }
}

/// The place of a name, a new one behind the last.
fn intern(places: &mut BTreeMap<Box<str>, u32>, name: &str) -> u32 {
    if let Some(place) = places.get(name) {
        return *place;
    }
    // A file has at most five million rows, each with one name of a kind.
    let next = u32::try_from(places.len()).unwrap_or(u32::MAX);
    places.insert(name.into(), next);
    next
}

/// A description as a name: trimmed, without control characters, cut to the limit.
fn plain_name(text: &str) -> Box<str> {
    let mut name: String = text.trim().chars().filter(|c| !c.is_control()).collect();
    while name.len() > NAME_MAX {
        name.pop();
    }
    name.into()
}
