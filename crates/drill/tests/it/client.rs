//! The client against a server that says exactly what the test wants.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tidegate_drill::client::{ClientError, Connection, Patience, Pool, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers every connection with the given bytes, piece by piece, and then closes it. Says what it was sent.
async fn serve(pieces: Vec<&'static [u8]>) -> (SocketAddr, tokio::task::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut heard = vec![0; 4096];
        let length = stream.read(&mut heard).await.expect("a request");
        heard.truncate(length);
        for piece in pieces {
            stream.write_all(piece).await.expect("the client reads");
            tokio::task::yield_now().await;
        }
        heard
    });
    (address, heard)
}

fn patience() -> Patience {
    Patience {
        answer: Duration::from_secs(5),
        ..Patience::default()
    }
}

#[tokio::test]
async fn a_request_carries_its_key_and_its_body() {
    let (address, heard) = serve(vec![
        b"HTTP/1.1 201 Created\r\ncontent-le",
        b"ngth: 2\r\ntidegate-position: sale_00001 1-00\r\n\r\n{",
        b"}",
    ])
    .await;
    let mut connection = Connection::open(address, patience()).await.expect("open");
    let request = Request::post("/v1/orders", "token", "key-1", b"{\"a\":1}");
    let reply = connection.ask(&request).await.expect("an answer");
    assert_eq!(
        (reply.status, reply.body, reply.position),
        (201, &b"{}"[..], Some("sale_00001 1-00"))
    );
    let heard = String::from_utf8(heard.await.expect("served")).expect("text");
    let expected = format!(
        "POST /v1/orders HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer token\r\nidempotency-key: key-1\r\n\
         content-type: application/json\r\ncontent-length: 7\r\n\r\n{{\"a\":1}}"
    );
    assert_eq!(heard, expected);
}

#[tokio::test]
async fn pipelined_answers_come_in_order() {
    let (address, _heard) = serve(vec![
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\naHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nb",
        b"\r\n0\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    ])
    .await;
    let mut connection = Connection::open(address, patience()).await.expect("open");
    for _ in 0..3 {
        connection.push(&Request::get("/", "t"));
    }
    connection.flush().await.expect("sent");
    for (status, body) in [(200, "a"), (200, "b"), (204, "")] {
        let reply = connection.next_reply().await.expect("an answer");
        assert_eq!((reply.status, reply.body), (status, body.as_bytes()));
    }
}

#[tokio::test]
async fn half_an_answer_is_no_answer() {
    let (address, _heard) = serve(vec![b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"]).await;
    let mut connection = Connection::open(address, patience()).await.expect("open");
    let error = connection.ask(&Request::get("/", "t")).await.err();
    assert!(
        matches!(error, Some(ClientError::Closed | ClientError::Lost(_))),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_refused_before_it_is_read() {
    let (address, _heard) = serve(vec![
        b"HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n",
    ])
    .await;
    let mut connection = Connection::open(address, patience()).await.expect("open");
    let error = connection.ask(&Request::get("/", "t")).await.err();
    assert!(
        matches!(error, Some(ClientError::TooLarge("body"))),
        "{error:?}"
    );
}

#[tokio::test]
async fn nobody_listening_is_told_apart_from_a_lost_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let pool = Pool::new(address, 1, patience(), Arc::default());
    let error = pool.ask(&Request::get("/", "t")).await.err();
    assert!(matches!(error, Some(ClientError::Connect(_))), "{error:?}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let patience = Patience {
        answer: Duration::from_millis(50),
        ..Patience::default()
    };
    let mut connection = Connection::open(address, patience).await.expect("open");
    let error = connection.ask(&Request::get("/", "t")).await.err();
    assert!(matches!(error, Some(ClientError::TimedOut)), "{error:?}");
}
