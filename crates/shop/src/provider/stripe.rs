//! Stripe: payment intents, refunds, and signed webhooks.
//!
//! ```text
//!   charge ──▶ POST /v1/payment_intents, Idempotency-Key = our key ──▶ pending, with the client secret for the page
//!                                                                        │ the buyer pays in Stripe's own form
//!   webhook payment_intent.succeeded ──▶ captured            status question ──▶ captured, or closed after its time
//! ```
//!
//! Stripe names intents itself, so ours carries its key in the metadata. What a lost answer left behind is found in two
//! ways that cover for each other: Stripe remembers an idempotency key for a day, and its search knows every intent
//! that is older than some minutes. So a key that the search does not know yet is safe to use again, and one that
//! Stripe has forgotten is found by the search. An intent's own name, once known, is kept and asked for directly.
//!
//! A dispute carries nothing of ours: whose it is says the intent that it names, which is asked for. It counts when money
//! moved, and not when it was only announced.
//!
//! A repeat under an idempotency key gives the first answer as it was then; what it says now is asked for by name.

mod calls;
mod settings;
mod webhook;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use api::order::{ActionKind, PaymentAction};
use api::provider::{
    ChargeOutcome, ChargeReply, ChargeRequest, Gateway, Knock, RefundOutcome, RefundReply,
    RefundRequest,
};
use api::{PaymentId, RefundId};
use world::Clock;

use super::dial::Line;
use super::outward::Outward;
use super::replay::Taken;
use super::tls::Tls;
use super::waiting::Waiting;
use super::{Asked, KnockError, Provider, ProviderError, Read};
use calls::Calls;
use wire::{Intent, IntentState, Refund};

pub(super) use settings::is_house;
pub use settings::{Settings, SettingsFault};

/// Stripe; cheap to clone, clones are the same provider.
#[derive(Clone)]
pub struct Stripe {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    clock: Arc<dyn Clock>,
    calls: Calls,
    waiting: Waiting,
    taken: Taken,
}

impl Stripe {
    /// Stripe, reached over this line; answers come within `timeout`.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub fn new(
        settings: Settings,
        line: &Line,
        tls: Tls,
        clock: Arc<dyn Clock>,
        timeout: Duration,
    ) -> Result<Self, SettingsFault> {
        let calls = Calls {
            way: Outward::open(settings.faults(), &settings.url, line, tls, timeout)?,
            key: settings.api_secret.clone(),
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
    /// The text by which Stripe knows a key: two houses in one account must not share any.
    fn name(&self, key: impl fmt::Display) -> String {
        format!("{}-{key}", self.settings.house)
    }

    async fn charge(&self, request: ChargeRequest) -> Result<ChargeReply, ProviderError> {
        if !wire::can_be_said(request.currency, request.amount_minor) {
            return Err(ProviderError::Refused(400));
        }
        let form = wire::charge_form(&request, &self.settings);
        let name = self.name(request.key);
        let made = self.calls.post("/v1/payment_intents", &form, &name).await?;
        let mut intent: Intent = match made.card_error() {
            Some(error) => match error.payment_intent {
                Some(intent) => *intent,
                None => return Ok(declined(&request)),
            },
            None => made.read()?,
        };
        if made.replayed {
            intent = self.intent(&intent.id).await?;
        }
        self.settle(request.key, intent).await
    }

    async fn charge_status(&self, key: PaymentId) -> Result<Option<ChargeReply>, ProviderError> {
        match self.find(key).await? {
            Some(intent) => self.settle(key, intent).await.map(Some),
            None => Ok(None),
        }
    }

    /// The intent of a key, as it is now.
    async fn find(&self, key: PaymentId) -> Result<Option<Intent>, ProviderError> {
        let known = self.waiting.find(key).and_then(|note| note.foreign);
        if let Some(id) = known {
            return self.intent(&id).await.map(Some);
        }
        let query = wire::search("tidegate_payment", key, &self.settings.house);
        let mut best: Option<Intent> = None;
        for found in self.calls.search(&query).await? {
            // What a search shows may be minutes old.
            let intent = self.intent(&found.id).await?;
            let rank = |intent: &Intent| intent.state().rank();
            if best.as_ref().is_some_and(|best| {
                rank(best) == IntentState::Captured.rank() && rank(&intent) == rank(best)
            }) {
                return Err(ProviderError::Nonsense(format!(
                    "two intents of {key} were captured, {} is one of them",
                    intent.id
                )));
            }
            if best.as_ref().is_none_or(|best| rank(&intent) > rank(best)) {
                best = Some(intent);
            }
        }
        Ok(best)
    }

    async fn intent(&self, id: &str) -> Result<Intent, ProviderError> {
        let path = format!("/v1/payment_intents/{}", wire::checked_id(id)?);
        self.calls.get(&path).await?.read()
    }

    /// What an intent means for its charge; one whose time is over is closed first.
    async fn settle(&self, key: PaymentId, intent: Intent) -> Result<ChargeReply, ProviderError> {
        let mut intent = intent.owned(key, &self.settings.house)?;
        if self.is_over(&intent) {
            intent = self.close(key, &intent).await?;
        }
        let now = self.clock.monotonic();
        let state = intent.state();
        let action = match (&state, intent.client_secret.as_deref()) {
            (IntentState::Buyer(_), Some(secret)) => {
                PaymentAction::new(ActionKind::StripeClientSecret, secret)
            }
            _ => None,
        };
        self.waiting.note(key, now, action, Some(&intent.id));
        let outcome = match state {
            IntentState::Captured => ChargeOutcome::Captured,
            IntentState::Cancelled => ChargeOutcome::Declined,
            IntentState::Buyer(_) | IntentState::Bank => ChargeOutcome::Pending,
        };
        if outcome != ChargeOutcome::Pending {
            self.waiting.settled(key);
        }
        intent.reply(key, outcome)
    }

    /// Whether nobody is to pay this any more: its time is over, or a card that was to be charged at once was refused.
    fn is_over(&self, intent: &Intent) -> bool {
        let IntentState::Buyer(needs_method) = intent.state() else {
            return false;
        };
        let now_s = self.clock.wall_ms() / 1_000;
        let refused = self.settings.confirm_with.is_some() && needs_method;
        refused || now_s > intent.created.saturating_add(self.settings.pay_within_s)
    }

    /// Closes an intent. The buyer may have been quicker: then it says what it is now.
    async fn close(&self, key: PaymentId, intent: &Intent) -> Result<Intent, ProviderError> {
        let id = wire::checked_id(&intent.id)?;
        let path = format!("/v1/payment_intents/{id}/cancel");
        let name = self.name(format_args!("{key}-cancel"));
        let closed = match self.calls.post(&path, &[], &name).await {
            Ok(closed) if !closed.replayed => closed.read()?,
            Ok(_) | Err(ProviderError::Refused(_)) => self.intent(id).await?,
            Err(error) => return Err(error),
        };
        closed.owned(key, &self.settings.house)
    }

    async fn refund(&self, request: RefundRequest) -> Result<RefundReply, ProviderError> {
        // Only what was captured is refunded, so its intent exists: a search that does not show it yet is asked again.
        let intent = self.find(request.charge).await?;
        let intent = intent.ok_or(ProviderError::Unavailable(404))?;
        let form = wire::refund_form(&request, &intent.id, &self.settings.house);
        let name = self.name(request.key);
        let made = self.calls.post("/v1/refunds", &form, &name).await?;
        let mut refund: Refund = made.read()?;
        if made.replayed {
            let path = format!("/v1/refunds/{}", wire::checked_id(&refund.id)?);
            refund = self.calls.get(&path).await?.read()?;
        }
        refund.reply(request.key, &self.settings.house)
    }

    /// Looks through the refunds of all charges of the order; Stripe has no search for refunds.
    async fn refund_status(&self, key: RefundId) -> Result<Option<RefundReply>, ProviderError> {
        let query = wire::search("tidegate_order", key.order, &self.settings.house);
        let found = self.calls.search(&query).await?.into_iter();
        let found = found.map(|intent| intent.id.into_boxed_str());
        // The search may be minutes behind what is known here.
        let mut intents: Vec<Box<str>> = self.waiting.foreign_of(key.order);
        intents.extend(found);
        intents.sort();
        intents.dedup();
        for intent in intents {
            for refund in self.calls.refunds(wire::checked_id(&intent)?).await? {
                if refund.is(key, &self.settings.house) {
                    return refund.reply(key, &self.settings.house).map(Some);
                }
            }
        }
        Ok(None)
    }
}

fn declined(request: &ChargeRequest) -> ChargeReply {
    ChargeReply {
        key: request.key,
        outcome: ChargeOutcome::Declined,
        amount_minor: request.amount_minor,
        currency: request.currency,
        action: None,
    }
}

impl Provider for Stripe {
    fn charge(&self, request: ChargeRequest) -> Asked<'_, ChargeReply> {
        Box::pin(self.inner.charge(request))
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
        Box::pin(async move {
            match knock.gateway {
                Gateway::Stripe => self.inner.read(&knock).await,
                Gateway::Wechat => Err(KnockError::Nobody),
            }
        })
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
}

impl fmt::Debug for Stripe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stripe")
            .field("settings", &self.inner.settings)
            .finish_non_exhaustive()
    }
}

/// What Stripe calls the end of a refund.
fn refund_outcome(status: &str) -> Result<RefundOutcome, ProviderError> {
    match status {
        "succeeded" => Ok(RefundOutcome::Refunded),
        "failed" | "canceled" => Ok(RefundOutcome::Declined),
        "pending" | "requires_action" => Ok(RefundOutcome::Pending),
        other => Err(ProviderError::Nonsense(format!(
            "a refund in the state {other:.40}"
        ))),
    }
}
