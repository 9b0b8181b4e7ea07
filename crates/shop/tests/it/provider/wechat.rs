//! WeChat Pay against a fake of its API, written from WeChat's public documents.

mod fake;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use api::PaymentId;
use api::order::ActionKind;
use api::provider::{ChargeOutcome, Gateway, Knock, ProviderReport, ReportedRefund};
use serde_json::json;
use tidegate_shop::provider::wechat::{Settings, Way};
use tidegate_shop::provider::{Hidden, KnockError, Provider, ProviderError, Wechat};
use world::{Clock, Entropy, ManualClock, SeededEntropy};

use super::conformance::{self, Subject};
use super::knocks::{self, Writer};
use super::{NOON_MS, PATIENCE, charge, clock, line, payment, refund, tls};
use fake::{API_V3_KEY, APPID, Fake, MCHID, PUBLIC_KEY_ID};

const MERCHANT: &str = include_str!("../../keys/merchant.pem");
const PLATFORM_PUBLIC: &str = include_str!("../../keys/platform-1.pub");

/// WeChat Pay, its fake, and the clock of both.
pub(super) struct Till {
    pub(super) wechat: Wechat,
    pub(super) fake: Arc<Fake>,
    clock: Arc<ManualClock>,
    settings: Settings,
}

pub(super) async fn till(change: impl FnOnce(&mut Settings)) -> Till {
    let clock = clock();
    let (fake, url) = Fake::open(clock.clone()).await;
    let mut settings = Settings {
        url,
        appid: APPID.to_owned(),
        mchid: MCHID.to_owned(),
        certificate_serial: fake::MERCHANT_SERIAL.to_owned(),
        key_secret: Some(Hidden::new(MERCHANT)),
        api_v3_secret: Some(Hidden::new(API_V3_KEY)),
        notify_url: "https://shop.example/v1/providers/wechat/callback".to_owned(),
        house: "h1-".to_owned(),
        pay_within_s: 900,
        ..Settings::default()
    };
    change(&mut settings);
    Till {
        wechat: client(&settings, &clock),
        fake,
        clock,
        settings,
    }
}

fn with_public_key(settings: &mut Settings) {
    settings.public_key_id = Some(PUBLIC_KEY_ID.to_owned());
    settings.public_key = Some(PLATFORM_PUBLIC.to_owned());
}

fn client(settings: &Settings, clock: &Arc<ManualClock>) -> Wechat {
    // Each start draws other numbers.
    static STARTS: AtomicU64 = AtomicU64::new(1);
    let entropy = SeededEntropy::new(STARTS.fetch_add(1, Ordering::SeqCst));
    let world: (Arc<dyn Clock>, Arc<dyn Entropy>) = (clock.clone(), Arc::new(entropy));
    let made = Wechat::new(settings.clone(), &line(), tls(clock), world, PATIENCE);
    made.expect("good settings")
}

impl Till {
    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    fn transaction(&self, key: PaymentId, amount_minor: i64, change: &[(&str, &str)]) -> String {
        let mut transaction = json!({
            "appid": APPID, "mchid": MCHID, "out_trade_no": format!("h1-{key}"),
            "transaction_id": "1217752501201407033233368018", "trade_type": "NATIVE",
            "trade_state": "SUCCESS", "trade_state_desc": "paid", "bank_type": "CMC", "attach": "",
            "success_time": "2027-01-15T16:00:00+08:00", "payer": { "openid": "o1" },
            "amount": { "total": amount_minor, "payer_total": amount_minor, "currency": "CNY",
                "payer_currency": "CNY" },
        });
        for (name, value) in change {
            transaction[*name] = (*value).into();
        }
        transaction.to_string()
    }

    fn notice(&self, resource: &str, at_ms: u64) -> Knock {
        self.fake
            .notice("TRANSACTION.SUCCESS", "transaction", resource, at_ms)
    }
}

impl Subject for Till {
    fn provider(&self) -> &dyn Provider {
        &self.wechat
    }

    fn currency(&self) -> &'static str {
        "CNY"
    }

    fn pay(&self, key: PaymentId) {
        self.fake.pay(&format!("h1-{key}"));
    }

    fn refuse(&self, _key: PaymentId) {
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
        &self.wechat
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }

    fn currency(&self) -> &'static str {
        "CNY"
    }

    fn captured(&self, key: PaymentId, amount_minor: i64, at_ms: u64, ours: bool) -> Knock {
        let foreign = format!("h2-{key}");
        let change: &[_] = if ours {
            &[]
        } else {
            &[("out_trade_no", &*foreign)]
        };
        self.notice(&self.transaction(key, amount_minor, change), at_ms)
    }

    fn forged(&self, key: PaymentId, amount_minor: i64) -> Knock {
        let transaction = self.transaction(key, amount_minor, &[]);
        let sealed = self
            .fake
            .sealed("TRANSACTION.SUCCESS", "transaction", &transaction);
        self.fake.signed_by_the_merchant(&sealed, NOON_MS)
    }

    fn of_another_account(&self, key: PaymentId) -> Knock {
        self.notice(
            &self.transaction(key, 5, &[("mchid", "1900009999")]),
            NOON_MS,
        )
    }

    fn senseless(&self) -> Knock {
        self.notice("{}", NOON_MS)
    }
}

#[tokio::test]
async fn wechat_keeps_the_contract_with_platform_certificates() {
    conformance::run(&till(|_| {}).await).await;
}

#[tokio::test]
async fn wechat_keeps_the_contract_with_a_public_key() {
    let till = till(with_public_key).await;
    conformance::run(&till).await;
    assert_eq!(
        till.fake.lists.load(Ordering::SeqCst),
        0,
        "no certificate is needed"
    );
}

#[tokio::test]
async fn notifications_of_wechat_keep_the_contract() {
    knocks::run(&till(|_| {}).await).await;
    knocks::run(&till(with_public_key).await).await;
}

#[tokio::test]
async fn a_buyer_in_wechat_pays_by_name_with_parameters_that_the_merchant_signed() {
    let till = till(|settings| settings.way = Way::Jsapi).await;
    let request = charge(payment(1, 1), 1_250, "CNY");
    assert!(till.wechat.wants_payer());
    let nobody = till.wechat.charge_for(request.clone(), None).await;
    assert_eq!(nobody, Err(ProviderError::Refused(400)));
    let openid = Some("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o".into());
    let reply = till
        .wechat
        .charge_for(request.clone(), openid)
        .await
        .expect("it answers");
    assert_eq!(reply.outcome, ChargeOutcome::Pending);
    let action = till.wechat.action(request.key).expect("the page needs it");
    assert_eq!(action.kind, ActionKind::WechatJsapi);
    till.fake.takes_page(&action.value);
}

/// After a start nothing is in memory: the same number asked for again brings the same code.
#[tokio::test]
async fn the_page_gets_the_code_again_after_a_restart() {
    let till = till(|_| {}).await;
    let request = charge(payment(1, 1), 1_250, "CNY");
    till.wechat
        .charge(request.clone())
        .await
        .expect("it answers");
    let action = till.wechat.action(request.key).expect("the page needs it");
    assert_eq!(action.kind, ActionKind::WechatCodeUrl);
    let restarted = client(&till.settings, &till.clock);
    restarted
        .charge_status(request.key)
        .await
        .expect("it answers");
    assert!(restarted.lacks_action(request.key));
    restarted.charge(request.clone()).await.expect("it answers");
    assert_eq!(restarted.action(request.key), Some(action));
    till.fake.pay(&format!("h1-{}", request.key));
    let paid = restarted.charge(request.clone()).await.expect("it answers");
    assert_eq!(paid.outcome, ChargeOutcome::Captured);
    assert_eq!(restarted.action(request.key), None);
}

#[tokio::test]
async fn a_new_certificate_is_fetched_when_it_first_signs_and_an_old_one_ends() {
    let till = till(|_| {}).await;
    let request = charge(payment(1, 1), 1_250, "CNY");
    till.wechat
        .charge(request.clone())
        .await
        .expect("it answers");
    till.wechat
        .charge_status(request.key)
        .await
        .expect("it answers");
    assert_eq!(till.fake.lists.load(Ordering::SeqCst), 1);
    till.fake.rotate();
    till.pass(60);
    till.wechat
        .charge_status(request.key)
        .await
        .expect("it answers");
    till.wechat
        .charge_status(request.key)
        .await
        .expect("it answers");
    assert_eq!(till.fake.lists.load(Ordering::SeqCst), 2);
    // Notifications still under way by the old certificate count until it is over.
    let at_ms = till.clock.wall_ms();
    let body = till.fake.sealed(
        "TRANSACTION.SUCCESS",
        "transaction",
        &till.transaction(request.key, 5, &[]),
    );
    let by_old = till.fake.signed_by(0, &body, at_ms);
    assert!(till.wechat.read(by_old).await.is_ok());
    till.clock.set_wall_ms(fake::FIRST_ENDS_MS + 1);
    let by_old = till.fake.signed_by(0, &body, fake::FIRST_ENDS_MS + 1);
    let read = till.wechat.read(by_old).await;
    assert!(matches!(read, Err(KnockError::Forged(_))), "{read:?}");
}

#[tokio::test]
async fn serial_numbers_of_forgers_cause_few_calls() {
    let till = till(|_| {}).await;
    for number in 0..50 {
        let mut knock = till.captured(payment(1, 1), 5, NOON_MS, true);
        let serial = knock
            .headers
            .iter_mut()
            .find(|(name, _)| &**name == "wechatpay-serial");
        serial.expect("a serial number").1 = format!("{number:040X}").into();
        let read = till.wechat.read(knock).await;
        assert!(matches!(read, Err(KnockError::Forged(_))), "{read:?}");
    }
    assert_eq!(till.fake.lists.load(Ordering::SeqCst), 1);
    let read = till
        .wechat
        .read(till.captured(payment(1, 1), 5, NOON_MS, true))
        .await;
    assert!(read.is_ok(), "{read:?}");
}

#[tokio::test]
async fn certificates_that_cannot_be_had_put_a_notification_off() {
    let till = till(|_| {}).await;
    till.fake.trouble.away.store(1, Ordering::SeqCst);
    let knock = till.captured(payment(1, 1), 5, NOON_MS, true);
    let read = till.wechat.read(knock.clone()).await;
    assert!(matches!(read, Err(KnockError::Later(_))), "{read:?}");
    assert!(till.wechat.read(knock).await.is_ok());
}

#[tokio::test]
async fn an_answer_that_the_platform_did_not_sign_decides_nothing() {
    let till = till(|_| {}).await;
    let request = charge(payment(1, 1), 1_250, "CNY");
    till.wechat
        .charge(request.clone())
        .await
        .expect("it answers");
    till.fake.unsigned.store(true, Ordering::SeqCst);
    let status = till.wechat.charge_status(request.key).await;
    assert!(
        matches!(status, Err(ProviderError::Nonsense(_))),
        "{status:?}"
    );
    // "There is no such order" would let it be charged a second time.
    let status = till.wechat.charge_status(payment(9, 1)).await;
    assert!(
        matches!(status, Err(ProviderError::Nonsense(_))),
        "{status:?}"
    );
}

#[tokio::test]
async fn a_clock_ten_minutes_off_is_named_as_what_it_is() {
    let till = till(|_| {}).await;
    till.clock.set_wall_ms(NOON_MS + 600_000);
    till.fake.set_clock(NOON_MS);
    let refused = till.wechat.charge(charge(payment(1, 1), 5, "CNY")).await;
    assert_eq!(refused, Err(ProviderError::Skewed(600)));
    let words = refused.expect_err("skewed").to_string();
    assert!(
        words.contains("differ by 600 s") && words.contains("clock"),
        "{words}"
    );
}

#[tokio::test]
async fn an_order_of_another_currency_or_for_nothing_is_never_sent() {
    let till = till(|_| {}).await;
    for request in [
        charge(payment(1, 1), 5, "EUR"),
        charge(payment(1, 1), 0, "CNY"),
    ] {
        let refused = till.wechat.charge(request).await;
        assert_eq!(refused, Err(ProviderError::Refused(400)));
    }
    assert_eq!(till.wechat.charge_status(payment(1, 1)).await, Ok(None));
}

#[tokio::test]
async fn an_order_that_waited_too_long_is_closed_unless_the_buyer_was_quicker() {
    let till = till(|_| {}).await;
    let [slow, quick] = [1, 2].map(|number| charge(payment(number, 1), 700, "CNY"));
    for request in [&slow, &quick] {
        till.wechat
            .charge(request.clone())
            .await
            .expect("it answers");
    }
    till.pass(901);
    till.fake.pays_before_close(&format!("h1-{}", quick.key));
    let status = till
        .wechat
        .charge_status(slow.key)
        .await
        .expect("it answers");
    assert_eq!(
        status.map(|reply| reply.outcome),
        Some(ChargeOutcome::Declined)
    );
    let status = till
        .wechat
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
async fn a_notification_in_another_currency_or_for_another_application_does_not_count() {
    let till = till(|_| {}).await;
    let key = payment(1, 1);
    let dollars = till
        .transaction(key, 700, &[])
        .replace("\"CNY\"", "\"USD\"");
    let other = till.transaction(key, 700, &[("appid", "wx0000000000000000")]);
    for transaction in [dollars, other] {
        let read = till.wechat.read(till.notice(&transaction, NOON_MS)).await;
        let problem = read.expect_err("not believed").problem();
        assert_eq!(problem.code().as_str(), "TG-1113", "{}", problem.detail());
    }
}

#[tokio::test]
async fn content_that_was_sealed_with_another_key_or_cut_is_not_opened() {
    let till = till(|_| {}).await;
    let transaction = till.transaction(payment(1, 1), 700, &[]);
    let sealed = till
        .fake
        .sealed("TRANSACTION.SUCCESS", "transaction", &transaction);
    let mut cut: serde_json::Value = serde_json::from_str(&sealed).expect("JSON");
    let text = cut["resource"]["ciphertext"]
        .as_str()
        .expect("text")
        .to_owned();
    cut["resource"]["ciphertext"] = text[..text.len() - 8].into();
    let cut = till.fake.signed_by(0, &cut.to_string(), NOON_MS);
    let read = till.wechat.read(cut).await;
    assert!(matches!(read, Err(KnockError::Mismatch(_))), "{read:?}");
    let other = Settings {
        api_v3_secret: Some(Hidden::new("z".repeat(32))),
        ..till.settings.clone()
    };
    let mut other = other;
    with_public_key(&mut other);
    let other = client(&other, &till.clock);
    let read = other
        .read(till.fake.signed_by_public_key(&sealed, NOON_MS))
        .await;
    let problem = read.expect_err("not opened").problem();
    assert!(
        problem.detail().contains("APIv3 key"),
        "{}",
        problem.detail()
    );
}

#[tokio::test]
async fn a_refund_that_ends_later_is_told_by_a_notification() {
    let till = till(|_| {}).await;
    let key = refund(&charge(payment(1, 1), 700, "CNY"), 2, 300).key;
    let event = |status: &str| {
        let body = json!({
            "mchid": MCHID, "out_trade_no": "h1-pay", "out_refund_no": format!("h1-{key}"),
            "refund_id": "50200207182018070300011301001", "refund_status": status,
            "amount": { "total": 700, "refund": 300, "payer_total": 700, "payer_refund": 300 },
        });
        let kind = format!("REFUND.{status}");
        till.fake
            .notice(&kind, "refund", &body.to_string(), NOON_MS)
    };
    let back = ProviderReport::Refund(key, ReportedRefund::Refunded(300));
    assert_eq!(till.wechat.read(event("SUCCESS")).await, Ok(Some(back)));
    let failed = ProviderReport::Refund(key, ReportedRefund::Failed);
    assert_eq!(till.wechat.read(event("CLOSED")).await, Ok(Some(failed)));
    assert_eq!(till.wechat.read(event("ABNORMAL")).await, Ok(None));
}

/// An abnormal refund reached nobody, and only people can send it on: it is neither done nor failed.
#[tokio::test]
async fn an_abnormal_refund_is_left_to_people() {
    let till = till(|_| {}).await;
    let request = charge(payment(1, 1), 700, "CNY");
    till.wechat
        .charge(request.clone())
        .await
        .expect("it answers");
    till.fake.pay(&format!("h1-{}", request.key));
    till.fake.abnormal.store(true, Ordering::SeqCst);
    let told = till.wechat.refund(refund(&request, 1, 700)).await;
    let words = told.expect_err("nobody knows").to_string();
    assert!(words.contains("merchant platform"), "{words}");
}

#[tokio::test]
async fn a_busy_or_closed_wechat_leaves_the_outcome_open() {
    let till = till(|_| {}).await;
    let request = charge(payment(1, 1), 700, "CNY");
    for status in [401, 429, 500, 502, 503] {
        till.fake.status.store(status, Ordering::SeqCst);
        let reply = till.wechat.charge(request.clone()).await;
        assert_eq!(reply, Err(ProviderError::Unavailable(status)));
    }
    till.fake.status.store(0, Ordering::SeqCst);
    assert!(till.wechat.charge(request).await.is_ok());
}

#[tokio::test]
async fn what_is_for_stripe_is_not_for_wechat() {
    let till = till(|_| {}).await;
    let knock = Knock {
        gateway: Gateway::Stripe,
        ..till.captured(payment(1, 1), 5, NOON_MS, true)
    };
    assert_eq!(till.wechat.read(knock).await, Err(KnockError::Nobody));
}
