//! Payment providers: one contract, run by each of them against a fake of its own that speaks real HTTP on loopback.
//!
//! The fakes are written from the providers' public documents and share no code with the clients: they check and make
//! signatures by themselves.

mod bank;
mod conformance;
mod fuzz;
mod http;
mod knocks;
mod sandbox;
mod stripe;
mod tls;
mod wechat;
mod whole;

use std::sync::Arc;
use std::time::Duration;

use api::provider::{ChargeRequest, RefundRequest};
use api::{OrderId, PaymentId, RefundId, SaleId};
use tidegate_shop::provider::{Line, Tls};
use world::{Clock, ManualClock, OsNetwork, Tasks};

/// What all clocks show at first.
const NOON_MS: u64 = 1_800_000_000_000;
/// No test waits longer for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

fn payment(number: u64, attempt: u16) -> PaymentId {
    let sale = SaleId::new(7).expect("small enough");
    let order = OrderId::new(sale, number).expect("small enough");
    PaymentId { order, attempt }
}

fn charge(key: PaymentId, amount_minor: i64, currency: &str) -> ChargeRequest {
    ChargeRequest {
        key,
        order: key.order,
        amount_minor,
        currency: currency.parse().expect("a currency"),
    }
}

fn refund(of: &ChargeRequest, number: u16, amount_minor: i64) -> RefundRequest {
    let order = of.order;
    RefundRequest {
        key: RefundId { order, number },
        charge: of.key,
        amount_minor,
        currency: of.currency,
    }
}

fn line() -> Line {
    Line {
        network: Arc::new(OsNetwork),
        tasks: Tasks::of_the_machine(),
    }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(NOON_MS))
}

fn tls(clock: &Arc<ManualClock>) -> Tls {
    let clock: Arc<dyn Clock> = clock.clone();
    Tls::of_the_web(&clock).expect("the authorities are certificates")
}
