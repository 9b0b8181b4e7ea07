//! Reports that match no order: kept in the house journal in words of our own, and tried again.
//!
//! A callback may come before what it is about: a restored backup, a sale that is opened again, a journal that could
//! not be read for a while. What still matches nothing after the window is for people; the journal keeps it for ever.

use api::provider::{DisputeMove, ProviderReport, ReportedCharge, ReportedDispute, ReportedRefund};
use std::fmt::Write;

/// A report in words.
pub(crate) fn words(report: &ProviderReport) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = match report {
        ProviderReport::Charge(key, ReportedCharge::Captured(amount, currency)) => {
            write!(text, "charge {key} captured {amount} {currency}")
        }
        ProviderReport::Charge(key, ReportedCharge::Failed) => write!(text, "charge {key} failed"),
        ProviderReport::Charge(key, ReportedCharge::Unknown) => {
            write!(text, "charge {key} unknown")
        }
        ProviderReport::Refund(key, ReportedRefund::Refunded(amount)) => {
            write!(text, "refund {key} refunded {amount}")
        }
        ProviderReport::Refund(key, ReportedRefund::Failed) => write!(text, "refund {key} failed"),
        ProviderReport::Dispute(key, dispute) => {
            let moved = match dispute.moved {
                DisputeMove::Withdrawn => "withdrawn",
                DisputeMove::Reinstated => "reinstated",
            };
            let (amount, currency) = (dispute.amount_minor, dispute.currency);
            let reference = &dispute.reference;
            write!(
                text,
                "dispute {key} {moved} {amount} {currency} {reference}"
            )
        }
    };
    text
}

/// The report of these words; `None` for what was kept for people only.
pub(super) fn read(text: &str) -> Option<ProviderReport> {
    let mut words = text.split(' ');
    let (what, key, outcome) = (words.next()?, words.next()?, words.next()?);
    let (amount, currency) = (words.next(), words.next());
    Some(match (what, outcome) {
        ("charge", "captured") => {
            let outcome = ReportedCharge::Captured(amount?.parse().ok()?, currency?.parse().ok()?);
            ProviderReport::Charge(key.parse().ok()?, outcome)
        }
        ("charge", "failed") => ProviderReport::Charge(key.parse().ok()?, ReportedCharge::Failed),
        ("charge", "unknown") => ProviderReport::Charge(key.parse().ok()?, ReportedCharge::Unknown),
        ("refund", "refunded") => {
            let outcome = ReportedRefund::Refunded(amount?.parse().ok()?);
            ProviderReport::Refund(key.parse().ok()?, outcome)
        }
        ("refund", "failed") => ProviderReport::Refund(key.parse().ok()?, ReportedRefund::Failed),
        ("dispute", "withdrawn" | "reinstated") => {
            let moved = match outcome {
                "withdrawn" => DisputeMove::Withdrawn,
                _ => DisputeMove::Reinstated,
            };
            let dispute = ReportedDispute {
                reference: words.next()?.into(),
                moved,
                amount_minor: amount?.parse().ok()?,
                currency: currency?.parse().ok()?,
            };
            ProviderReport::Dispute(key.parse().ok()?, dispute)
        }
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use api::{OrderId, PaymentId, RefundId, SaleId};

    #[test]
    fn what_is_kept_is_read_back_and_the_rest_is_for_people() {
        let order = OrderId::new(SaleId::new(7).unwrap(), 9).unwrap();
        let (charge, refund) = (
            PaymentId { order, attempt: 3 },
            RefundId { order, number: 2 },
        );
        let dispute = |moved| {
            let dispute = ReportedDispute {
                reference: "dp_1".into(),
                moved,
                amount_minor: 500,
                currency: "EUR".parse().unwrap(),
            };
            ProviderReport::Dispute(charge, dispute)
        };
        for report in [
            ProviderReport::Charge(
                charge,
                ReportedCharge::Captured(1_250, "EUR".parse().unwrap()),
            ),
            ProviderReport::Charge(charge, ReportedCharge::Failed),
            ProviderReport::Charge(charge, ReportedCharge::Unknown),
            ProviderReport::Refund(refund, ReportedRefund::Refunded(5)),
            ProviderReport::Refund(refund, ReportedRefund::Failed),
            dispute(DisputeMove::Withdrawn),
            dispute(DisputeMove::Reinstated),
        ] {
            assert_eq!(read(&words(&report)), Some(report));
        }
        for other in [
            "",
            "charge",
            "charge x captured 5 EUR",
            "in another currency than the sale's: x",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
