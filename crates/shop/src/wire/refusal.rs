//! Refusals and troubles as problem documents, with the data that help the caller.

use api::{Code, Problem};
use commerce::Refusal;
use commerce::refusal::LimitOf;

use super::team::{team_state, ticket_id};
use super::{order_state, sale_state, time};
use crate::desk::DeskError;

/// A refusal of the book of this sale.
pub(crate) fn problem(sale: u32, refusal: &Refusal) -> Problem {
    let because = |code| Problem::because(code, refusal.to_string());
    match refusal {
        Refusal::NoSale => Problem::new(Code::SaleNotFound),
        Refusal::SaleExists => because(Code::SaleState),
        Refusal::NotOpen { state, opens } => {
            let problem = because(Code::SaleNotOpen).with("state", sale_state(*state).name());
            opens.map_or(problem.clone(), |opens| {
                problem.with("opens_at", time(opens))
            })
        }
        Refusal::SaleState { state, why } => {
            let name = sale_state(*state).name();
            Problem::because(Code::SaleState, format!("the sale is {name}: {why}"))
                .with("state", name)
        }
        Refusal::SoldOut { sku, left } => because(Code::SoldOut)
            .with("sku", sku.to_string())
            .with("units_left", left.0),
        Refusal::Limit { of, limit, used } => limit_problem(of, limit.0, used.0),
        Refusal::NotEligible { rule } => because(Code::NotEligible).with("rule", *rule as u64),
        Refusal::NoSku { sku } => because(Code::SkuNotFound).with("sku", sku.to_string()),
        Refusal::NoOrder => Problem::new(Code::OrderNotFound),
        Refusal::KeyReused => because(Code::KeyReused),
        Refusal::OrderState { state } => {
            let name = order_state(*state).name();
            Problem::because(Code::OrderState, format!("the order is {name}")).with("state", name)
        }
        Refusal::HoldExpired => because(Code::HoldExpired),
        Refusal::PaymentInFlight => because(Code::PaymentInFlight),
        Refusal::OverRefund { left } => because(Code::OverRefund).with("left_minor", left.0),
        Refusal::OverReturn { left, .. } => because(Code::OverRefund).with("units_left", left.0),
        Refusal::OverWriteOff { left } => because(Code::OverWriteOff).with("units_left", left.0),
        Refusal::Invalid(why) => Problem::because(Code::InvalidFields, why.clone()),
        Refusal::NoSaga => Problem::new(Code::SagaNotFound),
        Refusal::SagaState { why } => Problem::because(Code::SagaState, *why),
        Refusal::Full(_) => because(Code::BookFull),
        Refusal::NoTeam
        | Refusal::Teams { .. }
        | Refusal::TeamOver { .. }
        | Refusal::TeamFull { .. }
        | Refusal::SeatLimit { .. }
        | Refusal::TeamRule(_)
        | Refusal::OpenHolds { .. }
        | Refusal::LineFirst { .. }
        | Refusal::NothingToWaitFor { .. }
        | Refusal::WaitsAlready { .. }
        | Refusal::NoTicket
        | Refusal::Price(_)
        | Refusal::Rule { .. }
        | Refusal::BalanceNotDue { .. } => offer_problem(sale, refusal),
    }
}

/// A refusal that only a sale with an offer knows.
fn offer_problem(sale: u32, refusal: &Refusal) -> Problem {
    let because = |code| Problem::because(code, refusal.to_string());
    match refusal {
        Refusal::NoTeam => Problem::new(Code::TeamNotFound),
        Refusal::Teams { sku, .. } => because(Code::TeamRule).with("sku", sku.to_string()),
        Refusal::TeamOver { state } => {
            let name = team_state(*state).name();
            Problem::because(
                Code::TeamOver,
                format!("the team is {name}, or its time is over"),
            )
            .with("state", name)
        }
        Refusal::TeamFull { size } => because(Code::TeamFull).with("seats", u32::from(*size)),
        Refusal::SeatLimit { most, .. } => {
            because(Code::LimitReached).with("limit", u32::from(*most))
        }
        Refusal::TeamRule(_) => because(Code::TeamRule),
        Refusal::OpenHolds { open, most, lapses } => because(Code::OpenHolds)
            .with("open", u32::from(*open))
            .with("limit", u32::from(*most))
            .with("lapses", u32::from(*lapses)),
        Refusal::LineFirst { sku, ahead } => because(Code::LineFirst)
            .with("sku", sku.to_string())
            .with("ahead", *ahead),
        Refusal::NothingToWaitFor { sku, left } => because(Code::NothingToWaitFor)
            .with("sku", sku.to_string())
            .with("units_left", left.0),
        Refusal::WaitsAlready { ticket } => {
            let id = ticket_id(sale, *ticket).to_string();
            let detail = format!("{id} waits for it already");
            Problem::because(Code::WaitsAlready, detail).with("ticket", id)
        }
        Refusal::NoTicket => Problem::new(Code::TicketNotFound),
        Refusal::Price(_) => because(Code::CouponRefused),
        Refusal::Rule { rule, .. } => because(Code::RuleRefused).with("rule", rule.to_string()),
        Refusal::BalanceNotDue { from } => {
            Problem::because(Code::BalanceNotDue, "the balance may not be paid yet")
                .with("due_from", time(*from))
        }
        _ => because(Code::Internal),
    }
}

fn limit_problem(of: &LimitOf, limit: u32, used: u32) -> Problem {
    let (scope, sku) = match of {
        LimitOf::Order => ("order", None),
        LimitOf::Buyer => ("buyer", None),
        LimitOf::SkuInOrder(sku) => ("order", Some(sku)),
        LimitOf::SkuOfBuyer(sku) => ("buyer", Some(sku)),
    };
    let what = sku.map_or_else(|| "the sale".to_owned(), |sku| format!("SKU {sku}"));
    let detail = format!("at most {limit} units of {what} for each {scope}; {used} are used");
    let problem = Problem::because(Code::LimitReached, detail)
        .with("limit", limit)
        .with("limit_used", used)
        .with("scope", scope);
    sku.map_or(problem.clone(), |sku| problem.with("sku", sku.to_string()))
}

/// A desk that gave no answer.
pub(crate) fn desk_problem(error: &DeskError) -> Problem {
    let code = match error {
        DeskError::Busy => Code::Busy,
        DeskError::Unknown => Code::OutcomeUnknown,
        DeskError::ReadOnly(_) => Code::ReadOnly,
        DeskError::Closing => Code::ShuttingDown,
        DeskError::Stopped(_) => Code::Internal,
    };
    match error {
        // What the disk or an invariant said is for the operator, in the log and under /readyz.
        DeskError::ReadOnly(_) | DeskError::Stopped(_) => Problem::new(code),
        _ => Problem::because(code, error.to_string()),
    }
}
