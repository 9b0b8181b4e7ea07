//! The contract of a provider, as a suite that each of them runs against its fake.

use api::PaymentId;
use api::provider::{ChargeOutcome, RefundOutcome};
use tidegate_shop::provider::{Provider, ProviderError};

use super::{charge, payment, refund};

/// A provider with somebody behind it who can be told what to do.
pub(super) trait Subject {
    /// The client.
    fn provider(&self) -> &dyn Provider;
    /// A currency that it takes.
    fn currency(&self) -> &'static str;
    /// The buyer pays a charge that waits, if there is one.
    fn pay(&self, key: PaymentId);
    /// This charge, and any that follows, is refused or given up by the buyer.
    fn refuse(&self, key: PaymentId);
    /// The next answer is lost, its work done.
    fn lose_an_answer(&self);
    /// Captured so far, by the provider's own books.
    fn captured_minor(&self) -> i64;
    /// Given back so far, by the provider's own books.
    fn refunded_minor(&self) -> i64;
}

/// Runs everything. Numbers of orders differ, so that one subject can take it all.
pub(super) async fn run(subject: &impl Subject) {
    what_was_never_asked_for_is_unknown(subject).await;
    the_same_key_charges_once(subject).await;
    another_amount_under_a_key_charges_nothing_more(subject).await;
    a_lost_answer_is_found_again(subject).await;
    a_refund_goes_back_once_and_no_more_than_was_captured(subject).await;
    a_lost_refund_is_found_again(subject).await;
    a_refusal_is_final_and_moves_nothing(subject).await;
}

async fn outcome(subject: &impl Subject, key: PaymentId) -> Option<ChargeOutcome> {
    let status = subject.provider().charge_status(key).await;
    status.expect("it answers").map(|reply| reply.outcome)
}

async fn what_was_never_asked_for_is_unknown(subject: &impl Subject) {
    let provider = subject.provider();
    let request = charge(payment(1, 1), 100, subject.currency());
    assert_eq!(provider.charge_status(request.key).await, Ok(None));
    let none = provider.refund_status(refund(&request, 1, 1).key).await;
    assert_eq!(none, Ok(None));
}

async fn the_same_key_charges_once(subject: &impl Subject) {
    let (provider, before) = (subject.provider(), subject.captured_minor());
    let request = charge(payment(2, 1), 1_250, subject.currency());
    let first = provider.charge(request.clone()).await.expect("it answers");
    assert_eq!((first.key, first.amount_minor), (request.key, 1_250));
    let again = provider.charge(request.clone()).await.expect("it answers");
    assert_eq!(again.outcome, first.outcome);
    subject.pay(request.key);
    let paid = provider.charge(request.clone()).await.expect("it answers");
    assert_eq!(paid.outcome, ChargeOutcome::Captured);
    assert_eq!(
        (paid.amount_minor, paid.currency),
        (1_250, request.currency)
    );
    assert_eq!(provider.charge_status(request.key).await, Ok(Some(paid)));
    assert_eq!(subject.captured_minor() - before, 1_250);
}

async fn another_amount_under_a_key_charges_nothing_more(subject: &impl Subject) {
    let (provider, before) = (subject.provider(), subject.captured_minor());
    let request = charge(payment(3, 1), 300, subject.currency());
    provider.charge(request.clone()).await.expect("it answers");
    let other = charge(request.key, 900, subject.currency());
    let refused = provider.charge(other).await;
    assert!(
        matches!(
            refused,
            Err(ProviderError::Refused(_) | ProviderError::Unavailable(_))
        ),
        "{refused:?}"
    );
    subject.pay(request.key);
    assert_eq!(
        outcome(subject, request.key).await,
        Some(ChargeOutcome::Captured)
    );
    assert_eq!(subject.captured_minor() - before, 300);
}

async fn a_lost_answer_is_found_again(subject: &impl Subject) {
    let (provider, before) = (subject.provider(), subject.captured_minor());
    let request = charge(payment(4, 1), 400, subject.currency());
    subject.lose_an_answer();
    let lost = provider.charge(request.clone()).await;
    assert!(matches!(lost, Err(ProviderError::Lost(_))), "{lost:?}");
    // What the cashier does: ask, and act again only when there is nothing.
    if outcome(subject, request.key).await.is_none() {
        provider.charge(request.clone()).await.expect("it answers");
    }
    subject.pay(request.key);
    assert_eq!(
        outcome(subject, request.key).await,
        Some(ChargeOutcome::Captured)
    );
    assert_eq!(subject.captured_minor() - before, 400);
}

async fn a_refund_goes_back_once_and_no_more_than_was_captured(subject: &impl Subject) {
    let (provider, before) = (subject.provider(), subject.refunded_minor());
    let paid = charge(payment(2, 1), 1_250, subject.currency());
    let part = refund(&paid, 1, 1_000);
    for _ in 0..2 {
        let reply = provider.refund(part.clone()).await.expect("it answers");
        assert_eq!(
            (reply.key, reply.outcome),
            (part.key, RefundOutcome::Refunded)
        );
        assert_eq!(reply.amount_minor, 1_000);
    }
    let known = provider.refund_status(part.key).await.expect("it answers");
    assert_eq!(
        known.map(|reply| reply.outcome),
        Some(RefundOutcome::Refunded)
    );
    assert_eq!(subject.refunded_minor() - before, 1_000);
    let over = refund(&paid, 2, 251);
    match provider.refund(over.clone()).await {
        Ok(reply) => assert_eq!(reply.outcome, RefundOutcome::Declined),
        Err(error) => assert!(matches!(error, ProviderError::Refused(_)), "{error:?}"),
    }
    let known = provider.refund_status(over.key).await.expect("it answers");
    assert!(known.is_none_or(|reply| reply.outcome == RefundOutcome::Declined));
    let rest = provider
        .refund(refund(&paid, 3, 250))
        .await
        .expect("it answers");
    assert_eq!(rest.outcome, RefundOutcome::Refunded);
    assert_eq!(subject.refunded_minor() - before, 1_250);
}

async fn a_lost_refund_is_found_again(subject: &impl Subject) {
    let (provider, before) = (subject.provider(), subject.refunded_minor());
    let request = charge(payment(5, 1), 500, subject.currency());
    provider.charge(request.clone()).await.expect("it answers");
    subject.pay(request.key);
    assert_eq!(
        outcome(subject, request.key).await,
        Some(ChargeOutcome::Captured)
    );
    let back = refund(&request, 1, 500);
    // Whatever is asked on the way to it, the work of the refund is done by the end of this.
    for _ in 0..2 {
        subject.lose_an_answer();
        let lost = provider.refund(back.clone()).await;
        assert!(matches!(lost, Err(ProviderError::Lost(_))), "{lost:?}");
    }
    if provider.refund_status(back.key).await == Ok(None) {
        provider.refund(back.clone()).await.expect("it answers");
    }
    let known = provider.refund_status(back.key).await.expect("it answers");
    assert_eq!(
        known.map(|reply| reply.outcome),
        Some(RefundOutcome::Refunded)
    );
    assert_eq!(subject.refunded_minor() - before, 500);
}

async fn a_refusal_is_final_and_moves_nothing(subject: &impl Subject) {
    let (provider, before) = (subject.provider(), subject.captured_minor());
    let request = charge(payment(6, 1), 600, subject.currency());
    subject.refuse(request.key);
    let first = provider.charge(request.clone()).await.expect("it answers");
    assert_ne!(first.outcome, ChargeOutcome::Captured);
    subject.refuse(request.key);
    assert_eq!(
        outcome(subject, request.key).await,
        Some(ChargeOutcome::Declined)
    );
    // Nobody can pay it any more.
    subject.pay(request.key);
    assert_eq!(
        outcome(subject, request.key).await,
        Some(ChargeOutcome::Declined)
    );
    assert_eq!(subject.captured_minor(), before);
}
