//! Why the door could not be opened.

use std::net::SocketAddr;

/// Why the door could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// The settings are not valid.
    #[error("the settings of the front door are not valid: {}", faults.join("; "))]
    Settings {
        /// Each fault.
        faults: Vec<String>,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// A listening socket could not be given to the runtime.
    #[error("cannot accept connections")]
    Accept(#[source] std::io::Error),
}
