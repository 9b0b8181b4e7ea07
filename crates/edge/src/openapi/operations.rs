//! What each route is for, in the order of the description.

use api::check::Nothing;
use api::key::{ApiKey, ApiKeys, CreateKey, CreatedKey};
use api::line::{JoinLine, Ticket};
use api::live::LiveTick;
use api::offer::AlterOffer;
use api::order::{BatchResults, Order, OrderEvents, OrderPage, OrderQuery, PlaceBatch, PlaceOrder};
use api::plan::{AlterSale, CreateSale};
use api::provider::Callback;
use api::refund::{Chargeback, Refund, RefundOrder};
use api::sale::{Sale, SalePage, SaleQuery};
use api::sending::{
    CarrierWord, DeadNotices, NoticesRetried, Saga, SagaPage, SagaQuery, ShipOrder,
};
use api::stock::{AddStock, Inventory, InventoryQuery, WriteOff};
use api::team::{Team, TeamPage, TeamQuery};
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{IntoParams, ToSchema};

/// Schemas by name.
pub(super) type Schemas = Vec<(String, RefOr<Schema>)>;

/// A type as a schema.
pub(super) struct Body {
    pub(super) name: fn() -> String,
    pub(super) collect: fn(&mut Schemas),
}

pub(super) const fn body<T: ToSchema>() -> Option<Body> {
    Some(Body {
        name: || T::name().into_owned(),
        collect: |schemas| {
            T::schemas(schemas);
            schemas.push((T::name().into_owned(), T::schema()));
        },
    })
}

/// One route in the description.
pub(super) struct Operation {
    pub(super) id: &'static str,
    pub(super) method: &'static str,
    pub(super) template: &'static str,
    pub(super) tag: &'static str,
    pub(super) summary: &'static str,
    /// The scope that a merchant's key needs.
    pub(super) scope: Option<&'static str>,
    /// Buyers may use it too.
    pub(super) buyers: bool,
    pub(super) keyed: bool,
    pub(super) query: fn() -> Vec<Parameter>,
    pub(super) body: Option<Body>,
    pub(super) status: &'static str,
    pub(super) content_type: &'static str,
    pub(super) answer: Option<Body>,
}

pub(super) const fn look(
    id: &'static str,
    template: &'static str,
    scope: &'static str,
    summary: &'static str,
) -> Operation {
    let tag = "orders";
    let content_type = "application/json";
    Operation {
        id,
        method: "GET",
        template,
        tag,
        summary,
        scope: Some(scope),
        buyers: true,
        keyed: false,
        query: Vec::new,
        body: None,
        status: "200",
        content_type,
        answer: None,
    }
}

pub(super) const fn change(
    id: &'static str,
    template: &'static str,
    scope: &'static str,
    summary: &'static str,
) -> Operation {
    Operation {
        method: "POST",
        buyers: false,
        keyed: true,
        body: body::<Nothing>(),
        answer: body::<Order>(),
        ..look(id, template, scope, summary)
    }
}

pub(super) fn query<Q: IntoParams>() -> Vec<Parameter> {
    Q::into_params(|| Some(ParameterIn::Query))
}

const fn turn(id: &'static str, template: &'static str, summary: &'static str) -> Operation {
    Operation {
        tag: "sales",
        answer: body::<Sale>(),
        ..change(id, template, "sales:write", summary)
    }
}

const fn saga(id: &'static str, template: &'static str, summary: &'static str) -> Operation {
    Operation {
        answer: body::<Saga>(),
        ..change(id, template, "orders:write", summary)
    }
}

pub(super) const fn open_to_all(
    id: &'static str,
    template: &'static str,
    summary: &'static str,
) -> Operation {
    Operation {
        scope: None,
        buyers: false,
        tag: "help",
        ..look(id, template, "", summary)
    }
}

/// Every documented route.
pub(super) const OPERATIONS: &[Operation] = &[
    Operation {
        status: "201",
        body: body::<CreateSale>(),
        ..turn("createSale", "/v1/sales", "Creates a sale, in state draft")
    },
    Operation {
        tag: "sales",
        query: query::<SaleQuery>,
        answer: body::<SalePage>(),
        ..look(
            "listSales",
            "/v1/sales",
            "sales:read",
            "Sales, newest first, from the read model",
        )
    },
    Operation {
        tag: "sales",
        answer: body::<Sale>(),
        ..look(
            "getSale",
            "/v1/sales/{id}",
            "sales:read",
            "One sale with its stock, from its book",
        )
    },
    Operation {
        method: "PATCH",
        body: body::<AlterSale>(),
        ..turn(
            "alterSale",
            "/v1/sales/{id}",
            "Changes a sale; what is missing stays as it is",
        )
    },
    Operation {
        method: "PUT",
        body: body::<AlterOffer>(),
        ..turn(
            "alterOffer",
            "/v1/sales/{id}/offer",
            "Changes the whole offer of a sale; teams keep the rule under which they were opened",
        )
    },
    turn(
        "openSale",
        "/v1/sales/{id}/open",
        "Starts or resumes selling; before the window begins this schedules the sale",
    ),
    turn(
        "pauseSale",
        "/v1/sales/{id}/pause",
        "Stops selling until opened again; what is held can be paid",
    ),
    turn(
        "closeSale",
        "/v1/sales/{id}/close",
        "Ends the sale for good; what is held can be paid until it expires",
    ),
    turn(
        "retireSale",
        "/v1/sales/{id}/retire",
        "Puts a closed sale away",
    ),
    Operation {
        scope: Some("stock:write"),
        body: body::<AddStock>(),
        ..turn("addStock", "/v1/sales/{id}/stock", "Brings units in")
    },
    Operation {
        scope: Some("stock:write"),
        body: body::<WriteOff>(),
        ..turn(
            "writeOff",
            "/v1/sales/{id}/write-offs",
            "Takes units out unsold, never more than are available",
        )
    },
    Operation {
        tag: "sales",
        content_type: "text/event-stream",
        answer: body::<LiveTick>(),
        ..look(
            "watchSale",
            "/v1/sales/{id}/live",
            "sales:read",
            "Server-sent events: a `tick` while something changes",
        )
    },
    Operation {
        tag: "sales",
        query: query::<InventoryQuery>,
        answer: body::<Inventory>(),
        ..look(
            "getInventory",
            "/v1/inventory/{sku}",
            "sales:read",
            "Units of a SKU that can be bought now",
        )
    },
    Operation {
        buyers: true,
        status: "201",
        body: body::<PlaceOrder>(),
        ..change(
            "placeOrder",
            "/v1/orders",
            "orders:write",
            "Places an order: all lines or nothing",
        )
    },
    Operation {
        keyed: false,
        body: body::<PlaceBatch>(),
        answer: body::<BatchResults>(),
        ..change(
            "placeOrders",
            "/v1/orders:batch",
            "orders:batch",
            "Places up to 1,000 orders, each decided by itself",
        )
    },
    Operation {
        query: query::<OrderQuery>,
        answer: body::<OrderPage>(),
        ..look(
            "listOrders",
            "/v1/orders",
            "orders:read",
            "Orders, newest first, from the read model",
        )
    },
    Operation {
        answer: body::<Order>(),
        ..look(
            "getOrder",
            "/v1/orders/{id}",
            "orders:read",
            "One order, from its book",
        )
    },
    Operation {
        answer: body::<OrderEvents>(),
        ..look(
            "getOrderEvents",
            "/v1/orders/{id}/events",
            "orders:read",
            "What happened to an order, oldest first",
        )
    },
    Operation {
        buyers: true,
        status: "202",
        ..change(
            "payOrder",
            "/v1/orders/{id}/pay",
            "orders:write",
            "Starts to charge an order",
        )
    },
    Operation {
        buyers: true,
        ..change(
            "cancelOrder",
            "/v1/orders/{id}/cancel",
            "orders:write",
            "Gives an order up; its units go back on sale",
        )
    },
    Operation {
        body: body::<ShipOrder>(),
        ..change(
            "shipOrder",
            "/v1/orders/{id}/ship",
            "orders:write",
            "The goods left; lines that are not named go back on sale and are refunded",
        )
    },
    change(
        "deliverOrder",
        "/v1/orders/{id}/deliver",
        "orders:write",
        "The goods arrived",
    ),
    Operation {
        status: "201",
        body: body::<RefundOrder>(),
        answer: body::<Refund>(),
        ..change(
            "refundOrder",
            "/v1/orders/{id}/refunds",
            "refunds:write",
            "Gives money back: an amount, lines, or all that is left",
        )
    },
    Operation {
        status: "201",
        body: body::<Chargeback>(),
        ..change(
            "reportChargeback",
            "/v1/orders/{id}/chargebacks",
            "payments:report",
            "The buyer's bank took money back",
        )
    },
    Operation {
        tag: "teams",
        query: query::<TeamQuery>,
        answer: body::<TeamPage>(),
        ..look(
            "listTeams",
            "/v1/sales/{id}/teams",
            "sales:read",
            "Teams of a sale, newest first, from its book",
        )
    },
    Operation {
        tag: "teams",
        answer: body::<Team>(),
        ..look(
            "getTeam",
            "/v1/teams/{id}",
            "sales:read",
            "One team, from the book of its sale; merchants see who is in it, members its seats",
        )
    },
    Operation {
        tag: "line",
        buyers: true,
        status: "201",
        body: body::<JoinLine>(),
        answer: body::<Ticket>(),
        ..change(
            "joinLine",
            "/v1/sales/{id}/line",
            "orders:write",
            "Waits in line for units of a sold-out SKU",
        )
    },
    Operation {
        tag: "line",
        answer: body::<Ticket>(),
        ..look(
            "getTicket",
            "/v1/tickets/{id}",
            "orders:read",
            "A place in the line, and the order it was offered",
        )
    },
    Operation {
        method: "DELETE",
        tag: "line",
        buyers: true,
        answer: body::<Ticket>(),
        ..change(
            "leaveLine",
            "/v1/tickets/{id}",
            "orders:write",
            "Gives a place in the line up; it costs nothing",
        )
    },
    Operation {
        tag: "keys",
        status: "201",
        body: body::<CreateKey>(),
        answer: body::<CreatedKey>(),
        ..change(
            "createKey",
            "/v1/keys",
            "keys:write",
            "Makes an API key; its secret is shown once",
        )
    },
    Operation {
        tag: "keys",
        buyers: false,
        answer: body::<ApiKeys>(),
        ..look(
            "listKeys",
            "/v1/keys",
            "keys:write",
            "All API keys, without their secrets",
        )
    },
    Operation {
        method: "DELETE",
        tag: "keys",
        answer: body::<ApiKey>(),
        ..change(
            "revokeKey",
            "/v1/keys/{id}",
            "keys:write",
            "Ends an API key, at once and for good",
        )
    },
    Operation {
        tag: "providers",
        scope: None,
        keyed: false,
        body: body::<Callback>(),
        answer: None,
        ..change(
            "providerCallback",
            "/v1/providers/sandbox/callbacks",
            "",
            "The payment provider reports; signed by `Tidegate-Signature`, safe to send twice",
        )
    },
    Operation {
        tag: "providers",
        scope: None,
        keyed: false,
        body: None,
        answer: None,
        ..change(
            "stripeCallback",
            "/v1/providers/stripe/callback",
            "",
            "A webhook of Stripe; signed by `Stripe-Signature`, safe to send twice",
        )
    },
    Operation {
        tag: "providers",
        scope: None,
        keyed: false,
        body: None,
        answer: None,
        ..change(
            "wechatCallback",
            "/v1/providers/wechat/callback",
            "",
            "A notification of WeChat Pay; signed by `Wechatpay-Signature`, safe to send twice",
        )
    },
    open_to_all("getDescription", "/openapi.json", "This description"),
    Operation {
        content_type: "text/html",
        ..open_to_all(
            "getErrorPage",
            "/errors/{code}",
            "The help page of an error code",
        )
    },
    open_to_all("getHealth", "/health", "Whether the process lives"),
    Operation {
        buyers: false,
        query: query::<SagaQuery>,
        answer: body::<SagaPage>(),
        ..look(
            "listSagas",
            "/v1/sagas",
            "orders:read",
            "What is under way outside for paid orders",
        )
    },
    Operation {
        buyers: false,
        answer: body::<Saga>(),
        ..look(
            "getSaga",
            "/v1/sagas/{id}",
            "orders:read",
            "The saga of an order, by the order's id",
        )
    },
    saga(
        "retrySaga",
        "/v1/sagas/{id}/retry",
        "Tries the parked or waiting step again, now",
    ),
    saga(
        "skipSaga",
        "/v1/sagas/{id}/skip",
        "Takes the parked step as settled outside",
    ),
    saga(
        "compensateSaga",
        "/v1/sagas/{id}/compensate",
        "Takes everything back, as long as the pivot is not done",
    ),
    Operation {
        method: "POST",
        tag: "carriers",
        scope: None,
        buyers: false,
        body: body::<CarrierWord>(),
        ..look(
            "reportCarrier",
            "/v1/carriers/{carrier}/callback",
            "",
            "A carrier says where a parcel is; signed like a provider's callback",
        )
    },
    Operation {
        tag: "notices",
        buyers: false,
        answer: body::<DeadNotices>(),
        ..look(
            "listDeadNotices",
            "/v1/notices/dead",
            "orders:read",
            "Notices that were given up",
        )
    },
    Operation {
        tag: "notices",
        answer: body::<NoticesRetried>(),
        ..change(
            "retryNotices",
            "/v1/notices/retry",
            "orders:write",
            "Tries the notices that were given up again",
        )
    },
];
