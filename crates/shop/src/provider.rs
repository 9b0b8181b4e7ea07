//! Payment providers: what the cashier asks of them, whoever they are.
//!
//! # The contract
//!
//! A provider knows a charge or a refund by Tidegate's own identifier, and the same identifier gives the same outcome
//! however often it is asked (INV-4). An error of a provider is never an answer: what became of the money is unknown
//! then, and only a status question tells. Every implementation runs the same conformance suite
//! (`crates/shop/tests/it/provider/conformance.rs`).
//!
//! | asked | said | means |
//! |---|---|---|
//! | charge | captured | the money is ours, this much of this currency; more may not follow under this key |
//! | | declined | no money moved and none will under this key: what could still be paid was closed first |
//! | | pending | the buyer, or a bank, has yet to act; [`Provider::action`] has what the buyer's page needs |
//! | charge status | nothing | never heard of it: acting now cannot charge twice |
//! | refund | refunded | the money went back |
//! | | declined | it cannot go back: more than was captured, or the provider's own rules |
//! | | pending | on its way |
//! | any | [`ProviderError::Refused`] | the request itself is wrong and always will be; nothing was done by it |
//! | | [`ProviderError::Nonsense`] | an answer that people have to look at; it is told and asked again |
//! | | any other error | nobody knows; asked later |
//!
//! | charge waits for | ends by |
//! |---|---|
//! | the buyer, with an action | a callback ([`Provider::read`]), or the reconciler's status question, which closes it after its time |
//! | a bank | a callback, or a status question |
//!
//! A callback counts when it is proven to be the provider's, is fresh, comes for the first time, is about this house's
//! own account, and names the amount and currency that were asked for; [`KnockError`] says which of these failed.
//! Whatever a callback says, the provider's own record decides: what is open is asked for by the reconciler.
//!
//! What [`Provider::action`] gives is kept in memory only. After a start the cashier asks about everything open, and
//! the provider says the same action again under the same key.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use api::order::PaymentAction;
use api::provider::{
    Callback, ChargeReply, ChargeRequest, Knock, ProviderReport, RefundReply, RefundRequest,
};
use api::{PaymentId, RefundId};
use world::ErrorKind;

pub mod callback;
pub(crate) mod client;
mod dial;
mod document;
mod hidden;
pub mod http;
mod knock;
mod outward;
mod replay;
pub mod sandbox;
pub(crate) mod share;
pub mod signature;
pub(crate) mod signed;
pub mod stripe;
mod tls;
mod waiting;
pub mod wechat;

pub use dial::Line;
pub use document::Documents;
pub use hidden::Hidden;
pub use http::HttpProvider;
pub use knock::KnockError;
pub use sandbox::Sandbox;
pub use stripe::Stripe;
pub use tls::{Tls, TlsError};
pub use wechat::Wechat;

/// The answer to a question that was put to a provider, when it comes.
pub type Asked<'a, T> = Pin<Box<dyn Future<Output = Result<T, ProviderError>> + Send + 'a>>;

/// The receipt of a callback, when it comes.
pub type Delivered<'a> = Pin<Box<dyn Future<Output = Result<(), DeliveryError>> + Send + 'a>>;

/// What a message of a provider says, once it is proven: a report, or nothing that concerns a book.
pub type Read<'a> =
    Pin<Box<dyn Future<Output = Result<Option<ProviderReport>, KnockError>> + Send + 'a>>;

/// A payment provider; see the contract above.
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

    /// Proves and reads a message that knocked at the public door. It may be read again until it is said to be
    /// [booked](Provider::booked).
    fn read(&self, knock: Knock) -> Read<'_> {
        drop(knock);
        Box::pin(std::future::ready(Err(KnockError::Nobody)))
    }

    /// Whether its callbacks come in the words of this house, signed with the shop's own secret. Who has words of its own
    /// knocks with them, and a secret that was left over proves nothing about its money.
    fn speaks_our_words(&self) -> bool {
        true
    }

    /// What this message says is on record: whoever sends the same bytes again is told so.
    fn booked(&self, _knock: &Knock) {}

    /// What the buyer's page needs for a charge that waits for the buyer, as far as it is in memory.
    fn action(&self, _key: PaymentId) -> Option<PaymentAction> {
        None
    }

    /// Whether a pending charge has an action that is not in memory and that charging again under the same key brings.
    fn lacks_action(&self, _key: PaymentId) -> bool {
        false
    }

    /// Whether a charge needs the buyer's pseudonym; then [`Provider::charge_for`] is asked.
    fn wants_payer(&self) -> bool {
        false
    }

    /// Charges this buyer, for providers that have to know whom.
    fn charge_for(
        &self,
        request: ChargeRequest,
        _payer: Option<Arc<str>>,
    ) -> Asked<'_, ChargeReply> {
        self.charge(request)
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
    /// The provider does not accept our signatures because its clock and ours disagree, by so many seconds.
    #[error(
        "the provider's clock and this machine's differ by {0} s, and signatures allow 300 s: set this machine's clock"
    )]
    Skewed(u64),
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
            Self::Unreachable(_) | Self::Unavailable(_) | Self::Held(_) | Self::Skewed(_) => {
                ErrorKind::Wait
            }
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
