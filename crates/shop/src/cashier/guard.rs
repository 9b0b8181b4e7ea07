//! Every call to the provider goes through here: a place, a breaker, a rate, a deadline.
//!
//! ```text
//!   call ──▶ bulkhead (a place, or a short wait for one) ──▶ breaker ──▶ rate ──▶ the provider, at most `call_timeout_ms`
//!              └── none: `Held`, no call was made              └── open      └── too many this second: `Held`
//! ```
//!
//! Charges, refunds and questions have each their own: a provider whose refunds hang still takes charges. What is held
//! is not failed; nothing was asked, so nothing is unknown.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::order::PaymentAction;
use api::provider::{ChargeReply, ChargeRequest, Knock, RefundReply, RefundRequest};
use api::{PaymentId, RefundId};
use resilience::bulkhead::Ticket;
use resilience::{Breaker, Bulkhead, Change, Entry, Meter, Pass, Refusal, State, Verdict};
use telemetry::fact::{BreakerTurned, CallHeld};
use telemetry::{EffectKind, Telemetry};
use tokio::sync::oneshot;
use world::{Clock, ErrorKind, Tasks};

use super::Settings;
use crate::provider::{Asked, CallbackSink, Provider, ProviderError, Read};

/// What whoever found no place or too many probes waits, at least.
const HELD_WAIT: Duration = Duration::from_millis(500);

/// What whoever found the rate used up waits, at most, before they ask again.
pub(crate) const TURN_MAX: Duration = Duration::from_secs(5);

/// From here on a charge that waits for its turn is one that an order tells of.
const DELAY_TOLD: Duration = Duration::from_secs(1);

/// A provider behind its places and breakers.
pub(crate) struct Guarded {
    provider: Arc<dyn Provider>,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    telemetry: Telemetry,
    deadline: Duration,
    charge: Gate,
    refund: Gate,
    status: Gate,
}

/// What stands before one kind of calls.
struct Gate {
    effect: EffectKind,
    inside: Mutex<Inside>,
}

struct Inside {
    breaker: Breaker,
    bulkhead: Bulkhead,
    /// How many calls a second, where that is limited.
    rate: Option<Meter>,
    /// Who waits for a place.
    waiting: BTreeMap<Ticket, oneshot::Sender<()>>,
}

impl Gate {
    fn new(effect: EffectKind, settings: &Settings) -> Self {
        let inside = Inside {
            breaker: Breaker::new(settings.breaker()),
            bulkhead: Bulkhead::new(settings.bulkhead()),
            rate: settings.rate(effect),
            waiting: BTreeMap::new(),
        };
        Self {
            effect,
            inside: Mutex::new(inside),
        }
    }

    /// Takes one of the calls of this second; when there is none, how long to stay away.
    fn turn(&self, now: Duration) -> Option<Duration> {
        let mut inside = self.inside();
        let rate = inside.rate.as_mut()?;
        rate.take(now).is_err().then(|| rate.turn(now, TURN_MAX))
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        // Nothing in there panics half-way through a change.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place at the provider; dropped, it goes to whoever waits longest.
struct Seat<'a> {
    gate: &'a Gate,
    clock: &'a dyn Clock,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let now = self.clock.monotonic();
        let mut inside = self.gate.inside();
        let mut next = inside.bulkhead.leave(now);
        while let Some(ticket) = next {
            let called = inside.waiting.remove(&ticket);
            if called.is_some_and(|called| called.send(()).is_ok()) {
                return;
            }
            // Whoever it was has gone; the place goes on.
            next = inside.bulkhead.leave(now);
        }
    }
}

/// Somebody who waits; dropped, they give up, or give the place on that they were called to meanwhile.
struct Waiting<'a> {
    gate: &'a Gate,
    clock: &'a dyn Clock,
    ticket: Ticket,
    called: oneshot::Receiver<()>,
    came: bool,
}

impl<'a> Waiting<'a> {
    /// Ends the wait. Nobody is called in after this, so a call that crossed the end of the patience is seen.
    fn end(&mut self) -> Option<Seat<'a>> {
        let mut inside = self.gate.inside();
        inside.waiting.remove(&self.ticket);
        inside.bulkhead.give_up(self.ticket);
        drop(inside);
        let came = std::mem::take(&mut self.came) || self.called.try_recv().is_ok();
        let (gate, clock) = (self.gate, self.clock);
        came.then(|| Seat { gate, clock })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        drop(self.end());
    }
}

/// A call that was let through; dropped without an outcome, it was given up.
struct Call<'a> {
    guarded: &'a Guarded,
    gate: &'a Gate,
    pass: Option<Pass>,
}

impl Call<'_> {
    fn end(mut self, verdict: Verdict) {
        self.settle(verdict);
    }

    fn settle(&mut self, verdict: Verdict) {
        let Some(pass) = self.pass.take() else {
            return;
        };
        let now = self.guarded.clock.monotonic();
        let change = self.gate.inside().breaker.settle(pass, verdict, now);
        self.guarded.tell(self.gate, change);
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.settle(Verdict::Abandoned);
    }
}

impl Guarded {
    /// The provider behind what these settings say.
    pub(crate) fn new(
        settings: &Settings,
        provider: Arc<dyn Provider>,
        clock: Arc<dyn Clock>,
        tasks: Tasks,
        telemetry: Telemetry,
    ) -> Self {
        Self {
            provider,
            clock,
            tasks,
            telemetry,
            deadline: Duration::from_millis(settings.call_timeout_ms),
            charge: Gate::new(EffectKind::Charge, settings),
            refund: Gate::new(EffectKind::Refund, settings),
            status: Gate::new(EffectKind::Lookup, settings),
        }
    }

    /// Whether charges are not sent to the provider now, for how long at least.
    pub(crate) fn charges_wait(&self) -> Option<Duration> {
        let now = self.clock.monotonic();
        let inside = self.charge.inside();
        match inside.breaker.state(now) {
            State::Open { until } => Some(until.saturating_sub(now)),
            State::Closed | State::HalfOpen => {
                let backlog = inside.rate.as_ref().map(|rate| rate.backlog(now));
                backlog.filter(|wait| *wait >= DELAY_TOLD)
            }
        }
    }

    async fn call<'a, T>(
        &self,
        gate: &Gate,
        call: impl FnOnce() -> Asked<'a, T>,
    ) -> Result<T, ProviderError> {
        let Some(_seat) = self.seat(gate).await else {
            return Err(self.held(gate, HELD_WAIT));
        };
        let now = self.clock.monotonic();
        let admitted = gate.inside().breaker.admit(now);
        let pass = match admitted {
            Ok((pass, change)) => {
                self.tell(gate, change);
                pass
            }
            Err(Refusal::Open(wait)) => return Err(self.held(gate, wait.max(HELD_WAIT))),
            Err(Refusal::Probing) => return Err(self.held(gate, HELD_WAIT)),
        };
        let pass = Some(pass);
        let under_way = Call {
            guarded: self,
            gate,
            pass,
        };
        if let Some(wait) = gate.turn(now) {
            // The pass goes back unused, so that a breaker learns nothing from a call that was not made.
            return Err(self.held(gate, wait));
        }
        let answered = self.tasks.timeout(self.deadline, call()).await;
        let answered = answered.unwrap_or(Err(ProviderError::Timeout));
        under_way.end(verdict(&answered));
        answered
    }

    /// A place, or none within the patience that one may have.
    async fn seat<'a>(&'a self, gate: &'a Gate) -> Option<Seat<'a>> {
        let clock = &*self.clock;
        let now = clock.monotonic();
        let (call, called) = oneshot::channel();
        let (ticket, until) = {
            let mut inside = gate.inside();
            match inside.bulkhead.enter(now) {
                Entry::In => return Some(Seat { gate, clock }),
                Entry::Full => return None,
                Entry::Wait(ticket, until) => {
                    inside.waiting.insert(ticket, call);
                    (ticket, until)
                }
            }
        };
        let mut waiting = Waiting {
            gate,
            clock,
            ticket,
            called,
            came: false,
        };
        let wait = until.saturating_sub(now);
        let came = self.tasks.timeout(wait, &mut waiting.called).await;
        waiting.came = matches!(came, Some(Ok(())));
        waiting.end()
    }

    fn held(&self, gate: &Gate, wait: Duration) -> ProviderError {
        let effect = gate.effect;
        self.telemetry.tell(&CallHeld { effect, wait });
        ProviderError::Held(wait)
    }

    fn tell(&self, gate: &Gate, change: Option<Change>) {
        let Some(Change { from, to }) = change else {
            return;
        };
        let level = match to {
            State::Closed => 0,
            State::HalfOpen => 1,
            State::Open { .. } => 2,
        };
        self.telemetry.tell(&BreakerTurned {
            effect: gate.effect,
            from: from.name(),
            to: to.name(),
            level,
        });
    }
}

/// A refusal and an answer without sense are answers: the provider is there.
fn verdict<T>(answered: &Result<T, ProviderError>) -> Verdict {
    match answered {
        Ok(_) => Verdict::Answered,
        Err(error) => match error.kind() {
            ErrorKind::Wait | ErrorKind::Retry => Verdict::Failed,
            _ => Verdict::Answered,
        },
    }
}

impl Provider for Guarded {
    fn charge(&self, request: ChargeRequest) -> Asked<'_, ChargeReply> {
        Box::pin(async move {
            self.call(&self.charge, || self.provider.charge(request))
                .await
        })
    }

    fn refund(&self, request: RefundRequest) -> Asked<'_, RefundReply> {
        Box::pin(async move {
            self.call(&self.refund, || self.provider.refund(request))
                .await
        })
    }

    fn charge_status(&self, key: PaymentId) -> Asked<'_, Option<ChargeReply>> {
        Box::pin(async move {
            self.call(&self.status, || self.provider.charge_status(key))
                .await
        })
    }

    fn refund_status(&self, key: RefundId) -> Asked<'_, Option<RefundReply>> {
        Box::pin(async move {
            self.call(&self.status, || self.provider.refund_status(key))
                .await
        })
    }

    fn remembers(&self) -> bool {
        self.provider.remembers()
    }

    fn callbacks_to(&self, sink: Arc<dyn CallbackSink>) {
        self.provider.callbacks_to(sink);
    }

    fn read(&self, knock: Knock) -> Read<'_> {
        self.provider.read(knock)
    }

    fn speaks_our_words(&self) -> bool {
        self.provider.speaks_our_words()
    }

    fn booked(&self, knock: &Knock) {
        self.provider.booked(knock);
    }

    fn action(&self, key: PaymentId) -> Option<PaymentAction> {
        self.provider.action(key)
    }

    fn lacks_action(&self, key: PaymentId) -> bool {
        self.provider.lacks_action(key)
    }

    fn wants_payer(&self) -> bool {
        self.provider.wants_payer()
    }

    fn charge_for(
        &self,
        request: ChargeRequest,
        payer: Option<Arc<str>>,
    ) -> Asked<'_, ChargeReply> {
        Box::pin(async move {
            self.call(&self.charge, || self.provider.charge_for(request, payer))
                .await
        })
    }
}

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded")
            .field("provider", &self.provider)
            .finish_non_exhaustive()
    }
}
