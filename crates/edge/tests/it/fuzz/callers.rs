//! Who may come in: a changed token or signature is nobody's.

use super::{assert_told, corpus, documented};
use crate::client::{Answer, Client};
use crate::world_of_tests::{CALLBACK_SECRET, Open, run, unlimited};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::sync::atomic::Ordering;

/// Bytes that cannot stand in the value of a header.
fn breaks_a_header(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))
}

#[test]
fn tokens() {
    run(async {
        let open = Open::start(unlimited());
        let codes = documented();
        let corpus = corpus("tokens").with_words(&[".", "eyJhbGciOiJub25lIn0", "=", "A", " "]);
        let good: Vec<&[u8]> = corpus.files().map(|(_, bytes)| bytes).collect();
        for trial in corpus.trials(1_500) {
            if breaks_a_header(&trial) || trial.len() > 8_000 {
                continue;
            }
            let mut client = Client::connect(open.public).await;
            let head = b"GET /v1/orders HTTP/1.1\r\nhost: door\r\nconnection: close\r\nauthorization: Bearer ";
            client.send([&head[..], &trial, b"\r\n\r\n"].concat()).await;
            let answer = client.answer().await.expect("an answer");
            assert_told(&answer, &codes);
            let known = good.contains(&trial.trim_ascii());
            assert_eq!(answer.status == 200, known, "{answer:?}");
        }
    });
}

fn signature(at: u64, body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(CALLBACK_SECRET.as_bytes()).unwrap();
    let signed = [at.to_string().as_bytes(), b".", body].concat();
    let code = mac.chain_update(signed).finalize().into_bytes();
    let hex: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={at},v1={hex}")
}

async fn call(client: &mut Client, signature: &[u8], body: &[u8]) -> Answer {
    let head = format!(
        "POST /v1/providers/sandbox/callbacks HTTP/1.1\r\nhost: door\r\ncontent-length: {}\r\ntidegate-signature: ",
        body.len()
    );
    let request = [head.as_bytes(), signature, b"\r\n\r\n", body].concat();
    client.send(request).await;
    client.answer().await.expect("an answer")
}

#[test]
fn callbacks() {
    run(async {
        let open = Open::start(unlimited());
        let codes = documented();
        let mut client = Client::connect(open.public).await;
        let corpus =
            corpus("callbacks").with_words(&["\"payment\":", "\"refund\":", "null", "captured"]);
        for trial in corpus.trials(1_500) {
            let whole = corpus
                .files()
                .find(|(name, _)| *name == trial.file())
                .unwrap()
                .1;
            let at = open.now_s();
            let before = open.shop.reports.load(Ordering::SeqCst);
            // Signed as it was: a changed body is nobody's.
            let answer = call(&mut client, signature(at, whole).as_bytes(), &trial).await;
            assert_told(&answer, &codes);
            assert_eq!(answer.status == 401, trial[..] != *whole, "{answer:?}");
            // Signed as it is: read, and refused as a body or reported once.
            let answer = call(&mut client, signature(at, &trial).as_bytes(), &trial).await;
            assert_told(&answer, &codes);
            assert_ne!(answer.status, 401);
            let own = usize::from(answer.status == 200);
            let first = usize::from(trial[..] == *whole);
            let reports = open.shop.reports.load(Ordering::SeqCst);
            assert_eq!(reports - before, own + first);
        }
    });
}

#[test]
fn a_changed_signature_is_nobodys() {
    run(async {
        let open = Open::start(unlimited());
        let mut client = Client::connect(open.public).await;
        let corpus = corpus("callbacks");
        let (_, body) = corpus.files().next().unwrap();
        let good = signature(open.now_s(), body);
        for (place, byte) in
            (0..good.len()).flat_map(|place| [(place, b'0'), (place, b'Z'), (place, b',')])
        {
            let mut changed = good.clone().into_bytes();
            changed[place] = byte;
            let answer = call(&mut client, &changed, body).await;
            assert_eq!(
                answer.status == 200,
                changed == good.as_bytes(),
                "{place} {byte}"
            );
        }
    });
}
