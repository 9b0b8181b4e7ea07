//! The sandbox behind HTTP, and what its callbacks look like on the wire.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use api::provider::{
    ChargeOutcome, ChargeRequest, ProviderLedger, RefundOutcome, RefundRequest, SIGNATURE_HEADER,
};
use api::{OrderId, PaymentId, RefundId, SaleId};
use tidegate_shop::provider::callback::HttpCallbacks;
use tidegate_shop::provider::sandbox::{self, PerMille, Sandbox, UnknownCharge, serve};
use tidegate_shop::provider::signature::Secret;
use tidegate_shop::provider::{HttpProvider, Line, Provider, ProviderError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use world::{Clock, ManualClock, Network, OsNetwork, Tasks};

const PATIENCE: Duration = Duration::from_secs(10);

fn order(number: u64) -> OrderId {
    let sale = SaleId::new(7).expect("small enough");
    OrderId::new(sale, number).expect("small enough")
}

pub(super) fn charge(number: u64, amount_minor: i64) -> ChargeRequest {
    let order = order(number);
    ChargeRequest {
        key: PaymentId { order, attempt: 1 },
        order,
        amount_minor,
        currency: "EUR".parse().expect("a currency"),
    }
}

pub(super) fn refund(of: &ChargeRequest, number: u16, amount_minor: i64) -> RefundRequest {
    RefundRequest {
        key: RefundId {
            order: of.order,
            number,
        },
        charge: of.key,
        amount_minor,
        currency: of.currency,
    }
}

fn sandbox(settings: sandbox::Settings) -> Sandbox {
    settings
        .check()
        .expect("the settings are within their limits");
    let clock = Arc::new(ManualClock::new(1_700_000_000_500));
    Sandbox::new(settings, clock, Tasks::of_the_machine())
}

fn line() -> Line {
    Line {
        network: Arc::new(OsNetwork),
        tasks: Tasks::of_the_machine(),
    }
}

/// A served sandbox, its client, and what keeps it up.
async fn served(sandbox: Sandbox) -> (HttpProvider, watch::Sender<bool>) {
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = OsNetwork.listen(free).expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(serve(listener, sandbox, stopped));
    let client = HttpProvider::new(&format!("http://{address}/"), &line(), PATIENCE);
    let client = client.expect("a plain url");
    (client, stop)
}

#[tokio::test]
async fn a_charge_and_its_refunds_go_over_http_and_a_key_stands_for_one_body() {
    let sandbox = sandbox(sandbox::Settings {
        unknown_charge: UnknownCharge::Decline,
        ..sandbox::Settings::default()
    });
    let (client, _stop) = served(sandbox.clone()).await;
    let asked = charge(1, 500);
    assert_eq!(client.charge_status(asked.key).await, Ok(None));
    let first = client.charge(asked.clone()).await.expect("an answer");
    assert_eq!(
        (first.outcome, first.amount_minor),
        (ChargeOutcome::Captured, 500)
    );
    assert_eq!(client.charge(asked.clone()).await.as_ref(), Ok(&first));
    assert_eq!(client.charge_status(asked.key).await, Ok(Some(first)));
    assert_eq!(
        client.charge(charge(1, 501)).await,
        Err(ProviderError::Refused(422))
    );
    for (number, amount, outcome) in [
        (1, 300, RefundOutcome::Refunded),
        (2, 300, RefundOutcome::Declined),
        (3, 200, RefundOutcome::Refunded),
    ] {
        let reply = client
            .refund(refund(&asked, number, amount))
            .await
            .expect("an answer");
        assert_eq!(reply.outcome, outcome, "refund {number}");
        assert_eq!(client.refund_status(reply.key).await, Ok(Some(reply)));
    }
    let stranger = client
        .refund(refund(&charge(2, 500), 1, 5))
        .await
        .expect("an answer");
    assert_eq!(
        stranger.outcome,
        RefundOutcome::Declined,
        "that charge never was"
    );
    assert_eq!((sandbox.charges().len(), sandbox.refunds().len()), (1, 4));
}

#[tokio::test]
async fn a_lost_answer_closes_the_connection_after_the_work_is_done() {
    let sandbox = sandbox(sandbox::Settings {
        lost_answer_per_mille: PerMille::ALL,
        ..sandbox::Settings::default()
    });
    let (client, _stop) = served(sandbox).await;
    let asked = charge(1, 500);
    let lost = client.charge(asked.clone()).await;
    assert!(matches!(lost, Err(ProviderError::Lost(_))), "{lost:?}");
    let known = client.charge_status(asked.key).await.expect("an answer");
    assert_eq!(
        known.map(|reply| reply.outcome),
        Some(ChargeOutcome::Captured)
    );
}

#[tokio::test]
async fn nobody_at_the_door_is_unreachable_and_a_stranger_there_is_no_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let client = HttpProvider::new(&url, &line(), PATIENCE).expect("a plain url");
    let stranger = tokio::spawn(async move {
        for answer in [
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
            "HTTP/1.1 503 No\r\n\r\n",
        ] {
            let (mut stream, _) = listener.accept().await.expect("a caller");
            let mut head = [0; 4_096];
            let read = stream.read(&mut head).await.expect("a request");
            assert!(read > 0);
            stream
                .write_all(answer.as_bytes())
                .await
                .expect("it listens");
        }
    });
    let nonsense = client.charge(charge(1, 5)).await;
    assert!(
        matches!(nonsense, Err(ProviderError::Nonsense(_))),
        "{nonsense:?}"
    );
    // The connection was dropped after one answer; the next call opens another.
    let away = client.refund_status(refund(&charge(1, 5), 1, 5).key).await;
    assert_eq!(away, Err(ProviderError::Unavailable(503)));
    stranger.await.expect("no panic");
    let nobody = client.charge(charge(1, 5)).await;
    assert!(
        matches!(nobody, Err(ProviderError::Unreachable(_))),
        "{nobody:?}"
    );
}

/// Reads one request whole: its head and as many bytes as the head says.
async fn request(stream: &mut tokio::net::TcpStream) -> (String, String) {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            if length.is_some_and(|length| length.parse() == Ok(body.len())) {
                return (head, body.to_owned());
            }
        }
        let read = stream
            .read_buf(&mut bytes)
            .await
            .expect("more of the request");
        assert!(read > 0, "the request is not whole: {text}");
    }
}

#[tokio::test]
async fn a_callback_is_signed_comes_twice_and_comes_again_after_a_bad_answer() {
    let sandbox = sandbox(sandbox::Settings {
        callback_per_mille: PerMille::ALL,
        duplicate_callback_per_mille: PerMille::ALL,
        callback_delay_ms_max: 0,
        ..sandbox::Settings::default()
    });
    let door = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!(
        "http://{}/callbacks",
        door.local_addr().expect("it is bound")
    );
    let secret =
        Secret::new(b"a secret of more than 32 bytes, as it should be").expect("long enough");
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(1_700_000_000_500));
    let callbacks = HttpCallbacks::new(&url, secret.clone(), clock, &line(), PATIENCE);
    let callbacks = callbacks.expect("a plain url");
    sandbox.callbacks_to(Arc::new(callbacks));
    let reply = sandbox.charge(charge(1, 500)).await.expect("an answer");
    for answer in ["503 Busy", "200 OK", "204 No Content"] {
        let (mut stream, _) = door.accept().await.expect("a callback");
        let (head, body) = request(&mut stream).await;
        let signature = secret.sign(1_700_000_000, body.as_bytes());
        assert!(
            head.contains(&format!("{SIGNATURE_HEADER}: {signature}")),
            "{head}"
        );
        let callback: api::provider::Callback = serde_json::from_str(&body).expect("a callback");
        assert_eq!(
            (callback.payment, callback.amount_minor),
            (Some(reply.key), 500)
        );
        let answer = format!("HTTP/1.1 {answer}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        stream
            .write_all(answer.as_bytes())
            .await
            .expect("it listens");
    }
}

#[tokio::test]
async fn the_same_seed_gives_the_same_key_the_same_end_in_another_run() {
    let ends = |seed| async move {
        let sandbox = sandbox(sandbox::Settings {
            slow_per_mille: PerMille::default(),
            ..sandbox::Settings::lively(seed)
        });
        for number in 0..200 {
            // Some answers are lost, the work is done all the same.
            let _lost = sandbox.charge(charge(number, 500)).await;
        }
        sandbox
            .charges()
            .into_iter()
            .map(|charge| charge.outcome)
            .collect::<Vec<_>>()
    };
    let (first, again, other) = (ends(3).await, ends(3).await, ends(4).await);
    assert_eq!(first, again);
    assert_ne!(first, other);
    assert!(first.contains(&ChargeOutcome::Declined));
}
