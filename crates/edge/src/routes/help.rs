//! Pages about the API itself.

use crate::asked::Asked;
use crate::door::Door;
use crate::endpoint::Making;
use crate::openapi as description;
use crate::pages;
use crate::said::Said;
use api::{Code, Problem};
use bytes::Bytes;
use http::StatusCode;
use std::sync::{Arc, OnceLock};

static OPENAPI: OnceLock<Bytes> = OnceLock::new();

pub(super) fn openapi(_door: &Arc<Door>, _asked: Asked) -> Making<'_> {
    Box::pin(async {
        let json = OPENAPI.get_or_init(|| description::document().into());
        Ok(Said::page("application/json", json.clone()))
    })
}

pub(super) fn error_page(_door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let code = asked.place.as_deref().and_then(Code::find);
        let page = code.and_then(pages::errors::page);
        let page =
            page.ok_or_else(|| Problem::because(Code::NoRoute, "there is no such error code"))?;
        Ok(Said::page("text/html; charset=utf-8", page))
    })
}

pub(super) fn health(door: &Arc<Door>, _asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let timestamp = door.rooms.clock.wall_ms() / 1_000;
        Said::json(
            StatusCode::OK,
            &serde_json::json!({ "status": "ok", "timestamp": timestamp }),
        )
    })
}

/// Does nothing, to measure what the door itself costs.
pub(super) fn noop(_door: &Arc<Door>, _asked: Asked) -> Making<'_> {
    Box::pin(async { Said::json(StatusCode::OK, &()) })
}
