//! For operators: metrics, limits, and whether the process lives and should get traffic.

use crate::asked::Asked;
use crate::door::Door;
use crate::endpoint::Making;
use crate::said::Said;
use http::StatusCode;
use std::sync::Arc;

pub(super) fn metrics(door: &Arc<Door>, _asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let page = door.rooms.telemetry.exposition();
        Ok(Said::page(
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            page,
        ))
    })
}

pub(super) fn livez(_door: &Arc<Door>, _asked: Asked) -> Making<'_> {
    Box::pin(async { Said::json(StatusCode::OK, &serde_json::json!({ "status": "ok" })) })
}

pub(super) fn readyz(door: &Arc<Door>, _asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let mut readiness = door.rooms.health.ready();
        if *door.closing.borrow() {
            readiness.ready = false;
            readiness
                .reasons
                .push("the server is shutting down".to_owned());
        }
        let (status, word) = match readiness.ready {
            true => (StatusCode::OK, "ready"),
            false => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
        };
        Said::json(
            status,
            &serde_json::json!({ "status": word, "reasons": readiness.reasons }),
        )
    })
}

pub(super) fn limits(door: &Arc<Door>, _asked: Asked) -> Making<'_> {
    Box::pin(async { Said::json(StatusCode::OK, &door.limits.states()) })
}
