//! A Tidegate server as users start it: the release binary, its own data directory, an API key, one open sale.

use super::process::{Process, free_address};
use api::plan::{CreateSale, Limits, NewSku, SkuLimits, Window};
use api::sale::Sale;
use serde::de::DeserializeOwned;
use std::io::{Error, Result};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tidegate_drill::client::{Connection, Patience, Request};
use tokio::process::Command;

/// Units on sale: nothing is ever sold out, every order is accepted.
pub(crate) const STOCK: u32 = 1_000_000_000;
/// What is sold.
pub(crate) const SKU: &str = "CUP-TIDE";

/// A running server.
pub(crate) struct Tidegate {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    pub(crate) key: String,
    pub(crate) sale: Sale,
    _data: tempfile::TempDir,
}

/// The release binary lies one folder above this bench.
pub(crate) fn binary() -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    let folder = this.parent().and_then(Path::parent);
    folder
        .map(|folder| folder.join("tidegate"))
        .filter(|binary| binary.is_file())
        .ok_or_else(|| Error::other("build it first: cargo build --release --package tidegate"))
}

impl Tidegate {
    /// Starts a server with nothing in it but a key and a sale.
    pub(crate) async fn start() -> Result<Self> {
        let binary = binary()?;
        let data = tempfile::tempdir()?;
        let key = make_key(&binary, &data.path().join("data")).await?;
        let address = free_address()?;
        let mut command = Command::new(&binary);
        command
            .arg("serve")
            .arg("--data")
            .arg(data.path().join("data"));
        command.args(["--listen", &address.to_string()]);
        command.args(["--admin-listen", &free_address()?.to_string()]);
        command.args(["--set", "edge.bench=true"]);
        command.env_clear();
        let log = data.path().join("log");
        let mut process = Process::start(&mut command, &log, rustix::process::Signal::TERM)?;
        wait_for(address, &mut process)
            .await
            .map_err(|error| told(&log, &error))?;
        let sale = open_sale(address, &key).await?;
        Ok(Self {
            process,
            address,
            key,
            sale,
            _data: data,
        })
    }
}

/// An error with what the server said last.
pub(crate) fn told(log: &Path, error: &Error) -> Error {
    let log = std::fs::read_to_string(log).unwrap_or_default();
    let last: Vec<&str> = log.lines().rev().take(5).collect();
    Error::other(format!("{error}; its last words: {last:?}"))
}

async fn make_key(binary: &Path, data: &Path) -> Result<String> {
    let output = Command::new(binary)
        .args([
            "keys",
            "create",
            "--name",
            "bench",
            "--account",
            "bench",
            "--json",
        ])
        .arg("--data")
        .arg(data)
        .env_clear()
        .stderr(Stdio::inherit())
        .output()
        .await?;
    let made: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let secret = made["secret"].as_str();
    secret
        .map(ToOwned::to_owned)
        .ok_or_else(|| Error::other("no key was made"))
}

/// Waits until a server takes connections.
pub(crate) async fn wait_for(address: SocketAddr, process: &mut Process) -> Result<()> {
    for _ in 0..2_000 {
        process.check()?;
        if Connection::open(address, Patience::default()).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Err(Error::other("a server does not listen"))
}

async fn open_sale(address: SocketAddr, key: &str) -> Result<Sale> {
    let sale = CreateSale {
        name: "Bench".into(),
        currency: "GBP".parse().map_err(Error::other)?,
        hold_ms: api::limits::HOLD_MS_DEFAULT,
        window: Window::default(),
        limits: Limits {
            units_per_order: Some(10),
            units_per_buyer: Some(10),
        },
        rules: Vec::new(),
        skus: vec![NewSku {
            sku: SKU.into(),
            name: None,
            price: "24.90".parse().map_err(Error::other)?,
            stock: STOCK,
            limits: SkuLimits::default(),
        }],
        offer: None,
        idempotency_key: None,
    };
    let mut connection = Connection::open(address, Patience::default())
        .await
        .map_err(Error::other)?;
    let body = serde_json::to_vec(&sale)?;
    let made: Sale = ask(
        &mut connection,
        &Request::post("/v1/sales", key, "bench-sale", &body),
    )
    .await?;
    let path = format!("/v1/sales/{}/open", made.id);
    ask(
        &mut connection,
        &Request::post(&path, key, "bench-open", b"{}"),
    )
    .await
}

/// Asks for something that must be there.
pub(crate) async fn ask<T: DeserializeOwned>(
    connection: &mut Connection,
    request: &Request<'_>,
) -> Result<T> {
    let reply = connection.ask(request).await.map_err(Error::other)?;
    if !reply.is_success() {
        let said = String::from_utf8_lossy(reply.body).into_owned();
        return Err(Error::other(format!(
            "{}: {} {said}",
            request.path, reply.status
        )));
    }
    Ok(serde_json::from_slice(reply.body)?)
}
