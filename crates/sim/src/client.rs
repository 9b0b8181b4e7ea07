//! A client: one request at a time over a kept connection, with limited patience, and a memory of what it saw.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::Position;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use world::Tasks;

use crate::record::{Call, Outcome, Said, Who};
use crate::scheduler::World;
use crate::stage::{SHOP, Stage};

/// What a client sends.
pub type Body = Full<Bytes>;

/// Bytes of an answer, at most.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What all clients together remember; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct History(Arc<Mutex<Vec<Call>>>);

impl History {
    fn calls(&self) -> MutexGuard<'_, Vec<Call>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All calls so far, in the order in which they were sent.
    #[must_use]
    pub fn all(&self) -> Vec<Call> {
        self.calls().clone()
    }

    /// How many were sent so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.calls().len()
    }

    /// Whether nobody has asked anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A request to be made.
#[derive(Clone, Debug)]
pub struct Ask {
    /// HTTP method.
    pub method: &'static str,
    /// Path with query.
    pub path: String,
    /// The idempotency key.
    pub key: Option<String>,
    /// The JSON body.
    pub body: String,
}

impl Ask {
    /// A question.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self {
            method: "GET",
            path: path.into(),
            key: None,
            body: String::new(),
        }
    }

    /// A change.
    #[must_use]
    pub fn post(path: impl Into<String>, key: impl Into<String>, body: &serde_json::Value) -> Self {
        Self {
            method: "POST",
            path: path.into(),
            key: Some(key.into()),
            body: body.to_string(),
        }
    }
}

/// A client.
pub struct Client {
    number: u32,
    who: Who,
    stage: Arc<Stage>,
    world: World,
    tasks: Tasks,
    history: History,
    connection: Option<SendRequest<Full<Bytes>>>,
    credential: Option<String>,
}

impl Client {
    /// A client on the street; `number` must be its own.
    #[must_use]
    pub fn new(stage: &Arc<Stage>, history: &History, number: u32, who: Who) -> Self {
        Self {
            number,
            who,
            world: stage.world.clone(),
            tasks: stage.street.tasks(),
            stage: stage.clone(),
            history: history.clone(),
            connection: None,
            credential: None,
        }
    }

    /// It shows this, whoever it is.
    #[must_use]
    pub fn with_credential(mut self, credential: String) -> Self {
        self.credential = Some(credential);
        self
    }

    /// Waits.
    pub async fn wait(&self, how_long: Duration) {
        self.tasks.sleep(how_long).await;
    }

    /// The world's time.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.world.now()
    }

    /// In whose name it asks.
    #[must_use]
    pub const fn who(&self) -> &Who {
        &self.who
    }

    /// Opens an answer without an end, on a connection of its own; nothing of it is remembered.
    ///
    /// # Errors
    /// Why nothing came.
    pub async fn open(&self, path: &str) -> Result<Response<Incoming>, &'static str> {
        let request = self.request(&Ask::get(path))?;
        let mut connection = self.connect().await?;
        connection
            .send_request(request)
            .await
            .map_err(|_| "answer lost")
    }

    /// Sends a request of somebody's own making on a connection of its own; nothing of it is remembered. The status of
    /// the answer, if one came.
    pub async fn try_out(&self, request: Request<Body>, patience: Duration) -> Option<StatusCode> {
        let answer = async {
            let mut connection = self.connect().await.ok()?;
            let response = connection.send_request(request).await.ok()?;
            Some(response.status())
        };
        self.tasks.timeout(patience, answer).await.flatten()
    }

    /// Makes one request and remembers what came of it; after `patience` it hangs up.
    pub async fn ask(&mut self, ask: &Ask, patience: Duration) -> Outcome {
        let nth = {
            let mut calls = self.history.calls();
            calls.push(Call {
                client: self.number,
                who: self.who.clone(),
                method: ask.method,
                path: ask.path.clone(),
                key: ask.key.clone(),
                body: ask.body.clone(),
                asked_at: self.world.now(),
                ended_at: self.world.now(),
                outcome: Outcome::Open,
            });
            calls.len() - 1
        };
        let tasks = self.tasks.clone();
        let heard = tasks.timeout(patience, self.exchange(ask)).await;
        let outcome = match heard {
            Some(Ok(said)) => Outcome::Said(said),
            Some(Err(why)) => {
                self.connection = None;
                Outcome::Unheard(why)
            }
            None => {
                self.connection = None;
                Outcome::Unheard("no patience left")
            }
        };
        let mut calls = self.history.calls();
        let call = &mut calls[nth];
        call.ended_at = self.world.now();
        call.outcome = outcome.clone();
        outcome
    }

    async fn exchange(&mut self, ask: &Ask) -> Result<Said, &'static str> {
        let request = self.request(ask)?;
        if self.connection.as_ref().is_none_or(SendRequest::is_closed) {
            self.connection = Some(self.connect().await?);
        }
        let Some(connection) = &mut self.connection else {
            return Err("no connection");
        };
        connection.ready().await.map_err(|_| "connection lost")?;
        let response = connection
            .send_request(request)
            .await
            .map_err(|_| "answer lost")?;
        said(response).await
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, &'static str> {
        let stream = self
            .stage
            .net
            .of(&self.stage.street)
            .connect(SHOP.0, SHOP.1)
            .await
            .map_err(|_| "no connection")?;
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|_| "no connection")?;
        drop(self.tasks.spawn(async move {
            // A connection that breaks is told to whoever waits for its answer.
            let _ = connection.await;
        }));
        Ok(sender)
    }

    fn request(&self, ask: &Ask) -> Result<Request<Full<Bytes>>, &'static str> {
        let mut request = Request::builder()
            .method(ask.method)
            .uri(&ask.path)
            .header("host", SHOP.0);
        let credential = match &self.who {
            Who::Merchant => self.stage.merchant_key(),
            Who::Buyer(name) => Some(self.stage.token(name)),
            Who::Anybody => self.credential.clone(),
        };
        if let Some(credential) = credential {
            request = request.header("authorization", format!("Bearer {credential}"));
        }
        if let Some(key) = &ask.key {
            request = request.header("idempotency-key", key.as_str());
        }
        if !ask.body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let body = Full::from(ask.body.clone().into_bytes());
        request.body(body).map_err(|_| "malformed")
    }
}

async fn said(response: Response<Incoming>) -> Result<Said, &'static str> {
    let (head, body) = response.into_parts();
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let repeated = header("idempotency-replayed") == Some("true");
    let position = header("tidegate-position").and_then(receipt);
    let body = Limited::new(body, ANSWER_BYTES_MAX)
        .collect()
        .await
        .map_err(|_| "answer cut")?;
    let body = String::from_utf8(body.to_bytes().to_vec()).map_err(|_| "answer is no text")?;
    Ok(Said {
        status: head.status.as_u16(),
        repeated,
        position,
        body,
    })
}

fn receipt(text: &str) -> Option<(api::SaleId, Position)> {
    let (sale, position) = text.split_once(' ')?;
    Some((sale.parse().ok()?, position.parse().ok()?))
}
