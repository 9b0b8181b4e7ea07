//! The drill's readers against bytes that went wrong: recorded histories, and what servers answer.

use std::io::Write;
use std::path::Path;
use std::time::Duration;
use tidegate_drill::client::{ClientError, Connection, Patience, Request};
use tidegate_drill::replay::{History, Invoice, ReplayError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use world::mangle::Corpus;

fn corpus(format: &str) -> Corpus {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    Corpus::read(dir.join(format)).expect("a corpus")
}

/// Reads a file of these bytes.
fn history(bytes: &[u8]) -> Result<History, ReplayError> {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("written");
    History::read(file.path())
}

#[test]
fn histories() {
    let corpus = corpus("histories").with_words(&[
        "\"",
        ",",
        "\n",
        "\r\n",
        "C536365",
        "InvoiceNo",
        "2010-12-01 08:26:00",
        "-1",
        "\u{1f}\u{8b}",
    ]);
    for trial in corpus.trials(3_000) {
        match history(&trial) {
            Ok(read) => {
                let rows = usize::try_from(read.rows).expect("a small file");
                let places = |invoice: &Invoice| {
                    invoice.sold.len() + invoice.returned.len() + invoice.written_off.len()
                };
                let booked: usize = read.invoices.iter().map(places).sum();
                assert!(booked + read.rejections.len() <= rows, "a row has one end");
                if !trial.starts_with(&[0x1f, 0x8b]) {
                    assert_eq!(read.digest, blake3::hash(&trial));
                    let mut packer =
                        flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                    packer.write_all(&trial).expect("packed");
                    let packed = history(&packer.finish().expect("packed"));
                    assert_eq!(packed.expect("the same history"), read);
                }
            }
            Err(
                ReplayError::Unreadable(..)
                | ReplayError::ColumnMissing(_)
                | ReplayError::TooManyItems(_),
            ) => assert!(!trial.is_whole(), "{} is refused", trial.file()),
            Err(other) => panic!("{other}"),
        }
    }
}

/// Answers every connection with the next bytes, whatever it asks, and closes it.
async fn answer_all(listener: TcpListener, mut answers: tokio::sync::mpsc::Receiver<Vec<u8>>) {
    while let Some(answer) = answers.recv().await {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut heard = [0; 1024];
        let _asked = stream.read(&mut heard).await;
        // The client may have seen enough before the last byte.
        let _sent = stream.write_all(&answer).await;
        let _closed = stream.shutdown().await;
    }
}

#[tokio::test]
async fn server_answers() {
    const BODY_BYTES_MAX: usize = 4 * 1024;
    let corpus = corpus("server-answers").with_words(&[
        "content-length: ",
        "transfer-encoding: chunked\r\n",
        "\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "0\r\n\r\n",
        "ffffffffffffffff\r\n",
        "tidegate-position: ",
    ]);
    let patience = Patience {
        answer: Duration::from_secs(10),
        body_bytes_max: BODY_BYTES_MAX,
        ..Patience::default()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (answers, queue) = tokio::sync::mpsc::channel(1);
    let serving = tokio::spawn(answer_all(listener, queue));
    for trial in corpus.trials(2_000) {
        answers
            .send(trial.to_vec())
            .await
            .expect("the server listens");
        let mut connection = Connection::open(address, patience).await.expect("open");
        match connection.ask(&Request::get("/v1/sales", "token")).await {
            Ok(reply) => {
                assert!(
                    reply.body.len() <= BODY_BYTES_MAX && (200..1_000).contains(&reply.status)
                        || reply.status < 100
                );
                assert!(reply.body.is_empty() || contains(&trial, &reply.body[..1]));
                if let Some(position) = reply.position {
                    assert!(contains(&trial, position.as_bytes()));
                }
            }
            Err(ClientError::TimedOut | ClientError::Connect(_)) => panic!("no answer was read"),
            Err(_) => assert!(!trial.is_whole(), "{} is no answer", trial.file()),
        }
    }
    drop(answers);
    serving.await.expect("the server ends");
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    part.is_empty() || bytes.windows(part.len()).any(|window| window == part)
}
