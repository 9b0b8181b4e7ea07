//! The record of administrative acts.

use crate::asked::Asked;
use crate::door::Door;
use crate::endpoint::Making;
use crate::said::Said;
use api::audit::AuditQuery;
use http::StatusCode;
use std::sync::Arc;

pub(super) fn list(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let query = asked.filters::<AuditQuery>()?;
        Said::answer(
            StatusCode::OK,
            &door.rooms.audits.acts(asked.look()?, query).await?,
        )
    })
}
