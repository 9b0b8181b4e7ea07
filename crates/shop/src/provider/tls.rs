//! TLS to a provider: the certificates that browsers trust, the world's clock, and nothing that can be switched off.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::WebPkiServerVerifier;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use world::Clock;
use world::network::Stream;

/// Why TLS cannot be spoken at all.
#[derive(Debug, thiserror::Error)]
#[error("TLS cannot be set up: {0}")]
pub struct TlsError(String);

/// Whom a client believes; cheap to clone.
#[derive(Clone)]
pub struct Tls(TlsConnector);

impl Tls {
    /// Believes the authorities that browsers believe.
    ///
    /// # Errors
    /// [`TlsError`] when the authorities cannot be used.
    pub fn of_the_web(clock: &Arc<dyn Clock>) -> Result<Self, TlsError> {
        let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
        Self::trusting(roots, clock)
    }

    /// Believes only these authorities.
    ///
    /// # Errors
    /// [`TlsError`] when one of them is no certificate.
    pub fn of_authorities(
        authorities: impl IntoIterator<Item = CertificateDer<'static>>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots
                .add(authority)
                .map_err(|error| TlsError(error.to_string()))?;
        }
        Self::trusting(roots, clock)
    }

    fn trusting(roots: RootCertStore, clock: &Arc<dyn Clock>) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let failed = |error: &dyn fmt::Display| TlsError(error.to_string());
        let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider.clone());
        let verifier = verifier.build().map_err(|error| failed(&error))?;
        let time = Arc::new(WorldTime(Arc::clone(clock)));
        let config = ClientConfig::builder_with_details(provider, time)
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(&error))?
            .with_webpki_verifier(verifier)
            .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Shakes hands with this host over a stream.
    pub(super) async fn wrap(&self, host: &str, stream: Stream) -> io::Result<Stream> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        Ok(Box::new(self.0.connect(name, stream).await?))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

/// The world's clock, which says whether a certificate is over.
#[derive(Debug)]
struct WorldTime(Arc<dyn Clock>);

impl TimeProvider for WorldTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_millis(
            self.0.wall_ms(),
        )))
    }
}
