//! Payment providers: what the cashier asks of them, whoever they are.
//!
//! A provider knows a charge or a refund by Tidegate's own identifier, and the same identifier gives the same outcome
//! however often it is asked (INV-4). An error of a provider is never an answer: what became of the money is unknown
//! then, and only a status question tells.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use api::provider::{Callback, ChargeReply, ChargeRequest, RefundReply, RefundRequest};
use api::{PaymentId, RefundId};
use world::ErrorKind;

pub mod callback;
mod client;
mod dial;
pub mod http;
pub mod sandbox;
pub mod signature;

pub use dial::Line;
pub use http::HttpProvider;
pub use sandbox::Sandbox;

/// The answer to a question that was put to a provider, when it comes.
pub type Asked<'a, T> = Pin<Box<dyn Future<Output = Result<T, ProviderError>> + Send + 'a>>;

/// The receipt of a callback, when it comes.
pub type Delivered<'a> = Pin<Box<dyn Future<Output = Result<(), DeliveryError>> + Send + 'a>>;

/// A payment provider.
pub trait Provider: Send + Sync + fmt::Debug {
    /// Charges a buyer. The same key never charges twice.
    fn charge(&self, request: ChargeRequest) -> Asked<'_, ChargeReply>;

    /// Gives money back. The same key never gives back twice.
    fn refund(&self, request: RefundRequest) -> Asked<'_, RefundReply>;

    /// What became of a charge; `None` when the provider never heard of it.
    fn charge_status(&self, key: PaymentId) -> Asked<'_, Option<ChargeReply>>;

    /// What became of a refund; `None` when the provider never heard of it.
    fn refund_status(&self, key: RefundId) -> Asked<'_, Option<RefundReply>>;

    /// Whether it outlives the shop's process, so that what it knows nothing of it was never asked for.
    fn remembers(&self) -> bool {
        true
    }

    /// Where a provider inside this process brings its callbacks. One outside knocks at the public door instead.
    fn callbacks_to(&self, sink: Arc<dyn CallbackSink>) {
        drop(sink);
    }
}

/// Takes the callbacks of a provider: as often as they come, in any order.
pub trait CallbackSink: Send + Sync + fmt::Debug {
    /// Returns when the callback is on record. After an error the provider brings it again.
    fn deliver(&self, callback: Callback) -> Delivered<'_>;
}

/// Why a provider gave no answer. What became of the money is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// No connection could be made.
    #[error("provider unreachable: {0}")]
    Unreachable(String),
    /// The time for an answer ran out.
    #[error("provider gave no answer in time")]
    Timeout,
    /// The connection broke before the answer was whole.
    #[error("answer of the provider lost: {0}")]
    Lost(String),
    /// The provider cannot work now, or does not let us in.
    #[error("provider unavailable, status {0}")]
    Unavailable(u16),
    /// The provider refused the request itself and will do so again: the key was used with another body, or it finds
    /// the body wrong.
    #[error("provider refused the request, status {0}")]
    Refused(u16),
    /// The answer was none of the words that were agreed on, or speaks of something else.
    #[error("answer of the provider makes no sense: {0}")]
    Nonsense(String),
    /// No call was made: the provider has not answered others, or has as many calls as it may. Nothing is unknown
    /// through this.
    #[error("the provider is left alone for {} ms", .0.as_millis())]
    Held(Duration),
}

impl ProviderError {
    /// What the caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unreachable(_) | Self::Unavailable(_) | Self::Held(_) => ErrorKind::Wait,
            Self::Timeout | Self::Lost(_) => ErrorKind::Retry,
            Self::Refused(_) => ErrorKind::Conflict,
            Self::Nonsense(_) => ErrorKind::Bug,
        }
    }
}

/// Why a callback is not on record; the provider brings it again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// Nobody takes callbacks now, or no record could be made.
    #[error("callback not recorded: {0}")]
    Later(String),
    /// It makes no sense, or speaks of nothing that exists; it will not be brought again.
    #[error("callback refused: {0}")]
    Refused(String),
}
