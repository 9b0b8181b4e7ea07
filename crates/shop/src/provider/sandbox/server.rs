//! The sandbox behind HTTP, for a shop in another process.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use world::network::{Listener, Stream};

use super::{Provider, ProviderError, Sandbox};

/// Connections at a time, at most.
const CONNECTIONS_MAX: usize = 1_024;
/// Bytes of a request's body, at most.
const BODY_BYTES_MAX: usize = 4 * 1_024;
/// How long a connection is kept, whatever it does: callers connect anew, and nobody holds a place for ever.
const CONNECTION_MOST: Duration = Duration::from_secs(300);
/// Pause after a failed accept, which mostly means that all file handles are taken.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a stop waits for requests under way.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// Answers until `shutdown` turns true or its sender is gone.
///
/// # Errors
/// When the listener takes no more connections at all.
pub async fn serve(
    listener: Box<dyn Listener>,
    sandbox: Sandbox,
    shutdown: watch::Receiver<bool>,
) -> io::Result<()> {
    let answers: Answers = Arc::new(|sandbox, request| Box::pin(answer(sandbox, request)));
    serve_with(listener, sandbox, shutdown, answers).await
}

/// Answers one request; an error closes the connection without an answer.
pub(super) type Answers = Arc<dyn Fn(Sandbox, Request<Incoming>) -> Answered + Send + Sync>;

/// An answer, when it comes.
pub(super) type Answered =
    Pin<Box<dyn Future<Output = Result<Response<Full<Bytes>>, ProviderError>> + Send>>;

/// Answers in this way until `shutdown` turns true or its sender is gone.
pub(super) async fn serve_with(
    mut listener: Box<dyn Listener>,
    sandbox: Sandbox,
    mut shutdown: watch::Receiver<bool>,
    answers: Answers,
) -> io::Result<()> {
    let tasks = sandbox.inner.tasks.clone();
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = shutdown.wait_for(|stop| *stop) => break,
            accepted = accept(&mut *listener, &permits) => accepted,
        };
        match accepted {
            Ok((stream, permit)) => connect(
                stream,
                (sandbox.clone(), answers.clone()),
                permit,
                &graceful,
            ),
            // The caller went away, or files ran out for a moment: neither is a reason to stop.
            Err(error) if is_passing(&error) => tasks.sleep(ACCEPT_PAUSE).await,
            Err(error) => return Err(error),
        }
    }
    // Whoever is still connected after that is cut off, like by any provider.
    let _late = tasks.timeout(STOP_GRACE, graceful.shutdown()).await;
    Ok(())
}

/// The next connection, as soon as there is room for one.
async fn accept(
    listener: &mut dyn Listener,
    permits: &Arc<Semaphore>,
) -> io::Result<(Stream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

fn is_passing(error: &io::Error) -> bool {
    const TOO_MANY_FILES: [i32; 2] = [23, 24];
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    ) || error
        .raw_os_error()
        .is_some_and(|code| TOO_MANY_FILES.contains(&code))
}

fn connect(
    stream: Stream,
    (sandbox, answers): (Sandbox, Answers),
    permit: OwnedSemaphorePermit,
    graceful: &GracefulShutdown,
) {
    let tasks = sandbox.inner.tasks.clone();
    let service = service_fn(move |request| answers(sandbox.clone(), request));
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service);
    let connection = graceful.watch(connection);
    drop(tasks.clone().spawn(async move {
        // A connection that breaks is the caller's to notice, or was cut here to lose an answer.
        let _ended = tasks.timeout(CONNECTION_MOST, connection).await;
        drop(permit);
    }));
}

/// The answer; an error closes the connection without one.
async fn answer(
    sandbox: Sandbox,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, ProviderError> {
    if request.method() == Method::POST {
        return act(&sandbox, request).await;
    }
    let path = request.uri().path();
    if request.method() != Method::GET {
        return Ok(empty(StatusCode::METHOD_NOT_ALLOWED));
    }
    if let Some(key) = path
        .strip_prefix("/charges/")
        .and_then(|key| key.parse().ok())
    {
        return write(sandbox.charge_status(key).await);
    }
    match path
        .strip_prefix("/refunds/")
        .and_then(|key| key.parse().ok())
    {
        Some(key) => write(sandbox.refund_status(key).await),
        None => Ok(empty(StatusCode::NOT_FOUND)),
    }
}

async fn act(
    sandbox: &Sandbox,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, ProviderError> {
    match request.uri().path() {
        "/charges" => match read(request).await {
            Ok(body) => write(sandbox.charge(body).await.map(Some)),
            Err(status) => Ok(empty(status)),
        },
        "/refunds" => match read(request).await {
            Ok(body) => write(sandbox.refund(body).await.map(Some)),
            Err(status) => Ok(empty(status)),
        },
        _ => Ok(empty(StatusCode::NOT_FOUND)),
    }
}

async fn read<T: DeserializeOwned>(request: Request<Incoming>) -> Result<T, StatusCode> {
    let body = Limited::new(request.into_body(), BODY_BYTES_MAX)
        .collect()
        .await;
    let body = body.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?.to_bytes();
    serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)
}

pub(super) fn write<T: Serialize>(
    answer: Result<Option<T>, ProviderError>,
) -> Result<Response<Full<Bytes>>, ProviderError> {
    let body = match answer {
        Ok(Some(body)) => body,
        Ok(None) => return Ok(empty(StatusCode::NOT_FOUND)),
        Err(ProviderError::Refused(status) | ProviderError::Unavailable(status)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return Ok(empty(status));
        }
        Err(error) => return Err(error),
    };
    let body =
        serde_json::to_vec(&body).map_err(|error| ProviderError::Nonsense(error.to_string()))?;
    let mut response = Response::new(Full::from(body));
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}

pub(super) fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
