//! API keys.

use crate::asked::Asked;
use crate::door::Door;
use crate::endpoint::Making;
use crate::said::Said;
use api::check::Nothing;
use api::key::CreateKey;
use api::service::Caller;
use api::{Code, KeyId, Problem};
use http::StatusCode;
use std::sync::Arc;

pub(super) fn create(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let (call, body) = asked.change::<CreateKey>()?;
        if let Caller::Merchant { scopes, .. } = &call.caller
            && !scopes.covers(body.asked())
        {
            return Err(Problem::because(
                Code::ScopeMissing,
                "a key cannot give scopes that it does not have",
            ));
        }
        Said::answer(
            StatusCode::CREATED,
            &door.rooms.keys.create(call, body).await?,
        )
    })
}

pub(super) fn list(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(
        async move { Said::answer(StatusCode::OK, &door.rooms.keys.list(asked.look()?).await?) },
    )
}

pub(super) fn revoke(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let key: KeyId = asked.id(Code::ApiKeyNotFound)?;
        let (call, _) = asked.change::<Nothing>()?;
        Said::answer(StatusCode::OK, &door.rooms.keys.revoke(call, key).await?)
    })
}
