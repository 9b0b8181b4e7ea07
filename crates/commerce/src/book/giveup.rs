//! Who may give which order up, and what he gets back.

use super::given_back::{over_charges, refund_of};
use super::keys::Question;
use super::order::{Order, Phase};
use super::team::TeamState;
use super::{Book, Terms};
use crate::command::{RefundAsk, UnitsBack};
use crate::entry::{Entry, RefundBegun};
use crate::offer::{AfterFinish, Lapse, Leave};
use crate::{OrderStatus, Refusal, Time};

impl Book {
    /// The refund that giving an order up takes, if it takes one.
    pub(crate) fn cancellation(
        &self,
        now: Time,
        terms: &Terms,
        question: &Question<'_>,
        (number, order): (u32, &Order),
    ) -> Result<Option<RefundBegun>, Refusal> {
        let state = order.status(now);
        match order.phase {
            Phase::Held => Ok(None),
            Phase::Expired => Err(Refusal::HoldExpired),
            // Only before the goods leave.
            Phase::Paid if state == OrderStatus::Paid => {
                self.may_give_up(question, order, state)?;
                if stdx::mutants::is("cancel-forgets-refund") {
                    return Ok(None);
                }
                whole_refund(terms, order, number)
            }
            _ => Err(Refusal::OrderState { state }),
        }
    }

    /// Giving up an order with dues. A buyer who gives up after the deposit gets what the rule says; whoever paid all,
    /// or is sent away by the merchant, gets all.
    pub(crate) fn giving_up(
        &self,
        now: Time,
        terms: &Terms,
        question: &Question<'_>,
        (number, order): (u32, &Order),
    ) -> Result<Entry, Refusal> {
        let state = order.status(now);
        let refunds = match order.phase {
            Phase::Held => {
                let asks = question.buyer().is_some() || stdx::mutants::is("merchant-forfeits-too");
                let forfeits = asks
                    && order
                        .dues()
                        .is_some_and(|kept| kept.dues.lapse == Lapse::Forfeit);
                let deposit = order
                    .charges_left()
                    .pop()
                    .filter(|_| order.has_deposit() && !forfeits);
                deposit
                    .filter(|(_, amount)| amount.is_positive())
                    .and_then(|(charge, amount)| {
                        let refund = order.own_refund(number, amount)?;
                        Some(RefundBegun { charge, ..refund })
                    })
                    .into_iter()
                    .collect()
            }
            Phase::Expired => return Err(Refusal::HoldExpired),
            Phase::Paid if state == OrderStatus::Paid => {
                self.may_give_up(question, order, state)?;
                let refund = whole_refund(terms, order, number)?;
                refund.map_or_else(Vec::new, |refund| over_charges(order, refund))
            }
            _ => return Err(Refusal::OrderState { state }),
        };
        Ok(Entry::GivenUp {
            order: number,
            refunds,
            key: question.bound(&terms.secret)?,
        })
    }

    /// Who may give up a paid order: its merchant; and the buyer where the rule of his team lets him.
    fn may_give_up(
        &self,
        question: &Question<'_>,
        order: &Order,
        state: OrderStatus,
    ) -> Result<(), Refusal> {
        let team = order.seat.team().and_then(|team| self.teams.get(team));
        let Some((team, rule)) = team.and_then(|team| Some((team, self.teams.rule(team).ok()?)))
        else {
            let merchant = question.buyer().is_none();
            return merchant.then_some(()).ok_or(Refusal::OrderState { state });
        };
        let complete = team.state == TeamState::Complete;
        match (complete, question.buyer().is_some()) {
            (true, _)
                if rule.after == AfterFinish::Nobody
                    && !stdx::mutants::is("final-seat-is-given-up") =>
            {
                Err(Refusal::TeamRule("seats of a finished team are final"))
            }
            (true, true) if rule.after == AfterFinish::Merchant => Err(Refusal::TeamRule(
                "only the merchant gives up a seat of a finished team",
            )),
            (false, true)
                if rule.leave == Leave::Bound && !stdx::mutants::is("bound-seat-is-left") =>
            {
                Err(Refusal::TeamRule(
                    "a paid seat cannot be left while its team is open",
                ))
            }
            _ => Ok(()),
        }
    }

    /// Whether a part of the order may be given back, as far as its team is concerned. While the team is open a seat is
    /// given up whole or not at all: a member who has his money back must not complete a team.
    pub(crate) fn may_refund(&self, order: &Order) -> Result<(), Refusal> {
        let team = order.seat.team().and_then(|team| self.teams.get(team));
        let Some((team, rule)) = team.and_then(|team| Some((team, self.teams.rule(team).ok()?)))
        else {
            return Ok(());
        };
        match team.state {
            TeamState::Open if !stdx::mutants::is("open-seat-refunded-in-part") => Err(
                Refusal::TeamRule("a seat of an open team is given up by cancelling its order"),
            ),
            TeamState::Complete if rule.after == AfterFinish::Nobody => {
                Err(Refusal::TeamRule("seats of a finished team are final"))
            }
            TeamState::Open | TeamState::Complete | TeamState::Failed => Ok(()),
        }
    }
}

fn whole_refund(terms: &Terms, order: &Order, number: u32) -> Result<Option<RefundBegun>, Refusal> {
    let ask = RefundAsk {
        units: UnitsBack::Restock,
        ..RefundAsk::default()
    };
    match refund_of(terms, order, number, &ask) {
        Ok(refund) => Ok(Some(refund)),
        // Everything was given back already, or is on its way.
        Err(Refusal::OverRefund { .. }) => Ok(None),
        Err(refusal) => Err(refusal),
    }
}
