//! Sales and stock.

use crate::asked::Asked;
use crate::door::Door;
use crate::endpoint::Making;
use crate::said::Said;
use api::check::Nothing;
use api::offer::AlterOffer;
use api::plan::{AlterSale, CreateSale};
use api::sale::{SaleQuery, Turn};
use api::stock::{AddStock, InventoryQuery, WriteOff};
use api::{Code, SaleId};
use http::StatusCode;
use std::sync::Arc;

pub(super) fn create(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let (call, body) = asked.change::<CreateSale>()?;
        Said::answer(
            StatusCode::CREATED,
            &door.rooms.sales.create(call, body).await?,
        )
    })
}

pub(super) fn alter(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let sale = sale_id(&asked)?;
        let (call, body) = asked.change::<AlterSale>()?;
        Said::answer(
            StatusCode::OK,
            &door.rooms.sales.alter(call, sale, body).await?,
        )
    })
}

pub(super) fn alter_offer(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let sale = sale_id(&asked)?;
        let (call, body) = asked.change::<AlterOffer>()?;
        Said::answer(
            StatusCode::OK,
            &door.rooms.sales.alter_offer(call, sale, body).await?,
        )
    })
}

pub(super) fn open(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    turn(door, asked, Turn::Open)
}

pub(super) fn pause(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    turn(door, asked, Turn::Pause)
}

pub(super) fn close(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    turn(door, asked, Turn::Close)
}

pub(super) fn retire(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    turn(door, asked, Turn::Retire)
}

fn turn(door: &Arc<Door>, asked: Asked, turn: Turn) -> Making<'_> {
    Box::pin(async move {
        let sale = sale_id(&asked)?;
        let (call, _) = asked.change::<Nothing>()?;
        Said::answer(
            StatusCode::OK,
            &door.rooms.sales.turn(call, sale, turn).await?,
        )
    })
}

pub(super) fn add_stock(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let sale = sale_id(&asked)?;
        let (call, body) = asked.change::<AddStock>()?;
        Said::answer(
            StatusCode::OK,
            &door.rooms.sales.add_stock(call, sale, body).await?,
        )
    })
}

pub(super) fn write_off(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let sale = sale_id(&asked)?;
        let (call, body) = asked.change::<WriteOff>()?;
        Said::answer(
            StatusCode::OK,
            &door.rooms.sales.write_off(call, sale, body).await?,
        )
    })
}

pub(super) fn one(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let sale = sale_id(&asked)?;
        Said::answer(
            StatusCode::OK,
            &door.rooms.sales.sale(asked.look()?, sale).await?,
        )
    })
}

pub(super) fn list(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let query = asked.filters::<SaleQuery>()?;
        Said::answer(
            StatusCode::OK,
            &door.rooms.sales.sales(asked.look()?, query).await?,
        )
    })
}

pub(super) fn inventory(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let query = asked.query::<InventoryQuery>()?;
        let sku = asked.place.clone().unwrap_or_default();
        Said::answer(
            StatusCode::OK,
            &door
                .rooms
                .sales
                .inventory(asked.look()?, sku, query.sale)
                .await?,
        )
    })
}

pub(super) fn sale_id(asked: &Asked) -> Result<SaleId, api::Problem> {
    asked.id(Code::SaleNotFound)
}
