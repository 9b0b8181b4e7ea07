//! Teams of group buys.

use super::sales::sale_id;
use crate::asked::Asked;
use crate::door::Door;
use crate::endpoint::Making;
use crate::said::Said;
use api::team::TeamQuery;
use api::{Code, TeamId};
use http::StatusCode;
use std::sync::Arc;

pub(super) fn list(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let sale = sale_id(&asked)?;
        let query = asked.filters::<TeamQuery>()?;
        Said::answer(
            StatusCode::OK,
            &door.rooms.sales.teams(asked.look()?, sale, query).await?,
        )
    })
}

pub(super) fn one(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let team: TeamId = asked.id(Code::TeamNotFound)?;
        Said::answer(
            StatusCode::OK,
            &door.rooms.sales.team(asked.look()?, team).await?,
        )
    })
}
