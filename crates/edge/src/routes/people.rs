//! Personal data.

use crate::asked::Asked;
use crate::door::Door;
use crate::endpoint::Making;
use crate::said::Said;
use api::check::Nothing;
use api::limits::BUYER_MAX;
use api::people::PersonData;
use api::{Code, Problem};
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use std::sync::Arc;

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

pub(super) fn put(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let buyer = buyer(&asked)?;
        let (call, body) = asked.change::<PersonData>()?;
        let kept = door.rooms.people.put(call, buyer, body).await?;
        Ok(Said::answer(StatusCode::OK, &kept)?.with(CACHE_CONTROL, NO_STORE))
    })
}

pub(super) fn one(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let buyer = buyer(&asked)?;
        let person = door.rooms.people.person(asked.look()?, buyer).await?;
        Ok(Said::answer(StatusCode::OK, &person)?.with(CACHE_CONTROL, NO_STORE))
    })
}

pub(super) fn erase(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let buyer = buyer(&asked)?;
        let (call, _) = asked.change::<Nothing>()?;
        Said::answer(StatusCode::OK, &door.rooms.people.erase(call, buyer).await?)
    })
}

fn buyer(asked: &Asked) -> Result<Box<str>, Problem> {
    let buyer = asked.place.clone().unwrap_or_default();
    if buyer.is_empty() || buyer.len() > BUYER_MAX || buyer.chars().any(char::is_control) {
        return Err(Problem::because(
            Code::PersonNotFound,
            "a buyer has 1 to 64 bytes",
        ));
    }
    Ok(buyer)
}
