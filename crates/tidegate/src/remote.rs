//! A running server, as the commands that talk to one see it.

use crate::failure::Failure;
use anyhow::Context;
use api::Code;
use drill::client::{Connection, Patience, Request};
use serde::de::DeserializeOwned;
use std::net::SocketAddr;

/// A server and the API key that is presented to it.
pub(crate) struct Remote {
    connection: Connection,
    key: String,
}

impl Remote {
    /// Connects to `http://host:port`.
    ///
    /// # Errors
    /// The address is none, or nobody listens there.
    pub(crate) async fn connect(url: &str, key: String) -> anyhow::Result<Self> {
        let address = resolve(url).await?;
        let connection = Connection::open(address, Patience::default()).await;
        let connection = connection.with_context(|| format!("no server answers at {url}"))?;
        Ok(Self { connection, key })
    }

    /// Asks for something.
    ///
    /// # Errors
    /// The connection breaks, or the server refuses.
    pub(crate) async fn get<T: DeserializeOwned>(&mut self, path: &str) -> anyhow::Result<T> {
        let key = self.key.clone();
        self.ask(&Request::get(path, &key)).await
    }

    /// Changes something, under an idempotency key.
    ///
    /// # Errors
    /// The connection breaks, or the server refuses.
    pub(crate) async fn change<T: DeserializeOwned>(
        &mut self,
        method: &str,
        path: &str,
        idempotency: &str,
        body: &[u8],
    ) -> anyhow::Result<T> {
        let key = self.key.clone();
        let request = Request::post(path, &key, idempotency, body);
        self.ask(&Request { method, ..request }).await
    }

    async fn ask<T: DeserializeOwned>(&mut self, request: &Request<'_>) -> anyhow::Result<T> {
        let reply = self
            .connection
            .ask(request)
            .await
            .context("the server did not answer")?;
        if !reply.is_success() {
            return Err(refused(reply.status, reply.body).into());
        }
        serde_json::from_slice(reply.body).context("the server's answer cannot be read")
    }
}

/// The server's own code and sentence, passed on.
fn refused(status: u16, body: &[u8]) -> Failure {
    let problem: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| problem.get(name).and_then(serde_json::Value::as_str);
    let code = text("code").and_then(Code::find).unwrap_or(Code::Internal);
    let what = format!(
        "the server refused ({status}): {}",
        text("detail").unwrap_or("without a reason")
    );
    Failure::new(code, what, "see the page of the code")
}

async fn resolve(url: &str) -> anyhow::Result<SocketAddr> {
    let bad = || {
        let mend =
            "write it like http://127.0.0.1:8080; for https go through a proxy on this machine";
        Failure::new(
            Code::BadConfiguration,
            format!("`{url}` is no address of a server"),
            mend,
        )
    };
    let host = url
        .strip_prefix("http://")
        .ok_or_else(bad)?
        .trim_end_matches('/');
    if host.contains('/') {
        return Err(bad().into());
    }
    let host = if host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let mut found = tokio::net::lookup_host(&host).await.map_err(|_| bad())?;
    Ok(found.next().ok_or_else(bad)?)
}
