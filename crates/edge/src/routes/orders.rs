//! Orders and their money.

use crate::asked::Asked;
use crate::auth::{is_buyer, missing};
use crate::door::Door;
use crate::endpoint::Making;
use crate::said::Said;
use api::check::{Check, Nothing};
use api::order::{AskedLine, OrderQuery, PlaceBatch, PlaceOrder};
use api::refund::{Chargeback, RefundOrder};
use api::sending::ShipOrder;
use api::service::{Call, Caller, Orders};
use api::{Code, OrderId, Problem, Scope};
use http::StatusCode;
use std::sync::Arc;

pub(super) fn place(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let (call, body) = asked.change::<PlaceOrder>()?;
        may_place(&call.caller, &body)?;
        let placed = door.rooms.orders.place(call, body).await;
        Said::answer(StatusCode::CREATED, &placed.map_err(in_an_order)?)
    })
}

/// A SKU that is missing from the sale is a fault of the order's lines: the path itself was found.
fn in_an_order(problem: Problem) -> Problem {
    match problem.code() {
        Code::SkuNotFound => problem.at_status(422),
        _ => problem,
    }
}

/// What only merchants may say about an order, and only with the right scope.
fn may_place(caller: &Caller, body: &PlaceOrder) -> Result<(), Problem> {
    if is_buyer(caller) && (body.buyer.is_some() || body.tags.is_some()) {
        let detail = "the token says who buys; buyer and tags are for merchants";
        return Err(Problem::because(Code::ScopeMissing, detail));
    }
    may_price(caller, &body.lines, body.paid.is_some())
}

fn may_price(caller: &Caller, lines: &[AskedLine], paid: bool) -> Result<(), Problem> {
    if lines.iter().any(|line| line.price.is_some()) && !caller.may(Scope::OrdersPrice) {
        return Err(missing(Scope::OrdersPrice));
    }
    if paid && !caller.may(Scope::OrdersPaid) {
        return Err(missing(Scope::OrdersPaid));
    }
    Ok(())
}

pub(super) fn place_batch(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let batch: PlaceBatch = asked.json()?;
        batch.checked()?;
        for order in &batch.orders {
            may_price(asked.caller()?, &order.lines, order.paid.is_some())?;
        }
        Said::answer(
            StatusCode::OK,
            &door
                .rooms
                .orders
                .place_batch(asked.look()?, batch.orders)
                .await?,
        )
    })
}

pub(super) fn list(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let mut query = asked.filters::<OrderQuery>()?;
        if let Caller::Buyer { id, .. } = asked.caller()? {
            let own = query.buyer.as_deref().is_none_or(|buyer| *buyer == **id);
            if !own {
                return Err(Problem::because(
                    Code::ScopeMissing,
                    "a buyer sees its own orders only",
                ));
            }
            query.buyer = Some((**id).into());
        }
        Said::answer(
            StatusCode::OK,
            &door.rooms.orders.orders(asked.look()?, query).await?,
        )
    })
}

pub(super) fn one(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let order = order_id(&asked)?;
        Said::answer(
            StatusCode::OK,
            &door.rooms.orders.order(asked.look()?, order).await?,
        )
    })
}

pub(super) fn events(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let order = order_id(&asked)?;
        Said::answer(
            StatusCode::OK,
            &door.rooms.orders.events(asked.look()?, order).await?,
        )
    })
}

pub(super) fn pay(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    step(door, asked, StatusCode::ACCEPTED, |orders, call, order| {
        orders.pay(call, order)
    })
}

pub(super) fn cancel(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    step(door, asked, StatusCode::OK, |orders, call, order| {
        orders.cancel(call, order)
    })
}

pub(super) fn ship(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let order = order_id(&asked)?;
        let (call, body) = asked.change::<ShipOrder>()?;
        Said::answer(
            StatusCode::OK,
            &door.rooms.orders.ship(call, order, body).await?,
        )
    })
}

pub(super) fn deliver(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    step(door, asked, StatusCode::OK, |orders, call, order| {
        orders.deliver(call, order)
    })
}

/// A step of an order that needs no more than its name.
type Step = for<'a> fn(&'a dyn Orders, Call, OrderId) -> api::service::Reply<'a, api::order::Order>;

fn step(door: &Arc<Door>, asked: Asked, fresh: StatusCode, step: Step) -> Making<'_> {
    Box::pin(async move {
        let order = order_id(&asked)?;
        let (call, _) = asked.change::<Nothing>()?;
        Said::answer(fresh, &step(&*door.rooms.orders, call, order).await?)
    })
}

pub(super) fn refund(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let order = order_id(&asked)?;
        let (call, body) = asked.change::<RefundOrder>()?;
        Said::answer(
            StatusCode::CREATED,
            &door.rooms.orders.refund(call, order, body).await?,
        )
    })
}

pub(super) fn chargeback(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let order = order_id(&asked)?;
        let (call, body) = asked.change::<Chargeback>()?;
        Said::answer(
            StatusCode::CREATED,
            &door.rooms.orders.chargeback(call, order, body).await?,
        )
    })
}

fn order_id(asked: &Asked) -> Result<OrderId, Problem> {
    asked.id(Code::OrderNotFound)
}
