//! A shop behind its public HTTP door.

use super::{ReplayError, ReplayTarget, Told};
use crate::client::{ClientError, Connection, Patience, Request};
use crate::problem::ProblemText;
use api::order::{BatchResults, Order, PlaceBatch};
use api::plan::CreateSale;
use api::refund::{Refund, RefundOrder};
use api::sale::Sale;
use api::stock::WriteOff;
use api::{OrderId, SaleId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::net::SocketAddr;
use std::time::Duration;

/// Tries of one request, with [`PAUSE`] between them: half a minute in all.
const TRIES: u32 = 150;
/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(200);
/// Requests that are sent before the first answer is read, when nothing depends on their order.
const PIPELINE: usize = 64;

/// A running `tidegate serve`, and a merchant's key with the scopes `sales:*`, `stock:write`, `orders:*` and
/// `refunds:write`.
#[derive(Debug)]
pub struct DoorTarget {
    address: SocketAddr,
    bearer: Box<str>,
    connection: Option<Connection>,
}

impl DoorTarget {
    /// Talks to the door at `address` with this API key.
    #[must_use]
    pub fn new(address: SocketAddr, api_key: &str) -> Self {
        Self {
            address,
            bearer: api_key.into(),
            connection: None,
        }
    }

    async fn change<B: Serialize + Sync>(
        &mut self,
        path: &str,
        key: &str,
        body: &B,
    ) -> Result<Heard, ReplayError> {
        let body = serde_json::to_vec(body).map_err(ReplayError::Answer)?;
        let bearer = self.bearer.clone();
        self.ask(&Request::post(path, &bearer, key, &body)).await
    }

    /// Asks until there is an answer that says what became of the request.
    async fn ask(&mut self, request: &Request<'_>) -> Result<Heard, ReplayError> {
        let mut tries = 1;
        loop {
            match self.try_once(request).await {
                Ok(heard) if !matches!(heard.status, 429 | 503) || tries == TRIES => {
                    return Ok(heard);
                }
                Err(error) if tries == TRIES => return Err(ReplayError::Unreachable(error)),
                Ok(_) => {}
                Err(_) => self.connection = None,
            }
            tries += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn try_once(&mut self, request: &Request<'_>) -> Result<Heard, ClientError> {
        let connection = self.connected().await?;
        let reply = connection.ask(request).await?;
        let heard = Heard {
            status: reply.status,
            repeated: reply.repeated,
            body: reply.body.to_vec(),
        };
        if !connection.is_open() {
            self.connection = None;
        }
        Ok(heard)
    }

    async fn connected(&mut self) -> Result<&mut Connection, ClientError> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.address, Patience::default()).await?,
        };
        Ok(self.connection.insert(connection))
    }

    async fn read<T: DeserializeOwned>(
        &mut self,
        what: &'static str,
        path: &str,
    ) -> Result<T, ReplayError> {
        let bearer = self.bearer.clone();
        self.ask(&Request::get(path, &bearer)).await?.body(what)
    }

    /// Reads some orders on one connection, all requests first and then the answers.
    async fn pipelined(&mut self, ids: &[OrderId]) -> Result<Vec<Order>, ClientError> {
        let bearer = self.bearer.clone();
        let connection = self.connected().await?;
        for id in ids {
            connection.push(&Request::get(&format!("/v1/orders/{id}"), &bearer));
        }
        connection.flush().await?;
        let mut orders = Vec::with_capacity(ids.len());
        for _ in ids {
            let reply = connection.next_reply().await?;
            let order = serde_json::from_slice(reply.body)
                .map_err(|_| ClientError::Malformed("the answer is no order"))?;
            orders.push(order);
        }
        Ok(orders)
    }
}

/// An answer that says what became of a request.
struct Heard {
    status: u16,
    repeated: bool,
    body: Vec<u8>,
}

impl Heard {
    /// Yes, yes as before, or no; `read` takes a yes apart.
    fn told<T>(
        self,
        what: &'static str,
        read: impl FnOnce(Self, &'static str) -> Result<T, ReplayError>,
    ) -> Result<Told<T>, ReplayError> {
        // What the book decides comes with these; everything else means that the replay itself is wrong.
        if matches!(self.status, 403 | 404 | 409 | 422) {
            let problem = ProblemText::read(&self.body);
            return Ok(Told::Refused {
                code: problem.code,
                detail: problem.detail,
            });
        }
        let repeated = self.repeated;
        let body = read(self, what)?;
        Ok(if repeated {
            Told::Repeated(body)
        } else {
            Told::Done(body)
        })
    }

    /// The body of a yes.
    fn body<T: DeserializeOwned>(self, what: &'static str) -> Result<T, ReplayError> {
        let body = self.success(what)?;
        serde_json::from_slice(&body).map_err(ReplayError::Answer)
    }

    /// A yes whose body says nothing new: the whole sale, again and again, is not worth reading.
    fn done(self, what: &'static str) -> Result<(), ReplayError> {
        self.success(what).map(drop)
    }

    fn success(self, what: &'static str) -> Result<Vec<u8>, ReplayError> {
        if !(200..300).contains(&self.status) {
            return Err(ReplayError::Refused {
                what,
                status: self.status,
                answer: String::from_utf8_lossy(&self.body)
                    .chars()
                    .take(500)
                    .collect(),
            });
        }
        Ok(self.body)
    }
}

impl ReplayTarget for DoorTarget {
    async fn create_sale(
        &mut self,
        key: &str,
        body: &CreateSale,
    ) -> Result<Told<Sale>, ReplayError> {
        let heard = self.change("/v1/sales", key, body).await?;
        heard.told("begin the sale", Heard::body)
    }

    async fn open_sale(&mut self, key: &str, sale: SaleId) -> Result<Told<()>, ReplayError> {
        let path = format!("/v1/sales/{sale}/open");
        let heard = self.change(&path, key, &serde_json::Map::new()).await?;
        heard.told("open the sale", Heard::done)
    }

    async fn place(&mut self, body: &PlaceBatch) -> Result<BatchResults, ReplayError> {
        let body = serde_json::to_vec(body).map_err(ReplayError::Answer)?;
        // Each order has its own key; the key of the request is its content, so the same batch has the same key.
        let key = blake3::hash(&body).to_hex();
        let bearer = self.bearer.clone();
        self.ask(&Request::post("/v1/orders:batch", &bearer, &key, &body))
            .await?
            .body("place orders")
    }

    async fn refund(
        &mut self,
        key: &str,
        order: OrderId,
        body: &RefundOrder,
    ) -> Result<Told<Refund>, ReplayError> {
        let path = format!("/v1/orders/{order}/refunds");
        let heard = self.change(&path, key, body).await?;
        heard.told("refund an order", Heard::body)
    }

    async fn write_off(
        &mut self,
        key: &str,
        sale: SaleId,
        body: &WriteOff,
    ) -> Result<Told<()>, ReplayError> {
        let path = format!("/v1/sales/{sale}/write-offs");
        let heard = self.change(&path, key, body).await?;
        heard.told("write units off", Heard::done)
    }

    async fn sale(&mut self, sale: SaleId) -> Result<Sale, ReplayError> {
        self.read("show the sale", &format!("/v1/sales/{sale}"))
            .await
    }

    async fn orders(&mut self, ids: &[OrderId]) -> Result<Vec<Order>, ReplayError> {
        let mut orders = Vec::with_capacity(ids.len());
        for some in ids.chunks(PIPELINE) {
            match self.pipelined(some).await {
                Ok(found) => orders.extend(found),
                Err(_) => {
                    // One by one, with patience, and with the server's own words when it refuses.
                    self.connection = None;
                    for id in some {
                        orders.push(
                            self.read("show an order", &format!("/v1/orders/{id}"))
                                .await?,
                        );
                    }
                }
            }
        }
        Ok(orders)
    }
}
