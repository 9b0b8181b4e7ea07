//! Every route with what it needs, as `docs/roles.md` shows it: a route that is new or needs something else fails here until
//! somebody has looked at who may use it.

use super::documented;
use crate::auth::Needs;
use crate::openapi;
use crate::settings::Settings;
use api::{Role, Scope};
use std::fmt::Write;
use std::path::Path;

const HEAD: &str = "\
# Roles and scopes

What an API key may do is its scopes; a role is a named set of them, given with `tidegate keys create --role` or as `role` in
`POST /v1/keys`. The key keeps the scopes: a role that grows later gives nothing to keys that exist. All of it is checked in
one place, before a route's handler runs.

<!-- Made from the code by a test of `tidegate-edge`, which says how to make it anew. -->
";

/// Routes that anybody may use. One more is a decision, and is written down here.
const OPEN: [&str; 9] = [
    "/device",
    "/device/{code}",
    "/device/{code}/qr.svg",
    "/device/{code}/show",
    "/errors/{code}",
    "/health",
    "/openapi.json",
    "/v1/device/code",
    "/v1/device/token",
];

fn told(needs: Needs) -> (String, &'static str) {
    match needs {
        Needs::Nobody => ("—".into(), "anybody"),
        Needs::Somebody => ("any".into(), "yes"),
        Needs::Buyer => ("—".into(), "only"),
        Needs::Signature => ("signature of the provider".into(), "no"),
        Needs::Scope(scope) => (format!("`{scope}`"), "no"),
        Needs::ScopeOrBuyer(scope) | Needs::ScopeOrBuyerInQuery(scope) => {
            (format!("`{scope}`"), "its own")
        }
    }
}

fn table() -> String {
    let mut text = HEAD.to_owned();
    text.push_str("\n## Roles\n\n| scope | ");
    text.push_str(&Role::ALL.map(Role::name).join(" | "));
    text.push_str(" |\n|---|---|---|---|---|---|\n");
    for scope in Scope::ALL {
        let has = Role::ALL.map(|role| if role.scopes().has(scope) { "yes" } else { "" });
        writeln!(text, "| `{scope}` | {} |", has.join(" | ")).unwrap();
    }
    text.push_str("\n## Routes\n\n| route | scope of a key | buyers |\n|---|---|---|\n");
    let mut routes = documented(&Settings::default());
    routes.sort_by_key(|route| (route.template, route.method));
    for route in routes {
        let (scope, buyers) = told(route.needs);
        writeln!(
            text,
            "| `{} {}` | {scope} | {buyers} |",
            route.method, route.template
        )
        .unwrap();
    }
    text
}

#[test]
fn every_route_has_its_scope_and_the_table_of_roles_says_so() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/roles.md");
    let text = table();
    if std::fs::read_to_string(&place).unwrap_or_default() != text {
        let made = std::env::temp_dir().join("tidegate-roles.md");
        std::fs::write(&made, &text).unwrap();
        panic!(
            "docs/roles.md is not what the routes say; if it should be: cp {} {}",
            made.display(),
            place.display()
        );
    }
}

#[test]
fn only_known_routes_are_open_to_anybody_and_every_scope_opens_something() {
    let routes = documented(&Settings::default());
    let mut open: Vec<&str> = routes
        .iter()
        .filter(|route| route.needs == Needs::Nobody)
        .map(|route| route.template)
        .collect();
    open.sort_unstable();
    assert_eq!(open, OPEN);
    // These two are looked at inside of a body.
    let inside = [Scope::OrdersPrice, Scope::OrdersPaid];
    for scope in Scope::ALL {
        let opens = routes
            .iter()
            .any(|route| told(route.needs).0 == format!("`{scope}`"));
        assert_eq!(opens, !inside.contains(&scope), "{scope}");
    }
}

#[test]
fn the_description_says_of_each_route_what_the_door_asks_for() {
    let document: serde_json::Value = serde_json::from_str(&openapi::document()).unwrap();
    for route in documented(&Settings::default()) {
        let method = route.method.to_ascii_lowercase();
        let security = &document["paths"][route.template][&method]["security"];
        let security = security.as_array().cloned().unwrap_or_default();
        let key = security.iter().find_map(|one| one["api_key"][0].as_str());
        let buyers = security.iter().any(|one| one.get("buyer_token").is_some());
        let (scope, buyer) = told(route.needs);
        let expected = key.map_or_else(String::new, |key| format!("`{key}`"));
        let named = if scope.starts_with('`') {
            scope
        } else {
            String::new()
        };
        assert_eq!(expected, named, "{} {}", route.method, route.template);
        assert_eq!(
            buyers,
            matches!(buyer, "its own" | "only"),
            "{} {}",
            route.method,
            route.template
        );
    }
}
