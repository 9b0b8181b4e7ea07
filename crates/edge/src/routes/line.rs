//! The waiting line of a sold-out SKU.

use super::sales::sale_id;
use crate::asked::Asked;
use crate::auth::is_buyer;
use crate::door::Door;
use crate::endpoint::Making;
use crate::said::Said;
use api::check::Nothing;
use api::line::JoinLine;
use api::{Code, Problem, TicketId};
use http::StatusCode;
use std::sync::Arc;

pub(super) fn join(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let sale = sale_id(&asked)?;
        let (call, body) = asked.change::<JoinLine>()?;
        if is_buyer(&call.caller) && body.buyer.is_some() {
            let detail = "the token says who waits; buyer is for merchants";
            return Err(Problem::because(Code::ScopeMissing, detail));
        }
        let joined = door.rooms.orders.join_line(call, sale, body).await;
        // A SKU that is missing from the sale is a fault of the body: the path itself was found.
        let joined = joined.map_err(|problem| match problem.code() {
            Code::SkuNotFound => problem.at_status(422),
            _ => problem,
        });
        Said::answer(StatusCode::CREATED, &joined?)
    })
}

pub(super) fn one(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let ticket = ticket_id(&asked)?;
        Said::answer(
            StatusCode::OK,
            &door.rooms.orders.ticket(asked.look()?, ticket).await?,
        )
    })
}

pub(super) fn leave(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let ticket = ticket_id(&asked)?;
        let (call, _) = asked.change::<Nothing>()?;
        Said::answer(
            StatusCode::OK,
            &door.rooms.orders.leave_line(call, ticket).await?,
        )
    })
}

fn ticket_id(asked: &Asked) -> Result<TicketId, Problem> {
    asked.id(Code::TicketNotFound)
}
