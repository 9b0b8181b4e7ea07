//! Published keys over TLS: only from whom an authority vouches for, and through the whole door.

use super::*;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

const AUTHORITY: &[u8] = include_bytes!("../../../shop/tests/keys/authority.crt");
const SERVER: &[u8] = include_bytes!("../../../shop/tests/keys/server.crt");
const SERVER_KEY: &[u8] = include_bytes!("../../../shop/tests/keys/server.pem");
const KEYS: &str = r#"{"keys":[]}"#;

/// An issuer that shows its keys at `/keys`, another place's address at `/moved`, too much at `/large`.
async fn issuer() -> SocketAddr {
    let certificate = CertificateDer::from_pem_slice(SERVER).unwrap();
    let key = PrivateKeyDer::from_pem_slice(SERVER_KEY).unwrap();
    let config =
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut seen = Vec::new();
            while !seen.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else {
                    break;
                };
                seen.push(byte);
            }
            drop(stream.write_all(answer(&seen).as_bytes()).await);
            drop(stream.shutdown().await);
        }
    });
    address
}

fn answer(request: &[u8]) -> String {
    let (head, body) = if request.starts_with(b"GET /keys ") {
        ("200 OK", KEYS.to_owned())
    } else if request.starts_with(b"GET /moved ") {
        ("302 Found\r\nlocation: /keys", String::new())
    } else {
        ("200 OK", "k".repeat(300 * 1024))
    };
    let length = body.len();
    format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

fn believing(outside: &Outside) -> Documents {
    let authority = CertificateDer::from_pem_slice(AUTHORITY).unwrap();
    outside.documents(Tls::of_authorities([authority], &outside.clock).unwrap())
}

#[tokio::test]
async fn an_issuers_keys_come_over_tls_from_whom_an_authority_vouches_for() {
    let (address, outside) = (issuer().await, Outside::real());
    let at = |path: &str| format!("https://localhost:{}/{path}", address.port());
    let documents = believing(&outside);
    let had = documents.fetch(&at("keys")).await;
    assert_eq!(had.unwrap(), KEYS);
    let refused = |had: Result<Bytes, FetchError>| match had {
        Err(FetchError::Refused(why)) => why,
        other => panic!("it was taken: {other:?}"),
    };
    let why = refused(documents.fetch(&at("moved")).await);
    assert!(why.contains("302"), "{why}");
    refused(documents.fetch(&at("large")).await);
    // What the server itself is built with believes the authorities of the web, which do not know this one.
    let why = refused(outside.fetch().unwrap().fetch(&at("keys")).await);
    assert!(why.contains("UnknownIssuer"), "{why}");
}

#[tokio::test]
async fn an_address_with_tls_is_never_fetched_in_the_clear() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (told, mut heard) = tokio::sync::mpsc::channel(1);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        told.send(stream.read_u8().await.unwrap()).await.unwrap();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{KEYS}");
        drop(stream.write_all(answer.as_bytes()).await);
    });
    let documents = believing(&Outside::real());
    let url = format!("https://localhost:{port}/keys");
    assert!(documents.fetch(&url).await.is_err());
    // The first byte of a handshake, not of a request.
    assert_eq!(heard.recv().await, Some(22));
}
