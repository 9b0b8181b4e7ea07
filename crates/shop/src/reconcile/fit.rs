//! A provider's report held against the book, in the one way for all: when it knocks, when it is reported, and when a
//! kept one is tried again.

use api::provider::{DisputeMove, ProviderReport, ReportedCharge, ReportedRefund};
use api::{Code, Currency, OrderId, Problem};
use commerce::{Book, EffectKind};

use crate::registry::Registry;
use crate::wire;

/// How a report looks beside the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It may be told.
    Fits,
    /// It speaks of money in another currency than the sale's.
    Currency(String),
    /// It names another sum than what was asked for.
    Amount(String),
    /// It says that money moved for an attempt or a refund that the book never began: told now it would move nothing,
    /// and be over.
    NotBegun,
    /// There is no such order.
    Nothing,
    /// It is true, and a book has no word for it.
    NoWord,
}

impl Registry {
    /// Holds a report against the book of its sale.
    ///
    /// # Errors
    /// The sale's desk cannot be asked now.
    pub(crate) async fn fit(&self, report: &ProviderReport) -> Result<Fit, Problem> {
        let (order, report) = (report.order(), report.clone());
        let desk = match self.desk(order.sale().get()).await {
            Ok(desk) => desk,
            Err(problem) if problem.code() == Code::SaleNotFound => return Ok(Fit::Nothing),
            Err(problem) => return Err(problem),
        };
        let asked = desk.ask(move |book| hold(book, order, &report)).await;
        asked
            .map(|found| found.value)
            .map_err(|error| wire::desk_problem(&error))
    }
}

fn hold(book: &Book, id: OrderId, report: &ProviderReport) -> Fit {
    let order = u32::try_from(id.number()).ok();
    let Some(order) = order.and_then(|number| book.order(number)) else {
        return Fit::Nothing;
    };
    let of = book.currency().map(|currency| currency.code().to_owned());
    let doubt = |said| of.as_deref().and_then(|of| doubt_of_currency(of, said));
    match report {
        ProviderReport::Charge(payment, ReportedCharge::Captured(said, currency)) => {
            if let Some(doubt) = doubt(*currency) {
                return Fit::Currency(doubt);
            }
            let attempt = payment.attempt;
            if attempt == 0 || attempt > order.charge().0 {
                return Fit::NotBegun;
            }
            // Without an open charge it is a repeat or late, and the book knows what to do with either.
            let asked = book.open_effect(order.number(), EffectKind::Charge { attempt });
            let asked = asked.map(|effect| effect.amount.0);
            doubt_of_amount("were captured, asked for", *said, asked)
        }
        ProviderReport::Refund(refund, ReportedRefund::Refunded(said)) => {
            let mut refunds = order.refunds();
            let Some(promised) = refunds.find(|known| known.number == refund.number) else {
                return Fit::NotBegun;
            };
            doubt_of_amount("went back, promised", *said, Some(promised.amount.0))
        }
        ProviderReport::Dispute(payment, dispute) => match doubt(dispute.currency) {
            Some(doubt) => Fit::Currency(doubt),
            None if !order.was_captured(payment.attempt) => Fit::NotBegun,
            // A bank takes what it takes: part of the charge, or more than is left. The book knows where it goes.
            None if dispute.moved == DisputeMove::Withdrawn => Fit::Fits,
            None => Fit::NoWord,
        },
        ProviderReport::Charge(..) | ProviderReport::Refund(..) => Fit::Fits,
    }
}

fn doubt_of_currency(of: &str, said: Currency) -> Option<String> {
    (said.code() != of).then(|| format!("it speaks of {said}, and the sale sells in {of}"))
}

fn doubt_of_amount(what: &str, said: u64, asked: Option<i64>) -> Fit {
    match asked {
        Some(asked) if i64::try_from(said) != Ok(asked) => {
            Fit::Amount(format!("it says that {said} {what} were {asked}"))
        }
        _ => Fit::Fits,
    }
}
