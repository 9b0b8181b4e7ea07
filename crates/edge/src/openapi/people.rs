//! What the routes about people are for: their data, their devices, exports, and who did what.

use super::operations::{Operation, body, change, look, open_to_all, query};
use api::audit::{AuditPage, AuditQuery};
use api::device::{
    ApproveDevice, ApprovedDevice, AskDevice, DeviceCode, DeviceToken, LookAtDevice, PollDevice,
    WaitingDevice,
};
use api::order::Order;
use api::people::{Erased, Person, PersonData};

const fn device(id: &'static str, template: &'static str, summary: &'static str) -> Operation {
    Operation {
        tag: "devices",
        scope: None,
        keyed: false,
        ..change(id, template, "", summary)
    }
}

const fn page(id: &'static str, template: &'static str, summary: &'static str) -> Operation {
    Operation {
        tag: "devices",
        content_type: "text/html",
        ..open_to_all(id, template, summary)
    }
}

/// Every documented route about people.
pub(super) const PEOPLE: &[Operation] = &[
    Operation {
        method: "PUT",
        tag: "people",
        buyers: true,
        body: body::<PersonData>(),
        answer: body::<Person>(),
        ..change(
            "keepPerson",
            "/v1/people/{buyer}",
            "people:write",
            "Keeps personal data in the vault, in the place of what was kept before",
        )
    },
    Operation {
        tag: "people",
        answer: body::<Person>(),
        ..look(
            "getPerson",
            "/v1/people/{buyer}",
            "people:read",
            "What is kept about a buyer: the export of one person",
        )
    },
    Operation {
        method: "DELETE",
        tag: "people",
        buyers: true,
        answer: body::<Erased>(),
        ..change(
            "erasePerson",
            "/v1/people/{buyer}",
            "people:write",
            "Destroys what is kept about a buyer, for good",
        )
    },
    Operation {
        tag: "audit",
        buyers: false,
        query: query::<AuditQuery>,
        answer: body::<AuditPage>(),
        ..look(
            "listActs",
            "/v1/audit",
            "audit:read",
            "Administrative acts, oldest first: who, what, before, after, trace",
        )
    },
    Operation {
        buyers: false,
        content_type: "text/csv",
        ..look(
            "exportOrdersCsv",
            "/v1/sales/{id}/orders.csv",
            "orders:read",
            "Orders of a sale as CSV, a row for each order line",
        )
    },
    Operation {
        buyers: false,
        content_type: "application/x-ndjson",
        answer: body::<Order>(),
        ..look(
            "exportOrdersJsonl",
            "/v1/sales/{id}/orders.jsonl",
            "orders:read",
            "Orders of a sale, one JSON object a line",
        )
    },
    Operation {
        body: body::<AskDevice>(),
        answer: body::<DeviceCode>(),
        ..device(
            "askDeviceCode",
            "/v1/device/code",
            "Codes with which a device is signed in (RFC 8628)",
        )
    },
    Operation {
        buyers: true,
        body: body::<LookAtDevice>(),
        answer: body::<WaitingDevice>(),
        ..device(
            "lookAtDevice",
            "/v1/device/look",
            "A buyer sees what the device that shows this code calls itself, before deciding",
        )
    },
    Operation {
        buyers: true,
        body: body::<ApproveDevice>(),
        answer: body::<ApprovedDevice>(),
        ..device(
            "approveDevice",
            "/v1/device/approve",
            "A buyer lets the device that shows this code act for it, or not",
        )
    },
    Operation {
        body: body::<PollDevice>(),
        answer: body::<DeviceToken>(),
        ..device(
            "pollDeviceToken",
            "/v1/device/token",
            "The device's token; until then 400 with `error`: authorization_pending, slow_down, expired_token, access_denied",
        )
    },
    page(
        "getDevicePage",
        "/device",
        "The page on which a code is typed",
    ),
    page(
        "getDeviceCodePage",
        "/device/{code}",
        "The page that a QR code leads to",
    ),
    page(
        "showDeviceCode",
        "/device/{code}/show",
        "The QR code and the letters, big, in Chinese and English",
    ),
    Operation {
        content_type: "image/svg+xml",
        ..page(
            "getDeviceQr",
            "/device/{code}/qr.svg",
            "The QR code as a picture",
        )
    },
];
