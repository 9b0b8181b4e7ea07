//! What is served, and what each route needs. One table for the public port, one for operators.

use crate::asked::Asked;
use crate::auth::Needs;
use crate::door::Door;
use crate::endpoint::{Audit, Endpoint, Make, Making, Route};
use crate::settings::Settings;
use api::{Code, Problem, Scope};
use axum::Router;
use axum::routing::{MethodFilter, MethodRouter};
use std::collections::BTreeMap;
use std::sync::Arc;

mod admin;
mod audit;
mod demo;
mod device;
mod export;
mod help;
mod keys;
mod line;
mod live;
mod orders;
mod people;
mod provider;
mod sales;
mod sending;
#[cfg(test)]
mod table;
mod teams;

/// The public port.
pub(crate) fn public(door: &Arc<Door>) -> Router {
    let mut routes = documented(&door.settings);
    if door.rooms.demo.is_some() {
        routes.push(get("/", Needs::Nobody, demo::page));
        routes.push(post("/demo/crowd", Needs::Somebody, 1_024, demo::crowd));
        routes.push(post("/demo/refill", Needs::Somebody, 1_024, demo::refill));
    }
    if door.settings.bench {
        routes.push(get("/v1/noop", Needs::Somebody, help::noop));
        let noop = post(
            "/v1/noop",
            Needs::Somebody,
            door.settings.body_bytes_max,
            help::noop,
        );
        routes.push(Route {
            audit: Audit::None,
            ..noop
        });
    }
    router(door, routes)
}

/// The routes that everybody may build upon.
pub(crate) fn documented(settings: &Settings) -> Vec<Route> {
    let mut routes = sales_routes(settings);
    routes.extend(orders_routes(settings));
    routes.extend(teams_routes(settings));
    routes.extend(other_routes(settings));
    routes.extend(sending_routes(settings));
    routes.extend(people_routes(settings));
    routes
}

/// The port for operators.
pub(crate) fn admin(door: &Arc<Door>) -> Router {
    let routes = vec![
        get("/metrics", Needs::Nobody, admin::metrics),
        get("/livez", Needs::Nobody, admin::livez),
        get("/readyz", Needs::Nobody, admin::readyz),
    ];
    router(door, routes)
}

fn sales_routes(settings: &Settings) -> Vec<Route> {
    let (small, large) = (settings.body_bytes_max, settings.batch_bytes_max);
    let write = Needs::Scope(Scope::SalesWrite);
    let read = Needs::ScopeOrBuyer(Scope::SalesRead);
    let stock = Needs::Scope(Scope::StockWrite);
    vec![
        post("/v1/sales", write, large, sales::create),
        get("/v1/sales", read, sales::list),
        get("/v1/sales/{id}", read, sales::one),
        Route {
            method: "PATCH",
            ..post("/v1/sales/{id}", write, large, sales::alter)
        },
        Route {
            method: "PUT",
            ..post("/v1/sales/{id}/offer", write, large, sales::alter_offer)
        },
        post("/v1/sales/{id}/open", write, small, sales::open),
        post("/v1/sales/{id}/pause", write, small, sales::pause),
        post("/v1/sales/{id}/close", write, small, sales::close),
        post("/v1/sales/{id}/retire", write, small, sales::retire),
        post("/v1/sales/{id}/stock", stock, small, sales::add_stock),
        post("/v1/sales/{id}/write-offs", stock, small, sales::write_off),
        get(
            "/v1/sales/{id}/live",
            Needs::ScopeOrBuyerInQuery(Scope::SalesRead),
            live::stream,
        ),
        get("/v1/inventory/{sku}", read, sales::inventory),
    ]
}

fn orders_routes(settings: &Settings) -> Vec<Route> {
    let (small, large) = (settings.body_bytes_max, settings.batch_bytes_max);
    let write = Needs::Scope(Scope::OrdersWrite);
    let write_or_own = Needs::ScopeOrBuyer(Scope::OrdersWrite);
    let read = Needs::ScopeOrBuyer(Scope::OrdersRead);
    // The journal itself says which account placed an order; a line for each would drown the log in a stampede.
    let unaudited = |route: Route| Route {
        audit: Audit::None,
        ..route
    };
    vec![
        unaudited(post("/v1/orders", write_or_own, small, orders::place)),
        unaudited(post(
            "/v1/orders:batch",
            Needs::Scope(Scope::OrdersBatch),
            large,
            orders::place_batch,
        )),
        get("/v1/orders", read, orders::list),
        get("/v1/orders/{id}", read, orders::one),
        get("/v1/orders/{id}/events", read, orders::events),
        post("/v1/orders/{id}/pay", write_or_own, small, orders::pay),
        post(
            "/v1/orders/{id}/cancel",
            write_or_own,
            small,
            orders::cancel,
        ),
        post("/v1/orders/{id}/ship", write, small, orders::ship),
        post("/v1/orders/{id}/deliver", write, small, orders::deliver),
        post(
            "/v1/orders/{id}/refunds",
            Needs::Scope(Scope::RefundsWrite),
            small,
            orders::refund,
        ),
        post(
            "/v1/orders/{id}/chargebacks",
            Needs::Scope(Scope::PaymentsReport),
            small,
            orders::chargeback,
        ),
    ]
}

fn teams_routes(settings: &Settings) -> Vec<Route> {
    let small = settings.body_bytes_max;
    let write_or_own = Needs::ScopeOrBuyer(Scope::OrdersWrite);
    let read_orders = Needs::ScopeOrBuyer(Scope::OrdersRead);
    let read = Needs::ScopeOrBuyer(Scope::SalesRead);
    vec![
        get("/v1/sales/{id}/teams", read, teams::list),
        get("/v1/teams/{id}", read, teams::one),
        Route {
            audit: Audit::None,
            ..post("/v1/sales/{id}/line", write_or_own, small, line::join)
        },
        get("/v1/tickets/{id}", read_orders, line::one),
        Route {
            method: "DELETE",
            ..post("/v1/tickets/{id}", write_or_own, small, line::leave)
        },
    ]
}

fn other_routes(settings: &Settings) -> Vec<Route> {
    let small = settings.body_bytes_max;
    let keys = Needs::Scope(Scope::KeysWrite);
    vec![
        post("/v1/keys", keys, small, keys::create),
        get("/v1/keys", keys, keys::list),
        Route {
            method: "DELETE",
            ..post("/v1/keys/{id}", keys, small, keys::revoke)
        },
        post(
            "/v1/providers/sandbox/callbacks",
            Needs::Signature,
            small,
            provider::callback,
        ),
        post(
            "/v1/providers/stripe/callback",
            Needs::Signature,
            provider::BODY_BYTES_MAX,
            provider::stripe,
        ),
        post(
            "/v1/providers/wechat/callback",
            Needs::Signature,
            provider::BODY_BYTES_MAX,
            provider::wechat,
        ),
        get("/openapi.json", Needs::Nobody, help::openapi),
        get("/errors/{code}", Needs::Nobody, help::error_page),
        get("/health", Needs::Nobody, help::health),
    ]
}

fn sending_routes(settings: &Settings) -> Vec<Route> {
    let small = settings.body_bytes_max;
    let read = Needs::Scope(Scope::OrdersRead);
    let write = Needs::Scope(Scope::OrdersWrite);
    vec![
        get("/v1/sagas", read, sending::list),
        get("/v1/sagas/{id}", read, sending::one),
        post("/v1/sagas/{id}/retry", write, small, sending::retry),
        post("/v1/sagas/{id}/skip", write, small, sending::skip),
        post(
            "/v1/sagas/{id}/compensate",
            write,
            small,
            sending::compensate,
        ),
        post(
            "/v1/carriers/{carrier}/callback",
            Needs::Signature,
            small,
            sending::carrier,
        ),
        get("/v1/notices/dead", read, sending::dead_notices),
        post("/v1/notices/retry", write, small, sending::retry_notices),
    ]
}

/// What is about people: their data, their devices, and who did what.
fn people_routes(settings: &Settings) -> Vec<Route> {
    let small = settings.body_bytes_max;
    let read = Needs::ScopeOrBuyer(Scope::PeopleRead);
    let write = Needs::ScopeOrBuyer(Scope::PeopleWrite);
    let export = Needs::Scope(Scope::OrdersRead);
    let (nobody, form) = (Needs::Nobody, 8 * 1024);
    vec![
        Route {
            method: "PUT",
            ..post("/v1/people/{buyer}", write, small, people::put)
        },
        get("/v1/people/{buyer}", read, people::one),
        Route {
            method: "DELETE",
            ..post("/v1/people/{buyer}", write, small, people::erase)
        },
        get("/v1/audit", Needs::Scope(Scope::AuditRead), audit::list),
        get("/v1/sales/{id}/orders.csv", export, export::csv),
        get("/v1/sales/{id}/orders.jsonl", export, export::jsonl),
        post("/v1/device/code", nobody, form, device::code),
        post("/v1/device/look", Needs::Buyer, form, device::look),
        post("/v1/device/approve", Needs::Buyer, form, device::approve),
        post("/v1/device/token", nobody, form, device::token),
        get("/device", nobody, device::page),
        get("/device/{code}", nobody, device::page),
        get("/device/{code}/show", nobody, device::show),
        get("/device/{code}/qr.svg", nobody, device::qr),
    ]
}

fn get(template: &'static str, needs: Needs, make: Make) -> Route {
    Route {
        method: "GET",
        template,
        needs,
        body_max: 64 * 1024,
        audit: Audit::None,
        make,
    }
}

fn post(template: &'static str, needs: Needs, body_max: usize, make: Make) -> Route {
    Route {
        method: "POST",
        template,
        needs,
        body_max,
        audit: Audit::Merchants,
        make,
    }
}

fn router(door: &Arc<Door>, routes: Vec<Route>) -> Router {
    let mut by_template: BTreeMap<&'static str, MethodRouter> = BTreeMap::new();
    for route in routes {
        let known = by_template.remove(route.template).unwrap_or_default();
        by_template.insert(
            route.template,
            known.on(filter(route.method), Endpoint::new(door, route)),
        );
    }
    let mut router = Router::new();
    for (template, methods) in by_template {
        router = router.route(template, methods);
    }
    let nowhere = |make| Route {
        template: "none",
        ..get("none", Needs::Nobody, make)
    };
    router
        .fallback(Endpoint::new(door, nowhere(no_route)))
        .method_not_allowed_fallback(Endpoint::new(door, nowhere(no_method)))
}

fn filter(method: &str) -> MethodFilter {
    match method {
        "POST" => MethodFilter::POST,
        "PUT" => MethodFilter::PUT,
        "PATCH" => MethodFilter::PATCH,
        "DELETE" => MethodFilter::DELETE,
        _ => MethodFilter::GET,
    }
}

fn no_route(_door: &Arc<Door>, _asked: Asked) -> Making<'_> {
    Box::pin(async {
        Err(Problem::because(
            Code::NoRoute,
            "nothing is served under this path",
        ))
    })
}

fn no_method(_door: &Arc<Door>, _asked: Asked) -> Making<'_> {
    Box::pin(async {
        Err(Problem::because(
            Code::MethodNotAllowed,
            "this path is not served with this method",
        ))
    })
}
