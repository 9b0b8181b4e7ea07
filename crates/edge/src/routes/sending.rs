//! Sagas, carriers and notices.

use crate::asked::Asked;
use crate::door::Door;
use crate::endpoint::Making;
use crate::routes::provider::signed;
use crate::said::Said;
use api::check::{Check, Nothing};
use api::sending::{CarrierWord, SagaQuery, SagaVerb};
use api::service::Call;
use api::{Code, OrderId};
use http::StatusCode;
use std::sync::Arc;

pub(super) fn list(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let query = asked.filters::<SagaQuery>()?;
        let sagas = door.rooms.sending.sagas(asked.look()?, query).await?;
        Said::answer(StatusCode::OK, &sagas)
    })
}

pub(super) fn one(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let order: OrderId = asked.id(Code::SagaNotFound)?;
        let saga = door.rooms.sending.saga(asked.look()?, order).await?;
        Said::answer(StatusCode::OK, &saga)
    })
}

pub(super) fn retry(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    order(door, asked, SagaVerb::Retry)
}

pub(super) fn skip(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    order(door, asked, SagaVerb::Skip)
}

pub(super) fn compensate(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    order(door, asked, SagaVerb::Compensate)
}

fn order(door: &Arc<Door>, asked: Asked, verb: SagaVerb) -> Making<'_> {
    Box::pin(async move {
        let order: OrderId = asked.id(Code::SagaNotFound)?;
        let (call, _) = asked.change::<Nothing>()?;
        let saga = door.rooms.sending.order_saga(call, order, verb).await?;
        Said::answer(StatusCode::OK, &saga)
    })
}

pub(super) fn carrier(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        signed(door, &asked, door.settings.carrier_secret.as_ref())?;
        let word: CarrierWord = asked.json()?;
        word.checked()?;
        let carrier = asked.place.clone().unwrap_or_default();
        let call = Call {
            caller: asked.caller()?.clone(),
            key: None,
            request_id: asked.context.request_id,
            address: Some(asked.client),
        };
        door.rooms.sending.carrier(call, carrier, word).await?;
        Said::json(StatusCode::OK, &serde_json::json!({}))
    })
}

pub(super) fn dead_notices(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let dead = door.rooms.sending.dead_notices(asked.look()?).await?;
        Said::answer(StatusCode::OK, &dead)
    })
}

pub(super) fn retry_notices(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let (call, _) = asked.change::<Nothing>()?;
        let retried = door.rooms.sending.retry_notices(call).await?;
        Said::answer(StatusCode::OK, &retried)
    })
}
