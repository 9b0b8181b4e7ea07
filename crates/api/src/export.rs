//! Orders as files: CSV with a line for each order line, and JSON lines with one for each order.
//!
//! A spreadsheet takes a cell that begins with `=`, `+`, `-`, `@`, a tab or a return for a formula. What others wrote
//! (buyers, SKUs) is therefore given an apostrophe in front where it begins so; numbers are ours and stay as they are.

use crate::order::Order;
use crate::time::Time;
use std::fmt::Write;

/// The columns of an export, in their order; `docs/howto/export-orders.md` says what they mean.
pub const COLUMNS: [&str; 18] = [
    "order_id",
    "sale_id",
    "buyer",
    "state",
    "placed_at",
    "currency",
    "total_minor",
    "captured_minor",
    "refunded_minor",
    "refund_pending_minor",
    "charged_back_minor",
    "payment_state",
    "line",
    "sku",
    "quantity",
    "price",
    "line_total_minor",
    "returned_quantity",
];

/// How orders are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values after RFC 4180, with a head.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

impl Format {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        }
    }

    /// The media type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Jsonl => "application/x-ndjson",
        }
    }

    /// What stands before the first order.
    #[must_use]
    pub fn head(self) -> String {
        match self {
            Self::Csv => format!("{}\r\n", COLUMNS.join(",")),
            Self::Jsonl => String::new(),
        }
    }

    /// Adds an order.
    pub fn write(self, order: &Order, text: &mut String) {
        match self {
            Self::Csv => write_rows(order, text),
            Self::Jsonl => {
                // An order that cannot be written as JSON could not have been answered either.
                text.push_str(&serde_json::to_string(order).unwrap_or_default());
                text.push('\n');
            }
        }
    }
}

fn write_rows(order: &Order, text: &mut String) {
    let payment = order.payment.as_ref().and_then(|payment| {
        let state = serde_json::to_value(payment.state).ok()?;
        Some(state.as_str()?.to_owned())
    });
    let head = [
        order.id.to_string(),
        order.sale_id.to_string(),
        foreign(order.buyer.as_deref().unwrap_or_default()),
        order.state.name().to_owned(),
        time(order.placed_at),
        order.currency.to_string(),
        order.total_minor.to_string(),
        order.captured_minor.to_string(),
        order.refunded_minor.to_string(),
        order.refund_pending_minor.to_string(),
        order.charged_back_minor.to_string(),
        payment.unwrap_or_default(),
    ]
    .map(|cell| quoted(&cell))
    .join(",");
    for line in &order.lines {
        let written = write!(
            text,
            "{head},{},{},{},{},{},{}\r\n",
            line.line,
            quoted(&foreign(&line.sku)),
            line.quantity,
            line.price,
            line.total_minor,
            line.returned_quantity
        );
        debug_assert!(written.is_ok(), "a String takes all that is written");
    }
}

fn time(time: Time) -> String {
    time.to_string()
}

/// A text that somebody else wrote, so that no spreadsheet takes it for a formula. Full-width forms count too: some
/// programs fold them.
fn foreign(text: &str) -> String {
    let formula = text.trim_start_matches(' ').starts_with([
        '=', '+', '-', '@', '\t', '\r', '\n', '|', '＝', '＋', '－', '＠',
    ]);
    if formula {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// A cell, in quotes where it needs them.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\r', '\n', ';', '\'']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::order::{OrderLine, OrderState};

    fn order(buyer: &str, skus: &[&str]) -> Order {
        let line = |(place, sku): (usize, &&str)| OrderLine {
            line: u16::try_from(place).unwrap(),
            sku: (*sku).into(),
            quantity: 2,
            price: "12.50".parse().unwrap(),
            total_minor: 2_500,
            returned_quantity: 0,
        };
        Order {
            id: "ord_00009g59MuH".parse().unwrap(),
            sale_id: crate::SaleId::new(1).unwrap(),
            buyer: Some(buyer.into()),
            state: OrderState::Paid,
            currency: "GBP".parse().unwrap(),
            total_minor: 2_500,
            lines: skus.iter().enumerate().map(line).collect(),
            captured_minor: 2_500,
            refunded_minor: 0,
            refund_pending_minor: 0,
            charged_back_minor: 0,
            placed_at: Time::from_ms(1_794_355_200_000),
            hold_expires_at: None,
            payment: None,
            refunds: Vec::new(),
            team: None,
            off: Vec::new(),
            difference_minor: 0,
            dues: None,
            due_minor: 0,
        }
    }

    #[test]
    fn a_cell_is_never_a_formula() {
        for evil in [
            "=1+1",
            "+1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "  =1",
            "＝1",
            "=cmd|' /C calc'!A0",
        ] {
            let mut text = String::new();
            Format::Csv.write(&order(evil, &[evil]), &mut text);
            let cells: Vec<&str> = text.trim_end().split(',').collect();
            for place in [2, 13] {
                assert!(
                    cells[place].trim_start_matches('"').starts_with('\''),
                    "{evil}: {text}"
                );
            }
        }
    }

    #[test]
    fn each_line_has_its_row_with_a_cell_for_every_column() {
        let mut text = Format::Csv.head();
        Format::Csv.write(&order("a \"b\", c", &["CUP", "MUG"]), &mut text);
        let rows: Vec<&str> = text.trim_end().split("\r\n").collect();
        assert_eq!(rows.len(), 3);
        assert_eq!(rows[0].split(',').count(), COLUMNS.len());
        assert!(rows[1].contains("\"a \"\"b\"\", c\""), "{}", rows[1]);
        assert_eq!(
            rows[2].split(',').count(),
            COLUMNS.len() + 1,
            "one comma is inside quotes"
        );
        assert!(rows[2].ends_with(",1,MUG,2,12.50,2500,0"), "{}", rows[2]);
    }

    #[test]
    fn a_json_line_is_the_order_as_the_api_gives_it() {
        let mut text = String::new();
        Format::Jsonl.write(&order("ann", &["CUP"]), &mut text);
        assert_eq!(text.matches('\n').count(), 1);
        let order: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (order["buyer"].as_str(), order["state"].as_str()),
            (Some("ann"), Some("paid"))
        );
    }
}
