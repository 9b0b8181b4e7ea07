//! Healing: once nothing breaks any more, everything comes to its end, and nothing was ever lost or torn apart.

use api::order::OrderState;
use api::refund::RefundState;

use super::provider::Books;
use super::rows::Attempt;
use crate::record::{Evidence, Finding};

/// Everything that did not come to its end.
pub(super) fn judge(evidence: &Evidence, books: &Books, findings: &mut Vec<Finding>) {
    let mut found = |promise, what: String| findings.push(Finding::new(promise, what));
    for what in &evidence.unhealed {
        found("healing", what.clone());
    }
    for (sale, open) in evidence.open_effects.iter().filter(|(_, open)| **open > 0) {
        found(
            "healing",
            format!("sale {sale} has {open} calls under way that nobody ends"),
        );
    }
    for rows in books.values() {
        for (number, order) in (0_u32..).zip(&rows.orders) {
            let of = rows.name(number);
            let held = [OrderState::Held, OrderState::Paying, OrderState::Deposited];
            if held.contains(&order.state()) {
                found("healing", format!("{of} is still {}", order.state().name()));
            }
            if order.attempts.iter().any(Attempt::is_open) {
                found(
                    "healing",
                    format!("{of} has a charge that nobody knows the end of"),
                );
            }
            if order
                .refunds
                .iter()
                .any(|refund| refund.state == RefundState::Pending)
            {
                found("healing", format!("{of} has a refund under way"));
            }
        }
    }
    for what in &evidence.verify {
        found("verify", what.clone());
    }
    for restart in &evidence.restarts {
        if let Some(why) = &restart.refused {
            let at = restart.at.as_millis();
            found(
                "start",
                format!("refused at {at} ms after {:?}: {why}", restart.ended),
            );
        }
    }
}

/// A disk that lied is not the shop's fault; that nobody notices is. A witness ahead of the journal has to be told of.
pub(super) fn noticed(evidence: &Evidence, ahead: &[String], findings: &mut Vec<Finding>) {
    let told = evidence
        .restarts
        .iter()
        .any(|restart| restart.refused.is_some());
    if told || !evidence.verify.is_empty() {
        return;
    }
    if let Some(first) = ahead.first() {
        let what = format!("the disk lost what was shown, and nobody noticed: {first}");
        findings.push(Finding::new("loss is noticed", what));
    }
}
