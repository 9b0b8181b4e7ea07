//! The report of a verification as a person reads it.

use crate::terminal::{bold, faint, green, red};
use shop::verify::{Finding, Report, SaleReport, Verdict};
use std::fmt::Display;

/// Findings and divergences that are shown; `--json` has them all.
const SHOWN: usize = 20;

/// The whole report.
pub(super) fn of(report: &Report) -> String {
    let mut text = String::new();
    row(&mut text, "journals", report.sales.len() + 1);
    row(&mut text, "batches", report.batches);
    row(&mut text, "entries", report.entries);
    row(&mut text, "api keys", report.house.keys);
    row(&mut text, "receipts checked", report.receipts_checked);
    for sale in &report.sales {
        text.push_str(&of_sale(sale));
    }
    text.push('\n');
    for invariant in &report.invariants {
        let held = if invariant.held {
            green("holds")
        } else {
            red(&format!("{} findings", invariant.findings))
        };
        text.push_str(&format!(
            "  {:<8}{:<32}{held}\n",
            invariant.name, invariant.title
        ));
    }
    text.push('\n');
    for finding in report.findings.iter().take(SHOWN) {
        text.push_str(&of_finding(finding));
    }
    let more = report.findings_total.saturating_sub(SHOWN as u64);
    if more > 0 {
        text.push_str(&format!(
            "  and {more} more findings; --json has up to 1,000\n"
        ));
    }
    let verdict = match report.verdict {
        Verdict::Ok => green("ok"),
        Verdict::Finding => red("finding"),
    };
    row(&mut text, "verdict", verdict);
    text
}

fn of_sale(sale: &SaleReport) -> String {
    let mut text = format!(
        "\n{}  {}\n",
        bold(&sale.sale.to_string()),
        sale.state.name()
    );
    let (units, money, orders) = (&sale.units, &sale.money, &sale.orders);
    row(&mut text, "position", sale.position);
    row(&mut text, "orders", orders.placed);
    let states = [
        ("held", orders.held + orders.paying),
        ("paid", orders.paid + orders.shipped + orders.delivered),
        ("cancelled", orders.cancelled),
        ("expired", orders.expired),
        ("refunded", orders.refunded),
    ];
    for (name, count) in states {
        row(&mut text, &format!("  {name}"), count);
    }
    let equation = format!(
        "{} = {} available + {} held + {} sold + {} written off",
        units.stocked, units.available, units.held, units.sold, units.written_off
    );
    row(&mut text, "units", equation);
    let currency = sale.currency.as_deref().unwrap_or_default();
    row(
        &mut text,
        "captured, minor units",
        format!("{} {currency}", money.captured_minor),
    );
    row(
        &mut text,
        "refunded",
        format!("{} {currency}", money.refunded_minor),
    );
    if money.loss_minor > 0 {
        row(
            &mut text,
            "loss",
            format!("{} {currency}", money.loss_minor),
        );
    }
    if let Some(models) = &sale.read_models {
        let compared = if models.compared {
            "compared"
        } else {
            "not compared"
        };
        row(
            &mut text,
            "read models",
            format!("{compared}, {} batches behind", models.behind_batches),
        );
    }
    for found in sale.divergences.first.iter().take(SHOWN) {
        let place = faint(&format!("batch {} entry {}", found.sequence, found.entry));
        text.push_str(&format!(
            "  decided otherwise today: {place} {} / {}\n",
            found.journal, found.today
        ));
    }
    text
}

fn of_finding(finding: &Finding) -> String {
    let sale = finding
        .sale
        .map(|sale| format!("{sale}: "))
        .unwrap_or_default();
    let mut text = format!("  {} {sale}{}", red("finding"), finding.detail);
    if let Some(sequence) = finding.sequence {
        text.push_str(&format!(", batch {sequence}"));
    }
    text.push('\n');
    if let Some(file) = &finding.file {
        let byte = finding
            .offset
            .map(|offset| format!(" at byte {offset}"))
            .unwrap_or_default();
        text.push_str(&format!("    in {}{byte}\n", file.display()));
    }
    if let Some(remedy) = &finding.remedy {
        text.push_str(&format!("    mend: {remedy}\n"));
    }
    text
}

fn row(text: &mut String, name: &str, value: impl Display) {
    text.push_str(&format!("  {name:<28}{value}\n"));
}
