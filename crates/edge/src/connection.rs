//! One connection: HTTP/1.1 with keep-alive and pipelining, watched by one timer.

use crate::phase::{Doing, Phase};
use crate::settings::Settings;
use crate::socket::{Socket, Surroundings, whole_answer};
use api::{Code, Problem};
use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tower::Service;
use world::network::Stream;

/// Time for writing a last word to a client that may not listen.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Who is at the other end, and what its connection is doing; with every request.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) phase: Arc<Phase>,
}

/// How a connection ended.
enum End {
    /// It was closed, by either side.
    Closed,
    /// The head of a request did not come in time.
    SlowHead,
    /// An answer was not read in time.
    SlowReader,
}

/// Serves a connection until it is closed, too slow, idle for too long, or the server stops.
pub(crate) async fn serve(
    stream: Stream,
    address: SocketAddr,
    router: Router,
    settings: Arc<Settings>,
    around: Surroundings,
    stopping: watch::Receiver<bool>,
) {
    let peer = Peer {
        address,
        phase: Arc::clone(&around.phase),
    };
    let service = service_fn(move |mut request: Request<Incoming>| {
        peer.phase.busy();
        request.extensions_mut().insert(peer.clone());
        router.clone().call(request.map(Body::new))
    });
    let around_after = around.clone();
    let mut connection = http1_builder(&settings)
        .serve_connection(TokioIo::new(Socket::new(stream, around)), service);
    let end = watch_over(
        Pin::new(&mut connection),
        &settings,
        &around_after,
        stopping,
    )
    .await;
    match end {
        End::Closed => {}
        // There is nobody to say it to.
        End::SlowReader => around_after.telemetry.meters().count_problem(Code::TooSlow),
        End::SlowHead => {
            let problem = Problem::because(
                Code::TooSlow,
                "the head of the request did not come in time",
            );
            let (stream, around) = connection.into_parts().io.into_inner().into_parts();
            say_last(stream, &problem, &around).await;
        }
    }
}

fn http1_builder(settings: &Settings) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .half_close(true)
        .keep_alive(true)
        // The door has its own timer, which costs nothing per request and tells the client.
        .header_read_timeout(None)
        .max_header_size(settings.header_bytes_max)
        .max_buf_size(settings.header_bytes_max.max(64 * 1024));
    if settings.headers_max < 100 {
        builder.max_headers(settings.headers_max);
    }
    builder
}

async fn watch_over<S>(
    mut connection: Pin<&mut http1::Connection<TokioIo<Socket>, S>>,
    settings: &Settings,
    around: &Surroundings,
    mut stopping: watch::Receiver<bool>,
) -> End
where
    S: hyper::service::HttpService<Incoming, ResBody = Body>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut look = around.tasks.sleep(settings.header_time());
    let mut asked_to_stop = pin!(async move { stopping.wait_for(|stop| *stop).await.map(|_| ()) });
    let mut ending = false;
    loop {
        tokio::select! {
            biased;
            _ = connection.as_mut() => return End::Closed,
            () = &mut look => {
                let now = around.clock.monotonic();
                let unread = around.backlog.since();
                let doing = around.phase.doing();
                if unread.is_some_and(|since| now >= since + settings.write_time()) {
                    return End::SlowReader;
                }
                match doing {
                    Doing::Head(since) if now >= since + settings.header_time() => return End::SlowHead,
                    Doing::Idle(since) if now >= since + settings.idle_time() => ending = true,
                    _ => {}
                }
                // Also a connection that is to end has to take its last answer in time.
                let doing = if ending { Doing::Busy } else { doing };
                look = around.tasks.sleep(next_look(doing, unread, now, settings));
            }
            _ = &mut asked_to_stop, if !ending => ending = true,
        }
        if ending {
            connection.as_mut().graceful_shutdown();
        }
    }
}

/// When a connection must be looked at again: a head that begins later cannot be late before its whole time has passed,
/// nor can bytes that begin to wait.
fn next_look(
    doing: Doing,
    unread: Option<Duration>,
    now: Duration,
    settings: &Settings,
) -> Duration {
    let whole = settings.header_time().min(settings.write_time());
    let left = match doing {
        Doing::Head(since) => (since + settings.header_time()).saturating_sub(now),
        Doing::Idle(since) => (since + settings.idle_time()).saturating_sub(now),
        Doing::Busy => whole,
    };
    let late = unread.map_or(whole, |since| {
        (since + settings.write_time()).saturating_sub(now)
    });
    left.min(late).min(whole).max(Duration::from_millis(1))
}

/// Writes a problem and closes, without waiting for a client that does not read.
pub(crate) async fn say_last(mut stream: Stream, problem: &Problem, around: &Surroundings) {
    let answer = whole_answer(problem, around);
    let word = async {
        stream.write_all(&answer).await?;
        stream.shutdown().await
    };
    let _ = around.tasks.timeout(LAST_WORD, word).await;
}
