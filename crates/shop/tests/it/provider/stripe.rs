//! Stripe against a fake of its API, written from Stripe's public reference.

mod fake;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use api::PaymentId;
use api::order::ActionKind;
use api::provider::{
    ChargeOutcome, DisputeMove, Gateway, Knock, ProviderReport, ReportedDispute, ReportedRefund,
};
use tidegate_shop::provider::stripe::Settings;
use tidegate_shop::provider::{Hidden, KnockError, Provider, ProviderError, Stripe};
use world::{Clock, ManualClock};

use super::conformance::{self, Subject};
use super::knocks::{self, Writer};
use super::{NOON_MS, PATIENCE, charge, clock, line, payment, refund, tls};
pub(super) use fake::{Fake, HOOK_SECRET, dispute_event, hook, intent_event};

const API_KEY: &str = "sk_test_0123456789abcdef";

/// Stripe, its fake, and the clock of both.
pub(super) struct Till {
    pub(super) stripe: Stripe,
    pub(super) fake: Arc<Fake>,
    pub(super) clock: Arc<ManualClock>,
    settings: Settings,
}

pub(super) async fn till(confirm_with: Option<&str>) -> Till {
    let clock = clock();
    let (fake, url) = Fake::open(API_KEY, clock.clone()).await;
    let settings = Settings {
        url,
        api_secret: Some(Hidden::new(API_KEY)),
        webhook_secret: Some(Hidden::new(HOOK_SECRET)),
        house: "house-1".to_owned(),
        confirm_with: confirm_with.map(Into::into),
        pay_within_s: 900,
    };
    Till {
        stripe: client(&settings, &clock),
        fake,
        clock,
        settings,
    }
}

fn client(settings: &Settings, clock: &Arc<ManualClock>) -> Stripe {
    let world: Arc<dyn Clock> = clock.clone();
    Stripe::new(settings.clone(), &line(), tls(clock), world, PATIENCE).expect("good settings")
}

impl Till {
    /// The same Stripe after a start: nothing is in memory.
    pub(super) fn restarted(&self) -> Stripe {
        client(&self.settings, &self.clock)
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

impl Subject for Till {
    fn provider(&self) -> &dyn Provider {
        &self.stripe
    }

    fn currency(&self) -> &'static str {
        "EUR"
    }

    fn pay(&self, key: PaymentId) {
        self.fake.pay(&key.to_string());
    }

    fn refuse(&self, _key: PaymentId) {
        self.fake.refusing.store(true, Ordering::SeqCst);
        self.pass(1_000);
    }

    fn lose_an_answer(&self) {
        self.fake.trouble.lose.store(1, Ordering::SeqCst);
    }

    fn captured_minor(&self) -> i64 {
        self.fake.captured()
    }

    fn refunded_minor(&self) -> i64 {
        self.fake.refunded()
    }
}

impl Writer for Till {
    fn provider(&self) -> &dyn Provider {
        &self.stripe
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }

    fn currency(&self) -> &'static str {
        "EUR"
    }

    fn captured(&self, key: PaymentId, amount_minor: i64, at_ms: u64, ours: bool) -> Knock {
        let house = if ours { "house-1" } else { "house-2" };
        hook(
            &captured(key, amount_minor, house, false),
            at_ms,
            HOOK_SECRET,
        )
    }

    fn forged(&self, key: PaymentId, amount_minor: i64) -> Knock {
        let body = captured(key, amount_minor, "house-1", false);
        hook(&body, NOON_MS, "whsec_of_somebody_else")
    }

    fn of_another_account(&self, key: PaymentId) -> Knock {
        hook(&captured(key, 5, "house-1", true), NOON_MS, HOOK_SECRET)
    }

    fn senseless(&self) -> Knock {
        hook(
            r#"{"type":"payment_intent.succeeded"}"#,
            NOON_MS,
            HOOK_SECRET,
        )
    }
}

fn captured(key: PaymentId, amount_minor: i64, house: &str, live: bool) -> String {
    intent_event(
        "payment_intent.succeeded",
        &key.to_string(),
        amount_minor,
        "eur",
        house,
        live,
    )
}

#[tokio::test]
async fn stripe_keeps_the_contract_when_the_buyer_pays_in_the_page() {
    conformance::run(&till(None).await).await;
}

#[tokio::test]
async fn stripe_keeps_the_contract_when_a_card_is_charged_at_once() {
    conformance::run(&till(Some("pm_card_visa")).await).await;
}

#[tokio::test]
async fn stripe_keeps_the_contract_while_its_search_shows_nothing_new() {
    let till = till(None).await;
    till.fake.search_is_behind.store(true, Ordering::SeqCst);
    conformance::run(&till).await;
}

#[tokio::test]
async fn webhooks_of_stripe_keep_the_contract() {
    knocks::run(&till(None).await).await;
}

#[tokio::test]
async fn the_page_gets_the_client_secret_until_the_money_is_there_and_after_a_restart_again() {
    let till = till(None).await;
    let request = charge(payment(1, 1), 1_250, "EUR");
    let reply = till
        .stripe
        .charge(request.clone())
        .await
        .expect("it answers");
    assert_eq!(reply.outcome, ChargeOutcome::Pending);
    let action = till.stripe.action(request.key).expect("the page needs it");
    assert_eq!(action.kind, ActionKind::StripeClientSecret);
    assert!(action.value.contains("_secret_"), "{}", action.value);
    assert!(!format!("{action:?}").contains("_secret_"), "{action:?}");
    let restarted = till.restarted();
    assert_eq!(restarted.action(request.key), None);
    restarted
        .charge_status(request.key)
        .await
        .expect("it answers");
    assert_eq!(restarted.action(request.key), Some(action));
    till.fake.pay(&request.key.to_string());
    restarted
        .charge_status(request.key)
        .await
        .expect("it answers");
    assert_eq!(restarted.action(request.key), None);
}

/// Stripe forgets an idempotency key after a day: whoever trusts it alone charges twice on the second.
#[tokio::test]
async fn a_key_that_stripe_has_forgotten_is_found_by_the_search() {
    let till = till(Some("pm_card_visa")).await;
    let request = charge(payment(1, 1), 700, "EUR");
    till.fake.trouble.lose.store(1, Ordering::SeqCst);
    till.stripe.charge(request.clone()).await.expect_err("lost");
    till.pass(86_400 + 1);
    till.fake.forget_keys();
    let status = till.restarted().charge_status(request.key).await;
    let found = status.expect("it answers").expect("it is there");
    assert_eq!(
        (found.outcome, found.amount_minor),
        (ChargeOutcome::Captured, 700)
    );
    assert_eq!(till.fake.captured(), 700);
}

/// A repeat under a key gives the first answer as it was, which may be hours old.
#[tokio::test]
async fn a_repeat_says_what_is_and_not_what_was() {
    let till = till(None).await;
    let request = charge(payment(1, 1), 700, "EUR");
    till.stripe
        .charge(request.clone())
        .await
        .expect("it answers");
    till.fake.pay(&request.key.to_string());
    let again = till.restarted().charge(request).await.expect("it answers");
    assert_eq!(again.outcome, ChargeOutcome::Captured);
}

#[tokio::test]
async fn an_intent_that_waited_too_long_is_closed_unless_the_buyer_was_quicker() {
    let till = till(None).await;
    let [slow, quick] = [1, 2].map(|number| charge(payment(number, 1), 700, "EUR"));
    for request in [&slow, &quick] {
        till.stripe
            .charge(request.clone())
            .await
            .expect("it answers");
    }
    till.pass(901);
    till.fake.pays_before_close(&quick.key.to_string());
    let status = till
        .stripe
        .charge_status(slow.key)
        .await
        .expect("it answers");
    assert_eq!(
        status.map(|reply| reply.outcome),
        Some(ChargeOutcome::Declined)
    );
    let status = till
        .stripe
        .charge_status(quick.key)
        .await
        .expect("it answers");
    assert_eq!(
        status.map(|reply| reply.outcome),
        Some(ChargeOutcome::Captured)
    );
    assert_eq!(till.fake.captured(), 700);
}

#[tokio::test]
async fn a_busy_or_closed_stripe_leaves_the_outcome_open() {
    let till = till(None).await;
    let request = charge(payment(1, 1), 700, "EUR");
    for status in [401, 403, 409, 429, 500, 502, 503] {
        till.fake.status.store(status, Ordering::SeqCst);
        let reply = till.stripe.charge(request.clone()).await;
        assert_eq!(reply, Err(ProviderError::Unavailable(status)));
    }
    till.fake.status.store(0, Ordering::SeqCst);
    let reply = till.stripe.charge(request).await.expect("it answers");
    assert_eq!(reply.outcome, ChargeOutcome::Pending);
}

/// "It is not in the list" lets money go back a second time, so it is only said of a whole list.
#[tokio::test]
async fn a_refund_is_never_called_unknown_for_a_list_that_goes_on() {
    let till = till(None).await;
    let request = charge(payment(1, 1), 700, "EUR");
    till.stripe
        .charge(request.clone())
        .await
        .expect("it answers");
    till.fake.pay(&request.key.to_string());
    let key = refund(&request, 1, 300).key;
    assert_eq!(till.stripe.refund_status(key).await, Ok(None));
    till.fake.lists_go_on.store(true, Ordering::SeqCst);
    let status = till.stripe.refund_status(key).await;
    assert!(
        matches!(status, Err(ProviderError::Nonsense(_))),
        "{status:?}"
    );
}

#[tokio::test]
async fn two_houses_in_one_account_do_not_share_a_key() {
    let till = till(None).await;
    let other = Settings {
        house: "house-2".to_owned(),
        ..till.settings.clone()
    };
    let other = client(&other, &till.clock);
    let request = charge(payment(1, 1), 700, "EUR");
    till.stripe
        .charge(request.clone())
        .await
        .expect("it answers");
    assert_eq!(other.charge_status(request.key).await, Ok(None));
    till.fake.pay(&request.key.to_string());
    let reply = other.charge(request).await.expect("it answers");
    assert_eq!(reply.outcome, ChargeOutcome::Pending);
}

#[tokio::test]
async fn an_amount_that_stripe_would_read_otherwise_is_never_sent() {
    let till = till(None).await;
    let refused = till.stripe.charge(charge(payment(1, 1), 100, "ISK")).await;
    assert_eq!(refused, Err(ProviderError::Refused(400)));
    assert_eq!(till.stripe.charge_status(payment(1, 1)).await, Ok(None));
}

#[tokio::test]
async fn a_refund_that_ends_later_is_told_by_a_webhook() {
    let till = till(None).await;
    let key = refund(&charge(payment(1, 1), 700, "EUR"), 2, 300).key;
    let event = |status: &str| {
        let body = serde_json::json!({
            "id": "evt_9", "object": "event", "type": "refund.updated", "livemode": false,
            "data": { "object": {
                "id": "re_1", "object": "refund", "amount": 300, "currency": "eur", "status": status,
                "metadata": { "tidegate_house": "house-1", "tidegate_refund": key.to_string() },
            } },
        });
        hook(&body.to_string(), NOON_MS, HOOK_SECRET)
    };
    let read = |status: &'static str| till.stripe.read(event(status));
    let back = ProviderReport::Refund(key, ReportedRefund::Refunded(300));
    assert_eq!(read("succeeded").await, Ok(Some(back)));
    let failed = ProviderReport::Refund(key, ReportedRefund::Failed);
    assert_eq!(read("failed").await, Ok(Some(failed)));
    assert_eq!(read("pending").await, Ok(None));
}

#[tokio::test]
async fn what_is_for_wechat_is_not_for_stripe() {
    let till = till(None).await;
    let knock = Knock {
        gateway: Gateway::Wechat,
        ..till.captured(payment(1, 1), 5, NOON_MS, true)
    };
    assert_eq!(till.stripe.read(knock).await, Err(KnockError::Nobody));
}

/// A dispute carries nothing of ours: its intent says whose it is. Only money that moved counts.
#[tokio::test]
async fn a_dispute_counts_when_its_money_moved_and_is_found_by_its_intent() {
    let till = till(Some("pm_card_visa")).await;
    let request = charge(payment(1, 1), 700, "EUR");
    let charged = till.stripe.charge(request.clone()).await;
    charged.expect("it answers");
    let intent = till.fake.intent_of(&request.key.to_string());
    let report = |moved| {
        let dispute = ReportedDispute {
            reference: "dp_1".into(),
            moved,
            amount_minor: 300,
            currency: "EUR".parse().expect("a currency"),
        };
        Some(ProviderReport::Dispute(request.key, dispute))
    };
    let (gone, back) = (
        report(DisputeMove::Withdrawn),
        report(DisputeMove::Reinstated),
    );
    // As after a start: nothing is known of the intent but its name.
    let stripe = till.restarted();
    for (event, said) in [
        (("created", "needs_response"), None),
        (("created", "warning_needs_response"), None),
        (("funds_withdrawn", "needs_response"), gone.clone()),
        (("updated", "under_review"), None),
        (("closed", "lost"), gone),
        (("closed", "warning_closed"), None),
        (("closed", "won"), back.clone()),
        (("funds_reinstated", "won"), back.clone()),
        (("funds_reinstated", "lost"), back),
    ] {
        let body = dispute_event(event, "dp_1", Some(&intent), (300, "eur"));
        let read = stripe.read(hook(&body, NOON_MS, HOOK_SECRET)).await;
        assert_eq!(read, Ok(said), "{event:?}");
    }
}

#[tokio::test]
async fn a_dispute_that_is_not_ours_or_makes_no_sense_books_nothing() {
    let till = till(Some("pm_card_visa")).await;
    let request = charge(payment(1, 1), 700, "EUR");
    till.stripe.charge(request.clone()).await.expect("charged");
    let intent = till.fake.intent_of(&request.key.to_string());
    let event = ("funds_withdrawn", "needs_response");
    let read = async |stripe: &Stripe, name, intent, money| {
        let body = dispute_event(event, name, intent, money);
        stripe.read(hook(&body, NOON_MS, HOOK_SECRET)).await
    };
    let other = Settings {
        house: "house-2".to_owned(),
        ..till.settings.clone()
    };
    let other = client(&other, &till.clock);
    let good = (300, "eur");
    assert_eq!(read(&other, "dp_1", Some(&intent), good).await, Ok(None));
    let stripe = &till.stripe;
    assert_eq!(read(stripe, "dp_2", None, good).await, Ok(None));
    for (name, intent, money) in [
        ("dp_3", "pi_nobody", good),
        ("dp 4", &*intent, good),
        ("dp_5", &*intent, (-300, "eur")),
        ("dp_6", &*intent, (300, "xxxx")),
        ("dp_7", "pi_1/cancel", good),
    ] {
        let said = read(stripe, name, Some(intent), money).await;
        let refused = matches!(said, Err(KnockError::Mismatch(_) | KnockError::Later(_)));
        assert!(refused, "{name}: {said:?}");
    }
    // Whose it is cannot be asked now: Stripe brings it again, signed anew.
    till.fake.status.store(503, Ordering::SeqCst);
    let later = read(stripe, "dp_8", Some(&intent), good).await;
    assert!(matches!(later, Err(KnockError::Later(_))), "{later:?}");
}
