//! A bank at its worst, without a network: it does each charge once, and tells of it late, twice, or after the hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::provider::{self, ChargeRequest, ProviderCharge, ProviderRefund, RefundRequest};
use api::{OrderId, PaymentId, RefundId, SaleId};
use commerce::command::{ChargeOutcome, RefundOutcome};
use commerce::{Action, Actor, Command, Effect, EffectKind, Report};
use ledger::Currency;
use tokio::sync::mpsc;

use super::floor::{Floor, SALE};
use crate::chance::Chance;
use crate::clock::DAWN_MS;
use crate::record::Finding;

/// What the bank's own books hold.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    decided: BTreeMap<(u32, EffectKind), Outcome>,
    /// What was asked for, how much, and in which currency.
    asked: BTreeMap<(u32, EffectKind), (i64, Currency)>,
    busy: BTreeSet<(u32, EffectKind)>,
}

#[derive(Clone, Copy, Debug)]
enum Outcome {
    Charge(ChargeOutcome),
    Refund(RefundOutcome),
}

/// The bank; cheap to clone.
#[derive(Clone)]
pub(super) struct Bank {
    floor: Floor,
    ledger: Arc<Mutex<Ledger>>,
    chance: Arc<Mutex<Chance>>,
    slow_ms: u64,
}

impl Bank {
    /// A bank whose slow answers take up to so many milliseconds.
    pub(super) fn new(floor: &Floor, seed: u64, slow_ms: u64) -> Self {
        Self {
            floor: floor.clone(),
            ledger: Arc::default(),
            chance: Arc::new(Mutex::new(Chance::of(seed, "bank"))),
            slow_ms,
        }
    }

    /// Takes effects for as long as anybody can hand some out.
    pub(super) async fn run(self, mut effects: mpsc::UnboundedReceiver<Effect>) {
        while let Some(effect) = effects.recv().await {
            if self.ledger().busy.insert((effect.order, effect.kind)) {
                let bank = self.clone();
                drop(self.floor.street.spawn(bank.attend(effect)));
            }
        }
    }

    /// Whether nothing is being done.
    pub(super) fn is_idle(&self) -> bool {
        self.ledger().busy.is_empty()
    }

    /// Charges that were captured.
    pub(super) fn captured(&self) -> Vec<(u32, u16)> {
        let ledger = self.ledger();
        let captured = ledger
            .decided
            .iter()
            .filter_map(|(at, outcome)| match (at, outcome) {
                (
                    (order, EffectKind::Charge { attempt }),
                    Outcome::Charge(ChargeOutcome::Captured(_)),
                ) => Some((*order, *attempt)),
                _ => None,
            });
        captured.collect()
    }

    async fn attend(self, effect: Effect) {
        let now_ms = DAWN_MS + u64::try_from(self.floor.street.now().as_millis()).unwrap_or(0);
        let early = effect.not_before.0.saturating_sub(now_ms);
        if early > 0 {
            self.floor.street.sleep(Duration::from_millis(early)).await;
            // A try that waited may have been withdrawn; the cashier asks, and so does this one.
            if !self.floor.wants(effect).await {
                self.ledger().busy.remove(&(effect.order, effect.kind));
                return;
            }
        }
        let (outcome, wait, tells) = self.decide(&effect);
        let hints = self.hints(&effect);
        for hint in hints {
            self.floor.insist(&[report(&effect, hint)]).await;
        }
        self.floor.street.sleep(wait).await;
        for _ in 0..tells {
            self.floor.insist(&[report(&effect, outcome)]).await;
        }
        self.ledger().busy.remove(&(effect.order, effect.kind));
    }

    /// What a bank says of a charge before it knows: that it does not know, or that the money is set aside.
    fn hints(&self, effect: &Effect) -> Vec<Outcome> {
        let EffectKind::Charge { .. } = effect.kind else {
            return Vec::new();
        };
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        let hints = [
            (120, ChargeOutcome::Unknown),
            (120, ChargeOutcome::Authorised(effect.amount)),
        ];
        let hints = hints.into_iter().filter(|(rate, _)| chance.hits(*rate));
        hints.map(|(_, hint)| Outcome::Charge(hint)).collect()
    }

    /// The bank's ledger as a provider would show it: charges, then refunds.
    pub(super) fn books(&self) -> (Vec<ProviderCharge>, Vec<ProviderRefund>) {
        let ledger = self.ledger();
        let (mut charges, mut refunds) = (Vec::new(), Vec::new());
        for (&(number, kind), &outcome) in &ledger.decided {
            let order = SaleId::new(SALE).and_then(|sale| OrderId::new(sale, u64::from(number)));
            let asked = ledger.asked.get(&(number, kind));
            let (Some(order), Some(&(amount_minor, currency))) = (order, asked) else {
                continue;
            };
            let Ok(currency) = currency.code().parse::<api::currency::Currency>() else {
                continue;
            };
            match (kind, outcome) {
                (EffectKind::Charge { attempt }, Outcome::Charge(outcome)) => {
                    let request = ChargeRequest {
                        key: PaymentId { order, attempt },
                        order,
                        amount_minor,
                        currency,
                    };
                    let outcome = match outcome {
                        ChargeOutcome::Captured(_) => provider::ChargeOutcome::Captured,
                        _ => provider::ChargeOutcome::Declined,
                    };
                    charges.push(ProviderCharge { request, outcome });
                }
                (EffectKind::Refund { number, charge }, Outcome::Refund(outcome)) => {
                    let request = RefundRequest {
                        key: RefundId { order, number },
                        charge: PaymentId {
                            order,
                            attempt: charge,
                        },
                        amount_minor,
                        currency,
                    };
                    let outcome = match outcome {
                        RefundOutcome::Refunded => provider::RefundOutcome::Refunded,
                        RefundOutcome::Failed => provider::RefundOutcome::Declined,
                    };
                    refunds.push(ProviderRefund { request, outcome });
                }
                // An outcome is kept under the effect that it is of.
                _ => {}
            }
        }
        (charges, refunds)
    }

    /// What becomes of an effect, decided once; how long that takes, and how often it is told.
    fn decide(&self, effect: &Effect) -> (Outcome, Duration, u32) {
        let mut chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner);
        let drawn = match effect.kind {
            EffectKind::Charge { .. } => Outcome::Charge(match chance.hits(800) {
                true => ChargeOutcome::Captured(effect.amount),
                false => ChargeOutcome::Failed,
            }),
            EffectKind::Refund { .. } => Outcome::Refund(match chance.hits(850) {
                true => RefundOutcome::Refunded,
                false => RefundOutcome::Failed,
            }),
        };
        let most = match chance.hits(150) {
            true => self.slow_ms,
            false => 300,
        };
        let wait = Duration::from_millis(chance.between(1, most));
        let tells = 1 + u32::from(chance.hits(200));
        let mut ledger = self.ledger();
        let asked = (effect.amount.0, effect.currency);
        let key = (effect.order, effect.kind);
        if let Some(other) = ledger
            .asked
            .insert(key, asked)
            .filter(|before| *before != asked)
        {
            let what = format!("{key:?} was asked for as {asked:?} and as {other:?}");
            self.floor
                .memory()
                .findings
                .push(Finding::new("INV-4", what));
        }
        let outcome = ledger.decided.entry(key);
        (*outcome.or_insert(drawn), wait, tells)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn report(effect: &Effect, outcome: Outcome) -> Command {
    let order = effect.order;
    let report = match (outcome, effect.kind) {
        (Outcome::Charge(outcome), EffectKind::Charge { attempt }) => Report::Charge {
            order,
            attempt,
            outcome,
        },
        (Outcome::Refund(outcome), EffectKind::Refund { number, .. }) => Report::Refund {
            order,
            number,
            outcome,
        },
        // An outcome is kept under the effect that it is of.
        (_, EffectKind::Charge { attempt }) => Report::Charge {
            order,
            attempt,
            outcome: ChargeOutcome::Unknown,
        },
        (_, EffectKind::Refund { number, .. }) => Report::Refund {
            order,
            number,
            outcome: RefundOutcome::Failed,
        },
    };
    Command {
        actor: Actor::House,
        key: None,
        action: Action::Report(report),
    }
}
