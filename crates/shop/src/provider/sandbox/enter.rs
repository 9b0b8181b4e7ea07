//! How a charge or refund gets into the ledger, and into its file where there is one.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use api::provider::{ChargeOutcome, ChargeRequest, RefundOutcome, RefundRequest};
use world::Clock;

use super::fate::Fate;
use super::keep::{KeptFate, Line};
use super::ledger::{Ledger, Refused, Taken};
use super::script::Act;
use super::{Inner, ProviderError, Sandbox};

/// A request that is in the ledger.
pub(super) struct Entered<O> {
    pub(super) taken: Taken,
    pub(super) act: Option<Act>,
    /// What becomes of it, when it is new.
    pub(super) fate: Option<Fate<O>>,
}

/// How a kind of request is entered.
type Enter<Q, O> = fn(&Inner, &Q, &[u64; 2]) -> Result<Entered<O>, ProviderError>;

impl Sandbox {
    /// Enters a request; beside the tasks where a file has to be waited for.
    pub(super) async fn enter<Q, O>(
        &self,
        request: &Q,
        name: [u64; 2],
        enter: Enter<Q, O>,
    ) -> Result<Entered<O>, ProviderError>
    where
        Q: Clone + Send + 'static,
        O: Send + 'static,
    {
        if self.inner.keep.is_none() {
            return enter(&self.inner, request, &name);
        }
        let (inner, request) = (Arc::clone(&self.inner), request.clone());
        let entering = self
            .inner
            .tasks
            .blocking(move || enter(&inner, &request, &name));
        let entered = entering.await;
        entered.unwrap_or(Err(ProviderError::Unavailable(500)))
    }
}

impl Inner {
    pub(super) fn enter_charge(
        &self,
        request: &ChargeRequest,
        name: &[u64; 2],
    ) -> Result<Entered<ChargeOutcome>, ProviderError> {
        let (mut act, mut fate) = (None, None);
        let mut ledger = self.ledger();
        let taken = ledger.charge(request, self.settings.records_max, |nth| {
            act = self.play().charge(nth);
            *fate.insert(self.charge_fate(name, act))
        });
        let taken = taken.map_err(refusal)?;
        let new = fate.and_then(|_| ledger.charge_fate(request.key));
        self.keep(&ledger, new.map(|fate| (request, fate)), Line::Charge)?;
        Ok(Entered { taken, act, fate })
    }

    pub(super) fn enter_refund(
        &self,
        request: &RefundRequest,
        name: &[u64; 2],
    ) -> Result<Entered<RefundOutcome>, ProviderError> {
        let (mut act, mut fate) = (None, None);
        let (most, unknown) = (self.settings.records_max, self.settings.unknown_charge);
        let mut ledger = self.ledger();
        let taken = ledger.refund(request, most, unknown, |nth| {
            act = self.play().refund(nth);
            *fate.insert(self.refund_fate(name, act))
        });
        let taken = taken.map_err(refusal)?;
        let new = fate.and_then(|_| ledger.refund_fate(request.key));
        self.keep(&ledger, new.map(|fate| (request, fate)), Line::Refund)?;
        Ok(Entered { taken, act, fate })
    }

    /// Writes down what is new, with the ledger's lock held, so that nobody hears of it before it is on disk.
    fn keep<Q: Clone, O: Copy>(
        &self,
        _ledger: &MutexGuard<'_, Ledger>,
        new: Option<(&Q, Fate<O>)>,
        line: fn(Q, KeptFate<O>) -> Line,
    ) -> Result<(), ProviderError> {
        let Some(keep) = &self.keep else {
            return Ok(());
        };
        let mut keep = keep.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((request, fate)) = new {
            // What cannot be kept makes the file broken, and then nobody is told anything until the next start.
            let line = line(request.clone(), kept(&fate, &*self.clock));
            drop(keep.append(&line));
        }
        match keep.is_broken() {
            true => Err(ProviderError::Unavailable(500)),
            false => Ok(()),
        }
    }

    /// Whether the ledger in memory knows what its file may not.
    pub(super) fn is_broken(&self) -> bool {
        let keep = self.keep.as_ref();
        keep.is_some_and(|keep| {
            let keep = keep.lock().unwrap_or_else(PoisonError::into_inner);
            keep.is_broken()
        })
    }

    /// Posts the callbacks of what an earlier process left open; those of the rest were sent or are lost, which is what
    /// a status question is for.
    pub(super) fn post_again(&self) {
        if self.keep.is_none() {
            return;
        }
        let now = self.clock.monotonic();
        let (charges, refunds) = {
            let ledger = self.ledger();
            (ledger.open_charges(now), ledger.open_refunds(now))
        };
        for (request, fate) in charges {
            let name = [request.key.order.get(), u64::from(request.key.attempt)];
            self.post_charge(&request, &name, &fate);
        }
        for (request, fate) in refunds {
            let name = [request.key.order.get(), u64::from(request.key.number)];
            self.post_refund(&request, &name, &fate);
        }
    }
}

fn refusal(refused: Refused) -> ProviderError {
    match refused {
        Refused::Body => ProviderError::Refused(422),
        Refused::Full => ProviderError::Unavailable(507),
    }
}

fn kept<O: Copy>(fate: &Fate<O>, clock: &dyn Clock) -> KeptFate<O> {
    let (now, wall_ms) = (clock.monotonic(), clock.wall_ms());
    let at = |moment: Duration| {
        let later = moment.saturating_sub(now).as_millis();
        wall_ms.saturating_add(u64::try_from(later).unwrap_or(u64::MAX))
    };
    KeptFate {
        end: fate.end,
        decided_ms: at(fate.decided),
        turns: fate.turns.map(|(moment, end)| (at(moment), end)),
    }
}

/// The ledger of an earlier process.
pub(super) fn restored(lines: Vec<Line>, clock: &dyn Clock) -> Ledger {
    let mut ledger = Ledger::default();
    for line in lines {
        match line {
            Line::Charge(request, fate) => ledger.put_charge(request, alive(&fate, clock)),
            Line::Refund(request, fate) => ledger.put_refund(request, alive(&fate, clock)),
        }
    }
    ledger
}

/// A fate in the time of this process: what was decided is so from its start on.
fn alive<O: Copy>(kept: &KeptFate<O>, clock: &dyn Clock) -> Fate<O> {
    let (now, wall_ms) = (clock.monotonic(), clock.wall_ms());
    let at = |moment_ms: u64| match moment_ms.checked_sub(wall_ms) {
        None | Some(0) => Duration::ZERO,
        Some(later_ms) => now.saturating_add(Duration::from_millis(later_ms)),
    };
    Fate {
        end: kept.end,
        decided: at(kept.decided_ms),
        turns: kept.turns.map(|(moment_ms, end)| (at(moment_ms), end)),
    }
}
