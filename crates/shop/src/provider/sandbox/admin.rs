//! The sandbox's own operators: what is in its ledger, and outages at a word.
//!
//! `GET /healthz`, `GET /ledger` (JSON), `GET /settlement.csv` (the file that `tidegate reconcile` reads), and
//! `POST /outage?ms=60000`, in which nobody is answered. No secrets, no changes of money: for loopback only.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use api::provider::{ChargeOutcome, ProviderLedger, RefundOutcome};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::json;
use tokio::sync::watch;
use world::network::Listener;

use super::server::{Answers, empty, serve_with, write};
use super::{ProviderError, Sandbox};

/// The longest outage at a word, in milliseconds.
const OUTAGE_MS_MAX: u64 = 86_400_000;

/// Answers the sandbox's operators until `shutdown` turns true or its sender is gone.
///
/// # Errors
/// When the listener takes no more connections at all.
pub async fn serve_admin(
    listener: Box<dyn Listener>,
    sandbox: Sandbox,
    shutdown: watch::Receiver<bool>,
) -> io::Result<()> {
    let answers: Answers = Arc::new(|sandbox, request| {
        let answer = answer(&sandbox, &request);
        Box::pin(std::future::ready(answer))
    });
    serve_with(listener, sandbox, shutdown, answers).await
}

fn answer(
    sandbox: &Sandbox,
    request: &Request<Incoming>,
) -> Result<Response<Full<Bytes>>, ProviderError> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/healthz") => write(Ok(Some(json!({"status": "ok"})))),
        (&Method::GET, "/ledger") => write(Ok(Some(ledger(sandbox)))),
        (&Method::GET, "/settlement.csv") => Ok(csv(settlement(sandbox))),
        (&Method::POST, "/outage") => {
            let length_ms = request
                .uri()
                .query()
                .and_then(|query| query.strip_prefix("ms="));
            let length_ms = length_ms.and_then(|ms| ms.parse().ok());
            let Some(length_ms) = length_ms.filter(|ms| (1..=OUTAGE_MS_MAX).contains(ms)) else {
                return Ok(empty(StatusCode::BAD_REQUEST));
            };
            sandbox.go_out(Duration::from_millis(length_ms));
            write(Ok(Some(json!({"outage_ms": length_ms}))))
        }
        (_, "/healthz" | "/ledger" | "/settlement.csv" | "/outage") => {
            Ok(empty(StatusCode::METHOD_NOT_ALLOWED))
        }
        _ => Ok(empty(StatusCode::NOT_FOUND)),
    }
}

fn ledger(sandbox: &Sandbox) -> serde_json::Value {
    let charges = sandbox.charges().into_iter().map(|charge| {
        json!({"key": charge.request.key, "amount_minor": charge.request.amount_minor,
            "currency": charge.request.currency, "outcome": charge.outcome})
    });
    let refunds = sandbox.refunds().into_iter().map(|refund| {
        json!({"key": refund.request.key, "charge": refund.request.charge,
            "amount_minor": refund.request.amount_minor, "currency": refund.request.currency,
            "outcome": refund.outcome})
    });
    json!({"charges": charges.collect::<Vec<_>>(), "refunds": refunds.collect::<Vec<_>>()})
}

/// Only money that moved is settled.
fn settlement(sandbox: &Sandbox) -> String {
    let mut text = "type,id,key,amount_minor,currency,time\n".to_owned();
    let charges = sandbox.charges().into_iter();
    for charge in charges.filter(|charge| charge.outcome == ChargeOutcome::Captured) {
        let asked = &charge.request;
        let (key, amount, currency) = (asked.key, asked.amount_minor, asked.currency);
        text.push_str(&format!("charge,{key},{key},{amount},{currency},\n"));
    }
    let refunds = sandbox.refunds().into_iter();
    for refund in refunds.filter(|refund| refund.outcome == RefundOutcome::Refunded) {
        let asked = &refund.request;
        let (key, amount, currency) = (asked.key, asked.amount_minor, asked.currency);
        text.push_str(&format!("refund,{key},{key},{amount},{currency},\n"));
    }
    text
}

fn csv(text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(text));
    let kind = HeaderValue::from_static("text/csv; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
