//! A fake's front door: HTTP on loopback, one closure that answers, and the trouble that a test asks for.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// A request, as it came.
pub(super) struct Came {
    pub(super) method: String,
    /// Path and query.
    pub(super) target: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Came {
    pub(super) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }

    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }
}

/// An answer.
#[derive(Clone)]
pub(super) struct Gave {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

impl Gave {
    pub(super) fn new(status: u16, body: impl ToString) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.to_string(),
        }
    }
}

/// Troubles on the way, so many of each.
#[derive(Default)]
pub(super) struct Trouble {
    /// The work of a POST is done and the connection is closed without an answer.
    pub(super) lose: AtomicU32,
    /// Nothing is done and this status is given.
    pub(super) away: AtomicU32,
}

/// Takes one of a number of troubles, if any is left.
fn takes(left: &AtomicU32) -> bool {
    let less = |left: u32| left.checked_sub(1);
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
        .is_ok()
}

/// Serves on a free port for as long as the runtime lives; gives the address as a URL.
pub(super) async fn open(
    trouble: Arc<Trouble>,
    answer: impl Fn(Came) -> Gave + Send + Sync + 'static,
) -> String {
    let free = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = TcpListener::bind(free).await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (answer, trouble) = (answer.clone(), trouble.clone());
            let service = service_fn(move |request| {
                let (answer, trouble) = (answer.clone(), trouble.clone());
                async move { serve(request, &*answer, &trouble).await }
            });
            tokio::spawn(async move {
                let mut http = http1::Builder::new();
                // The time of an answer is the fake's to say.
                http.auto_date_header(false);
                // A connection that ends is the client's to notice.
                drop(http.serve_connection(TokioIo::new(stream), service).await);
            });
        }
    });
    format!("http://{address}")
}

async fn serve(
    request: Request<Incoming>,
    answer: &(impl Fn(Came) -> Gave + Send + Sync),
    trouble: &Trouble,
) -> Result<Response<Full<Bytes>>, &'static str> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| "cut off")?.to_bytes();
    let came = Came {
        method: head.method.to_string(),
        target: head
            .uri
            .path_and_query()
            .map(ToString::to_string)
            .unwrap_or_default(),
        headers: head.headers,
        body: String::from_utf8(body.to_vec()).map_err(|_| "no text")?,
    };
    let acts = came.method == "POST";
    let gave = match takes(&trouble.away) {
        true => Gave::new(503, "away"),
        false => answer(came),
    };
    if acts && takes(&trouble.lose) {
        return Err("the answer is lost");
    }
    let mut response = Response::new(Full::from(gave.body));
    *response.status_mut() = StatusCode::from_u16(gave.status).expect("a status");
    for (name, value) in gave.headers {
        let value = value.parse().expect("a value of a header");
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
