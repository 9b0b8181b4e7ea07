//! Facts of the front door.

use crate::Fact;
use crate::http::{LimitMeter, RouteMeter};
use crate::meters::Meters;
use api::Code;
use std::net::IpAddr;
use std::time::Duration;

/// A request was answered.
#[derive(Debug)]
pub struct RequestServed<'a> {
    /// The meter of its route.
    pub route: &'a RouteMeter,
    /// The path as it was sent.
    pub path: &'a str,
    /// The status of the answer.
    pub status: u16,
    /// From the head of the request to the head of the answer.
    pub duration: Duration,
    /// The client's address, behind trusted proxies too.
    pub client: IpAddr,
    /// The code of the problem, when it was one.
    pub code: Option<Code>,
}

impl Fact for RequestServed<'_> {
    fn count(&self, meters: &Meters) {
        self.route.observe(self.status, self.duration);
        if let Some(code) = self.code {
            meters.count_problem(code);
        }
    }

    /// Failures of the server are worth a line; the others only when somebody looks closely, for a stampede makes
    /// hundreds of thousands of them.
    fn log(&self) {
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    http.method = self.route.method(),
                    http.route = self.route.route(),
                    http.status_code = self.status,
                    net.peer.ip = %self.client,
                    path = self.path,
                    duration_us = u64::try_from(self.duration.as_micros()).unwrap_or(u64::MAX),
                    code = self.code.map_or("", Code::as_str),
                    "request served"
                )
            };
        }
        match self.status {
            500 => line!(error),
            501.. if self.code != Some(Code::Busy) => line!(warn),
            _ => line!(debug),
        }
    }
}

/// A merchant changed something: who, what, with which result.
#[derive(Debug)]
pub struct Audited<'a> {
    /// The method.
    pub method: &'static str,
    /// The path as it was sent.
    pub path: &'a str,
    /// The status of the answer.
    pub status: u16,
    /// The merchant account.
    pub account: &'a str,
    /// The API key.
    pub key: api::KeyId,
    /// The client's address.
    pub client: IpAddr,
}

impl Fact for Audited<'_> {
    fn count(&self, _meters: &Meters) {}

    fn log(&self) {
        tracing::info!(
            target: "audit",
            { http.method = self.method, path = self.path, http.status_code = self.status, account = self.account,
              api_key = %self.key, net.peer.ip = %self.client },
            "audit"
        );
    }
}

/// A connection was turned away.
#[derive(Debug)]
pub struct ConnectionRefused {
    /// Who came.
    pub client: IpAddr,
    /// How many connections there may be.
    pub connections_max: usize,
}

impl Fact for ConnectionRefused {
    fn count(&self, meters: &Meters) {
        meters.door.connections_refused.inc();
    }

    fn log(&self) {
        tracing::debug!(net.peer.ip = %self.client, connections_max = self.connections_max, "connection refused");
    }
}

/// A request came too often.
#[derive(Debug)]
pub struct RequestLimited<'a> {
    /// The meter of the limit.
    pub limit: &'a LimitMeter,
    /// Who came.
    pub client: IpAddr,
    /// How long until one more may come.
    pub wait: Duration,
}

impl Fact for RequestLimited<'_> {
    fn count(&self, _meters: &Meters) {
        self.limit.refused.inc();
    }

    /// Whoever is limited comes thousands of times; the counter says so, and a line only when somebody looks closely.
    fn log(&self) {
        tracing::debug!(
            limit = &*self.limit.name,
            net.peer.ip = %self.client,
            wait_ms = u64::try_from(self.wait.as_millis()).unwrap_or(u64::MAX),
            "request limited"
        );
    }
}

/// A handler panicked; the client heard `TG-5001` and the process lives.
#[derive(Debug)]
pub struct HandlerPanicked<'a> {
    /// The route's template.
    pub route: &'a str,
    /// What the panic said.
    pub reason: &'a str,
}

impl Fact for HandlerPanicked<'_> {
    fn count(&self, meters: &Meters) {
        meters.door.panics.inc();
    }

    fn log(&self) {
        tracing::error!(
            http.route = self.route,
            reason = self.reason,
            "handler panicked"
        );
    }
}
