//! Whole connections: what a client writes before it closes its side.

use super::{assert_told, corpus, documented};
use crate::client::{Answer, parse};
use crate::world_of_tests::{Open, run, unlimited};
use std::net::SocketAddr;
use std::time::Duration;
use tidegate_edge::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const WORDS: &[&str] = &[
    "\r\n",
    "\r\n\r\n",
    ": ",
    " HTTP/1.1",
    "GET ",
    "POST ",
    "PATCH ",
    "content-length: ",
    "transfer-encoding: chunked\r\n",
    "connection: close\r\n",
    "expect: 100-continue\r\n",
    "idempotency-key: ",
    "authorization: Bearer ",
    "x-forwarded-for: ",
    "host: door\r\n",
    "?",
    "&",
    "%00",
    "%ff",
    "%2f",
    "/../",
    "limit=",
    "cursor=",
    "0\r\n\r\n",
    "{",
    "}",
];

/// Everything that the door says until it closes; `None` when the way was cut, since an answer may be
/// lost to a client that goes on writing to a closed door.
async fn said(address: SocketAddr, sent: &[u8]) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let written = stream.write_all(sent).await;
    let closed = stream.shutdown().await;
    let mut said = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut said));
    let read = read.await.expect("the door closes in time");
    (written.is_ok() && closed.is_ok() && read.is_ok()).then_some(said)
}

/// The answers; a stream is the last one, and its body is not looked at.
fn answers(mut said: &[u8]) -> Vec<Answer> {
    let mut answers = Vec::new();
    while !said.is_empty() {
        let Some((answer, length)) = parse(said) else {
            panic!("half an answer: {}", said.escape_ascii());
        };
        let streamed = answer.header("transfer-encoding").is_some();
        if !(100..200).contains(&answer.status) {
            answers.push(answer);
        }
        if streamed {
            break;
        }
        said = &said[length..];
    }
    answers
}

/// Whether a whole head was sent, which must not stay without an answer.
fn asks(sent: &[u8]) -> bool {
    let begun = sent.iter().position(|byte| !b"\r\n".contains(byte));
    let sent = &sent[begun.unwrap_or(sent.len())..];
    sent.windows(4).any(|window| window == b"\r\n\r\n")
}

#[test]
fn requests() {
    run(async {
        let open = Open::start(Settings {
            trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
            ..unlimited()
        });
        let codes = documented();
        let corpus = corpus("requests").with_words(WORDS);
        for trial in corpus.trials(1_500) {
            let Some(said) = said(open.public, &trial).await else {
                continue;
            };
            // The answer to HEAD has a length and no body.
            if trial.windows(5).any(|window| window == b"HEAD ") {
                continue;
            }
            let answers = answers(&said);
            assert!(!answers.is_empty() || !asks(&trial), "no answer");
            for answer in &answers {
                assert_told(answer, &codes);
            }
        }
    });
}
