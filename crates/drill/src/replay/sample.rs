//! A small made-up history of the same shape as a recorded one, for machines that have no recorded one at hand.

use super::ReplayError;
use crate::chance::Chance;
use std::io::Write;

/// What a made-up history is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// The same seed makes the same file.
    pub seed: u64,
    /// Invoices, cancellations and write-offs included.
    pub invoices: u32,
}

impl Default for Sample {
    /// Two thousand invoices.
    fn default() -> Self {
        Self {
            seed: 1,
            invoices: 2_000,
        }
    }
}

/// A line that was sold and may come back.
#[derive(Clone)]
struct Bought {
    customer: u64,
    item: u64,
    units: u64,
}

/// Writes a made-up history as CSV: orders of one to thirty lines by returning customers, some without a customer,
/// cancellations of what was bought and of what was not, write-offs, adjustments, prices of zero and with three
/// decimals, one bad row.
///
/// # Errors
/// It cannot be written.
pub fn write_sample(sample: Sample, out: impl Write) -> Result<(), ReplayError> {
    let mut csv = csv::Writer::from_writer(out);
    let mut sheet = Sheet {
        chance: Chance::new(sample.seed, 0),
        rows: Vec::new(),
        bought: Vec::new(),
    };
    for nth in 0..u64::from(sample.invoices) {
        sheet.invoice(nth);
    }
    sheet.row("999999", 1, "two", "1.00", "1", 0);
    let failed = |error: csv::Error| ReplayError::Unreadable("the sample".into(), error.into());
    csv.write_record([
        "InvoiceNo",
        "StockCode",
        "Description",
        "Quantity",
        "InvoiceDate",
        "UnitPrice",
        "CustomerID",
        "Country",
    ])
    .map_err(failed)?;
    for row in &sheet.rows {
        csv.write_record(row).map_err(failed)?;
    }
    csv.flush()
        .map_err(|error| ReplayError::Unreadable("the sample".into(), error))
}

struct Sheet {
    chance: Chance,
    rows: Vec<[String; 8]>,
    bought: Vec<Bought>,
}

impl Sheet {
    fn invoice(&mut self, nth: u64) {
        let number = 500_000 + nth;
        match self.chance.below(100) {
            0..80 => self.order(number, nth),
            80..93 => self.cancellation(number, nth),
            93..99 => {
                let (item, units) = (self.chance.below(60), self.chance.between(1, 40));
                self.row(
                    &number.to_string(),
                    item,
                    &format!("-{units}"),
                    "0.0",
                    "",
                    nth,
                );
            }
            _ => self.row(&format!("A{number}"), 99, "1", "-110.62", "", nth),
        }
    }

    fn order(&mut self, number: u64, nth: u64) {
        let customer = self.chance.between(1, 80);
        let anonymous = self.chance.percent(20);
        for _ in 0..self.chance.between(1, 30) {
            // The square makes a few items hot and many cold, like in life.
            let item = self.chance.below(8) * self.chance.below(8);
            let units = self.chance.between(1, 12);
            let price = *self
                .chance
                .pick(&["2.55", "0.85", "12.5", "0", "0.001", "1.005"]);
            let name = if anonymous {
                String::new()
            } else {
                customer.to_string()
            };
            self.row(
                &number.to_string(),
                item,
                &units.to_string(),
                price,
                &name,
                nth,
            );
            if !anonymous {
                self.bought.push(Bought {
                    customer,
                    item,
                    units,
                });
            }
        }
    }

    fn cancellation(&mut self, number: u64, nth: u64) {
        let invoice = format!("C{number}");
        if self.bought.is_empty() || self.chance.percent(15) {
            self.row(&invoice, 3, "-2", "2.55", "", nth);
            return;
        }
        let back = self.chance.pick(&self.bought).clone();
        // Sometimes more comes back than that line had: an earlier purchase explains it, or nothing does.
        let units = if self.chance.percent(10) {
            back.units * 20
        } else {
            self.chance.between(1, back.units)
        };
        let customer = back.customer.to_string();
        self.row(
            &invoice,
            back.item,
            &format!("-{units}"),
            "2.55",
            &customer,
            nth,
        );
    }

    fn row(
        &mut self,
        invoice: &str,
        item: u64,
        units: &str,
        price: &str,
        customer: &str,
        nth: u64,
    ) {
        let (day, minute) = (1 + nth / 1440 % 28, nth % 1440);
        let at = format!("2011-03-{day:02} {:02}:{:02}:00", minute / 60, minute % 60);
        self.rows.push([
            invoice.into(),
            format!("I{item:03}"),
            format!("ITEM \"{item}\", BOXED"),
            units.into(),
            at,
            price.into(),
            customer.into(),
            "United Kingdom".into(),
        ]);
    }
}
