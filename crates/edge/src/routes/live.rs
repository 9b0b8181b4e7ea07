//! The live stream of a sale, as server-sent events.

use crate::asked::Asked;
use crate::door::Door;
use crate::endpoint::Making;
use crate::routes::sales::sale_id;
use crate::said::Said;
use api::live::LiveTick;
use api::service::LiveFeed;
use api::{Code, Problem};
use axum::body::Body;
use bytes::Bytes;
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use hyper::body::Frame;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use telemetry::Telemetry;
use tokio::sync::{OwnedSemaphorePermit, watch};

pub(super) fn stream(door: &Arc<Door>, asked: Asked) -> Making<'_> {
    Box::pin(async move {
        let sale = sale_id(&asked)?;
        let permit = Arc::clone(&door.live_streams)
            .try_acquire_owned()
            .map_err(|_| {
                Problem::because(Code::TooManyRequests, "too many live streams are open")
            })?;
        let feed = door.rooms.sales.watch(asked.look()?, sale).await?;
        Ok(events(door, feed, permit))
    })
}

/// The answer that goes on for as long as the feed does and the server runs.
fn events(door: &Door, feed: Box<dyn LiveFeed>, permit: OwnedSemaphorePermit) -> Said {
    let telemetry = door.rooms.telemetry.clone();
    telemetry.meters().door.live_streams.inc();
    let open = Open {
        _permit: permit,
        telemetry,
    };
    let body = Events {
        next: next(feed, door.closing.subscribe()),
        _open: open,
    };
    let said = Said::page("text/event-stream", Bytes::new());
    Said {
        body: Body::new(body),
        ..said
    }
    .with(CACHE_CONTROL, HeaderValue::from_static("no-store"))
}

/// Counts the stream while it is open.
struct Open {
    _permit: OwnedSemaphorePermit,
    telemetry: Telemetry,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.telemetry.meters().door.live_streams.dec();
    }
}

/// A feed, and whether the server stops.
type Source = (Box<dyn LiveFeed>, watch::Receiver<bool>);

type Next = Pin<Box<dyn Future<Output = (Option<LiveTick>, Source)> + Send>>;

/// The next tick, and the source back. A server that stops would otherwise wait for its watchers to leave.
fn next(mut feed: Box<dyn LiveFeed>, mut closing: watch::Receiver<bool>) -> Next {
    Box::pin(async move {
        let tick = tokio::select! {
            biased;
            _ = closing.wait_for(|closing| *closing) => None,
            tick = feed.next() => tick,
        };
        (tick, (feed, closing))
    })
}

struct Events {
    next: Next,
    _open: Open,
}

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let (tick, (feed, closing)) = ready!(self.next.as_mut().poll(context));
        let Some(tick) = tick else {
            return Poll::Ready(None);
        };
        self.next = next(feed, closing);
        let mut text = b"event: tick\ndata: ".to_vec();
        if serde_json::to_writer(&mut text, &tick).is_err() {
            return Poll::Ready(None);
        }
        text.extend_from_slice(b"\n\n");
        Poll::Ready(Some(Ok(Frame::data(text.into()))))
    }
}
