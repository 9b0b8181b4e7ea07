//! What book and provider say of one order, held against each other. Pure: what is to be done is data.

use std::collections::BTreeMap;

use api::provider::{ChargeOutcome as Said, ChargeReply, RefundOutcome as SaidRefund, RefundReply};
use commerce::Report;
use commerce::book::RefundState;
use commerce::command::{ChargeOutcome, RefundOutcome};
use ledger::Minor;
use serde::{Deserialize, Serialize};
use telemetry::Gap;

use super::seen::{Known, Seen};

/// What a difference is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum What {
    /// An attempt to pay.
    Charge(u16),
    /// A refund.
    Refund(u16),
    /// The order as a whole, about which the provider cannot be asked.
    Order,
    /// The order's row in the read models.
    Row,
}

/// A difference.
#[derive(Debug, Clone)]
pub(super) struct Difference {
    pub(super) what: What,
    pub(super) kind: Gap,
    /// What policy allows: the book hears what the provider knows, and has an answer for it.
    pub(super) repair: Option<Report>,
    pub(super) detail: String,
}

/// What the provider answered about an order; what it was not asked about is missing.
#[derive(Debug, Clone, Default)]
pub(super) struct Answers {
    pub(super) charges: BTreeMap<u16, Option<ChargeReply>>,
    pub(super) refunds: BTreeMap<u16, Option<RefundReply>>,
    /// Whether it has to know what it was asked for.
    pub(super) remembers: bool,
}

/// All differences of an order.
pub(super) fn judge(seen: &Seen, answers: &Answers) -> Vec<Difference> {
    let mut found = Vec::new();
    for (attempt, known) in &seen.charges {
        if let Some(reply) = answers.charges.get(attempt) {
            found.extend(charge(
                seen,
                *attempt,
                *known,
                reply.as_ref(),
                answers.remembers,
            ));
        }
    }
    found.extend(sum(seen, answers));
    for (number, amount, state) in &seen.refunds {
        if let Some(reply) = answers.refunds.get(number) {
            let refund = (*number, *amount, *state);
            found.extend(refund_of(seen, refund, reply.as_ref(), answers.remembers));
        }
    }
    found
}

fn charge(
    seen: &Seen,
    attempt: u16,
    known: Known,
    reply: Option<&ChargeReply>,
    remembers: bool,
) -> Option<Difference> {
    let (kind, detail) = match (known, reply.map(|reply| reply.outcome)) {
        (Known::Open, _) => return None,
        (Known::Captured, None) if remembers => (
            Gap::DoneUnknown,
            "is captured in the book and unknown at the provider".to_owned(),
        ),
        (Known::Captured, Some(Said::Declined | Said::Pending)) => (
            Gap::DoneDenied,
            "is captured in the book and not at the provider".to_owned(),
        ),
        (Known::Captured, Some(Said::Captured)) => {
            let other = reply.filter(|reply| reply.currency.code() != &*seen.currency)?;
            let detail = format!("is in {} at the provider", other.currency.code());
            (Gap::Amount, detail)
        }
        (Known::Failed, Some(Said::Captured)) => (
            Gap::TakenDeclined,
            "failed in the book and is captured at the provider".to_owned(),
        ),
        (Known::Captured | Known::Failed, _) => return None,
    };
    let late = (kind == Gap::TakenDeclined).then_some(reply).flatten();
    let same_currency = late.filter(|reply| reply.currency.code() == &*seen.currency);
    Some(Difference {
        what: What::Charge(attempt),
        kind,
        repair: same_currency.map(|reply| Report::Charge {
            order: seen.number,
            attempt,
            outcome: ChargeOutcome::Captured(Minor(reply.amount_minor)),
        }),
        detail: format!("attempt {attempt} {detail}"),
    })
}

/// The sum of what the provider captured, where it knows every attempt that the book calls captured.
fn sum(seen: &Seen, answers: &Answers) -> Option<Difference> {
    let captured = seen
        .charges
        .iter()
        .filter(|(_, known)| *known == Known::Captured);
    let replies = captured.map(|(attempt, _)| answers.charges.get(attempt)?.as_ref());
    let replies = replies.collect::<Option<Vec<&ChargeReply>>>()?;
    let (first, said) = (
        replies.first()?.key.attempt,
        replies.iter().map(|reply| reply.amount_minor).sum::<i64>(),
    );
    let all = replies.iter().all(|reply| reply.outcome == Said::Captured);
    (all && said != seen.captured).then(|| Difference {
        what: What::Charge(first),
        kind: Gap::Amount,
        repair: None,
        detail: format!(
            "{} were captured in the book and {said} at the provider",
            seen.captured
        ),
    })
}

fn refund_of(
    seen: &Seen,
    (number, amount, state): (u16, i64, RefundState),
    reply: Option<&RefundReply>,
    remembers: bool,
) -> Option<Difference> {
    let (kind, detail) = match (state, reply.map(|reply| reply.outcome)) {
        (RefundState::Pending, _) => return None,
        (RefundState::Refunded, None) if remembers => (
            Gap::DoneUnknown,
            "went back in the book and is unknown at the provider".to_owned(),
        ),
        (RefundState::Refunded, Some(SaidRefund::Declined | SaidRefund::Pending)) => (
            Gap::DoneDenied,
            "went back in the book and not at the provider".to_owned(),
        ),
        (RefundState::Refunded, Some(SaidRefund::Refunded)) => {
            let other = reply.filter(|reply| reply.amount_minor != amount)?;
            let detail = format!(
                "is {amount} in the book and {} at the provider",
                other.amount_minor
            );
            (Gap::Amount, detail)
        }
        (RefundState::Failed, Some(SaidRefund::Refunded)) => (
            Gap::TakenDeclined,
            "failed in the book and went back at the provider".to_owned(),
        ),
        (RefundState::Refunded | RefundState::Failed, _) => return None,
    };
    let is_repaired =
        kind == Gap::TakenDeclined && reply.is_some_and(|reply| reply.amount_minor == amount);
    Some(Difference {
        what: What::Refund(number),
        kind,
        repair: is_repaired.then_some(Report::Refund {
            order: seen.number,
            number,
            outcome: RefundOutcome::Refunded,
        }),
        detail: format!("refund {number} {detail}"),
    })
}
