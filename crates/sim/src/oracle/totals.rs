//! INV-2 and INV-10 in sums: over a whole sale, and for each charge.

use std::collections::BTreeMap;

use api::OrderId;
use api::provider::{ChargeOutcome, ProviderRefund, RefundOutcome};

use super::provider::Books;
use crate::record::{Evidence, Finding};

/// The whole sale: all that the provider has is all that the book has.
pub(super) fn judge(evidence: &Evidence, books: &Books, findings: &mut Vec<Finding>) {
    for rows in books.values() {
        let ours = |order: OrderId| order.sale().get() == rows.sale;
        let charges = evidence
            .charges
            .iter()
            .filter(|charge| ours(charge.request.order));
        let came: i64 = charges
            .filter(|charge| charge.outcome == ChargeOutcome::Captured)
            .map(|charge| charge.request.amount_minor)
            .sum();
        let refunds = evidence
            .refunds
            .iter()
            .filter(|refund| ours(refund.request.key.order));
        let went: i64 = refunds
            .filter(|refund| refund.outcome == RefundOutcome::Refunded)
            .map(|refund| refund.request.amount_minor)
            .sum();
        let orders = rows.orders.iter().filter(|order| !order.elsewhere);
        let book = orders.fold((0, 0), |(came, went), order| {
            (came + order.captured, went + order.refunded)
        });
        if (came, went) != book {
            let what = format!(
                "sale {}: the provider has {came} in and {went} out, the book {} and {}",
                rows.sale, book.0, book.1
            );
            findings.push(Finding::new("INV-10", what));
        }
    }
    let mut back = BTreeMap::new();
    let paid = |refund: &&ProviderRefund| refund.outcome == RefundOutcome::Refunded;
    for refund in evidence.refunds.iter().filter(paid) {
        *back.entry(refund.request.charge).or_insert(0) += refund.request.amount_minor;
    }
    for charge in &evidence.charges {
        let back = back.get(&charge.request.key).copied().unwrap_or_default();
        if back > charge.request.amount_minor {
            let what = format!(
                "more than was captured went back of charge {}",
                charge.request.key
            );
            findings.push(Finding::new("INV-2", what));
        }
    }
}
