//! Callbacks of real providers: proven by the provider, held against the book, then reported.

use api::provider::{Knock, ProviderReport, ReportedCharge, ReportedRefund};
use api::service::Answer;
use api::{Code, Currency, OrderId, Problem};
use commerce::{Book, EffectKind};

use super::Handle;
use crate::wire;

impl Handle {
    /// Takes what knocked. What is proven and does not fit is kept for people and does not count: the cashier asks the
    /// provider itself about everything that is open.
    pub(super) async fn take_knock(&self, knock: Knock) -> Result<Answer<()>, Problem> {
        let read = self.provider.read(knock.clone()).await;
        let taken = match read.map_err(|error| error.problem())? {
            Some(report) => self.take_proven(report).await,
            // True, and about nothing that a book holds: another part of the account, or a step on the way.
            None => Ok(Answer::plain(())),
        };
        // Whoever was told to come later brings the same bytes again; what was kept for people was kept once.
        let kept = |problem: &Problem| problem.code() == Code::CallbackMismatch;
        if taken.as_ref().map_or_else(kept, |_| true) {
            self.provider.booked(&knock);
        }
        taken
    }

    async fn take_proven(&self, report: ProviderReport) -> Result<Answer<()>, Problem> {
        match self.held_against_the_book(report).await? {
            Found::Fits => self.take_report(report).await,
            Found::Nothing => {
                // It is taken, since the provider can do nothing about it, and kept.
                let said = format!("a provider reports on an order that is not here: {report:?}");
                self.registry.tell_gap(&said);
                self.take_report(report).await
            }
            Found::Differs(why) => {
                let said = format!("{why}: {report:?}");
                self.registry.tell_gap(&said);
                self.keep_unmatched(&said).await?;
                Err(Problem::because(Code::CallbackMismatch, why))
            }
        }
    }

    async fn held_against_the_book(&self, report: ProviderReport) -> Result<Found, Problem> {
        let order = match report {
            ProviderReport::Charge(payment, _) => payment.order,
            ProviderReport::Refund(refund, _) => refund.order,
        };
        let desk = match self.registry.desk(order.sale().get()).await {
            Ok(desk) => desk,
            Err(problem) if problem.code() == Code::SaleNotFound => return Ok(Found::Nothing),
            Err(problem) => return Err(problem),
        };
        let asked = desk.ask(move |book| hold(book, order, report)).await;
        asked
            .map(|found| found.value)
            .map_err(|error| wire::desk_problem(&error))
    }
}

/// How a report looks beside the book.
enum Found {
    /// It may be told.
    Fits,
    /// It names other money than what was asked for.
    Differs(String),
    /// There is no such order.
    Nothing,
}

fn hold(book: &Book, order: OrderId, report: ProviderReport) -> Found {
    let number = u32::try_from(order.number()).ok();
    if number.and_then(|number| book.order(number)).is_none() {
        return Found::Nothing;
    }
    doubt_of(book, order, report).map_or(Found::Fits, Found::Differs)
}

/// Holds what was captured or given back against what was asked for.
fn doubt_of(book: &Book, order: OrderId, report: ProviderReport) -> Option<String> {
    let of: Currency = book.currency()?.code().parse().ok()?;
    let number = u32::try_from(order.number()).ok()?;
    match report {
        ProviderReport::Charge(payment, ReportedCharge::Captured(said, currency)) => {
            let kind = EffectKind::Charge {
                attempt: payment.attempt,
            };
            // Without an open charge it is a repeat or late, and the book knows what to do with either.
            let asked = book.open_effect(number, kind)?.amount.0;
            let fits = i64::try_from(said) == Ok(asked) && currency == of;
            (!fits).then(|| {
                format!("it says that {said} of {currency} were captured, asked for were {asked} of {of}")
            })
        }
        ProviderReport::Refund(refund, ReportedRefund::Refunded(said)) => {
            let order = book.order(number)?;
            let known = order
                .refunds()
                .find(|known| known.number == refund.number)?;
            let asked = known.amount.0;
            (i64::try_from(said) != Ok(asked))
                .then(|| format!("it says that {said} of {of} went back, promised were {asked}"))
        }
        _ => None,
    }
}
