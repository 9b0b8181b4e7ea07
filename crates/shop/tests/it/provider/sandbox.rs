//! The sandbox keeps the contract, in this process and behind HTTP.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use api::provider::{
    ChargeOutcome, ChargeReply, ChargeRequest, ProviderLedger, RefundOutcome, RefundReply,
    RefundRequest,
};
use api::{PaymentId, RefundId};
use tidegate_shop::provider::sandbox::{PerMille, Sandbox, Settings, serve};
use tidegate_shop::provider::{Asked, HttpProvider, Provider, ProviderError};
use tokio::sync::watch;
use world::{Network, OsNetwork, Tasks};

use super::conformance::{self, Subject};
use super::{PATIENCE, clock, line};

/// Two sandboxes, of which one refuses, behind a line that loses answers on command.
#[derive(Debug)]
struct Till<P> {
    takes: P,
    refuses: P,
    books: Vec<Sandbox>,
    refusing: AtomicBool,
    losing: AtomicBool,
}

impl<P: Provider> Till<P> {
    fn of(&self) -> &P {
        match self.refusing.load(Ordering::SeqCst) {
            true => &self.refuses,
            false => &self.takes,
        }
    }

    async fn over_the_line<T>(&self, asked: Asked<'_, T>) -> Result<T, ProviderError> {
        let answer = asked.await;
        match self.losing.swap(false, Ordering::SeqCst) {
            true => Err(ProviderError::Lost("cut".into())),
            false => answer,
        }
    }
}

impl<P: Provider> Provider for Till<P> {
    fn charge(&self, request: ChargeRequest) -> Asked<'_, ChargeReply> {
        Box::pin(self.over_the_line(self.of().charge(request)))
    }

    fn refund(&self, request: RefundRequest) -> Asked<'_, RefundReply> {
        Box::pin(self.over_the_line(self.of().refund(request)))
    }

    fn charge_status(&self, key: PaymentId) -> Asked<'_, Option<ChargeReply>> {
        self.of().charge_status(key)
    }

    fn refund_status(&self, key: RefundId) -> Asked<'_, Option<RefundReply>> {
        self.of().refund_status(key)
    }
}

impl<P: Provider> Subject for Till<P> {
    fn provider(&self) -> &dyn Provider {
        self
    }

    fn currency(&self) -> &'static str {
        "GBP"
    }

    fn pay(&self, _key: PaymentId) {}

    fn refuse(&self, _key: PaymentId) {
        self.refusing.store(true, Ordering::SeqCst);
    }

    fn lose_an_answer(&self) {
        self.losing.store(true, Ordering::SeqCst);
    }

    fn captured_minor(&self) -> i64 {
        let charges = self.books.iter().flat_map(ProviderLedger::charges);
        let captured = charges.filter(|charge| charge.outcome == ChargeOutcome::Captured);
        captured.map(|charge| charge.request.amount_minor).sum()
    }

    fn refunded_minor(&self) -> i64 {
        let refunds = self.books.iter().flat_map(ProviderLedger::refunds);
        let gone = refunds.filter(|refund| refund.outcome == RefundOutcome::Refunded);
        gone.map(|refund| refund.request.amount_minor).sum()
    }
}

fn sandboxes() -> [Sandbox; 2] {
    let always = PerMille::new(1_000).expect("a share");
    let refusing = Settings {
        decline_per_mille: always,
        ..Settings::default()
    };
    [Settings::default(), refusing]
        .map(|settings| Sandbox::new(settings, clock(), Tasks::of_the_machine()))
}

fn till<P>([takes, refuses]: [P; 2], books: Vec<Sandbox>) -> Till<P> {
    Till {
        takes,
        refuses,
        books,
        refusing: AtomicBool::new(false),
        losing: AtomicBool::new(false),
    }
}

#[tokio::test]
async fn the_sandbox_keeps_the_contract() {
    let books = sandboxes();
    conformance::run(&till(books.clone(), books.to_vec())).await;
}

#[tokio::test]
async fn a_provider_behind_http_keeps_the_contract() {
    let books = sandboxes();
    let (_stop, stopped) = watch::channel(false);
    let clients = books.clone().map(|sandbox| {
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = OsNetwork.listen(free).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(serve(listener, sandbox, stopped.clone()));
        HttpProvider::new(&format!("http://{address}"), &line(), PATIENCE).expect("a URL")
    });
    conformance::run(&till(clients, books.to_vec())).await;
}
