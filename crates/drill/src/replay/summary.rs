//! What a replay comes to.

use super::Rejection;
use super::driver::{Done, Fate};
use super::history::History;
use serde::Serialize;
use std::fmt;

/// The figures of a replay, as `--json` prints them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Rows of the file, without the header.
    pub rows: u64,
    /// Orders that were accepted.
    pub orders: u64,
    /// Orders that were refused because not everything was left.
    pub refused_sold_out: u64,
    /// Units of the accepted orders.
    pub units_sold: u64,
    /// Units that came back and were matched to a purchase.
    pub units_returned: u64,
    /// Units that were written off.
    pub units_written_off: u64,
    /// Price of the accepted orders, minor units.
    pub gross_minor: i64,
    /// Money given back, minor units.
    pub refunded_minor: i64,
    /// Rows of cancellations of which not every unit could be matched to an earlier purchase.
    pub unmatched_returns: u64,
    /// Rows that could not be booked.
    pub rejected_rows: u64,
    /// From the first request to the last answer, s.
    pub elapsed_s: f64,
    /// Accepted orders in a second.
    pub orders_per_second: f64,
    /// `ok`, or `failed` when the book or the file say otherwise.
    pub verdict: &'static str,
}

/// Every row of the file in exactly one place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Buckets {
    /// Part of an accepted order.
    pub booked: u64,
    /// Part of an order that was refused as sold out.
    pub refused: u64,
    /// Came back, fully matched.
    pub returned: u64,
    /// Came back, not fully matched.
    pub unmatched: u64,
    /// Written off.
    pub written_off: u64,
    /// Could not be booked.
    pub rejected: u64,
}

impl Buckets {
    /// All rows.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.booked
            + self.refused
            + self.returned
            + self.unmatched
            + self.written_off
            + self.rejected
    }
}

/// A whole replay.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The figures.
    pub summary: Summary,
    /// What became of the rows.
    pub buckets: Buckets,
    /// Units that came back without a purchase that explains them.
    pub units_unmatched: u64,
    /// Rows that could not be booked, with their reasons, in the order of the file.
    pub rejections: Vec<Rejection>,
    /// What does not add up; empty when the verdict is `ok`.
    pub problems: Vec<String>,
}

pub(super) fn sum_up(history: &History, done: Done, mut problems: Vec<String>) -> Outcome {
    let buckets = count(&done.fates);
    if buckets.total() != u64::from(history.rows) {
        problems.push(format!(
            "{} rows have a place, the file has {}",
            buckets.total(),
            history.rows
        ));
    }
    let mut rejections = done.rejections;
    rejections.sort_by_key(|rejection| rejection.row);
    let accepted = done.orders.iter().zip(&history.invoices);
    let accepted = accepted.filter_map(|(id, invoice)| id.map(|_| invoice));
    let (mut orders, mut units_sold) = (0_u32, 0);
    for invoice in accepted {
        orders += 1;
        units_sold += invoice
            .sold
            .iter()
            .map(|line| u64::from(line.units))
            .sum::<u64>();
    }
    let elapsed_s = done.elapsed.as_secs_f64();
    let summary = Summary {
        rows: history.rows.into(),
        orders: orders.into(),
        refused_sold_out: done.refused_sold_out,
        units_sold,
        units_returned: done.units_returned,
        units_written_off: done.forecast.written_off().iter().sum(),
        gross_minor: done.gross_minor,
        refunded_minor: done.refunded_minor.values().sum(),
        unmatched_returns: buckets.unmatched,
        rejected_rows: buckets.rejected,
        elapsed_s: (elapsed_s * 1000.0).round() / 1000.0,
        orders_per_second: (f64::from(orders) / elapsed_s.max(0.001)).round(),
        verdict: if problems.is_empty() { "ok" } else { "failed" },
    };
    Outcome {
        summary,
        buckets,
        units_unmatched: done.units_unmatched,
        rejections,
        problems,
    }
}

fn count(fates: &[Fate]) -> Buckets {
    let mut buckets = Buckets::default();
    for fate in fates {
        match fate {
            Fate::Open => {}
            Fate::Booked => buckets.booked += 1,
            Fate::Refused => buckets.refused += 1,
            Fate::Returned => buckets.returned += 1,
            Fate::Unmatched => buckets.unmatched += 1,
            Fate::WrittenOff => buckets.written_off += 1,
            Fate::Rejected => buckets.rejected += 1,
        }
    }
    buckets
}

/// Rejections that the table shows.
const REJECTIONS_SHOWN: usize = 10;

impl fmt::Display for Outcome {
    /// The table for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sum, rows) = (&self.summary, &self.buckets);
        let mut line = |name: &str, value: String| writeln!(f, "  {name:<28}{value:>16}");
        line("rows", sum.rows.to_string())?;
        line("  booked", rows.booked.to_string())?;
        line("  refused, sold out", rows.refused.to_string())?;
        line("  returned", rows.returned.to_string())?;
        line("  returned, not matched", rows.unmatched.to_string())?;
        line("  written off", rows.written_off.to_string())?;
        line("  rejected", rows.rejected.to_string())?;
        line("orders", sum.orders.to_string())?;
        line("orders refused, sold out", sum.refused_sold_out.to_string())?;
        line("units sold", sum.units_sold.to_string())?;
        line("units returned", sum.units_returned.to_string())?;
        line(
            "units returned, not matched",
            self.units_unmatched.to_string(),
        )?;
        line("units written off", sum.units_written_off.to_string())?;
        line("gross", money(sum.gross_minor))?;
        line("refunded", money(sum.refunded_minor))?;
        line("seconds", format!("{:.3}", sum.elapsed_s))?;
        line("orders a second", format!("{:.0}", sum.orders_per_second))?;
        line("verdict", sum.verdict.to_owned())?;
        for rejection in self.rejections.iter().take(REJECTIONS_SHOWN) {
            writeln!(f, "  row {}: {}", rejection.row, rejection.reason)?;
        }
        let more = self.rejections.len().saturating_sub(REJECTIONS_SHOWN);
        if more > 0 {
            writeln!(f, "  and {more} more rejected rows")?;
        }
        self.problems
            .iter()
            .try_for_each(|problem| writeln!(f, "  PROBLEM {problem}"))
    }
}

fn money(minor: i64) -> String {
    format!("{}.{:02}", minor / 100, minor.unsigned_abs() % 100)
}
