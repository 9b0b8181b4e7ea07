//! The one way that every request takes: name it, know who asks, read it, do it in time, answer, tell.

use crate::asked::Asked;
use crate::auth::{self, Needs};
use crate::connection::Peer;
use crate::door::Door;
use crate::guard::Guarded;
use crate::limits::Visit;
use crate::said::{self, Said};
use crate::{network, trace};
use api::service::Caller;
use api::{Code, Problem};
use axum::body::Body;
use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::handler::Handler;
use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT};
use http::request::Parts;
use http::{HeaderValue, Response};
use http_body_util::BodyExt;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use telemetry::fact::{Audited, HandlerPanicked, RequestServed};
use telemetry::{RequestContext, RouteMeter};

/// An answer that is being made.
pub(crate) type Making<'a> = Pin<Box<dyn Future<Output = Result<Said, Problem>> + Send + 'a>>;

/// What makes the answers of a route.
pub(crate) type Make = for<'a> fn(&'a Arc<Door>, Asked) -> Making<'a>;

/// Bytes of a body above its limit that are read and thrown away, so that the client hears why.
const THROWN_AWAY_MAX: usize = 16 * 1024 * 1024;

/// What is written to the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audit {
    /// Nothing: it changes nothing, or the journal says it all.
    None,
    /// Every call of a merchant.
    Merchants,
}

/// A route.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) template: &'static str,
    pub(crate) needs: Needs,
    /// Largest body, bytes.
    pub(crate) body_max: usize,
    pub(crate) audit: Audit,
    pub(crate) make: Make,
}

impl Route {
    /// Whether a path of this route stays out of logs: it names a person, beside the address that asks, or holds a code that
    /// signs a device in.
    fn hides_its_path(&self) -> bool {
        self.template.starts_with("/v1/people/") || self.template.starts_with("/device/")
    }
}

/// A route with its meter; one for all requests.
#[derive(Clone)]
pub(crate) struct Endpoint(Arc<Inner>);

struct Inner {
    door: Arc<Door>,
    route: Route,
    /// Where its limits are; the operators' port has none.
    limited: Option<usize>,
    meter: RouteMeter,
}

impl Endpoint {
    pub(crate) fn new(door: &Arc<Door>, route: Route) -> Self {
        let meter = door
            .rooms
            .telemetry
            .meters()
            .route(route.method, route.template);
        Self(Arc::new(Inner {
            door: Arc::clone(door),
            limited: door.limits.place(route.method, route.template),
            route,
            meter,
        }))
    }
}

impl<S: Send + Sync + 'static> Handler<Endpoint, S> for Endpoint {
    type Future = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

    fn call(self, request: Request, _state: S) -> Self::Future {
        Box::pin(async move { self.0.serve(request).await })
    }
}

/// Counts a request as being answered, for as long as it lives.
struct InFlight<'a>(&'a Inner);

impl<'a> InFlight<'a> {
    fn new(inner: &'a Inner) -> Self {
        inner.door.rooms.telemetry.meters().door.in_flight.inc();
        Self(inner)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.door.rooms.telemetry.meters().door.in_flight.dec();
    }
}

/// What the end of a request needs to know of its begin.
struct Begin {
    context: RequestContext,
    client: IpAddr,
    path: http::Uri,
    at: std::time::Duration,
}

impl Inner {
    async fn serve(&self, request: Request) -> Response<Body> {
        let _in_flight = InFlight::new(self);
        let clock = &self.door.rooms.clock;
        let (mut parts, body) = request.into_parts();
        let peer = parts.extensions.remove::<Peer>();
        let address = peer
            .as_ref()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.address.ip());
        let begin = Begin {
            context: trace::context(&parts.headers, &self.door.ids, clock.wall_ms()),
            client: network::client(address, &parts.headers, &self.door.settings.trusted_proxies),
            path: std::mem::take(&mut parts.uri),
            at: clock.monotonic(),
        };
        let mut visit = (self.door.limits).visit(self.limited, begin.client, begin.at);
        let mut caller = None;
        let made = (self.guarded(&begin, parts, body, &mut visit, &mut caller)).await;
        let response = self.finish(&begin, made, &visit, caller);
        if let Some(peer) = peer {
            peer.phase.idle(clock.monotonic());
        }
        response
    }

    /// The answer, within the request's time, whatever the handler does.
    async fn guarded(
        &self,
        begin: &Begin,
        parts: Parts,
        body: Body,
        visit: &mut Visit,
        caller: &mut Option<Caller>,
    ) -> Result<Said, Problem> {
        let work = Box::pin(self.make(begin, parts, body, visit, caller));
        let guarded = Guarded {
            context: begin.context,
            work,
        };
        let most = self.door.settings.request_time();
        match self.door.rooms.tasks.timeout(most, guarded).await {
            Some(Ok(made)) => made,
            Some(Err(reason)) => {
                let fact = HandlerPanicked {
                    route: self.route.template,
                    reason: &reason,
                };
                begin
                    .context
                    .enter(|| self.door.rooms.telemetry.tell(&fact));
                Err(Problem::because(
                    Code::Internal,
                    "an internal error; its request id leads to the log",
                ))
            }
            None => Err(Problem::because(
                Code::OutcomeUnknown,
                "no answer in time; whether it was done is not known: retry with the same idempotency key",
            )),
        }
    }

    async fn make(
        &self,
        begin: &Begin,
        mut parts: Parts,
        body: Body,
        visit: &mut Visit,
        caller: &mut Option<Caller>,
    ) -> Result<Said, Problem> {
        self.door.limits.enter(visit, &parts.headers)?;
        let place = self.place(&mut parts).await?;
        let mut asked = Asked {
            context: begin.context,
            client: begin.client,
            headers: parts.headers,
            place,
            query: begin.path.query().map(Into::into),
            body: Bytes::new(),
            caller: None,
        };
        asked.caller = auth::caller(self.route.needs, &self.door, &asked).await?;
        caller.clone_from(&asked.caller);
        self.door.limits.know(visit, asked.caller.as_ref())?;
        asked.body = self.read(&asked, body).await?;
        (self.route.make)(&self.door, asked).await
    }

    /// What stands in the place of the template's `{…}`.
    async fn place(&self, parts: &mut Parts) -> Result<Option<Box<str>>, Problem> {
        if !self.route.template.contains('{') {
            return Ok(None);
        }
        let params = RawPathParams::from_request_parts(parts, &())
            .await
            .map_err(|_| Problem::because(Code::NoRoute, "the path is no UTF-8"))?;
        Ok(params.iter().next().map(|(_, value)| value.into()))
    }

    /// The body, bounded in size and time.
    async fn read(&self, asked: &Asked, body: Body) -> Result<Bytes, Problem> {
        let most = self.route.body_max;
        let announced = asked
            .headers
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        let too_large = announced.is_some_and(|length| length > most as u64);
        if too_large && asked.headers.contains_key(EXPECT) {
            return Err(body_too_large(most));
        }
        let patience = self.door.settings.body_time();
        let reading = self.door.rooms.tasks.timeout(patience, collect(body, most));
        reading.await.unwrap_or_else(|| {
            Err(Problem::because(
                Code::TooSlow,
                "the body of the request did not come in time",
            ))
        })
    }

    fn finish(
        &self,
        begin: &Begin,
        made: Result<Said, Problem>,
        visit: &Visit,
        caller: Option<Caller>,
    ) -> Response<Body> {
        let (mut response, code) = match made {
            Ok(said) => (said::respond(said, &begin.context), None),
            Err(problem) => (said::refuse(&problem, &begin.context), Some(problem.code())),
        };
        if matches!(code, Some(Code::BodyTooLarge | Code::TooSlow)) {
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let status = response.status().as_u16();
        let now = self.door.rooms.clock.monotonic();
        visit.leave(status, now, response.headers_mut());
        begin
            .context
            .enter(|| self.tell(begin, status, code, caller.as_ref()));
        response
    }

    fn tell(&self, begin: &Begin, status: u16, code: Option<Code>, caller: Option<&Caller>) {
        let telemetry = &self.door.rooms.telemetry;
        let duration = self.door.rooms.clock.monotonic().saturating_sub(begin.at);
        let path = match self.route.hides_its_path() {
            true => self.route.template,
            false => begin.path.path(),
        };
        let client = begin.client;
        telemetry.tell(&RequestServed {
            route: &self.meter,
            path,
            status,
            duration,
            client,
            code,
        });
        if self.route.audit == Audit::Merchants
            && let Some(Caller::Merchant { account, key, .. }) = caller
        {
            telemetry.tell(&Audited {
                method: self.route.method,
                path,
                status,
                account,
                key: *key,
                client,
            });
        }
    }
}

fn body_too_large(most: usize) -> Problem {
    Problem::because(
        Code::BodyTooLarge,
        format!("the body may have at most {most} bytes"),
    )
    .with("limit", u64::try_from(most).unwrap_or(u64::MAX))
}

/// Collects a body. Most bodies are one frame, which is then handed on without a copy.
async fn collect(mut body: Body, most: usize) -> Result<Bytes, Problem> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    let mut seen = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|_| Problem::because(Code::MalformedJson, "the body ended before its time"))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        seen += data.len();
        if seen > most {
            throw_away(body, seen).await;
            return Err(body_too_large(most));
        }
        if first.is_empty() {
            first = data;
            continue;
        }
        if rest.is_empty() {
            rest.extend_from_slice(&first);
        }
        rest.extend_from_slice(&data);
    }
    Ok(if rest.is_empty() {
        first
    } else {
        rest.freeze()
    })
}

/// Reads on, within bounds: a client that is still sending would not look at an answer, and closing now would take the
/// answer away from it.
async fn throw_away(mut body: Body, mut seen: usize) {
    while let Some(Ok(frame)) = body.frame().await {
        seen += frame.data_ref().map_or(0, Bytes::len);
        if seen > THROWN_AWAY_MAX {
            return;
        }
    }
}
