//! WeChat Pay, APIv3: native and JSAPI orders, their query and close, refunds, and signed notifications.
//!
//! ```text
//!   charge ──▶ POST /v3/pay/transactions/native ──▶ pending, with the code for the page
//!                                                     │ the buyer scans it and pays
//!   notification TRANSACTION.SUCCESS ──▶ captured   query by our own number ──▶ captured, or closed after its time
//! ```
//!
//! WeChat knows an order by our own number, so nothing has to be remembered: the same number asked for again is the
//! same order. Every request is signed with the merchant's key, and every answer that decides something must carry a
//! signature of the platform: an answer without one is no answer.

mod calls;
mod certificates;
mod notification;
mod settings;
mod sign;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use api::order::{ActionKind, PaymentAction};
use api::provider::{
    ChargeOutcome, ChargeReply, ChargeRequest, Gateway, Knock, RefundReply, RefundRequest,
};
use api::{PaymentId, RefundId};
use world::{Clock, Entropy};

use super::dial::Line;
use super::outward::Outward;
use super::replay::Taken;
use super::stripe::SettingsFault;
use super::tls::Tls;
use super::waiting::Waiting;
use super::{Asked, KnockError, Provider, ProviderError, Read};
use calls::{Calls, Decided};
use certificates::Platform;
use sign::Signer;
use wire::{RefundState, TradeState, Transaction};

pub use settings::{Settings, Way};

/// WeChat Pay; cheap to clone, clones are the same provider.
#[derive(Clone)]
pub struct Wechat {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    clock: Arc<dyn Clock>,
    calls: Calls,
    waiting: Waiting,
    taken: Taken,
}

impl Wechat {
    /// WeChat Pay, reached over this line; answers come within `timeout`.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(
        settings: Settings,
        line: &Line,
        tls: Tls,
        world: (Arc<dyn Clock>, Arc<dyn Entropy>),
        timeout: Duration,
    ) -> Result<Self, SettingsFault> {
        let (clock, entropy) = world;
        let calls = Calls {
            way: Outward::open(settings.faults(), &settings.url, line, tls, timeout)?,
            signer: Signer::new(&settings, entropy)?,
            platform: Platform::new(&settings)?,
            clock: Arc::clone(&clock),
        };
        let inner = Inner {
            settings,
            clock,
            calls,
            waiting: Waiting::default(),
            taken: Taken::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }
}

impl Inner {
    /// The number by which WeChat knows a key: two houses of one merchant must not share any.
    fn name(&self, key: impl fmt::Display) -> String {
        format!("{}{key}", self.settings.house)
    }

    async fn charge(
        &self,
        request: ChargeRequest,
        payer: Option<&str>,
    ) -> Result<ChargeReply, ProviderError> {
        if request.currency.code() != wire::CURRENCY || request.amount_minor <= 0 {
            return Err(ProviderError::Refused(400));
        }
        let way = self.settings.way;
        if way == Way::Jsapi && payer.is_none() {
            // JSAPI charges a known user; an order without a buyer can never be paid so.
            return Err(ProviderError::Refused(400));
        }
        let body = wire::prepay(&request, self.name(request.key), payer, &self.settings)?;
        match self.calls.post(way.path(), &body).await? {
            Decided::Yes(answer) => {
                let action = self.action_of(way, answer.read()?)?;
                let now = self.clock.monotonic();
                self.waiting.note(request.key, now, Some(action), None);
                Ok(wire::reply(&request, ChargeOutcome::Pending))
            }
            // There is an order of this number already, paid or closed: what it is, it says itself.
            Decided::No(failure) if failure.means_there_is_one() => {
                let known = self.charge_status(request.key).await?;
                known.ok_or(ProviderError::Unavailable(failure.status))
            }
            Decided::No(failure) => Err(failure.error()),
        }
    }

    fn action_of(&self, way: Way, prepay: wire::Prepay) -> Result<PaymentAction, ProviderError> {
        let nonsense = || ProviderError::Nonsense("an order without what the page needs".into());
        let action = match way {
            Way::Native => PaymentAction::new(
                ActionKind::WechatCodeUrl,
                prepay.code_url.ok_or_else(nonsense)?,
            ),
            Way::Jsapi => {
                let prepay = prepay.prepay_id.ok_or_else(nonsense)?;
                let now_s = self.clock.wall_ms() / 1_000;
                let page = self
                    .calls
                    .signer
                    .page(&self.settings.appid, &prepay, now_s)?;
                PaymentAction::new(ActionKind::WechatJsapi, page)
            }
        };
        action.ok_or_else(nonsense)
    }

    async fn charge_status(&self, key: PaymentId) -> Result<Option<ChargeReply>, ProviderError> {
        let Some(mut transaction) = self.query(key).await? else {
            return Ok(None);
        };
        if transaction.state() == TradeState::Buyer && self.is_over(key) {
            // The buyer may be quicker; then it cannot be closed, and says what it is now.
            let path = format!("/v3/pay/transactions/out-trade-no/{}/close", self.name(key));
            let body = wire::Close {
                mchid: &self.settings.mchid,
            };
            match self.calls.post(&path, &wire::json(&body)?).await? {
                Decided::Yes(_) => {}
                Decided::No(failure) if failure.means_there_is_one() => {}
                Decided::No(failure) => return Err(failure.error()),
            }
            let again = self.query(key).await?;
            transaction = again.ok_or(ProviderError::Unavailable(404))?;
        }
        let reply = transaction.reply(key)?;
        if reply.outcome != ChargeOutcome::Pending {
            self.waiting.settled(key);
        }
        Ok(Some(reply))
    }

    /// Whether the time is over in which the buyer may pay, counted from when this process first heard of the order.
    fn is_over(&self, key: PaymentId) -> bool {
        let now = self.clock.monotonic();
        let since = self.waiting.note(key, now, None, None);
        now.saturating_sub(since) > Duration::from_secs(self.settings.pay_within_s)
    }

    /// The order of a key, as it is now; `None` when there is none.
    async fn query(&self, key: PaymentId) -> Result<Option<Transaction>, ProviderError> {
        let name = self.name(key);
        let path = format!(
            "/v3/pay/transactions/out-trade-no/{name}?mchid={}",
            self.settings.mchid
        );
        match self.calls.get(&path).await? {
            Decided::Yes(answer) => {
                let transaction: Transaction = answer.read()?;
                transaction.owned(&name, &self.settings).map(Some)
            }
            Decided::No(failure) if failure.is_nothing() => Ok(None),
            Decided::No(failure) => Err(failure.error()),
        }
    }

    async fn refund(&self, request: RefundRequest) -> Result<RefundReply, ProviderError> {
        // WeChat wants to hear how much was paid in all. Only what was captured is refunded, so the order exists.
        let paid = self.query(request.charge).await?;
        let total = paid.ok_or(ProviderError::Unavailable(404))?.total()?;
        let names = (self.name(request.charge), self.name(request.key));
        let body = wire::refund(&request, names, total, &self.settings)?;
        match self.calls.post(wire::REFUNDS, &body).await? {
            Decided::Yes(answer) => self.refunded(request.key, answer.read()?),
            Decided::No(failure) => Err(failure.error()),
        }
    }

    async fn refund_status(&self, key: RefundId) -> Result<Option<RefundReply>, ProviderError> {
        let path = format!("{}/{}", wire::REFUNDS, self.name(key));
        match self.calls.get(&path).await? {
            Decided::Yes(answer) => self.refunded(key, answer.read()?).map(Some),
            Decided::No(failure) if failure.is_nothing() => Ok(None),
            Decided::No(failure) => Err(failure.error()),
        }
    }

    fn refunded(&self, key: RefundId, found: wire::Refund) -> Result<RefundReply, ProviderError> {
        if found.out_refund_no != self.name(key) {
            let other = "another refund than the one asked about";
            return Err(ProviderError::Nonsense(other.into()));
        }
        match found.state() {
            RefundState::Known(outcome) => Ok(RefundReply {
                key,
                outcome,
                amount_minor: found.amount.refund,
            }),
            // The money left the merchant's account and reached nobody: WeChat wants a person to say where to.
            RefundState::Abnormal => Err(ProviderError::Nonsense(format!(
                "the refund {key} is abnormal: finish it on WeChat's merchant platform"
            ))),
        }
    }
}

impl Provider for Wechat {
    fn charge(&self, request: ChargeRequest) -> Asked<'_, ChargeReply> {
        Box::pin(self.inner.charge(request, None))
    }

    fn refund(&self, request: RefundRequest) -> Asked<'_, RefundReply> {
        Box::pin(self.inner.refund(request))
    }

    fn charge_status(&self, key: PaymentId) -> Asked<'_, Option<ChargeReply>> {
        Box::pin(self.inner.charge_status(key))
    }

    fn refund_status(&self, key: RefundId) -> Asked<'_, Option<RefundReply>> {
        Box::pin(self.inner.refund_status(key))
    }

    fn read(&self, knock: Knock) -> Read<'_> {
        match knock.gateway {
            Gateway::Wechat => Box::pin(self.inner.read(knock)),
            Gateway::Stripe => Box::pin(std::future::ready(Err(KnockError::Nobody))),
        }
    }

    fn speaks_our_words(&self) -> bool {
        false
    }

    fn booked(&self, knock: &Knock) {
        self.inner.booked(knock);
    }

    fn action(&self, key: PaymentId) -> Option<PaymentAction> {
        self.inner.waiting.find(key)?.action
    }

    fn lacks_action(&self, key: PaymentId) -> bool {
        self.action(key).is_none()
    }

    fn wants_payer(&self) -> bool {
        self.inner.settings.way == Way::Jsapi
    }

    fn charge_for(
        &self,
        request: ChargeRequest,
        payer: Option<Arc<str>>,
    ) -> Asked<'_, ChargeReply> {
        Box::pin(async move { self.inner.charge(request, payer.as_deref()).await })
    }
}

impl fmt::Debug for Wechat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wechat")
            .field("settings", &self.inner.settings)
            .finish_non_exhaustive()
    }
}
