//! From the words of a provider to the reports of a book.

use api::provider::{
    ChargeOutcome as WireCharge, ChargeReply, DisputeMove, ProviderReport,
    RefundOutcome as WireRefund, RefundReply, ReportedCharge, ReportedRefund,
};
use commerce::Report;
use commerce::command::{ChargeOutcome, RefundOutcome};
use ledger::Minor;

use super::job::{Job, Key};
use crate::provider::ProviderError;

/// What was heard of an effect.
#[derive(Debug)]
pub(super) enum Heard {
    /// It is over, like this.
    Final(Report),
    /// The provider works on it.
    Pending,
    /// The provider never heard of it.
    Nothing,
}

/// The sale and the report that a provider's own message makes; `None` when its numbers fit no book.
///
/// The book has one currency: whoever knows it compares it with the message's before the report goes in.
#[must_use]
pub fn book_report(message: &ProviderReport) -> Option<(u32, Report)> {
    let id = message.order();
    let order = u32::try_from(id.number()).ok()?;
    let report = match message {
        ProviderReport::Charge(payment, outcome) => Report::Charge {
            order,
            attempt: payment.attempt,
            outcome: match outcome {
                ReportedCharge::Captured(amount, _) => {
                    ChargeOutcome::Captured(Minor(i64::try_from(*amount).ok()?))
                }
                ReportedCharge::Failed => ChargeOutcome::Failed,
                ReportedCharge::Unknown => ChargeOutcome::Unknown,
            },
        },
        ProviderReport::Refund(refund, outcome) => Report::Refund {
            order,
            number: refund.number,
            outcome: match outcome {
                ReportedRefund::Refunded(_) => RefundOutcome::Refunded,
                ReportedRefund::Failed => RefundOutcome::Failed,
            },
        },
        ProviderReport::Dispute(_, dispute) => match dispute.moved {
            DisputeMove::Withdrawn => Report::Chargeback {
                order,
                amount: Minor(i64::try_from(dispute.amount_minor).ok()?),
                reference: dispute.reference.clone(),
            },
            // A book has no word for money that comes back from a bank: people decide what to do with it.
            DisputeMove::Reinstated => return None,
        },
    };
    Some((id.sale().get(), report))
}

/// What a charge's answer says. An answer about another key or in another currency says nothing.
pub(super) fn of_charge(job: &Job, reply: &ChargeReply) -> Result<Heard, ProviderError> {
    let Key::Payment(key) = job.key else {
        return Err(nonsense("a charge, asked about a refund"));
    };
    if reply.key != key {
        return Err(nonsense("another charge than the one asked about"));
    }
    if reply.currency != job.currency {
        return Err(nonsense("another currency than the order's"));
    }
    let outcome = match reply.outcome {
        WireCharge::Pending if !stdx::mutants::is("pending-is-captured") => {
            return Ok(Heard::Pending);
        }
        // Another amount is the book's to judge: it gives back what pays for nothing.
        WireCharge::Captured | WireCharge::Pending => {
            ChargeOutcome::Captured(Minor(reply.amount_minor))
        }
        WireCharge::Declined => ChargeOutcome::Failed,
    };
    Ok(Heard::Final(Report::Charge {
        order: job.effect.order,
        attempt: key.attempt,
        outcome,
    }))
}

/// What a refund's answer says. An answer about another key or amount says nothing.
pub(super) fn of_refund(job: &Job, reply: &RefundReply) -> Result<Heard, ProviderError> {
    let Key::Refund(key, _) = job.key else {
        return Err(nonsense("a refund, asked about a charge"));
    };
    if reply.key != key {
        return Err(nonsense("another refund than the one asked about"));
    }
    if reply.amount_minor != job.effect.amount.0 {
        return Err(nonsense("another amount than the refund's"));
    }
    let outcome = match reply.outcome {
        WireRefund::Pending => return Ok(Heard::Pending),
        WireRefund::Refunded => RefundOutcome::Refunded,
        WireRefund::Declined => RefundOutcome::Failed,
    };
    Ok(Heard::Final(Report::Refund {
        order: job.effect.order,
        number: key.number,
        outcome,
    }))
}

/// The name of a report's outcome, for operators.
pub(super) fn outcome_name(report: &Report) -> &'static str {
    match report {
        Report::Charge { outcome, .. } => match outcome {
            ChargeOutcome::Captured(_) => "captured",
            ChargeOutcome::Failed => "failed",
            ChargeOutcome::Unknown => "unknown",
            ChargeOutcome::Authorised(_) => "authorised",
        },
        Report::Refund { outcome, .. } => match outcome {
            RefundOutcome::Refunded => "refunded",
            RefundOutcome::Failed => "failed",
        },
        Report::Chargeback { .. } => "charged back",
        Report::Seed { .. } => "seed",
    }
}

fn nonsense(what: &str) -> ProviderError {
    ProviderError::Nonsense(what.to_owned())
}
