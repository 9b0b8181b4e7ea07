//! Callbacks of real providers that went wrong: those that are signed as they are, and those that were changed since.

use std::path::Path;

use api::provider::{Knock, ProviderReport, ReportedCharge, ReportedRefund};
use tidegate_shop::provider::{KnockError, Provider};
use world::mangle::Corpus;

use super::NOON_MS;
use super::stripe::{HOOK_SECRET, hook};

const WORDS: &[&str] = &[
    "\"metadata\":",
    "\"amount_received\":",
    "\"trade_state\":",
    "\"currency\":",
    "succeeded",
    "SUCCESS",
    "pay_00000000001001",
    "null",
];

/// What is believed stands in the text, letter for letter.
fn stands_in(report: &ProviderReport, text: &str) {
    let (key, amount) = match report {
        ProviderReport::Charge(key, ReportedCharge::Captured(amount, currency)) => {
            let upper = text.to_uppercase();
            assert!(
                upper.contains(currency.code()) || !text.contains("\"currency\""),
                "{text}"
            );
            (key.to_string(), Some(*amount))
        }
        ProviderReport::Charge(key, _) => (key.to_string(), None),
        ProviderReport::Refund(key, ReportedRefund::Refunded(amount)) => {
            (key.to_string(), Some(*amount))
        }
        ProviderReport::Refund(key, ReportedRefund::Failed) => (key.to_string(), None),
        // Whose a dispute is stands in its intent, and not in its text.
        ProviderReport::Dispute(_, dispute) => {
            (dispute.reference.to_string(), Some(dispute.amount_minor))
        }
    };
    assert!(
        text.contains(&key) || text.contains('\\'),
        "{key} is not in {text}"
    );
    let amount = amount.map(|amount| amount.to_string());
    assert!(amount.is_none_or(|amount| text.contains(&amount)), "{text}");
}

async fn judge(provider: &dyn Provider, knock: Knock, text: &str, name: &str, whole: bool) {
    let read = provider.read(knock).await;
    match &read {
        Ok(Some(report)) => stands_in(report, text),
        Ok(None) | Err(KnockError::Mismatch(_) | KnockError::Replayed) => {}
        Err(error) => panic!("well signed, and yet {error:?}: {text}"),
    }
    if whole {
        let reported = matches!(read, Ok(Some(_)));
        assert_eq!(reported, !name.ends_with("foreign"), "{name}: {read:?}");
    }
}

#[tokio::test]
async fn gateway_callbacks() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/gateway-callbacks");
    let corpus = Corpus::read(dir).expect("a corpus").with_words(WORDS);
    let stripe = super::stripe::till(None).await;
    let wechat = super::wechat::till(|_| {}).await;
    for trial in corpus.trials(1_500) {
        let Ok(text) = std::str::from_utf8(&trial) else {
            continue;
        };
        let (name, whole) = (trial.file().to_owned(), trial.is_whole());
        if name.starts_with("stripe") {
            let knock = hook(text, NOON_MS, HOOK_SECRET);
            judge(&stripe.stripe, knock, text, &name, whole).await;
        } else {
            let event = if name.contains("refunded") {
                "REFUND.SUCCESS"
            } else {
                "TRANSACTION.SUCCESS"
            };
            let knock = wechat.fake.notice(event, "transaction", text, NOON_MS);
            judge(&wechat.wechat, knock, text, &name, whole).await;
        }
    }
    for (name, good) in corpus
        .files()
        .filter(|(name, _)| name.starts_with("stripe"))
    {
        let good = hook(
            std::str::from_utf8(good).expect("text"),
            NOON_MS,
            HOOK_SECRET,
        );
        for trial in corpus.trials(500) {
            let body: Box<[u8]> = trial[..].into();
            if body == good.body {
                continue;
            }
            let read = stripe
                .stripe
                .read(Knock {
                    body,
                    ..good.clone()
                })
                .await;
            assert!(
                matches!(read, Err(KnockError::Forged(_))),
                "{name}: {read:?}"
            );
        }
    }
}
