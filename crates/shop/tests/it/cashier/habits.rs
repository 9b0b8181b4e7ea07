//! The sandbox's bad days: a mind that changes, callbacks that never come, scripts, and its operators' port.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::provider::{Callback, CallbackOutcome, ChargeOutcome, ProviderLedger, RefundOutcome};
use tidegate_shop::provider::sandbox::{
    self, Act, Outage, PerMille, Sandbox, Script, Scripted, serve_admin,
};
use tidegate_shop::provider::{CallbackSink, Delivered, Provider, ProviderError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use world::{Clock, Network, OsNetwork, Tasks};

use super::outside::{charge, refund};
use super::till::RuntimeClock;

/// Takes callbacks and keeps them.
#[derive(Debug, Default)]
struct Letters(Mutex<Vec<Callback>>);

impl Letters {
    fn outcomes(&self) -> Vec<CallbackOutcome> {
        let letters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        letters.iter().map(|letter| letter.outcome).collect()
    }
}

impl CallbackSink for Letters {
    fn deliver(&self, callback: Callback) -> Delivered<'_> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(callback);
        Box::pin(async { Ok(()) })
    }
}

fn sandbox(settings: sandbox::Settings, script: &Script) -> (Sandbox, Arc<Letters>) {
    let clock: Arc<dyn Clock> = RuntimeClock::start();
    let sandbox = Sandbox::with_script(settings, script, clock, Tasks::of_the_machine());
    let letters = Arc::new(Letters::default());
    sandbox.callbacks_to(letters.clone());
    (sandbox, letters)
}

async fn pass(time: Duration) {
    let passed = tokio::time::timeout(time, std::future::pending::<()>());
    assert!(passed.await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_fickle_provider_declines_first_and_captures_later_and_may_say_so() {
    let fickle = sandbox::Settings {
        decline_per_mille: PerMille::ALL,
        fickle_per_mille: PerMille::ALL,
        fickle_ms_max: 60_000,
        callback_per_mille: PerMille::ALL,
        ..sandbox::Settings::default()
    };
    let (bank, letters) = sandbox(fickle, &Script::default());
    let asked = charge(1, 500);
    let first = bank.charge(asked.clone()).await.expect("an answer");
    assert_eq!(first.outcome, ChargeOutcome::Declined);
    assert!(bank.has_more_to_say());
    pass(Duration::from_secs(120)).await;
    let again = bank.charge_status(asked.key).await.expect("an answer");
    assert_eq!(
        again.map(|reply| reply.outcome),
        Some(ChargeOutcome::Captured)
    );
    assert!(!bank.has_more_to_say());
    assert_eq!(
        letters.outcomes(),
        [CallbackOutcome::Failed, CallbackOutcome::Captured]
    );
    let back = bank
        .refund(refund(&asked, 1, 500))
        .await
        .expect("an answer");
    assert_eq!(
        back.outcome,
        RefundOutcome::Refunded,
        "what was taken can go back"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_callback_never_comes_and_the_answer_does() {
    let silent = sandbox::Settings {
        pending_per_mille: PerMille::ALL,
        callback_per_mille: PerMille::ALL,
        lost_callback_per_mille: PerMille::ALL,
        ..sandbox::Settings::default()
    };
    let (bank, letters) = sandbox(silent, &Script::default());
    let asked = charge(1, 500);
    bank.charge(asked.clone()).await.expect("an answer");
    pass(Duration::from_secs(600)).await;
    assert!(!letters.outcomes().contains(&CallbackOutcome::Captured));
    let known = bank.charge_status(asked.key).await.expect("an answer");
    assert_eq!(
        known.map(|reply| reply.outcome),
        Some(ChargeOutcome::Captured)
    );
}

#[tokio::test(start_paused = true)]
async fn a_script_beats_chance_and_a_repeat_is_the_charge_that_it_was() {
    let line = |nth, does| Scripted { nth, does };
    let script = Script {
        charge: vec![
            line(2, Act::Declined),
            line(3, Act::LostAnswer),
            line(4, Act::Pending),
        ],
        refund: vec![line(1, Act::Declined)],
        outage: vec![Outage {
            at_ms: 10_000,
            for_ms: 60_000,
        }],
    };
    let (bank, _letters) = sandbox(sandbox::Settings::default(), &script);
    let outcome = async |number| {
        bank.charge(charge(number, 5))
            .await
            .map(|reply| reply.outcome)
    };
    assert_eq!(outcome(1).await, Ok(ChargeOutcome::Captured));
    assert_eq!(
        outcome(1).await,
        Ok(ChargeOutcome::Captured),
        "a repeat is no second charge"
    );
    assert_eq!(outcome(2).await, Ok(ChargeOutcome::Declined));
    assert!(matches!(outcome(3).await, Err(ProviderError::Lost(_))));
    assert_eq!(outcome(4).await, Ok(ChargeOutcome::Pending));
    assert_eq!(outcome(5).await, Ok(ChargeOutcome::Captured));
    let back = bank
        .refund(refund(&charge(1, 5), 1, 5))
        .await
        .expect("an answer");
    assert_eq!(back.outcome, RefundOutcome::Declined);
    pass(Duration::from_secs(11)).await;
    assert_eq!(outcome(6).await, Err(ProviderError::Unavailable(503)));
    let asked = bank.charge_status(charge(1, 5).key).await;
    assert_eq!(
        asked,
        Err(ProviderError::Unavailable(503)),
        "not even a question"
    );
    pass(Duration::from_secs(60)).await;
    assert_eq!(outcome(6).await, Ok(ChargeOutcome::Captured));
    assert_eq!(bank.charges().len(), 6);
}

/// One request, and the whole answer.
async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address)
        .await
        .expect("somebody listens");
    let request =
        format!("{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("it is read");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

#[tokio::test]
async fn operators_see_the_ledger_and_the_settlement_and_begin_an_outage() {
    let (bank, _letters) = sandbox(sandbox::Settings::default(), &Script::default());
    let asked = charge(1, 500);
    bank.charge(asked.clone()).await.expect("an answer");
    bank.refund(refund(&asked, 1, 200))
        .await
        .expect("an answer");
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = OsNetwork.listen(free).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let (_stop, stopped) = watch::channel(false);
    tokio::spawn(serve_admin(listener, bank.clone(), stopped));
    let settlement = ask(address, "GET /settlement.csv").await;
    let key = asked.key;
    assert!(
        settlement.contains(&format!("charge,{key},{key},500,EUR,")),
        "{settlement}"
    );
    assert!(settlement.contains(",200,EUR,"), "{settlement}");
    assert!(
        ask(address, "GET /ledger")
            .await
            .contains("\"outcome\":\"captured\"")
    );
    for (request, status) in [
        ("GET /healthz", "200"),
        ("GET /elsewhere", "404"),
        ("GET /outage", "405"),
        ("POST /outage?ms=0", "400"),
        ("POST /outage?ms=never", "400"),
        ("POST /outage?ms=60000", "200"),
    ] {
        let answer = ask(address, request).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{request}: {answer}"
        );
    }
    let refused = bank.charge(charge(2, 5)).await;
    assert_eq!(refused, Err(ProviderError::Unavailable(503)));
}
