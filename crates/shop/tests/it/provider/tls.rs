//! TLS to a provider: only whoever the authorities vouch for is spoken to.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tidegate_shop::provider::stripe::Settings;
use tidegate_shop::provider::{Hidden, Provider, ProviderError, Stripe, Tls};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use world::{Clock, ManualClock};

use super::{PATIENCE, clock, line, payment};

const AUTHORITY: &[u8] = include_bytes!("../../keys/authority.crt");
const SERVER: &[u8] = include_bytes!("../../keys/server.crt");
const SERVER_KEY: &[u8] = include_bytes!("../../keys/server.pem");

/// A server with a certificate for this machine, which finds nothing for anybody.
async fn serve() -> SocketAddr {
    let certificate = CertificateDer::from_pem_slice(SERVER).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(SERVER_KEY).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("they fit");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut seen = Vec::new();
                while !seen.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = stream.read_u8().await else {
                        return;
                    };
                    seen.push(byte);
                }
                let body = r#"{"object":"search_result","data":[]}"#;
                let answer = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                drop(stream.write_all(answer.as_bytes()).await);
                drop(stream.shutdown().await);
            });
        }
    });
    address
}

fn client(url: String, tls: Tls, clock: &Arc<ManualClock>) -> Stripe {
    let settings = Settings {
        url,
        api_secret: Some(Hidden::new("sk_test_0123456789")),
        webhook_secret: Some(Hidden::new("whsec_0123456789")),
        ..Settings::default()
    };
    let clock: Arc<dyn Clock> = clock.clone();
    Stripe::new(settings, &line(), tls, clock, PATIENCE).expect("good settings")
}

fn authority(clock: &Arc<ManualClock>) -> Tls {
    let certificate = CertificateDer::from_pem_slice(AUTHORITY).expect("a certificate");
    let clock: Arc<dyn Clock> = clock.clone();
    Tls::of_authorities([certificate], &clock).expect("an authority")
}

async fn ask(stripe: &Stripe) -> Result<bool, ProviderError> {
    let status = stripe.charge_status(payment(1, 1)).await;
    status.map(|reply| reply.is_none())
}

#[tokio::test]
async fn a_provider_is_believed_by_name_and_authority_and_within_its_time() {
    let (address, clock) = (serve().await, clock());
    let here = format!("https://localhost:{}", address.port());
    assert_eq!(
        ask(&client(here.clone(), authority(&clock), &clock)).await,
        Ok(true)
    );
    let by_number = format!("https://127.0.0.1:{}", address.port());
    assert_eq!(
        ask(&client(by_number, authority(&clock), &clock)).await,
        Ok(true)
    );
    let unreachable = |asked: Result<bool, ProviderError>| match asked {
        Err(ProviderError::Unreachable(why)) => why,
        other => panic!("it was spoken to: {other:?}"),
    };
    // The authorities of the web do not know this server.
    let why = unreachable(ask(&client(here.clone(), super::tls(&clock), &clock)).await);
    assert!(why.contains("UnknownIssuer"), "{why}");
    // Its certificate is over by the world's clock.
    clock.set_wall_ms(8_000_000_000_000);
    let why = unreachable(ask(&client(here, authority(&clock), &clock)).await);
    assert!(why.contains("expired"), "{why}");
}

#[tokio::test]
async fn a_provider_that_speaks_no_tls_is_not_spoken_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            drop(
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                    .await,
            );
        }
    });
    let clock = clock();
    let url = format!("https://localhost:{}", address.port());
    let asked = ask(&client(url, authority(&clock), &clock)).await;
    assert!(
        matches!(asked, Err(ProviderError::Unreachable(_))),
        "{asked:?}"
    );
}
