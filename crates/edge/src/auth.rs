//! Who asks, and whether they may.

use crate::asked::Asked;
use crate::door::Door;
use api::service::Caller;
use api::{Code, Problem, Scope};
use http::header::AUTHORIZATION;

/// What a route needs of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing: the page is for everybody.
    Nobody,
    /// Any good credentials.
    Somebody,
    /// A merchant's key with this scope.
    Scope(Scope),
    /// A merchant's key with this scope, or a buyer's token.
    ScopeOrBuyer(Scope),
    /// As before; browsers cannot set headers on streams, so the token may also be the query's `access_token`.
    ScopeOrBuyerInQuery(Scope),
    /// A buyer's token; a merchant's key is none.
    Buyer,
    /// The signature of the payment provider, which the handler checks over the body.
    Signature,
}

/// The caller, when it may use the route.
pub(crate) async fn caller(
    needs: Needs,
    door: &Door,
    asked: &Asked,
) -> Result<Option<Caller>, Problem> {
    let scope = match needs {
        Needs::Nobody => return Ok(None),
        Needs::Signature => return Ok(Some(Caller::Provider)),
        Needs::Somebody | Needs::Buyer => None,
        Needs::Scope(scope) | Needs::ScopeOrBuyer(scope) | Needs::ScopeOrBuyerInQuery(scope) => {
            Some(scope)
        }
    };
    let presented = presented(needs, asked)?;
    let caller = if presented.starts_with("tgk_") {
        door.rooms.keys.verify(presented)?
    } else if door.identity.knows(presented) {
        // The algorithm decides who is asked, and each of the two refuses all of the other's.
        door.identity.verify(presented).await?
    } else {
        door.tokens
            .verify(presented, door.rooms.clock.wall_ms() / 1_000)?
    };
    let buyers_too =
        !matches!(needs, Needs::Scope(_)) || stdx::mutants::is("buyer-passes-for-merchant");
    if needs == Needs::Buyer && !is_buyer(&caller) {
        return Err(Problem::because(
            Code::ScopeMissing,
            "this is for a buyer's token; an API key is nobody who could sign in a device",
        ));
    }
    match scope {
        Some(scope) if !(caller.may(scope) || buyers_too && is_buyer(&caller)) => {
            Err(missing(scope))
        }
        _ => Ok(Some(caller)),
    }
}

pub(crate) const fn is_buyer(caller: &Caller) -> bool {
    matches!(caller, Caller::Buyer { .. })
}

/// The refusal for a scope that the caller does not have.
pub(crate) fn missing(scope: Scope) -> Problem {
    Problem::because(
        Code::ScopeMissing,
        format!("this needs an API key with the scope {scope}"),
    )
    .with("scope", scope.name())
}

fn presented(needs: Needs, asked: &Asked) -> Result<&str, Problem> {
    if let Some(value) = asked.headers.get(AUTHORIZATION) {
        let text = value.to_str().unwrap_or_default();
        let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
        if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() {
            return Ok(token.trim());
        }
        return Err(Problem::because(
            Code::NotAuthenticated,
            "expected `Authorization: Bearer` and a key or token",
        ));
    }
    let query = matches!(needs, Needs::ScopeOrBuyerInQuery(_))
        .then(|| asked.query_value("access_token"))
        .flatten();
    query.ok_or_else(|| {
        Problem::because(
            Code::NotAuthenticated,
            "send `Authorization: Bearer` with an API key or a buyer token",
        )
    })
}
