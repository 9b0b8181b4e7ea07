//! Deciding a journalled entry again, by today's rules: what `verify` reports as a divergence.
//!
//! Recovery never does this. A divergence is no fault of the journal: it says that a rule has changed since, and that
//! the buyer keeps what he was told.

use std::sync::Arc;

use ledger::Minor;

use super::expiry::Over;
use super::keys::{Key, Question};
use super::order::coupons_of;
use super::team::TeamTurn;
use super::{Book, Verdict};
use crate::Time;
use crate::command::{
    Action, Actor, Ask, ChargeOutcome, Place, RefundAsk, RefundOutcome, Report, UnitsBack,
};
use crate::deal::{Deal, DealAsk, TeamAsk};
use crate::entry::{Asked, Bound, By, Entry, Placed, PlacedLine, RefundBegun};
use crate::plan::{SaleState, Turn};
use crate::saga::{Event, SagaAsk, SagaEntry};

/// Today's rules decide otherwise than the journal says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Divergence {
    /// What today's rules say.
    pub today: String,
}

impl Book {
    /// Decides the command of an entry again, on the book as it stood before that entry.
    ///
    /// # Errors
    /// [`Divergence`] when today's rules decide otherwise.
    pub fn redecide(&self, now: Time, entry: &Entry) -> Result<(), Divergence> {
        if let Entry::Expired { orders } = entry {
            return self.redecide_expired(now, orders);
        }
        if let Entry::Turned { to, key: None } = entry {
            return self.redecide_turned(now, *to);
        }
        if let Some(sound) = self.redecide_own(now, entry) {
            return sound;
        }
        if let Some(judged) = self.redecide_saga(now, entry) {
            return judged;
        }
        let Some((actor, action, bound)) = self.command_of(entry) else {
            return Ok(());
        };
        if bound.is_some_and(|bound| self.keys.find(&bound.digest).is_some()) {
            return diverges("its idempotency key is bound already (INV-4)".into());
        }
        let question = Question {
            actor: &actor,
            action: &action,
            key: bound.map_or(Key::None, Key::Journalled),
        };
        match self.decide(now, &question) {
            Verdict::Accept(today) if today == *entry => Ok(()),
            Verdict::Accept(today) => diverges(format!("another outcome: {today:?}")),
            Verdict::Repeat(_) => diverges("a repeat, nothing new".into()),
            Verdict::Refuse(refusal) => diverges(format!("a refusal: {refusal}")),
            Verdict::SweepFirst => diverges("holds that are due expire first".into()),
        }
    }

    fn redecide_expired(&self, now: Time, orders: &[u32]) -> Result<(), Divergence> {
        let early = orders.iter().find(|&&number| {
            !self
                .orders
                .get(number)
                .is_some_and(|order| order.is_due(now))
        });
        early.map_or(Ok(()), |number| {
            diverges(format!("the hold of order {number} is not due"))
        })
    }

    /// What the book does by itself: teams that end and are settled, holds that live longer, the line; `None` for what
    /// was asked for.
    fn redecide_own(&self, now: Time, entry: &Entry) -> Option<Result<(), Divergence>> {
        let due = |order: u32| {
            self.orders
                .get(order)
                .is_some_and(|order| order.is_due(now))
        };
        let sound = match entry {
            Entry::TeamEnded { team, how } => self.team_turn(now, *team) == TeamTurn::End(*how),
            Entry::TeamSettled { team, orders } => {
                self.settling(*team, orders.len()).as_ref() == Ok(entry)
            }
            Entry::HoldsExtended { orders, by_ms } => orders
                .iter()
                .all(|&order| due(order) && self.over(order) == Over::Extended(*by_ms)),
            Entry::BalanceLapsed { orders } => orders.iter().all(|lapsed| {
                due(lapsed.order) && self.over(lapsed.order) == Over::Lapsed(lapsed.clone())
            }),
            Entry::LineOffered(_) | Entry::LeftLine { key: None, .. } => {
                self.line_step().as_ref() == Some(entry)
            }
            Entry::RefundFailed { .. } if self.is_withdrawal(now, entry) => true,
            _ => return None,
        };
        Some(match sound {
            true => Ok(()),
            false => diverges("the book itself does something else now".into()),
        })
    }

    fn redecide_turned(&self, now: Time, to: SaleState) -> Result<(), Divergence> {
        if self.window_step(now) == Some(to) {
            return Ok(());
        }
        diverges(format!("the window does not turn the sale to {to:?}"))
    }

    /// What time did to a saga; `None` for an entry that somebody asked for.
    fn redecide_saga(&self, now: Time, entry: &Entry) -> Option<Result<(), Divergence>> {
        match entry {
            Entry::Saga(SagaEntry::Begun { kind, order, .. }) => {
                let fits = self.saga_kind() == Some(*kind)
                    && self.is_ready(*order)
                    && self.saga_of(*order).is_none();
                Some(match fits {
                    true => Ok(()),
                    false => diverges(format!("order {order} begins no saga")),
                })
            }
            Entry::Saga(SagaEntry::Moved {
                saga,
                event: Event::Due,
                ..
            }) => Some(match self.due_entry(now, *saga) {
                Some(today) if today == *entry => Ok(()),
                Some(today) => diverges(format!("another outcome: {today:?}")),
                None => diverges(format!("nothing of saga {saga} is due")),
            }),
            _ => None,
        }
    }

    /// The command that an entry accepted, and the key that it bound.
    fn command_of<'a>(&self, entry: &'a Entry) -> Option<(Actor, Action, Option<&'a Bound>)> {
        let asked = self
            .step_of_sale(entry)
            .or_else(|| self.step_of_order(entry));
        let (action, bound) = match asked {
            Some((action, key)) => (action, Some(key)),
            None => {
                if let Some(ask) = said_of(entry) {
                    return Some((Actor::House, Action::Saga(ask), None));
                }
                let (report, key) = report_of(entry)?;
                (Action::Report(report), key)
            }
        };
        let actor = bound.map_or(Actor::House, |bound| match &bound.by {
            By::Merchant(account) => Actor::Merchant(account.clone()),
            By::Buyer(buyer) => Actor::Buyer(buyer.clone()),
            By::House => Actor::House,
        });
        Some((actor, action, bound))
    }

    fn step_of_sale<'a>(&self, entry: &'a Entry) -> Option<(Action, &'a Bound)> {
        Some(match entry {
            Entry::Created { secret, plan, key } => {
                let (secret, plan) = (*secret, plan.clone());
                (Action::Create { secret, plan }, key)
            }
            Entry::CreatedWith {
                secret,
                plan,
                offer,
                key,
            } => {
                let action = Action::CreateWith {
                    secret: *secret,
                    plan: plan.clone(),
                    offer: offer.clone(),
                };
                (action, key)
            }
            Entry::OfferAltered { offer, key } => (Action::AlterOffer(offer.clone()), key),
            Entry::Altered { patch, key } => (Action::Alter(patch.clone()), key),
            Entry::Turned { to, key } => (Action::Turn(turn_to(*to)?), key.as_ref()?),
            Entry::StockAdded { sku, units, key } => {
                let (sku, units) = (self.name_of(*sku)?, *units);
                (Action::AddStock { sku, units }, key)
            }
            Entry::WrittenOff {
                sku,
                units,
                reason,
                key,
            } => {
                let action = Action::WriteOff {
                    sku: self.name_of(*sku)?,
                    units: *units,
                    reason: reason.clone(),
                };
                (action, key)
            }
            _ => return None,
        })
    }

    fn step_of_order<'a>(&self, entry: &'a Entry) -> Option<(Action, &'a Bound)> {
        Some(match entry {
            Entry::Placed(placed) => (Action::Place(self.place_of(placed, None)?), &placed.key),
            Entry::Dealt(dealt) => {
                let place = self.place_of(&dealt.placed, Some(&dealt.deal))?;
                (Action::Place(place), &dealt.placed.key)
            }
            Entry::GivenUp { order, key, .. } => (Action::Cancel { order: *order }, key),
            Entry::RefundsBegun {
                refunds,
                reason,
                asked,
                key,
            } => {
                let first = refunds.first()?;
                let amount = Minor(refunds.iter().map(|refund| refund.amount.0).sum());
                let whole = RefundBegun {
                    amount,
                    ..first.clone()
                };
                let ask = ask_of(&whole, reason.as_deref(), *asked);
                let order = first.order;
                (Action::Refund { order, ask }, key)
            }
            Entry::Waits(waits) | Entry::WaitsKnown { waits, .. } => {
                let facts = match entry {
                    Entry::WaitsKnown { facts, .. } => Some(facts.clone()),
                    _ => None,
                };
                let action = Action::Wait {
                    buyer: waits.buyer.clone(),
                    sku: self.name_of(waits.sku)?,
                    units: waits.units,
                    tags: waits.tags.clone().into(),
                    facts,
                };
                (action, &waits.key)
            }
            Entry::LeftLine { ticket, key } => {
                (Action::LeaveLine { ticket: *ticket }, key.as_ref()?)
            }
            Entry::PayBegun { order, key, .. } => (Action::Pay { order: *order }, key),
            Entry::Cancelled { order, key, .. } => (Action::Cancel { order: *order }, key),
            Entry::RefundBegun {
                refund,
                reason,
                asked,
                key,
            } => {
                let ask = ask_of(refund, reason.as_deref(), *asked);
                let order = refund.order;
                (Action::Refund { order, ask }, key)
            }
            Entry::Shipped { order, key } => (Action::Ship { order: *order }, key),
            Entry::Delivered { order, key } => (Action::Deliver { order: *order }, key),
            Entry::ShippedInPart { order, rest, key } => {
                let lines = self.left_of(*order, rest);
                let order = *order;
                (Action::ShipPart { order, lines }, key)
            }
            Entry::Saga(SagaEntry::Ordered {
                saga, verb, key, ..
            }) => {
                let (saga, verb) = (*saga, *verb);
                (Action::Saga(SagaAsk::Verb { saga, verb }), key)
            }
            _ => return None,
        })
    }

    fn name_of(&self, at: u32) -> Option<Arc<str>> {
        self.skus.get(at as usize).map(|sku| sku.sku.clone())
    }

    /// What an order asked for beyond its lines.
    fn asked_for(&self, deal: &Deal) -> DealAsk {
        let team = deal.seat.as_ref().map(|seat| match &seat.opens {
            Some(opening) => TeamAsk::Open {
                commit: opening.commit.as_deref().copied(),
            },
            None => TeamAsk::Join { team: seat.team },
        });
        let known = self
            .offer()
            .map_or(&[][..], |offer| &offer.discounts.coupons);
        let code = |(coupon, _)| Some(known.get(usize::from(coupon))?.code.clone());
        DealAsk {
            team,
            coupons: coupons_of(&deal.price).filter_map(code).collect(),
            facts: deal.facts.clone(),
        }
    }

    fn place_of(&self, placed: &Placed, deal: Option<&Deal>) -> Option<Place> {
        let ask = |line: &PlacedLine| {
            let sku = self.skus.get(line.sku as usize)?;
            Some(Ask {
                sku: (&*sku.sku).into(),
                units: line.units,
                price: line.own_price.then_some(line.price),
            })
        };
        Some(Place {
            buyer: placed.buyer().cloned(),
            tags: placed.tags.clone().into(),
            lines: placed
                .lines
                .as_slice()
                .iter()
                .map(ask)
                .collect::<Option<_>>()?,
            paid: placed.paid.clone(),
            deal: deal.map(|deal| Box::new(self.asked_for(deal))),
        })
    }
}

/// What was said about a saga that time did not do by itself.
fn said_of(entry: &Entry) -> Option<SagaAsk> {
    match entry {
        Entry::Saga(SagaEntry::Chosen { kind }) => Some(SagaAsk::Begin(*kind)),
        Entry::Saga(SagaEntry::Moved {
            saga,
            event: Event::Answer { step, op, said },
            ..
        }) => Some(SagaAsk::Answer {
            saga: *saga,
            step: *step,
            op: *op,
            said: *said,
        }),
        _ => None,
    }
}

/// The report that an entry journalled.
fn report_of(entry: &Entry) -> Option<(Report, Option<&Bound>)> {
    let charge = |order, attempt, outcome| Report::Charge {
        order,
        attempt,
        outcome,
    };
    let refund = |order, number, outcome| Report::Refund {
        order,
        number,
        outcome,
    };
    let (report, key) = match entry {
        Entry::Captured {
            order,
            attempt,
            amount,
            ..
        } => (
            charge(*order, *attempt, ChargeOutcome::Captured(*amount)),
            None,
        ),
        Entry::ChargeFailed { order, attempt } => {
            (charge(*order, *attempt, ChargeOutcome::Failed), None)
        }
        Entry::ChargeUnknown { order, attempt } => {
            (charge(*order, *attempt, ChargeOutcome::Unknown), None)
        }
        Entry::ChargeAuthorised {
            order,
            attempt,
            amount,
        } => {
            let outcome = ChargeOutcome::Authorised(*amount);
            (charge(*order, *attempt, outcome), None)
        }
        Entry::Drawn { team, seed, .. } => {
            let (team, seed) = (*team, *seed);
            (Report::Seed { team, seed }, None)
        }
        Entry::Refunded { order, number } => {
            (refund(*order, *number, RefundOutcome::Refunded), None)
        }
        Entry::RefundFailed { order, number, .. } => {
            (refund(*order, *number, RefundOutcome::Failed), None)
        }
        Entry::ChargedBack {
            order,
            amount,
            reference,
            key,
        } => {
            let report = Report::Chargeback {
                order: *order,
                amount: *amount,
                reference: reference.clone(),
            };
            (report, Some(key))
        }
        _ => return None,
    };
    Some((report, key))
}

fn turn_to(state: SaleState) -> Option<Turn> {
    match state {
        SaleState::Draft => None,
        SaleState::Scheduled | SaleState::Open => Some(Turn::Open),
        SaleState::Paused => Some(Turn::Pause),
        SaleState::Closed => Some(Turn::Close),
        SaleState::Retired => Some(Turn::Retire),
    }
}

fn ask_of(refund: &RefundBegun, reason: Option<&str>, asked: Asked) -> RefundAsk {
    RefundAsk {
        amount: (asked == Asked::Amount).then_some(refund.amount),
        lines: if asked == Asked::All {
            Vec::new()
        } else {
            refund.lines.clone()
        },
        units: if refund.restocked {
            UnitsBack::Restock
        } else {
            UnitsBack::StaySold
        },
        reason: reason.map(Into::into),
    }
}

fn diverges(today: String) -> Result<(), Divergence> {
    Err(Divergence { today })
}
